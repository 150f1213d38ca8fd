/// What only the server may do is out of reach.
/// The compiler says: private
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.mail.observe([](MailHook& hook) { HookContext::Caller caller; });
#else
    hooks.mail.observe([](const MailHook& hook) { (void)hook.answers(); });
#endif
}
