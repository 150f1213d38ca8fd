#include "support/leader_poll.h"

#include <cerrno>
#include <ctime>

#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

namespace smtpd::support {
namespace {

/// The maximum number of sockets in the result of one poll: a thread that is appointed leader must not wait for too
/// many.
constexpr int batch = 16;

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, const timespec* limit) noexcept {
    ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, limit, nullptr, 0);
}

void futex_wake(std::atomic<std::uint32_t>* word) noexcept {
    ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace

LeaderPoll::LeaderPoll(milliseconds timeout, milliseconds stall)
    : timeout_(timeout),
      stall_(stall),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      kick_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    if (!epoll_ || !kick_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, kick_.get(), &wanted) != 0)
        throw std::system_error(errno, std::generic_category(), "epoll");
}

bool LeaderPoll::wait(int descriptor, Waiter& waiter, Wish wish) {
    Slot slot(descriptor, waiter, wish);
    Call call = enter(slot);
    for (;;) switch (call) {
            case Call::go_on: return true;
            case Call::idle: return false;
            case Call::lead: call = lead(slot); break;
            case Call::watch: call = watch(slot); break;
            case Call::none: call = sleep(slot, nullptr); break;
        }
}

bool LeaderPoll::signal(Waiter& waiter) noexcept {
    const std::lock_guard lock(mutex_);
    return signal_locked(waiter);
}

bool LeaderPoll::signal_locked(Waiter& waiter) noexcept {
    waiter.is_signalled_ = true;
    if (waiter.slot_ == nullptr) return false;
    queue(*waiter.slot_);
    if (std::exchange(may_sleep_, false)) kick();
    return true;
}

/// Events of the socket wake the leader, so it need not be kicked. If the serve() call in which the waiter asked for
/// the signal has not ended, the waiter is signalled.
bool LeaderPoll::resume(Waiter& waiter, Wish wish) noexcept {
    const std::lock_guard lock(mutex_);
    Slot* const slot = waiter.slot_;
    if (slot == nullptr || slot == served_ || !slot->is_free || wish == Wish::owner) return signal_locked(waiter);
    if (!begin_polling(*slot, wish)) return signal_locked(waiter);
    unlink(*slot);
    append(*slot, std::chrono::steady_clock::now());
    return true;
}

// ---- sleeping threads

LeaderPoll::Call LeaderPoll::enter(Slot& slot) {
    const std::lock_guard lock(mutex_);
    if (std::exchange(slot.waiter.is_signalled_, false)) return Call::go_on;
    if (!begin_polling(slot, slot.wish)) return Call::idle;
    slot.waiter.slot_ = &slot;
    append(slot, std::chrono::steady_clock::now());
    if (leader_ == nullptr) {
        leader_ = &slot;
        return Call::lead;
    }
    if (deputy_ == nullptr) {
        deputy_ = &slot;
        return Call::watch;
    }
    return Call::none;
}

/// Sleeps until the slot is called, or the limit has passed.
LeaderPoll::Call LeaderPoll::sleep(Slot& slot, const milliseconds* limit) noexcept {
    constexpr auto none = static_cast<std::uint32_t>(Call::none);
    timespec time{};
    if (limit != nullptr) time = {limit->count() / 1000, static_cast<long>(limit->count() % 1000 * 1000000)};
    while (slot.call.load(std::memory_order_relaxed) == none) {
        futex_wait(slot.call, none, limit != nullptr ? &time : nullptr);
        if (limit != nullptr) break;
    }
    return static_cast<Call>(slot.call.exchange(none, std::memory_order_acquire));
}

/// The deputy's sleep. A leader that is found in the same operation twice is stuck in it.
LeaderPoll::Call LeaderPoll::watch(Slot& slot) {
    const Slot* seen = nullptr;
    std::uint64_t services = 0;
    for (;;) {
        if (const Call call = sleep(slot, &stall_); call != Call::none) return call;
        Calls calls;
        {
            const std::lock_guard lock(mutex_);
            if (deputy_ != &slot) return Call::none;  // called for another purpose a moment ago
            if (served_ == nullptr || served_ != seen || services_ != services) {
                seen = served_;
                services = services_;
                continue;
            }
            take_over(slot, calls);
        }
        calls.make();
        return Call::lead;
    }
}

