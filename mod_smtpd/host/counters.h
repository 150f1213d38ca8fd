/// counters.h: counts what a plugin instance has done. The server decides where the counters live: on the heap, or in
/// memory that all its processes share.
#pragma once

#include <atomic>
#include <cstdint>

namespace smtpd::host {

struct PluginCounters {
    using Count = std::atomic<std::uint64_t>;
    static_assert(Count::is_always_lock_free, "the counters may lie in memory shared by several processes");

    Count pass{0};  ///< findings
    Count fail{0};
    Count skip{0};
    Count error{0};
    Count fault{0};    ///< exceptions and invalid responses
    Count overrun{0};  ///< calls that took, or would have taken, longer than their deadline

    static void count(Count& counter) noexcept { counter.fetch_add(1, std::memory_order_relaxed); }
};

}  // namespace smtpd::host
