/// field_syntax.h: the syntax of the start of a header field (RFC 5322 2.2, 3.6.8, 4.5.8). Pure functions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace smtpd::message {

/// A longer name does not fit on a line (RFC 5322 2.1.1), so it is not a field name.
inline constexpr std::size_t max_field_name_size = 998;

/// RFC 5322 ftext: printable ASCII except the colon.
constexpr bool is_field_text(char c) noexcept { return c > ' ' && c < '\x7f' && c != ':'; }

inline bool is_field_name(std::string_view name) noexcept {
    return !name.empty() && name.size() <= max_field_name_size && std::all_of(name.begin(), name.end(), is_field_text);
}

/// What the start of a message reveals about its first line while more may follow.
enum class FirstLine {
    undecided,  ///< more octets are needed
    header,     ///< a field, the "From " line of an mbox, or the blank line that ends an empty header block
    body        ///< none of these: there is no header block
};

/// The end of a field name and the blanks after it: for a field, the position of the colon.
inline std::size_t end_of_name_and_blanks(std::string_view text) noexcept {
    const auto name_end = std::find_if_not(text.begin(), text.end(), is_field_text);
    return static_cast<std::size_t>(
        std::find_if_not(name_end, text.end(), [](char c) { return c == ' ' || c == '\t'; }) - text.begin());
}

/// The size of the name if `line` starts with `Name:` or, in obsolete syntax, `Name :`; otherwise 0.
inline std::size_t field_name_size(std::string_view line) noexcept {
    const std::size_t colon = end_of_name_and_blanks(line);
    if (colon == line.size() || line[colon] != ':' || colon > max_field_name_size) return 0;
    return static_cast<std::size_t>(std::find_if_not(line.begin(), line.end(), is_field_text) - line.begin());
}

inline FirstLine classify_first_line(std::string_view start) noexcept {
    if (start.empty() || start == "\r") return FirstLine::undecided;
    if (start.front() == '\n' || start.substr(0, 2) == "\r\n" || field_name_size(start) > 0) return FirstLine::header;
    const bool may_become_field = is_field_text(start.front()) && start.size() <= max_field_name_size;
    if (may_become_field && end_of_name_and_blanks(start) == start.size()) return FirstLine::undecided;
    return start.substr(0, 5) == "From " ? FirstLine::header : FirstLine::body;
}

}  // namespace smtpd::message
