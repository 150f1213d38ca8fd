/// backend_state.h: the shared state of a Backend in one process: circuit breakers, kept connections, counters of its
/// servers. Protected by one lock, which no thread holds while it waits for something.
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

/// One server. `server` is constant; the lock of Shared guards the rest.
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
    /// Whether a kept connection to that server can be used.
    using Reuse = std::function<bool(Member&, Duration time)>;

    Shared(std::string name, std::vector<ServerAddress> servers, BackendSettings settings, const Clock& clock,
           LogSink& log);

    const BackendSettings& settings() const noexcept { return settings_; }
    const Clock& clock() const noexcept { return clock_; }

    /// backend.cc
    static Result<Lease> reach(const std::shared_ptr<Shared>& self, const Answers& answers, MonotonicTime deadline,
                               const std::vector<ServerAddress>* servers, const Reuse& reuse, const Attempt& attempt);

    /// The given servers, or those of the configuration if null.
    Members members(const std::vector<ServerAddress>* servers);
    /// Those of them that may be asked now, in the order in which to try them.
    Members in_turn(const std::vector<ServerAddress>* servers);
    bool is_admitting(const Member& member);
    std::optional<net::CircuitBreaker::Admission> admit(Member& member);
    /// Why no server may be asked.
    Error nobody_left(const std::vector<ServerAddress>* servers);

    bool needs_question(const ServerAddress& server) const {
        return !server.is_local() && !server.address() && known_hosts_.find(server.host()) == known_hosts_.end();
    }
    Result<std::vector<IpAddress>> addresses_of(const ServerAddress& server, const Answers& answers) const;
    /// Whether the server had enough time for its failure to count.
    static bool is_fair(const Error& error, Duration time);

    std::optional<net::ConnectionPool::Idle> take_idle(Member& member, std::string_view identity, Duration time);
    void put_idle(Member& member, ClientSocket socket, std::unique_ptr<const Secret> identity, MonotonicTime made);

    void succeeded(Member& member);
    void failed(Member& member, bool is_probe, const Error& error);
    void withdrawn(Member& member, bool is_probe, const Error& error);
    void leave(Member& member, bool is_settled, bool is_probe);
    std::vector<ServerStatus> status();

private:
    /// Takes the lock. In a forked process, it also discards everything that belongs to the parent process.
    std::unique_lock<std::mutex> lock();
    std::shared_ptr<Member> make_member(const ServerAddress& server) const;
    std::shared_ptr<Member> other_member(const ServerAddress& server);
    /// Discards what is known about servers outside the configuration if there are too many.
    void forget_others();
    void begin_anew();
    /// For the pool: the name that the certificate was checked for is part of a connection's identity.
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
    pid_t process_ = 0;  ///< 0 = not used yet
    Members members_;
    std::map<std::string, std::shared_ptr<Member>> others_;  ///< by name
    std::size_t turn_ = 0;
};

}  // namespace smtpd
