/// secret_text.h: a text with a secret in it, on its way to the back end that checks it.
#pragma once

#include <smtpd/auth/credentials.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace smtpd {

/// The parts, one behind the other. A string that grows leaves what it had in memory that is given back; this one has
/// its room from the start, so that wipe() finds all of it. Who asks for it wipes it, and does not let it grow.
inline std::string secret_text(std::initializer_list<std::string_view> parts) {
    std::size_t size = 0;
    for (const auto part : parts) size += part.size();
    std::string text;
    text.reserve(size);
    for (const auto part : parts) text += part;
    return text;
}

}  // namespace smtpd
