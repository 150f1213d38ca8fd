/// quit_fortune: say goodbye with a fortune cookie.
///
/// If a client that said HELO (not EHLO) says QUIT, the reply is the output of the program fortune. People who type say
/// HELO; software that a long reply could confuse says EHLO.
///
/// The plugin runs `<program> -s` without a shell, with empty input and a minimal environment. The program may run for
/// `timeout`; after that the plugin kills it and ignores its output. The program blocks one thread while it runs. If
/// the program cannot be run, takes too long or prints nothing, the client gets the usual reply.
///
/// ## Replies
///
/// 221 with the fortune, one reply line for each of its lines, at most 2 KB.
#include <smtpd/backend/program.h>
#include <smtpd/plugin.h>

#include <cerrno>

#include <poll.h>
#include <unistd.h>

namespace smtpd::plugins {
namespace {

constexpr std::size_t longest_fortune = 2048;

/// The output of the program until it ends; nothing if it takes longer than `limit` or cannot be run.
std::string output_of(const std::string& path, Duration limit) {
    auto pipe = make_pipe();
    if (!pipe) return {};
    const auto program = Program::start(
        {.words = {path, "-s"},
         .environment = std::vector<std::string>{"PATH=/usr/games:/usr/local/bin:/usr/bin:/bin", "LC_ALL=C"},
         .descriptors = {{pipe->second.get(), STDOUT_FILENO}}});
    if (!program) return {};
    pipe->second.close();
    std::string text;
    char buffer[512];
    for (const auto deadline = std::chrono::steady_clock::now() + limit;;) {
        const auto left = std::chrono::ceil<Duration>(deadline - std::chrono::steady_clock::now()).count();
        pollfd wait{pipe->first.get(), POLLIN, 0};
        if (left <= 0 || poll(&wait, 1, static_cast<int>(left)) == 0) return {};
        const ssize_t got = read(pipe->first.get(), buffer, sizeof buffer);
        if (got == 0) return text;
        if (got < 0 && errno != EINTR) return {};
        if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
        if (text.size() > longest_fortune) return text.substr(0, longest_fortune);
    }
}

}  // namespace

class QuitFortune final : public Plugin {
public:
    struct Options {
        std::string program = "/usr/games/fortune";
        Duration timeout = std::chrono::seconds(1);

        static OptionTable table() {
            return {option("program", &Options::program, "the program to run"),
                    option("timeout", &Options::timeout, "how long the program may run").range("10ms", "10s")};
        }
    };

    QuitFortune(Setup& setup, const Options& options)
        : program_(setup.path(options.program)), timeout_(options.timeout) {
        if (access(program_.c_str(), X_OK) != 0)
            setup.warning("cannot run {}; clients get the usual goodbye", program_);
        setup.hooks.quit.add([this](const QuitHook& hook) { return respond(hook); });
    }

private:
    Response respond(const QuitHook& hook) const {
        if (hook.connection.greeted() != Greeted::helo) return declined();
        const auto text = printable(output_of(program_, timeout_));
        if (text.empty()) return declined();
        return {Verdict::ok, text};
    }

    /// The text with blanks for tabs, '?' for non-ASCII characters, and without line ends at its end.
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
