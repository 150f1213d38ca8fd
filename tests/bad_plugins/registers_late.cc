/// registers_late.cc: keeps its Setup, and adds another handler from a handler, when the chains are in use.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class RegistersLate final : public Plugin {
public:
    explicit RegistersLate(Setup& setup) {
        setup.hooks.connect.add([&setup](const ConnectHook&) {
            setup.hooks.mail.add([](const MailHook&) { return ok(); });
            return ok();
        });
    }
};

SMTPD_PLUGIN("registers_late", RegistersLate);
}  // namespace smtpd::plugins
