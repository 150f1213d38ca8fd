/// declines: a plugin that does nothing, at every hook. Its cost is the cost of one more plugin.
#include <smtpd/plugin.h>

namespace {

class Declines final : public smtpd::Plugin {
public:
    explicit Declines(smtpd::Setup& setup) {
        smtpd::Hooks& hooks = setup.hooks;
        decline(hooks.pre_connection, hooks.connect, hooks.helo_parse, hooks.ehlo_parse, hooks.helo, hooks.ehlo,
                hooks.mail_parse, hooks.mail_pre, hooks.mail, hooks.rcpt_parse, hooks.rcpt_pre, hooks.rcpt, hooks.data,
                hooks.data_headers_end, hooks.data_post_headers, hooks.received_line, hooks.data_post, hooks.queue_pre,
                hooks.vrfy, hooks.noop, hooks.help, hooks.unrecognized_command, hooks.quit);
        hooks.queue.deliver([](const smtpd::Delivery&) { return smtpd::not_mine(); });
        look_on(hooks.queue_post, hooks.reset_transaction, hooks.disconnect, hooks.post_connection);
        hooks.data_chunk.stream([](smtpd::MessageHook&) { return std::make_shared<Stream>(); });
    }

private:
    class Stream final : public smtpd::BodyStream {
    public:
        void chunk(std::string_view) override {}
    };

    template <class... Points>
    static void decline(Points&... points) {
        (points.add([](const auto&) { return smtpd::declined(); }), ...);
    }
    template <class... Points>
    static void look_on(Points&... points) {
        (points.observe([](const auto&) {}), ...);
    }
};

}  // namespace

SMTPD_PLUGIN("declines", Declines);
