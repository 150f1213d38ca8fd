/// log_queue.h: a queue for plugins that pass log lines to a reader that may be slow (a program, a daemon, a disk), so
/// that mail never waits for a log.
///
///     class MyLog final : public smtpd::Plugin {
///     public:
///         struct Options { ByteCount queue{1 << 20}; … };
///         MyLog(Setup& setup, const Options& options)
///             : queue_(setup.instance(), writer_, setup.server_log(), options.queue), clock_(setup.clock()) {
///             setup.hooks.logging.add(LogLevel::info,
///                                     [this](const LogLine& line) { queue_.add(clock_.wall(), line); });
///         }
///         void child_start() override { queue_.start(); }
///     private:
///         MyWriter writer_;
///         LogQueue queue_;  // after its writer
///         const Clock& clock_;
///     };
///
/// Each serving process has its own queue, with a thread that alone calls the writer. If the reader stalls and the
/// queue is full, further lines are dropped and counted. A warning in the server's log says when that begins. When the
/// reader takes lines again, another warning, and a line in the log itself, say how many lines were dropped.
///
/// When the process ends, after its last session, the server lets every queue finish: all lines are written, unless the
/// reader takes nothing for two seconds. A process that crashes loses the lines in its queues. Written lines are left
/// to the operating system and not synced to disk.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/log.h>
#include <smtpd/base/result.h>
#include <smtpd/options.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace smtpd {

/// Thread-safe, except start().
class SMTPD_API LogQueue {
public:
    using WallTime = std::chrono::system_clock::time_point;

    /// A line of the queue, as the writer gets it.
    struct Line {
        WallTime when;  ///< when it was added
        const LogLine& line;
        const std::string& target;  ///< what add() was given, such as the name of a file
    };

    /// Lets a writer wait for its reader. Each wait ends when the reader is ready. It fails if the process must end and
    /// the reader has taken nothing for two seconds; the writer must then return.
    class SMTPD_API Wait {
    public:
        virtual ~Wait();
        /// Waits until the descriptor is writable or has an error.
        virtual bool until_writable(int descriptor) = 0;
        /// Waits for that time.
        virtual bool pause(std::chrono::milliseconds time) = 0;
        /// Writes all octets to a non-blocking descriptor (O_NONBLOCK). An Error with the code `timeout` if a wait
        /// fails.
        Result<void> write(int descriptor, std::string_view octets);
    };

    class SMTPD_API Writer {
    public:
        virtual ~Writer();
        /// Writes the line. On false, the line goes to the server's log (unless that gets it anyway). May wait, with
        /// `wait`. An exception counts as false; the first one is reported.
        virtual bool write(const Line& line, Wait& wait) = 0;
        /// All lines so far have been written: the writer can close what it no longer needs.
        virtual void idle() {}
    };

    /// `limit` is the maximum memory for queued lines. `instance` names the plugin in the server's log. The writer and
    /// the log must outlive the queue.
    LogQueue(std::string instance, Writer& writer, LogSink& server_log, ByteCount limit);
    ~LogQueue();  ///< calls stop()
    LogQueue(const LogQueue&) = delete;
    LogQueue& operator=(const LogQueue&) = delete;

    /// Starts the thread; call it in child_start(). Lines added earlier stay in the queue until then. Throws
    /// std::system_error.
    void start();
    /// Copies the line and returns at once. After stop(), lines go to the server's log.
    void add(WallTime when, const LogLine& line, std::string_view target = {}) noexcept;
    /// Writes the queued lines and ends the thread. The server calls it when the process ends.
    void stop() noexcept;

    class State;  ///< for the server

private:
    const std::unique_ptr<State> state_;
};

}  // namespace smtpd
