/// fair_lock.h: a mutex that is granted in the order of the requests, so that under load all threads wait about equally
/// long. With an ordinary mutex, the thread that has just released it takes it again, and others may wait for seconds.
#pragma once

#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <utility>

namespace smtpd::store {

class FairLock {
public:
    using Time = std::chrono::steady_clock::time_point;

    /// False if the lock is not granted in time.
    bool lock_until(Time limit) {
        std::unique_lock guard(mutex_);
        if (!is_held_) return is_held_ = true;
        Waiter waiter;
        const auto place = waiters_.insert(waiters_.end(), &waiter);
        if (waiter.changed.wait_until(guard, limit, [&] { return waiter.is_next; })) return true;
        waiters_.erase(place);
        return false;
    }
    /// False if another thread holds it.
    bool try_lock() noexcept {
        const std::lock_guard guard(mutex_);
        return !std::exchange(is_held_, true);
    }
    void lock() { lock_until(Time::max()); }
    void unlock() noexcept {
        const std::lock_guard guard(mutex_);
        if (waiters_.empty()) {
            is_held_ = false;
            return;
        }
        Waiter& next = *waiters_.front();  // it is held meanwhile
        waiters_.pop_front();
        next.is_next = true;
        next.changed.notify_one();
    }

private:
    struct Waiter {
        std::condition_variable changed;
        bool is_next = false;
    };

    std::mutex mutex_;  ///< guards the members below, for moments
    std::list<Waiter*> waiters_;
    bool is_held_ = false;
};

}  // namespace smtpd::store
