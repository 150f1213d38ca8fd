/// limit: so many connections, messages, recipients, errors or failed logins in a time, and no more.
///
/// Each instance is one limit: `what` is counted, for whom (`per`), and how many are allowed (`max`) within a time
/// (`time`). The time begins with the first that is counted; when it is over, counting begins again. Counters are in
/// the namespace `limit` of the store (SmtpStore), so they hold over all children, and with Redis over all hosts.
/// `SmtpStore limit memory:1m` does where they need not survive a restart. If the store does not work, nobody is
/// refused, unless `onerror=tempfail`.
///
/// ## What is counted
///
/// - `connections`, when they are made;
/// - `messages` at MAIL and `recipients` at RCPT, whether others accept them or not: what is tried is the trouble. Put
///   it before rcpt_ok;
/// - `errors`, commands answered with 4xx or 5xx since the last message that was accepted, at the end of a connection.
///   Who has made too many is refused when the next one is made;
/// - `failed_logins`: AUTH that was refused, broken off or malformed; not where a back end could not say (4xx), nor
///   what the client left unfinished. Who has too many is refused at AUTH, before the password is looked at.
///
/// ## For whom
///
/// By address (`client`), where `ipv4_prefix` and `ipv6_prefix` take neighbours together; by `sender` or
/// `sender_domain`; by `recipient` or `recipient_domain`; by the name under which a client has logged in (`login`;
/// others are not counted); or for all together (`everybody`). Connections and errors are counted by client or for
/// everybody, failed logins by login too, messages not by recipient.
///
/// With failed logins, `login` is the name that was tried, whether there is such a user or not, in lower case: it is
/// for passwords that are guessed from many addresses. Its price is that whoever guesses also keeps the user out, until
/// the time is over.
///
/// Whitelisted clients, senders and recipients are not counted, nor are relay clients, unless `relay_clients` is on, or
/// for `per=login` and failed logins, which are for them. Naughty clients, which another plugin refuses later, are not
/// counted either, except for their errors and failed logins.
///
/// ## Replies
///
/// "Too many connections from <address>, please try again later", and so on, with x.7.0: 450 at the greeting, at MAIL
/// and RCPT, 451 at AUTH; `reject_type` makes something else of it.
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
/// There is no such plugin there. How many connections a client may have at once is SmtpMaxConnectionsPerClient's
/// matter, and hosts_allow's.
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
                option("what", &Options::what, "what is counted").choices(words()).positional(0).required(),
                option("per", &Options::per, "for whom")
                    .choices({{"client", Per::client},
                              {"sender", Per::sender},
                              {"sender_domain", Per::sender_domain},
                              {"recipient", Per::recipient},
                              {"recipient_domain", Per::recipient_domain},
                              {"login", Per::login},
                              {"everybody", Per::everybody}}),
                option("max", &Options::max, "how many are allowed").range("1", "1000000000").required(),
                option("time", &Options::time, "in what time").range("1s", "365d"),
                option("ipv4_prefix", &Options::ipv4_prefix, "how many bits of an IPv4 address count").range("8", "32"),
                option("ipv6_prefix", &Options::ipv6_prefix, "how many bits of an IPv6 address count")
                    .range("16", "128"),
                option("relay_clients", &Options::relay_clients, "whether relay clients are counted too")};
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

    /// What a hook knows and its connection does not.
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
        return fail("{}, {} are allowed: {}", *count, options_.max, quoted(whom))
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

    /// Why this is not counted; "" if it is.
    std::string exemption(const SessionContext& hook, const Subject& subject) const {
        const Connection& client = hook.connection;
        if (const auto found = hook.whitelisting()) return found->to_string();
        if (options_.what == What::failed_logins)
            return options_.per == Per::login && subject.login.empty() ? "no name was given" : "";
        if (options_.per == Per::login) return client.is_authenticated() ? "" : "nobody has logged in";
        if (client.is_relay_client() && !options_.relay_clients) return "relay client";
        if (client.is_naughty() && options_.what != What::errors) return "naughty";
        return {};
    }

    /// "connections/600 192.0.2.1": limits of the same kind with another time have counters of their own.
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

    /// Names of users have no such length; what has is somebody's game.
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
