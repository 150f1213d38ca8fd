#include "support/waker.h"

#include <algorithm>
#include <csignal>
#include <system_error>

namespace smtpd::support {

void Waker::at(Time time, Task task) {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    const bool is_first = entries_.empty() || time < entries_.top().time;
    entries_.push({time, order_++, std::make_shared<Task>(std::move(task))});
    if (idle_ == 0) add_thread_locked();
    if (is_first) changed_.notify_one();
}

void Waker::every_second(Task task) {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    routines_.push_back({Time::clock::now() + std::chrono::seconds(1), std::make_shared<Task>(std::move(task))});
    if (idle_ == 0) add_thread_locked();
    changed_.notify_one();
}

/// When the next task is due.
Waker::Time Waker::next_time_locked() const noexcept {
    Time next = entries_.empty() ? Time::max() : entries_.top().time;
    for (const auto& routine : routines_)
        if (!routine.is_running) next = std::min(next, routine.time);
    return next;
}

/// Takes a due task; null if there is none. `routine`: the index of the routine, or none.
std::shared_ptr<Waker::Task> Waker::due_task_locked(std::size_t& routine) {
    const Time now = Time::clock::now();
    for (routine = 0; routine < routines_.size(); ++routine) {
        Routine& one = routines_[routine];
        if (one.is_running || one.time > now) continue;
        one.is_running = true;
        return one.task;
    }
    routine = none;
    if (entries_.empty() || now < entries_.top().time) return nullptr;
    auto task = entries_.top().task;
    entries_.pop();
    return task;
}

/// Blocks all signals, so that the new thread inherits that.
void Waker::add_thread_locked() {
    if (threads_.size() >= max_threads_) return;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        threads_.emplace_back([this] { run(); });
    } catch (const std::system_error&) {
        // the threads that there are will get to it
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

/// An idle thread waits for the currently next task, or for the notification of an earlier one.
void Waker::wait_locked(std::unique_lock<std::mutex>& lock) {
    const Time next = next_time_locked();
    if (next <= Time::clock::now()) return;
    watched_.push_back(next);
    ++idle_;
    if (next == Time::max()) changed_.wait(lock);
    else changed_.wait_until(lock, next);
    --idle_;
    watched_.erase(std::find(watched_.begin(), watched_.end(), next));
}

/// Whether an idle thread will wake up in time by itself.
bool Waker::is_watched_locked(Time time) const noexcept {
    return std::any_of(watched_.begin(), watched_.end(), [time](Time watched) { return watched <= time; });
}

void Waker::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        wait_locked(lock);
        std::size_t routine = none;
        const auto task = stopping_ ? nullptr : due_task_locked(routine);
        if (!task) continue;
        // Another thread must watch the next task while this one works; waking one for that costs more than most tasks.
        if (const Time next = next_time_locked(); next != Time::max() && !is_watched_locked(next)) {
            if (idle_ == 0) add_thread_locked();
            changed_.notify_one();
        }
        lock.unlock();
        run(*task);
        lock.lock();
        if (routine == none) continue;
        routines_[routine].is_running = false;
        routines_[routine].time = Time::clock::now() + std::chrono::seconds(1);
    }
}

void Waker::run(const Task& task) const noexcept {
    try {
        task();
    } catch (...) { report_(std::current_exception()); }
}

void Waker::stop() {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        stopping_ = true;
        changed_.notify_all();
    }
    for (auto& thread : threads_) thread.join();
    const std::lock_guard lock(mutex_);
    threads_.clear();
    entries_ = {};
    routines_.clear();
}

}  // namespace smtpd::support
