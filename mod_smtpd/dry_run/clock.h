/// clock.h: a clock for dry runs: the system's, or one that stands still; both can be moved ahead, to skip waiting
/// times.
#pragma once

#include "support/clock.h"

#include <algorithm>
#include <atomic>
#include <optional>

namespace smtpd::dry_run {

/// Thread-safe.
class DryRunClock final : public Clock {
public:
    /// Runs like the system's clock.
    DryRunClock() = default;
    /// Stands still, so that the same dry run gives the same output.
    explicit DryRunClock(WallTime standing) : standing_(standing) {}

    MonotonicTime now() const noexcept override {
        return (standing_ ? MonotonicTime(std::chrono::hours(1)) : system_.now()) + moved();
    }
    WallTime wall() const noexcept override {
        return (standing_ ? *standing_ : system_.wall()) + std::chrono::duration_cast<WallTime::duration>(moved());
    }
    void move_by(std::chrono::nanoseconds time) noexcept { moved_.fetch_add(std::max(time, time.zero()).count()); }
    /// Does nothing if that time has passed.
    void move_to(MonotonicTime time) noexcept { move_by(time - now()); }
    /// The real time that corresponds to a time of this clock.
    MonotonicTime real(MonotonicTime time) const noexcept { return time - moved(); }

private:
    std::chrono::nanoseconds moved() const noexcept { return std::chrono::nanoseconds(moved_.load()); }

    const support::SystemClock system_;
    const std::optional<WallTime> standing_;
    std::atomic<std::chrono::nanoseconds::rep> moved_{0};
};

}  // namespace smtpd::dry_run
