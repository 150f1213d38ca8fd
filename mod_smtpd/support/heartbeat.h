/// heartbeat.h: tells cheaply, by reading a number, whether much time can have passed.
///
/// If a heartbeat thread is running, it increments a count about once a second. Reading the same count twice means that
/// at most `longest` has passed, so no clock need be read. A count of 0 means that no such thread runs: then measure
/// the time. Thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace smtpd::support {

class Heartbeat {
public:
    /// The longest time between two reads of the same count, with a margin for a late beat.
    static constexpr std::chrono::seconds longest{2};

    std::uint32_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
    /// Called by the heartbeat thread only.
    void beat() noexcept { count_.store(std::max(count() + 1, std::uint32_t{1}), std::memory_order_relaxed); }
    /// The heartbeat thread has ended.
    void stop() noexcept { count_.store(0, std::memory_order_relaxed); }

private:
    std::atomic<std::uint32_t> count_{0};
};

}  // namespace smtpd::support
