/// logging/adaptive: log to standard error, and repeat the lines of accepted messages with a mark.
///
/// The plugin writes each line up to the level `reject` to the process's standard error at once, as logging/warn does.
/// When a message has been accepted, the plugin writes the lines of its transaction up to the level `accept` again,
/// each with `prefix` in front. A program that splits the log by its lines (multilog) can then put everything about
/// accepted messages into one log, and the rest into another. The repeated lines begin at the end of the previous
/// transaction, or at the connection.
///
///     SmtpPlugin logging/adaptive accept=info reject=notice prefix=+
///
/// Levels may be names or qpsmtpd's numbers (`LOGINFO`, `6`). A line is `<process> <prefix>[<session>] (<hook>)
/// <plugin>: <text>`.
///
/// ## Differences from qpsmtpd
///
/// A message counts as accepted when the server has told the client so, whatever the server refused earlier in the
/// transaction or in the process. In qpsmtpd one refusal silences the process permanently. `accept` may be more verbose
/// than `reject`.
///
/// ## Limits
///
/// The plugin keeps 1000 lines, and 256 KB of text, of a transaction. It does not repeat further lines; a final line
/// says how many there were.
#include <smtpd/base/files.h>
#include <smtpd/plugin.h>

#include <algorithm>
#include <map>
#include <mutex>

#include <unistd.h>

namespace smtpd::plugins {

class AdaptiveLog final : public Plugin {
public:
    static constexpr bool reads_body = false;

    struct Options {
        LogLevel accept = LogLevel::error;
        LogLevel reject = LogLevel::warning;
        std::string prefix = "`";

        static OptionTable table() {
            return {option("accept", &Options::accept, "the least severe level to repeat for accepted messages"),
                    option("reject", &Options::reject, "the least severe level to write at once"),
                    option("prefix", &Options::prefix, "the text before each repeated line")};
        }
    };

    AdaptiveLog(Setup& setup, const Options& options) : options_(options) {
        auto& hooks = setup.hooks;
        hooks.logging.add(std::max(options.accept, options.reject), [this](const LogLine& line) {
            if (line.level <= options_.reject) print("", line.to_string());
            if (line.level <= options_.accept && !line.session.empty()) keep(line);
        });
        hooks.queue_post.observe(Priority::last, [this](const MessageHook& hook) { note_outcome(hook.connection); });
        hooks.reset_transaction.observe(Priority::last,
                                        [this](const MessageHook& hook) { end_transaction(hook.connection.id()); });
        hooks.post_connection.observe(Priority::last,
                                      [this](const PostConnectionHook& hook) { end_session(hook.connection.id()); });
    }

private:
    static constexpr std::size_t most_lines = 1000;
    static constexpr std::size_t most_text = 256 * 1024;

    /// The lines of a session since the end of its last transaction.
    struct Session {
        std::vector<std::string> lines;
        std::size_t text_size = 0;
        std::size_t left_out = 0;
        std::uint32_t messages = 0;  ///< accepted so far
        bool is_accepted = false;
    };

    static void print(std::string_view prefix, std::string_view line) {
        // If a write to standard error fails, there is nowhere to report it.
        (void)bool(write_all(STDERR_FILENO, format_text("{} {}{}\n", getpid(), prefix, line)));
    }

    void keep(const LogLine& line) {
        const std::lock_guard lock(mutex_);
        auto known = sessions_.find(line.session);
        if (known == sessions_.end()) known = sessions_.emplace(line.session, Session()).first;
        Session& session = known->second;
        std::string text = line.to_string();
        if (session.lines.size() == most_lines || session.text_size + text.size() > most_text) {
            ++session.left_out;
            return;
        }
        session.text_size += text.size();
        session.lines.push_back(std::move(text));
    }

    void note_outcome(const Connection& connection) {
        const std::lock_guard lock(mutex_);
        Session& session = sessions_[connection.id()];
        session.is_accepted = connection.messages() > session.messages;
        session.messages = connection.messages();
    }

    void end_transaction(const std::string& id) {
        std::unique_lock lock(mutex_);
        const auto known = sessions_.find(id);
        if (known == sessions_.end()) return;
        const Session ended = std::exchange(known->second, Session());
        known->second.messages = ended.messages;
        lock.unlock();
        if (!ended.is_accepted) return;
        for (const auto& line : ended.lines) print(options_.prefix, line);
        if (ended.left_out > 0)
            print(options_.prefix, format_text("[{}] {} more lines were not kept", id, ended.left_out));
    }

    void end_session(const std::string& id) {
        const std::lock_guard lock(mutex_);
        sessions_.erase(id);
    }

    const Options options_;
    std::mutex mutex_;
    std::map<std::string, Session, std::less<>> sessions_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("logging/adaptive", smtpd::plugins::AdaptiveLog);
