/// descriptor_budget.h: how the descriptors of a process are divided.
///
/// The system gives each new descriptor the lowest free number. So the number of a socket that was just accepted shows
/// how many descriptors are in use, without counting: all lower ones are. There are three shares, from the lowest
/// number:
///
///     0 … clients        everything that the process holds, and clients' connections
///     clients … files    an eighth of all: spool files, logs, sockets to back ends and to name servers
///     files … limit      for the listener only: accepted clients (one for each thread) that were not checked yet
///
/// The listener must never run out of them: httpd ends a child whose accept() fails for lack of descriptors, and itself
/// when no child is left.
#pragma once

#include <algorithm>

namespace smtpd::support {

struct DescriptorBudget {
    /// What a process holds without clients, about twice the observed number: listeners, logs, libraries' files, the
    /// MPM's pipes.
    static constexpr unsigned base = 64;

    unsigned clients = 0;  ///< a client whose socket has this number, or a higher one, is rejected
    unsigned files = 0;    ///< a file for a client's message must not get this number, or a higher one

    /// The budget of a process with that limit and number of threads. Even with few descriptors, no share takes them
    /// all.
    static constexpr DescriptorBudget of(unsigned limit, unsigned threads) noexcept {
        const unsigned files = limit - std::min(listener_share(threads), limit / 4);
        return {files - limit / 8, files};
    }

    /// The limit that allows that number of connections.
    static constexpr unsigned needed(unsigned connections, unsigned threads) noexcept {
        const unsigned without_files = base + connections + listener_share(threads);
        return without_files + (without_files + 6) / 7;  // an eighth of the sum
    }

    /// The number of connections that the budget allows.
    constexpr unsigned connections() const noexcept { return clients - std::min(clients, base); }

private:
    static constexpr unsigned listener_share(unsigned threads) noexcept { return threads + 32; }
};

}  // namespace smtpd::support
