/// logging/file: log to a separate file, or to a program.
///
/// The plugin appends each line up to a level: `<time> <host>[<process>]: [<session>] (<hook>) <plugin>: <text>`. It
/// writes a line with one call, so lines of several processes do not mix. A line that cannot be written goes to the
/// server's own log.
///
/// ## The file
///
/// The name is a pattern for strftime. `%i` in it is the id of the session, which gives each session a file. When the
/// name changes, the next line goes to the new file. With `nosplit` a session's lines stay in the file that had the
/// right name when the session began.
///
/// With `reopen` the plugin opens the file anew for each session, so the file may be moved away at any time. Without
/// it, a graceful restart of the server opens the file anew. Relative names are relative to the server's root. The
/// plugin creates missing folders.
///
///     SmtpPlugin logging/file loglevel=info /var/log/smtpd/%Y-%m-%d
///     SmtpPlugin logging/file loglevel=debug nosplit /var/log/smtpd/sessions/%i
///
/// The file may be a named pipe (FIFO). While no program reads the pipe, lines wait as they do for a slow reader.
///
/// ## A program
///
/// A name that begins with `|` is a command, which gets the lines as its input. /bin/sh runs it in each serving process
/// when the first line comes. The command comes from the configuration only, and the plugin inserts nothing into it.
/// When the command ends, the plugin starts it again, at most once a second. Until then lines go to the server's own
/// log.
///
///     SmtpPlugin logging/file "|/usr/bin/multilog t /var/log/smtpd"
///
/// ## Mail never waits for the log
///
/// Lines go through a queue, and a thread of each serving process writes them. If a program, a named pipe or a disk
/// accepts no lines, the queue grows to `queue` bytes of memory in each process. After that the plugin drops new lines
/// and counts them. The server's own log says when the plugin begins to drop lines (SMTPD0070), and, when the reader is
/// back, how many lines it dropped (SMTPD0071). The log itself shows that number too: `4711 lines were dropped`.
/// Warnings and more severe lines always go to the server's log as well.
///
/// When a process ends (stop, restart, MaxConnectionsPerChild), it first writes the lines in its queue. It gives up
/// only if the target accepts nothing for two seconds (SMTPD0072). A process that crashes or is killed loses its queue,
/// which is a few lines unless the reader is slow. Lines in a file are not forced to the disk: if the machine crashes,
/// the lines of about the last half minute may be lost.
///
/// ## Differences from qpsmtpd
///
/// All lines of a session have its id. `tsformat` replaces the format of the time. Without it, the format is that of
/// ctime(), as in qpsmtpd.
///
/// ## Limits
///
/// The plugin keeps at most 100 files with `%i` open at a time. If a disk hangs during a write, a process that ends
/// waits for it.
#include <smtpd/backend/program.h>
#include <smtpd/base/files.h>
#include <smtpd/plugin.h>
#include <smtpd/server/log_queue.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace smtpd::plugins {
namespace {

using WallTime = LogQueue::WallTime;

constexpr unsigned file_mode = 0640;
constexpr std::size_t most_files = 100;
constexpr std::chrono::seconds time_between_starts{1};
constexpr std::chrono::milliseconds time_between_openings{100};

/// A running command with a pipe to its input. The destructor closes the pipe.
class Command {
public:
    explicit Command(const std::string& command) {
        auto pipe = make_pipe();
        if (!pipe) return;
        auto program = Program::start({.words = {"/bin/sh", "-c", command},
                                       .descriptors = {{pipe->first.get(), STDIN_FILENO},
                                                       {STDOUT_FILENO, STDOUT_FILENO},
                                                       {STDERR_FILENO, STDERR_FILENO}},
                                       .own_group = true});
        if (!program) return;
        program->let_go();  // the next write shows that it has ended; it leaves no zombie
        input_ = std::move(pipe->second);
        fcntl(input_.get(), F_SETFL, O_NONBLOCK);
    }
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;

    enum class Written { yes, no, ended };
    Written write(std::string_view text, LogQueue::Wait& wait) {
        if (!input_) return Written::ended;
        const auto written = wait.write(input_.get(), text);
        if (written) return Written::yes;
        return written.error().code == ErrorCode::timeout ? Written::no : Written::ended;
    }

private:
    FileDescriptor input_;
};

/// The format of the lines.
class LineFormat {
public:
    explicit LineFormat(std::string time_pattern) : time_pattern_(std::move(time_pattern)) {
        char name[256] = "localhost";
        gethostname(name, sizeof name - 1);
        host_ = name;
    }

