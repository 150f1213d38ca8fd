#include "httpd/connection_driver.h"

#include "httpd/client_address.h"
#include "httpd/mpm_event.h"
#include "httpd/proxied_client.h"

#include <smtpd/format.h>

#include <algorithm>
#include <csignal>

#include <sys/eventfd.h>

namespace smtpd::httpd {
namespace {

using engine::Step;
using std::chrono::milliseconds;

/// A time that is further away than this is not given to the waker: the look of every second sees it in time. Sessions that wait for answers have
/// such times, a minute or so, and hardly any of them comes.
constexpr std::chrono::seconds far_away{3};

/// The session's clock is that of the last kernel tick: only that much later has a time come for it too.
constexpr milliseconds tick{10};

/// The first seconds of a message do not count for SmtpMinDataRate.
constexpr std::chrono::seconds rate_grace{5};

engine::Peer peer_of(conn_rec* connection, std::string id, std::uint32_t sessions_of_client) {
    engine::Peer peer;
    peer.id = std::move(id);
    peer.client = client_of(connection);
    peer.local = local_end_of(connection);
    peer.sessions_of_client = sessions_of_client;
    // HostnameLookups decides whether there is a name
    if (const char* host = ap_get_remote_host(connection, connection->base_server->lookup_defaults, REMOTE_HOST, nullptr)) peer.host = host;
    return peer;
}

/// Where TLS comes first, the client is told nothing.
void turn_away(conn_rec* connection, engine::Say words) {
    forgo_handshake(connection);
    if (connection->aborted != 0) return;
    std::string reply = engine::reply(words).to_string();
    Channel(connection).write(reply);
}

/// Under prefork SIGTERM ends the process from within the signal handler, which takes down the pools and with them the session. That must not
/// happen in the middle of anything, so the signal is let in only where the session waits for its client (Channel::wait).
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

/// A place for a session of that client, if the limits have one left. A trusted proxy speaks for many, and has no limit of its own.
SessionTable::Admission admit(Child& child, Server& server, std::string_view id, const IpAddress& client) {
    const ClientLimit limit = server.client_limit();
    return child.table.admit(id, server.key(), client, client.prefix(client.is_v4() ? limit.v4_prefix : limit.v6_prefix),
                             server.config().max_connections.value_or(0), server.is_trusted_proxy(client) ? 0 : limit.sessions);
}

void note_refusal(conn_rec* connection, SessionTable::Refusal why, const Server& server) {
    const char* limit = why == SessionTable::Refusal::client_full   ? "SmtpMaxConnectionsPerClient"
                        : why == SessionTable::Refusal::server_full ? "SmtpMaxConnections"
                                                                    : "the table of sessions";
    ap_log_cerror(APLOG_MARK, APLOG_NOTICE, 0, connection, "refused: %s is exhausted at %s", limit, server.key().c_str());
}

}  // namespace

ConnectionDriver::ConnectionDriver(conn_rec* connection, Server& server, Child& child, engine::Peer peer, SessionTable::Row row)
    : connection_(connection), server_(server), child_(child), row_(row), channel_(connection),
      session_(server.settings(), server.plugins(), server.clock(), server.log(), std::move(peer), {.names = this, .tls = this, .clients = this}) {}

ConnectionDriver::~ConnectionDriver() = default;

/// Whoever works on the session has the turn. A wake-up that comes meanwhile does not wait for it, which could be long, but leaves word.
class ConnectionDriver::Turn {
public:
    explicit Turn(ConnectionDriver& driver) : driver_(driver), lock_(driver.mutex_) { driver_.is_taken_.store(true); }
    Turn(ConnectionDriver& driver, std::try_to_lock_t try_only) : driver_(driver), lock_(driver.mutex_, try_only) {
        if (lock_) driver_.is_taken_.store(true);
    }
    ~Turn() {
        if (!lock_) return;
        driver_.is_taken_.store(false);
        lock_.unlock();
        try {
            if (driver_.child_.is_async && driver_.wake_wanted_.load()) driver_.wake_soon();
        } catch (const std::bad_alloc&) {
            // the look of every second tries again
        }
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    explicit operator bool() const noexcept { return lock_.owns_lock(); }

private:
    ConnectionDriver& driver_;
    std::unique_lock<std::recursive_mutex> lock_;
};

/// An eventfd: what a thread can wait for together with a socket.
struct ConnectionDriver::Bell {
    const support::FileDescriptor descriptor{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    void ring() const noexcept { ::eventfd_write(descriptor.get(), 1); }
    void silence() const noexcept {
        eventfd_t ignored = 0;
        ::eventfd_read(descriptor.get(), &ignored);
    }
};

// ---- from the MPM

int ConnectionDriver::process() {
    const Turn turn(*this);
    const SignalsHeld held(child_.is_signalled);
    const ConnectionScope scope(connection_);
    State state = State::over;
    if (!started_) {
        started_ = true;
        state = run(start());
    } else if (!session_.is_over()) {
        state = run(resume_from_mpm());
    }
    if (connection_->cs != nullptr) {
        if (state == State::waiting && !channel_.is_open()) {  // by a stop that waits for nobody
            session_.abandon();
            give_up_handshake();
        } else if (state == State::waiting) {
            return wait_for_input(connection_);
        }
        connection_->cs->state = CONN_STATE_LINGER;
    }
    return OK;
}

/// The first time: with `SSLEngine on` the handshake comes before everything else, so that plugins know what the client speaks.
Step ConnectionDriver::start() {
    if (!is_for_tls(connection_)) return session_.start();
    begin_handshake(std::make_unique<TlsHandshake>(connection_));
    return session_.expect_tls();
}

Step ConnectionDriver::resume_from_mpm() {
    if (session_.is_shaking_hands()) return Step::start_tls;
    Step step = session_.is_parked() ? Step::park : Step::need_input;
    read(step);
    return step;
}

/// Does what the session says until it is over, or the connection may go back to the MPM.
ConnectionDriver::State ConnectionDriver::run(Step step) {
    for (;;) {
        bool hand_back = false;
        child_.table.update(row_, session_.phase(), session_.last_command(), session_.messages());
        switch (step) {
            case Step::close:
                finish();
                give_up_handshake();
                return State::over;
            case Step::more: step = flush() ? session_.resume() : session_.abandon(); break;
            case Step::start_tls: step = flush() ? shake_hands(hand_back) : session_.abandon(); break;
            case Step::park: step = flush() ? wait_parked(hand_back) : session_.abandon(); break;
            case Step::need_input: step = next_input(hand_back); break;
        }
        if (hand_back) return State::waiting;
    }
}

// ---- input

/// Sends what there is to send, and gets more input: now, after a short wait, or later from the MPM.
Step ConnectionDriver::next_input(bool& hand_back) {
    if (const Step step = check_limits(); step == Step::close) return step;
    const bool answers = !session_.output().empty();
    if (answers && !channel_.is_direct()) {  // a filter may hold more of a pipelined group: its replies go together
        Step step = Step::need_input;
        if (read(step)) return step;
    }
    if (!flush()) return session_.abandon();
    Step step = Step::need_input;
    if (!answers && read(step)) return step;
    if (!child_.is_async) return block_for_input();
    if (child_.may_linger()) return linger(hand_back);
    hand_back = true;
    return step;
}

/// A client that never lets go of this thread is not seen by look().
Step ConnectionDriver::check_limits() {
    if (child_.is_stopping())
        if (const Step step = session_.stop_soon(); step == Step::close) return step;
    if (const auto why = overdue()) return session_.interrupt(*why);
    return Step::need_input;
}

/// Waits a moment for the next command, together with others.
Step ConnectionDriver::linger(bool& hand_back) {
    const Child::Lingering lingering(child_);
    Step step = Step::need_input;
    served_.reset();
    hand_back = !child_.shared_poll.wait(channel_.descriptor(), *this);
    if (hand_back) return step;
    if (fault_) std::rethrow_exception(fault_);
    return served_ ? *served_ : read_slowly();
}

/// Whether the answers that a parked session waits for may be waited for here: they have lately come soon, and nothing else is due before.
bool ConnectionDriver::may_await_answers() {
    return session_.awaits_answers() && !session_.backlog_is_full() && !session_.is_at_end_of_input() &&
           session_.wake_at() - server_.clock().now() > Child::linger_time && child_.dns_promptness.is_likely();
}

/// Waits a moment for answers, together with others that wait for theirs or for their clients.
Step ConnectionDriver::await_answers(bool& hand_back) {
    const Child::Lingering lingering(child_);
    Step step = Step::park;
    served_.reset();
    if (!child_.shared_poll.wait(channel_.descriptor(), *this)) {
        child_.dns_promptness.note(false);
        if (wake_wanted_.exchange(false)) return session_.resume();
        schedule();
        hand_back = true;
        return step;
    }
    if (fault_) std::rethrow_exception(fault_);
    if (served_) return *served_;
    if (!wake_wanted_.load()) read(step);
    return step;
}

Step ConnectionDriver::read_slowly() {
    Step step = Step::need_input;
    const auto phase = session_.phase();
    const auto began = std::chrono::steady_clock::now();
    read(step);
    server_.pace().note(phase, std::chrono::steady_clock::now() - began);
    return step;
}

/// In the thread that polls for all. This session's own waits in linger() or await_answers() and holds its mutex.
bool ConnectionDriver::serve() noexcept {
    served_.reset();
    if (server_.pace().is_slow(session_.phase())) return false;
    try {
        const ConnectionScope scope(connection_);
        return serve_now();
    } catch (...) {
        fault_ = std::current_exception();
        return false;
    }
}

/// Goes on with the answers that have come, or reads, and replies; says whether the next thing is to wait for more of either. Whatever else is next is
/// not done here: it may take its time.
bool ConnectionDriver::serve_now() {
    Step step = session_.is_parked() ? Step::park : Step::need_input;
    const auto phase = session_.phase();
    const auto began = std::chrono::steady_clock::now();
    if (step == Step::park && wake_wanted_.exchange(false)) {
        child_.dns_promptness.note(true);
        step = session_.resume();
    } else if (!serve_input(step)) {
        return true;
    }
    server_.pace().note(phase, std::chrono::steady_clock::now() - began);
    Channel::Sent sent = Channel::Sent::all;
    for (;; step = session_.resume()) {
        while (step == Step::need_input && !channel_.is_direct() && serve_input(step)) {}  // no poll would tell of what a filter holds
        if (step == Step::need_input) step = check_limits();
        sent = channel_.try_write(session_.output());
        if (sent == Channel::Sent::gone) step = session_.abandon();
        if (step != Step::more || sent != Channel::Sent::all) break;
    }
    child_.table.update(row_, session_.phase(), session_.last_command(), session_.messages());
    served_ = step;
    return sent == Channel::Sent::all && (step == Step::need_input || (step == Step::park && may_await_answers()));
}

/// What has arrived; false when nothing has. Unlike read() it sends nothing.
bool ConnectionDriver::serve_input(Step& step) {
    switch (channel_.read([&](std::string_view octets) { step = session_.feed(octets); })) {
        case Channel::Read::nothing: return false;
        case Channel::Read::end: step = end_of_input(); break;
        case Channel::Read::some: break;
    }
    return true;
}

Step ConnectionDriver::block_for_input() {
    auto left = std::chrono::milliseconds(apr_time_as_msec(connection_->base_server->timeout));
    while (left.count() > 0) {
        if (!channel_.is_open()) return session_.abandon();  // by a stop that waits for nobody
        const auto now = std::min(left, slice);
        if (channel_.wait(now)) {
            Step step = Step::need_input;
            read(step);
            return step;
        }
        if (const Step step = check_limits(); step == Step::close) return step;
        left -= now;
    }
    return session_.interrupt(engine::Interruption::idle_timeout);
}

/// A plugin waits. Under event the waker continues. Otherwise this thread does; also where a poll for the client's input would not wait: it has sent
/// more than may be kept meanwhile, or has sent its end while answers are outstanding.
Step ConnectionDriver::wait_parked(bool& hand_back) {
    Step step = Step::park;
    const bool is_deaf = session_.backlog_is_full() || session_.is_at_end_of_input();
    if (child_.is_async && !is_deaf) {
        if (wake_wanted_.exchange(false)) return session_.resume();
        if (!channel_.is_direct() && read(step)) return step;  // no poll would tell of what a filter holds
        if (may_await_answers() && child_.may_linger()) return await_answers(hand_back);
        schedule();
        hand_back = true;
        return step;
    }
    if (session_.is_at_end_of_input() && child_.is_async && !child_.may_linger()) return session_.abandon();  // most likely it is gone
    const auto left = std::chrono::duration_cast<milliseconds>(session_.wake_at() - server_.clock().now()) + tick;
    if (left <= milliseconds(0) || wake_wanted_.exchange(false)) return session_.resume();
    const int bell = bell_ ? bell_->descriptor.get() : -1;
    if (is_deaf && child_.is_async) {
        const Child::Lingering lingering(child_);
        child_.wait_for_news(std::min(left, slice), [this] { return wake_wanted_.load(); });
    } else if (is_deaf) {
        channel_.wait_for_bell(std::min(left, slice), bell);
    } else if (channel_.wait(std::min(left, slice), bell) && read(step)) {
        return step;
    }
    if (bell_) bell_->silence();
    if (child_.is_ending()) return session_.interrupt(engine::Interruption::shutting_down);
    if (const auto why = overdue()) return session_.interrupt(*why);
    return session_.resume();
}

/// Feeds what has arrived; false when nothing has. The end of the client's input counts as something.
bool ConnectionDriver::read(Step& step) {
    switch (channel_.read([&](std::string_view octets) { step = take(octets); })) {
        case Channel::Read::nothing: return false;
        case Channel::Read::end: step = end_of_input(); break;
        case Channel::Read::some: break;
    }
    return true;
}

/// A client that has reset its connection while it was to wait is not waited for.
Step ConnectionDriver::end_of_input() {
    return session_.is_parked() && connection_->aborted != 0 ? session_.abandon() : session_.end_of_input();
}

Step ConnectionDriver::take(std::string_view octets) {
    Step step = session_.feed(octets);
    while (step == Step::more) step = flush() ? session_.resume() : session_.abandon();
    return step;
}

/// Sends the last octets. A client that has said QUIT, and nothing behind it, has nothing more to say. From others there may be more on its way, and to closed
/// sockets, so httpd waits until they close, too; else they might lose the reply.
void ConnectionDriver::finish() {
    if (session_.last_command() == smtp::Verb::quit && !channel_.has_octets()) channel_.write_last(session_.output());
    else flush();
}

bool ConnectionDriver::flush() { return channel_.write(session_.output()); }

std::optional<engine::Interruption> ConnectionDriver::overdue() const {
    const MonotonicTime now = server_.clock().now();
    const auto limit = server_.session_timeout();
    if (limit.count() > 0 && now - session_.started() > limit) return engine::Interruption::session_timeout;
    const auto progress = session_.progress();
    if (!progress.receiving || server_.min_data_rate() == 0) return {};
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - progress.since);
    if (seconds < rate_grace || progress.octets >= server_.min_data_rate() * static_cast<std::uint64_t>(seconds.count())) return {};
    return engine::Interruption::too_slow;
}

// ---- from the waker

void ConnectionDriver::schedule() {
    if (scheduled_for_ == session_.wake_at() || session_.wake_at() - server_.clock().now() > far_away) return;
    scheduled_for_ = session_.wake_at();
    child_.waker.at(scheduled_for_ + tick, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->wake();
    });
}

/// Questions of the session. The answers come by the resolver's thread, which must not work on sessions: under event it gives that to the waker,
/// otherwise it rings.
std::shared_ptr<net::Lookup> ConnectionDriver::look_up(std::vector<DnsQuestion> questions) {
    if (!bell_ && !child_.is_async) bell_ = std::make_shared<Bell>();
    return server_.resolver().start(std::move(questions), [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->answers_came();
    });
}

/// XCLIENT: the row of the proxy goes to the client.
std::optional<std::uint32_t> ConnectionDriver::change_client(const Endpoint& client, const Endpoint& local) {
    httpd::change_client(connection_, client, local);
    child_.table.leave(row_);
    const auto admission = admit(child_, server_, session_.id(), client.address);
    row_ = admission.row;
    if (admission.refusal == SessionTable::Refusal::none) return admission.of_client;
    note_refusal(connection_, admission.refusal, server_);
    return std::nullopt;
}

void ConnectionDriver::answers_came() {
    wake_wanted_.store(true);
    if (bell_) bell_->ring();
    if (!child_.is_async) return;
    child_.give_news();
    child_.shared_poll.ring(*this);
    if (!is_taken_.load()) wake_soon();
}

void ConnectionDriver::wake_soon() {
    child_.waker.at(support::Waker::Time::clock::now(), [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->wake();
    });
}

/// The time of a parked session has come, or its answers have. Who has the session looks by itself when it lets go of it.
void ConnectionDriver::wake() {
    wake_wanted_.store(true);
    const Turn turn(*this, std::try_to_lock);
    if (!turn || !wake_wanted_.exchange(false) || !alive_ || !session_.is_parked()) return;
    scheduled_for_ = {};
    const ConnectionScope scope(connection_);
    try {
        continue_outside(session_.resume());
    } catch (...) {
        channel_.provoke();  // nobody else would come back to it
        throw;
    }
}

/// Goes on with a session whose connection the MPM is watching: no reading here, and who closes is the MPM.
void ConnectionDriver::continue_outside(Step step) {
    while (step == Step::more) step = flush() ? session_.resume() : session_.abandon();
    if (!flush()) step = session_.abandon();
    if (step == Step::park) schedule();
    child_.table.update(row_, session_.phase(), session_.last_command(), session_.messages());
    if (!session_.is_over()) return;
    give_up_handshake();
    channel_.provoke();
}

void ConnectionDriver::look(bool stopping) {
    const Turn turn(*this, std::try_to_lock);
    if (!turn || !alive_ || !started_ || session_.is_over()) return;
    const ConnectionScope scope(connection_);
    Step step = stopping ? session_.stop_soon() : Step::need_input;
    if (session_.is_shaking_hands()) step = check_handshake();
    if (child_.is_ending() && session_.is_parked()) step = session_.interrupt(engine::Interruption::shutting_down);
    if (step != Step::close)
        if (const auto why = overdue()) step = session_.interrupt(*why);
    if (step == Step::close) continue_outside(step);
    else if (session_.is_parked()) schedule();
}

// ---- the end

void ConnectionDriver::before_close() {
    const Turn turn(*this);
    if (!alive_) return;
    const ConnectionScope scope(connection_);
    if (!session_.is_over()) {
        if (connection_->aborted != 0)
            session_.abandon();
        else
            session_.interrupt(child_.is_stopping() ? engine::Interruption::shutting_down : engine::Interruption::idle_timeout);
        flush();
        give_up_handshake();
    }
    alive_ = false;
}

void ConnectionDriver::detach() {
    child_.remove(*this);
    const std::lock_guard lock(mutex_);
    alive_ = false;
    const ConnectionScope scope(connection_);
    session_.abandon();
    child_.table.leave(row_);
    row_ = SessionTable::none;
    connection_ = nullptr;
}

// ---- finding it

std::shared_ptr<ConnectionDriver> existing_driver_of(conn_rec* connection) {
    auto* known = static_cast<std::shared_ptr<ConnectionDriver>*>(ap_get_module_config(connection->conn_config, &smtpd_module));
    return known != nullptr ? *known : nullptr;
}

std::shared_ptr<ConnectionDriver> driver_of(conn_rec* connection, bool& awaited) {
    awaited = false;
    if (auto known = existing_driver_of(connection)) return known;
    Server* server = config_of(connection->base_server).runtime;
    Child* child = current_child();
    if (server == nullptr || child == nullptr) return nullptr;
    if (!server->is_ready()) {
        turn_away(connection, engine::Say::internal_error);  // a plugin could not start in this process
        return nullptr;
    }
    if (const auto who = identify_client(connection, *server, child->is_async); who != ClientIs::known) {
        awaited = who == ClientIs::awaited;
        if (awaited) use_timeout_of_virtual_host(connection, child->main_server);
        return nullptr;
    }

    std::string id = child->ids.next();
    const auto admission = admit(*child, *server, id, client_of(connection).address);
    if (admission.refusal != SessionTable::Refusal::none) {
        note_refusal(connection, admission.refusal, *server);
        const bool is_client = admission.refusal == SessionTable::Refusal::client_full;
        turn_away(connection, is_client ? engine::Say::too_many_sessions : engine::Say::overloaded);
        return nullptr;
    }
    auto driver = std::make_shared<ConnectionDriver>(connection, *server, *child, peer_of(connection, std::move(id), admission.of_client),
                                                     admission.row);
    auto* holder = new std::shared_ptr<ConnectionDriver>(driver);
    ap_set_module_config(connection->conn_config, &smtpd_module, holder);
    apr_pool_pre_cleanup_register(connection->pool, holder, [](void* memory) noexcept -> apr_status_t {
        auto* held = static_cast<std::shared_ptr<ConnectionDriver>*>(memory);
        (*held)->detach();
        delete held;
        return APR_SUCCESS;
    });
    child->add(*driver);
    if (child->is_async) use_timeout_of_virtual_host(connection, child->main_server);
    return driver;
}

}  // namespace smtpd::httpd
