/// domain.cc: converts A-labels and U-labels with libidn2. Each label is converted separately, so that list entries
/// with a leading dot, and domains with a label that IDNA does not allow, have a canonical form too.
#include <smtpd/base/domain.h>

#include "support/strings.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>

#include <idn2.h>

namespace smtpd {
namespace {

using support::folded;
using support::is_ascii;

struct Free {
    void operator()(char* text) const noexcept { std::free(text); }
};
using Converted = std::unique_ptr<char, Free>;

/// Without IDN2_USE_STD3_ASCII_RULES, which makes libidn2 omit characters that it does not allow.
constexpr int flags = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL;

/// The mapping can produce a slash, an @ or a dot from other characters.
bool is_host_character(char c) noexcept { return support::is_alpha(c) || support::is_digit(c) || c == '-' || c == '_'; }

/// The A-label of a non-ASCII label; nothing if IDNA forbids it, or if its mapping produces several labels.
std::optional<std::string> a_label(std::string_view label) {
    if (label.find('\0') != label.npos) return {};
    char* made = nullptr;
    if (idn2_to_ascii_8z(std::string(label).c_str(), &made, flags) != IDN2_OK) return {};
    const Converted result(made);
    std::string out = folded(made);
    if (out.empty() || !std::all_of(out.begin(), out.end(), is_host_character)) return {};
    return out;
}

std::string u_label(std::string_view label) {
    constexpr std::string_view prefix = "xn--";
    if (!label.starts_with(prefix)) return std::string(label);
    char* made = nullptr;
    if (idn2_to_unicode_8z8z(std::string(label).c_str(), &made, 0) != IDN2_OK) return std::string(label);
    const Converted result(made);
    return made;
}

template <class F>
std::string for_each_label(std::string_view domain, F convert) {
    std::string out;
    out.reserve(domain.size());
    for (;;) {
        const auto dot = domain.find('.');
        out += convert(domain.substr(0, dot));
        if (dot == domain.npos) return out;
        out += '.';
        domain.remove_prefix(dot + 1);
    }
}

std::string_view without_final_dot(std::string_view domain) noexcept {
    if (domain.size() > 1 && domain.ends_with('.')) domain.remove_suffix(1);
    return domain;
}

}  // namespace

std::string ascii_domain(std::string_view domain) {
    domain = without_final_dot(domain);
    if (is_ascii(domain)) return folded(domain);
    return for_each_label(domain, [](std::string_view label) {
        return is_ascii(label) ? folded(label) : a_label(label).value_or(folded(label));
    });
}

std::string unicode_domain(std::string_view domain) {
    const std::string ascii = ascii_domain(domain);
    return ascii.find("xn--") == ascii.npos ? ascii : for_each_label(ascii, u_label);
}

bool is_same_domain(std::string_view a, std::string_view b) {
    if (is_ascii(a) && is_ascii(b)) return support::equals_folded(without_final_dot(a), without_final_dot(b));
    return ascii_domain(a) == ascii_domain(b);
}

bool is_idna_domain(std::string_view domain) {
    bool is_allowed = true;
    for_each_label(domain, [&](std::string_view label) {
        if (!is_ascii(label) && !a_label(label)) is_allowed = false;
        return std::string();
    });
    return is_allowed;
}

std::string printable_domain(std::string_view domain) {
    std::string out = is_idna_domain(domain) && !is_ascii(domain) ? ascii_domain(domain) : std::string(domain);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c <= ' ' || c > '~'; }, '?');
    return out;
}

}  // namespace smtpd
