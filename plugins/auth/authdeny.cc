/// auth/authdeny: refuse every login.
///
/// The plugin runs last of all plugins for AUTH, whatever the order of the configuration. It refuses every client that
/// no other plugin has accepted. Without another plugin for AUTH, the server still offers AUTH, with PLAIN and LOGIN.
/// Use it, with `limit failed_logins` and the log, to see which clients try to log in.
///
///     SmtpPlugin auth/authdeny
///
/// ## Replies
///
/// `535 5.7.8 Authentication failed`.
///
/// ## Differences from qpsmtpd
///
/// qpsmtpd does not send the text of its plugin to the client, and offers CRAM-MD5 as well.
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
