#include "smtp/xtext.h"

#include "smtp/octets.h"
#include "smtp/utf8.h"

namespace smtpd::smtp {
namespace {

/// -1 for anything but a digit; lower-case digits are not allowed.
constexpr int hex_value(char c) noexcept { return is_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/// `x{HEXPOINT}` after a backslash; removes it from the text.
std::optional<char32_t> take_embedded(std::string_view& text) {
    constexpr std::size_t most_digits = 6;
    const auto end = text.substr(0, most_digits + 3).find('}');
    if (!text.starts_with("x{") || end == std::string_view::npos || end < 4) return std::nullopt;
    char32_t value = 0;
    for (const char c : text.substr(2, end - 2)) {
        if (hex_value(c) < 0) return std::nullopt;
        value = value << 4U | static_cast<char32_t>(hex_value(c));
    }
    text.remove_prefix(end + 1);
    const bool is_control_character = value < 0x20 || (value >= 0x7f && value < 0xa0);
    return is_control_character ? std::nullopt : std::optional(value);
}

}  // namespace

std::optional<std::string> from_utf8_xtext(std::string_view text, bool raw_utf8) {
    std::string out;
    while (!text.empty()) {
        const char c = text.front();
        if (c == '\\') {
            text.remove_prefix(1);
            const auto value = take_embedded(text);
            if (!value || !append_utf8(out, *value)) return std::nullopt;
            continue;
        }
        const auto length = is_ascii(c) ? std::size_t(is_graphic(c) && c != '+' && c != '=')
                            : raw_utf8  ? first_code_point(text).length
                                        : 0;
        if (length == 0) return std::nullopt;
        out += text.substr(0, length);
        text.remove_prefix(length);
    }
    return out;
}

std::optional<std::string> from_xtext(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!is_graphic(text[i]) || text[i] == '=') return std::nullopt;
        if (text[i] != '+') {
            out += text[i];
            continue;
        }
        if (text.size() - i < 3) return std::nullopt;
        const int high = hex_value(text[i + 1]);
        const int low = hex_value(text[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high << 4 | low);
        i += 2;
    }
    return out;
}

}  // namespace smtpd::smtp
