/// wrong_registrations.cc: returns findings although it is not a PolicyPlugin.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class WrongRegistrations final : public Plugin {
public:
    explicit WrongRegistrations(Setup& setup) {
        setup.hooks.mail.decide([](const MailHook&) { return pass(); });
    }
};

SMTPD_PLUGIN("wrong_registrations", WrongRegistrations);
}  // namespace smtpd::plugins