void LeaderPoll::take_over(Slot& deputy, Calls& calls) noexcept {
    end_polling(*served_);  // until the operation in which it is stuck ends
    served_->is_free = false;
    served_ = nullptr;
    leader_->is_away = true;
    leader_ = &deputy;
    deputy_ = nullptr;
    fill_posts(calls);
}

// ---- the leader

LeaderPoll::Call LeaderPoll::lead(Slot& self) {
    epoll_event events[batch];
    Call own = Call::none;
    for (int timeout = 0;;) {
        const int count = ::epoll_wait(epoll_.get(), events, batch, timeout);
        const Time now = std::chrono::steady_clock::now();
        for (int i = 0; i < count; ++i) {  // the next leader gets the remaining events
            auto* const slot = static_cast<Slot*>(events[i].data.ptr);
            if (slot == nullptr) note_kick();
            else if (!serve(self, *slot, now, own)) return own != Call::none ? own : step_back(self);
        }
        for (int i = 0; i < batch; ++i) {
            Slot* const slot = next_signalled();
            if (slot == nullptr) break;
            if (!serve(self, *slot, now, own)) return own != Call::none ? own : step_back(self);
        }
        if (!look_around(self, now, own, timeout)) return own;
    }
}

/// False if this thread is no longer the leader: its own wait is over (`own`), or the deputy has taken over.
bool LeaderPoll::serve(Slot& self, Slot& slot, Time now, Call& own) {
    {
        const std::lock_guard lock(mutex_);
        served_ = &slot;
        ++services_;
    }
    const Wish wish = slot.waiter.serve();
    const bool stays = wish != Wish::owner;
    Calls calls;
    bool leads = false;
    {
        const std::lock_guard lock(mutex_);
        leads = leader_ == &self;
        if (leads) served_ = nullptr;
        slot.is_free = true;
        if (stays && begin_polling(slot, wish)) {
            unlink(slot);
            append(slot, now);
            if (slot.waiter.is_signalled_) queue(slot);
            if (slot.is_queued && !leads) kick();
            return leads;
        }
        remove(slot);
        const Call call = stays ? Call::idle : Call::go_on;
        if (&slot == &self) own = call;
        else calls.add(slot, call);
        if (&slot == leader_ && !leads) kick();  // it is polling, and does not check
        if (leads && own != Call::none) leader_ = nullptr;
        leads = leader_ == &self;
        fill_posts(calls);
    }
    calls.make();
    return leads;
}

/// Ends the waits of the waiters for which nothing came. False if the leader's own wait is over.
bool LeaderPoll::look_around(Slot& self, Time now, Call& own, int& timeout) {
    Calls calls;
    {
        const std::lock_guard lock(mutex_);
        own = static_cast<Call>(self.call.exchange(static_cast<std::uint32_t>(Call::none), std::memory_order_acquire));
        while (oldest_ != nullptr && now - oldest_->last_input >= timeout_) {
            Slot& idle = *oldest_;
            unlink(idle);
            append(idle, now);
            if (!idle.is_free || idle.is_away) continue;  // away: its own thread could not continue with it
            remove(idle);
            if (&idle == &self) own = Call::idle;
            else calls.add(idle, Call::idle);
        }
        if (own != Call::none) leader_ = nullptr;
        else if (first_signalled_ != nullptr) timeout = 0;
        else timeout = static_cast<int>(std::chrono::ceil<milliseconds>(oldest_->last_input + timeout_ - now).count());
        may_sleep_ = own == Call::none && timeout > 0;
        fill_posts(calls);
    }
    calls.make();
    return own == Call::none;
}

/// The next signalled waiter to serve. If another thread has not ended serving it, it is signalled again then.
LeaderPoll::Slot* LeaderPoll::next_signalled() noexcept {
    const std::lock_guard lock(mutex_);
    may_sleep_ = false;
    while (first_signalled_ != nullptr) {
        Slot& slot = *first_signalled_;
        take_from_queue(slot);
        if (!slot.is_free) continue;
        slot.waiter.is_signalled_ = false;
        return &slot;
    }
    return nullptr;
}

