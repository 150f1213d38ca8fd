/// plugin.cc: what the API leaves to the host: the plugins' base classes, so that their type information is in one
/// place, and a handler's waits, which are the only thing in the API that holds a thread.
#include <smtpd/plugin.h>

#include <thread>

namespace smtpd {

Plugin::~Plugin() = default;
PolicyPlugin::~PolicyPlugin() = default;

void HookContext::wait(Duration duration) const {
    const auto left = deadline_ - clock().now();
    const bool too_long = std::chrono::floor<Duration>(left) < duration;  // in milliseconds: nanoseconds could overflow
    const auto time = too_long ? left : MonotonicTime::duration(duration);
    if (time.count() > 0) std::this_thread::sleep_for(time);
    if (too_long) throw DeadlinePassed();
}

}  // namespace smtpd
