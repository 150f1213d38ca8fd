/// tarpit: delay clients that behave badly.
///
/// A delay costs an honest client little, but it costs a program that works through a list of addresses a lot. Under
/// the event MPM waiting sessions are parked: they hold no threads and do not delay other clients. Under worker and
/// prefork each waiting session holds its thread or process.
///
/// ## Who waits, and how long
///
/// These are the reasons for a delay. Their delays add up, to at most `max` at a time:
///
/// - `per_error`, for every refused command since the last accepted message, except the first `errors`;
/// - `per_karma`, for every point of karma below zero;
/// - `naughty`, if the naughty plugin will refuse the client;
/// - `always`, for every client.
///
/// The plugin delays the greeting and the replies to HELO, MAIL, RCPT, DATA and the message, or only those that `at`
/// names. `total` limits the sum of all delays in a session. After that the session goes on without delay. The server
/// keeps what a client sends during a delay, and answers it in order.
///
/// ## Order
///
/// The plugin requests a delay before the other plugins of a hook run, so its place in the configuration does not
/// matter. The delay depends on what earlier hooks found. Plugins that wait for the DNS or for silence at the same hook
/// wait in parallel. A delay may not be longer than `deadline`, which is one minute unless it is set. According to RFC
/// 5321 4.5.3.2, clients wait five minutes for the reply to a command.
///
/// ## Example
///
///     SmtpPlugin tarpit errors=2 per_error=2s per_karma=1s naughty=10s max=20s at=rcpt at=data_post
///
/// ## Differences from qpsmtpd
///
/// qpsmtpd does not have this plugin.
#include <smtpd/plugin.h>

#include <algorithm>

namespace smtpd::plugins {

class Tarpit final : public PolicyPlugin {
public:
    static constexpr bool reads_body = false;

    enum class Place { connect, helo, mail, rcpt, data, data_post };

    struct Options {
        Duration per_error = std::chrono::seconds(1);
        unsigned errors = 1;
        Duration per_karma{0};
        Duration naughty{0};
        Duration always{0};
        Duration max = std::chrono::seconds(20);
        Duration total = std::chrono::minutes(5);
        std::vector<Place> at = {Place::connect, Place::helo, Place::mail, Place::rcpt, Place::data, Place::data_post};

        static OptionTable table() {
            return {
                option("per_error", &Options::per_error, "the delay for each refused command").range("0s", "1min"),
                option("errors", &Options::errors, "how many refused commands cause no delay").range("0", "1000"),
                option("per_karma", &Options::per_karma, "the delay for each point of karma below zero")
                    .range("0s", "1min"),
                option("naughty", &Options::naughty, "the delay for naughty clients").range("0s", "5min"),
                option("always", &Options::always, "the delay for every client").range("0s", "5min"),
                option("max", &Options::max, "the longest delay at a time").range("0s", "5min"),
                option("total", &Options::total, "the limit for the sum of all delays in a session").range("0s", "2h"),
                option("at", &Options::at, "the hooks at which clients wait")
                    .choices({{"connect", Place::connect},
                              {"helo", Place::helo},
                              {"mail", Place::mail},
                              {"rcpt", Place::rcpt},
                              {"data", Place::data},
                              {"data_post", Place::data_post}})};
        }
    };

    Tarpit(Setup& setup, const Options& options)
        : options_(options), waited_(("tarpit.waited " + setup.instance()).c_str()) {
        const auto is_at = [&](Place place) {
            return std::find(options.at.begin(), options.at.end(), place) != options.at.end();
        };
        auto& hooks = setup.hooks;
        if (is_at(Place::connect)) delay(hooks.connect);
        if (is_at(Place::helo)) {
            delay(hooks.helo);
            delay(hooks.ehlo);
        }
        if (is_at(Place::mail)) delay(hooks.mail);
        if (is_at(Place::rcpt)) delay(hooks.rcpt);
        if (is_at(Place::data)) delay(hooks.data);
        if (is_at(Place::data_post)) delay(hooks.data_post);
    }

private:
    template <class Point>
    void delay(Point& point) {
        using Context = typename Point::Argument;
        point.ask([this](const Context& hook, Questions& questions) { questions.delay(wish(hook)); })
            .decide([this](const Context& hook) { return account(hook); }, Priority::first);
    }

    Finding account(const SessionContext& hook) const {
        const Duration waited = wish(hook);
        if (waited.count() == 0) return pass();
        hook.connection.notes().get(waited_) += waited;
        return pass("delayed by {}", OptionType<Duration>::show(waited));
    }

    /// The delay. It is the same before and after the wait, because nothing changes in between.
    Duration wish(const SessionContext& hook) const {
        const Connection& client = hook.connection;
        Duration sum = options_.always;
        if (client.errors() > options_.errors) sum += options_.per_error * (client.errors() - options_.errors);
        if (client.karma() < 0) sum += options_.per_karma * -static_cast<std::int64_t>(client.karma());
        if (client.is_naughty()) sum += options_.naughty;
        const auto* waited = client.notes().find(waited_);
        const Duration left = options_.total - (waited ? *waited : Duration(0));
        return std::max(Duration(0), std::min({sum, options_.max, left}));
    }

    const Options options_;
    const NoteKey<Duration> waited_;  ///< how long this instance has delayed the session
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("tarpit", smtpd::plugins::Tarpit);
