/// naughty: refuse, at the moment that you choose, what other plugins found.
///
/// A policy plugin with `reject=naughty` does not refuse; it makes a complaint. This plugin refuses, later: at RCPT for
/// instance, where the log shows who wanted to write to whom, and after AUTH. A client that logs in before that moment,
/// or that another plugin makes a relay client, is forgiven: its complaints are dropped. Whatever moment is chosen,
/// data_post is a safety net for complaints that were made after it.
///
/// ## After the first complaint
///
/// Other policy plugins go on judging, so that their findings, karma and Authentication-Results are known. Whatever
/// such a plugin has against the client then becomes a complaint as well, even with `reject=yes`, and its `onerror` has
/// no effect: the client is refused for the first complaint, at the hook that was chosen here. The questions of these
/// plugins to the DNS and to back ends take their time. Plugins that judge everybody (rcpt_map and bogus_bounce, for
/// instance) refuse at once, as ever.
///
/// ## Where it stands
///
/// It runs after the other plugins of its hook and before rcpt_ok, in whatever order they are configured.
///
/// ## Replies
///
/// The text of the first complaint. If a plugin that judges everybody has `reject=naughty` and complains too, its text
/// is on a line of its own. The code is the hook's, the enhanced status the first complaint's. The first complainer's
/// `reject_type` says whether the refusal is permanent and whether the connection ends; if it is not set, the one of
/// this plugin does. The log names the first complainer, then the others.
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

#include <algorithm>
#include <string_view>
#include <vector>

namespace smtpd::plugins {

class NaughtyPlugin final : public Plugin {
public:
    static constexpr bool reads_body = false;
    static constexpr bool accepts_recipients = false;
    static constexpr bool settles_complaints = true;

    struct Options {
        HookId reject = HookId::rcpt;
        Verdict reject_type = Verdict::deny_disconnect;

        static OptionTable table() {
            return {option("reject", &Options::reject, "at which hook naughty clients are refused")
                        .choices({{"connect", HookId::connect},
                                  {"mail", HookId::mail},
                                  {"rcpt", HookId::rcpt},
                                  {"data", HookId::data},
                                  {"data_post", HookId::data_post}}),
                    option("reject_type", &Options::reject_type, "how those are refused whose complainer does not say")
                        .choices(refusal_words())};
        }
    };

    NaughtyPlugin(Setup& setup, const Options& options) : reject_type_(options.reject_type) {
        auto& hooks = setup.hooks;
        const auto refuse = [this](const SessionContext& hook) { return respond(hook); };
        if (options.reject == HookId::connect) hooks.connect.add(Priority::late, refuse);
        if (options.reject == HookId::mail) hooks.mail.add(Priority::late, refuse);
        if (options.reject == HookId::rcpt) hooks.rcpt.add(Priority::late, refuse);
        if (options.reject == HookId::data) hooks.data.add(Priority::late, refuse);
        hooks.data_post.add(Priority::late, refuse);
    }

private:
    Response respond(const SessionContext& hook) const {
        const auto& complaints = hook.connection.complaints();
        if (complaints.empty()) return declined();
        const Complaint& first = complaints.front();
        const auto others = others_than(first, complaints);
        hook.log(LogLevel::info, "fail: {} complained{}{}", first.plugin, others.empty() ? "" : ", and later ", others);
        std::string texts;
        for (const auto& one : complaints)
            if (one.is_told) texts += (texts.empty() ? "" : "\n") + one.text;
        return Response(is_denial(first.verdict) ? first.verdict : reject_type_, texts).with_status(first.enhanced);
    }

    /// "helo, badmailfrom": each once.
    static std::string others_than(const Complaint& first, const std::vector<Complaint>& complaints) {
        std::vector<std::string_view> names{first.plugin};
        std::string out;
        for (const auto& one : complaints) {
            if (std::find(names.begin(), names.end(), one.plugin) != names.end()) continue;
            names.push_back(one.plugin);
            out += (out.empty() ? "" : ", ") + one.plugin;
        }
        return out;
    }

    const Verdict reject_type_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("naughty", smtpd::plugins::NaughtyPlugin);
