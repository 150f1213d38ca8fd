/// event_driver.h: a session that holds no thread while it waits (mpm_event).
///
/// process_connection returns CONN_STATE_ASYNC_WAITIO, and the MPM comes back when there is input, or room for output.
/// A busy connection is not given back at once: its thread waits for a moment with others, of which one polls for all
/// (support/leader_poll.h). So four kinds of threads work on a session, one at a time: the thread that holds
/// the turn.
///
/// - the owner, which the MPM has called. It alone makes handshakes, and gives the connection back to the MPM;
/// - the one that polls for all, while the owner waits with the others;
/// - a thread of the waker, when a time has come or answers of the DNS have;
/// - a thread of the work pool, for what waits for something else. Nobody else waits for the turn meanwhile: who comes
///   finds is_at_work_ and leaves.
///
/// Nobody waits for the client either: what its socket does not take stays in the session's output.
#pragma once

#include "httpd/connection_driver.h"

#include "support/leader_poll.h"
#include "support/work_pool.h"

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>

namespace smtpd::httpd {

class EventDriver final : public ConnectionDriver, private support::LeaderPoll::Waiter {
public:
    EventDriver(conn_rec* connection, Server& server, Child& child, engine::Peer peer, SessionTable::Row row)
        : ConnectionDriver(connection, server, child, std::move(peer), row, true) {}

    int process() override;
    void before_close() override;
    void detach() override;
    void every_second(bool stopping) override;

private:
    using Wish = support::LeaderPoll::Wish;
    class Turn;

    /// Who has the turn.
    enum class Who { owner, leader, other };
    /// What a session waits for when nothing can be done for it now.
    enum class Pause {
        input,
        room,       ///< in the client's socket
        answers,    ///< of the DNS, or the clock
        handshake,  ///< input for it
        work,       ///< of a thread that may wait
        owner,      ///< only its owner can go on
        closed      ///< nothing, any more
    };

    // The work itself, with the turn
    Pause advance(Who who, bool has_input);
    Pause advance_step(Who who, bool& may_read, bool& goes_on);
    Channel::Sent send();
    bool is_stuck();
    bool send_or_abandon();
    Pause close(Who who);
    void hand_over();
    bool must_not_be_polled() const noexcept { return session_.backlog_is_full() || session_.is_at_end_of_input(); }
    bool may_await_answers();

    // The owner
    bool lingers(Pause pause);
    bool is_left_at_gate();
    int give_back(Pause pause);

    // The others
    Wish serve() noexcept override;
    Wish wish_after(Pause pause);
    void work();
    void work_now();
    void end_work(Pause pause);
    void continue_outside();
    void wake();
    void wake_soon();
    void schedule();
    void answers_came() override;
    void give_up_late_work();

    std::mutex mutex_;     ///< the turn
    std::mutex handover_;  ///< guards is_at_work_ and what is done at the gate because of it
    bool is_at_work_ = false;
    support::WorkPool::Ticket ticket_;
    MonotonicTime given_back_{};  ///< to the MPM, behind the gate
    bool alive_ = true;
    MonotonicTime scheduled_for_{};
    MonotonicTime stuck_since_{};           ///< when the client's socket began to take nothing
    std::exception_ptr fault_;              ///< in serve()
    std::atomic<bool> wake_wanted_{false};  ///< the session may be able to go on; whoever has the turn looks
    std::atomic<bool> is_taken_{false};     ///< somebody has it, and looks at wake_wanted_ afterwards
};

}  // namespace smtpd::httpd
