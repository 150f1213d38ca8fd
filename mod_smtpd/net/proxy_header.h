/// proxy_header.h: the header with which a load balancer says which client it connects for (HAProxy's PROXY protocol,
/// version 1 and 2).
///
/// Only to be read from peers that are trusted: who sends it can be anybody.
#pragma once

#include <smtpd/connection.h>

#include <string>
#include <string_view>

namespace smtpd::net {

/// Takes the header off a stream, which may come in pieces of any size. Not thread-safe.
class ProxyHeader {
public:
    enum class Status {
        need_more,  ///< all octets are used up
        local,      ///< the peer speaks for itself (a health check), or of a client that has no internet address
        proxied,    ///< client() and local() are the ends of the connection to the proxy
        bad         ///< it is no such header; problem() says why
    };

    /// Takes off `octets` what belongs to the header, and nothing else. Not to be called again once it said something
    /// else than need_more.
    Status feed(std::string_view& octets);

    const Endpoint& client() const noexcept { return client_; }
    const Endpoint& local() const noexcept { return local_; }
    /// For the log; a constant text without anything that the peer sent.
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
