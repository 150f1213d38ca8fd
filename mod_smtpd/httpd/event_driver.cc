#include "httpd/event_driver.h"

#include "httpd/error_log.h"
#include "httpd/mpm_event.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <new>
#include <thread>

namespace smtpd::httpd {
namespace {

using engine::Step;
using std::chrono::milliseconds;

/// A time further away than this is not given to the waker: the check every second notices it. Sessions that wait for
/// answers have such times, a minute or so, and hardly any of them passes.
constexpr std::chrono::seconds far_away{3};

/// The session's clock shows the last kernel tick, so a time is due for it only this much later.
constexpr milliseconds tick{10};

/// How often in a row the owner waits a moment for the next part of a handshake; a normal client needs a round trip or
/// two.
constexpr unsigned handshake_waits = 3;

/// How long the owner leaves the turn to a thread that should not block; doubled each time, because that thread may be
/// in a plugin that blocks without declaring it.
constexpr std::chrono::microseconds short_turn{50};
constexpr std::chrono::microseconds long_turn{10'000};

}  // namespace

/// The right to work on the session. A wake-up does not wait for it: the thread that holds the turn checks for wake-ups
/// at its end.
class EventDriver::Turn {
public:
    explicit Turn(EventDriver& driver) : driver_(driver), lock_(driver.mutex_) { driver_.is_taken_.store(true); }
    Turn(EventDriver& driver, std::try_to_lock_t try_only) : driver_(driver), lock_(driver.mutex_, try_only) {
        if (lock_) driver_.is_taken_.store(true);
    }
    ~Turn() {
        if (!lock_) return;
        driver_.is_taken_.store(false);
        lock_.unlock();
        try {
            if (driver_.wake_wanted_.load()) driver_.wake_soon();
        } catch (const std::bad_alloc&) {
            // the check every second tries again
        }
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    explicit operator bool() const noexcept { return lock_.owns_lock(); }

private:
    EventDriver& driver_;
    std::unique_lock<std::mutex> lock_;
};

// ---- the work, with the turn

/// Does everything that is possible without waiting, and returns what to wait for. `has_input`: the socket may have
/// input.
EventDriver::Pause EventDriver::advance(Who who, bool has_input) {
    bool may_read = has_input && who != Who::other;
    if (!session_.is_parked()) wake_wanted_.store(false);  // this step covers what it was wanted for
    Pause pause = Pause::closed;
    for (bool goes_on = true; goes_on;) {
        goes_on = false;
        pause = advance_step(who, may_read, goes_on);
    }
    update_row();
    return pause;
}

/// One step. Sets `goes_on` if there is another one.
EventDriver::Pause EventDriver::advance_step(Who who, bool& may_read, bool& goes_on) {
    // Input is either in the socket, where one read takes it, or in a filter, which no poll would report: then
    // read until it has no more.
    const auto reads = [&] {
        const bool is_direct = channel_.is_direct();
        if (who == Who::other || (is_direct && !may_read)) return false;
        may_read = false;
        return read();
    };
    switch (session_.next_step()) {
        case Step::close: return close(who);
        case Step::more:
            if (send() == Channel::Sent::some) return Pause::room;
            session_.resume();
            break;
        case Step::work:
            if (session_.try_work() || (!send_or_abandon() && !session_.has_work())) break;
            hand_over();
            return Pause::work;
        case Step::start_tls:
            if (who != Who::owner) return Pause::owner;
            if (const auto sent = send(); sent == Channel::Sent::some) return Pause::room;
            if (session_.is_over() || advance_handshake() == Handshake::over) break;
            check_handshake();
            if (session_.is_shaking_hands()) return Pause::handshake;
            break;
        case Step::park:
            if (!send_or_abandon()) break;
            if (wake_wanted_.exchange(false)) {
                session_.resume();
                if (!session_.is_parked()) break;
            }
            if (!must_not_be_polled() && reads()) break;
            return Pause::answers;
        case Step::need_input:
            check_limits();
            if (session_.next_step() != Step::need_input) break;
            if ((session_.output().empty() || !channel_.is_direct()) && reads()) break;
            switch (send()) {
                case Channel::Sent::all: return Pause::input;
                case Channel::Sent::some: return Pause::room;
                case Channel::Sent::gone: break;
            }
            break;
    }
    goes_on = true;
    return Pause::closed;
}

/// Sends as much of the output as the client's socket takes. If the client is gone, the session ends.
Channel::Sent EventDriver::send() {
    const auto sent = channel_.try_write(session_.output());
    if (sent == Channel::Sent::some && !is_stuck()) return sent;
    stuck_since_ = {};
    if (sent == Channel::Sent::all) return sent;
    session_.output().clear();
    session_.abandon();
    return Channel::Sent::gone;
}

/// The client takes no more of its replies. It has the server's Timeout for all pending output, however slowly it
/// continues to read.
bool EventDriver::is_stuck() {
    const MonotonicTime now = server_.clock().now();
    if (stuck_since_ == MonotonicTime()) stuck_since_ = now;
    if (now - stuck_since_ <= milliseconds(apr_time_as_msec(connection_->base_server->timeout))) return false;
    ap_log_cerror(APLOG_MARK, APLOG_INFO, 0, connection_, "the client does not read its replies: the session ends");
    connection_->aborted = 1;
    return true;
}

/// Continues the session even if some output is unsent; that goes out later. False if the client is gone.
bool EventDriver::send_or_abandon() { return session_.output().empty() || send() != Channel::Sent::gone; }

/// Sends the last octets. A client that sent QUIT and nothing after it will send nothing more. Other clients may have
/// more on the way, to a socket that would be closed, so httpd waits until they close too; otherwise they might lose
/// the reply.
EventDriver::Pause EventDriver::close(Who who) {
    if (connection_->aborted == 0 && session_.last_command() == smtp::Verb::quit && !channel_.has_octets()) {
        if (who != Who::owner && !channel_.is_direct()) return Pause::owner;
        if (channel_.write_last(session_.output())) return Pause::closed;
    }
    if (send() == Channel::Sent::some) return Pause::room;
    give_up_handshake();
    return Pause::closed;
}

/// Hands the session to a thread of the pool. The caller must end its turn soon afterwards.
void EventDriver::hand_over() {
    {
        const std::lock_guard lock(handover_);
        is_at_work_ = true;
    }
    try {
        ticket_ = child_.pool.submit(
            session_.work_lane(), [self = std::static_pointer_cast<EventDriver>(shared_from_this())] { self->work(); });
        if (session_.work_deadline() - server_.clock().now() < far_away)
            child_.waker.at(session_.work_deadline() + tick, [weak = weak_from_this()] {
                if (const auto self = weak.lock()) static_cast<EventDriver&>(*self).give_up_late_work();
            });
    } catch (...) {
        const std::lock_guard lock(handover_);
        is_at_work_ = false;
        throw;
    }
}

/// Whether this thread may wait for the answers to a parked session: answers have recently come fast, and nothing else
/// is due earlier.
bool EventDriver::may_await_answers() {
    return session_.awaits_answers() && !must_not_be_polled() &&
           session_.wake_at() - server_.clock().now() > Child::linger_time && child_.dns_latency.is_worth_waiting();
}

// ---- the owner

/// The owner does not wait for the turn: the thread that holds it may be blocked on a back end, and may have started
/// that work while the owner waited with the others.
int EventDriver::process() {
    bool has_input = started_;
    bool has_lingered = false;
    unsigned handshakes = 0;
    auto back_off = short_turn;
    for (;;) {
        Pause pause = Pause::closed;
        {
            const Turn turn(*this, std::try_to_lock);
            if (is_left_at_gate()) return wait_for_input(connection_);
            if (!turn) {
                std::this_thread::sleep_for(back_off);
                back_off = std::min(2 * back_off, long_turn);
                continue;
            }
            const ConnectionScope scope(connection_);
            channel_.gate().remove();
            if (fault_) std::rethrow_exception(std::exchange(fault_, nullptr));
            if (!started_) start();
            if (!channel_.is_open()) {  // closed by a stop that does not wait
                session_.abandon();
                give_up_handshake();
                if (session_.has_work()) hand_over();
                pause = Pause::closed;
            } else {
                pause = advance(Who::owner, has_input);
            }
            const bool waits_here = (pause != Pause::answers || may_await_answers()) && !has_lingered &&
                                    child_.may_linger() && pause != Pause::closed &&
                                    (pause != Pause::handshake || handshakes++ < handshake_waits);
            if (!waits_here && pause != Pause::work) return give_back(pause);
            has_lingered = !waits_here;
        }
        has_lingered = has_lingered || !lingers(pause);
        has_input = pause == Pause::handshake && !has_lingered;
        if (pause == Pause::work) has_lingered = false;
    }
}

/// Waits a moment, together with other threads. False if nothing has come for this session.
bool EventDriver::lingers(Pause pause) {
    const Child::Lingering lingering(child_);
    if (pause == Pause::handshake) return channel_.wait(Child::linger_time);
    const Wish wish = pause == Pause::room ? Wish::room : pause == Pause::work ? Wish::signal : Wish::input;
    const bool has_come = child_.leader_poll.wait(channel_.descriptor(), *this, wish);
    if (!has_come && pause == Pause::answers) child_.dns_latency.record(false);
    return has_come;
}

/// Whether another thread works on the session: then the MPM must not call for the connection before that thread is
/// done.
bool EventDriver::is_left_at_gate() {
    const std::lock_guard lock(handover_);
    if (!is_at_work_) return false;
    given_back_ = server_.clock().now();
    // Without a descriptor for the gate, the MPM calls again and again while the client has sent something: no
    // faster than this.
    if (!channel_.gate().install(Gate::Passes::nothing)) std::this_thread::sleep_for(Child::linger_time);
    return true;
}

/// Gives the connection to the MPM, with the turn.
int EventDriver::give_back(Pause pause) {
    switch (pause) {
        case Pause::room: return wait_for_room(connection_);
        case Pause::answers: {
            schedule();
            // If its chain reaches a handler that waits, or nothing may be read, the MPM must not call for the
            // client.
            const bool may_work = !server_.plugins().waits_at().empty();
            given_back_ = server_.clock().now();
            if (must_not_be_polled()) channel_.gate().install(Gate::Passes::nothing);
            else if (may_work) channel_.gate().install(Gate::Passes::input);
            return wait_for_input(connection_);
        }
        case Pause::closed:
        case Pause::owner:
        case Pause::work: connection_->cs->state = CONN_STATE_LINGER; return OK;
        case Pause::input:
        case Pause::handshake: break;
    }
    return wait_for_input(connection_);
}

// ---- the one that polls for all

/// Acts for the owner, which waits in lingers().
EventDriver::Wish EventDriver::serve() noexcept {
    try {
        const Turn turn(*this, std::try_to_lock);
        if (!turn) {
            wake_wanted_.store(true);  // the thread that holds the turn signals again
            return Wish::signal;
        }
        {
            const std::lock_guard lock(handover_);
            if (is_at_work_) return Wish::signal;
        }
        const ConnectionScope scope(connection_);
        if (session_.is_parked() && wake_wanted_.load()) child_.dns_latency.record(true);
        return wish_after(advance(Who::leader, true));
    } catch (...) {
        fault_ = std::current_exception();
        return Wish::owner;
    }
}

EventDriver::Wish EventDriver::wish_after(Pause pause) {
    switch (pause) {
        case Pause::input: return Wish::input;
        case Pause::room: return Wish::room;
        case Pause::answers: return may_await_answers() ? Wish::input : Wish::owner;
        case Pause::work: return Wish::signal;
        default: return Wish::owner;
    }
}

// ---- the pool

/// The owner reports an exception (out of memory): the session ends with it.
void EventDriver::work() {
    try {
        work_now();
    } catch (...) {
        {
            const Turn turn(*this);
            if (!alive_) throw;
            fault_ = std::current_exception();
        }
        end_work(Pause::owner);
    }
}

/// Does this session's blocking work, and continues as far as no input is needed.
void EventDriver::work_now() {
    const Turn turn(*this);
    const ConnectionScope scope(connection_);
    {
        const std::lock_guard lock(handover_);
        if (!is_at_work_) return;  // given up
    }
    support::Lane& first = session_.work_lane();
    session_.do_work();
    while (session_.has_work() && alive_) {
        support::Lane& lane = session_.work_lane();
        const bool is_other = &lane != &first;
        if (is_other && !child_.pool.try_enter(lane)) break;
        session_.do_work();
        if (is_other) child_.pool.leave(lane);
    }
    if (!alive_) {
        while (session_.has_work()) session_.do_work();
        return;
    }
    check_limits();
    Pause pause = Pause::closed;
    {
        const Gate::OwnSocket socket(channel_.gate());
        pause = advance(Who::other, false);
    }
    if (pause != Pause::work) end_work(pause);
}

/// Lets the connection be noticed again by whichever thread will continue it.
void EventDriver::end_work(Pause pause) {
    if (pause == Pause::answers) schedule();
    const Wish wish = pause == Pause::answers ? (must_not_be_polled() ? Wish::signal : Wish::input) : wish_after(pause);
    {
        const std::lock_guard lock(handover_);
        is_at_work_ = false;
        switch (pause) {
            case Pause::input:
            case Pause::handshake: channel_.gate().let(Gate::Passes::input); break;
            case Pause::answers:
                channel_.gate().let(must_not_be_polled() ? Gate::Passes::nothing : Gate::Passes::input);
                break;
            default: channel_.gate().let(Gate::Passes::room); break;
        }
    }
    if (!child_.leader_poll.resume(*this, wish) && (pause == Pause::closed || pause == Pause::owner) &&
        !channel_.gate().is_installed())
        channel_.force_wakeup();
}

/// No thread of the pool was free before the deadline.
void EventDriver::give_up_late_work() {
    const Turn turn(*this, std::try_to_lock);
    if (!turn || !alive_) return;
    {
        const std::lock_guard lock(handover_);
        if (!is_at_work_ || session_.work_deadline() > server_.clock().now() || !child_.pool.cancel(ticket_)) return;
    }
    const ConnectionScope scope(connection_);
    session_.give_up_work();
    Pause pause = Pause::closed;
    {
        const Gate::OwnSocket socket(channel_.gate());
        pause = advance(Who::other, false);
    }
    if (pause != Pause::work) end_work(pause);
}

// ---- the waker

void EventDriver::schedule() {
    if (scheduled_for_ == session_.wake_at() || session_.wake_at() - server_.clock().now() > far_away) return;
    scheduled_for_ = session_.wake_at();
    child_.waker.at(scheduled_for_ + tick, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) static_cast<EventDriver&>(*self).wake();
    });
}

void EventDriver::answers_came() {
    wake_wanted_.store(true);
    if (!child_.leader_poll.signal(*this) && !is_taken_.load()) wake_soon();
}

/// Signals the session if its owner waits in the LeaderPoll; otherwise the waker continues it.
void EventDriver::wake_soon() {
    if (child_.leader_poll.signal(*this)) return;
    child_.waker.at(support::Waker::Time::clock::now(), [weak = weak_from_this()] {
        if (const auto self = weak.lock()) static_cast<EventDriver&>(*self).wake();
    });
}

/// A parked session's time has come, or its answers have. A thread that holds the turn checks by itself when its turn
/// ends.
void EventDriver::wake() {
    wake_wanted_.store(true);
    const Turn turn(*this, std::try_to_lock);
    if (!turn || !wake_wanted_.exchange(false) || !alive_ || !session_.is_parked()) return;
    scheduled_for_ = {};
    const ConnectionScope scope(connection_);
    try {
        session_.resume();
        continue_outside();
    } catch (...) {
        channel_.force_wakeup();  // no other thread would come back to it
        throw;
    }
}

/// Continues a session whose connection the MPM is watching, or whose owner waits with the others: it reads nothing,
/// and leaves closing to the owner.
void EventDriver::continue_outside() {
    Pause pause = Pause::closed;
    {
        const Gate::OwnSocket socket(channel_.gate());
        pause = advance(Who::other, false);
    }
    if (pause != Pause::work) end_work(pause);
    else child_.leader_poll.resume(*this, Wish::signal);
}

void EventDriver::every_second(bool stopping) {
    give_up_late_work();
    const Turn turn(*this, std::try_to_lock);
    if (!turn || !alive_ || !started_ || session_.is_over()) return;
    const ConnectionScope scope(connection_);
    {
        const std::lock_guard lock(handover_);
        // The MPM's own Timeout must not end a connection that other threads work on.
        const auto half_of_timeout = milliseconds(apr_time_as_msec(connection_->base_server->timeout)) / 2;
        if (channel_.gate().is_installed() && server_.clock().now() - given_back_ > half_of_timeout)
            channel_.gate().let(Gate::Passes::room);
        if (is_at_work_ && (!overdue() || !child_.pool.cancel(ticket_))) return;
        is_at_work_ = false;
    }
    if (stopping) session_.stop_soon();
    if (session_.is_shaking_hands()) check_handshake();
    else check_limits();
    if (session_.next_step() == Step::close || session_.has_work() || stuck_since_ != MonotonicTime())
        continue_outside();
    else if (session_.is_parked()) schedule();
}

// ---- the end

/// The MPM closes the connection. If a thread still works on the session, that thread takes longer than the MPM waits;
/// then the session ends with detach().
void EventDriver::before_close() {
    {
        const std::lock_guard lock(handover_);
        if (is_at_work_ && !child_.pool.cancel(ticket_)) return channel_.gate().remove();
        is_at_work_ = false;
    }
    const Turn turn(*this);
    channel_.gate().remove();
    if (!alive_) return;
    const ConnectionScope scope(connection_);
    if (!session_.is_over()) {
        interrupt_at_close();
        static_cast<void>(channel_.try_write(session_.output()));
        give_up_handshake();
    }
    if (!session_.output().empty()) connection_->aborted = 1;  // do not wait to send the rest
}

void EventDriver::detach() {
    child_.remove(*this);
    const Turn turn(*this);
    channel_.gate().remove();
    alive_ = false;
    leave_table();
    const ConnectionScope scope(connection_);
    session_.abandon();
    connection_ = nullptr;
    if (!session_.has_work()) return;
    try {
        hand_over();
    } catch (const std::bad_alloc&) {
        // the session's destructor does it, and waits
    }
}

}  // namespace smtpd::httpd
