/// auth/auth_checkpassword: check passwords with a program that has the checkpassword interface.
///
/// A checkpassword program (vchkpw, checkpassword-pam and others) reads the user's name and password from descriptor 3.
/// If they are right, it runs another program. `checkpw` is the path of the first program, `true` the path of the
/// second:
///
///     SmtpPlugin auth/auth_checkpassword checkpw=/usr/local/vpopmail/bin/vchkpw true=/bin/true
///
/// You can also write both paths in the control file `smtpauth-checkpassword`: `/usr/local/vpopmail/bin/vchkpw
/// /bin/true`.
///
/// The plugin starts the programs directly, without a shell. Their environment has only `PATH` and `TCPREMOTEIP` (the
/// client's address). If the program must run as another user, `sudo` is the path of sudo and `sudo_user` the user.
/// sudo must permit this without a password, and must permit `closefrom_override`, for descriptor 3.
///
/// ## Exit status
///
/// If the program exits with 0, the password is right. If it exits with 1, the password is wrong, and the next plugin
/// decides. Any other status, especially 111, is an error, and the reply is 454 4.7.0. A program that takes longer than
/// `timeout` is an error too, and the plugin kills it. The thread waits for the program.
///
/// ## Differences from qpsmtpd
///
/// The plugin reads the programs' paths when the server starts, not at the first connection. Errors give 454, not 535.
/// No shell interprets a command line. The plugin uses sudo only if you configure it.
#include <smtpd/backend/program.h>
#include <smtpd/base/secret_text.h>
#include <smtpd/plugin.h>

#include <algorithm>

#include <unistd.h>

namespace smtpd::plugins {

class AuthCheckpassword final : public Plugin {
public:
    static constexpr bool reads_body = false;
    static constexpr bool waits_for_backend = true;

    struct Options {
        std::string checkpw, true_program, sudo, sudo_user;
        Duration timeout = std::chrono::seconds(10);
        static OptionTable table() {
            return {
                option(
                    "checkpw", &Options::checkpw,
                    "the path of the program; by default the first word in the control file `smtpauth-checkpassword`"),
                option("true", &Options::true_program,
                       "the path of the program that checkpw runs if the password is right; by default the second word "
                       "in that file"),
                option("sudo", &Options::sudo, "the path of sudo, to run checkpw as another user"),
                option("sudo_user", &Options::sudo_user, "the user for sudo; by default root"),
                option("timeout", &Options::timeout, "how long the program may run").range("100ms", "50s")};
        }
    };

    AuthCheckpassword(Setup& setup, const Options& options) : options_(options) {
        std::string checkpw = options.checkpw, then = options.true_program;
        if (checkpw.empty()) {
            const auto line = setup.control().first_line("smtpauth-checkpassword").value_or("");
            const auto blank = std::min(line.find_first_of(" \t"), line.size());
            checkpw = line.substr(0, blank);
            if (then.empty()) then = line.substr(std::min(line.find_first_not_of(" \t", blank), line.size()));
        }
        for (const auto& [name, path] : {std::pair{"checkpw", checkpw}, {"true", then}})
            if (!path.starts_with('/') || access(path.c_str(), X_OK) != 0)
                setup.error("{}: \"{}\" is not the path of a program that can be run", name, path);
        if (!options.sudo.empty() && access(options.sudo.c_str(), X_OK) != 0)
            setup.error("sudo: \"{}\" is not the path of a program that can be run", options.sudo);
        if (options.sudo.empty() && !options.sudo_user.empty()) setup.error("sudo_user needs sudo");
        if (!options.sudo.empty()) command_ = {options.sudo, "-n", "-C4"};
        if (!options.sudo_user.empty()) command_.insert(command_.end(), {"-u", options.sudo_user});
        command_.insert(command_.end(), {checkpw, then});
        setup.hooks.auth_plain.add([this](const AuthHook& hook) { return judge(hook); });
        setup.hooks.auth_login.add([this](const AuthHook& hook) { return judge(hook); });
    }

private:
    Response judge(const AuthHook& hook) const {
        const auto status = run(hook);
        if (status && *status == 0) return ok();
        if (status && *status == 1) return declined();
        hook.log(LogLevel::error, "error: {}",
                 status ? format_text("{} exited with {}", command_.back(), *status) : status.error().what);
        return denysoft();
    }

    Result<int> run(const AuthHook& hook) const {
        const auto deadline = std::chrono::steady_clock::now() + std::min(options_.timeout, hook.time_left());
        constexpr std::string_view nul("\0", 1);
        std::string words = secret_text({hook.user(), nul, hook.password()->reveal(), nul, "Y123456", nul});
        // checkpassword reads at most 512 bytes, which always fit into a pipe
        const bool fits = words.size() <= 512;
        auto pipe = make_pipe();
        const auto written = pipe && fits ? write_all(pipe->second.get(), words) : Result<void>();
        wipe(words);
        if (!pipe) return pipe.error();
        if (!fits) return 1;
        if (!written) return written.error();
        pipe->second.close();
        const std::vector<std::string> environment{"PATH=/usr/local/bin:/usr/bin:/bin",
                                                   "TCPREMOTEIP=" + hook.connection.address().to_string()};
        auto program = Program::start(
            {.words = command_, .environment = environment, .descriptors = {{pipe->first.get(), password_descriptor}}});
        if (!program) return program.error();
        return program->wait_until(deadline);
    }

    static constexpr int password_descriptor = 3;
    const Options options_;
    std::vector<std::string> command_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("auth/auth_checkpassword", smtpd::plugins::AuthCheckpassword);
