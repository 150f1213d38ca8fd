/// A pattern has one {} for each argument.
/// The compiler says: a_pattern_needs_one_pair_of_braces_for_each_argument
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.rcpt.observe([](const RcptHook& hook) { hook.log(LogLevel::info, "a recipient", hook.recipient.address()); });
#else
    hooks.rcpt.observe(
        [](const RcptHook& hook) { hook.log(LogLevel::info, "a recipient {}", hook.recipient.address()); });
#endif
}
