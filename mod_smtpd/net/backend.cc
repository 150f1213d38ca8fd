/// backend.cc: see backend.h. backend_state.h has the state of each server; this file connects to one of them.
#include "net/backend_state.h"

#include <smtpd/base/format.h>

#include <algorithm>

namespace smtpd {
namespace {

constexpr std::size_t most_addresses = 8;

/// The real time until a deadline of the plugin's clock. Sockets wait in real time, even if a test's clock differs.
class TimeLeft {
public:
    TimeLeft(const Clock& clock, MonotonicTime deadline)
        : whole_(std::min<Duration>(std::chrono::ceil<Duration>(deadline - clock.now()), std::chrono::hours(24))),
          end_(std::chrono::steady_clock::now() + whole_) {}
    Duration get() const { return std::chrono::ceil<Duration>(end_ - std::chrono::steady_clock::now()); }
    /// The share of the next one of `count`.
    Duration share(std::size_t count, bool is_first) const {
        return (is_first ? whole_ : get()) / static_cast<Duration::rep>(count);
    }
    Duration whole() const noexcept { return whole_; }
    MonotonicTime end() const noexcept { return end_; }

private:
    const Duration whole_;
    const MonotonicTime end_;
};

/// Combines the errors of all servers that were tried.
class Problems {
public:
    void add(const Error& error) {
        all_.code = all_.what.empty() || all_.code == error.code ? error.code : ErrorCode::unavailable;
        all_.what += (all_.what.empty() ? "" : "; ") + error.what;
        all_.os_status = error.os_status;
    }
    bool empty() const { return all_.what.empty(); }
    const Error& all() const { return all_; }

private:
    Error all_;
};

Result<void> reach_addresses(const ServerAddress& server, const std::vector<IpAddress>& addresses, Duration time,
                             const Backend::Attempt& attempt) {
    if (server.is_local()) return attempt(server, nullptr, time);
    const auto end = std::chrono::steady_clock::now() + time;
    Result<void> reached;
    const std::size_t count = std::min(addresses.size(), most_addresses);
    for (std::size_t i = 0; i < count; ++i) {
        const auto left = i == 0 ? time : std::chrono::ceil<Duration>(end - std::chrono::steady_clock::now());
        reached = attempt(server, &addresses[i], left / static_cast<Duration::rep>(count - i));
        if (reached) break;
    }
    return reached;
}

}  // namespace

Backend::Backend(std::string name, std::vector<ServerAddress> servers, BackendSettings settings, const Clock& clock,
                 LogSink& log)
    : shared_(std::make_shared<Shared>(std::move(name), std::move(servers), std::move(settings), clock, log)) {}
Backend::~Backend() = default;

bool Backend::ask(Questions& questions, const std::vector<ServerAddress>* servers) const {
    bool is_answered = true;
    for (const auto& member : shared_->members(servers)) {
        if (!shared_->needs_question(member->server) || !shared_->is_admitting(*member)) continue;
        const std::string& host = member->server.host();
        for (const DnsType type : {DnsType::a, DnsType::aaaa})
            is_answered &= questions.dns(type, host).status() != DnsStatus::not_asked;
    }
    return is_answered;
}

bool Backend::is_available(const std::vector<ServerAddress>* servers) const {
    const auto members = shared_->members(servers);
    return std::any_of(members.begin(), members.end(),
                       [this](const auto& member) { return shared_->is_admitting(*member); });
}

std::vector<ServerStatus> Backend::status() const { return shared_->status(); }

/// Tries one server after another. `reuse` may provide a kept connection to a server.
Result<Backend::Lease> Backend::Shared::reach(const std::shared_ptr<Shared>& self, const Answers& answers,
                                              MonotonicTime deadline, const std::vector<ServerAddress>* servers,
                                              const Reuse& reuse, const Attempt& attempt) {
    const TimeLeft time(self->clock_, deadline);
    const auto candidates = self->in_turn(servers);
    Problems problems;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const auto& member = candidates[i];
        if (time.get().count() <= 0) {
            problems.add({ErrorCode::timeout, format_text("there is no time left to ask {}", member->server), 0});
            break;
        }
        const auto admission = self->admit(*member);
        if (!admission) continue;
        Lease lease(self, member, *admission == net::CircuitBreaker::Admission::probe);
        const Duration share = time.share(candidates.size() - i, i == 0);
        if (reuse && reuse(*member, share)) return lease;
        const auto addresses = self->addresses_of(member->server, answers);
        if (!addresses) {
            problems.add(addresses.error());
            lease.withdraw(addresses.error());
            continue;
        }
        const auto reached = reach_addresses(member->server, *addresses, share, attempt);
        if (reached) return lease;
        problems.add(reached.error());
        if (is_fair(reached.error(), share)) lease.failed(reached.error());
        else lease.withdraw(reached.error());
    }
    if (problems.empty()) return self->nobody_left(servers);
    return problems.all();
}

