/// xtext.h: the encoding in which parameters of MAIL and RCPT carry addresses (RFC 3461 section 4): `+` and two hexadecimal digits for an octet.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace smtpd::smtp {

/// Nothing where it is no xtext: a `+` without two upper-case digits, an `=`, or what is not printable ASCII.
std::optional<std::string> from_xtext(std::string_view text);

}  // namespace smtpd::smtp
