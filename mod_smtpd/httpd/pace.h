/// pace.h: whether the plugins of a server have lately taken long over what a client sent.
///
/// Sessions that are answered at once are served by a thread they share (support/shared_poll.h). Where a plugin forces files to the disk or asks a back
/// end, each has to be served by its own thread, or they would wait for one another. No plugin has to say what it is: it is seen.
#pragma once

#include "engine/session.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace smtpd::httpd {

class Pace {
public:
    /// What a client sends in this phase is to be worked on by the session's own thread.
    bool is_slow(engine::Phase phase) const noexcept { return of(phase).slow.load(std::memory_order_relaxed) > 0; }

    /// What a client sent in this phase took so long. Once may be the scheduler's doing, twice in a short while is not. Any thread; a count that is lost
    /// between two of them does not matter.
    void note(engine::Phase phase, std::chrono::steady_clock::duration took) noexcept {
        Counts& counts = of(phase);
        const auto slow = counts.slow.load(std::memory_order_relaxed);
        const auto suspicious = counts.suspicious.load(std::memory_order_relaxed);
        if (took < long_time) {
            if (slow > 0) counts.slow.store(slow - 1, std::memory_order_relaxed);
            if (suspicious > 0) counts.suspicious.store(suspicious - 1, std::memory_order_relaxed);
            return;
        }
        if (suspicious > 0) counts.slow.store(stays_slow, std::memory_order_relaxed);
        counts.suspicious.store(stays_suspicious, std::memory_order_relaxed);
    }

private:
    static constexpr std::chrono::microseconds long_time{500};
    static constexpr std::uint8_t stays_slow = 32;
    static constexpr std::uint8_t stays_suspicious = 8;

    struct Counts {
        std::atomic<std::uint8_t> slow{0};
        std::atomic<std::uint8_t> suspicious{0};
    };
    Counts& of(engine::Phase phase) noexcept { return counts_[static_cast<std::size_t>(phase)]; }
    const Counts& of(engine::Phase phase) const noexcept { return counts_[static_cast<std::size_t>(phase)]; }

    std::array<Counts, static_cast<std::size_t>(engine::Phase::closing) + 1> counts_;
};

}  // namespace smtpd::httpd
