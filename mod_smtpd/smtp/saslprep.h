/// saslprep.h: the canonical form of names and passwords for comparison (SASLprep, RFC 4013).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace smtpd::smtp {

/// The prepared text, as a query: code points that Unicode 3.2 does not define are allowed. Nothing if the text is not
/// valid UTF-8, or contains forbidden characters, such as control characters. ASCII is unchanged. Without libidn, every
/// text without control characters is unchanged.
std::optional<std::string> saslprep(std::string_view text);

/// For a password, which may be older than UTF-8: prepared if possible, otherwise unchanged.
std::string prepared_password(std::string_view password);

}  // namespace smtpd::smtp