Result<Backend::Lease> Backend::reach(const Answers& answers, MonotonicTime deadline, const Attempt& attempt,
                                      const std::vector<ServerAddress>* servers) const {
    return Shared::reach(shared_, answers, deadline, servers, {}, attempt);
}

Result<Backend::Connection> Backend::open(const Answers& answers, MonotonicTime deadline,
                                          const BackendCall& call) const {
    const TimeLeft time(shared_->clock(), deadline);
    const BackendSettings& settings = shared_->settings();
    std::optional<net::ConnectionPool::Idle> reused;
    std::optional<ClientSocket> fresh;
    const auto reuse = [&](Member& member, Duration share) {
        reused = shared_->take_idle(member, call.identity, share);
        return reused.has_value();
    };
    const auto attempt = [&](const ServerAddress& server, const IpAddress* address, Duration share) -> Result<void> {
        auto socket = address ? ClientSocket::connect_tcp(*address, server.port(), share)
                              : ClientSocket::connect_local(server.path(), share);
        if (!socket) return socket.error();
        if (settings.tls)
            if (auto begun = socket->start_tls(*settings.tls, server.host()); !begun) return begun;
        if (call.greeting)
            if (auto greeted = call.greeting(*socket, server); !greeted) return greeted;
        fresh = std::move(*socket);
        return {};
    };
    auto lease = Shared::reach(shared_, answers, deadline, call.servers, reuse, attempt);
    if (!lease) return lease.error();
    const MonotonicTime made = reused ? reused->made : shared_->clock().now();
    Connection connection(std::move(*lease), std::move(reused ? reused->socket : *fresh), call.identity, made,
                          reused.has_value());
    connection.socket().allow(time.end(), time.whole());
    return connection;
}

// ---- leases

Backend::Lease::Lease(std::shared_ptr<Shared> shared, std::shared_ptr<Member> member, bool is_probe) noexcept
    : shared_(std::move(shared)), member_(std::move(member)), is_probe_(is_probe) {}
Backend::Lease::Lease(Lease&& other) noexcept
    : shared_(std::move(other.shared_)),
      member_(std::move(other.member_)),
      is_probe_(other.is_probe_),
      is_settled_(other.is_settled_) {}
Backend::Lease::~Lease() {
    if (member_) shared_->leave(*member_, is_settled_, is_probe_);
}

const ServerAddress& Backend::Lease::server() const noexcept { return member_->server; }

void Backend::Lease::succeeded() {
    if (!std::exchange(is_settled_, true)) shared_->succeeded(*member_);
}
void Backend::Lease::failed(const Error& error) {
    if (!std::exchange(is_settled_, true)) shared_->failed(*member_, is_probe_, error);
}
void Backend::Lease::withdraw(const Error& error) {
    if (!std::exchange(is_settled_, true)) shared_->withdrawn(*member_, is_probe_, error);
}

Backend::Connection::Connection(Lease lease, ClientSocket socket, std::string_view identity, MonotonicTime made,
                                bool was_reused)
    : Lease(std::move(lease)), socket_(std::move(socket)), made_(made), was_reused_(was_reused) {
    auto kept = std::make_unique<Secret>();
    kept->set(identity);
    identity_ = std::move(kept);
}

void Backend::Connection::keep() && {
    succeeded();
    shared_->put_idle(*member_, std::move(socket_), std::move(identity_), made_);
}

}  // namespace smtpd
