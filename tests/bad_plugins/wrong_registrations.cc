/// wrong_registrations.cc: gives findings although it is no PolicyPlugin, and answers where only observers may be.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class WrongRegistrations final : public Plugin {
public:
    explicit WrongRegistrations(Setup& setup) {
        setup.hooks.mail.decide([](const MailHook&) { return pass(); });
        setup.hooks.data_chunk.add([](const DataChunkHook&) { return ok(); });
    }
};

SMTPD_PLUGIN("wrong_registrations", WrongRegistrations);
}
