/// limit: limit connections, messages, recipients, errors or failed logins in a given time.
///
/// Each instance is one limit. `what` says what the plugin counts, `per` for whom it counts, `max` how many events are
/// permitted, and `time` in what period. The period begins with the first counted event. When it is over, the count
/// starts at zero again.
///
/// Counters are in the namespace `limit` of the store (SmtpStore), so they are shared by all child processes, and with
/// Redis by all hosts. `SmtpStore limit memory:1m` is enough if the counters need not survive a restart. If the store
/// does not work, the plugin refuses no client, unless `onerror=tempfail` is set.
///
/// ## What is counted
///
/// - `connections`, when a client connects;
/// - `messages` at MAIL and `recipients` at RCPT, whether other plugins accept them or not, because attempts cause load
///   too. Put the plugin before rcpt_ok;
/// - `errors`, commands answered with 4xx or 5xx since the last accepted message, at the end of a connection. A client
///   with too many errors is refused at its next connection;
/// - `failed_logins`: AUTH commands that were refused, broken off or malformed. The plugin does not count AUTH commands
///   for which a back end had no answer (4xx), or that the client did not finish. A client with too many failed logins
///   is refused at AUTH, before the password is checked.
///
/// ## For whom
///
/// `per` counts by the client's address (`client`), where `ipv4_prefix` and `ipv6_prefix` treat neighbouring addresses
/// as one client; by `sender` or `sender_domain`; by `recipient` or `recipient_domain`; by the name under which a
/// client has logged in (`login`; other clients are not counted); or for all clients together (`everybody`).
/// Connections and errors can be counted by `client` or `everybody`; failed logins by `login` too. Messages cannot be
/// counted by recipient.
///
/// With failed logins, `login` is the name that the client tried, in lower case, whether such a user exists or not. Use
/// it against clients that guess passwords from many addresses. It has a price: a client that guesses also locks out
/// the user until the period is over.
///
/// Whitelisted clients, senders and recipients are not counted. Relay clients are not counted unless `relay_clients` is
/// on; `per=login` and `failed_logins` always count them. Of naughty clients, which another plugin refuses later, the
/// plugin counts only errors and failed logins.
///
/// ## Replies
///
/// The reply is "Too many connections from <address>, please try again later", or a similar text, with x.7.0. The code
/// is 450 at the greeting, at MAIL and at RCPT, and 451 at AUTH. `reject_type` changes the code.
///
/// ## Examples
///
///     SmtpPlugin limit:flood     connections max=120 time=10min ipv4_prefix=24
///     SmtpPlugin limit:passwords failed_logins max=10 time=1h reject_type=temp_disconnect
///     SmtpPlugin limit:guessed   failed_logins per=login max=50 time=1h
///     SmtpPlugin limit:sent      recipients per=login max=500 time=1d
///     SmtpPlugin limit:bombed    recipients per=recipient max=1000 time=1h
///
/// ## Differences from qpsmtpd
///
/// qpsmtpd does not have this plugin. SmtpMaxConnectionsPerClient and hosts_allow limit how many connections a client
/// may have at once.
#include <smtpd/plugin.h>
#include <smtpd/store/records.h>

namespace smtpd::plugins {

class Limit final : public PolicyPlugin {
public:
    static constexpr bool reads_body = false;
    static constexpr PolicyDefaults policy_defaults{.reject_type = Verdict::denysoft, .exempts_immune = false};

    enum class What { connections, messages, recipients, errors, failed_logins };
    enum class Per { client, sender, sender_domain, recipient, recipient_domain, login, everybody };

    struct Options {
        What what = What::connections;
        Per per = Per::client;
        std::int64_t max = 0;
        Duration time = std::chrono::hours(1);
        unsigned ipv4_prefix = 32;
        unsigned ipv6_prefix = 64;
        bool relay_clients = false;

        static OptionTable table() {
            return {
                option("what", &Options::what, "what to count").choices(words()).positional(0).required(),
                option("per", &Options::per, "for whom to count")
                    .choices({{"client", Per::client},
                              {"sender", Per::sender},
                              {"sender_domain", Per::sender_domain},
                              {"recipient", Per::recipient},
                              {"recipient_domain", Per::recipient_domain},
                              {"login", Per::login},
                              {"everybody", Per::everybody}}),
                option("max", &Options::max, "how many are permitted").range("1", "1000000000").required(),
                option("time", &Options::time, "in what period").range("1s", "365d"),
                option("ipv4_prefix", &Options::ipv4_prefix, "how many bits of an IPv4 address count").range("8", "32"),
                option("ipv6_prefix", &Options::ipv6_prefix, "how many bits of an IPv6 address count")
                    .range("16", "128"),
                option("relay_clients", &Options::relay_clients, "whether to count relay clients too")};
        }
        static std::vector<std::pair<std::string, What>> words() {
            return {{"connections", What::connections},
                    {"messages", What::messages},
                    {"recipients", What::recipients},
                    {"errors", What::errors},
                    {"failed_logins", What::failed_logins}};
        }
    };

