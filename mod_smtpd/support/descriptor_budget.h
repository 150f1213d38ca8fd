/// descriptor_budget.h: how the descriptors that a process may have open are shared out.
///
/// The system gives each new descriptor the lowest number that is free. So the number of a socket that was just
/// accepted tells how many descriptors are in use, without counting: all below it are. There are three shares, from
/// below:
///
///     0 … clients        everything that the process holds, and clients' connections
///     clients … files    an eighth of all: spool files, logs, sockets to back ends and to name servers
///     files … limit      for the listener alone: clients that were accepted (one for each thread), not yet looked at
///
/// The listener must never be without one: httpd ends a child whose accept() fails for want of descriptors, and
/// itself once no child is left.
#pragma once

#include <algorithm>

namespace smtpd::support {

struct DescriptorBudget {
    /// What a process holds without clients, about twice what was seen: listeners, logs, libraries' files, the MPM's
    /// pipes.
    static constexpr unsigned base = 64;

    unsigned clients = 0;  ///< a client whose socket has this number, or a higher one, is turned away
    unsigned files = 0;    ///< no file for a client's message gets this number, or a higher one

    /// Of a process with so many threads that may have so many descriptors. With few of them no share takes everything.
    static constexpr DescriptorBudget of(unsigned limit, unsigned threads) noexcept {
        const unsigned files = limit - std::min(listener_share(threads), limit / 4);
        return {files - limit / 8, files};
    }

    /// The limit with which there is room for so many connections.
    static constexpr unsigned needed(unsigned connections, unsigned threads) noexcept {
        const unsigned without_files = base + connections + listener_share(threads);
        return without_files + (without_files + 6) / 7;  // an eighth of the sum
    }

    /// How many connections there is room for.
    constexpr unsigned connections() const noexcept { return clients - std::min(clients, base); }

private:
    static constexpr unsigned listener_share(unsigned threads) noexcept { return threads + 32; }
};

}  // namespace smtpd::support
