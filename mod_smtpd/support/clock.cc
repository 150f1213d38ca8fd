/// clock.cc: the kernel's clocks. libstdc++'s steady_clock is CLOCK_MONOTONIC and its system_clock is CLOCK_REALTIME;
/// their coarse variants use the same time line, so both precisions may be mixed.
#include "support/clock.h"

#include <ctime>

namespace smtpd::support {
namespace {

#ifdef CLOCK_MONOTONIC_COARSE
constexpr clockid_t coarse_monotonic = CLOCK_MONOTONIC_COARSE;
constexpr clockid_t coarse_realtime = CLOCK_REALTIME_COARSE;
#else
constexpr clockid_t coarse_monotonic = CLOCK_MONOTONIC;
constexpr clockid_t coarse_realtime = CLOCK_REALTIME;
#endif

template <class TimePoint>
TimePoint read(clockid_t id) noexcept {
    timespec time{};
    clock_gettime(id, &time);
    const auto since_epoch = std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
    return TimePoint(std::chrono::duration_cast<typename TimePoint::duration>(since_epoch));
}

}  // namespace

std::chrono::steady_clock::time_point SystemClock::now() const noexcept {
    return read<std::chrono::steady_clock::time_point>(precision_ == Precision::coarse ? coarse_monotonic
                                                                                       : CLOCK_MONOTONIC);
}

std::chrono::system_clock::time_point SystemClock::wall() const noexcept {
    return read<std::chrono::system_clock::time_point>(precision_ == Precision::coarse ? coarse_realtime
                                                                                       : CLOCK_REALTIME);
}

}  // namespace smtpd::support
