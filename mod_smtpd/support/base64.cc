#include "support/base64.h"

#include <smtpd/base/base64.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace smtpd::support {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t no_digit = 64;

constexpr auto digit_values = [] {
    std::array<std::uint8_t, 256> values{};
    for (auto& value : values) value = no_digit;
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
    return values;
}();

}  // namespace

std::string base64(std::string_view octets) {
    std::string out;
    out.reserve((octets.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < octets.size(); i += 3) {
        const std::size_t count = octets.size() - i < 3 ? octets.size() - i : 3;
        std::uint32_t bits = 0;
        for (std::size_t j = 0; j < 3; ++j)
            bits = bits << 8U | (j < count ? static_cast<unsigned char>(octets[i + j]) : 0U);
        for (std::size_t j = 0; j < 4; ++j) out += j <= count ? alphabet[bits >> (18 - 6 * j) & 63U] : '=';
    }
    return out;
}

std::optional<std::string> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    const std::size_t padding = text.empty() || text.back() != '=' ? 0 : text[text.size() - 2] == '=' ? 2 : 1;
    text.remove_suffix(padding);
    std::string out(text.size() / 4 * 3 + 2, '\0');
    std::size_t size = 0;
    std::uint32_t bits = 0;
    unsigned count = 0;  // number of bits that are not in a byte yet
    for (const char c : text) {
        const std::uint8_t digit = digit_values[static_cast<unsigned char>(c)];
        if (digit == no_digit) return std::nullopt;
        bits = bits << 6U | digit;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out[size++] = static_cast<char>(bits >> count & 255U);
        bits &= (1U << count) - 1;
    }
    out.resize(size);
    if (bits != 0) return std::nullopt;  // RFC 4648 3.5: the last digit has surplus bits
    return out;
}

}  // namespace smtpd::support

namespace smtpd {

std::string base64(std::string_view octets) { return support::base64(octets); }

}  // namespace smtpd
