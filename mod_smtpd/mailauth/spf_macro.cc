/// spf_macro.cc: parses and expands macro strings.
#include "mailauth/spf_macro.h"

#include "support/strings.h"

#include <smtpd/base/format.h>
#include <smtpd/base/text.h>

#include <algorithm>

namespace smtpd::mailauth {
namespace {

using support::is_alpha;
using support::is_digit;

constexpr std::size_t max_name = 253;
constexpr std::string_view delimiters = ".-+,/_=";

bool is_alphanumeric(char c) noexcept { return is_alpha(c) || is_digit(c); }

/// RFC 7208 7.1 `toplabel`: not only digits, no hyphen at an end.
bool is_top_label(std::string_view label) noexcept {
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    return std::all_of(label.begin(), label.end(), [](char c) { return is_alphanumeric(c) || c == '-'; }) &&
           !std::all_of(label.begin(), label.end(), is_digit);
}

/// Whether literal text ends in "." toplabel ["."].
bool ends_in_top_label(std::string_view text) noexcept {
    if (text.ends_with('.')) text.remove_suffix(1);
    const auto dot = text.rfind('.');
    return dot != text.npos && is_top_label(text.substr(dot + 1));
}

std::string url_escaped(std::string_view text) {
    constexpr std::string_view unreserved = "-._~", digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        if (is_alphanumeric(c) || unreserved.find(c) != unreserved.npos) {
            out += c;
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        out.append({'%', digits[octet >> 4U], digits[octet & 15U]});
    }
    return out;
}

/// Dotted decimal, or the 32 nibbles of an IPv6 address.
std::string dotted(const IpAddress& address) {
    if (!address.is_v6()) return address.to_string();
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const auto octet : address.bytes()) {
        if (!out.empty()) out += '.';
        out.append({digits[octet >> 4U], '.', digits[octet & 15U]});
    }
    return out;
}

std::string value_of(char letter, const SpfMacroValues& values) {
    const SpfRequest& request = values.request;
    switch (letter) {
        case 's': return request.local_part + "@" + request.domain;
        case 'l': return request.local_part;
        case 'o': return request.domain;
        case 'd': return std::string(values.domain);
        case 'i': return dotted(request.client);
        case 'p': return std::string(values.validated);
        case 'v': return request.client.is_v6() ? "ip6" : "in-addr";
        case 'h': return request.helo;
        case 'c': return request.client.to_string();
        case 'r': return values.receiver.empty() ? "unknown" : std::string(values.receiver);
        case 't':
            return format_text("{}",
                               std::chrono::duration_cast<std::chrono::seconds>(values.now.time_since_epoch()).count());
        default: return {};
    }
}

}  // namespace

class SpfMacroString::Parser {
public:
    Parser(std::string_view text, Kind kind) : text_(text), kind_(kind) {}

    std::optional<SpfMacroString> parse() {
        for (; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (c == '%') {
                if (!take_percent()) return std::nullopt;
            } else if (c > ' ' && c <= '~') {
                made_.literal_ += c;
                ends_in_macro_ = false;
            } else if (c == ' ' && kind_ == Kind::explanation) {
                made_.literal_ += c;
            } else {
                return std::nullopt;
            }
        }
        if (kind_ == Kind::domain && !ends_in_macro_ && !ends_in_top_label(made_.literal_)) return std::nullopt;
        return std::move(made_);
    }

private:
    bool take_percent() {
        if (++at_ == text_.size()) return false;
        ends_in_macro_ = true;
        switch (text_[at_]) {
            case '%': made_.literal_ += '%'; return true;
            case '_': made_.literal_ += ' '; return true;
            case '-': made_.literal_ += "%20"; return true;
            case '{': return take_macro();
            default: return false;
        }
    }

    /// Parses "{ir1.-}", including its "}".
    bool take_macro() {
        const auto end = text_.find('}', at_);
        if (end == text_.npos) return false;
        std::string_view inside = text_.substr(at_ + 1, end - at_ - 1);
        at_ = end;
        if (inside.empty() || !is_alpha(inside.front())) return false;
        Macro macro;
        macro.letter = ascii_lower(inside.front());
        macro.is_escaped = macro.letter != inside.front();
        inside.remove_prefix(1);
        const std::string_view letters = kind_ == Kind::domain ? "slodipvh" : "slodipvhcrt";
        if (letters.find(macro.letter) == letters.npos) return false;
        if (!take_number(inside, macro.keep)) return false;
        macro.is_reversed = !inside.empty() && ascii_lower(inside.front()) == 'r';
        if (macro.is_reversed) inside.remove_prefix(1);
        const bool is_good = inside.find_first_not_of(delimiters) == inside.npos;
        macro.delimiters = inside.empty() ? "." : std::string(inside);
        macro.before = std::exchange(made_.literal_, {});
        made_.macros_.push_back(std::move(macro));
        return is_good;
    }

    static bool take_number(std::string_view& text, unsigned& number) {
        constexpr unsigned plenty = 1000;
        const bool has_digits = !text.empty() && is_digit(text.front());
        for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1))
            number = std::min(plenty, number * 10 + static_cast<unsigned>(text.front() - '0'));
        return !has_digits || number != 0;
    }

    const std::string_view text_;
    const Kind kind_;
    std::size_t at_ = 0;
    bool ends_in_macro_ = false;
    SpfMacroString made_;
};

std::optional<SpfMacroString> SpfMacroString::parse(std::string_view text, Kind kind) {
    return Parser(text, kind).parse();
}

bool SpfMacroString::uses(char letter) const noexcept {
    return std::any_of(macros_.begin(), macros_.end(), [&](const Macro& macro) { return macro.letter == letter; });
}

std::string SpfMacroString::transformed(const Macro& macro, std::string value) {
    if (macro.keep == 0 && !macro.is_reversed && macro.delimiters == ".") return value;
    std::vector<std::string_view> parts;
    const std::string_view text = value;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find_first_of(macro.delimiters, begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    if (macro.is_reversed) std::reverse(parts.begin(), parts.end());
    const std::size_t skip = macro.keep == 0 || macro.keep >= parts.size() ? 0 : parts.size() - macro.keep;
    std::string out;
    for (std::size_t i = skip; i < parts.size(); ++i) {
        if (i > skip) out += '.';
        out += parts[i];
    }
    return out;
}

std::string SpfMacroString::expand(const SpfMacroValues& values) const {
    if (is_literal()) return literal_;
    std::string out;
    for (const auto& macro : macros_) {
        out += macro.before;
        const std::string value = transformed(macro, value_of(macro.letter, values));
        out += macro.is_escaped ? url_escaped(value) : value;
        if (out.size() > max_expanded) break;
    }
    if (out.size() <= max_expanded) out += literal_;
    if (out.size() > max_expanded) out.resize(max_expanded);
    return out;
}

std::string SpfMacroString::expand_domain(const SpfMacroValues& values) const {
    return spf_fitting_name(expand(values));
}

std::string spf_fitting_name(std::string name) {
    if (name.ends_with('.')) name.pop_back();
    while (name.size() > max_name) {
        const auto dot = name.find('.', name.size() - max_name - 1);
        if (dot == std::string::npos) break;
        name.erase(0, dot + 1);
    }
    return name;
}

}  // namespace smtpd::mailauth