/// Makes the leader check its state.
void LeaderPoll::kick() noexcept {
    const std::uint64_t once = 1;
    static_cast<void>(!::write(kick_.get(), &once, sizeof once));
}

void LeaderPoll::note_kick() noexcept {
    std::uint64_t count = 0;
    static_cast<void>(!::read(kick_.get(), &count, sizeof count));
}

/// The deputy leads now. If this slot was called meanwhile, it notices that in its sleep.
LeaderPoll::Call LeaderPoll::step_back(Slot& self) {
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

/// Fills as many roles as there are threads for: leader first.
void LeaderPoll::fill_posts(Calls& calls) noexcept {
    if (leader_ == nullptr) {
        leader_ = newest_free(deputy_);
        if (leader_ == nullptr) leader_ = std::exchange(deputy_, nullptr);
        if (leader_ == nullptr) return;
        calls.add(*leader_, Call::lead);
    }
    if (deputy_ == nullptr && (deputy_ = newest_free(leader_)) != nullptr) calls.add(*deputy_, Call::watch);
}

LeaderPoll::Slot* LeaderPoll::newest_free(const Slot* except) const noexcept {
    for (Slot* slot = newest_; slot != nullptr; slot = slot->older)
        if (slot != except && !slot->is_away) return slot;
    return nullptr;
}

/// False if that is impossible.
bool LeaderPoll::begin_polling(Slot& slot, Wish wish) noexcept {
    const bool is_as_before = slot.is_polled && slot.wish == wish;
    slot.wish = wish;
    if (is_as_before) return true;
    if (wish == Wish::signal) {
        end_polling(slot);
        return true;
    }
    epoll_event wanted{};
    wanted.events = wish == Wish::room ? EPOLLOUT : EPOLLIN;
    wanted.data.ptr = &slot;
    const bool was_polled = slot.is_polled;
    slot.is_polled = ::epoll_ctl(epoll_.get(), was_polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, slot.descriptor, &wanted) ==
                     0;
    return slot.is_polled;
}

void LeaderPoll::end_polling(Slot& slot) noexcept {
    if (slot.is_polled) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, slot.descriptor, nullptr);
    slot.is_polled = false;
}

void LeaderPoll::remove(Slot& slot) noexcept {
    end_polling(slot);
    unlink(slot);
    take_from_queue(slot);
    slot.waiter.slot_ = nullptr;
    if (deputy_ == &slot) deputy_ = nullptr;
}

void LeaderPoll::queue(Slot& slot) noexcept {
    if (std::exchange(slot.is_queued, true)) return;
    slot.next_signalled = nullptr;
    (last_signalled_ != nullptr ? last_signalled_->next_signalled : first_signalled_) = &slot;
    last_signalled_ = &slot;
}

/// The slot is nearly always the first one.
void LeaderPoll::take_from_queue(Slot& slot) noexcept {
    if (!std::exchange(slot.is_queued, false)) return;
    Slot* before = nullptr;
    for (Slot* other = first_signalled_; other != &slot; other = other->next_signalled) before = other;
    (before != nullptr ? before->next_signalled : first_signalled_) = slot.next_signalled;
    if (last_signalled_ == &slot) last_signalled_ = before;
}

void LeaderPoll::append(Slot& slot, Time now) noexcept {
    slot.last_input = now;
    slot.older = newest_;
    slot.newer = nullptr;
    (newest_ != nullptr ? newest_->newer : oldest_) = &slot;
    newest_ = &slot;
    slot.is_linked = true;
}

void LeaderPoll::unlink(Slot& slot) noexcept {
    (slot.older != nullptr ? slot.older->newer : oldest_) = slot.newer;
    (slot.newer != nullptr ? slot.newer->older : newest_) = slot.older;
    slot.is_linked = false;
}

// ---- calling

void LeaderPoll::Calls::add(Slot& slot, Call call) noexcept {
    if (count_ == words_.size()) make();
    words_[count_++] = &slot.call;
    slot.call.store(static_cast<std::uint32_t>(call), std::memory_order_release);
}

/// A thread may have seen its call already and be gone; waking another thread that sleeps at that address now does no
/// harm.
void LeaderPoll::Calls::make() noexcept {
    while (count_ > 0) futex_wake(words_[--count_]);
}

}  // namespace smtpd::support
