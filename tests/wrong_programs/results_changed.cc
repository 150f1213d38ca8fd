/// A plugin adds results of authentication with its finding; it does not change the list.
/// The compiler says: discards qualifiers
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.mail.observe([](const MailHook& hook) { hook.transaction.authentication_results().add({}); });
#else
    hooks.mail.decide([](const MailHook&) { return pass().authentication_result({.method = "x", .result = "pass"}); });
#endif
}
