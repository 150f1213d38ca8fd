/// blocking_driver.h: a session with a thread (mpm_worker) or a process (mpm_prefork) of its own, which blocks while
/// the session waits.
#pragma once

#include "httpd/connection_driver.h"

#include "support/event_fd.h"

namespace smtpd::httpd {

/// All calls come from the connection's thread. Under prefork, a call may interrupt another one: SIGTERM ends the
/// process from within a wait.
class BlockingDriver final : public ConnectionDriver {
public:
    BlockingDriver(conn_rec* connection, Server& server, Child& child, engine::Peer peer, SessionTable::Row row)
        : ConnectionDriver(connection, server, child, std::move(peer), row, false) {}

    int process() override;
    void before_close() override;
    void detach() override;
    void every_second(bool) override {}  // its own thread checks them

private:
    /// How often a wait is interrupted to check limits and the end of the process.
    static constexpr std::chrono::milliseconds slice{500};

    void run();
    void wait_for_input();
    void wait_parked();
    void shake_hands();
    bool flush() { return channel_.write(session_.output()); }
    void flush_or_abandon();
    void answers_came() override { wakeup_.signal(); }

    support::EventFd wakeup_;
    bool is_closed_ = false;
};

}  // namespace smtpd::httpd
