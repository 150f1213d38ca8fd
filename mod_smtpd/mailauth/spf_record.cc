/// spf_record.cc: parses SPF records.
#include "mailauth/spf_record.h"

#include "support/strings.h"

#include <smtpd/base/format.h>
#include <smtpd/base/log.h>
#include <smtpd/base/text.h>

#include <algorithm>
#include <utility>

namespace smtpd::mailauth {
namespace {

using support::is_alpha;
using support::is_digit;
using Kind = SpfTerm::Kind;
using Macros = SpfMacroString;

constexpr std::string_view version = "v=spf1";

std::optional<Kind> kind_named(std::string_view name) noexcept {
    constexpr std::pair<std::string_view, Kind> kinds[] = {
        {"all", Kind::all}, {"include", Kind::include}, {"a", Kind::a},     {"mx", Kind::mx},
        {"ptr", Kind::ptr}, {"ip4", Kind::ip4},         {"ip6", Kind::ip6}, {"exists", Kind::exists}};
    for (const auto& [known, kind] : kinds)
        if (ascii_equal(name, known)) return kind;
    return std::nullopt;
}

std::optional<SpfResult> qualifier(char c) noexcept {
    switch (c) {
        case '+': return SpfResult::pass;
        case '-': return SpfResult::fail;
        case '~': return SpfResult::softfail;
        case '?': return SpfResult::neutral;
        default: return std::nullopt;
    }
}

/// `name` of a modifier (RFC 7208 12).
bool is_modifier_name(std::string_view name) noexcept {
    return !name.empty() && is_alpha(name.front()) && std::all_of(name.begin(), name.end(), [](char c) {
        return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
    });
}

/// Reads "24", without a leading zero.
std::optional<std::uint8_t> read_bits(std::string_view text, unsigned most) noexcept {
    if (text.empty() || text.size() > 3 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
    const auto number = support::parse_unsigned(text);
    if (!number || *number > most) return std::nullopt;
    return static_cast<std::uint8_t>(*number);
}

/// Removes "/24", "//64" or "/24//64" from the end of the text after the name of `a` or `mx`. False if a length is not
/// valid.
bool take_dual_length(std::string_view& text, SpfTerm& term) {
    const auto take = [&text](std::string_view slash) -> std::optional<std::string_view> {
        const auto at = text.find_last_not_of("0123456789");
        if (at == text.npos || at + 1 == text.size()) return std::nullopt;
        if (!text.substr(0, at + 1).ends_with(slash)) return std::nullopt;
        const auto digits = text.substr(at + 1);
        text = text.substr(0, at + 1 - slash.size());
        return digits;
    };
    if (const auto digits = take("//")) {
        const auto bits = read_bits(*digits, 128);
        if (!bits) return false;
        term.bits6 = *bits;
    }
    if (const auto digits = take("/")) {
        const auto bits = read_bits(*digits, 32);
        if (!bits) return false;
        term.bits4 = *bits;
    }
    return true;
}

class Parser {
public:
    explicit Parser(std::string_view text) { made_.text = std::string(text); }

    SpfRecord parse() {
        std::string_view rest = std::string_view(made_.text).substr(version.size());
        while (!rest.empty() && made_.problem.empty()) {
            if (rest.front() == ' ') {
                rest.remove_prefix(1);
                continue;
            }
            const auto term = rest.substr(0, rest.find(' '));
            rest.remove_prefix(term.size());
            if (const std::string why = take(term); !why.empty())
                made_.problem = format_text("\"{}\": {}", quoted(term, 80), why);
        }
        return std::move(made_);
    }

private:
    /// Parses a term. Returns what is wrong with it; "" if it is valid.
    std::string take(std::string_view term) {
        const auto mark = std::min(term.find_first_of(":/="), term.size());
        if (mark < term.size() && term[mark] == '=') return take_modifier(term.substr(0, mark), term.substr(mark + 1));
        SpfTerm made;
        made.text = std::string(term);
        std::size_t begin = 0;
        if (const auto result = qualifier(term.front())) made.result = *result, begin = 1;
        if (begin > mark) return "there is no mechanism";
        const auto kind = kind_named(term.substr(begin, mark - begin));
        if (!kind) return "there is no such mechanism";
        made.kind = *kind;
        const std::string why = take_mechanism(made, term.substr(mark));
        if (why.empty()) made_.terms.push_back(std::move(made));
        return why;
    }

    std::string take_modifier(std::string_view name, std::string_view value) {
        if (!is_modifier_name(name)) return "there is no such modifier";
        const bool is_redirect = ascii_equal(name, "redirect");
        if (!is_redirect && !ascii_equal(name, "exp"))
            return Macros::parse(value, Macros::Kind::modifier) ? "" : "the value is not a macro-string";
        auto& place = is_redirect ? made_.redirect : made_.explanation;
        if (place) return "the modifier is there twice";
        place = Macros::parse(value, Macros::Kind::domain);
        if (!place) return "there is no domain";
        if (is_redirect) made_.redirect_text = format_text("redirect={}", value);
        return {};
    }

    /// `rest` is the text after the name: "", ":domain", "/24".
    static std::string take_mechanism(SpfTerm& term, std::string_view rest) {
        switch (term.kind) {
            case Kind::all: return rest.empty() ? "" : "all takes nothing";
            case Kind::ip4:
            case Kind::ip6: return take_network(term, rest);
            case Kind::a:
            case Kind::mx:
                if (!take_dual_length(rest, term)) return "the length of the prefix is not possible";
                return rest.empty() ? "" : take_domain(term, rest);
            case Kind::ptr: return rest.empty() ? "" : take_domain(term, rest);
            case Kind::include:
            case Kind::exists: return take_domain(term, rest);
        }
        return "there is no such mechanism";
    }

    static std::string take_domain(SpfTerm& term, std::string_view rest) {
        if (!rest.starts_with(':')) return "there is no domain";
        term.domain = Macros::parse(rest.substr(1), Macros::Kind::domain);
        return term.domain ? "" : "there is no valid domain";
    }

    static std::string take_network(SpfTerm& term, std::string_view rest) {
        if (!rest.starts_with(':')) return "there is no network";
        rest.remove_prefix(1);
        const bool is_ip4 = term.kind == Kind::ip4;
        const auto slash = rest.find('/');
        const auto address_text = rest.substr(0, slash);
        const bool has_colon = address_text.find(':') != address_text.npos;
        const auto address = IpAddress::parse(address_text);
        if (!address || has_colon == is_ip4) return "there is no address";
        const unsigned most = is_ip4 ? 32 : 128;
        std::optional<std::uint8_t> bits = static_cast<std::uint8_t>(most);
        if (slash != rest.npos) bits = read_bits(rest.substr(slash + 1), most);
        if (!bits) return "the length of the prefix is not possible";
        term.network = network_of(*address, is_ip4, *bits);
        return {};
    }

    /// IpAddress converts ::ffff:192.0.2.1 to IPv4; no client has such an address (RFC 7208 5). A prefix that covers
    /// the whole of IPv6 keeps its meaning.
    static std::optional<IpNetwork> network_of(const IpAddress& address, bool is_ip4, unsigned bits) {
        constexpr unsigned mapped_prefix = 96;
        if (is_ip4 == address.is_v4()) return IpNetwork(address, bits);
        if (bits >= mapped_prefix) return std::nullopt;
        std::array<std::uint8_t, 16> prefix{};
        prefix[10] = prefix[11] = 0xff;
        for (unsigned bit = bits; bit < mapped_prefix; ++bit)
            prefix[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> bit % 8));
        return IpNetwork(IpAddress::v6(prefix), bits);
    }

    SpfRecord made_;
};

}  // namespace

bool SpfRecord::is_one(std::string_view text) noexcept {
    return support::starts_with_folded(text, version) && (text.size() == version.size() || text[version.size()] == ' ');
}

SpfRecord SpfRecord::parse(std::string_view text) { return Parser(text).parse(); }

SpfRecordCache::SpfRecordCache() : key_(support::HashKey::random()) {}

std::shared_ptr<const SpfRecord> SpfRecordCache::get(std::string_view text) {
    if (text.size() > max_text) return std::make_shared<const SpfRecord>(SpfRecord::parse(text));
    const auto hash = static_cast<std::size_t>(support::KeyedHash(key_).add(text).value());
    Group& group = groups_[hash % groups];
    auto& place = group.records[(hash / groups) % group.records.size()];
    {
        const std::lock_guard lock(group.mutex);
        if (place && place->text == text) return place;
    }
    auto made = std::make_shared<const SpfRecord>(SpfRecord::parse(text));
    const std::lock_guard lock(group.mutex);
    place = made;
    return made;
}

}  // namespace smtpd::mailauth
