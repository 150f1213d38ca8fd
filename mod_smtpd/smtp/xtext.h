/// xtext.h: the encoding in which parameters of MAIL and RCPT carry addresses (RFC 3461 section 4): `+` and two
/// hexadecimal digits for an octet.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace smtpd::smtp {

/// Nothing where it is no xtext: a `+` without two upper-case digits, an `=`, or what is not printable ASCII.
std::optional<std::string> from_xtext(std::string_view text);

/// The encodings of an address of type utf-8 (RFC 6533 3): `\x{E9}` for a code point, and with `raw_utf8` UTF-8 as it
/// is. Nothing where it is neither: a backslash without that form, `+` or `=` as they are, a code point that is none or
/// not in upper-case digits, a control character, invalid UTF-8.
std::optional<std::string> from_utf8_xtext(std::string_view text, bool raw_utf8);

}  // namespace smtpd::smtp
