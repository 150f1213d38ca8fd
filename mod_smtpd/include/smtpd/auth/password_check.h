/// password_check.h: passwords that the server around mod_smtpd knows: under httpd those of its mod_authn_* modules,
/// through a section `<SmtpAuth>`.
#pragma once

#include <smtpd/auth/credentials.h>
#include <smtpd/base/result.h>

#include <cstdint>
#include <string>

namespace smtpd {

enum class PasswordVerdict : std::uint8_t { right, wrong, unknown_user };

class PasswordCheck {
public:
    virtual ~PasswordCheck() = default;
    /// Whether that is the user's password. In a handler only: what is asked belongs to the session that this thread
    /// works on. The thread waits. An Error where nobody could say, such as a back end that is down. Thread-safe.
    virtual Result<PasswordVerdict> check(const std::string& user, const Secret& password) const = 0;
};

}  // namespace smtpd
