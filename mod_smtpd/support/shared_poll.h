/// shared_poll.h: threads that wait for their sockets for a moment let one of them poll for all.
///
/// A thread for each socket, blocked until the next line of a dialogue, costs two switches of threads for every line,
/// and they cost more than the line. Here one of the waiting threads leads: it polls for all and does what comes with
/// input, also for the others, which sleep. A thread goes on by itself when its guest says so, or when nothing came for
/// a while; if it was the leader, another is appointed.
///
/// Something else than input may be what a guest waits for: room in its socket for what it has to send, or what another
/// thread has for it (the answers of the DNS), which rings for the guest; then it is served as if input had come. A
/// guest that another thread works on is not polled until that thread resumes it.
///
/// A guest that blocks in serve() holds up the others only until the deputy, a sleeping thread that looks up now and
/// then, takes over. The guest of the thread that is stuck is served by the new leader meanwhile.
#pragma once

#include "support/file_descriptor.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace smtpd::support {

class SharedPoll {
    struct Seat;

public:
    /// What a guest waits for.
    enum class Wish : std::uint8_t {
        owner,  ///< nothing more: its thread has to go on
        input,
        room,  ///< in the socket
        bell   ///< only for resume() or ring()
    };

    class Guest {
    public:
        /// What it waited for is there, or somebody rang. Called by any of the waiting threads, only during wait(),
        /// never by two at a time. Says what next.
        virtual Wish serve() noexcept = 0;

    protected:
        ~Guest() = default;

    private:
        friend class SharedPoll;
        Seat* seat_ = nullptr;  ///< during wait()
        bool is_rung_ = false;  ///< and serve() not called since
    };

    using milliseconds = std::chrono::milliseconds;
    /// Nothing is polled for longer than `patience`; a leader is stuck that does one thing for longer than `stall`.
    /// Throws std::system_error.
    explicit SharedPoll(milliseconds patience, milliseconds stall = milliseconds(10));
    SharedPoll(const SharedPoll&) = delete;
    SharedPoll& operator=(const SharedPoll&) = delete;

    /// True once the guest's serve() wishes for its owner; false once nothing came for `patience`. Meanwhile the
    /// calling thread may serve other guests. Thread-safe.
    bool wait(int descriptor, Guest& guest, Wish wish = Wish::input);
    /// Has the guest served; false if it is not in wait(). Then its next wait() is over at once, and true. Thread-safe.
    bool ring(Guest& guest) noexcept;
    /// The guest, which wished for its bell, can be polled again. If it is not in wait(), the same as ring().
    /// Thread-safe.
    bool resume(Guest& guest, Wish wish) noexcept;

private:
    using Time = std::chrono::steady_clock::time_point;

    /// What a sleeping thread is woken for. The first two end its wait().
    enum class Call : std::uint32_t { go_on, idle, lead, watch, none };

    /// A thread in wait(), on its stack. Guarded by mutex_. One that was called to end its wait() may be gone at once.
    struct Seat {
        Seat(int descriptor, Guest& guest, Wish wish) : descriptor(descriptor), guest(guest), wish(wish) {}
        const int descriptor;
        Guest& guest;
        Wish wish;
        Time last_input{};
        Seat* older = nullptr;
        Seat* newer = nullptr;
        bool is_linked = false;
        bool is_polled = false;  ///< its socket is in the epoll
        bool is_free = true;     ///< not while a leader that was stuck still serves its guest
        bool is_away = false;    ///< its thread is stuck in somebody's serve()
        bool is_queued = false;  ///< among those that were rung for
        Seat* next_rung = nullptr;
        std::atomic<std::uint32_t> call{static_cast<std::uint32_t>(Call::none)};
    };

    /// Says under the lock what a seat is called for, and wakes its thread when the lock is released.
    class Calls {
    public:
        void add(Seat& seat, Call call) noexcept;
        void make() noexcept;

    private:
        std::array<std::atomic<std::uint32_t>*, 16> words_{};
        std::size_t count_ = 0;
    };

    // of those that sleep
    Call enter(Seat& seat);
    static Call sleep(Seat& seat, const milliseconds* limit) noexcept;
    Call watch(Seat& seat);
    void take_over(Seat& deputy, Calls& calls) noexcept;

    // of the one that polls
    Call lead(Seat& self);
    bool serve(Seat& self, Seat& seat, Time now, Call& own);
    bool look_around(Seat& self, Time now, Call& own, int& timeout);
    void kick() noexcept;
    void note_kick() noexcept;
    Call step_back(Seat& self);
    Seat* next_rung() noexcept;

    // under the lock
    void fill_posts(Calls& calls) noexcept;
    Seat* newest_free(const Seat* except) const noexcept;
    bool ring_locked(Guest& guest) noexcept;
    bool begin_polling(Seat& seat, Wish wish) noexcept;
    void end_polling(Seat& seat) noexcept;
    void append(Seat& seat, Time now) noexcept;
    void unlink(Seat& seat) noexcept;
    void remove(Seat& seat) noexcept;
    void queue(Seat& seat) noexcept;
    void take_from_queue(Seat& seat) noexcept;

    const milliseconds patience_;
    const milliseconds stall_;
    const FileDescriptor epoll_;
    const FileDescriptor kick_;  ///< in the epoll: makes the leader look at its own call
    std::mutex mutex_;
    Seat* oldest_ = nullptr;  ///< by their last input
    Seat* newest_ = nullptr;
    Seat* leader_ = nullptr;
    Seat* deputy_ = nullptr;
    Seat* served_ = nullptr;  ///< by the leader, now
    Seat* first_rung_ = nullptr;
    Seat* last_rung_ = nullptr;
    bool may_sleep_ = false;  ///< the leader may be asleep in its poll, and does not see who was rung for
    std::uint64_t services_ = 0;
};

}  // namespace smtpd::support
