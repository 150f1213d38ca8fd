/// auth/auth_imap: check passwords with an IMAP server.
///
/// The plugin logs in to an IMAP server with the client's name and password (RFC 3501), and logs out again. A user who
/// can read mail there can send mail here.
///
///     SmtpPlugin auth/auth_imap localhost
///     SmtpPlugin auth/auth_imap /run/imap.sock
///     SmtpPlugin auth/auth_imap imap.example.com tls=imaps
///     SmtpPlugin auth/auth_imap host=imap1.example.com host=imap2.example.com:1993 tls=imaps balance=round-robin
///
/// With several servers, the plugin asks the first server that it can reach, or each in turn (`balance`). The plugin
/// has reached a server when the server has accepted the connection, begun TLS and greeted.
///
/// For a Dovecot on this machine, auth/auth_dovecot is better: it tells Dovecot the client's address, and can
/// distinguish an error from a wrong password.
///
/// ## TLS
///
/// With `tls=imaps` the connection is encrypted from the start (port 993). With `tls=starttls` the plugin begins TLS
/// before it sends a name or password (port 143, RFC 2595). Without `tls`, the server must be on this machine, at a
/// loopback address or a local socket.
///
/// The server must show a certificate for its name or address as written in `host`. The certificate must be from an
/// authority in `ca_file`, or from an authority that the system trusts. `ca_file` may also contain the server's own
/// certificate. The plugin looks up a name in `/etc/hosts`, which it reads when httpd starts, and in the DNS
/// (`SmtpResolver`). It tries IPv4 first.
///
/// ## Mechanisms
///
/// The IMAP server needs the password itself, so the server offers PLAIN and LOGIN. Most IMAP servers delay a refusal
/// for some seconds, during which the thread waits: `timeout` must be longer than that.
///
/// ## When the server fails
///
/// The reply is 454 4.7.0 if the IMAP server
///
/// - is down or slow (`timeout`);
/// - has a name that the DNS cannot resolve;
/// - does not begin TLS or has no valid certificate;
/// - does not accept passwords (LOGINDISABLED) or gives an unexpected answer;
/// - says `NO` for a reason other than a wrong password: with UNAVAILABLE, SERVERBUG, LIMIT, INUSE, PRIVACYREQUIRED or
///   CONTACTADMIN (RFC 5530).
///
/// If the plugin cannot reach a server three times in a row, it does not ask that server for five seconds. That time
/// grows with further failures, to at most five minutes.
///
/// ## Replies
///
/// `535 5.7.8 Authentication failed`; `454 4.7.0`.
///
/// ## Differences from qpsmtpd
///
/// The plugin sends names and passwords with blanks, quotes or non-ASCII letters unchanged. A server that is down gives
/// 454 instead of 535. A server on another machine needs `tls`; qpsmtpd sends passwords to it in the clear.
#include <smtpd/backend/backend.h>
#include <smtpd/base/text.h>
#include <smtpd/plugin.h>

#include <algorithm>
#include <functional>
#include <optional>

