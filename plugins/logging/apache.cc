/// logging/apache: log to httpd's ErrorLog.
///
/// Without any logging plugin the server logs to httpd's ErrorLog. If another logging plugin is loaded, only warnings
/// and more severe lines still go there. This plugin adds the rest, each line at its level, so `LogLevel smtpd:…` can
/// select them.
///
/// ## Example
///
///     SmtpPlugin logging/file loglevel=notice /var/log/smtpd/notice
///     SmtpPlugin logging/apache
///     LogLevel smtpd:debug
///
/// The option `loglevel` drops lines before they reach httpd, which saves the time to format them.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class LogToServer final : public Plugin {
public:
    struct Options {
        LogLevel loglevel = LogLevel::trace;

        static OptionTable table() {
            return {option("loglevel", &Options::loglevel, "the least severe level to log").positional(0)};
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
