/// event_driver.h: a session that occupies no thread while it waits (mpm_event).
///
/// process_connection returns CONN_STATE_ASYNC_WAITIO, and the MPM calls again when there is input, or room for output.
/// The driver does not give back a busy connection at once: its thread first waits a moment with other threads, one of
/// which polls for all of them (support/leader_poll.h). So four kinds of threads work on a session, but only one at a
/// time: the thread that holds the turn.
///
/// - the owner, which the MPM has called. Only the owner makes handshakes and gives the connection back to the MPM;
/// - the leader, which polls for all while the owner waits with the others;
/// - a thread of the waker, when a time has come or DNS answers have;
/// - a thread of the work pool, for work that waits for something else. Meanwhile no other thread waits for the turn:
///   it sees is_at_work_ and leaves.
///
/// No thread waits for the client either: output that the client's socket does not take stays in the session.
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

    /// The kind of thread that holds the turn.
    enum class Who { owner, leader, other };
    /// What a session waits for when it cannot continue now.
    enum class Pause {
        input,
        room,       ///< room in the client's socket
        answers,    ///< answers of the DNS, or a time
        handshake,  ///< input for the handshake
        work,       ///< work by a thread that may block
        owner,      ///< only its owner can continue
        closed      ///< nothing more: the session has ended
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
    MonotonicTime given_back_{};  ///< when the MPM got the connection, behind the gate
    bool alive_ = true;
    MonotonicTime scheduled_for_{};
    MonotonicTime stuck_since_{};           ///< when the client's socket stopped taking output
    std::exception_ptr fault_;              ///< in serve()
    std::atomic<bool> wake_wanted_{false};  ///< the session may be able to continue; the thread that holds the turn
                                            ///< checks
    std::atomic<bool> is_taken_{false};     ///< a thread holds the turn, and checks wake_wanted_ when it ends
};

}  // namespace smtpd::httpd
