/// naughty: refuse, at the moment that you choose, what other plugins found.
///
/// A policy plugin with `reject=naughty` does not refuse; it remembers why it would have. This plugin does it, later: at RCPT for instance,
/// where the log shows who wanted to write to whom, and after AUTH. Who logs in before that moment, or is made a relay client by another plugin, is
/// forgiven: the record is cleared. The plugins that come after the finding spare themselves the work, since a naughty client is not judged again.
/// Whatever moment is chosen, data_post is a safety net for what was found after it.
///
/// ## Where it stands
///
/// It runs after the other plugins of its hook and before rcpt_ok, in whatever order they are configured.
///
/// ## Replies
///
/// The reasons of all plugins that complained, one a line. The code and the enhanced status are those of the hook and of the first
/// complainer; whether the refusal is permanent, and whether the connection ends, is told by the first complainer's `reject_type`, else by
/// the one of this plugin. The log names the first complainer.
///
/// ## Example
///
///     SmtpPlugin earlytalker reject=naughty
///     SmtpPlugin badmailfrom reject=naughty reject_type=temp
///     SmtpPlugin naughty reject=data
///
/// ## Differences from qpsmtpd
///
/// The value `hook_queue_post` does not exist. An unknown value is a mistake in the configuration.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class NaughtyPlugin final : public Plugin {
public:
    static constexpr bool reads_body = false;

    struct Options {
        HookId reject = HookId::rcpt;
        Verdict reject_type = Verdict::deny_disconnect;

        static OptionTable table() {
            return {option("reject", &Options::reject, "at which hook naughty clients are refused")
                        .choices({{"connect", HookId::connect}, {"mail", HookId::mail}, {"rcpt", HookId::rcpt}, {"data", HookId::data},
                                  {"data_post", HookId::data_post}}),
                    option("reject_type", &Options::reject_type, "how those are refused whose complainer does not say")
                        .choices(refusal_words())};
        }
    };

    NaughtyPlugin(Setup& setup, const Options& options) : reject_type_(options.reject_type) {
        auto& hooks = setup.hooks;
        const auto refuse = [this](const HookContext& hook) { return answer(hook); };
        if (options.reject == HookId::connect) hooks.connect.add(Priority::late, refuse);
        if (options.reject == HookId::mail) hooks.mail.add(Priority::late, refuse);
        if (options.reject == HookId::rcpt) hooks.rcpt.add(Priority::late, refuse);
        if (options.reject == HookId::data) hooks.data.add(Priority::late, refuse);
        hooks.data_post.add(Priority::late, refuse);
    }

private:
    Answer answer(const HookContext& hook) const {
        const auto& naughty = hook.connection.naughty();
        if (!naughty) return declined();
        hook.log(LogLevel::info, "fail: {} complained", naughty->plugin);
        std::string reasons;
        for (const auto& text : naughty->texts) reasons += (reasons.empty() ? "" : "\n") + text;
        return Answer(is_denial(naughty->verdict) ? naughty->verdict : reject_type_, reasons).with_status(naughty->enhanced);
    }

    const Verdict reject_type_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("naughty", smtpd::plugins::NaughtyPlugin);
