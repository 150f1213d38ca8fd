/// running_task.h: a plugin's task, from its start to its result or cancellation.
///
/// The session, which waits for the task, shares it with the thread that runs it.
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

    /// Does the work unless the task was cancelled. Called once, by any thread.
    void run() noexcept;
    /// The task has ended. Thread-safe.
    bool is_done() const noexcept { return is_done_.load(std::memory_order_acquire); }
    /// The result is no longer needed: if the task has not begun, it never will, and its resources are released.
    void give_up() noexcept;
    /// The result; an Error (timeout) if the task has not ended. Called by the session.
    detail::TaskResult result() const;

private:
    detail::TaskResult call(const detail::TaskWork& work) const noexcept;

    detail::TaskResult (*const fail_)(Error error);
    const MonotonicTime deadline_;
    const Clock& clock_;
    std::mutex mutex_;       ///< guards work_
    detail::TaskWork work_;  ///< released when it begins
    detail::TaskResult result_;
    std::atomic<bool> is_given_up_{false};
    std::atomic<bool> is_done_{false};
};

}  // namespace smtpd::engine
