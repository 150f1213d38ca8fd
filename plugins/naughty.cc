/// naughty: refuse clients at a later hook than the plugin that found the fault.
///
/// A policy plugin with `reject=naughty` does not refuse; it makes a complaint. This plugin refuses later, at the hook
/// that you choose, for example at RCPT. The log then shows the sender and the recipient, and clients have had the
/// chance to log in. If a client logs in before that hook, or another plugin makes it a relay client, the server drops
/// its complaints. Whatever hook you choose, this plugin also refuses at data_post, for complaints that were made after
/// the chosen hook.
///
/// ## After the first complaint
///
/// Other policy plugins keep testing, so that their findings, karma and Authentication-Results are known. If such a
/// plugin finds a fault, the fault becomes a complaint as well, even with `reject=yes`, and the plugin's `onerror` has
/// no effect: the client is refused for the first complaint, at the chosen hook. The plugins still take the time that
/// their DNS and back-end queries need. Plugins that exempt no client (for example rcpt_map and bogus_bounce) still
/// refuse at once.
///
/// ## Order
///
/// The plugin runs after the other plugins of its hook and before rcpt_ok, whatever the order of the configuration.
///
/// ## Replies
///
/// The reply has the text of the first complaint. If a plugin that exempts no client has `reject=naughty` and complains
/// too, its text is on a separate line. The code is that of the hook; the enhanced status is that of the first
/// complaint. The `reject_type` of the plugin that complained first says whether the refusal is permanent and whether
/// the connection ends. If that plugin has no `reject_type`, the `reject_type` of this plugin applies. The log names
/// the plugin that complained first, then the others.
///
/// ## Example
///
///     SmtpPlugin earlytalker reject=naughty
///     SmtpPlugin badmailfrom reject=naughty reject_type=temp
///     SmtpPlugin naughty reject=data
///
/// ## Differences from qpsmtpd
///
/// The value `hook_queue_post` does not exist. An unknown value is an error in the configuration.
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
            return {option("reject", &Options::reject, "the hook at which naughty clients are refused")
                        .choices({{"connect", HookId::connect},
                                  {"mail", HookId::mail},
                                  {"rcpt", HookId::rcpt},
                                  {"data", HookId::data},
                                  {"data_post", HookId::data_post}}),
                    option("reject_type", &Options::reject_type,
                           "how to refuse if the plugin that complained first has no reject_type")
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

    /// For example "helo, badmailfrom": each plugin once.
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
