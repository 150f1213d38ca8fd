/// clock.h: the time, as something that can be given: the server hands out the system's, a test one that it moves
/// itself.
///
/// `now()` measures (deadlines, delays; never set back), `wall()` names a moment for people and files. Thread-safe.
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
