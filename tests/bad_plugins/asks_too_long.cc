/// asks_too_long.cc: asks for an hour of silence.
#include <smtpd/plugin.h>

#include <chrono>

namespace smtpd::plugins {

class AsksTooLong final : public PolicyPlugin {
public:
    explicit AsksTooLong(Setup& setup) {
        setup.hooks.connect
            .ask([](const ConnectHook&, Questions& questions) { questions.silence(std::chrono::hours(1)); })
            .decide([](const ConnectHook&) { return fail("not reached"); });
    }
};

SMTPD_PLUGIN("asks_too_long", AsksTooLong);
}  // namespace smtpd::plugins
