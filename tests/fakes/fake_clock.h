/// fake_clock.h: a clock that stands still until a test moves it. It starts on Friday, 20 November 2026, 18:27:00 UTC.
#pragma once

#include <smtpd/base/clock.h>

#include <atomic>

namespace smtpd::fakes {

class FakeClock final : public Clock {
public:
    std::chrono::steady_clock::time_point now() const noexcept override {
        return std::chrono::steady_clock::time_point(start_up + moved());
    }
    std::chrono::system_clock::time_point wall() const noexcept override {
        return std::chrono::system_clock::time_point(start + moved());
    }

    /// Lets time pass; both clocks move.
    void advance(std::chrono::milliseconds by) noexcept { moved_ += by.count(); }

private:
    static constexpr std::chrono::seconds start{1795199220};
    static constexpr std::chrono::hours start_up{1};
    std::chrono::milliseconds moved() const noexcept { return std::chrono::milliseconds(moved_.load()); }

    std::atomic<std::int64_t> moved_{0};
};

}  // namespace smtpd::fakes
