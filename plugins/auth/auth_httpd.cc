/// auth/auth_httpd: passwords as httpd checks them for its web pages.
///
/// Every provider of httpd's mod_authn_* modules can be asked, with its own directives, which stand in a section
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
/// `file` (htpasswd), `dbm`, `dbd` (a database), `ldap` (mod_authnz_ldap) and `socache` (a cache before the others) are
/// what httpd brings along; names of
/// `<AuthnProviderAlias>` are possible too. Several providers are asked in their order; the first that knows the user
/// decides.
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
/// Providers want the password itself, so PLAIN and LOGIN are offered.
///
/// ## When a provider cannot say
///
/// A database or directory that is down is 454 4.7.0, and a line in the log. The thread waits for the provider; how
/// long, its module's own directives say
/// (`LDAPTimeout`, `LDAPConnectionTimeout`, parameters of DBDParams).
///
/// mod_dbd keeps its connections, and when PostgreSQL was started again mod_authn_dbd cannot use those that there were.
/// That is 454 as well, with a line in the log, and may last until httpd is restarted. With `DBDPersist off` each login
/// has a connection of its own, and nothing has to be done.
///
/// ## Replies
///
/// `535 5.7.8 Authentication failed` for a wrong password; a user whom nobody knows is left to the next plugin.
/// `454 4.7.0`.
///
/// ## Differences from qpsmtpd
///
/// There is no such plugin there.
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
                           "the name of the section `<SmtpAuth … name=…>`; that without a name")
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
