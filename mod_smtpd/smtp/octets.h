/// octets.h: classes of octets for the syntax code, beyond support/strings.h. ASCII only, independent of the locale.
#pragma once

#include "support/strings.h"

#include <string_view>

namespace smtpd::smtp {

using support::equals_folded;
using support::is_alpha;
using support::is_blank;
using support::is_digit;
using support::starts_with_folded;
using support::to_lower;
using support::to_upper;

constexpr bool is_alnum(char c) noexcept { return is_alpha(c) || is_digit(c); }
constexpr bool is_ascii(char c) noexcept { return (static_cast<unsigned char>(c) & 0x80U) == 0; }
constexpr bool is_control(char c) noexcept { return (is_ascii(c) && c < ' ') || c == 0x7f; }
/// %d33-126.
constexpr bool is_graphic(char c) noexcept { return c > ' ' && c < 0x7f; }

constexpr std::string_view trim_left(std::string_view text) noexcept {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    return text;
}

constexpr std::string_view trim_right(std::string_view text) noexcept {
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

}  // namespace smtpd::smtp