    std::string text_of(const LogQueue::Line& line) {
        return format_text("{} {}[{}]: {}\n", time_text(line.when), host_, getpid(), line.line.to_string());
    }

private:
    /// The formatted time, made once a second.
    const std::string& time_text(WallTime when) {
        const auto second = std::chrono::floor<std::chrono::seconds>(when);
        if (time_text_.empty() || second != time_text_second_) {
            time_text_ = local_time(time_pattern_, when);
            time_text_second_ = second;
        }
        return time_text_;
    }

    const std::string time_pattern_;
    std::string host_;
    std::string time_text_;
    std::chrono::time_point<std::chrono::system_clock, std::chrono::seconds> time_text_second_;
};

/// Writes each line to the file that its target names.
class FileWriter final : public LogQueue::Writer {
public:
    /// `keeps_several`: several files are in use at the same time.
    FileWriter(std::string time_pattern, bool keeps_several)
        : format_(std::move(time_pattern)), keeps_several_(keeps_several) {}

    /// For any thread. Opens files anew for lines that are added from now on.
    void reopen() {
        const std::lock_guard lock(mutex_);
        reopens_ = true;
    }
    /// For any thread. Declares that no further lines will come for that file.
    void finish(std::string path) {
        const std::lock_guard lock(mutex_);
        finished_.push_back(std::move(path));
    }

    bool write(const LogQueue::Line& line, LogQueue::Wait& wait) override {
        if (take_reopening()) files_.clear();
        const std::string text = format_.text_of(line);
        for (;;) {
            auto file = open_file(line.target);
            if (!file && file.error().os_status == ENXIO && wait.pause(time_between_openings))
                continue;  // a named pipe without a reader
            if (!file) return false;
            const auto written = wait.write(*file, text);
            if (written) return true;
            if (written.error().os_status != EPIPE) return false;
            files_.erase(line.target);
        }
    }

    void idle() override {
        std::vector<std::string> finished;
        {
            const std::lock_guard lock(mutex_);
            finished.swap(finished_);
        }
        for (const auto& path : finished) files_.erase(path);
    }

private:
    struct OpenFile {
        FileDescriptor file;
        std::uint64_t last_use = 0;
    };

    bool take_reopening() {
        const std::lock_guard lock(mutex_);
        return std::exchange(reopens_, false);
    }

    Result<int> open_file(const std::string& path) {
        auto known = files_.find(path);
        if (known == files_.end()) {
            if (!keeps_several_) files_.clear();  // the other files belong to an earlier time
            if (files_.size() >= most_files) close_least_used();
            auto file = open_for_append_at_once(path, file_mode);
            if (!file) return file.error();
            known = files_.emplace(path, OpenFile{std::move(*file)}).first;
        }
        known->second.last_use = ++uses_;
        return known->second.file.get();
    }

    void close_least_used() {
        const auto is_older = [](const auto& a, const auto& b) { return a.second.last_use < b.second.last_use; };
        files_.erase(std::min_element(files_.begin(), files_.end(), is_older));
    }

    LineFormat format_;
    const bool keeps_several_;
    std::map<std::string, OpenFile> files_;
    std::uint64_t uses_ = 0;
    std::mutex mutex_;  ///< guards the members below
    bool reopens_ = false;
    std::vector<std::string> finished_;
};

/// Writes lines to a program, and starts it when needed.
class CommandWriter final : public LogQueue::Writer {
public:
    CommandWriter(std::string time_pattern, std::string command)
        : format_(std::move(time_pattern)), command_line_(std::move(command)) {}

    bool write(const LogQueue::Line& line, LogQueue::Wait& wait) override {
        const std::string text = format_.text_of(line);
        if (command_) {
            const auto written = command_->write(text, wait);
            if (written != Command::Written::ended) return written == Command::Written::yes;
            command_.reset();
        }
        const auto now = std::chrono::steady_clock::now();
        if (started_ && now - *started_ < time_between_starts) return false;
        started_ = now;
        command_ = std::make_unique<Command>(command_line_);
        return command_->write(text, wait) == Command::Written::yes;
    }

private:
    LineFormat format_;
    const std::string command_line_;
    std::unique_ptr<Command> command_;
    std::optional<std::chrono::steady_clock::time_point> started_;
};

}  // namespace

