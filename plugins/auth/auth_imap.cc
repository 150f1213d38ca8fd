/// auth/auth_imap: passwords as an IMAP server checks them.
///
/// Logs in to an IMAP server with the client's name and password (RFC 3501), and out again: who can read his mail may send mail.
///
///     SmtpPlugin auth/auth_imap localhost
///     SmtpPlugin auth/auth_imap /run/imap.sock
///
/// The server is on this machine, at a loopback address or a local socket, because the password goes to it without TLS; to an IMAP server that is elsewhere, stunnel
/// or a proxy of Dovecot's leads. For a Dovecot on this machine auth/auth_dovecot is the shorter way: it knows the client's address and can tell trouble from a wrong password.
///
/// It wants the password itself, so PLAIN and LOGIN are offered. Most IMAP servers hold a refusal back for some seconds, during which this thread waits: `timeout` has
/// to be longer.
///
/// ## When the server cannot say
///
/// A server that is down, slow (`timeout`), does not take passwords (LOGINDISABLED) or speaks something else is 454 4.7.0. So is a `NO` that says it is no refusal: with
/// UNAVAILABLE, SERVERBUG, LIMIT, INUSE, PRIVACYREQUIRED or CONTACTADMIN (RFC 5530).
///
/// ## Replies
///
/// `535 5.7.8 Authentication failed`; `454 4.7.0`.
///
/// ## Differences from qpsmtpd
///
/// Names and passwords with blanks, quotes or letters beyond ASCII are sent as they are. A server that is down is 454 instead of 535. One that is not on this machine is
/// an error of configtest; there, passwords were sent to it in the clear.
#include <smtpd/client_socket.h>
#include <smtpd/plugin.h>
#include <smtpd/text.h>

#include <algorithm>
#include <optional>

namespace smtpd::plugins {
namespace {

constexpr std::size_t longest_line = 8192;
constexpr unsigned most_lines = 100;  ///< that are no answer to us, before one

Error nonsense(std::string_view what) { return Error{ErrorCode::unavailable, format_text("the IMAP server {}", what), 0}; }

/// Whether it can stand between quotes (RFC 3501 4.3).
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

/// "AUTHENTICATIONFAILED" of "a NO [AUTHENTICATIONFAILED] no", or "".
std::string_view response_code(std::string_view line) {
    const auto from = line.find('[');
    const auto to = line.find_first_of("] ", from == line.npos ? 0 : from);
    return from == line.npos || to == line.npos ? std::string_view() : line.substr(from + 1, to - from - 1);
}

/// Whether a NO with this code is about the server, and not about the password.
bool is_trouble(std::string_view code) {
    constexpr std::string_view codes[] = {"UNAVAILABLE", "SERVERBUG", "LIMIT", "INUSE", "PRIVACYREQUIRED", "CONTACTADMIN"};
    return std::any_of(std::begin(codes), std::end(codes), [&](std::string_view known) { return ascii_equal(known, code); });
}

bool starts_with(std::string_view line, std::string_view start) { return ascii_equal(line.substr(0, start.size()), start); }

/// One login.
class Imap {
public:
    explicit Imap(ClientSocket& socket) : socket_(socket) {}

    Result<void> greeting() {
        const auto line = socket_.receive_line(longest_line);
        if (!line) return line.error();
        if (!starts_with(*line, "* OK")) return nonsense("does not greet with OK");
        if (ascii_lower(*line).find("logindisabled") != std::string::npos) return nonsense("takes no passwords here (LOGINDISABLED)");
        return {};
    }

    /// Whether the password is right.
    Result<bool> login(const std::string& user, const std::string& password) {
        std::string command;
        command.reserve(64 + 2 * (user.size() + password.size()));  // so that no copy of the password stays behind
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
        if (const auto code = response_code(*line); is_trouble(code)) return nonsense(format_text("cannot say now: {}", quoted(code)));
        return false;
    }

private:
    /// A string, for which the server has to say that it is ready where it is a literal.
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
        if (!line->starts_with('+')) return nonsense("takes no literals");
        command.assign(text);
        return {};
    }

    /// The next line for us.
    Result<std::string> answer() {
        for (unsigned i = 0; i < most_lines; ++i) {
            auto line = socket_.receive_line(longest_line);
            if (!line || !line->starts_with('*')) return line;
            if (starts_with(*line, "* BYE")) return nonsense("says BYE");
        }
        return nonsense("says much, and does not answer");
    }

    ClientSocket& socket_;
};

}  // namespace

class AuthImap final : public Plugin {
public:
    static constexpr bool reads_body = false;

    struct Options {
        std::string host;
        unsigned port = 143;
        Duration timeout = std::chrono::seconds(20);
        static OptionTable table() {
            return {option("host", &Options::host, "the IMAP server: an address of this machine, `localhost`, or the path of a local socket").positional(0).required(),
                    option("port", &Options::port, "its port").range("1", "65535").positional(1),
                    option("timeout", &Options::timeout, "how long it may take").range("100ms", "50s")};
        }
    };

    AuthImap(Setup& setup, const Options& options) : options_(options) {
        if (options.host.starts_with('/')) {
            path_ = options.host;
        } else {
            address_ = IpAddress::parse(options.host == "localhost" ? "127.0.0.1" : options.host);
            if (!address_) setup.error("host: \"{}\" is neither an address nor a path", quoted(options.host));
            else if (!address_->is_loopback()) setup.error("host: {} is not on this machine, and passwords would go there without TLS", *address_);
        }
        setup.hooks.auth_plain.add([this](const AuthHook& hook) { return judge(hook); });
        setup.hooks.auth_login.add([this](const AuthHook& hook) { return judge(hook); });
    }

private:
    Answer judge(const AuthHook& hook) const {
        const auto is_good = ask(hook);
        if (is_good) return *is_good ? ok() : deny();
        hook.log(LogLevel::error, "error: {}", is_good.error().what);
        return denysoft();
    }

    Result<bool> ask(const AuthHook& hook) const {
        const Duration time = std::min(options_.timeout, hook.time_left());
        auto socket = address_ ? ClientSocket::connect_tcp(*address_, static_cast<std::uint16_t>(options_.port), time) : ClientSocket::connect_local(path_, time);
        if (!socket) return socket.error();
        Imap imap(*socket);
        if (auto ready = imap.greeting(); !ready) return ready.error();
        return imap.login(hook.user(), hook.password()->reveal());
    }

    const Options options_;
    std::string path_;
    std::optional<IpAddress> address_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("auth/auth_imap", smtpd::plugins::AuthImap);
