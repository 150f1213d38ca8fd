/// logging/apache: log lines in httpd's ErrorLog.
///
/// Without any logging plugin that is where they go. With others loaded, only warnings and worse still do; this plugin
/// adds the rest, at the level that each line has, for `LogLevel smtpd:…` to choose from.
///
/// ## Example
///
///     SmtpPlugin logging/file loglevel=notice /var/log/smtpd/notice
///     SmtpPlugin logging/apache
///     LogLevel smtpd:debug
///
/// `loglevel` holds back lines before httpd is asked; that saves the time of putting them together.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class LogToServer final : public Plugin {
public:
    struct Options {
        LogLevel loglevel = LogLevel::trace;

        static OptionTable table() {
            return {
                option("loglevel", &Options::loglevel, "the least important level that is handed on").positional(0)};
        }
    };

    LogToServer(Setup& setup, const Options& options) {
        setup.hooks.logging.add(options.loglevel, [&log = setup.server_log()](const LogLine& line) {
            if (log.enabled(line.level)) log.write(line);
        });
    }
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("logging/apache", smtpd::plugins::LogToServer);
