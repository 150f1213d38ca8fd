/// saslprep.h: names and passwords in the one form in which they are compared (SASLprep, RFC 4013).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace smtpd::smtp {

/// The prepared text, as a query: code points that Unicode 3.2 did not have pass. Nothing where it is no UTF-8 or has
/// characters that must not be there, such as control characters. ASCII stays as it is. Without libidn so does
/// everything that has no control characters.
std::optional<std::string> saslprep(std::string_view text);

/// Of a password, which may come from times before UTF-8: prepared where that is possible, else as it is.
std::string prepared_password(std::string_view password);

}  // namespace smtpd::smtp
