/// base64.h: RFC 4648 section 4. Strict: only the alphabet, padded, and only the canonical encoding of the bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace smtpd::support {

std::string base64(std::string_view octets);

/// The decoded bytes; nothing if the text is not in the form that base64() produces.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace smtpd::support
