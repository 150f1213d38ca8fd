/// base64.h: RFC 4648 section 4. Strict: nothing but the alphabet, padded, and only the one text that encodes the
/// octets.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace smtpd::support {

std::string base64(std::string_view octets);

/// The octets; nothing where the text is not what base64() makes.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace smtpd::support
