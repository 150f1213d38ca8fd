/// heartbeat.h: tells whether much time can have passed, at the cost of reading a number.
///
/// A process that has a thread for it lets the heart beat about once a second. Who finds the same count twice knows
/// that at most `longest` lies between, and need not read a clock. A count of 0 says that nothing beats: then time has
/// to be measured. Thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace smtpd::support {

class Heartbeat {
public:
    /// What may lie between two looks at the same count, with room for a beat that comes late.
    static constexpr std::chrono::seconds longest{2};

    std::uint32_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
    /// For the one thread that beats.
    void beat() noexcept { count_.store(std::max(count() + 1, std::uint32_t{1}), std::memory_order_relaxed); }
    /// Nobody beats any more.
    void stop() noexcept { count_.store(0, std::memory_order_relaxed); }

private:
    std::atomic<std::uint32_t> count_{0};
};

}  // namespace smtpd::support
