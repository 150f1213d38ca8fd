/// utf8.h: UTF-8 as defined by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include "smtp/octets.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace smtpd::smtp {

struct CodePoint {
    char32_t value = 0;
    std::size_t length = 0;  ///< octets; 0 if the text does not start with a valid sequence
};

namespace detail {

constexpr bool is_continuation(char c) noexcept { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80; }

}  // namespace detail

/// The first code point of `text`.
constexpr CodePoint first_code_point(std::string_view text) noexcept {
    if (text.empty()) return {};
    const auto lead = static_cast<unsigned char>(text.front());
    if (lead < 0x80) return {lead, 1};
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {};
    char32_t value = lead & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if (!detail::is_continuation(text[i])) return {};
        value = (value << 6U) | (static_cast<unsigned char>(text[i]) & 0x3fU);
    }
    const char32_t smallest = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80;
    if (value < smallest || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return {};
    return {value, length};
}

constexpr bool is_valid_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const auto length = first_code_point(text).length;
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

/// Appends a code point; false, and nothing is appended, if it is not valid.
inline bool append_utf8(std::string& out, char32_t value) {
    const auto octet = [&out](char32_t bits) { out += static_cast<char>(static_cast<unsigned char>(bits)); };
    if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return false;
    if (value < 0x80) {
        octet(value);
        return true;
    }
    const unsigned behind = value < 0x800 ? 1 : value < 0x10000 ? 2 : 3;
    constexpr char32_t leads[] = {0, 0xc0, 0xe0, 0xf0};
    octet(leads[behind] | value >> (6 * behind));
    for (unsigned i = behind; i-- > 0;) octet(0x80U | (value >> (6 * i) & 0x3fU));
    return true;
}

}  // namespace smtpd::smtp
