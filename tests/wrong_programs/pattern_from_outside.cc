/// A pattern is a literal: what a client sent would be taken for one.
/// The compiler says: FormatPattern
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.mail.observe([](const MailHook& hook) { hook.log(LogLevel::info, hook.connection.host()); });
#else
    hooks.mail.observe([](const MailHook& hook) { hook.log(LogLevel::info, "{}", hook.connection.host()); });
#endif
}
