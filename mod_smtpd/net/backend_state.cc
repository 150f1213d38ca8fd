/// backend_state.cc: see backend_state.h.
#include "net/backend_state.h"

#include "support/random.h"

#include <smtpd/base/files.h>
#include <smtpd/base/format.h>

#include <algorithm>

#include <unistd.h>

namespace smtpd {
namespace {

constexpr std::size_t largest_hosts_file = 16 * 1024 * 1024;
constexpr std::size_t most_others = 256;
constexpr Duration fair_time{100};

net::CircuitBreaker::Admission admission(bool is_probe) {
    return is_probe ? net::CircuitBreaker::Admission::probe : net::CircuitBreaker::Admission::normal;
}

/// "12 s", for messages.
std::string in_seconds(Duration time) {
    return format_text("{} s", std::chrono::ceil<std::chrono::seconds>(time).count());
}

}  // namespace

Backend::Shared::Shared(std::string name, std::vector<ServerAddress> servers, BackendSettings settings,
                        const Clock& clock, LogSink& log)
    : name_(std::move(name)), settings_(std::move(settings)), clock_(clock), log_(log) {
    if (const auto hosts = read_file(settings_.hosts_file, largest_hosts_file)) known_hosts_ = net::parse_hosts(*hosts);
    for (const auto& server : servers) members_.push_back(make_member(server));
}

std::unique_lock<std::mutex> Backend::Shared::lock() {
    std::unique_lock lock(mutex_);
    if (const pid_t here = getpid(); process_ != here) {
        if (process_ != 0) begin_anew();
        process_ = here;
    }
    return lock;
}

void Backend::Shared::begin_anew() {
    for (auto& member : members_) {
        member->pool.abandon();
        member = make_member(member->server);
    }
    for (auto& [name, member] : others_) member->pool.abandon();
    others_.clear();
}

std::shared_ptr<Backend::Member> Backend::Shared::make_member(const ServerAddress& server) const {
    return std::make_shared<Member>(
        server.with_default_port(settings_.default_port),
        net::CircuitBreaker::Limits{settings_.most_failures, settings_.first_pause, settings_.longest_pause},
        net::ConnectionPool::Limits{settings_.most_idle, settings_.idle_time, settings_.lifetime});
}

std::shared_ptr<Backend::Member> Backend::Shared::other_member(const ServerAddress& server) {
    const std::string name = server.with_default_port(settings_.default_port).to_string();
    for (const auto& member : members_)
        if (member->server.to_string() == name) return member;
    auto& other = others_[name];
    if (!other) other = make_member(server);
    return other;
}

void Backend::Shared::forget_others() {
    if (others_.size() < most_others) return;
    std::erase_if(others_, [&](const auto& entry) {
        return entry.second->in_use == 0 &&
               entry.second->breaker.state(clock_.now()) == net::CircuitBreaker::State::closed;
    });
}

Backend::Shared::Members Backend::Shared::members(const std::vector<ServerAddress>* servers) {
    const auto held = lock();
    if (servers == nullptr) return members_;
    forget_others();
    Members chosen;
    for (const auto& server : *servers) chosen.push_back(other_member(server));
    return chosen;
}

Backend::Shared::Members Backend::Shared::in_turn(const std::vector<ServerAddress>* servers) {
    Members chosen = members(servers);
    const auto held = lock();
    const auto now = clock_.now();
    std::erase_if(chosen, [&](const auto& member) { return !member->breaker.is_admitting(now); });
    if (settings_.balance == Balance::round_robin && chosen.size() > 1)
        std::rotate(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(turn_++ % chosen.size()),
                    chosen.end());
    return chosen;
}

bool Backend::Shared::is_admitting(const Member& member) {
    const auto held = lock();
    return member.breaker.is_admitting(clock_.now());
}

std::optional<net::CircuitBreaker::Admission> Backend::Shared::admit(Member& member) {
    const auto held = lock();
    const auto admitted = member.breaker.admit(clock_.now());
    if (admitted) ++member.in_use;
    return admitted;
}

Error Backend::Shared::nobody_left(const std::vector<ServerAddress>* servers) {
    std::string text;
    for (const auto& member : members(servers)) {
        const auto held = lock();
        const ServerStatus now = status_of(*member, clock_.now());
        const std::string when = now.state == ServerStatus::State::open ? "for another " + in_seconds(now.next_try)
                                                                        : "until the call that tests it has returned";
        text += format_text("{}{} failed and is not asked {}: {}", text.empty() ? "" : "; ", now.name, when,
                            now.last_error);
    }
    return {ErrorCode::unavailable, text.empty() ? "there is no server to ask" : std::move(text), 0};
}

Result<std::vector<IpAddress>> Backend::Shared::addresses_of(const ServerAddress& server,
                                                             const Answers& answers) const {
    if (server.is_local()) return std::vector<IpAddress>();
    if (server.address()) return std::vector<IpAddress>{*server.address()};
    if (const auto known = known_hosts_.find(server.host()); known != known_hosts_.end()) return known->second;
    const HostAddresses found = answers.addresses(server.host());
    if (found.found()) return found.all();
    return Error{ErrorCode::not_found, format_text("no address of {} in the DNS: {}", server.host(), found.error()), 0};
}

bool Backend::Shared::is_fair(const Error& error, Duration time) {
    return error.code != ErrorCode::timeout || time >= fair_time;
}

std::optional<net::ConnectionPool::Idle> Backend::Shared::take_idle(Member& member, std::string_view identity,
                                                                    Duration time) {
    for (;;) {
        std::optional<net::ConnectionPool::Idle> idle;
        {
            const auto held = lock();
            idle = member.pool.take(tls_name(member.server), identity, clock_.now());
        }
        if (!idle) return idle;
        if (!idle->socket.is_quiet()) continue;
        idle->socket.allow(std::chrono::steady_clock::now() + time, time);
        if (settings_.check && !(settings_.check(idle->socket) && idle->socket.is_quiet())) continue;
        const auto held = lock();
        ++member.reused;
        return idle;
    }
}

void Backend::Shared::put_idle(Member& member, ClientSocket socket, std::unique_ptr<const Secret> identity,
                               MonotonicTime made) {
    if (settings_.most_idle == 0) return;
    net::ConnectionPool::Idle idle{std::move(socket), std::string(tls_name(member.server)), std::move(identity), made};
    const auto held = lock();
    member.pool.put(std::move(idle), clock_.now());
}

void Backend::Shared::succeeded(Member& member) {
    bool was_open = false;
    {
        const auto held = lock();
        ++member.successes;
        was_open = member.breaker.has_opened();
        member.breaker.succeeded();
    }
    if (was_open) log(LogLevel::notice, format_text("{} answers again", member.server));
}

void Backend::Shared::failed(Member& member, bool is_probe, const Error& error) {
    ServerStatus now;
    bool opens = false;
    {
        const auto held = lock();
        ++member.failures;
        member.last_error = error.what;
        opens = member.breaker.failed(admission(is_probe), clock_.now(), support::random_bits());
        if (opens) member.pool.clear();
        now = status_of(member, clock_.now());
    }
    if (opens)
        log(LogLevel::warning, format_text("SMTPD0088: {} failed {} times in a row and is not asked for {}: {}",
                                           now.name, now.failures_in_a_row, in_seconds(now.next_try), now.last_error));
    else if (is_probe)
        log(LogLevel::info, format_text("{} still fails and is not asked for {}: {}", now.name,
                                        in_seconds(now.next_try), now.last_error));
}

void Backend::Shared::withdrawn(Member& member, bool is_probe, const Error& error) {
    const auto held = lock();
    member.last_error = error.what;
    member.breaker.withdrawn(admission(is_probe));
}

void Backend::Shared::leave(Member& member, bool is_settled, bool is_probe) {
    const auto held = lock();
    if (member.in_use > 0) --member.in_use;
    if (!is_settled) member.breaker.undecided(admission(is_probe));
}

std::vector<ServerStatus> Backend::Shared::status() {
    const auto held = lock();
    std::vector<ServerStatus> all;
    for (const auto& member : members_) all.push_back(status_of(*member, clock_.now()));
    for (const auto& [name, member] : others_) all.push_back(status_of(*member, clock_.now()));
    return all;
}

ServerStatus Backend::Shared::status_of(const Member& member, MonotonicTime now) const {
    ServerStatus out;
    out.name = member.server.to_string();
    switch (member.breaker.state(now)) {
        case net::CircuitBreaker::State::closed: out.state = ServerStatus::State::closed; break;
        case net::CircuitBreaker::State::open: out.state = ServerStatus::State::open; break;
        case net::CircuitBreaker::State::half_open: out.state = ServerStatus::State::half_open; break;
    }
    if (out.state == ServerStatus::State::open)
        out.next_try = std::chrono::ceil<Duration>(*member.breaker.open_until() - now);
    out.successes = member.successes;
    out.failures = member.failures;
    out.failures_in_a_row = member.breaker.failures_in_a_row();
    out.reused = member.reused;
    out.in_use = member.in_use;
    out.idle = member.pool.size();
    out.last_error = member.last_error;
    return out;
}

void Backend::Shared::log(LogLevel level, const std::string& text) const {
    if (!log_.enabled(level)) return;
    LogLine line;
    line.level = level;
    line.plugin = name_;
    line.text = text;
    log_.write(line);
}

}  // namespace smtpd
