/// noop_counter: close the connection after too many NOOP commands in a row.
///
/// A client that says NOOP again and again keeps a connection that others could use. After `max` NOOPs in a row the
/// server closes the connection. Every other command (HELO, EHLO, MAIL, RCPT, DATA, RSET that ends a transaction, VRFY,
/// HELP) resets the count.
///
/// ## Replies
///
/// `500 5.5.1 Stop wasting my time, too many consecutive NOOPs`; then the server closes the connection.
///
/// ## Differences from qpsmtpd
///
/// Each connection has its own count; in qpsmtpd all clients of a process share one count.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class NoopCounter final : public Plugin {
public:
    static constexpr bool reads_body = false;

    struct Options {
        unsigned max = 3;

        static OptionTable table() {
            return {option("max", &Options::max, "the number of NOOPs in a row that ends the session")
                        .range("1", "10000")
                        .positional(0)};
        }
    };

    NoopCounter(Setup& setup, const Options& options) : max_(options.max) {
        auto& hooks = setup.hooks;
        hooks.noop.add([this](const CommandHook& hook) { return count(hook); });
        const auto reset = [this](const SessionContext& hook) { hook.connection.notes().remove(count_note_); };
        for (auto* point : {&hooks.helo, &hooks.ehlo}) point->observe(Priority::first, reset);
        for (auto* point : {&hooks.vrfy, &hooks.help}) point->observe(Priority::first, reset);
        hooks.data.observe(Priority::first, reset);
        hooks.reset_transaction.observe(Priority::first, reset);
        hooks.mail.observe(Priority::first, reset);
        hooks.rcpt.observe(Priority::first, reset);
    }

private:
    Response count(const CommandHook& hook) const {
        const unsigned count = ++hook.connection.notes().get(count_note_);
        if (count < max_) return declined();
        hook.log(LogLevel::info, "fail: {} NOOPs in a row", count);
        return deny_disconnect("Stop wasting my time, too many consecutive NOOPs").with_status({5, 5, 1});
    }

    const NoteKey<unsigned> count_note_{"noop_counter"};
    const unsigned max_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("noop_counter", smtpd::plugins::NoopCounter);
