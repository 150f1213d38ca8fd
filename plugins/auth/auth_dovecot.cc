/// auth/auth_dovecot: check passwords and tokens with Dovecot.
///
/// The plugin asks Dovecot's auth service over its local socket, so IMAP and SMTP have the same users. Every passdb of
/// Dovecot works:
///
///     service auth {
///         unix_listener /run/dovecot/auth-smtp {
///             mode = 0660
///             user = www-data
///         }
///     }
///
///     SmtpPlugin auth/auth_dovecot /run/dovecot/auth-smtp
///
/// The server offers PLAIN and LOGIN. With `tokens` it also offers XOAUTH2 and OAUTHBEARER, if Dovecot has a passdb for
/// them. The plugin tells Dovecot the client's address, and whether the connection is encrypted. After the login, the
/// user has the name that Dovecot returns.
///
/// `socket` may also be `host:port`: the address of an `inet_listener` of Dovecot's auth service on another machine.
/// That connection is not encrypted. With several sockets, the plugin asks the first socket that answers, or each in
/// turn (`balance`):
///
///     SmtpPlugin auth/auth_dovecot /run/dovecot/auth-smtp 10.0.0.2:12345
///
/// The plugin keeps an idle connection for two seconds and uses it for further logins, for at most half a minute. A
/// Dovecot that is reloaded or stopped serves open connections until they end, so the plugin may still ask it for that
/// time.
///
/// ## When Dovecot fails
///
/// If Dovecot is down, slow (`timeout`) or gives an unexpected answer, the reply is 454 4.7.0. The reply is the same if
/// Dovecot reports a temporary failure. Dovecot delays refusals for some seconds (`auth_failure_delay`), during which
/// the thread waits: `timeout` must be longer than that.
///
/// If a Dovecot fails three times in a row to accept a connection or to greet, the plugin does not ask it for five
/// seconds. That time grows with further failures, to at most five minutes.
///
/// ## Replies
///
/// `535 5.7.8 Authentication failed`; `454 4.7.0`.
///
/// ## Differences from qpsmtpd
///
/// qpsmtpd does not have this plugin.
#include <smtpd/backend/backend.h>
#include <smtpd/base/base64.h>
#include <smtpd/base/secret_text.h>
#include <smtpd/plugin.h>

#include <algorithm>
#include <atomic>

#include <unistd.h>

namespace smtpd::plugins {
namespace {

constexpr std::size_t longest_line = 16 * 1024;
constexpr std::size_t most_idle = 8;
constexpr std::chrono::seconds idle_time{2};
constexpr std::chrono::seconds lifetime{30};  ///< an auth process from before a reload has the old configuration

/// Splits "OK\t1\tuser=joe" into words. In a word, \001 is the escape character.
std::vector<std::string> words_of(std::string_view line) {
    std::vector<std::string> out(1);
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char next = i + 1 < line.size() ? line[i + 1] : '\0';
        if (line[i] == '\t') out.emplace_back();
        else if (line[i] != '\x01') out.back() += line[i];
        else if (++i < line.size())
            out.back() += next == '0'   ? '\0'
                          : next == '1' ? '\x01'
                          : next == 't' ? '\t'
                          : next == 'n' ? '\n'
                          : next == 'r' ? '\r'
                                        : next;
    }
    return out;
}

}  // namespace

class AuthDovecot final : public Plugin {
public:
    static constexpr bool reads_body = false;
    static constexpr bool waits_for_backend = true;

    struct Options {
        std::vector<ServerAddress> socket = {ServerAddress::local("/run/dovecot/auth-client")};
        std::string service = "smtp";
        bool tokens = false;
        Balance balance = Balance::failover;
        Duration timeout = std::chrono::seconds(20);
        static OptionTable table() {
            return {
                option("socket", &Options::socket,
                       "the path or the host:port of the client socket of Dovecot's auth service; or several")
                    .positional(0)
                    .rest(),
                option("service", &Options::service, "the name of the service that Dovecot gets with a login"),
                option("tokens", &Options::tokens, "whether Dovecot also checks the tokens of XOAUTH2 and OAUTHBEARER"),
                option("balance", &Options::balance, "which of several servers to ask").choices(balance_words()),
                option("timeout", &Options::timeout, "how long to wait for Dovecot").range("100ms", "50s")};
        }
    };