    Limit(Setup& setup, const Options& options) : options_(options), counters_(setup.store<std::int64_t>("limit")) {
        const bool is_per_client = options.per == Per::client || options.per == Per::everybody;
        const bool is_per_recipient = options.per == Per::recipient || options.per == Per::recipient_domain;
        const bool is_per_login = options.per == Per::login;
        const char* possible = nullptr;
        if (options.what == What::messages && is_per_recipient)
            possible = "client, sender, sender_domain, login or everybody";
        if (options.what == What::failed_logins && !is_per_client && !is_per_login)
            possible = "client, login or everybody";
        if ((options.what == What::connections || options.what == What::errors) && !is_per_client)
            possible = "client or everybody";
        if (possible) setup.error("{} cannot be counted like this: per must be {}", word(), possible);
        add_handlers(setup.hooks);
    }

private:
    void add_handlers(Hooks& hooks) {
        switch (options_.what) {
            case What::connections:
                hooks.connect.decide([this](const ConnectHook& hook) { return judge(hook, {}, 1); });
                break;
            case What::messages:
                hooks.mail.decide([this](const MailHook& hook) { return judge(hook, {&hook.transaction}, 1); });
                break;
            case What::recipients:
                hooks.rcpt.decide([this](const RcptHook& hook) {
                    return judge(hook, {&hook.transaction, &hook.recipient.address()}, 1);
                });
                break;
            case What::errors:
                hooks.connect.decide([this](const ConnectHook& hook) { return judge(hook, {}, 0); });
                hooks.disconnect.observe(
                    [this](const DisconnectHook& hook) { count_later(hook, {}, hook.connection.errors()); });
                break;
            case What::failed_logins:
                if (options_.per != Per::login)
                    hooks.auth_parse.decide([this](const ParseHook& hook) { return judge(hook, {}, 0); });
                else
                    for (auto* point : hooks.auth_attempts())
                        point->decide(Priority::first,
                                      [this](const AuthHook& hook) { return judge(hook, {.login = hook.user()}, 0); });
                hooks.auth_result.observe([this](const AuthResultHook& hook) {
                    if (hook.is_refused()) count_later(hook, {.login = hook.user}, 1);
                });
                break;
        }
    }

    /// What the hook knows about the event in addition to its connection.
    struct Subject {
        const Transaction* transaction = nullptr;
        const Address* recipient = nullptr;
        std::string_view login{};
    };

    Finding judge(const SessionContext& hook, const Subject& subject, std::int64_t amount) const {
        if (const auto why = exemption(hook, subject); !why.empty()) return skip("{}", why);
        const std::string whom = key(hook, subject);
        const auto count = amount > 0 ? hook.store(counters_).add(whom, amount, options_.time) : now(hook, whom);
        if (!count) return error("store: {}", count.error().what);
        if (*count - amount < options_.max) return pass("{} of {}: {}", *count, options_.max, quoted(whom));
        return fail("{}, {} are permitted: {}", *count, options_.max, quoted(whom))
            .reply(options_.per == Per::client
                       ? format_text("Too many {} from {}, please try again later", word(), hook.connection.address())
                       : format_text("Too many {}, please try again later", word()))
            .status(EnhancedCode{0, 7, 0});
    }

    Result<std::int64_t> now(const SessionContext& hook, const std::string& whom) const {
        const auto count = hook.store(counters_).get(whom);
        if (!count) return count.error();
        return count->value_or(0);
    }

    void count_later(const SessionContext& hook, const Subject& subject, std::int64_t amount) const {
        if (amount == 0 || !exemption(hook, subject).empty()) return;
        if (const auto done = hook.store(counters_).add(key(hook, subject), amount, options_.time); !done)
            hook.log(LogLevel::warning, "error: store: {}", done.error().what);
    }

    /// Why the event is not counted; "" if it is counted.
    std::string exemption(const SessionContext& hook, const Subject& subject) const {
        const Connection& client = hook.connection;
        if (const auto found = hook.whitelisting()) return found->to_string();
        if (options_.what == What::failed_logins)
            return options_.per == Per::login && subject.login.empty() ? "no name was given" : "";
        if (options_.per == Per::login) return client.is_authenticated() ? "" : "the client has not logged in";
        if (client.is_relay_client() && !options_.relay_clients) return "relay client";
        if (client.is_naughty() && options_.what != What::errors) return "naughty";
        return {};
    }

    /// "connections/600 192.0.2.1": limits of the same kind but with another time have separate counters.
    std::string key(const SessionContext& hook, const Subject& subject) const {
        const IpAddress& address = hook.connection.address();
        const auto name = [&]() -> std::string {
            switch (options_.per) {
                case Per::client:
                    return client_key(address, address.is_v4() ? options_.ipv4_prefix : options_.ipv6_prefix);
                case Per::sender:
                    return subject.transaction->sender().is_null() ? "<>" : subject.transaction->sender().key();
                case Per::sender_domain: return "@" + subject.transaction->sender().domain_key();
                case Per::recipient: return subject.recipient->key();
                case Per::recipient_domain: return "@" + subject.recipient->domain_key();
                case Per::login:
                    return "login " + (options_.what == What::failed_logins ? tried_name(subject.login)
                                                                            : tried_name(hook.connection.auth_user()));
                case Per::everybody: break;
            }
            return "everybody";
        };
        return format_text("{}/{} {}", word(), std::chrono::duration_cast<std::chrono::seconds>(options_.time).count(),
                           name());
    }

    /// User names are shorter than this; longer ones come from attackers.
    static std::string tried_name(std::string_view login) { return login_key(login.substr(0, 256)); }

    std::string word() const {
        for (const auto& [word, what] : Options::words())
            if (what == options_.what) return word == "failed_logins" ? "failed logins" : word;
        return {};
    }

    const Options options_;
    const Store<std::int64_t> counters_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("limit", smtpd::plugins::Limit);
