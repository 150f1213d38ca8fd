/// clock.h: the system's clock behind smtpd::Clock. Thread-safe; has no state.
#pragma once

#include <smtpd/base/clock.h>

namespace smtpd::support {

class SystemClock final : public Clock {
public:
    /// `coarse` reads the time of the last kernel tick (1 to 10 ms old) at a fraction of the cost; enough for SMTP's
    /// deadlines.
    enum class Precision { exact, coarse };

    explicit SystemClock(Precision precision = Precision::exact) noexcept : precision_(precision) {}
    std::chrono::steady_clock::time_point now() const noexcept override;
    std::chrono::system_clock::time_point wall() const noexcept override;

private:
    Precision precision_;
};

}  // namespace smtpd::support
