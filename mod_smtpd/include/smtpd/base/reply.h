/// reply.h: an SMTP reply: a three-digit code (RFC 5321 4.2), an enhanced status (RFC 3463, RFC 2034) and one or more
/// lines of text.
#pragma once

#include <smtpd/base/api.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace smtpd {

/// RFC 3463 `class.subject.detail`. Class 0 means none: then the status that fits the reply code is used.
struct EnhancedCode {
    std::uint8_t status_class = 0;  ///< 2, 4, 5; 0 = none
    std::uint16_t subject = 0;
    std::uint16_t detail = 0;

    constexpr bool empty() const noexcept { return status_class == 0 && subject == 0 && detail == 0; }
    constexpr bool operator==(const EnhancedCode&) const = default;
    SMTPD_API std::string to_string() const;  ///< "5.7.1"
};

/// A whole reply. `text` may hold several lines, separated by LF. Whatever bytes it contains, the output is well-formed
/// ASCII: CR is dropped, control and non-ASCII characters become '?', and a line longer than RFC 5321 4.5.3.1.5 allows
/// (512 octets) is folded into several.
struct Reply {
    int code = 0;  ///< 200 to 599; 0 = no reply
    EnhancedCode enhanced;
    std::string text;

    bool empty() const noexcept { return code == 0; }
    bool is_positive() const noexcept { return code >= 200 && code < 400; }
    /// Appends the reply as sent on the wire, CRLF included. Every line has the enhanced code, except where RFC 2034
    /// leaves it out: 3xx replies, the greeting and the EHLO reply (those two have an empty `enhanced` and `plain`
    /// set).
    SMTPD_API void append_to(std::string& out) const;
    SMTPD_API std::string to_string() const;  ///< append_to() into a string of its own

    bool plain = false;  ///< send without an enhanced code
};

}  // namespace smtpd
