/// connection_pool.h: connections to one server that nobody uses at the moment, for whoever may use them next.
///
/// A connection is given only to a caller of the same identity and TLS name as the one that left it. The newest is
/// given first, so that those that are too many grow old and are closed. Without a lock; who owns it has one.
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
        std::size_t most = 0;   ///< 0: nothing is kept
        Duration idle_time{0};  ///< how long a connection may be without use
        Duration lifetime{0};   ///< ... and how old it may become
    };
    struct Idle {
        ClientSocket socket;
        std::string tls_name;
        std::unique_ptr<const Secret> identity;  ///< it may have a password in it
        MonotonicTime made;
        MonotonicTime left{};  ///< when it was put here
    };

    explicit ConnectionPool(const Limits& limits) noexcept : limits_(limits) {}

    std::optional<Idle> take(std::string_view tls_name, std::string_view identity, MonotonicTime now);
    /// The oldest ones are closed where there are too many.
    void put(Idle idle, MonotonicTime now);
    void clear() noexcept { idle_.clear(); }
    /// In a process that was forked: closes what belongs to the other process, without a word to the server.
    void abandon() noexcept;
    std::size_t size() const noexcept { return idle_.size(); }

private:
    void close_old(MonotonicTime now);

    const Limits limits_;
    std::vector<Idle> idle_;  ///< the newest last
};

}  // namespace smtpd::net
