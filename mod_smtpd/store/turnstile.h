/// turnstile.h: order among processes that want the same thing at the same time and would take it from under each
/// other's nose.
///
/// SQLite lets a process wait for its write lock by looking again from time to time; another one that lets go of it and
/// takes it at once again is hardly ever caught without it. Two mutexes mend that: whoever wants in has to hold the
/// outer one until it has the inner one, so there is never more than one who waits for the inner one, and whoever has
/// just left is behind it.
///
/// It is a courtesy and guards nothing: who does not go through it (another program, another generation of children)
/// has SQLite's lock to respect. So there is nothing to mend where a process was killed in it.
#pragma once

#include "support/process_mutex.h"

namespace smtpd::store {

class Turnstile {
public:
    using Time = support::ProcessMutex::Time;

    /// In memory that processes forked from now on share with this one; null where there is none to be had.
    static Turnstile* map() noexcept;
    static void unmap(Turnstile* turnstile) noexcept;

    /// False if one's turn did not come by then.
    bool enter(Time limit) noexcept {
        if (!take(outer_, limit)) return false;
        const bool is_in = take(inner_, limit);
        outer_.unlock();
        return is_in;
    }
    /// Enters if nobody is in, or waits.
    bool try_enter() noexcept {
        if (!settle(outer_, outer_.try_lock())) return false;
        const bool is_in = settle(inner_, inner_.try_lock());
        outer_.unlock();
        return is_in;
    }
    void leave() noexcept { inner_.unlock(); }

    /// Enters for the length of a scope; where there is no turnstile, the way is free.
    class Turn {
    public:
        Turn(Turnstile* turnstile, Time limit) noexcept
            : turnstile_(turnstile), is_in_(turnstile == nullptr || turnstile->enter(limit)) {}
        ~Turn() {
            if (turnstile_ != nullptr && is_in_) turnstile_->leave();
        }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        explicit operator bool() const noexcept { return is_in_; }

    private:
        Turnstile* const turnstile_;
        const bool is_in_;
    };

private:
    Turnstile() = default;
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
