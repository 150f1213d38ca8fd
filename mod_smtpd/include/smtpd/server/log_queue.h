/// log_queue.h: for plugins that hand log lines to a reader who may be slow (a program, a daemon, a disk), so that
/// mail never waits for a log.
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
///         LogQueue queue_;  // behind its writer
///         const Clock& clock_;
///     };
///
/// Each serving process has its own queue with a thread of its own, the only one that calls the writer. What the
/// queue cannot hold while the reader takes nothing is dropped and counted: a warning in the server's log says so
/// when that begins, and another one, and a line in the log itself, tell how many lines were dropped when the reader
/// is back.
///
/// When the process ends, behind its last session, the server lets every queue finish: all lines are written, unless
/// the reader takes nothing for two seconds. A process that crashes loses what is in its queues. What has been
/// written is in the hands of the system, and not forced to the disk.
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

/// Thread-safe, but for start().
class SMTPD_API LogQueue {
public:
    using WallTime = std::chrono::system_clock::time_point;

    /// A line of the queue, as its writer sees it.
    struct Line {
        WallTime when;  ///< when it was added
        const LogLine& line;
        const std::string& target;  ///< what add() was given: the name of a file, say
    };

    /// With this a writer waits for its reader. Each wait ends when the reader is ready. It ends without success when
    /// the process is to end and the reader has taken nothing for two seconds; the writer returns then.
    class SMTPD_API Wait {
    public:
        virtual ~Wait();
        /// Until the descriptor takes octets, or has an error to tell.
        virtual bool until_writable(int descriptor) = 0;
        /// For that long.
        virtual bool pause(std::chrono::milliseconds time) = 0;
        /// Writes all of it to a descriptor that does not block (O_NONBLOCK). An Error of code `timeout` where it
        /// gave up.
        Result<void> write(int descriptor, std::string_view octets);
    };

    class SMTPD_API Writer {
    public:
        virtual ~Writer();
        /// Writes the line; false when that is not possible, and the line goes to the server's log (where it is one
        /// that does not go there anyway). May wait, with `wait`. An exception counts as false; the first one is
        /// reported.
        virtual bool write(const Line& line, Wait& wait) = 0;
        /// All lines so far have been written: the time to close what is no longer needed.
        virtual void idle() {}
    };

    /// `limit` is how much memory its lines may use. `instance` names the plugin in the server's log. The writer and
    /// the log must outlive the queue.
    LogQueue(std::string instance, Writer& writer, LogSink& server_log, ByteCount limit);
    ~LogQueue();  ///< stop()
    LogQueue(const LogQueue&) = delete;
    LogQueue& operator=(const LogQueue&) = delete;

    /// Starts the thread: in child_start(). What is added before waits. Throws std::system_error.
    void start();
    /// Takes a copy and returns at once. Once the queue has stopped, lines go to the server's log.
    void add(WallTime when, const LogLine& line, std::string_view target = {}) noexcept;
    /// Writes what there is and ends the thread. The server does it when the process ends.
    void stop() noexcept;

    class State;  ///< for the server

private:
    const std::unique_ptr<State> state_;
};

}  // namespace smtpd