    /// The protocol permits many logins on one connection, each with its own number.
    AuthDovecot(Setup& setup, const Options& options)
        : options_(options),
          dovecots_(setup.instance(), places(setup, options),
                    {.balance = options.balance, .most_idle = most_idle, .idle_time = idle_time, .lifetime = lifetime},
                    setup.clock(), setup.log()) {
        if (options_.service.empty() || options_.service.find_first_of("\t\n\r\x01") != std::string::npos)
            setup.error("service: \"{}\" is not a name", quoted(options_.service));
        const auto look_up = [this](const AuthHook&, Questions& questions) {
            questions.timeout(options_.timeout);
            dovecots_.ask(questions);
        };
        const auto judge = [this](const AuthHook& hook, const Answers& answers) { return this->judge(hook, answers); };
        setup.hooks.auth_plain.ask(look_up).add(judge);
        setup.hooks.auth_login.ask(look_up).add(judge);
        if (options_.tokens) setup.hooks.auth_bearer.ask(look_up).add(judge);
    }

private:
    /// A host must have a port, because there is no default; a value without a port is a path.
    static std::vector<ServerAddress> places(const Setup& setup, const Options& options) {
        std::vector<ServerAddress> out;
        for (const auto& written : options.socket) {
            const bool is_path = written.is_local() || written.port() == 0;
            out.push_back(is_path ? ServerAddress::local(setup.path(written.to_string())) : written);
        }
        return out;
    }

    Response judge(const AuthHook& hook, const Answers& answers) const {
        auto answer = ask(hook, answers);
        if (answer) return std::move(*answer);
        hook.log(LogLevel::error, "error: {}", answer.error().what);
        return denysoft();
    }

    Result<Response> ask(const AuthHook& hook, const Answers& answers) const {
        const std::string mechanism(hook.password() ? "PLAIN" : hook.mechanism());
        const std::string id = std::to_string(++last_id_);
        const auto begin = [&](ClientSocket& dovecot, const ServerAddress&) -> Result<void> {
            const auto sent = send_request(dovecot, hook, mechanism, id,
                                           format_text("VERSION\t1\t1\nCPID\t{}\n", getpid()));
            return sent ? read_greeting(dovecot, mechanism) : sent;
        };
        for (;;) {  // a new connection ends the loop
            auto dovecot = dovecots_.open(answers, hook.deadline(options_.timeout),
                                          {.greeting = begin, .identity = mechanism});
            if (!dovecot) return dovecot.error();
            const auto sent = dovecot->was_reused() ? send_request(dovecot->socket(), hook, mechanism, id, {})
                                                    : Result<void>();
            auto verdict = sent ? read_verdict(dovecot->socket(), hook, id) : Result<Judgement>(sent.error());
            if (verdict) {
                std::move(*dovecot).keep();
                if (verdict->is_temporary)
                    return Error{ErrorCode::unavailable, "Dovecot reports a temporary failure", 0};
                return std::move(verdict->answer);
            }
            // Not reported as a failure of Dovecot: the client may have caused it.
            if (!dovecot->was_reused() || verdict.error().code == ErrorCode::timeout) return verdict.error();
        }
    }

