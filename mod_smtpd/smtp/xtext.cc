#include "smtp/xtext.h"

#include "smtp/octets.h"

namespace smtpd::smtp {
namespace {

/// -1 for what is no digit; lower case is none here.
constexpr int hex_value(char c) noexcept { return is_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

}  // namespace

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
