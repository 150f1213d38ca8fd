/// says_spf: gives a result of SPF without looking, for tests of plugins that read it.
#include <smtpd/plugin.h>

namespace {

class SaysSpf final : public smtpd::PolicyPlugin {
public:
    explicit SaysSpf(smtpd::Setup& setup) {
        setup.hooks.mail.decide([](const smtpd::MailHook& hook) {
            return smtpd::pass().authentication_result(
                {.method = "spf", .result = "pass", .properties = {{"smtp", "mailfrom", hook.sender().to_string()}}});
        });
    }
};

}  // namespace

SMTPD_PLUGIN("says_spf", SaysSpf);
