/// content_log: keep a copy of every incoming message.
///
/// At the data_post hook the plugin appends the message to a file. The file's name may contain the date. The copy
/// contains the header fields that the engine and earlier plugins have added. The plugin locks the file while it writes
/// a message, so messages do not mix. It writes a message completely or not at all. If it cannot write a copy, it logs
/// an error; it never refuses mail for this reason. It also copies messages that a later plugin refuses, so load it
/// after the plugins that refuse mail. Make sure that the law permits such copies.
///
/// ## Options and control files
///
/// `file` is a pattern for strftime. Without it, the pattern is the first line of the control file `content_log_file`,
/// else `mail/%Y%m%d`. A relative path is relative to the server's root. The plugin creates missing folders. The
/// control file `content_log_enabled` switches the plugin on (`true`, `1`, `yes`, `on`) or off (anything else). Without
/// that file the plugin is on. The plugin reads both files again when they change.
///
/// `format=raw` appends the message as it is, as qpsmtpd does; nothing in the file shows where a message ends.
/// `format=mbox` writes a mailbox that mail programs can open. It has LF line ends, a "From " line with sender and time
/// before each message, `>` before lines of the text that look like such a line, and a blank line after each message.
///
///     SmtpPlugin content_log file=/var/log/mail/%Y-%m-%d.mbox format=mbox
///
/// ## Differences from qpsmtpd
///
/// In raw format the line ends are CRLF, as received. New files are readable by their owner only (0600).
#include <smtpd/base/files.h>
#include <smtpd/plugin.h>

#include <cerrno>

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace smtpd::plugins {
namespace {

constexpr std::size_t write_size = 1 << 16;

/// The lines of a message in mbox format ("mboxrd"): LF line ends, and one more '>' before every line of the form
/// >*From .
class MboxText {
public:
    /// Takes the next piece of the message, and appends complete lines to `out`.
    void append(std::string_view piece, std::string& out) {
        for (;;) {
            const auto end = piece.find('\n');
            line_ += piece.substr(0, end);
            if (end == std::string_view::npos) return;
            finish_line(out);
            piece.remove_prefix(end + 1);
        }
    }
    void finish(std::string& out) {
        if (!line_.empty()) finish_line(out);
        out += '\n';
    }

private:
    void finish_line(std::string& out) {
        if (!line_.empty() && line_.back() == '\r') line_.pop_back();
        const auto text = line_.find_first_not_of('>');
        if (text != std::string::npos && line_.compare(text, 5, "From ") == 0) out += '>';
        out += line_;
        out += '\n';
        line_.clear();
    }

    std::string line_;
};

/// The end of a file, locked against other writers. The destructor cuts the file back unless the writing was finished.
class Appending {
public:
    explicit Appending(FileDescriptor file) : file_(std::move(file)) {}
    ~Appending() {
        // If ftruncate() fails, the file keeps its length: nothing else can be done.
        if (before_ >= 0 && ftruncate(file_.get(), before_) != 0) return;
    }

    Result<void> lock() {
        while (flock(file_.get(), LOCK_EX) != 0)
            if (errno != EINTR) return os_error("cannot lock the file", errno);
        struct stat about {};
        if (fstat(file_.get(), &about) == 0 && S_ISREG(about.st_mode)) before_ = about.st_size;
        return {};
    }
    Result<void> write(std::string_view text) { return write_all(file_.get(), text); }
    void keep() noexcept { before_ = -1; }

private:
    FileDescriptor file_;
    off_t before_ = -1;
};

}  // namespace

class ContentLog final : public Plugin {
public:
    static constexpr bool waits_for_backend = true;

    enum class Format { raw, mbox };

    struct Options {
        std::string file;
        Format format = Format::raw;

        static OptionTable table() {
            return {option("file", &Options::file, "the file to append to, a pattern for strftime"),
                    option("format", &Options::format, "raw: the message and nothing else; mbox: with separators")
                        .choices({{"raw", Format::raw}, {"mbox", Format::mbox}})};
        }
    };

    ContentLog(Setup& setup, const Options& options)
        : options_(options),
          root_(setup.path(".")),
          file_(options.file.empty() ? "" : setup.path(options.file)),
          enabled_(setup.control().lines("content_log_enabled")),
          file_of_site_(setup.control().lines("content_log_file")) {
        if (is_enabled()) setup.uses({FileUse::Kind::appends, path(setup.clock().wall())});
        setup.hooks.data_post.observe([this](const DataPostHook& hook) {
            if (is_enabled()) keep_copy(hook);
        });
    }

private:
    bool is_enabled() const {
        const auto lines = enabled_.get();
        if (lines->empty()) return true;
        for (const char* word : {"true", "1", "yes", "on"})
            if (lines->front().text == word) return true;
        return false;
    }

    std::string path(std::chrono::system_clock::time_point now) const {
        if (!file_.empty()) return local_time(file_, now);
        const auto lines = file_of_site_.get();
        const std::string pattern = lines->empty() ? "mail/%Y%m%d" : lines->front().text;
        const std::string name = local_time(pattern, now);
        return name.starts_with('/') ? name : root_ + "/" + name;
    }

    void keep_copy(const DataPostHook& hook) const {
        const std::string path = this->path(hook.clock().wall());
        if (hook.connection.is_dry_run()) return hook.log(LogLevel::info, "a copy would go to {}", path);
        if (auto kept = append(hook, path); !kept)
            hook.log(LogLevel::error, "error: cannot write a copy to {}: {}", path, kept.error().what);
        else hook.log(LogLevel::debug, "copied to {}", path);
    }

    Result<void> append(const DataPostHook& hook, const std::string& path) const {
        auto file = open_for_append(path, 0600);
        if (!file) return file.error();
        Appending appending(std::move(*file));
        if (auto locked = appending.lock(); !locked) return locked;
        auto written = options_.format == Format::mbox
                           ? write_mbox(hook, appending)
                           : hook.message().write_to([&](std::string_view piece) { return appending.write(piece); });
        if (written) appending.keep();
        return written;
    }

    static Result<void> write_mbox(const DataPostHook& hook, Appending& file) {
        const Address& sender = hook.transaction.sender();
        std::string text = "From " + (sender.is_null() ? "MAILER-DAEMON" : without_blanks(sender.to_string())) + " " +
                           local_time("%a %b %e %H:%M:%S %Y", hook.clock().wall()) + "\n";
        MboxText lines;
        auto written = hook.message().write_to([&](std::string_view piece) -> Result<void> {
            lines.append(piece, text);
            if (text.size() < write_size) return {};
            auto result = file.write(text);
            text.clear();
            return result;
        });
        if (!written) return written;
        lines.finish(text);
        return file.write(text);
    }

    static std::string without_blanks(std::string text) {
        for (char& c : text)
            if (c == ' ') c = '_';
        return text;
    }

    const Options options_;
    const std::string root_;
    const std::string file_;
    Watched<ControlText> enabled_;
    Watched<ControlText> file_of_site_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("content_log", smtpd::plugins::ContentLog);
