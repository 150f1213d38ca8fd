/// quit_fortune: say goodbye with a fortune cookie.
///
/// When a client that said HELO (not EHLO) says QUIT, the reply is the output of the program fortune. People at a keyboard say HELO;
/// software that could stumble over a long reply says EHLO.
///
/// The program is run as `<program> -s`, without a shell, with empty input and an environment of its own. It has a second; what it has
/// not said by then is not waited for, and it is ended. It blocks one thread meanwhile. If it cannot be run, or says nothing, the reply is
/// the usual one.
///
/// ## Replies
///
/// 221 with the fortune, one line for each of its lines, at most 2 KB.
#include <smtpd/files.h>
#include <smtpd/plugin.h>

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace smtpd::plugins {
namespace {

constexpr std::size_t longest_fortune = 2048;

/// A program that is running, its output to be read; ended and reaped with its owner.
class Program {
public:
    explicit Program(const std::string& path) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) return;
        output_ = FileDescriptor(ends[0]);
        const FileDescriptor input(ends[1]);

        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, input.get(), STDOUT_FILENO);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        // The server's threads block and ignore signals; a program of its own must not.
        posix_spawnattr_t attributes;
        posix_spawnattr_init(&attributes);
        sigset_t none, defaults;
        sigemptyset(&none);
        sigemptyset(&defaults);
        sigaddset(&defaults, SIGPIPE);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &defaults);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

        char* const arguments[] = {const_cast<char*>(path.c_str()), const_cast<char*>("-s"), nullptr};
        char* const environment[] = {const_cast<char*>("PATH=/usr/games:/usr/local/bin:/usr/bin:/bin"), const_cast<char*>("LC_ALL=C"), nullptr};
        if (posix_spawn(&process_, path.c_str(), &actions, &attributes, arguments, environment) != 0) process_ = -1;
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
    }
    ~Program() {
        if (process_ <= 0) return;
        kill(process_, SIGKILL);
        while (waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {}
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    /// What it writes until it ends; nothing when it takes longer than `limit` or could not be run.
    std::string output(Duration limit) {
        std::string text;
        char buffer[512];
        for (const auto deadline = std::chrono::steady_clock::now() + limit; process_ > 0;) {
            const auto left = std::chrono::ceil<Duration>(deadline - std::chrono::steady_clock::now()).count();
            pollfd wait{output_.get(), POLLIN, 0};
            if (left <= 0 || poll(&wait, 1, static_cast<int>(left)) == 0) return {};
            const ssize_t got = read(output_.get(), buffer, sizeof buffer);
            if (got == 0) return text;
            if (got < 0 && errno != EINTR) return {};
            if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
            if (text.size() > longest_fortune) return text.substr(0, longest_fortune);
        }
        return {};
    }

private:
    FileDescriptor output_;
    pid_t process_ = -1;
};

}  // namespace

class QuitFortune final : public Plugin {
public:
    struct Options {
        std::string program = "/usr/games/fortune";
        Duration timeout = std::chrono::seconds(1);

        static OptionTable table() {
            return {option("program", &Options::program, "what is run"),
                    option("timeout", &Options::timeout, "how long it may take").range("10ms", "10s")};
        }
    };

    QuitFortune(Setup& setup, const Options& options) : program_(setup.path(options.program)), timeout_(options.timeout) {
        if (access(program_.c_str(), X_OK) != 0) setup.warning("{} cannot be run; clients get the usual goodbye", program_);
        setup.hooks.quit.add([this](const QuitHook& hook) { return answer(hook); });
    }

private:
    Answer answer(const QuitHook& hook) const {
        if (hook.connection.greeted() != Greeted::helo) return declined();
        const auto text = printable(Program(program_).output(timeout_));
        if (text.empty()) return declined();
        return {Verdict::ok, text};
    }

    /// Tabs as blanks, everything outside ASCII as '?', no line ends at the end.
    static std::string printable(std::string text) {
        while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
        for (char& c : text)
            if (c != '\n' && (c < ' ' || c > '~')) c = c == '\t' ? ' ' : '?';
        return text;
    }

    const std::string program_;
    const Duration timeout_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("quit_fortune", smtpd::plugins::QuitFortune);