namespace smtpd::plugins {
namespace {

constexpr std::size_t longest_line = 8192;
constexpr unsigned most_lines = 100;  ///< the most lines before the answer to our command

Error nonsense(std::string_view what) {
    return Error{ErrorCode::unavailable, format_text("the IMAP server {}", what), 0};
}

/// Whether the text can be a quoted string (RFC 3501 4.3).
bool is_quotable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

std::string in_quotes(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

/// The code in a reply: "AUTHENTICATIONFAILED" in "a NO [AUTHENTICATIONFAILED] no", or "".
std::string_view response_code(std::string_view line) {
    const auto from = line.find('[');
    const auto to = line.find_first_of("] ", from == line.npos ? 0 : from);
    return from == line.npos || to == line.npos ? std::string_view() : line.substr(from + 1, to - from - 1);
}

/// Whether a NO with this code is about the server, and not about the password.
bool is_trouble(std::string_view code) {
    constexpr std::string_view codes[] = {"UNAVAILABLE", "SERVERBUG",       "LIMIT",
                                          "INUSE",       "PRIVACYREQUIRED", "CONTACTADMIN"};
    return std::any_of(std::begin(codes), std::end(codes),
                       [&](std::string_view known) { return ascii_equal(known, code); });
}

bool starts_with(std::string_view line, std::string_view start) {
    return ascii_equal(line.substr(0, start.size()), start);
}

/// One login.
class Imap {
public:
    explicit Imap(ClientSocket& socket) : socket_(socket) {}

    /// `is_final`: the next command sends the password.
    Result<void> greeting(bool is_final) {
        const auto line = socket_.receive_line(longest_line);
        if (!line) return line.error();
        if (!starts_with(*line, "* OK")) return nonsense("does not greet with OK");
        return is_final ? look_for_refusal(*line) : Result<void>();
    }

    /// Capabilities from before TLS do not count after it, so the client must ask for them again (RFC 2595 3).
    Result<void> start_tls(const TlsTrust& trust, const std::string& name) {
        if (auto sent = socket_.send("s STARTTLS\r\n"); !sent) return sent;
        const auto line = answer();
        if (!line) return line.error();
        if (!starts_with(*line, "s OK")) return nonsense("does not begin TLS");
        if (auto begun = socket_.start_tls(trust, name); !begun) return begun;
        if (auto sent = socket_.send("c CAPABILITY\r\n"); !sent) return sent;
        Result<void> taken;
        const auto done = answer([&](const std::string& said) {
            if (taken) taken = look_for_refusal(said);
        });
        if (!done) return done.error();
        return starts_with(*done, "c OK") ? taken : nonsense("does not understand CAPABILITY");
    }

    /// Whether the password is right.
    Result<bool> login(const std::string& user, const std::string& password) {
        std::string command;
        command.reserve(64 + 2 * (user.size() + password.size()));  // so that no copy of the password is left in memory
        command = "a LOGIN";
        for (const auto* const text : {&user, &password})
            if (auto added = add(command, *text); !added) {
                wipe(command);
                return added.error();
            }
        const auto sent = socket_.send(command.append("\r\n"));
        wipe(command);
        if (!sent) return sent.error();
        const auto line = answer();
        if (!line) return line.error();
        if (starts_with(*line, "a OK")) {
            (void)socket_.send("b LOGOUT\r\n");
            return true;
        }
        if (!starts_with(*line, "a NO")) return nonsense("does not understand LOGIN");
        if (const auto code = response_code(*line); is_trouble(code))
            return nonsense(format_text("cannot check the password: {}", quoted(code)));
        return false;
    }

private:
    /// Sends a string. If it is a literal, the server must first say that it is ready.
    Result<void> add(std::string& command, const std::string& text) {
        if (is_quotable(text)) {
            std::string word = in_quotes(text);
            command.append(" ").append(word);
            wipe(word);
            return {};
        }
        const auto sent = socket_.send(format_text("{} {{}}\r\n", command, text.size()));
        if (!sent) return sent.error();
        const auto line = answer();
        if (!line) return line.error();
        if (!line->starts_with('+')) return nonsense("does not accept literals");
        command.assign(text);
        return {};
    }

    static Result<void> look_for_refusal(std::string_view capabilities) {
        if (ascii_lower(capabilities).find("logindisabled") == std::string::npos) return {};
        return nonsense("does not accept passwords (LOGINDISABLED)");
    }

    /// The next line that answers our command; `other` gets the lines before it.
    Result<std::string> answer(const std::function<void(const std::string&)>& other = {}) {
        for (unsigned i = 0; i < most_lines; ++i) {
            auto line = socket_.receive_line(longest_line);
            if (!line || !line->starts_with('*')) return line;
            if (starts_with(*line, "* BYE")) return nonsense("closes the connection (BYE)");
            if (other) other(*line);
        }
        return nonsense("sends too many lines without an answer");
    }

    ClientSocket& socket_;
};

}  // namespace

class AuthImap final : public Plugin {
public:
    static constexpr bool reads_body = false;
    static constexpr bool waits_for_backend = true;

    enum class Security { off, starttls, imaps };

