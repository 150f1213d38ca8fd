#include "support/shared_poll.h"

#include <cerrno>
#include <ctime>

#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

namespace smtpd::support {
namespace {

/// A single poll reports no more sockets than this: those that wait for a leader of many are not to wait for all of
/// them.
constexpr int batch = 16;

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, const timespec* limit) noexcept {
    ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, limit, nullptr, 0);
}

void futex_wake(std::atomic<std::uint32_t>* word) noexcept {
    ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace

SharedPoll::SharedPoll(milliseconds patience, milliseconds stall)
    : patience_(patience),
      stall_(stall),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      kick_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    if (!epoll_ || !kick_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, kick_.get(), &wanted) != 0)
        throw std::system_error(errno, std::generic_category(), "epoll");
}

bool SharedPoll::wait(int descriptor, Guest& guest, Wish wish) {
    Seat seat(descriptor, guest, wish);
    Call call = enter(seat);
    for (;;) switch (call) {
            case Call::go_on: return true;
            case Call::idle: return false;
            case Call::lead: call = lead(seat); break;
            case Call::watch: call = watch(seat); break;
            case Call::none: call = sleep(seat, nullptr); break;
        }
}

bool SharedPoll::ring(Guest& guest) noexcept {
    const std::lock_guard lock(mutex_);
    return ring_locked(guest);
}

bool SharedPoll::ring_locked(Guest& guest) noexcept {
    guest.is_rung_ = true;
    if (guest.seat_ == nullptr) return false;
    queue(*guest.seat_);
    if (std::exchange(may_sleep_, false)) kick();
    return true;
}

/// What happens to the socket wakes the leader, so it need not be kicked. If the service in which the guest wished for
/// the bell is not over, it is rung for.
bool SharedPoll::resume(Guest& guest, Wish wish) noexcept {
    const std::lock_guard lock(mutex_);
    Seat* const seat = guest.seat_;
    if (seat == nullptr || seat == served_ || !seat->is_free || wish == Wish::owner) return ring_locked(guest);
    if (!begin_polling(*seat, wish)) return ring_locked(guest);
    unlink(*seat);
    append(*seat, std::chrono::steady_clock::now());
    return true;
}

// ---- those that sleep

SharedPoll::Call SharedPoll::enter(Seat& seat) {
    const std::lock_guard lock(mutex_);
    if (std::exchange(seat.guest.is_rung_, false)) return Call::go_on;
    if (!begin_polling(seat, seat.wish)) return Call::idle;
    seat.guest.seat_ = &seat;
    append(seat, std::chrono::steady_clock::now());
    if (leader_ == nullptr) {
        leader_ = &seat;
        return Call::lead;
    }
    if (deputy_ == nullptr) {
        deputy_ = &seat;
        return Call::watch;
    }
    return Call::none;
}

/// Until the seat is called, or the limit is over.
SharedPoll::Call SharedPoll::sleep(Seat& seat, const milliseconds* limit) noexcept {
    constexpr auto none = static_cast<std::uint32_t>(Call::none);
    timespec time{};
    if (limit != nullptr) time = {limit->count() / 1000, static_cast<long>(limit->count() % 1000 * 1000000)};
    while (seat.call.load(std::memory_order_relaxed) == none) {
        futex_wait(seat.call, none, limit != nullptr ? &time : nullptr);
        if (limit != nullptr) break;
    }
    return static_cast<Call>(seat.call.exchange(none, std::memory_order_acquire));
}

/// The deputy's sleep. A leader that is found at the same thing twice is stuck in it.
SharedPoll::Call SharedPoll::watch(Seat& seat) {
    const Seat* seen = nullptr;
    std::uint64_t services = 0;
    for (;;) {
        if (const Call call = sleep(seat, &stall_); call != Call::none) return call;
        Calls calls;
        {
            const std::lock_guard lock(mutex_);
            if (deputy_ != &seat) return Call::none;  // called to something else a moment ago
            if (served_ == nullptr || served_ != seen || services_ != services) {
                seen = served_;
                services = services_;
                continue;
            }
            take_over(seat, calls);
        }
        calls.make();
        return Call::lead;
    }
}

