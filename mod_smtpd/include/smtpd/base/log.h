/// log.h: log levels, and the sink that every line of a session goes to.
#pragma once

#include <smtpd/base/api.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace smtpd {

/// httpd's and syslog's levels (qpsmtpd's 0 to 7), plus the protocol trace.
enum class LogLevel : std::uint8_t { emerg, alert, crit, error, warning, notice, info, debug, trace };

SMTPD_API std::string_view log_level_name(LogLevel level) noexcept;  ///< "warning"
/// "info", "LOGINFO", "6", "9" (a number above the highest level means the highest level), "radar" (qpsmtpd's emerg),
/// in any case.
SMTPD_API std::optional<LogLevel> parse_log_level(std::string_view text) noexcept;

/// One line on its way to the log. The text is complete and safe: the writer has escaped bytes from outside (`quoted`).
struct LogLine {
    LogLevel level = LogLevel::info;
    std::string_view session;      ///< id of the connection, "" outside sessions
    std::string_view transaction;  ///< id of the transaction, "" outside one
    std::string_view hook;         ///< name of the hook, "" for the engine's own lines
    std::string_view plugin;       ///< instance name, "" for the engine's own lines
    std::string_view text;
    std::string_view client;  ///< address of the client, "" outside sessions
    std::string_view peer{};  ///< "from 192.0.2.1 port 4711", in the first line of a session; httpd's log has it anyway

    /// `[k3f9a2-1] (rcpt) badrcptto: fail: …`: the form that every sink prints.
    SMTPD_API std::string to_string() const;
};

/// Thread-safe.
class SMTPD_API LogSink {
public:
    virtual ~LogSink() = default;
    virtual bool enabled(LogLevel level) const noexcept = 0;  ///< cheap; ask before formatting a text
    virtual void write(const LogLine& line) noexcept = 0;
};

/// Makes bytes from outside safe for a log line: control and non-ASCII bytes as \xNN, cut after `limit` bytes.
SMTPD_API std::string quoted(std::string_view bytes, std::size_t limit = 512);
/// The same; without this overload, std::quoted would be chosen where <iomanip> or <filesystem> is included.
inline std::string quoted(const std::string& bytes, std::size_t limit = 512) {
    return quoted(std::string_view(bytes), limit);
}
inline std::string quoted(const char* bytes, std::size_t limit = 512) { return quoted(std::string_view(bytes), limit); }

}  // namespace smtpd
