/// cares_resolver.h: the resolver of a serving process, on c-ares: one thread, which sends, receives, keeps answers,
/// and calls those who wait.
///
/// UDP, and TCP where a reply was cut off; no search domains, no hosts file. A question that is on its way is not sent
/// again for the next who asks it. A question nobody waits for any more is left to its end, because its answer is worth
/// keeping; how long that takes at most is set by time-out and tries.
///
/// Forged replies (RFC 5452): c-ares chooses a random id, and accepts only what comes from the server's address to the
/// port of the question and repeats id, type, class and name. Each question over UDP has a socket of its own, and so a
/// port that the kernel chooses, and its letters are in random case. A reply in which they are in another case is not
/// used; the question is asked again over TCP, where nobody can answer who does not see it. Up to 128 questions at a
/// time have a port of their own; each one beyond shares the port of one of these, chosen at random. The tries of a
/// question use the same id and case, and the same port for each server.
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
