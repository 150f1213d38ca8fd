/// overruns.cc: exceeds its deadline: at MAIL by a wait through the API, at RCPT without the API.
#include <smtpd/plugin.h>

#include <chrono>
#include <thread>

namespace smtpd::plugins {

class Overruns final : public PolicyPlugin {
public:
    explicit Overruns(Setup& setup) {
        setup.hooks.mail.decide([](const MailHook& hook) {
            hook.wait(std::chrono::hours(1));
            return pass("not reached");
        });
        setup.hooks.rcpt.add([](const RcptHook&) {
            std::this_thread::sleep_for(std::chrono::milliseconds(30));
            return ok("slow");
        });
    }
};

SMTPD_PLUGIN("overruns", Overruns);
}  // namespace smtpd::plugins
