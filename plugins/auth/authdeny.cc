/// auth/authdeny: nobody may log in.
///
/// The last word about AUTH, whatever the order of the configuration: who comes to it is refused. Where there is no
/// other plugin for AUTH, it is offered all the same, with PLAIN and LOGIN: to see who tries, together with `limit
/// failed_logins` and a look at the log.
///
///     SmtpPlugin auth/authdeny
///
/// ## Replies
///
/// `535 5.7.8 Authentication failed`.
///
/// ## Differences from qpsmtpd
///
/// There its text was told nobody, and CRAM-MD5 was offered as well.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class AuthDeny final : public Plugin {
public:
    static constexpr bool reads_body = false;

    explicit AuthDeny(Setup& setup) {
        setup.hooks.auth.add(Priority::last, [](const AuthHook&) { return deny(); });
    }
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("auth/authdeny", smtpd::plugins::AuthDeny);
