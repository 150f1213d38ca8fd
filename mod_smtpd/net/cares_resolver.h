/// cares_resolver.h: the resolver of a serving process, on c-ares: one thread, which sends, receives, keeps answers, and calls those who wait.
///
/// UDP, and TCP where a reply was cut off; no search domains, no hosts file; ids and ports are chosen by c-ares. A question that is on its way is not
/// sent again for the next who asks it. A question nobody waits for any more is left to its end, because its answer is worth keeping; how long that
/// takes at most is set by time-out and tries.
///
/// To be made in the process that serves. The thread starts with the first question, with all signals blocked.
#pragma once

#include "net/resolver.h"

#include <smtpd/clock.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
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
    std::vector<Server> servers;              ///< none: those of /etc/resolv.conf
    std::chrono::milliseconds timeout{3000};  ///< of the first try; each further one over all servers waits twice as long
    unsigned tries = 3;                       ///< how often each server is asked
    std::size_t cache_octets = 4 * 1024 * 1024;

    bool operator==(const ResolverSettings&) const = default;
    static constexpr std::size_t max_servers = 16;
};

class CaresResolver final : public Resolver {
public:
    CaresResolver(ResolverSettings settings, const Clock& clock);
    ~CaresResolver() override;

    const ResolverSettings& settings() const noexcept;
    std::shared_ptr<Lookup> start(std::vector<DnsQuestion> questions, std::function<void()> done) override;
    /// Ends the thread. What is on its way gets no answer any more, and nobody is called; what is asked from now on fails at once.
    void stop() noexcept;
    /// Questions that were sent and have no answer yet.
    std::size_t in_flight() const;

private:
    class Core;
    std::unique_ptr<Core> core_;
};

}  // namespace smtpd::net
