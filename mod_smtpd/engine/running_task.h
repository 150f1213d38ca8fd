/// running_task.h: a task of a plugin, from its start to its result or its end without one.
///
/// It is shared by the session, which waits for it, and the thread that runs it.
#pragma once

#include <smtpd/base/clock.h>
#include <smtpd/task.h>

#include <atomic>
#include <mutex>

namespace smtpd::engine {

class RunningTask {
public:
    /// The clock must outlive the task.
    RunningTask(detail::TaskWork work, MonotonicTime deadline, const Clock& clock)
        : fail_(work.fail), deadline_(deadline), clock_(clock), work_(std::move(work)) {}

    /// Does the work, unless it was given up. Called once, by any thread.
    void run() noexcept;
    /// It has ended. By any thread.
    bool is_done() const noexcept { return is_done_.load(std::memory_order_acquire); }
    /// Nobody wants the result any more: what has not begun never will, and what it holds is let go of.
    void give_up() noexcept;
    /// What came of it; an Error (timeout) if it has not ended. By the session.
    detail::TaskResult result() const;

private:
    detail::TaskResult call(const detail::TaskWork& work) const noexcept;

    detail::TaskResult (*const fail_)(Error error);
    const MonotonicTime deadline_;
    const Clock& clock_;
    std::mutex mutex_;       ///< guards work_
    detail::TaskWork work_;  ///< until it begins
    detail::TaskResult result_;
    std::atomic<bool> is_given_up_{false};
    std::atomic<bool> is_done_{false};
};

}  // namespace smtpd::engine
