/// waker.h: wakes parked sessions of a child at their time, and checks all sessions once a second.
///
/// It has a few threads in the child (none under prefork and worker, where a session blocks instead). They block all
/// signals, which belong to the MPM. A task runs in one of them and may block; more threads are started, up to a limit,
/// while all are busy and something is due. An exception ends only the task that threw it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <queue>
#include <thread>
#include <vector>

namespace smtpd::support {

class Waker {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Task = std::function<void()>;
    using Report = std::function<void(std::exception_ptr)>;

    /// `report` is called with the exception of a task, by the thread that ran it.
    Waker(unsigned max_threads, Report report) : max_threads_(max_threads), report_(std::move(report)) {
        watched_.reserve(max_threads);
    }
    ~Waker() { stop(); }

    /// Runs `task` at that time or soon after. Thread-safe.
    void at(Time time, Task task);
    /// Runs `task` every second, until stop().
    void every_second(Task task);
    /// Ends all threads and discards tasks that were not due. Waits for running tasks.
    void stop();

private:
    struct Entry {
        Time time;
        std::uint64_t order;
        std::shared_ptr<Task> task;
        bool operator>(const Entry& other) const noexcept {
            return time != other.time ? time > other.time : order > other.order;
        }
    };
    /// A task that runs every second. Scheduling it again needs no memory, so it always continues.
    struct Routine {
        Time time;
        std::shared_ptr<Task> task;
        bool is_running = false;
    };
    static constexpr auto none = static_cast<std::size_t>(-1);
    Time next_time_locked() const noexcept;
    std::shared_ptr<Task> due_task_locked(std::size_t& routine);
    void add_thread_locked();
    void wait_locked(std::unique_lock<std::mutex>& lock);
    bool is_watched_locked(Time time) const noexcept;
    void run();
    void run(const Task& task) const noexcept;

    const unsigned max_threads_;
    const Report report_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> entries_;
    std::vector<Routine> routines_;
    std::vector<std::thread> threads_;
    unsigned idle_ = 0;
    std::vector<Time> watched_;  ///< when the idle threads will wake up by themselves
    std::uint64_t order_ = 0;
    bool stopping_ = false;
};

}  // namespace smtpd::support
