/// fair_process_lock.h: a lock between processes that is granted roughly in the order of the requests.
///
/// SQLite lets a process wait for its write lock by trying again from time to time. If another process releases the
/// lock and takes it again at once, such an attempt hardly ever succeeds. Two mutexes prevent that: a process holds the
/// outer mutex until it has the inner one. So only one process at a time waits for the inner mutex, and a process that
/// releases the lock queues behind those that wait.
///
/// The lock only keeps order. SQLite's own lock guards the data, also against processes that do not use this one:
/// another program, another generation of children. So nothing needs to be repaired after a process was killed while it
/// held the lock.
#pragma once

#include "support/process_mutex.h"

namespace smtpd::store {

class FairProcessLock {
public:
    using Time = support::ProcessMutex::Time;

    /// Creates the lock in memory that this process shares with those it forks from now on; null if there is no memory.
    static FairProcessLock* map() noexcept;
    static void unmap(FairProcessLock* lock) noexcept;

    /// False if the lock is not granted by then.
    bool lock_until(Time limit) noexcept {
        if (!take(outer_, limit)) return false;
        const bool has_lock = take(inner_, limit);
        outer_.unlock();
        return has_lock;
    }
    /// Takes the lock if no process holds it or waits for it.
    bool try_lock() noexcept {
        if (!settle(outer_, outer_.try_lock())) return false;
        const bool has_lock = settle(inner_, inner_.try_lock());
        outer_.unlock();
        return has_lock;
    }
    void unlock() noexcept { inner_.unlock(); }

    /// Holds the lock for the length of a scope. Without a lock (null) it always succeeds.
    class Guard {
    public:
        Guard(FairProcessLock* lock, Time limit) noexcept
            : process_lock_(lock), has_lock_(lock == nullptr || lock->lock_until(limit)) {}
        ~Guard() {
            if (process_lock_ != nullptr && has_lock_) process_lock_->unlock();
        }
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;
        explicit operator bool() const noexcept { return has_lock_; }

    private:
        FairProcessLock* const process_lock_;
        const bool has_lock_;
    };

private:
    FairProcessLock() = default;
    static bool take(support::ProcessMutex& mutex, Time limit) noexcept {
        return settle(mutex, mutex.lock_until(limit));
    }
    static bool settle(support::ProcessMutex& mutex, support::ProcessMutex::Got got) noexcept {
        if (got == support::ProcessMutex::Got::orphan) mutex.mend();
        return got != support::ProcessMutex::Got::nothing;
    }

    support::ProcessMutex outer_;
    support::ProcessMutex inner_;
};

}  // namespace smtpd::store
