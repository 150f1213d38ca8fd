/// impossible_verdict.cc: gives impossible answers: a verdict without a name at RCPT, an invalid code at MAIL, a
/// refusal with 250 at DATA.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class ImpossibleVerdict final : public Plugin {
public:
    explicit ImpossibleVerdict(Setup& setup) {
        setup.hooks.rcpt.add([](const RcptHook&) { return Response(static_cast<Verdict>(77)); });
        setup.hooks.mail.add([](const MailHook&) { return ok().with_code(42); });
        setup.hooks.data.add([](const DataHook&) { return deny("no").with_code(250); });
    }
};

SMTPD_PLUGIN("impossible_verdict", ImpossibleVerdict);
}  // namespace smtpd::plugins
