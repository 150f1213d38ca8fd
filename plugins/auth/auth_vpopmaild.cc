/// auth/auth_vpopmaild: check passwords with vpopmaild.
///
/// vpopmaild is the daemon of vpopmail, which manages mail domains whose users have no system accounts. The plugin asks
/// the daemon over TCP:
///
///     SmtpPlugin auth/auth_vpopmaild host=127.0.0.1 port=89
///     SmtpPlugin auth/auth_vpopmaild host=10.0.0.1 host=vpop2.example.com:8989 balance=round-robin
///
/// vpopmaild needs the password itself, so the server offers PLAIN and LOGIN. The connection to it is not encrypted:
/// the daemon should be on this machine, or on a private network. Its protocol does not allow blanks in names and
/// passwords; the plugin refuses such logins without asking the daemon.
///
/// If the daemon is down, slow (`timeout`) or gives an unexpected answer, the reply is 454 4.7.0. The thread waits for
/// the daemon.
///
/// With several daemons (`host` more than once), the plugin asks the first daemon that greets, or each in turn
/// (`balance`). If a daemon fails three times in a row, the plugin does not ask it for five seconds. That time grows
/// with further failures, to at most five minutes. The plugin looks up names in `/etc/hosts`, which it reads when httpd
/// starts, and in the DNS (`SmtpResolver`).
///
/// ## Differences from qpsmtpd
///
/// The plugin sends the login once. It never sends a line that a name or password could break. A daemon that is down
/// gives 454 instead of 535.
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
                    option("port", &Options::port, "the port for hosts without one").range("1", "65535"),
                    option("balance", &Options::balance, "which of several daemons to ask").choices(balance_words()),
                    option("timeout", &Options::timeout, "how long to wait for the daemon").range("100ms", "50s")};
        }
    };

    /// Each login has a separate connection: after a login the connection belongs to that user, and the protocol cannot
    /// undo the login.
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
        if (!reply) return reply.error();  // not reported: the client may have caused it
        daemon->succeeded();
        if (reply->starts_with("+OK")) return true;
        if (reply->starts_with("-ERR")) return false;
        return Error{ErrorCode::unavailable, "vpopmaild sent a line that is not part of its protocol", 0};
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
