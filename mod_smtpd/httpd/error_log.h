/// error_log.h: log lines of sessions, plugins and the engine in httpd's ErrorLog, under `LogLevel smtpd:…`.
#pragma once

#include "httpd/apache.h"

#include <smtpd/base/log.h>

namespace smtpd::httpd {

/// The sink of one server. While a thread works on a connection (ConnectionScope), lines carry httpd's [client …].
/// Thread-safe.
class ErrorLog final : public LogSink {
public:
    explicit ErrorLog(server_rec* server) noexcept : server_(server) {}
    bool enabled(LogLevel level) const noexcept override;
    void write(const LogLine& line) noexcept override;

private:
    server_rec* server_;
};

/// The connection that this thread works on; null if there is none.
conn_rec* connection_at_work() noexcept;

/// Sets the connection that this thread works on.
class ConnectionScope {
public:
    explicit ConnectionScope(conn_rec* connection) noexcept;
    ~ConnectionScope();
    ConnectionScope(const ConnectionScope&) = delete;
    ConnectionScope& operator=(const ConnectionScope&) = delete;

private:
    conn_rec* before_;
};

}  // namespace smtpd::httpd