    struct Options {
        std::vector<ServerAddress> host;
        unsigned port = 0;
        Security tls = Security::off;
        std::string ca_file;
        Balance balance = Balance::failover;
        Duration timeout = std::chrono::seconds(20);
        static OptionTable table() {
            return {
                option("host", &Options::host,
                       "the IMAP server: its name or address, `localhost`, or the path of a local socket")
                    .positional(0)
                    .required(),
                option("port", &Options::port, "the port for hosts without one; 0 = 143, or 993 with `tls=imaps`")
                    .range("0", "65535")
                    .positional(1),
                option("tls", &Options::tls, "how to encrypt the connection")
                    .choices({{"off", Security::off}, {"starttls", Security::starttls}, {"imaps", Security::imaps}}),
                option("ca_file", &Options::ca_file, "the certificates of the authorities that you trust"),
                option("balance", &Options::balance, "which of several servers to ask").choices(balance_words()),
                option("timeout", &Options::timeout, "how long a login may take").range("100ms", "50s")};
        }
    };

    AuthImap(Setup& setup, const Options& options)
        : timeout_(options.timeout),
          tls_(options.tls),
          trust_(trust(setup, options)),
          servers_(setup.instance(), options.host, settings(options), setup.clock(), setup.log()) {
        for (const auto& host : options.host) check_host(setup, host);
        for (auto* const hook : {&setup.hooks.auth_plain, &setup.hooks.auth_login})
            hook->ask([this](const AuthHook&, Questions& questions) {
                    questions.timeout(timeout_);
                    servers_.ask(questions);
                })
                .add([this](const AuthHook& auth, const Answers& answers) { return judge(auth, answers); });
    }

private:
    static std::optional<TlsTrust> trust(Setup& setup, const Options& options) {
        if (options.tls == Security::off) {
            if (!options.ca_file.empty())
                setup.error("ca_file needs tls=starttls or tls=imaps: without TLS, the server shows no certificate");
            return {};
        }
        const auto loaded = TlsTrust::load(options.ca_file.empty() ? std::string() : setup.path(options.ca_file));
        if (loaded) return *loaded;
        setup.error("ca_file: {}", loaded.error().what);
        return {};
    }

    /// Connections are not kept: after LOGIN a connection belongs to that user, and IMAP cannot undo a LOGIN.
    BackendSettings settings(const Options& options) const {
        const bool is_imaps = tls_ == Security::imaps;
        BackendSettings made{.default_port = static_cast<std::uint16_t>(options.port != 0 ? options.port
                                                                        : is_imaps        ? 993
                                                                                          : 143),
                             .balance = options.balance};
        if (is_imaps) made.tls = trust_;
        return made;
    }

    void check_host(Setup& setup, const ServerAddress& host) const {
        const bool has_tls = tls_ != Security::off;
        if (host.is_local() && has_tls)
            setup.error("tls: {} is a local socket: it needs no TLS, and no certificate can name it", host);
        if (!has_tls && !host.is_on_this_machine())
            setup.error(
                "host: {} is not on this machine, and passwords would go there in the clear: set tls=imaps or "
                "tls=starttls",
                host);
    }

    Response judge(const AuthHook& hook, const Answers& answers) const {
        const auto is_good = ask(hook, answers);
        if (is_good) return *is_good ? ok() : deny();
        hook.log(LogLevel::error, "error: {}", is_good.error().what);
        return denysoft();
    }

    Result<bool> ask(const AuthHook& hook, const Answers& answers) const {
        const auto greeting = [this](ClientSocket& socket, const ServerAddress& server) {
            return begin(socket, server);
        };
        auto server = servers_.open(answers, hook.deadline(timeout_), {.greeting = greeting});
        if (!server) return server.error();
        const auto is_good = Imap(server->socket()).login(hook.user(), hook.password()->reveal());
        if (is_good) server->succeeded();  // the client may have caused any other result
        return is_good;
    }

    /// The steps before the password.
    Result<void> begin(ClientSocket& socket, const ServerAddress& server) const {
        Imap imap(socket);
        const bool has_more = tls_ == Security::starttls;
        if (auto ready = imap.greeting(!has_more); !ready) return ready;
        return has_more ? imap.start_tls(*trust_, server.host()) : Result<void>();
    }

    const Duration timeout_;
    const Security tls_;
    const std::optional<TlsTrust> trust_;
    const Backend servers_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("auth/auth_imap", smtpd::plugins::AuthImap);