void SharedPoll::take_over(Seat& deputy, Calls& calls) noexcept {
    end_polling(*served_);  // until what it is stuck in is over
    served_->is_free = false;
    served_ = nullptr;
    leader_->is_away = true;
    leader_ = &deputy;
    deputy_ = nullptr;
    fill_posts(calls);
}

// ---- the one that polls

SharedPoll::Call SharedPoll::lead(Seat& self) {
    epoll_event events[batch];
    Call own = Call::none;
    for (int timeout = 0;;) {
        const int count = ::epoll_wait(epoll_.get(), events, batch, timeout);
        const Time now = std::chrono::steady_clock::now();
        for (int i = 0; i < count; ++i) {  // whoever leads next is told of those that are left
            auto* const seat = static_cast<Seat*>(events[i].data.ptr);
            if (seat == nullptr) note_kick();
            else if (!serve(self, *seat, now, own)) return own != Call::none ? own : step_back(self);
        }
        for (int i = 0; i < batch; ++i) {
            Seat* const seat = next_rung();
            if (seat == nullptr) break;
            if (!serve(self, *seat, now, own)) return own != Call::none ? own : step_back(self);
        }
        if (!look_around(self, now, own, timeout)) return own;
    }
}

/// False when this thread is no longer the leader: its own wait is over (`own`), or the deputy has taken over.
bool SharedPoll::serve(Seat& self, Seat& seat, Time now, Call& own) {
    {
        const std::lock_guard lock(mutex_);
        served_ = &seat;
        ++services_;
    }
    const Wish wish = seat.guest.serve();
    const bool stays = wish != Wish::owner;
    Calls calls;
    bool leads = false;
    {
        const std::lock_guard lock(mutex_);
        leads = leader_ == &self;
        if (leads) served_ = nullptr;
        seat.is_free = true;
        if (stays && begin_polling(seat, wish)) {
            unlink(seat);
            append(seat, now);
            if (seat.guest.is_rung_) queue(seat);
            if (seat.is_queued && !leads) kick();
            return leads;
        }
        remove(seat);
        const Call call = stays ? Call::idle : Call::go_on;
        if (&seat == &self) own = call;
        else calls.add(seat, call);
        if (&seat == leader_ && !leads) kick();  // it polls, and does not look
        if (leads && own != Call::none) leader_ = nullptr;
        leads = leader_ == &self;
        fill_posts(calls);
    }
    calls.make();
    return leads;
}

/// Ends the wait of those for whom nothing came. False when the leader's own is over.
bool SharedPoll::look_around(Seat& self, Time now, Call& own, int& timeout) {
    Calls calls;
    {
        const std::lock_guard lock(mutex_);
        own = static_cast<Call>(self.call.exchange(static_cast<std::uint32_t>(Call::none), std::memory_order_acquire));
        while (oldest_ != nullptr && now - oldest_->last_input >= patience_) {
            Seat& idle = *oldest_;
            unlink(idle);
            append(idle, now);
            if (!idle.is_free || idle.is_away) continue;  // away: its own thread could not go on with it
            remove(idle);
            if (&idle == &self) own = Call::idle;
            else calls.add(idle, Call::idle);
        }
        if (own != Call::none) leader_ = nullptr;
        else if (first_rung_ != nullptr) timeout = 0;
        else timeout = static_cast<int>(std::chrono::ceil<milliseconds>(oldest_->last_input + patience_ - now).count());
        may_sleep_ = own == Call::none && timeout > 0;
        fill_posts(calls);
    }
    calls.make();
    return own == Call::none;
}

/// Who is to be served next of those that were rung for. One whose service has not ended elsewhere is rung for again
/// then.
SharedPoll::Seat* SharedPoll::next_rung() noexcept {
    const std::lock_guard lock(mutex_);
    may_sleep_ = false;
    while (first_rung_ != nullptr) {
        Seat& seat = *first_rung_;
        take_from_queue(seat);
        if (!seat.is_free) continue;
        seat.guest.is_rung_ = false;
        return &seat;
    }
    return nullptr;
}

/// Makes the leader look around.
void SharedPoll::kick() noexcept {
    const std::uint64_t once = 1;
    static_cast<void>(!::write(kick_.get(), &once, sizeof once));
}

void SharedPoll::note_kick() noexcept {
    std::uint64_t count = 0;
    static_cast<void>(!::read(kick_.get(), &count, sizeof count));
}

