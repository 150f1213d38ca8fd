/// strings.h: basic text functions. ASCII only and independent of the locale: SMTP's names, domains and keywords are
/// ASCII, and octets above 127 pass through unchanged. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::support {

constexpr char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
constexpr char to_upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c; }
constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }
constexpr bool is_space(char c) noexcept { return is_blank(c) || (c >= '\n' && c <= '\r'); }
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) noexcept { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }

constexpr bool is_ascii(std::string_view text) noexcept {
    for (const char c : text)
        if (static_cast<unsigned char>(c) >= 0x80) return false;
    return true;
}

/// `text` with ASCII letters in lower (upper) case.
std::string folded(std::string_view text);
std::string upper(std::string_view text);

bool equals_folded(std::string_view a, std::string_view b) noexcept;
bool starts_with_folded(std::string_view text, std::string_view prefix) noexcept;
bool ends_with_folded(std::string_view text, std::string_view suffix) noexcept;

/// `text` without white space (blank, tab, CR, LF, VT, FF) at either end.
std::string_view trim(std::string_view text) noexcept;

/// The pieces between separators, empty ones included: "a,,b" has three, "" has one.
std::vector<std::string_view> split(std::string_view text, char separator);
/// The words of `text`, separated by any amount of white space; never an empty one.
std::vector<std::string_view> split_words(std::string_view text);

std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// Parses all of `text` as a decimal number without sign; nothing if it is anything else or does not fit.
std::optional<std::uint64_t> parse_unsigned(std::string_view text) noexcept;

/// Makes bytes from outside safe for one line of a log: control characters and bytes above 126 as \xNN, backslash and
/// double quote with a backslash. The result has at most `max` characters (at least 3); a longer text is cut between
/// characters and ends in "...".
std::string escape_for_log(std::string_view bytes, std::size_t max = 512);

}  // namespace smtpd::support
