/// circuit_breaker.h: whether, and when, a server that failed is asked again.
///
/// Closed: the server is asked. After a number of failures in a row the breaker opens: the server is not asked for a
/// time that doubles with every opening, up to a maximum. Then the breaker is half-open: one caller tries the server,
/// and the others are refused meanwhile. Success closes it; failure opens it again.
///
/// A pause lasts between three quarters of its nominal time and all of it, at random, so that the processes of a server
/// do not all try at once.
///
/// It has no lock and no clock; the owner has both.
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
    /// How a caller may ask: normally, or as the probe whose result decides.
    enum class Admission { normal, probe };

    explicit CircuitBreaker(const Limits& limits) noexcept : limits_(limits) {}

    State state(MonotonicTime now) const noexcept {
        return !open_until_ ? State::closed : now < *open_until_ ? State::open : State::half_open;
    }
    bool is_admitting(MonotonicTime now) const noexcept {
        return state(now) == State::closed || (state(now) == State::half_open && !has_probe_);
    }
    /// Nothing: do not ask. Every admission must be followed by one of the four calls below.
    std::optional<Admission> admit(MonotonicTime now) noexcept;

    void succeeded() noexcept;
    /// `random` determines the length of the pause. True if the breaker opens now after having been closed.
    bool failed(Admission admission, MonotonicTime now, std::uint64_t random) noexcept;
    /// The server was reached, but nothing else is known. After a probe, the next failure opens the breaker again.
    void undecided(Admission admission) noexcept;
    /// The server was not tried after all.
    void withdrawn(Admission admission) noexcept;

    unsigned failures_in_a_row() const noexcept { return failures_; }
    /// Whether the breaker opened since the last success.
    bool has_opened() const noexcept { return openings_ > 0; }
    /// When the pause ends; nothing if the breaker is closed.
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
