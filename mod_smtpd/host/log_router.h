/// log_router.h: sends the log lines of a server to its logging plugins, and to the server's own log.
///
/// Without logging plugins, every line goes to the fallback (httpd's ErrorLog). With some, each of them gets the lines
/// up to its level, and the fallback gets only warnings and worse. Lines written while a logging plugin handles a line
/// go to the fallback only. If a plugin passes a line on to the fallback (Setup::server_log()), the line is not written
/// there twice. A plugin that throws is skipped for that line, and its first fault is reported. Control characters are
/// escaped, so each line stays one line. Thread-safe after all plugins were added.
#pragma once

#include "host/counters.h"

#include <smtpd/base/log.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace smtpd::host {

class LogRouter final : public LogSink {
public:
    using Writer = std::function<void(const LogLine&)>;

    explicit LogRouter(LogSink& fallback) : fallback_(fallback), server_log_(*this) {}

    /// `counters` are the plugin's; they must outlive the router.
    void add(std::string plugin, LogLevel up_to, Writer writer, PluginCounters& counters);
    void remove_all() noexcept { outlets_.clear(); }
    bool has_plugins() const noexcept { return !outlets_.empty(); }

    bool enabled(LogLevel level) const noexcept override;
    void write(const LogLine& line) noexcept override;

    /// The fallback, for plugins.
    LogSink& server_log() noexcept { return server_log_; }

private:
    class ServerLog final : public LogSink {
    public:
        explicit ServerLog(LogRouter& router) : router_(router) {}
        bool enabled(LogLevel level) const noexcept override { return router_.fallback_.enabled(level); }
        void write(const LogLine& line) noexcept override { router_.write_to_fallback(line); }

    private:
        LogRouter& router_;
    };

    /// A logging plugin.
    struct Outlet {
        std::string plugin;
        LogLevel up_to;
        Writer writer;
        PluginCounters* counters;
        std::atomic<bool> has_failed = false;
    };
    /// A line that this thread is passing to logging plugins.
    struct Delivery {
        const LogLine* line;
        bool reached_fallback = false;
    };
    static thread_local Delivery* delivery_;

    void write_line(const LogLine& line) noexcept;
    void write_to_fallback(const LogLine& line) noexcept;
    void deliver(Outlet& outlet, const LogLine& line) noexcept;
    void report_fault(Outlet& outlet, const char* what) noexcept;

    LogSink& fallback_;
    ServerLog server_log_;
    std::vector<std::unique_ptr<Outlet>> outlets_;
    LogLevel up_to_ = LogLevel::emerg;  ///< of the most verbose outlet
};

}  // namespace smtpd::host
