/// A text without arguments has no {}.
/// The compiler says: a_pattern_needs_one_pair_of_braces_for_each_argument
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.mail.decide([](const MailHook&) { return fail("{} is listed"); });
#else
    hooks.mail.decide([](const MailHook& hook) { return fail("{} is listed", hook.sender()); });
#endif
}
