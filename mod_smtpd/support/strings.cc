/// strings.cc: see strings.h.
#include "support/strings.h"

#include <algorithm>
#include <charconv>

namespace smtpd::support {

std::string folded(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = to_lower(c);
    return out;
}

std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = to_upper(c);
    return out;
}

bool equals_folded(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return to_lower(x) == to_lower(y); });
}

bool starts_with_folded(std::string_view text, std::string_view prefix) noexcept {
    return text.size() >= prefix.size() && equals_folded(text.substr(0, prefix.size()), prefix);
}

bool ends_with_folded(std::string_view text, std::string_view suffix) noexcept {
    return text.size() >= suffix.size() && equals_folded(text.substr(text.size() - suffix.size()), suffix);
}

std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> pieces;
    for (;;) {
        const auto end = text.find(separator);
        pieces.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return pieces;
        text.remove_prefix(end + 1);
    }
}

std::vector<std::string_view> split_words(std::string_view text) {
    std::vector<std::string_view> words;
    for (text = trim(text); !text.empty(); text = trim(text)) {
        const auto end = static_cast<std::size_t>(std::find_if(text.begin(), text.end(), is_space) - text.begin());
        words.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return words;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string out;
    for (const auto& part : parts) {
        if (&part != &parts.front()) out += separator;
        out += part;
    }
    return out;
}

std::optional<std::uint64_t> parse_unsigned(std::string_view text) noexcept {
    std::uint64_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string escape_for_log(std::string_view bytes, std::size_t max) {
    static constexpr char digits[] = "0123456789abcdef";
    static constexpr std::string_view ellipsis = "...";
    max = std::max(max, ellipsis.size());
    std::string out;
    out.reserve(std::min(max, bytes.size() + 8));
    std::size_t last_fit = 0;  // the longest run of whole characters that leaves room for the ellipsis
    for (const char c : bytes) {
        if (c < ' ' || c > '~') {
            const auto byte = static_cast<unsigned char>(c);
            out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
        } else {
            if (c == '\\' || c == '"') out += '\\';
            out += c;
        }
        if (out.size() <= max - ellipsis.size()) last_fit = out.size();
        if (out.size() > max) return out.replace(last_fit, std::string::npos, ellipsis);
    }
    return out;
}

}  // namespace smtpd::support
