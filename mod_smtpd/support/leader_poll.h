/// leader_poll.h: threads that wait for their sockets for a moment let one of them poll for all (leader/followers).
///
/// With one blocked thread for each socket, every line of a dialogue costs two thread switches, which cost more than
/// the line. Here one of the waiting threads leads: it polls for all and serves the waiters with input, also for the
/// other threads, which sleep. A thread continues when its waiter requests it, or when nothing came for a while; if it
/// was the leader, another thread becomes the leader.
///
/// A waiter may wait for something other than input: for room in its socket, or for another thread (DNS answers), which
/// signals the waiter; then it is served as if input had come. A waiter that another thread works on is not polled
/// until that thread resumes it.
///
/// A waiter that blocks in serve() delays the others only until the deputy, a sleeping thread that wakes up regularly,
/// takes over. The new leader serves the waiter of the stuck thread meanwhile.
#pragma once

#include "support/file_descriptor.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace smtpd::support {

class LeaderPoll {
    struct Slot;

public:
    /// What a waiter waits for.
    enum class Wish : std::uint8_t {
        owner,  ///< nothing more: its thread must continue
        input,
        room,   ///< room in the socket
        signal  ///< only resume() or signal()
    };

    class Waiter {
    public:
        /// The awaited event has come, or another thread called signal(). Called by any of the waiting threads, only
        /// during wait(), never by two at the same time. Returns what to wait for next.
        virtual Wish serve() noexcept = 0;

    protected:
        ~Waiter() = default;

    private:
        friend class LeaderPoll;
        Slot* slot_ = nullptr;       ///< during wait()
        bool is_signalled_ = false;  ///< and serve() was not called since then
    };

    using milliseconds = std::chrono::milliseconds;
    /// No waiter is polled for longer than `timeout`; a leader counts as stuck when one operation takes longer than
    /// `stall`. Throws std::system_error.
    explicit LeaderPoll(milliseconds timeout, milliseconds stall = milliseconds(10));
    LeaderPoll(const LeaderPoll&) = delete;
    LeaderPoll& operator=(const LeaderPoll&) = delete;

    /// True when the waiter's serve() returns `owner`; false when nothing came for `timeout`. Meanwhile the calling
    /// thread may serve other waiters. Thread-safe.
    bool wait(int descriptor, Waiter& waiter, Wish wish = Wish::input);
    /// Has the waiter served; false if it is not in wait(). Then its next wait() returns true at once. Thread-safe.
    bool signal(Waiter& waiter) noexcept;
    /// A waiter that waited for a signal can be polled again. If it is not in wait(), the same as signal().
    /// Thread-safe.
    bool resume(Waiter& waiter, Wish wish) noexcept;

private:
    using Time = std::chrono::steady_clock::time_point;

    /// Why a sleeping thread is woken. The first two end its wait().
    enum class Call : std::uint32_t { go_on, idle, lead, watch, none };

    /// A thread in wait(), on its stack. Guarded by mutex_. After the call that ends its wait(), it may disappear at
    /// once.
    struct Slot {
        Slot(int descriptor, Waiter& waiter, Wish wish) : descriptor(descriptor), waiter(waiter), wish(wish) {}
        const int descriptor;
        Waiter& waiter;
        Wish wish;
        Time last_input{};
        Slot* older = nullptr;
        Slot* newer = nullptr;
        bool is_linked = false;
        bool is_polled = false;  ///< its socket is in the epoll
        bool is_free = true;     ///< false while a leader that was stuck still serves its waiter
        bool is_away = false;    ///< its thread is stuck in the serve() of a waiter
        bool is_queued = false;  ///< in the queue of those that were signalled
        Slot* next_signalled = nullptr;
        std::atomic<std::uint32_t> call{static_cast<std::uint32_t>(Call::none)};
    };

    /// Sets a slot's call under the lock, and wakes its thread after the lock is released.
    class Calls {
    public:
        void add(Slot& slot, Call call) noexcept;
        void make() noexcept;

    private:
        std::array<std::atomic<std::uint32_t>*, 16> words_{};
        std::size_t count_ = 0;
    };

    // sleeping threads
    Call enter(Slot& slot);
    static Call sleep(Slot& slot, const milliseconds* limit) noexcept;
    Call watch(Slot& slot);
    void take_over(Slot& deputy, Calls& calls) noexcept;

    // the leader
    Call lead(Slot& self);
    bool serve(Slot& self, Slot& slot, Time now, Call& own);
    bool look_around(Slot& self, Time now, Call& own, int& timeout);
    void kick() noexcept;
    void note_kick() noexcept;
    Call step_back(Slot& self);
    Slot* next_signalled() noexcept;

    // under the lock
    void fill_posts(Calls& calls) noexcept;
    Slot* newest_free(const Slot* except) const noexcept;
    bool signal_locked(Waiter& waiter) noexcept;
    bool begin_polling(Slot& slot, Wish wish) noexcept;
    void end_polling(Slot& slot) noexcept;
    void append(Slot& slot, Time now) noexcept;
    void unlink(Slot& slot) noexcept;
    void remove(Slot& slot) noexcept;
    void queue(Slot& slot) noexcept;
    void take_from_queue(Slot& slot) noexcept;

    const milliseconds timeout_;
    const milliseconds stall_;
    const FileDescriptor epoll_;
    const FileDescriptor kick_;  ///< in the epoll: makes the leader check its own call
    std::mutex mutex_;
    Slot* oldest_ = nullptr;  ///< by their last input
    Slot* newest_ = nullptr;
    Slot* leader_ = nullptr;
    Slot* deputy_ = nullptr;
    Slot* served_ = nullptr;  ///< by the leader, now
    Slot* first_signalled_ = nullptr;
    Slot* last_signalled_ = nullptr;
    bool may_sleep_ = false;  ///< the leader may be asleep in its poll, and not see signals
    std::uint64_t services_ = 0;
};

}  // namespace smtpd::support
