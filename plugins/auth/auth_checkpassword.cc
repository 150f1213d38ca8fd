/// auth/auth_checkpassword: passwords as a program with the checkpassword interface sees them.
///
/// Such a program (vchkpw, checkpassword-pam and others) reads the user's name and password from descriptor 3, and runs another program when
/// they are right. It is named with its path, and that other program, `true`, too:
///
///     SmtpPlugin auth/auth_checkpassword checkpw=/usr/local/vpopmail/bin/vchkpw true=/bin/true
///
/// or in the control file `smtpauth-checkpassword`: `/usr/local/vpopmail/bin/vchkpw /bin/true`.
///
/// The programs are started directly, without a shell, with an empty environment but for `PATH` and, if the client's address is wanted, `TCPREMOTEIP`. Where
/// the program has to be another user, `sudo` names sudo's path, and `sudo_user` the user; sudo must permit it without a password and `closefrom_override`,
/// for descriptor 3.
///
/// ## What its end means
///
/// 0 is right; 1 is wrong, and left to the next plugin; anything else, 111 above all, is trouble: 454 4.7.0. So is a program that takes longer than
/// `timeout`, which is killed. The thread waits meanwhile.
///
/// ## Differences from qpsmtpd
///
/// The programs' paths hold for the server, not for the first connection. Trouble is 454 instead of 535. There is no command line for a shell to read. sudo is used only
/// where it is asked for.
#include <smtpd/files.h>
#include <smtpd/plugin.h>
#include <smtpd/secret_text.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace smtpd::plugins {
namespace {

constexpr int password_descriptor = 3;

Error trouble(const std::string& what) { return {ErrorCode::unavailable, what, 0}; }

/// A process that is waited for no longer than until the deadline, and then killed. Never left behind.
class Child {
public:
    /// Starts argv[0], which reads what is written to the descriptor that is returned.
    static Result<Child> start(const std::vector<std::string>& words, const std::vector<std::string>& environment, int input) {
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        for (const int descriptor : {0, 1, 2}) posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", descriptor == 0 ? O_RDONLY : O_WRONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, input, password_descriptor);
        posix_spawn_file_actions_addclosefrom_np(&actions, password_descriptor + 1);
        posix_spawnattr_t attributes;
        posix_spawnattr_init(&attributes);
        sigset_t all, none;
        sigfillset(&all);
        sigemptyset(&none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
        Child child;
        const int status = posix_spawn(&child.pid_, words[0].c_str(), &actions, &attributes, pointers(words).data(), pointers(environment).data());
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        if (status != 0) return os_error("cannot start " + words[0], status);
        child.descriptor_ = FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, child.pid_, 0)));
        if (!child.descriptor_) return os_error("cannot watch " + words[0], errno);
        return child;
    }
    ~Child() {
        if (pid_ <= 0) return;
        kill(pid_, SIGKILL);
        reap();
    }
    Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), descriptor_(std::move(other.descriptor_)) {}
    Child& operator=(Child&&) = delete;

    /// Its exit status; an Error when it was ended by a signal or has not ended by then.
    Result<int> wait_until(std::chrono::steady_clock::time_point deadline) {
        for (;;) {
            const auto left = std::chrono::ceil<Duration>(deadline - std::chrono::steady_clock::now()).count();
            if (left <= 0) return Error{ErrorCode::timeout, "the program did not end in time", 0};
            pollfd wait{descriptor_.get(), POLLIN, 0};
            if (poll(&wait, 1, static_cast<int>(std::min<Duration::rep>(left, 60'000))) > 0) break;
        }
        const int status = reap();
        pid_ = -1;
        if (!WIFEXITED(status)) return trouble(format_text("the program was ended by signal {}", WTERMSIG(status)));
        return WEXITSTATUS(status);
    }

private:
    Child() = default;
    static std::vector<char*> pointers(const std::vector<std::string>& words) {
        std::vector<char*> out;
        for (const auto& word : words) out.push_back(const_cast<char*>(word.c_str()));
        out.push_back(nullptr);
        return out;
    }
    int reap() const {
        int status = 0;
        while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
        return status;
    }

    pid_t pid_ = -1;
    FileDescriptor descriptor_;
};

}  // namespace

class AuthCheckpassword final : public Plugin {
public:
    static constexpr bool reads_body = false;

    struct Options {
        std::string checkpw, true_program, sudo, sudo_user;
        Duration timeout = std::chrono::seconds(10);
        static OptionTable table() {
            return {option("checkpw", &Options::checkpw, "the path of the program; otherwise the first word in the control file `smtpauth-checkpassword`"),
                    option("true", &Options::true_program, "the path of what it runs when the password is right; otherwise the second word there"),
                    option("sudo", &Options::sudo, "the path of sudo, with which it is started; none"),
                    option("sudo_user", &Options::sudo_user, "for sudo: whom to be; root"),
                    option("timeout", &Options::timeout, "how long it may take").range("100ms", "50s")};
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
            if (!path.starts_with('/') || access(path.c_str(), X_OK) != 0) setup.error("{}: \"{}\" is not the path of a program that can be run", name, path);
        if (!options.sudo.empty() && access(options.sudo.c_str(), X_OK) != 0) setup.error("sudo: \"{}\" is not the path of a program that can be run", options.sudo);
        if (options.sudo.empty() && !options.sudo_user.empty()) setup.error("sudo_user needs sudo");
        if (!options.sudo.empty()) command_ = {options.sudo, "-n", "-C4"};
        if (!options.sudo_user.empty()) command_.insert(command_.end(), {"-u", options.sudo_user});
        command_.insert(command_.end(), {checkpw, then});
        setup.hooks.auth_plain.add([this](const AuthHook& hook) { return judge(hook); });
        setup.hooks.auth_login.add([this](const AuthHook& hook) { return judge(hook); });
    }

private:
    Answer judge(const AuthHook& hook) const {
        const auto status = run(hook);
        if (status && *status == 0) return ok();
        if (status && *status == 1) return declined();
        hook.log(LogLevel::error, "error: {}", status ? format_text("{} ended with {}", command_.back(), *status) : status.error().what);
        return denysoft();
    }

    Result<int> run(const AuthHook& hook) const {
        const auto deadline = std::chrono::steady_clock::now() + std::min(options_.timeout, hook.time_left());
        constexpr std::string_view nul("\0", 1);
        std::string words = secret_text({hook.user(), nul, hook.password()->reveal(), nul, "Y123456", nul});
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) return os_error("cannot make a pipe", errno);
        FileDescriptor input(ends[0]), output(ends[1]);
        // checkpassword reads no more than 512 octets, which a pipe always has room for
        const bool fits = words.size() <= 512;
        const auto written = fits ? write_all(output.get(), words) : Result<void>();
        wipe(words);
        if (!fits) return 1;
        if (!written) return written.error();
        output.close();
        auto child = Child::start(command_, {"PATH=/usr/local/bin:/usr/bin:/bin", "TCPREMOTEIP=" + hook.connection.address().to_string()}, input.get());
        if (!child) return child.error();
        return child->wait_until(deadline);
    }

    const Options options_;
    std::vector<std::string> command_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("auth/auth_checkpassword", smtpd::plugins::AuthCheckpassword);