    static Result<void> read_greeting(ClientSocket& dovecot, const std::string& mechanism) {
        bool knows_version = false, has_mechanism = false;
        for (;;) {
            const auto line = dovecot.receive_line(longest_line);
            if (!line) return line.error();
            const auto words = words_of(*line);
            if (words[0] == "VERSION" && words.size() >= 3) knows_version = words[1] == "1";
            else if (words[0] == "MECH" && words.size() >= 2) has_mechanism |= words[1] == mechanism;
            else if (words[0] == "DONE") break;
            else if (words[0] != "SPID" && words[0] != "CUID" && words[0] != "COOKIE")
                return Error{ErrorCode::unavailable, "Dovecot sent a line that is not part of its protocol", 0};
        }
        if (!knows_version) return Error{ErrorCode::unavailable, "the version of Dovecot's auth protocol is not 1", 0};
        if (!has_mechanism)
            return Error{ErrorCode::unavailable, format_text("Dovecot does not offer {}", mechanism), 0};
        return {};
    }

    /// Sends our greeting (on a new connection) and the question at once: Dovecot does not require a wait between them.
    Result<void> send_request(ClientSocket& dovecot, const AuthHook& hook, const std::string& mechanism,
                              const std::string& id, std::string_view greeting) const {
        const Connection& client = hook.connection;
        std::string line = format_text("{}AUTH\t{}\t{}\tservice={}\trip={}\trport={}\tlip={}\tlport={}", greeting, id,
                                       mechanism, options_.service, client.address(), client.port(),
                                       client.local().address, client.local().port);
        if (client.is_tls()) line += "\tsecured";
        std::string response = client_response(hook);
        std::string encoded = base64(response);
        std::string whole = secret_text({line, "\tresp=", encoded, "\n"});
        const auto sent = dovecot.send(whole);
        for (auto* const secret : {&response, &encoded, &whole}) wipe(*secret);
        return sent;
    }

    /// The client's initial response, or the one that it would have sent with PLAIN.
    static std::string client_response(const AuthHook& hook) {
        constexpr std::string_view nul("\0", 1);
        if (const Secret* const password = hook.password())
            return secret_text({nul, hook.user(), nul, password->reveal()});
        const std::string& token = hook.credentials.token().reveal();
        if (hook.mechanism() == "XOAUTH2") return secret_text({"user=", hook.user(), "\1auth=Bearer ", token, "\1\1"});
        std::string name;  // as RFC 5801 4 writes it
        for (const char c : hook.user()) name += c == '=' ? "=3D" : c == ',' ? "=2C" : std::string(1, c);
        return secret_text({name.empty() ? "n," : "n,a=", name, ",\1auth=Bearer ", token, "\1\1"});
    }

    struct Judgement {
        Response answer;
        bool is_temporary = false;
    };

    static Result<Judgement> read_verdict(ClientSocket& dovecot, const AuthHook& hook, const std::string& id) {
        for (;;) {
            const auto line = dovecot.receive_line(longest_line);
            if (!line) return line.error();
            const auto words = words_of(*line);
            if (words.size() < 2 || words[1] != id)
                return Error{ErrorCode::unavailable, "Dovecot sent an unexpected answer", 0};
            if (words[0] == "OK") return accepted(words, hook);
            if (words[0] == "FAIL") {
                // Dovecot 2.2 and older send the first word.
                const bool is_temporary = std::any_of(words.begin(), words.end(), [](const std::string& word) {
                    return word == "temp" || word == "code=temp_fail";
                });
                return Judgement{deny(), is_temporary};
            }
            if (words[0] != "CONT" || hook.password())
                return Error{ErrorCode::unavailable, "Dovecot sent a line that is not part of its protocol", 0};
            (void)dovecot.send(format_text("CONT\t{}\t\n", id));  // this line gave the reason for refusing the token;
                                                                  // FAIL follows
        }
    }

    static Judgement accepted(const std::vector<std::string>& words, const AuthHook& hook) {
        constexpr std::string_view key = "user=";
        for (const auto& word : words)
            if (word.starts_with(key)) hook.set_login(word.substr(key.size()));
        return {ok()};
    }

    const Options options_;
    const Backend dovecots_;
    mutable std::atomic<std::uint32_t> last_id_ = 0;  ///< no number is used twice on a connection
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("auth/auth_dovecot", smtpd::plugins::AuthDovecot);
