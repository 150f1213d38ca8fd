/// loop: reject messages that are in a mail loop.
///
/// Every host that handles a message adds a Received field (RFC 5321 4.4), and every delivery adds a Delivered-To
/// field. At the data_post hook the plugin counts these fields. A message with `max_hops` or more of them is in a loop
/// (RFC 5321 6.3). No client is exempt, because most loops are between hosts that trust each other.
///
/// ## Replies
///
/// `554 5.4.6 Too many hops`.
///
/// ## Example
///
///     SmtpPlugin loop 50
///
/// ## Differences from qpsmtpd
///
/// The code is 554, because 552 means that a message is too large. An invalid number is an error in the configuration;
/// in qpsmtpd it means 100. The field that this server has just added counts in both.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class Loop final : public Plugin {
public:
    static constexpr bool reads_body = false;

    struct Options {
        unsigned max_hops = 100;

        static OptionTable table() {
            return {option("max_hops", &Options::max_hops,
                           "the number of Received and Delivered-To fields that is too high")
                        .range("1", "100000")
                        .positional(0)};
        }
    };

    Loop(Setup& setup, const Options& options) : max_hops_(options.max_hops) {
        setup.hooks.data_post.add([this](const DataPostHook& hook) -> Response {
            const Headers& headers = hook.message().headers();
            const std::size_t hops = headers.count("Received") + headers.count("Delivered-To");
            if (hops < max_hops_) return declined();
            hook.log(LogLevel::info, "fail: {} hops", hops);
            return Response(status::too_many_hops).with_code(554);
        });
    }

private:
    const std::size_t max_hops_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("loop", smtpd::plugins::Loop);
