/// auth/auth_vpopmaild: passwords as vpopmaild checks them.
///
/// vpopmaild is the daemon of vpopmail: mail domains with users that are in no system's list. It is asked over TCP:
///
///     SmtpPlugin auth/auth_vpopmaild host=127.0.0.1 port=89
///
/// It wants the password itself, so PLAIN and LOGIN are offered. What travels to it is not encrypted: it should be on this machine, or on a network of its own. Names
/// and passwords with blanks cannot be said in its protocol, and are refused without asking it.
///
/// A daemon that is down, slow (`timeout`) or says something else is 454 4.7.0. The thread waits for it.
///
/// ## Differences from qpsmtpd
///
/// The login is sent once, a line that a name or password would break is never sent, and a daemon that is down is 454 instead of 535. `host` is an address.
#include <smtpd/client_socket.h>
#include <smtpd/plugin.h>
#include <smtpd/secret_text.h>

#include <algorithm>

namespace smtpd::plugins {

class AuthVpopmaild final : public Plugin {
public:
    static constexpr bool reads_body = false;

    struct Options {
        std::string host = "127.0.0.1";
        unsigned port = 89;
        Duration timeout = std::chrono::seconds(10);
        static OptionTable table() {
            return {option("host", &Options::host, "the daemon's address; also `localhost`"), option("port", &Options::port, "its port").range("1", "65535"),
                    option("timeout", &Options::timeout, "how long it may take").range("100ms", "50s")};
        }
    };

    AuthVpopmaild(Setup& setup, const Options& options) : options_(options), address_(IpAddress::parse(options.host == "localhost" ? "127.0.0.1" : options.host)) {
        if (!address_) setup.error("host: \"{}\" is no address", quoted(options.host));
        setup.hooks.auth_plain.add([this](const AuthHook& hook) { return judge(hook); });
        setup.hooks.auth_login.add([this](const AuthHook& hook) { return judge(hook); });
    }

private:
    Answer judge(const AuthHook& hook) const {
        const auto has_blank = [](const std::string& word) { return word.find_first_of(" \t\r\n") != std::string::npos; };
        if (has_blank(hook.user()) || has_blank(hook.password()->reveal())) return declined();
        const auto is_good = ask(hook);
        if (!is_good) {
            hook.log(LogLevel::error, "error: {}", is_good.error().what);
            return denysoft();
        }
        return *is_good ? ok() : declined();
    }

    Result<bool> ask(const AuthHook& hook) const {
        auto daemon = ClientSocket::connect_tcp(*address_, static_cast<std::uint16_t>(options_.port), std::min(options_.timeout, hook.time_left()));
        if (!daemon) return daemon.error();
        std::string line = secret_text({"login ", hook.user(), " ", hook.password()->reveal(), "\n\r"});
        const auto sent = daemon->send(line);
        wipe(line);
        if (!sent) return sent.error();
        const auto greeting = daemon->receive_line(longest_line);
        if (!greeting) return greeting.error();
        if (!greeting->starts_with("+OK")) return Error{ErrorCode::unavailable, "vpopmaild does not greet", 0};
        const auto reply = daemon->receive_line(longest_line);
        if (!reply) return reply.error();
        if (reply->starts_with("+OK")) return true;
        if (reply->starts_with("-ERR")) return false;
        return Error{ErrorCode::unavailable, "vpopmaild says what is not its protocol", 0};
    }

    static constexpr std::size_t longest_line = 4096;
    const Options options_;
    const std::optional<IpAddress> address_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("auth/auth_vpopmaild", smtpd::plugins::AuthVpopmaild);
