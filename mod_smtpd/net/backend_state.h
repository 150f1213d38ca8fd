/// backend_state.h: what the threads of a process know in common about the servers of a Backend: breakers, kept
/// connections, counters. Behind one lock, which nobody holds while something is waited for.
#pragma once

#include "net/circuit_breaker.h"
#include "net/connection_pool.h"
#include "net/hosts_file.h"

#include <smtpd/backend/backend.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace smtpd {

/// One server. `server` is constant; the rest is behind the lock of Shared.
struct Backend::Member {
    Member(ServerAddress where, const net::CircuitBreaker::Limits& breaker_limits,
           const net::ConnectionPool::Limits& pool_limits)
        : server(std::move(where)), breaker(breaker_limits), pool(pool_limits) {}

    const ServerAddress server;
    net::CircuitBreaker breaker;
    net::ConnectionPool pool;
    std::uint64_t successes = 0, failures = 0, reused = 0;
    std::size_t in_use = 0;
    std::string last_error;
};

struct Backend::Shared {
    using Members = std::vector<std::shared_ptr<Member>>;
    /// Whether a kept connection to that server does.
    using Reuse = std::function<bool(Member&, Duration time)>;

    Shared(std::string name, std::vector<ServerAddress> servers, BackendSettings settings, const Clock& clock,
           LogSink& log);

    const BackendSettings& settings() const noexcept { return settings_; }
    const Clock& clock() const noexcept { return clock_; }

    /// backend.cc
    static Result<Lease> reach(const std::shared_ptr<Shared>& self, const Answers& answers, MonotonicTime deadline,
                               const std::vector<ServerAddress>* servers, const Reuse& reuse, const Attempt& attempt);

    /// Those servers, or those of the configuration.
    Members members(const std::vector<ServerAddress>* servers);
    /// Those of them that may be asked now, in the order in which they are to be tried.
    Members in_turn(const std::vector<ServerAddress>* servers);
    bool is_admitting(const Member& member);
    std::optional<net::CircuitBreaker::Admission> admit(Member& member);
    /// Why nobody may be asked.
    Error nobody_left(const std::vector<ServerAddress>* servers);

    bool needs_question(const ServerAddress& server) const {
        return !server.is_local() && !server.address() && known_hosts_.find(server.host()) == known_hosts_.end();
    }
    Result<std::vector<IpAddress>> addresses_of(const ServerAddress& server, const Answers& answers) const;
    /// Whether the server had enough time to be blamed.
    static bool is_fair(const Error& error, Duration time);

    std::optional<net::ConnectionPool::Idle> take_idle(Member& member, std::string_view identity, Duration time);
    void put_idle(Member& member, ClientSocket socket, std::unique_ptr<const Secret> identity, MonotonicTime made);

    void succeeded(Member& member);
    void failed(Member& member, bool is_probe, const Error& error);
    void withdrawn(Member& member, bool is_probe, const Error& error);
    void leave(Member& member, bool is_settled, bool is_probe);
    std::vector<ServerStatus> status();

private:
    /// The lock. In a process that was forked, whatever belongs to the other process is gone behind it.
    std::unique_lock<std::mutex> lock();
    std::shared_ptr<Member> make_member(const ServerAddress& server) const;
    std::shared_ptr<Member> other_member(const ServerAddress& server);
    /// Drops what is known about servers outside the configuration where that has become much.
    void forget_others();
    void begin_anew();
    /// For the pool: the certificate that a connection was made with is part of whose it is.
    std::string_view tls_name(const ServerAddress& server) const {
        return settings_.tls ? std::string_view(server.host()) : std::string_view();
    }
    ServerStatus status_of(const Member& member, MonotonicTime now) const;
    void log(LogLevel level, const std::string& text) const;

    const std::string name_;
    const BackendSettings settings_;
    const Clock& clock_;
    LogSink& log_;
    net::HostsFile known_hosts_;
    std::mutex mutex_;
    pid_t process_ = 0;  ///< 0: nothing has happened yet
    Members members_;
    std::map<std::string, std::shared_ptr<Member>> others_;  ///< by name
    std::size_t turn_ = 0;
};

}  // namespace smtpd
