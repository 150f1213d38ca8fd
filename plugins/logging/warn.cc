/// logging/warn: log to standard error.
///
/// The plugin writes each line up to a level to the process's standard error: `<process> [<session>] (<hook>) <plugin>:
/// <text>`. Under httpd, standard error is the main server's ErrorLog file, or the terminal with `httpd -X`. For
/// servers with a separate ErrorLog, logging/apache is better. The plugin writes a line with one call, so lines of
/// several processes do not mix.
///
/// ## Example
///
///     SmtpPlugin logging/warn info
///
/// The level may be a name or qpsmtpd's number (`LOGINFO`, `6`).
#include <smtpd/base/files.h>
#include <smtpd/plugin.h>

#include <unistd.h>

namespace smtpd::plugins {

class LogToStandardError final : public Plugin {
public:
    struct Options {
        LogLevel loglevel = LogLevel::warning;

        static OptionTable table() {
            return {option("loglevel", &Options::loglevel, "the least severe level to write").positional(0)};
        }
    };

    LogToStandardError(Setup& setup, const Options& options) {
        setup.hooks.logging.add(options.loglevel, [](const LogLine& line) {
            // If a write to standard error fails, there is nowhere to report it.
            (void)bool(write_all(STDERR_FILENO, format_text("{} {}\n", getpid(), line.to_string())));
        });
    }
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("logging/warn", smtpd::plugins::LogToStandardError);
