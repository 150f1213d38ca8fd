/// clock.h: an injectable clock. The server passes the system's clock, a test one that it moves itself.
///
/// `now()` is monotonic, for deadlines and delays; `wall()` is the time of day, for people and files. Thread-safe.
#pragma once

#include <smtpd/base/api.h>

#include <chrono>

namespace smtpd {

using MonotonicTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

class SMTPD_API Clock {
public:
    virtual ~Clock() = default;
    virtual std::chrono::steady_clock::time_point now() const noexcept = 0;
    virtual std::chrono::system_clock::time_point wall() const noexcept = 0;
};

}  // namespace smtpd