class LogToFile final : public Plugin {
public:
    struct Options {
        LogLevel loglevel = LogLevel::warning;
        bool nosplit = false;
        bool reopen = false;
        std::string tsformat = "%a %b %e %H:%M:%S %Y";
        ByteCount queue{1 << 20};
        std::vector<std::string> path;

        static OptionTable table() {
            return {
                option("loglevel", &Options::loglevel, "the least severe level to write"),
                option("nosplit", &Options::nosplit, "keep a session's lines in the file in which the session began")
                    .flag(),
                option("reopen", &Options::reopen, "open the file anew for each session").flag(),
                option("tsformat", &Options::tsformat, "the format of the time, a pattern for strftime"),
                option("queue", &Options::queue,
                       "memory for waiting lines in each process; when it is full, the plugin drops lines")
                    .range("16k", "1g"),
                option("path", &Options::path, "the file (a pattern for strftime), or | and a command")
                    .positional(0)
                    .rest()
                    .required()};
        }
    };

    LogToFile(Setup& setup, const Options& options) : options_(options), clock_(setup.clock()) {
        std::string path;
        for (const auto& word : options.path) path += (path.empty() ? "" : " ") + word;
        const bool is_command = path.starts_with('|');
        if (is_command && (options.nosplit || options.reopen))
            setup.error("\"nosplit\" and \"reopen\" are for files, not for a command");
        if (!is_command) pattern_ = setup.path(path);
        names_sessions_ = has_session(pattern_);
        if (!is_command) setup.uses({FileUse::Kind::appends, path_of({}, clock_.wall())});
        if (is_command) writer_ = std::make_unique<CommandWriter>(options.tsformat, path.substr(1));
        else writer_ = make_file_writer();
        queue_.emplace(setup.instance(), *writer_, setup.server_log(), options.queue);
        add_hooks(setup.hooks);
    }

    void child_start() override { queue_->start(); }

private:
    std::unique_ptr<FileWriter> make_file_writer() {
        auto made = std::make_unique<FileWriter>(options_.tsformat, names_sessions_ || options_.nosplit);
        files_ = made.get();
        return made;
    }

    void add_hooks(Hooks& hooks) {
        hooks.logging.add(options_.loglevel, [this](const LogLine& line) { write(line); });
        if (options_.nosplit || options_.reopen)
            hooks.pre_connection.observe(
                Priority::first, [this](const PreConnectionHook& hook) { begin_session(hook.connection.id()); });
        if (options_.nosplit || names_sessions_)
            hooks.post_connection.observe(
                Priority::last, [this](const PostConnectionHook& hook) { end_session(hook.connection.id()); });
    }

    /// Whether the pattern has a %i (and not %%i).
    static bool has_session(std::string_view pattern) {
        for (std::size_t i = 0; i + 1 < pattern.size(); ++i)
            if (pattern[i] == '%' && pattern[++i] == 'i') return true;
        return false;
    }

    void write(const LogLine& line) {
        const auto now = clock_.wall();
        queue_->add(now, line, files_ != nullptr ? path_of(line.session, now) : std::string());
    }

    std::string path_of(std::string_view session, WallTime now) {
        if (options_.nosplit) now = beginning_of(session).value_or(now);
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

    std::optional<WallTime> beginning_of(std::string_view session) {
        const std::lock_guard lock(mutex_);
        const auto began = session_began_.find(session);
        return began != session_began_.end() ? std::optional(began->second) : std::nullopt;
    }

    void begin_session(const std::string& id) {
        if (options_.reopen) files_->reopen();
        if (!options_.nosplit) return;
        const std::lock_guard lock(mutex_);
        session_began_.emplace(id, clock_.wall());
    }

    void end_session(const std::string& id) {
        if (names_sessions_) files_->finish(path_of(id, clock_.wall()));
        const std::lock_guard lock(mutex_);
        session_began_.erase(id);
    }

    const Options options_;
    const Clock& clock_;
    std::string pattern_;
    bool names_sessions_ = false;
    FileWriter* files_ = nullptr;  ///< the writer, unless there is a command
    std::mutex mutex_;
    std::map<std::string, WallTime, std::less<>> session_began_;  ///< nosplit
    std::unique_ptr<LogQueue::Writer> writer_;
    std::optional<LogQueue> queue_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("logging/file", smtpd::plugins::LogToFile);
