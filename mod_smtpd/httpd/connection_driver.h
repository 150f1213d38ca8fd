/// connection_driver.h: moves octets between a client and its Session, and owns the session's time.
///
/// Under mpm_event a session that waits (for its client, or parked by a plugin) holds no thread: process_connection returns
/// CONN_STATE_ASYNC_WAITIO, and either the MPM comes back with input or the child's waker with the time. Both take the driver's mutex; after
/// pre_close_connection nobody but the owner touches the connection any more. Under worker and prefork the same code blocks.
#pragma once

#include "httpd/channel.h"
#include "httpd/child.h"
#include "httpd/server.h"
#include "httpd/tls.h"

#include "engine/session.h"

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

namespace smtpd::httpd {

class ConnectionDriver final : public std::enable_shared_from_this<ConnectionDriver>,
                               private support::SharedPoll::Guest,
                               private engine::NameService,
                               private engine::TlsService,
                               private engine::ClientRegister {
public:
    /// `row` is the session's in the table of sessions; it is given back at the end.
    ConnectionDriver(conn_rec* connection, Server& server, Child& child, engine::Peer peer, SessionTable::Row row);
    ~ConnectionDriver() override;

    /// process_connection: from the MPM, when there is input, and the first time.
    int process();
    /// pre_close_connection: the last words, if there are any left to say.
    void before_close();
    /// The pool of the connection goes away.
    void detach();
    /// From the child's waker, once a second: limits on time and rate, and the end of the process.
    void look(bool stopping);

    /// Links of the child's list, guarded by it.
    ConnectionDriver* next = nullptr;
    ConnectionDriver* previous = nullptr;

private:
    enum class State { running, waiting, over };
    class Turn;
    struct Bell;

    /// How often a blocking wait looks up, for limits and for the end of the process.
    static constexpr std::chrono::milliseconds slice{500};

    engine::Step start();
    engine::Step resume_from_mpm();
    engine::Step shake_hands(bool& hand_back);
    engine::Step check_handshake();
    void give_up_handshake();
    void begin_handshake(std::unique_ptr<TlsHandshake> handshake);
    bool can_start_tls() const noexcept override;
    engine::TlsStart prepare_tls() override;
    State run(engine::Step step);
    engine::Step next_input(bool& hand_back);
    engine::Step check_limits();
    engine::Step linger(bool& hand_back);
    engine::Step read_slowly();
    bool serve() noexcept override;
    bool serve_now();
    bool serve_input(engine::Step& step);
    bool may_await_answers();
    engine::Step await_answers(bool& hand_back);
    engine::Step wait_parked(bool& hand_back);
    engine::Step block_for_input();
    engine::Step take(std::string_view octets);
    bool read(engine::Step& step);
    engine::Step end_of_input();
    bool flush();
    void finish();
    std::shared_ptr<net::Lookup> look_up(std::vector<DnsQuestion> questions) override;
    std::optional<std::uint32_t> change_client(const Endpoint& client, const Endpoint& local) override;
    void answers_came();
    void wake();
    void wake_soon();
    void continue_outside(engine::Step step);
    void schedule();
    std::optional<engine::Interruption> overdue() const;

    std::recursive_mutex mutex_;  ///< recursive: under prefork the end of the process comes as a signal, in the middle of a wait
    conn_rec* connection_;
    Server& server_;
    Child& child_;
    SessionTable::Row row_;
    Channel channel_;
    engine::Session session_;
    std::unique_ptr<TlsHandshake> handshake_;
    MonotonicTime handshake_ends_{};
    bool started_ = false;
    bool alive_ = true;
    MonotonicTime scheduled_for_{};
    std::optional<engine::Step> served_;  ///< by serve(), which has nothing for us where it is empty
    std::exception_ptr fault_;            ///< in serve()
    std::atomic<bool> wake_wanted_{false};  ///< the session may be able to go on; whoever has it looks
    std::atomic<bool> is_taken_{false};     ///< somebody has it, and looks at wake_wanted_ afterwards
    std::shared_ptr<Bell> bell_;            ///< rung when answers come, for a thread that waits for them
};

/// The driver of a connection to a server with the engine on, made at the first call. Null for other connections, for clients that were turned away,
/// and where it is not known yet for whom a proxy connects: then `awaited` is set, and there is to be another call when there is input.
std::shared_ptr<ConnectionDriver> driver_of(conn_rec* connection, bool& awaited);
/// The same without making one.
std::shared_ptr<ConnectionDriver> existing_driver_of(conn_rec* connection);

}  // namespace smtpd::httpd
