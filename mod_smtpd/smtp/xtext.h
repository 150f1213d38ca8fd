/// xtext.h: the encoding of addresses in parameters of MAIL and RCPT (RFC 3461 section 4): `+` and two hexadecimal
/// digits for an octet.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace smtpd::smtp {

/// Nothing if the text is not xtext: a `+` without two upper-case digits, an `=`, or an octet that is not printable
/// ASCII.
std::optional<std::string> from_xtext(std::string_view text);

/// Decodes an address of type utf-8 (RFC 6533 3): `\x{E9}` for a code point, and with `raw_utf8` also plain UTF-8.
/// Nothing if the text is not valid: a backslash without that form, a plain `+` or `=`, an invalid code point or one
/// not in upper-case digits, a control character, invalid UTF-8.
std::optional<std::string> from_utf8_xtext(std::string_view text, bool raw_utf8);

}  // namespace smtpd::smtp