/// The deputy leads now. A seat that was called meanwhile finds that in its sleep.
SharedPoll::Call SharedPoll::step_back(Seat& self) {
    const std::lock_guard lock(mutex_);
    self.is_away = false;
    if (!self.is_linked) return Call::none;
    if (leader_ == nullptr) {
        leader_ = &self;
        return Call::lead;
    }
    if (deputy_ == nullptr) {
        deputy_ = &self;
        return Call::watch;
    }
    return Call::none;
}

// ---- under the lock

/// As many posts as there are threads for: leader first.
void SharedPoll::fill_posts(Calls& calls) noexcept {
    if (leader_ == nullptr) {
        leader_ = newest_free(deputy_);
        if (leader_ == nullptr) leader_ = std::exchange(deputy_, nullptr);
        if (leader_ == nullptr) return;
        calls.add(*leader_, Call::lead);
    }
    if (deputy_ == nullptr && (deputy_ = newest_free(leader_)) != nullptr) calls.add(*deputy_, Call::watch);
}

SharedPoll::Seat* SharedPoll::newest_free(const Seat* except) const noexcept {
    for (Seat* seat = newest_; seat != nullptr; seat = seat->older)
        if (seat != except && !seat->is_away) return seat;
    return nullptr;
}

/// False if that is not possible.
bool SharedPoll::begin_polling(Seat& seat, Wish wish) noexcept {
    const bool is_as_before = seat.is_polled && seat.wish == wish;
    seat.wish = wish;
    if (is_as_before) return true;
    if (wish == Wish::bell) {
        end_polling(seat);
        return true;
    }
    epoll_event wanted{};
    wanted.events = wish == Wish::room ? EPOLLOUT : EPOLLIN;
    wanted.data.ptr = &seat;
    const bool was_polled = seat.is_polled;
    seat.is_polled = ::epoll_ctl(epoll_.get(), was_polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, seat.descriptor, &wanted) ==
                     0;
    return seat.is_polled;
}

void SharedPoll::end_polling(Seat& seat) noexcept {
    if (seat.is_polled) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, seat.descriptor, nullptr);
    seat.is_polled = false;
}

void SharedPoll::remove(Seat& seat) noexcept {
    end_polling(seat);
    unlink(seat);
    take_from_queue(seat);
    seat.guest.seat_ = nullptr;
    if (deputy_ == &seat) deputy_ = nullptr;
}

void SharedPoll::queue(Seat& seat) noexcept {
    if (std::exchange(seat.is_queued, true)) return;
    seat.next_rung = nullptr;
    (last_rung_ != nullptr ? last_rung_->next_rung : first_rung_) = &seat;
    last_rung_ = &seat;
}

/// Nearly always it is the first.
void SharedPoll::take_from_queue(Seat& seat) noexcept {
    if (!std::exchange(seat.is_queued, false)) return;
    Seat* before = nullptr;
    for (Seat* other = first_rung_; other != &seat; other = other->next_rung) before = other;
    (before != nullptr ? before->next_rung : first_rung_) = seat.next_rung;
    if (last_rung_ == &seat) last_rung_ = before;
}

void SharedPoll::append(Seat& seat, Time now) noexcept {
    seat.last_input = now;
    seat.older = newest_;
    seat.newer = nullptr;
    (newest_ != nullptr ? newest_->newer : oldest_) = &seat;
    newest_ = &seat;
    seat.is_linked = true;
}

void SharedPoll::unlink(Seat& seat) noexcept {
    (seat.older != nullptr ? seat.older->newer : oldest_) = seat.newer;
    (seat.newer != nullptr ? seat.newer->older : newest_) = seat.older;
    seat.is_linked = false;
}

// ---- calling

void SharedPoll::Calls::add(Seat& seat, Call call) noexcept {
    if (count_ == words_.size()) make();
    words_[count_++] = &seat.call;
    seat.call.store(static_cast<std::uint32_t>(call), std::memory_order_release);
}

/// A thread may have seen its call already and be gone; to wake whoever sleeps at that address now does no harm.
void SharedPoll::Calls::make() noexcept {
    while (count_ > 0) futex_wake(words_[--count_]);
}

}  // namespace smtpd::support
