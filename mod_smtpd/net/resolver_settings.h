/// resolver_settings.h: the settings of SmtpResolver: name servers, time-outs and tries.
#pragma once

#include <smtpd/base/ip.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace smtpd::net {

struct ResolverSettings {
    struct Server {
        IpAddress address;
        std::uint16_t port = 53;
        std::string to_string() const;  ///< "192.0.2.1:53", "[::1]:53"
        bool operator==(const Server&) const = default;
    };
    std::vector<Server> servers;  ///< none: those of /etc/resolv.conf
    /// For the first try; every further round over all servers waits twice as long.
    std::chrono::milliseconds timeout{3000};
    unsigned tries = 3;  ///< how often each server is asked
    std::size_t cache_octets = 4 * 1024 * 1024;

    bool operator==(const ResolverSettings&) const = default;
    static constexpr std::size_t max_servers = 16;
};

}  // namespace smtpd::net
