/// Plugins read the history of a session; only the server writes it.
/// The compiler says: private
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
    hooks.mail.observe([](const MailHook& hook) {
#ifdef WRONG
        hook.connection.history().add(HistoryEntry());
#else
        (void)hook.connection.history().entries();
#endif
    });
}
