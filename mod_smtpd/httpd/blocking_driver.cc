#include "httpd/blocking_driver.h"

#include "httpd/error_log.h"

#include <algorithm>
#include <csignal>
#include <utility>

namespace smtpd::httpd {
namespace {

using engine::Step;
using std::chrono::milliseconds;

/// The session's clock shows the last kernel tick, so a time is due for it only this much later.
constexpr milliseconds tick{10};

/// Under prefork, SIGTERM ends the process from within the signal handler, which destroys the pools and with them the
/// session. That must not happen in the middle of an operation, so the signal is only delivered while the session waits
/// for its client (Channel::wait).
class SignalsHeld {
public:
    explicit SignalsHeld(bool hold) : hold_(hold) {
        if (!hold_) return;
        sigset_t held;
        sigemptyset(&held);
        for (const int signal : {SIGTERM, SIGHUP}) sigaddset(&held, signal);
        pthread_sigmask(SIG_BLOCK, &held, &before_);
    }
    ~SignalsHeld() {
        if (hold_) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    SignalsHeld(const SignalsHeld&) = delete;
    SignalsHeld& operator=(const SignalsHeld&) = delete;

private:
    const bool hold_;
    sigset_t before_{};
};

}  // namespace

int BlockingDriver::process() {
    const SignalsHeld held(child_.is_signalled);
    const ConnectionScope scope(connection_);
    static_cast<void>(wakeup_.descriptor());
    if (!started_) start();
    run();
    if (connection_->cs != nullptr) connection_->cs->state = CONN_STATE_LINGER;
    return OK;
}

/// Executes the session's steps until it is over.
void BlockingDriver::run() {
    for (;;) {
        update_row();
        switch (session_.next_step()) {
            case Step::close:
                if (session_.last_command() == smtp::Verb::quit && !channel_.has_octets())
                    channel_.write_last_and_wait(session_.output());
                else flush();
                return give_up_handshake();
            case Step::more:
                flush_or_abandon();
                session_.resume();
                break;
            case Step::work: session_.do_work(); break;  // does not occur here
            case Step::start_tls:
                flush_or_abandon();
                shake_hands();
                break;
            case Step::park:
                flush_or_abandon();
                wait_parked();
                break;
            case Step::need_input: wait_for_input(); break;
        }
    }
}

void BlockingDriver::flush_or_abandon() {
    if (!flush()) session_.abandon();
}

/// Sends the output, and waits for more input. A filter may hold more of a pipelined group: the replies of a group are
/// sent together.
void BlockingDriver::wait_for_input() {
    check_limits();
    if (session_.is_over()) return;
    const bool answers = !session_.output().empty();
    if ((!answers || !channel_.is_direct()) && read()) return;
    if (!flush()) {
        session_.abandon();
        return;
    }
    auto left = milliseconds(apr_time_as_msec(connection_->base_server->timeout));
    while (left.count() > 0) {
        const auto now = std::min(left, slice);
        if (!channel_.is_open()) {  // closed by a stop that does not wait
            session_.abandon();
            return;
        }
        if (channel_.wait(now)) {
            read();
            return;
        }
        check_limits();
        if (session_.is_over()) return;
        left -= now;
    }
    session_.interrupt(engine::Interruption::idle_timeout);
}

/// Waits for a time, for answers, and for the client's input as long as the session accepts more.
void BlockingDriver::wait_parked() {
    if (session_.is_over()) return;
    const bool must_not_be_polled = session_.backlog_is_full() || session_.is_at_end_of_input();
    const auto left = std::chrono::duration_cast<milliseconds>(session_.wake_at() - server_.clock().now()) + tick;
    const bool is_answered = session_.awaits_answers() && session_.has_all_answers();
    if (left > milliseconds(0) && !is_answered) {
        if (must_not_be_polled) channel_.wait_for_signal(std::min(left, slice), wakeup_.descriptor());
        else if (channel_.wait(std::min(left, slice), wakeup_.descriptor())) read();
        wakeup_.clear();
        check_limits();
    }
    session_.resume();
}

void BlockingDriver::shake_hands() {
    while (!session_.is_over() && advance_handshake() == Handshake::again) {
        check_handshake();
        if (!session_.is_over()) channel_.wait(slice);
    }
}

void BlockingDriver::before_close() {
    if (std::exchange(is_closed_, true)) return;
    const ConnectionScope scope(connection_);
    if (session_.is_over()) return;
    interrupt_at_close();
    flush();
    give_up_handshake();
}

void BlockingDriver::detach() {
    child_.remove(*this);
    is_closed_ = true;
    const ConnectionScope scope(connection_);
    session_.abandon();
    leave_table();
    connection_ = nullptr;
}

}  // namespace smtpd::httpd
