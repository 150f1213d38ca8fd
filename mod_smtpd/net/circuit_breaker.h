/// circuit_breaker.h: whether a server that failed is asked again, and when.
///
/// Closed: it is asked. After so many failures in a row it is open: it is not asked, for a time that doubles with every
/// opening up to a longest one. When that time is over it is half-open: one caller tries, the others are told no
/// meanwhile. If that one succeeds it is closed, else it opens again.
///
/// A pause is between three quarters of its nominal time and all of it, at random, so that the processes of a server do
/// not all try at once.
///
/// Without a lock and without a clock of its own; who owns it has both.
#pragma once

#include <smtpd/base/clock.h>
#include <smtpd/waiting.h>

#include <cstdint>
#include <optional>

namespace smtpd::net {

class CircuitBreaker {
public:
    struct Limits {
        unsigned failures = 3;
        Duration first_pause{5'000};
        Duration longest_pause{300'000};
    };
    enum class State { closed, open, half_open };
    /// How a caller may ask: as any, or as the one whose outcome decides.
    enum class Admission { normal, probe };

    explicit CircuitBreaker(const Limits& limits) noexcept : limits_(limits) {}

    State state(MonotonicTime now) const noexcept {
        return !open_until_ ? State::closed : now < *open_until_ ? State::open : State::half_open;
    }
    bool is_admitting(MonotonicTime now) const noexcept {
        return state(now) == State::closed || (state(now) == State::half_open && !has_probe_);
    }
    /// Nothing: do not ask. Every admission ends in one of the four calls below.
    std::optional<Admission> admit(MonotonicTime now) noexcept;

    void succeeded() noexcept;
    /// `random` chooses the length of the pause. True if it opens now, having been closed.
    bool failed(Admission admission, MonotonicTime now, std::uint64_t random) noexcept;
    /// It could be reached, and nothing else is known. After a probe, the next failure opens again.
    void undecided(Admission admission) noexcept;
    /// It was not even tried.
    void withdrawn(Admission admission) noexcept;

    unsigned failures_in_a_row() const noexcept { return failures_; }
    /// Whether it opened since the last success.
    bool has_opened() const noexcept { return openings_ > 0; }
    /// When the pause ends; nothing where it is closed.
    std::optional<MonotonicTime> open_until() const noexcept { return open_until_; }

private:
    void open(MonotonicTime now, std::uint64_t random) noexcept;

    const Limits limits_;
    unsigned failures_ = 0;
    unsigned openings_ = 0;  ///< since the last success
    bool has_probe_ = false;
    std::optional<MonotonicTime> open_until_;
};

}  // namespace smtpd::net
