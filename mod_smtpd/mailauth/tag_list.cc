/// tag_list.cc: parses tag lists in one pass. A list is short, so a search for a tag is linear.
#include "mailauth/tag_list.h"

#include "support/strings.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace smtpd::mailauth {
namespace {

bool is_tag_name(std::string_view name) noexcept {
    if (name.empty() || !support::is_alpha(name.front())) return false;
    return std::all_of(name.begin(), name.end(),
                       [](char c) { return support::is_alpha(c) || support::is_digit(c) || c == '_'; });
}

constexpr bool is_value_character(char c) noexcept {
    return is_fws(c) || (static_cast<unsigned char>(c) > ' ' && c != '\x7f');
}

/// VALCHAR, with FWS in between, and UTF-8. Checks eight octets at a time if all of them are printable.
bool is_tag_value(std::string_view value) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101U, high = 0x80 * ones;
    while (value.size() >= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, value.data(), sizeof word);
        const std::uint64_t deletes = word ^ (0x7f * ones);
        const std::uint64_t below_blank = (word - 0x21 * ones) & ~word & high;
        if ((below_blank | ((deletes - ones) & ~deletes & high)) != 0 &&
            !std::all_of(value.begin(), value.begin() + 8, is_value_character))
            return false;
        value.remove_prefix(8);
    }
    return std::all_of(value.begin(), value.end(), is_value_character);
}

/// The values of the digits of base64; 64 for other characters.
constexpr auto base64_digits = [] {
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::array<std::uint8_t, 256> values{};
    values.fill(64);
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
    return values;
}();

}  // namespace

std::string_view trim_fws(std::string_view text) noexcept {
    while (!text.empty() && is_fws(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_fws(text.back())) text.remove_suffix(1);
    return text;
}

std::string without_fws(std::string_view text) {
    std::string out(text.size(), '\0');
    std::size_t size = 0;
    for (const char c : text) {
        out[size] = c;
        size += is_fws(c) ? 0 : 1;
    }
    out.resize(size);
    return out;
}

TagList::TagList(std::string_view text) {
    tags_.reserve(12);
    read(text);
    if (!problem_.empty()) tags_.clear();
}

void TagList::read(std::string_view text) {
    while (problem_.empty()) {
        const auto semicolon = text.find(';');
        const std::string_view element = text.substr(0, semicolon);
        const bool is_last = semicolon == text.npos;
        if (!is_last || !trim_fws(element).empty()) read_element(element);
        if (is_last) return;
        text.remove_prefix(semicolon + 1);
    }
}

void TagList::read_element(std::string_view element) {
    const auto equals = element.find('=');
    const std::string_view name = trim_fws(element.substr(0, equals));
    if (equals == element.npos || !is_tag_name(name)) {
        problem_ = trim_fws(element).empty() ? "tag syntax: empty element" : "tag syntax";
        return;
    }
    const std::string_view raw = element.substr(equals + 1);
    if (!is_tag_value(raw)) problem_ = format_text("tag syntax: control character in {}=", name);
    else if (find(name)) problem_ = format_text("duplicate tag {}", name.substr(0, 20));
    else if (tags_.size() == max_tags) problem_ = format_text("more than {} tags", max_tags);
    else tags_.push_back({name, trim_fws(raw), raw});
}

const Tag* TagList::find(std::string_view name) const noexcept {
    const auto found = std::find_if(tags_.begin(), tags_.end(), [&](const Tag& tag) { return tag.name == name; });
    return found == tags_.end() ? nullptr : &*found;
}

std::optional<std::string_view> TagList::value(std::string_view name) const noexcept {
    const Tag* const tag = find(name);
    return tag ? std::optional(tag->value) : std::nullopt;
}

bool colon_list_has(std::string_view list, std::string_view element) noexcept {
    for (;;) {
        const auto colon = list.find(':');
        if (trim_fws(list.substr(0, colon)) == element) return true;
        if (colon == list.npos) return false;
        list.remove_prefix(colon + 1);
    }
}

std::optional<std::string> tag_octets(std::string_view value) {
    std::string out(value.size() / 4 * 3 + 3, '\0');
    std::size_t size = 0, digits = 0, padding = 0;
    std::uint32_t bits = 0;
    const auto put = [&](unsigned count) {  // the upper octets of 24 bits
        for (unsigned i = 0; i < count; ++i) out[size++] = static_cast<char>(bits >> (16 - 8 * i) & 255U);
    };
    for (const char c : value) {
        const std::uint8_t digit = base64_digits[static_cast<unsigned char>(c)];
        if (digit < 64 && padding == 0) {
            bits = bits << 6U | digit;
            if (++digits % 4 != 0) continue;
            put(3);
            bits = 0;
        } else if (c == '=') {
            ++padding;
        } else if (!is_fws(c)) {
            return std::nullopt;
        }
    }
    const auto rest = static_cast<unsigned>(digits % 4);
    if (rest == 1 || (padding != 0 && (rest == 0 || padding != 4 - rest))) return std::nullopt;
    bits <<= 6 * (4 - rest) % 24;
    if (rest != 0) put(rest - 1);
    if (rest != 0 && (bits & ((1U << (32 - 8 * rest)) - 1)) != 0) return std::nullopt;  // leftover bits must be zero
    out.resize(size);
    return out;
}

std::optional<std::uint64_t> tag_number(std::string_view value, std::size_t digits) noexcept {
    if (value.empty() || value.size() > digits) return std::nullopt;
    return support::parse_unsigned(value);
}

}  // namespace smtpd::mailauth
