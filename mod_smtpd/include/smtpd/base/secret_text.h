/// secret_text.h: text that contains a secret, on its way to the back end that checks it.
#pragma once

#include <smtpd/auth/credentials.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace smtpd {

/// Concatenates the parts. A string that grows leaves its old content in freed memory; this one has its full capacity
/// from the start, so that wipe() clears all of it. The caller must wipe it and must not let it grow.
inline std::string secret_text(std::initializer_list<std::string_view> parts) {
    std::size_t size = 0;
    for (const auto part : parts) size += part.size();
    std::string text;
    text.reserve(size);
    for (const auto part : parts) text += part;
    return text;
}

}  // namespace smtpd
