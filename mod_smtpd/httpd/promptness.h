/// promptness.h: whether answers of the DNS have lately come so soon that a thread had better wait for them.
///
/// A name server next door answers in a fraction of a millisecond: to give the connection back to the MPM meanwhile,
/// and to wake two more threads when the answer is there, costs several times as much as to wait with those that wait
/// for their clients. Where answers take long, nobody waits, but for a trial now and then. Any thread; a count that is
/// lost between two of them does not matter.
#pragma once

#include <atomic>

namespace smtpd::httpd {

class Promptness {
public:
    /// Whether to wait this time; then `note` what came of it.
    bool is_likely() noexcept {
        const int score = score_.load(std::memory_order_relaxed);
        if (score < 0) score_.store(score + 1, std::memory_order_relaxed);
        return score >= 0;
    }
    void note(bool was_prompt) noexcept {
        const int score = score_.load(std::memory_order_relaxed);
        if (was_prompt && score < most) score_.store(score + 1, std::memory_order_relaxed);
        if (!was_prompt) score_.store(score > 0 ? score - cost_of_waiting : pause, std::memory_order_relaxed);
    }

private:
    static constexpr int most = 32;
    static constexpr int cost_of_waiting = 8;  ///< one that was too late undoes so many that were not
    static constexpr int pause = -100;         ///< so many are not tried after that

    std::atomic<int> score_{0};
};

}  // namespace smtpd::httpd
