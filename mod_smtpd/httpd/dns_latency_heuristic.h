/// dns_latency_heuristic.h: whether the DNS has lately answered so soon that a thread does better to wait for it.
///
/// A name server next door answers in a fraction of a millisecond. Giving the connection back to the MPM for that time,
/// and waking two more threads when the answer is there, costs several times as much as waiting together with the
/// threads that wait for their clients. If answers take long, no thread waits, apart from a try now and then. Any
/// thread may call; it does no harm if two threads lose a count.
#pragma once

#include <atomic>

namespace smtpd::httpd {

class DnsLatencyHeuristic {
public:
    /// Whether to wait this time. Then record() what came of it.
    bool is_worth_waiting() noexcept {
        const int score = score_.load(std::memory_order_relaxed);
        if (score < 0) score_.store(score + 1, std::memory_order_relaxed);
        return score >= 0;
    }
    void record(bool was_prompt) noexcept {
        const int score = score_.load(std::memory_order_relaxed);
        if (was_prompt && score < most) score_.store(score + 1, std::memory_order_relaxed);
        if (!was_prompt) score_.store(score > 0 ? score - cost_of_waiting : pause, std::memory_order_relaxed);
    }

private:
    static constexpr int most = 32;
    static constexpr int cost_of_waiting = 8;  ///< one late answer cancels so many prompt ones
    static constexpr int pause = -100;         ///< after that, so many questions are not waited for

    std::atomic<int> score_{0};
};

}  // namespace smtpd::httpd
