/// context.h: what the argument of every hook has: the log, the deadline, the answers. Arguments of hooks in a session
/// have more: smtpd/hook/session_context.h.
#pragma once

#include <smtpd/base/clock.h>
#include <smtpd/base/format.h>
#include <smtpd/base/ip.h>
#include <smtpd/base/log.h>
#include <smtpd/hook/traits.h>
#include <smtpd/store/store.h>
#include <smtpd/waiting.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

namespace smtpd {

class Connection;

/// Thrown by HookContext::wait() when the plugin's deadline passes; the host catches it and gives the plugin's
/// `onerror` response.
struct DeadlinePassed {};

/// Created by the engine; the host completes it before each call.
class SMTPD_API HookContext {
public:
    HookContext(HookId id, const Clock& clock, LogSink& log) : hook(id), clock_(clock), log_(log) {}

    const HookId hook;

    /// Writes a line to the log; costs nothing if the level is disabled. Bytes from outside go through quoted().
    template <class... Arguments>
    void log(LogLevel level, PatternFor<Arguments...> pattern, const Arguments&... arguments) const {
        if (log_enabled(level)) write_log(level, format_text<Arguments...>(pattern, arguments...));
    }
    bool log_enabled(LogLevel level) const noexcept;
    /// Sleeps in this thread. Prefer Questions::delay, which occupies no thread. Throws DeadlinePassed if the plugin's
    /// deadline comes first.
    void wait(Duration duration) const;
    /// When this call must end.
    MonotonicTime deadline() const noexcept { return deadline_; }
    /// The deadline for an operation that may take `most`, but no longer than this call.
    MonotonicTime deadline(Duration most) const noexcept { return std::min(deadline_, clock().now() + most); }
    const Clock& clock() const noexcept { return clock_; }
    /// The time until then, at least 0: how long a back end may take.
    Duration time_left() const noexcept {
        return std::max(Duration(0), std::chrono::floor<Duration>(deadline_ - clock().now()));
    }
    /// A namespace that the plugin opened with Setup::store(), limited to the time left for this call.
    template <class T>
    Store<T> store(const Store<T>& space) const {
        return space.within(std::chrono::floor<Duration>(deadline_ - clock().now()));
    }
    /// The answers to this stage's questions.
    const Answers& answers() const noexcept { return answers_; }

protected:
    ~HookContext() = default;

    /// What log lines from a handler refer to.
    struct LogSubject {
        std::string_view session;      ///< id of the connection, "" outside sessions
        std::string_view transaction;  ///< id of the transaction, "" outside one
        const IpAddress& client;
    };

private:
    friend struct ServerAccess;

    /// The plugin instance whose handler is called.
    struct Caller {
        std::string_view plugin;  ///< instance name
        int level_shift = 0;      ///< loglevel=+1
        int level_fixed = -1;     ///< loglevel=6
        const void* instance = nullptr;
    };

    virtual LogSubject log_subject() const noexcept = 0;
    /// The session, even where handlers do not see it; null if there is none.
    virtual Connection* session() const noexcept = 0;
    void write_log(LogLevel level, const std::string& text) const;
    LogLevel effective(LogLevel level) const noexcept;

    const Clock& clock_;
    LogSink& log_;
    const Caller* caller_ = nullptr;
    MonotonicTime deadline_{};
    Answers answers_;
};

}  // namespace smtpd
