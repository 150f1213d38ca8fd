/// A handler takes the argument of its hook.
/// The compiler says: HandlerOf
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.mail.add([](const RcptHook&) { return ok(); });
#else
    hooks.mail.add([](const MailHook&) { return ok(); });
#endif
}
