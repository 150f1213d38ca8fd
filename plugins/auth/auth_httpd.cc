/// auth/auth_httpd: check passwords as httpd does for its web pages.
///
/// The plugin can ask every provider of httpd's mod_authn_* modules. Put the provider's own directives in a section
/// `<SmtpAuth>`:
///
///     LoadModule authn_file_module modules/mod_authn_file.so
///     <SmtpAuth file>
///         AuthUserFile /etc/smtpd/users
///     </SmtpAuth>
///     <VirtualHost *:587>
///         …
///         SmtpPlugin auth/auth_httpd
///     </VirtualHost>
///
/// httpd has these providers: `file` (htpasswd), `dbm`, `dbd` (a database), `ldap` (mod_authnz_ldap) and `socache` (a
/// cache for the others). A provider may also be a name from `<AuthnProviderAlias>`. If a section names several
/// providers, the plugin asks them in that order. The first provider that knows the user decides.
///
///     <SmtpAuth socache dbd>
///         AuthnCacheProvideFor dbd
///         AuthDBDUserPWQuery "SELECT password FROM users WHERE login = %s"
///     </SmtpAuth>
///     <SmtpAuth ldap name=staff>
///         AuthLDAPURL "ldap://localhost/ou=people,dc=example,dc=com?mail"
///     </SmtpAuth>
///     SmtpPlugin auth/auth_httpd
///     SmtpPlugin auth/auth_httpd:staff section=staff
///
/// Providers need the password itself, so the server offers PLAIN and LOGIN.
///
/// ## When a provider fails
///
/// If a database or directory is down, the reply is 454 4.7.0, and the plugin logs an error. The thread waits for the
/// provider. The directives of the provider's module limit the wait (`LDAPTimeout`, `LDAPConnectionTimeout`, parameters
/// of DBDParams).
///
/// mod_dbd keeps its connections open. After a restart of PostgreSQL, mod_authn_dbd cannot use the old connections. The
/// reply is then 454 as well, possibly until httpd is restarted. With `DBDPersist off` each login has a separate
/// connection, and this problem does not occur.
///
/// ## Replies
///
/// `535 5.7.8 Authentication failed` for a wrong password. If no provider knows the user, the next plugin decides. `454
/// 4.7.0` if a provider cannot decide.
///
/// ## Differences from qpsmtpd
///
/// qpsmtpd does not have this plugin.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class AuthHttpd final : public Plugin {
public:
    static constexpr bool reads_body = false;
    static constexpr bool waits_for_backend = true;

    struct Options {
        std::string section;
        static OptionTable table() {
            return {option("section", &Options::section,
                           "the name of the section (`<SmtpAuth … name=…>`); by default the section without a name")
                        .positional(0)};
        }
    };

    AuthHttpd(Setup& setup, const Options& options) : passwords_(setup.password_check(options.section)) {
        const auto judge = [this](const AuthHook& hook) { return this->judge(hook); };
        setup.hooks.auth_plain.add(judge);
        setup.hooks.auth_login.add(judge);
    }

private:
    Response judge(const AuthHook& hook) const {
        const auto verdict = passwords_->check(hook.user(), *hook.password());
        if (!verdict) {
            hook.log(LogLevel::error, "error: {}", verdict.error().what);
            return denysoft();
        }
        return *verdict == PasswordVerdict::right ? ok() : *verdict == PasswordVerdict::wrong ? deny() : declined();
    }
    const PasswordCheck* const passwords_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("auth/auth_httpd", smtpd::plugins::AuthHttpd);
