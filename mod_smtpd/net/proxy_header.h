/// proxy_header.h: the header in which a load balancer announces its client (HAProxy's PROXY protocol, versions 1 and
/// 2).
///
/// Only to be read from trusted peers, because anybody can send one.
#pragma once

#include <smtpd/connection.h>

#include <string>
#include <string_view>

namespace smtpd::net {

/// Removes the header from a stream that may arrive in pieces of any size. Not thread-safe.
class ProxyHeader {
public:
    enum class Status {
        need_more,  ///< all octets were consumed
        local,      ///< the peer speaks for itself (a health check), or for a client without an internet address
        proxied,    ///< client() and local() are the ends of the connection to the proxy
        bad         ///< not a valid header; problem() has the reason
    };

    /// Removes the octets of the header, and no others, from `octets`. Not to be called again after a result other than
    /// need_more.
    Status feed(std::string_view& octets);

    const Endpoint& client() const noexcept { return client_; }
    const Endpoint& local() const noexcept { return local_; }
    /// For the log; a constant text without anything from the peer.
    std::string_view problem() const noexcept { return problem_; }

private:
    bool take(std::string_view& octets, std::size_t size);
    Status text(std::string_view& octets);
    Status binary(std::string_view& octets);
    Status read_text(std::string_view line);
    Status read_binary();
    Status bad(std::string_view problem);

    std::string header_;
    Endpoint client_;
    Endpoint local_;
    std::string_view problem_;
};

}  // namespace smtpd::net
