/// passwords.h: httpd's mod_authn_* providers for plugins, through a section
///
///     <SmtpAuth file ldap>
///         AuthUserFile  conf/users
///         AuthLDAPURL   ldap://localhost/dc=example,dc=com?mail
///     </SmtpAuth>
///
/// The section's directives are read like those of a <Location>; the providers see only them.
#pragma once

#include "httpd/apache.h"

#include "host/problem.h"

#include <smtpd/auth/password_check.h>

#include <string>
#include <vector>

namespace smtpd::httpd {

class Passwords final : public PasswordCheck {
public:
    /// The content of a section; `where` is its position, for messages.
    Passwords(std::string name, std::vector<std::string> providers, ap_conf_vector_t* section, std::string where);

    const std::string& name() const noexcept { return name_; }
    const std::string& where() const noexcept { return where_; }
    /// Checks that the providers exist; call it when all modules are loaded. Returns "" or the error.
    std::string check_providers() const;

    Result<PasswordVerdict> check(const std::string& user, const Secret& password) const override;

private:
    const std::string name_;
    const std::vector<std::string> providers_;
    ap_conf_vector_t* const section_;
    const std::string where_;
};

}  // namespace smtpd::httpd
