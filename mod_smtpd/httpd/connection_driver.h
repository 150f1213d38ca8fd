/// connection_driver.h: moves octets between a client and its Session, and measures the session's time.
///
/// This class contains what does not depend on how a session waits: TLS, limits, the row in the table of sessions, the
/// end. Waiting is in event_driver.h (without a thread, mpm_event) and in blocking_driver.h (one thread for each
/// session, worker and prefork).
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

    /// process_connection: called by the MPM the first time, and when there is input.
    virtual int process() = 0;
    /// pre_close_connection: sends a final reply if one is still due.
    virtual void before_close() = 0;
    /// The connection's pool is about to be destroyed.
    virtual void detach() = 0;
    /// Called by the child's waker once a second: checks limits on time and rate, and the end of the process.
    virtual void every_second(bool stopping) = 0;

    /// Links of the child's list, guarded by it.
    ConnectionDriver* next = nullptr;
    ConnectionDriver* previous = nullptr;

protected:
    /// `row` is the session's row in the table of sessions; the driver returns it at the end. With `has_workers`, other
    /// threads do the blocking work.
    ConnectionDriver(conn_rec* connection, Server& server, Child& child, engine::Peer peer, SessionTable::Row row,
                     bool has_workers);

    void start();
    void update_row() { child_.table.update(row_, session_.phase(), session_.last_command(), session_.messages()); }
    /// Passes input that has arrived to the session; false if there is none. The end of the client's input counts as
    /// input.
    bool read();
    /// Interrupts a session that has exceeded a limit, or whose process is ending.
    void check_limits();
    std::optional<engine::Interruption> overdue() const;
    /// Lets the session send a final reply if the connection ends first.
    void interrupt_at_close();
    void leave_table();

    // connection_handshake.cc
    enum class Handshake { over, again };
    /// Advances the handshake as far as possible without waiting. `over`: the session knows the result.
    Handshake advance_handshake();
    /// Ends a handshake that takes too long, or whose process is ending.
    void check_handshake();
    void give_up_handshake();

    std::shared_ptr<net::Lookup> look_up(std::vector<DnsQuestion> questions) override;
    std::unique_ptr<Started> start_task(support::Lane& lane, std::shared_ptr<engine::RunningTask> task) override;
    /// The answers to a lookup have come, or a task has ended. Called by a thread of the resolver or the pool, which
    /// must not work on the session.
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
