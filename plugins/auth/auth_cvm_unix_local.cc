/// auth/auth_cvm_unix_local: check passwords with a credential validation module (CVM), over its local socket.
///
///     SmtpPlugin auth/auth_cvm_unix_local cvm_socket=/var/lib/cvm/cvm-unix-local.socket
///
/// The module needs the password itself, so the server offers PLAIN and LOGIN. The plugin looks up `joe@example.com` as
/// the user `joe` of `example.com`, and a name without a domain as a user of `localhost`. With `enable_smtp no` the
/// plugin leaves clients of ports 25 and 587 to the next plugin; with `enable_ssmtp no`, clients of port 465.
///
/// The module's answer decides: 0 means that the credentials are right, 100 that they are wrong (535 5.7.8). After any
/// other answer, or if the module is down or slow (`timeout`), the reply is 454 4.7.0.
///
/// ## Differences from qpsmtpd
///
/// A module that cannot decide gives 454; in qpsmtpd it gives 535, or the next plugin decides. `enable_smtp` is on
/// unless you switch it off.
#include <smtpd/backend/client_socket.h>
#include <smtpd/base/secret_text.h>
#include <smtpd/plugin.h>

#include <algorithm>

namespace smtpd::plugins {

class AuthCvmUnixLocal final : public Plugin {
public:
    static constexpr bool reads_body = false;
    static constexpr bool waits_for_backend = true;

    struct Options {
        std::string cvm_socket;
        Duration timeout = std::chrono::seconds(10);
        bool enable_smtp = true;
        bool enable_ssmtp = true;
        static OptionTable table() {
            return {option("cvm_socket", &Options::cvm_socket, "the path of the module's socket").required(),
                    option("timeout", &Options::timeout, "how long to wait for the module").range("100ms", "50s"),
                    option("enable_smtp", &Options::enable_smtp, "whether to check clients of ports 25 and 587"),
                    option("enable_ssmtp", &Options::enable_ssmtp, "whether to check clients of port 465")};
        }
    };

    AuthCvmUnixLocal(Setup& setup, const Options& options) : options_(options), path_(setup.path(options.cvm_socket)) {
        setup.hooks.auth_plain.add([this](const AuthHook& hook) { return judge(hook); });
        setup.hooks.auth_login.add([this](const AuthHook& hook) { return judge(hook); });
    }

private:
    enum Reply : unsigned char { accepted = 0, rejected = 100 };

    bool is_enabled_at(std::uint16_t port) const {
        if (port == 465) return options_.enable_ssmtp;
        return options_.enable_smtp || (port != 25 && port != 587);
    }

    Response judge(const AuthHook& hook) const {
        if (!is_enabled_at(hook.connection.local().port)) return declined();
        const auto reply = ask(hook);
        if (reply && *reply == accepted) return ok();
        if (reply && *reply == rejected) return deny();
        hook.log(LogLevel::error, "error: {}",
                 reply ? format_text("the module answered {}", static_cast<unsigned>(*reply)) : reply.error().what);
        return denysoft();
    }

    Result<unsigned char> ask(const AuthHook& hook) const {
        auto module = ClientSocket::connect_local(path_, std::min(options_.timeout, hook.time_left()));
        if (!module) return module.error();
        const auto at = hook.user().rfind('@');
        const std::string domain = at == std::string::npos ? "localhost" : hook.user().substr(at + 1);
        constexpr std::string_view nul("\0", 1);
        std::string request = secret_text(
            {"\1", std::string_view(hook.user()).substr(0, at), nul, domain, nul, hook.password()->reveal(), nul, nul});
        const auto sent = module->send(request);
        wipe(request);
        if (!sent) return sent.error();
        if (auto finished = module->finish_sending(); !finished) return finished.error();
        const auto first = module->receive(1);
        if (!first) return first.error();
        return static_cast<unsigned char>(first->front());
    }

    const Options options_;
    const std::string path_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("auth/auth_cvm_unix_local", smtpd::plugins::AuthCvmUnixLocal);
