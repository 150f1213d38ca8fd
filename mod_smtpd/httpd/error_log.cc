#include "httpd/error_log.h"

namespace smtpd::httpd {
namespace {

thread_local conn_rec* current_connection = nullptr;

int apache_level(LogLevel level) noexcept {
    switch (level) {
        case LogLevel::emerg: return APLOG_EMERG;
        case LogLevel::alert: return APLOG_ALERT;
        case LogLevel::crit: return APLOG_CRIT;
        case LogLevel::error: return APLOG_ERR;
        case LogLevel::warning: return APLOG_WARNING;
        case LogLevel::notice: return APLOG_NOTICE;
        case LogLevel::info: return APLOG_INFO;
        case LogLevel::debug: return APLOG_DEBUG;
        case LogLevel::trace: break;
    }
    return APLOG_TRACE1;
}

}  // namespace

conn_rec* connection_at_work() noexcept { return current_connection; }

ConnectionScope::ConnectionScope(conn_rec* connection) noexcept : before_(current_connection) {
    current_connection = connection;
}
ConnectionScope::~ConnectionScope() { current_connection = before_; }

bool ErrorLog::enabled(LogLevel level) const noexcept {
    return APLOG_MODULE_IS_LEVEL(server_, APLOG_MODULE_INDEX, apache_level(level)) != 0;
}

void ErrorLog::write(const LogLine& line) noexcept {
    try {
        LogLine shown = line;
        if (current_connection != nullptr) shown.peer = {};  // httpd begins the line with [client …]
        const std::string text = shown.to_string();
        if (current_connection != nullptr)
            ap_log_cerror(APLOG_MARK, apache_level(line.level), 0, current_connection, "%s", text.c_str());
        else ap_log_error(APLOG_MARK, apache_level(line.level), 0, server_, "%s", text.c_str());
    } catch (...) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, server_, "SMTPD0002: out of memory while writing a log line");
    }
}

}  // namespace smtpd::httpd
