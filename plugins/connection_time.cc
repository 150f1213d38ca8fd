/// connection_time: log how long each connection lasted.
///
/// At the post_connection hook the plugin logs one line. The time starts when the server accepts the connection:
/// `Connection time from 192.0.2.1: 1.203 sec.`
///
/// ## Example
///
///     SmtpPlugin connection_time debug
///
/// The level may be a name or qpsmtpd's number (`LOGDEBUG`, `7`).
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class ConnectionTime final : public Plugin {
public:
    struct Options {
        LogLevel level = LogLevel::info;

        static OptionTable table() {
            return {option("level", &Options::level, "the level of the log line").positional(0)};
        }
    };

    ConnectionTime(Setup& setup, const Options& options) {
        setup.hooks.post_connection.observe([level = options.level](const PostConnectionHook& hook) {
            const auto lasted =
                std::chrono::duration_cast<Duration>(hook.clock().now() - hook.connection.started()).count();
            const std::string milliseconds = std::to_string(1000 + lasted % 1000).substr(1);
            hook.log(level, "Connection time from {}: {}.{} sec.", hook.connection.address(), lasted / 1000,
                     milliseconds);
        });
    }
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("connection_time", smtpd::plugins::ConnectionTime);
