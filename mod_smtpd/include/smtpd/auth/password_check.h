/// password_check.h: checks passwords against the surrounding server: under httpd, its mod_authn_* modules, through an
/// `<SmtpAuth>` section.
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
    /// Whether this is the user's password. Call it in a handler only: the check uses the session that this thread
    /// serves. Blocks the thread. An Error if the check could not be made, such as a back end that is down.
    /// Thread-safe.
    virtual Result<PasswordVerdict> check(const std::string& user, const Secret& password) const = 0;
};

}  // namespace smtpd
