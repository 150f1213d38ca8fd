/// logging/file: log lines in a file of their own, or into a program.
///
/// Appends each line up to a level: `<time> <host>[<process>]: [<session>] (<hook>) <plugin>: <text>`. A line is one write, so that those
/// of several processes do not mix. A line that cannot be written goes to the server's own log.
///
/// ## The file
///
/// The name is a pattern for strftime, and `%i` is the id of the session, which makes a file for each. When the name changes, the next line
/// goes to the new file; with `nosplit` a session's lines stay in the file that was right when it began. With `reopen` the file is opened
/// anew for each session, so that it may be moved away at any time; without it, a graceful restart of the server does that. Relative names
/// are relative to the server's root; missing folders are made.
///
///     SmtpPlugin logging/file loglevel=info /var/log/smtpd/%Y-%m-%d
///     SmtpPlugin logging/file loglevel=debug nosplit /var/log/smtpd/sessions/%i
///
/// ## A program
///
/// A name that begins with `|` is a command, run by /bin/sh in each serving process when its first line comes, with the lines as its input.
/// The command comes from the configuration only; nothing is put into it. When it ends it is started again, at most once a second. Where it
/// does not read, a line waits for a second at most.
///
///     SmtpPlugin logging/file "|/usr/bin/multilog t /var/log/smtpd"
///
/// ## Differences from qpsmtpd
///
/// The session's id is known to all of its lines. `tsformat` replaces the time's form, which is that of ctime() without it, as there.
///
/// ## Limits
///
/// Writing to a command relies on the server ignoring SIGPIPE, as httpd does. Of files with `%i`, 100 are held open at a time.
#include <smtpd/plugin.h>
#include <smtpd/program.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace smtpd::plugins {
namespace {

using TimePoint = std::chrono::system_clock::time_point;

constexpr unsigned file_mode = 0640;
constexpr std::size_t most_files = 100;
constexpr std::chrono::seconds patience{1};

/// A command that is running, with a pipe to its input; its end is closed with its owner.
class Command {
public:
    explicit Command(const std::string& command) {
        auto pipe = make_pipe();
        if (!pipe) return;
        auto program = Program::start({.words = {"/bin/sh", "-c", command},
                                       .descriptors = {{pipe->first.get(), STDIN_FILENO}, {STDOUT_FILENO, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}}});
        if (!program) return;
        program_.emplace(std::move(*program));
        input_ = std::move(pipe->second);
        fcntl(input_.get(), F_SETFL, O_NONBLOCK);
    }
    ~Command() {
        input_.close();
        if (program_) program_->let_go();  // it may have work to finish
    }
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;

    enum class Written { yes, no, ended };
    Written write(std::string_view text) {
        while (input_ && !text.empty()) {
            const ssize_t written = ::write(input_.get(), text.data(), text.size());
            if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
            if (written > 0 || errno == EINTR) continue;
            if (errno != EAGAIN) return Written::ended;
            pollfd wait{input_.get(), POLLOUT, 0};
            if (poll(&wait, 1, std::chrono::milliseconds(patience).count()) == 0) return Written::no;
        }
        return input_ ? Written::yes : Written::ended;
    }

private:
    FileDescriptor input_;
    std::optional<Program> program_;
};

}  // namespace

class LogToFile final : public Plugin {
public:
    struct Options {
        LogLevel loglevel = LogLevel::warning;
        bool nosplit = false;
        bool reopen = false;
        std::string tsformat = "%a %b %e %H:%M:%S %Y";
        std::vector<std::string> path;

        static OptionTable table() {
            return {option("loglevel", &Options::loglevel, "the least important level that is written"),
                    option("nosplit", &Options::nosplit, "keep a session's lines in the file in which it began").flag(),
                    option("reopen", &Options::reopen, "open the file anew for each session").flag(),
                    option("tsformat", &Options::tsformat, "form of the time in the lines, a pattern for strftime"),
                    option("path", &Options::path, "the file, a pattern; or | and a command").positional(0).rest().required()};
        }
    };

    LogToFile(Setup& setup, const Options& options)
        : options_(options), clock_(setup.clock()), fallback_(setup.server_log()) {
        std::string path;
        for (const auto& word : options.path) path += (path.empty() ? "" : " ") + word;
        if (path.starts_with('|'))
            command_line_ = path.substr(1);
        else
            pattern_ = setup.path(path);
        if (path.starts_with('|') && (options.nosplit || options.reopen))
            setup.error("\"nosplit\" and \"reopen\" are for files, not for a command");
        names_sessions_ = has_session(pattern_);

        char name[256] = "localhost";
        gethostname(name, sizeof name - 1);
        host_ = name;
        auto& hooks = setup.hooks;
        hooks.logging.add(options.loglevel, [this](const LogLine& line) { write(line); });
        if (options.nosplit || options.reopen)
            hooks.pre_connection.observe(Priority::first, [this](const PreConnectionHook& hook) { begin_session(hook.connection.id()); });
        if (options.nosplit || names_sessions_)
            hooks.post_connection.observe(Priority::last, [this](const PostConnectionHook& hook) { end_session(hook.connection.id()); });
    }

private:
    struct OpenFile {
        FileDescriptor file;
        std::uint64_t last_use = 0;
    };

