/// auth/auth_vpopmaild: passwords as vpopmaild checks them.
///
/// vpopmaild is the daemon of vpopmail: mail domains with users that are in no system's list. It is asked over TCP:
///
///     SmtpPlugin auth/auth_vpopmaild host=127.0.0.1 port=89
///     SmtpPlugin auth/auth_vpopmaild host=10.0.0.1 host=vpop2.example.com:8989 balance=round-robin
///
/// It wants the password itself, so PLAIN and LOGIN are offered. What travels to it is not encrypted: it should be on
/// this machine, or on a network of its own. Names and passwords with blanks cannot be said in its protocol, and are
/// refused without asking it.
///
/// A daemon that is down, slow (`timeout`) or says something else is 454 4.7.0. The thread waits for it.
///
/// With several daemons (`host` more than once) the first one that greets is asked, or each in its turn (`balance`).
/// One that fails three times in a row is left alone for a while, five seconds at first and five minutes at most. Names
/// are looked up in `/etc/hosts`, which is read while httpd starts, and in the DNS (`SmtpResolver`).
///
/// ## Differences from qpsmtpd
///
/// The login is sent once, a line that a name or password would break is never sent, and a daemon that is down is 454
/// instead of 535.
#include <smtpd/backend/backend.h>
#include <smtpd/base/secret_text.h>
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class AuthVpopmaild final : public Plugin {
public:
    static constexpr bool reads_body = false;
    static constexpr bool waits_for_backend = true;

    struct Options {
        std::vector<ServerAddress> host = {ServerAddress::tcp("127.0.0.1", 0)};
        unsigned port = 89;
        Balance balance = Balance::failover;
        Duration timeout = std::chrono::seconds(10);
        static OptionTable table() {
            return {option("host", &Options::host, "the daemon's host, or several"),
                    option("port", &Options::port, "its port, where none stands behind the host").range("1", "65535"),
                    option("balance", &Options::balance, "which of several daemons is asked").choices(balance_words()),
                    option("timeout", &Options::timeout, "how long it may take").range("100ms", "50s")};
        }
    };

    /// Each login has a connection of its own: behind a login it belongs to that user, and the protocol has no way
    /// back.
    AuthVpopmaild(Setup& setup, const Options& options)
        : timeout_(options.timeout),
          daemons_(setup.instance(), options.host,
                   {.default_port = static_cast<std::uint16_t>(options.port), .balance = options.balance},
                   setup.clock(), setup.log()) {
        for (auto* const hook : {&setup.hooks.auth_plain, &setup.hooks.auth_login})
            hook->ask([this](const AuthHook&, Questions& questions) {
                    questions.timeout(timeout_);
                    daemons_.ask(questions);
                })
                .add([this](const AuthHook& auth, const Answers& answers) { return judge(auth, answers); });
    }

private:
    Response judge(const AuthHook& hook, const Answers& answers) const {
        const auto has_blank = [](const std::string& word) {
            return word.find_first_of(" \t\r\n") != std::string::npos;
        };
        if (has_blank(hook.user()) || has_blank(hook.password()->reveal())) return declined();
        const auto is_good = ask(hook, answers);
        if (!is_good) {
            hook.log(LogLevel::error, "error: {}", is_good.error().what);
            return denysoft();
        }
        return *is_good ? ok() : declined();
    }

    Result<bool> ask(const AuthHook& hook, const Answers& answers) const {
        const auto greeting = [&](ClientSocket& daemon, const ServerAddress&) { return begin(daemon, hook); };
        auto daemon = daemons_.open(answers, hook.deadline(timeout_), {.greeting = greeting});
        if (!daemon) return daemon.error();
        const auto reply = daemon->socket().receive_line(longest_line);
        if (!reply) return reply.error();  // not reported: the client may have brought it about
        daemon->succeeded();
        if (reply->starts_with("+OK")) return true;
        if (reply->starts_with("-ERR")) return false;
        return Error{ErrorCode::unavailable, "vpopmaild says what is not its protocol", 0};
    }

    /// The login need not wait for the greeting.
    static Result<void> begin(ClientSocket& daemon, const AuthHook& hook) {
        std::string line = secret_text({"login ", hook.user(), " ", hook.password()->reveal(), "\n\r"});
        const auto sent = daemon.send(line);
        wipe(line);
        if (!sent) return sent;
        const auto greeting = daemon.receive_line(longest_line);
        if (!greeting) return greeting.error();
        return greeting->starts_with("+OK") ? Result<void>()
                                            : Error{ErrorCode::unavailable, "vpopmaild does not greet", 0};
    }

    static constexpr std::size_t longest_line = 4096;
    const Duration timeout_;
    const Backend daemons_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("auth/auth_vpopmaild", smtpd::plugins::AuthVpopmaild);
