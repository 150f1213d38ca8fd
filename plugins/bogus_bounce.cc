/// bogus_bounce: find bounces that no mail server could have sent.
///
/// A bounce has the null sender, and its only recipient is the sender of another message (RFC 5321 4.5.5). It has no
/// Return-Path field (RFC 3834 4). A message with the null sender and several recipients, or with a Return-Path, is
/// spam in disguise. The plugin tests messages when they are complete, at the data_post hook. Relay clients are not
/// exempt.
///
/// ## Actions
///
/// The option `action` says what the plugin does with a bogus bounce: `log` only logs it (start with that), `deny`
/// rejects it, `denysoft` defers it. `action` is a short form of `reject` and `reject_type`, and overrides both.
///
///     SmtpPlugin bogus_bounce deny
///     SmtpPlugin bogus_bounce reject=naughty
///
/// ## Replies
///
/// `552 5.7.1` or `452 4.7.1`: "fake bounce, a real one has exactly one recipient" or "fake bounce, a real one has no
/// Return-Path".
///
/// ## Differences from qpsmtpd
///
/// The test for the number of recipients works, and `deny` rejects. An empty `Return-Path: <>` is not a fault.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class BogusBounce final : public PolicyPlugin {
public:
    static constexpr bool reads_body = false;
    static constexpr PolicyDefaults policy_defaults{.reject = PolicyDefaults::Reject::no, .exempts_immune = false};

    enum class Action { unset, log, deny, denysoft };

    struct Options {
        Action action = Action::unset;

        static OptionTable table() {
            return {
                option("action", &Options::action, "what to do with a bogus bounce; overrides reject and reject_type")
                    .choices({{"log", Action::log}, {"deny", Action::deny}, {"denysoft", Action::denysoft}})
                    .positional(0)};
        }
    };

    BogusBounce(Setup& setup, const Options& options) {
        if (options.action != Action::unset) {
            setup.policy().reject = options.action == Action::log ? PolicyDefaults::Reject::no
                                                                  : PolicyDefaults::Reject::yes;
            setup.policy().reject_type = options.action == Action::denysoft ? Verdict::denysoft : Verdict::deny;
        }
        setup.hooks.data_post.decide([](const DataPostHook& hook) { return judge(hook); });
    }

private:
    static Finding judge(const DataPostHook& hook) {
        if (!hook.transaction.sender().is_null()) return skip("not a null sender");
        if (const auto count = hook.transaction.recipients().size(); count != 1)
            return fail("{} recipients", count).reply("fake bounce, a real one has exactly one recipient");
        for (const auto& path : hook.message().headers().get_all("Return-Path"))
            if (!path.empty() && path != "<>")
                return fail("Return-Path {}", quoted(path)).reply("fake bounce, a real one has no Return-Path");
        return pass();
    }
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("bogus_bounce", smtpd::plugins::BogusBounce);
