/// circuit_breaker.cc: see circuit_breaker.h.
#include "net/circuit_breaker.h"

#include <algorithm>

namespace smtpd::net {

std::optional<CircuitBreaker::Admission> CircuitBreaker::admit(MonotonicTime now) noexcept {
    if (!is_admitting(now)) return {};
    if (state(now) == State::closed) return Admission::normal;
    has_probe_ = true;
    return Admission::probe;
}

void CircuitBreaker::succeeded() noexcept {
    failures_ = 0;
    openings_ = 0;
    has_probe_ = false;
    open_until_.reset();
}

bool CircuitBreaker::failed(Admission admission, MonotonicTime now, std::uint64_t random) noexcept {
    ++failures_;
    if (admission == Admission::probe) {
        has_probe_ = false;
        open(now, random);
        return false;
    }
    if (open_until_ || failures_ < limits_.failures)
        return false;  // a call that began before the breaker opened has no effect
    open(now, random);
    return true;
}

void CircuitBreaker::undecided(Admission admission) noexcept {
    if (admission != Admission::probe) return;
    has_probe_ = false;
    open_until_.reset();
    failures_ = limits_.failures - 1;
}

void CircuitBreaker::withdrawn(Admission admission) noexcept {
    if (admission == Admission::probe) has_probe_ = false;
}

void CircuitBreaker::open(MonotonicTime now, std::uint64_t random) noexcept {
    constexpr unsigned most_doublings = 20;
    const auto nominal = std::min(limits_.longest_pause,
                                  limits_.first_pause * (1U << std::min(openings_, most_doublings)));
    ++openings_;
    const auto quarter = static_cast<std::uint64_t>(nominal.count() / 4);
    open_until_ = now + nominal - Duration(static_cast<Duration::rep>(random % (quarter + 1)));
}

}  // namespace smtpd::net
