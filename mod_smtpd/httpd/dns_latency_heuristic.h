/// dns_latency_heuristic.h: whether the DNS has recently answered so fast that a thread should wait for the answer.
///
/// A nearby name server answers in a fraction of a millisecond. Giving the connection back to the MPM for that time,
/// and waking two more threads when the answer comes, costs several times as much as waiting along with the threads
/// that wait for their clients. If answers take long, no thread waits, apart from an occasional trial. Thread-safe; a
/// lost count does no harm.
#pragma once

#include <atomic>

namespace smtpd::httpd {

class DnsLatencyHeuristic {
public:
    /// Whether to wait this time. If so, call record() with the result.
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
    static constexpr int cost_of_waiting = 8;  ///< one late answer cancels this many prompt ones
    static constexpr int pause = -100;         ///< after that, this many questions go without waiting

    std::atomic<int> score_{0};
};

}  // namespace smtpd::httpd