    /// Whether the pattern has a %i (and not %%i).
    static bool has_session(std::string_view pattern) {
        for (std::size_t i = 0; i + 1 < pattern.size(); ++i)
            if (pattern[i] == '%' && pattern[++i] == 'i') return true;
        return false;
    }

    void write(const LogLine& line) {
        const std::lock_guard lock(mutex_);
        const TimePoint now = clock_.wall();
        const std::string text = format_text("{} {}[{}]: {}\n", time_text(now), host_, getpid(), line.to_string());
        if (!(command_line_.empty() ? write_to_file(line.session, now, text) : write_to_command(text))) fallback_.write(line);
    }

    /// The time as it is written, made once a second.
    const std::string& time_text(TimePoint now) {
        const auto second = std::chrono::floor<std::chrono::seconds>(now);
        if (time_text_.empty() || second != time_text_second_) {
            time_text_ = local_time(options_.tsformat, now);
            time_text_second_ = second;
        }
        return time_text_;
    }

    bool write_to_file(std::string_view session, TimePoint now, const std::string& text) {
        auto* file = open_file(path_of(session, now));
        return file && bool(write_all(file->file.get(), text));
    }

    std::string path_of(std::string_view session, TimePoint now) const {
        if (const auto began = session_began_.find(session); options_.nosplit && began != session_began_.end()) now = began->second;
        if (!names_sessions_) return local_time(pattern_, now);
        std::string pattern;
        for (std::size_t i = 0; i < pattern_.size(); ++i) {
            if (pattern_[i] == '%' && i + 1 < pattern_.size() && pattern_[i + 1] == 'i') {
                pattern += session.empty() ? "server" : std::string(session);
                ++i;
            } else {
                pattern += pattern_[i];
                if (pattern_[i] == '%' && i + 1 < pattern_.size()) pattern += pattern_[++i];
            }
        }
        return local_time(pattern, now);
    }

    OpenFile* open_file(const std::string& path) {
        auto known = files_.find(path);
        if (known == files_.end()) {
            // Without sessions or days that overlap only one file is in use; the others belong to a time that is over.
            if (!names_sessions_ && !options_.nosplit) files_.clear();
            if (files_.size() >= most_files) close_least_used();
            auto file = open_for_append(path, file_mode);
            if (!file) return nullptr;
            known = files_.emplace(path, OpenFile{std::move(*file)}).first;
        }
        known->second.last_use = ++uses_;
        return &known->second;
    }

    void close_least_used() {
        const auto is_older = [](const auto& a, const auto& b) { return a.second.last_use < b.second.last_use; };
        files_.erase(std::min_element(files_.begin(), files_.end(), is_older));
    }

    bool write_to_command(const std::string& text) {
        if (command_) {
            const auto written = command_->write(text);
            if (written != Command::Written::ended) return written == Command::Written::yes;
            command_.reset();
        }
        if (started_ && clock_.now() - *started_ < patience) return false;
        started_ = clock_.now();
        command_ = std::make_unique<Command>(command_line_);
        return command_->write(text) == Command::Written::yes;
    }

    void begin_session(const std::string& id) {
        const std::lock_guard lock(mutex_);
        if (options_.nosplit) session_began_.emplace(id, clock_.wall());
        if (options_.reopen) files_.clear();
    }

    void end_session(const std::string& id) {
        const std::lock_guard lock(mutex_);
        if (names_sessions_) files_.erase(path_of(id, clock_.wall()));
        session_began_.erase(id);
    }

    const Options options_;
    const Clock& clock_;
    LogSink& fallback_;
    std::string command_line_;
    std::string pattern_;
    std::string host_;
    bool names_sessions_ = false;

    std::mutex mutex_;
    std::string time_text_;
    std::chrono::time_point<std::chrono::system_clock, std::chrono::seconds> time_text_second_;
    std::map<std::string, OpenFile> files_;
    std::uint64_t uses_ = 0;
    std::map<std::string, TimePoint, std::less<>> session_began_;  ///< nosplit
    std::unique_ptr<Command> command_;
    std::optional<MonotonicTime> started_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("logging/file", smtpd::plugins::LogToFile);
