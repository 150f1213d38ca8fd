/// judges_recipients: refuses and defers recipients after DATA, for tests of a running server.
///
///     SmtpPlugin judges_recipients at=data_post
///
/// The plugin rejects recipients whose name begins with `full`, and defers those that begin with `later`. `at` is the
/// hook: data_post_rcpt (one by one), data_post or queue_pre. At the delivery of a message, it logs a bounce for each
/// refused recipient.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class JudgesRecipients final : public Plugin {
public:
    static constexpr bool reads_body = false;
    static constexpr bool judges_recipients = true;
    static constexpr bool sends_bounces = true;

    enum class At { data_post_rcpt, data_post, queue_pre };
    struct Options {
        At at = At::data_post_rcpt;
        static OptionTable table() {
            return {option("at", &Options::at, "the hook")
                        .choices({{"data_post_rcpt", At::data_post_rcpt},
                                  {"data_post", At::data_post},
                                  {"queue_pre", At::queue_pre}})};
        }
    };

    JudgesRecipients(Setup& setup, const Options& options) {
        const auto judge_all = [](DataPostHook& hook) {
            for (auto& recipient : hook.transaction.recipients())
                if (const Response response = judge(recipient); response.verdict != Verdict::declined)
                    hook.refuse(recipient, response, "its name says so");
            return declined();
        };
        if (options.at == At::data_post_rcpt)
            setup.hooks.data_post_rcpt.add([](const DataPostRcptHook& hook) { return judge(hook.recipient); });
        if (options.at == At::data_post) setup.hooks.data_post.add(judge_all);
        if (options.at == At::queue_pre) setup.hooks.queue_pre.add(judge_all);
        setup.hooks.queue.observe([](const Delivery& delivery) {
            for (const auto& recipient : delivery.refused_recipients())
                delivery.log(LogLevel::info, "bounce to {} for {}: {}", quoted(delivery.envelope().sender.path()),
                             quoted(recipient.address().path()), recipient.fate().reply.code);
        });
    }

private:
    static Response judge(const Recipient& recipient) {
        const auto& name = recipient.address().local_part();
        if (name.starts_with("full")) return deny("Mailbox is full").with_code(552).with_status({5, 2, 2});
        return name.starts_with("later") ? denysoft("Try again tomorrow") : declined();
    }
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("judges_recipients", smtpd::plugins::JudgesRecipients);
