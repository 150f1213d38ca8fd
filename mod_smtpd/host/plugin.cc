/// plugin.cc: the parts of the API that the host implements: the plugins' base classes, so that their type information
/// exists only once, and HookContext::wait(), the only function of the API that blocks a thread.
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
