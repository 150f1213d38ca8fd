/// connection_driver.h: moves octets between a client and its Session, and owns the session's time.
///
/// What is the same however a session waits is here: TLS, limits, the row in the table of sessions, the end. How it
/// waits is in event_driver.h (no thread is held, mpm_event) and in blocking_driver.h (a thread for each session,
/// worker and prefork).
#pragma once

#include "httpd/channel.h"
#include "httpd/child.h"
#include "httpd/server.h"
#include "httpd/tls.h"

#include "engine/session.h"

#include <memory>
#include <vector>

namespace smtpd::httpd {

class ConnectionDriver : public std::enable_shared_from_this<ConnectionDriver>,
                         protected engine::NameService,
                         protected engine::TaskService,
                         private engine::TlsService,
                         private engine::ClientRegister {
public:
    ConnectionDriver(const ConnectionDriver&) = delete;
    ConnectionDriver& operator=(const ConnectionDriver&) = delete;
    ~ConnectionDriver() override;

    /// process_connection: from the MPM, when there is input, and the first time.
    virtual int process() = 0;
    /// pre_close_connection: the last words, if there are any left to say.
    virtual void before_close() = 0;
    /// The pool of the connection goes away.
    virtual void detach() = 0;
    /// From the child's waker, once a second: limits on time and rate, and the end of the process.
    virtual void every_second(bool stopping) = 0;

    /// Links of the child's list, guarded by it.
    ConnectionDriver* next = nullptr;
    ConnectionDriver* previous = nullptr;

protected:
    /// `row` is the session's in the table of sessions; it is given back at the end. With `has_workers`, work is left
    /// to other threads.
    ConnectionDriver(conn_rec* connection, Server& server, Child& child, engine::Peer peer, SessionTable::Row row,
                     bool has_workers);

    void start();
    void update_row() { child_.table.update(row_, session_.phase(), session_.last_command(), session_.messages()); }
    /// Octets that have arrived go to the session; false when nothing has. The end of the client's input counts as
    /// something.
    bool read();
    /// Interrupts a session that has exceeded a limit, or that is to end because the process does.
    void check_limits();
    std::optional<engine::Interruption> overdue() const;
    /// The last words, where the connection ends before the session has.
    void interrupt_at_close();
    void leave_table();

    // connection_handshake.cc
    enum class Handshake { over, again };
    /// Goes on with the handshake as far as it can without waiting. `over`: the session has been told what has come of
    /// it.
    Handshake advance_handshake();
    /// Ends a handshake that takes too long, or whose process ends.
    void check_handshake();
    void give_up_handshake();

    std::shared_ptr<net::Lookup> look_up(std::vector<DnsQuestion> questions) override;
    std::unique_ptr<Started> start_task(support::Lane& lane, std::shared_ptr<engine::RunningTask> task) override;
    /// The answers to a lookup have come, or a task has ended. By a thread of the resolver or the pool, which must not
    /// work on the session.
    virtual void answers_came() = 0;

    conn_rec* connection_;
    Server& server_;
    Child& child_;
    SessionTable::Row row_;
    Channel channel_;
    engine::Session session_;
    std::unique_ptr<TlsHandshake> handshake_;
    MonotonicTime handshake_ends_{};
    bool started_ = false;

private:
    void begin_handshake(std::unique_ptr<TlsHandshake> handshake);
    bool can_start_tls() const noexcept override;
    engine::TlsStart prepare_tls() override;
    std::optional<std::uint32_t> change_client(const Endpoint& client, const Endpoint& local) override;
};

}  // namespace smtpd::httpd
