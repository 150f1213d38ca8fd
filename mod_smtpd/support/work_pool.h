/// work_pool.h: threads for work that blocks: on a socket, a database, a disk, a program.
///
/// The threads that serve clients must not block on these, so a child has additional threads. They are started when
/// there is work for them, up to a limit, and end after a time without work. They block all signals.
///
/// Work is submitted to a lane; there is one for each back end (each plugin instance). A lane has a number of slots,
/// which limits how much of its work runs at the same time: if one back end hangs, the others keep the remaining
/// threads. Lanes with work take turns.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace smtpd::support {

class WorkPool;

/// A queue for the work of one back end. It belongs to one pool at a time, whose lock guards it, and must outlive its
/// work.
class Lane {
public:
    /// At most `places` of its jobs run at the same time; 0: half the threads of the pool.
    explicit Lane(std::string name, unsigned places = 0) : name_(std::move(name)), places_(places) {}
    virtual ~Lane() = default;
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;
    const std::string& name() const noexcept { return name_; }

    /// For back ends that are usually free and fast, so that another thread would cost more than the work. If no other
    /// thread uses the back end, it belongs to the calling thread until let_go(): operations on it then do not wait,
    /// and need not be queued in the lane. Never waits. Thread-safe.
    virtual bool try_hold() noexcept { return false; }
    virtual void let_go() noexcept {}

private:
    friend class WorkPool;
    struct Job;
    const std::string name_;
    const unsigned places_;
    unsigned taken_ = 0;
    bool is_ready_ = false;  ///< in the pool's list of lanes with work and a free slot
    bool is_known_ = false;  ///< in the pool's list of all lanes that ever had work
    std::deque<std::shared_ptr<Job>> jobs_;
};

class WorkPool {
public:
    using Task = std::function<void()>;
    using Report = std::function<void(std::exception_ptr)>;
    using Duration = std::chrono::steady_clock::duration;

    /// `report` is called with the exception of a task, by the thread that ran it. A thread without work for
    /// `idle_time` ends.
    WorkPool(unsigned max_threads, Report report, Duration idle_time = std::chrono::seconds(10));
    ~WorkPool() { stop(); }
    WorkPool(const WorkPool&) = delete;
    WorkPool& operator=(const WorkPool&) = delete;

    /// Identifies submitted work, to cancel it before it begins.
    class Ticket {
    public:
        Ticket() = default;

    private:
        friend class WorkPool;
        std::weak_ptr<Lane::Job> job_;
        Lane* lane_ = nullptr;
    };

    /// Runs `task` in a thread of the pool when the lane has a free slot. Thread-safe. Throws std::bad_alloc; then
    /// nothing was submitted.
    Ticket submit(Lane& lane, Task task);
    /// Cancels the work. False if it has begun (or has ended, or was dropped by stop()). Thread-safe.
    bool cancel(const Ticket& ticket) noexcept;

    /// Takes a slot of the lane for the calling thread, which must belong to the pool, if one is free and no work waits
    /// for it. Thread-safe.
    bool try_enter(Lane& lane) noexcept;
    void leave(Lane& lane) noexcept;

    /// Drops work that has not begun, and waits for running work. Nothing can be submitted afterwards.
    void stop();

    struct Load {
        unsigned threads;     ///< existing threads
        unsigned busy;        ///< threads that are working
        std::size_t waiting;  ///< jobs that have not begun
    };
    Load load() const;
    unsigned max_threads() const noexcept { return max_threads_; }

private:
    unsigned places_of(const Lane& lane) const noexcept;
    bool has_place(const Lane& lane) const noexcept { return lane.taken_ < places_of(lane); }
    void make_ready(Lane& lane) noexcept;
    void call_thread();
    std::shared_ptr<Lane::Job> next_job() noexcept;
    void run(std::list<std::thread>::iterator self);
    bool wait_for_work(std::unique_lock<std::mutex>& lock);
    void join_ended(std::unique_lock<std::mutex>& lock);

    const unsigned max_threads_;
    const Report report_;
    const Duration idle_time_;
    mutable std::mutex mutex_;
    std::condition_variable has_work_;
    std::condition_variable has_ended_;
    std::list<std::thread> threads_;
    std::list<std::thread> ended_;  ///< to be joined
    std::vector<Lane*> known_;
    std::deque<Lane*> ready_;  ///< lanes with work and a free slot, in order of arrival
    std::size_t waiting_ = 0;
    unsigned idle_ = 0;  ///< threads that will check ready_ before they run anything
    bool stopping_ = false;
};

}  // namespace smtpd::support
