/// address.cc: a hand-written parser for the path grammar of RFC 5321 4.1.2 with the limits of 4.5.3.1, and its
/// extension by RFC 6531 3.3.
///
///     Path        = "<" [ "@" Domain *( "," "@" Domain ) ":" ] Mailbox ">"
///     Mailbox     = ( Dot-string / Quoted-string ) "@" ( Domain / address-literal )
///
/// Comments and folding white space belong to header fields (RFC 5322), not to paths, and are rejected. Forms beyond
/// the grammar that real senders use are accepted unless the syntax is strict. In one case strict is stricter than the
/// grammar: the empty quoted local part, `""@example.com`, names no mailbox and is rejected.
///
/// Beyond ASCII (SMTPUTF8), characters that are invisible, or that change how others are displayed, are rejected
/// everywhere, and labels must be allowed by IDNA.
#include <smtpd/base/address.h>

#include "smtp/octets.h"
#include "smtp/utf8.h"
#include "support/strings.h"

#include <smtpd/base/domain.h>

#include <algorithm>

namespace smtpd {
namespace {

using namespace smtp;

constexpr std::size_t strict_max_path = 256;       // including brackets
constexpr std::size_t max_path = 900;              // so that Return-Path fits into a line of RFC 5322, 998 octets
constexpr std::size_t strict_max_local_part = 64;  // as written, quotes included
constexpr std::size_t max_domain = 255;
constexpr std::size_t max_label = 63;
constexpr std::size_t max_quad_digits = 3;

constexpr bool is_atext(char c) {
    return is_alnum(c) || std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}
/// qtextSMTP: %d32-33 / %d35-91 / %d93-126.
constexpr bool is_qtext(char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }
/// dcontent: %d33-90 / %d94-126.
constexpr bool is_dcontent(char c) { return is_graphic(c) && (c < '[' || c > ']'); }
/// The full stops that IDNA's mapping converts to a dot.
constexpr bool is_foreign_full_stop(char32_t c) { return c == 0x3002 || c == 0xff0e || c == 0xff61; }

struct CodeRange {
    char32_t first;
    char32_t last;
};

/// C1 controls, and characters without a width or shape of their own: soft hyphen, joiners, direction marks and
/// overrides, line separators, byte order mark, interlinear annotation, tags. Two addresses that look alike could
/// differ in them, and an override makes a log show a different text. Noncharacters have no meaning (Unicode 23.7).
constexpr CodeRange invisible[] = {{0x80, 0x9f},      {0xad, 0xad},     {0x34f, 0x34f},   {0x61c, 0x61c},
                                   {0x180b, 0x180f},  {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
                                   {0xfdd0, 0xfdef},  {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0x1d173, 0x1d17a},
                                   {0xe0000, 0xe0fff}};

constexpr bool is_noncharacter(char32_t c) { return (c & 0xfffeU) == 0xfffe; }

constexpr bool is_invisible(char32_t c) {
    return is_noncharacter(c) || std::any_of(std::begin(invisible), std::end(invisible), [c](const CodeRange& range) {
               return c >= range.first && c <= range.last;
           });
}

/// IDNA allows these two between the letters that need them, and has the rules.
constexpr bool is_joiner(char32_t c) { return c == 0x200c || c == 0x200d; }

/// A parser of one text. Each parse function consumes what it accepts, or returns false with `why` set.
class PathParser {
public:
    PathParser(std::string_view text, const AddressSyntax& syntax)
        : rest_(text), smtputf8_(syntax.smtputf8), strict_(syntax.strict) {}

    bool source_route();
    bool mailbox(std::string& local_part, std::string& domain);
    const char* why() const { return why_; }

private:
    bool fail(const char* why) {
        why_ = why;
        return false;
    }
    bool at_end() const { return rest_.empty(); }
    char front() const { return rest_.empty() ? '\0' : rest_.front(); }
    bool take(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }

    bool local_part(std::string& out);
    bool dot_string(std::string& out);
    bool quoted_string(std::string& out);
    bool utf8_character(std::string& out);
    bool domain_or_literal(std::string& out);
    bool domain(std::string_view text);
    bool label(std::string_view text);
    bool is_label_character(char c) const { return is_alnum(c) || c == '-' || (c == '_' && !strict_); }
    bool address_literal(std::string_view inside);

    std::string_view rest_;
    bool smtputf8_;
    bool strict_;
    const char* why_ = "";
};

/// "@a.example,@b.example:". Parsed and ignored, as RFC 5321 appendix C recommends.
bool PathParser::source_route() {
    while (front() == '@') {
        rest_.remove_prefix(1);
        const auto end = std::min(rest_.find_first_of(",:"), rest_.size());
        if (!domain(rest_.substr(0, end))) return false;
        rest_.remove_prefix(end);
        if (take(':')) return true;
        if (!take(',')) return fail("source route does not end with a colon");
        if (front() != '@') return fail("source route has a part without an @");
    }
    return true;
}

bool PathParser::mailbox(std::string& local_part_out, std::string& domain_out) {
    if (at_end()) return fail("address is empty");
    if (!local_part(local_part_out)) return false;
    if (at_end()) return fail("address has no domain");
    if (!take('@')) return fail("local part contains a character that must be quoted");
    return domain_or_literal(domain_out);
}

bool PathParser::local_part(std::string& out) {
    const auto before = rest_.size();
    if (front() == '@') return fail("local part is empty");
    if (!(front() == '"' ? quoted_string(out) : dot_string(out))) return false;
    if (strict_ && before - rest_.size() > strict_max_local_part) return fail("local part is longer than 64 octets");
    return true;
}

bool PathParser::dot_string(std::string& out) {
    bool dot_allowed = !strict_;
    while (!at_end() && front() != '@') {
        if (front() == '.') {
            if (!dot_allowed) return fail("local part has a dot at its start or two in a row");
            dot_allowed = !strict_;
            out += '.';
            rest_.remove_prefix(1);
            continue;
        }
        dot_allowed = true;
        if (!smtp::is_ascii(front())) {
            if (!utf8_character(out)) return false;
        } else if (is_atext(front())) {
            out += front();
            rest_.remove_prefix(1);
        } else {
            return fail("local part contains a character that must be quoted");
        }
    }
    if (!dot_allowed && !out.empty()) return fail("local part ends with a dot");
    return true;
}

bool PathParser::quoted_string(std::string& out) {
    rest_.remove_prefix(1);
    while (!take('"')) {
        if (at_end()) return fail("quoted local part has no closing quote");
        if (!smtp::is_ascii(front())) {
            if (!utf8_character(out)) return false;
            continue;
        }
        const bool escaped = take('\\');
        if (at_end() || (escaped ? front() < ' ' || front() > '~' : !is_qtext(front())))
            return fail("quoted local part contains a character that is not allowed");
        out += front();
        rest_.remove_prefix(1);
    }
    return !strict_ || !out.empty() || fail("local part is empty");
}

bool PathParser::utf8_character(std::string& out) {
    if (!smtputf8_) return fail("address contains non-ASCII characters, which need SMTPUTF8");
    const auto c = first_code_point(rest_);
    if (c.length == 0) return fail("address is not valid UTF-8");
    if (is_invisible(c.value)) return fail("local part contains an invisible character");
    out += rest_.substr(0, c.length);
    rest_.remove_prefix(c.length);
    return true;
}

/// The rest of the text is the domain.
bool PathParser::domain_or_literal(std::string& out) {
    if (at_end()) return fail("address has no domain");
    if (rest_.size() > max_domain) return fail("domain is longer than 255 octets");
    if (front() == '[') {
        if (rest_.back() != ']') return fail("address literal has no closing bracket");
        out = rest_;
        return address_literal(rest_.substr(1, rest_.size() - 2));
    }
    if (!strict_ && rest_.size() > 1 && rest_.back() == '.') rest_.remove_suffix(1);
    out = rest_;
    return domain(rest_);
}

bool PathParser::domain(std::string_view text) {
    if (text.size() > max_domain) return fail("domain is longer than 255 octets");
    for (;;) {
        const auto dot = text.find('.');
        if (!label(text.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        text.remove_prefix(dot + 1);
    }
}

bool PathParser::label(std::string_view text) {
    if (text.empty()) return fail("domain has an empty label");
    if (text.front() == '-' || text.back() == '-') return fail("domain has a label that starts or ends with a hyphen");
    const std::string_view whole = text;
    bool ascii = true;
    while (!text.empty()) {
        const auto c = first_code_point(text);
        const bool ascii_here = smtp::is_ascii(text.front());
        ascii = ascii && ascii_here;
        if (!ascii_here && !smtputf8_) return fail("address contains non-ASCII characters, which need SMTPUTF8");
        if (c.length == 0) return fail("address is not valid UTF-8");
        if (ascii_here ? !is_label_character(text.front())
                       : is_foreign_full_stop(c.value) || (is_invisible(c.value) && !is_joiner(c.value)))
            return fail("domain contains a character that is not allowed");
        text.remove_prefix(c.length);
    }
    if (ascii && whole.size() > max_label) return fail("domain has a label longer than 63 octets");
    return ascii || is_idna_domain(whole) || fail("domain has a label that IDNA does not allow");
}

/// Removes leading zeros from a dotted quad: RFC 5321's Snum is a decimal number of up to three digits, but IpAddress
/// does not accept leading zeros.
std::string without_leading_zeros(std::string_view text) {
    const auto quad = text.rfind(':') + 1;  // npos + 1 is 0
    if (text.find('.', quad) == std::string_view::npos) return std::string(text);
    std::string out(text.substr(0, quad));
    std::size_t digits = 0;
    for (std::size_t i = quad; i < text.size(); ++i) {
        const bool digit = is_digit(text[i]);
        const bool zero_before_digit = text[i] == '0' && i + 1 < text.size() && is_digit(text[i + 1]);
        const bool leading = digit && (out.size() == quad || out.back() == '.');
        digits = digit ? digits + 1 : 0;
        if (zero_before_digit && leading && digits < max_quad_digits) continue;
        out += text[i];
    }
    return out;
}

constexpr std::string_view ipv6_tag = "IPv6:";

/// The content of the brackets, if it is an IP address.
std::optional<IpAddress> parse_literal_ip(std::string_view inside) {
    const bool v6 = starts_with_folded(inside, ipv6_tag);
    if (v6) inside.remove_prefix(ipv6_tag.size());
    if ((inside.find(':') != std::string_view::npos) != v6) return std::nullopt;
    return IpAddress::parse(without_leading_zeros(inside));
}

/// General-address-literal: Standardized-tag ":" 1*dcontent. No tag but IPv6 was ever registered, but the form is
/// legal.
bool is_general_literal(std::string_view inside) {
    const auto colon = inside.find(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    const auto tag = inside.substr(0, colon);
    const auto content = inside.substr(colon + 1);
    return std::all_of(tag.begin(), tag.end(), [](char c) { return is_alnum(c) || c == '-'; }) && tag.back() != '-' &&
           !content.empty() && std::all_of(content.begin(), content.end(), is_dcontent);
}

bool PathParser::address_literal(std::string_view inside) {
    if (starts_with_folded(inside, ipv6_tag))
        return parse_literal_ip(inside) || fail("address literal is not an IPv6 address");
    if (inside.find(':') == std::string_view::npos)
        return parse_literal_ip(inside) || fail("address literal is not an IPv4 address");
    return is_general_literal(inside) || fail("address literal is malformed");
}

void set_reason(std::string* why, const char* reason) {
    if (why != nullptr) *why = reason;
}

bool is_too_long(std::size_t path, const AddressSyntax& syntax, std::string* why) {
    if (path <= (syntax.strict ? strict_max_path : max_path)) return false;
    set_reason(why, syntax.strict ? "path is longer than 256 octets" : "path is longer than 900 octets");
    return true;
}

constexpr std::string_view postmaster = "postmaster";

bool is_dot_string(std::string_view text) {
    char previous = '.';
    for (const char c : text) {
        if (c == '.' ? previous == '.' : smtp::is_ascii(c) && !is_atext(c)) return false;
        previous = c;
    }
    return previous != '.';
}

/// Checks the length again, because printing may add two quotes to an address.
std::optional<Address> checked(const Address& address, const AddressSyntax& syntax, std::string* why) {
    if (is_too_long(address.path().size(), syntax, why)) return std::nullopt;
    return address;
}

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    out += '"';
}

std::string joined(std::string_view local_part, std::string_view domain) {
    std::string out;
    out.reserve(local_part.size() + domain.size() + 3);
    if (is_dot_string(local_part)) out += local_part;
    else append_quoted(out, local_part);
    if (!domain.empty()) out.append("@").append(domain);
    return out;
}

}  // namespace

std::optional<Address> Address::parse_path(std::string_view path, const AddressSyntax& syntax, std::string* why) {
    if (path.size() < 2 || path.front() != '<' || path.back() != '>') {
        set_reason(why, "address is not enclosed in <>");
        return std::nullopt;
    }
    if (is_too_long(path.size(), syntax, why)) return std::nullopt;
    auto inside = path.substr(1, path.size() - 2);
    if (inside.empty() && syntax.allow_null) return Address();
    const bool has_route = !inside.empty() && inside.front() == '@' && inside.find(':') != std::string_view::npos;
    if (!has_route) return parse(inside, syntax, why);

    PathParser parser(inside, syntax);
    Address address({}, {}, syntax.local_part_case);
    if (parser.source_route() && parser.mailbox(address.local_part_, address.domain_))
        return checked(address, syntax, why);
    set_reason(why, parser.why());
    return std::nullopt;
}

std::optional<Address> Address::parse(std::string_view mailbox, const AddressSyntax& syntax, std::string* why) {
    if (is_too_long(mailbox.size() + 2, syntax, why)) return std::nullopt;
    if (syntax.allow_postmaster && equals_folded(mailbox, postmaster))
        return Address(std::string(mailbox), {}, syntax.local_part_case);
    PathParser parser(mailbox, syntax);
    Address address({}, {}, syntax.local_part_case);
    if (parser.mailbox(address.local_part_, address.domain_)) return checked(address, syntax, why);
    set_reason(why, parser.why());
    return std::nullopt;
}

Address Address::from_parts(std::string local_part, std::string domain, LocalPartCase local_part_case) {
    return {std::move(local_part), std::move(domain), local_part_case};
}

std::optional<IpAddress> Address::literal_ip() const {
    if (!is_address_literal() || domain_.back() != ']') return std::nullopt;
    return parse_literal_ip(std::string_view(domain_).substr(1, domain_.size() - 2));
}

bool Address::is_ascii() const noexcept {
    return std::all_of(local_part_.begin(), local_part_.end(), smtp::is_ascii) &&
           std::all_of(domain_.begin(), domain_.end(), smtp::is_ascii);
}

std::string Address::local_key() const {
    const bool is_kept = local_part_case_ == LocalPartCase::sensitive && !equals_folded(local_part_, postmaster);
    return is_kept ? local_part_ : support::folded(local_part_);
}

std::string Address::domain_key() const {
    const auto ip = literal_ip();
    return ip ? support::folded(ip->literal()) : ascii_domain(domain_);
}

std::string Address::key() const { return is_null() ? std::string() : joined(local_key(), domain_key()); }

std::vector<std::string> Address::key_spellings() const {
    std::vector<std::string> out{key()};
    const std::string domain = domain_key();
    if (auto unicode = unicode_domain(domain); unicode != domain) out.push_back(joined(local_key(), unicode));
    return out;
}

std::string Address::to_string() const { return is_null() ? std::string() : joined(local_part_, domain_); }

std::string Address::path() const { return '<' + to_string() + '>'; }

bool Address::operator==(const Address& other) const {
    const bool is_exact = local_part_ == other.local_part_;
    const bool is_near = is_exact ||
                         (equals_folded(local_part_, other.local_part_) && local_key() == other.local_key());
    return is_near && domain_key() == other.domain_key();
}

std::string list_key(std::string_view entry, LocalPartCase local_part_case) {
    const auto at = entry.rfind('@');
    if (at == std::string_view::npos) return ascii_domain(entry);
    if (const auto address = Address::parse(entry, {.smtputf8 = true, .local_part_case = local_part_case}))
        return address->key();
    const auto parts = Address::from_parts(std::string(entry.substr(0, at)), std::string(entry.substr(at + 1)),
                                           local_part_case);
    return parts.local_key() + '@' + parts.domain_key();
}

std::string login_key(std::string_view login) {
    return login.find('@') == std::string_view::npos ? support::folded(login) : list_key(login);
}

}  // namespace smtpd
