#include "httpd/connection_driver.h"

#include "httpd/admission.h"
#include "httpd/client_address.h"

namespace smtpd::httpd {

ConnectionDriver::ConnectionDriver(conn_rec* connection, Server& server, Child& child, engine::Peer peer,
                                   SessionTable::Row row, bool has_workers)
    : connection_(connection),
      server_(server),
      child_(child),
      row_(row),
      channel_(connection),
      session_(server.settings(), server.plugins(), server.clock(), server.log(), std::move(peer),
               {.names = this,
                .tls = this,
                .clients = this,
                .tasks = has_workers ? this : nullptr,
                .has_workers = has_workers}) {}

ConnectionDriver::~ConnectionDriver() = default;

/// The first call: with `SSLEngine on` the handshake comes before everything else, so that plugins know whether the
/// connection is encrypted.
void ConnectionDriver::start() {
    started_ = true;
    if (!is_for_tls(connection_)) {
        session_.start();
        return;
    }
    begin_handshake(std::make_unique<TlsHandshake>(connection_));
    session_.expect_tls();
}

/// Treats a client that reset its connection during a pause as gone.
bool ConnectionDriver::read() {
    switch (channel_.read([this](std::string_view octets) { session_.feed(octets); })) {
        case Channel::Read::nothing: return false;
        case Channel::Read::some: return true;
        case Channel::Read::end: break;
    }
    if (session_.is_parked() && connection_->aborted != 0) session_.abandon();
    else session_.end_of_input();
    return true;
}

void ConnectionDriver::check_limits() {
    if (child_.is_stopping()) session_.stop_soon();
    if (child_.is_ending() && session_.is_parked()) session_.interrupt(engine::Interruption::shutting_down);
    else if (const auto why = overdue()) session_.interrupt(*why);
}

std::optional<engine::Interruption> ConnectionDriver::overdue() const {
    const MonotonicTime now = server_.clock().now();
    const auto limit = server_.session_timeout();
    if (limit.count() > 0 && now - session_.started() > limit) return engine::Interruption::session_timeout;
    const auto progress = session_.progress();
    const DataRate least = server_.min_data_rate();
    if (!progress.receiving || least.octets_per_second == 0) return {};
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - progress.since);
    if (seconds < least.grace ||
        progress.octets >= least.octets_per_second * static_cast<std::uint64_t>(seconds.count()))
        return {};
    return engine::Interruption::too_slow;
}

void ConnectionDriver::interrupt_at_close() {
    if (connection_->aborted != 0) session_.abandon();
    else
        session_.interrupt(child_.is_stopping() ? engine::Interruption::shutting_down
                                                : engine::Interruption::idle_timeout);
}

void ConnectionDriver::leave_table() {
    child_.table.leave(row_);
    row_ = SessionTable::none;
}

std::shared_ptr<net::Lookup> ConnectionDriver::look_up(std::vector<DnsQuestion> questions) {
    return server_.resolver().start(std::move(questions), [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->answers_came();
    });
}

namespace {

class PoolTask final : public engine::TaskService::Started {
public:
    PoolTask(support::WorkPool& pool, support::WorkPool::Ticket ticket) : pool_(pool), ticket_(std::move(ticket)) {}
    ~PoolTask() override { pool_.cancel(ticket_); }

private:
    support::WorkPool& pool_;
    support::WorkPool::Ticket ticket_;
};

}  // namespace

std::unique_ptr<engine::TaskService::Started> ConnectionDriver::start_task(support::Lane& lane,
                                                                           std::shared_ptr<engine::RunningTask> task) {
    auto ticket = child_.pool.submit(lane, [task = std::move(task), weak = weak_from_this()] {
        task->run();
        if (const auto self = weak.lock()) self->answers_came();
    });
    return std::make_unique<PoolTask>(child_.pool, std::move(ticket));
}

/// XCLIENT: the proxy's row becomes the client's.
std::optional<std::uint32_t> ConnectionDriver::change_client(const Endpoint& client, const Endpoint& local) {
    httpd::change_client(connection_, client, local);
    child_.table.leave(row_);
    const auto admission = admit(child_, server_, session_.id(), client.address);
    row_ = admission.row;
    if (admission.refusal == SessionTable::Refusal::none) return admission.of_client;
    log_refusal(connection_, admission.refusal, server_);
    return std::nullopt;
}

}  // namespace smtpd::httpd
