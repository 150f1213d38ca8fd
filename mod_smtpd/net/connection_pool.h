/// connection_pool.h: unused connections to one server, kept for the next caller.
///
/// A connection is only given to a caller with the same identity and TLS name as the previous one. The newest
/// connection is given first, so that superfluous ones grow old and are closed. It has no lock; the owner has one.
#pragma once

#include <smtpd/auth/credentials.h>
#include <smtpd/backend/client_socket.h>
#include <smtpd/base/clock.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::net {

class ConnectionPool {
public:
    struct Limits {
        std::size_t most = 0;   ///< 0: no connections are kept
        Duration idle_time{0};  ///< how long a connection may be unused
        Duration lifetime{0};   ///< ... and how old it may become
    };
    struct Idle {
        ClientSocket socket;
        std::string tls_name;
        std::unique_ptr<const Secret> identity;  ///< may contain a password
        MonotonicTime made;
        MonotonicTime left{};  ///< when it was put into the pool
    };

    explicit ConnectionPool(const Limits& limits) noexcept : limits_(limits) {}

    std::optional<Idle> take(std::string_view tls_name, std::string_view identity, MonotonicTime now);
    /// Closes the oldest connections if there are too many.
    void put(Idle idle, MonotonicTime now);
    void clear() noexcept { idle_.clear(); }
    /// In a forked process: closes the parent's connections without notifying the server.
    void abandon() noexcept;
    std::size_t size() const noexcept { return idle_.size(); }

private:
    void close_old(MonotonicTime now);

    const Limits limits_;
    std::vector<Idle> idle_;  ///< the newest is last
};

}  // namespace smtpd::net
