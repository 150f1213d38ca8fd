/// auth/auth_delay: delay clients that guess passwords, for longer each time.
///
/// Every refused login delays the next reply to AUTH: by `first` after the first refusal, then by twice as long each
/// time, up to `max`. The plugin counts refusals by the client's address, where `ipv4_prefix` and `ipv6_prefix` treat
/// neighbouring addresses as one client. It also counts them by the name that the client tried, whether such a user
/// exists or not. The larger count decides. The plugin forgets refusals `time` after the last one.
///
/// The plugin delays the reply to the right password as long as the reply to a wrong one. Otherwise the delay would
/// reveal whether the password was right. So a client that guesses a user's password also delays that user, by at most
/// `max`. With `by_login=no` the plugin counts by address only. Under the event MPM waiting sessions are parked and
/// hold no thread.
///
/// Malformed or cancelled exchanges count. Failures of a back end do not count. To refuse clients with too many failed
/// logins, use `limit failed_logins`.
///
///     SmtpPlugin auth/auth_delay ipv4_prefix=24
///     SmtpPlugin limit:passwords failed_logins max=10 time=1h reject_type=temp_disconnect
///     SmtpPlugin auth/auth_flat_file
///
/// Whitelisted clients and relay clients are not delayed. The counters are in the namespace `auth_delay` of the store.
/// If the store fails, the plugin delays no client.
///
/// ## Differences from qpsmtpd
///
/// qpsmtpd does not have this plugin.
#include <smtpd/plugin.h>
#include <smtpd/store/records.h>

#include <algorithm>

namespace smtpd::plugins {

class AuthDelay final : public PolicyPlugin {
public:
    static constexpr bool reads_body = false;

    struct Options {
        Duration first = std::chrono::seconds(1);
        Duration max = std::chrono::seconds(30);
        Duration time = std::chrono::hours(1);
        unsigned ipv4_prefix = 32;
        unsigned ipv6_prefix = 64;
        bool by_login = true;
        static OptionTable table() {
            return {
                option("first", &Options::first, "the delay after one refused login").range("10ms", "1min"),
                option("max", &Options::max, "the longest delay").range("10ms", "50s"),
                option("time", &Options::time, "how long to remember a refused login").range("1s", "30d"),
                option("ipv4_prefix", &Options::ipv4_prefix, "how many bits of an IPv4 address count").range("8", "32"),
                option("ipv6_prefix", &Options::ipv6_prefix, "how many bits of an IPv6 address count")
                    .range("16", "128"),
                option("by_login", &Options::by_login, "whether to count refused logins by the tried name, too")};
        }
    };

    AuthDelay(Setup& setup, const Options& options)
        : options_(options),
          counts_(setup.store<std::int64_t>("auth_delay")),
          wish_(("auth_delay.wish " + setup.instance()).c_str()) {
        for (auto* point : setup.hooks.auth_attempts())
            point->ask([this](const AuthHook& hook, Questions& questions) { questions.delay(wish(hook)); })
                .decide([this](const AuthHook& hook) { return account(hook); }, Priority::first);
        setup.hooks.auth_result.observe([this](const AuthResultHook& hook) {
            if (hook.is_refused()) count(hook);
        });
    }

private:
    /// Kept for account(), because other sessions may count in the meantime.
    Duration wish(const AuthHook& hook) const {
        Duration& noted = hook.connection.notes().get(wish_);
        noted = delay_for(failures(hook, hook.user()));
        return noted;
    }

    Finding account(const AuthHook& hook) const {
        const Duration waited = std::exchange(hook.connection.notes().get(wish_), Duration(0));
        return waited.count() == 0 ? pass() : pass("delayed by {}", OptionType<Duration>::show(waited));
    }

    Duration delay_for(std::int64_t failures) const {
        if (failures <= 0) return {};
        Duration delay = options_.first;
        for (std::int64_t i = 1; i < failures && delay < options_.max; ++i) delay *= 2;
        return std::min(delay, options_.max);
    }

    std::vector<std::string> keys(const SessionContext& hook, std::string_view user) const {
        const IpAddress& address = hook.connection.address();
        std::vector<std::string> out{
            "client " + client_key(address, address.is_v4() ? options_.ipv4_prefix : options_.ipv6_prefix)};
        constexpr std::size_t longest_name = 256;  // user names are shorter, and the store has limits
        if (options_.by_login && !user.empty()) out.push_back("login " + login_key(user.substr(0, longest_name)));
        return out;
    }

    std::int64_t failures(const SessionContext& hook, std::string_view user) const {
        std::int64_t most = 0;
        for (const auto& key : keys(hook, user)) {
            const auto count = hook.store(counts_).get(key);
            if (!count) hook.log(LogLevel::warning, "error: store: {}", count.error().what);
            else most = std::max(most, count->value_or(0));
        }
        return most;
    }

    void count(const AuthResultHook& hook) const {
        for (const auto& key : keys(hook, hook.user))
            if (const auto done = hook.store(counts_).add(key, 1, options_.time); !done)
                hook.log(LogLevel::warning, "error: store: {}", done.error().what);
    }

    const Options options_;
    const Store<std::int64_t> counts_;
    const NoteKey<Duration> wish_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("auth/auth_delay", smtpd::plugins::AuthDelay);
