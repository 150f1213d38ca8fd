/// author_domain.cc: reads From fields.
#include <smtpd/mailauth/author_domain.h>

#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>

#include "support/strings.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace smtpd::mailauth {
namespace {

using Problem = AuthorDomain::Problem;

/// Octets that end an atom (RFC 5322 3.2.3). Octets above 127 belong to atoms (RFC 6532).
constexpr bool is_special(char c) noexcept {
    return std::string_view("()<>[]:;@\\,.\"").find(c) != std::string_view::npos;
}
constexpr bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
constexpr bool is_control(char c) noexcept {
    return (static_cast<unsigned char>(c) < ' ' && !is_space(c)) || c == '\x7f';
}

/// Splits a structured field into tokens, without blanks and comments.
class Tokens {
public:
    enum class Kind { end, atom, quoted_string, literal, special, broken };
    struct Token {
        Kind kind = Kind::end;
        std::string_view text;  ///< as written
        bool is(char special) const noexcept { return kind == Kind::special && text.front() == special; }
        bool is_word() const noexcept { return kind == Kind::atom || kind == Kind::quoted_string; }
    };

    explicit Tokens(std::string_view text) : rest_(text) { next(); }
    const Token& now() const noexcept { return now_; }
    void next() { now_ = read(); }
    /// Skips the current token if it is this special.
    bool take(char special) {
        if (!now_.is(special)) return false;
        next();
        return true;
    }

private:
    Token read() {
        if (!skip_blanks_and_comments()) return broken();
        if (rest_.empty()) return {};
        switch (rest_.front()) {
            case '"': return enclosed('"', Kind::quoted_string);
            case '[': return enclosed(']', Kind::literal);
            case ')':
            case ']':
            case '\\': return broken();
            default: break;
        }
        if (is_special(rest_.front())) return cut(1, Kind::special);
        const auto end = std::find_if(rest_.begin(), rest_.end(),
                                      [](char c) { return is_special(c) || is_space(c) || is_control(c); });
        if (end == rest_.begin()) return broken();  // a control character
        return cut(static_cast<std::size_t>(end - rest_.begin()), Kind::atom);
    }

    Token cut(std::size_t size, Kind kind) {
        const Token token{kind, rest_.substr(0, size)};
        rest_.remove_prefix(size);
        return token;
    }
    Token broken() {
        rest_ = {};
        return {Kind::broken, {}};
    }

    /// Reads a quoted string or a domain literal that begins here.
    Token enclosed(char close, Kind kind) {
        for (std::size_t at = 1; at < rest_.size(); ++at) {
            if (rest_[at] == close) return cut(at + 1, kind);
            if (rest_[at] == '\\') ++at;
            if (at < rest_.size() && is_control(rest_[at])) return broken();
        }
        return broken();
    }

    /// False if a comment is not terminated.
    bool skip_blanks_and_comments() {
        std::size_t depth = 0, at = 0;
        for (; at < rest_.size(); ++at) {
            const char c = rest_[at];
            if (c == '(') ++depth;
            else if (depth == 0 && !is_space(c)) break;
            else if (c == ')') --depth;
            else if (c == '\\') ++at;
            else if (is_control(c)) return false;
        }
        rest_.remove_prefix(std::min(at, rest_.size()));
        return depth == 0;
    }

    std::string_view rest_;
    Token now_;
};

/// Parses an address-list of RFC 5322 3.4 and 4.4, with the groups that RFC 6854 allows in From.
class FromField {
public:
    explicit FromField(std::string_view value) : tokens_(value) {}

    /// Calls `found` with each domain. False on a syntax error.
    template <class F>
    bool read(F found) {
        bool is_in_group = false;
        for (;;) {
            if (tokens_.now().kind == Tokens::Kind::end) return !is_in_group;
            if (tokens_.take(',')) continue;  // an empty element (RFC 5322 4.4)
            if (is_in_group && tokens_.take(';')) {
                is_in_group = false;
                if (!is_end_of_element()) return false;
                continue;
            }
            const auto element = read_element(found);
            if (element == Element::broken || (element == Element::group && is_in_group)) return false;
            if (element == Element::group) is_in_group = true;
            else if (!is_end_of_element() && !(is_in_group && tokens_.now().is(';'))) return false;
        }
    }

private:
    enum class Element { mailbox, group, broken };

    bool is_end_of_element() const { return tokens_.now().kind == Tokens::Kind::end || tokens_.now().is(','); }

    /// Words and dots. They are a local part or a display name, depending on the next token.
    struct Words {
        bool any = false;
        bool is_local_part = true;  ///< a dot between any two words; extra dots are common and harmless
    };
    Words read_words() {
        Words words;
        bool was_word = false;
        for (; tokens_.now().is_word() || tokens_.now().is('.'); tokens_.next()) {
            const bool is_word = tokens_.now().is_word();
            if (is_word && was_word) words.is_local_part = false;
            words.any |= is_word;
            was_word = is_word;
        }
        return words;
    }

    /// Reads a mailbox, or the name of a group and its colon.
    template <class F>
    Element read_element(F found) {
        const Words words = read_words();
        if (tokens_.take('@')) return words.any && words.is_local_part ? read_domain(found) : Element::broken;
        if (tokens_.take('<')) return read_angle_address(found);
        if (tokens_.take(':')) return words.any ? Element::group : Element::broken;
        return words.any ? Element::mailbox : Element::broken;  // a display name, or a user without a domain
    }

    /// Reads what follows "<": an address, perhaps with a route (RFC 5322 4.4), or nothing.
    template <class F>
    Element read_angle_address(F found) {
        if (tokens_.take('>')) return Element::mailbox;
        if (tokens_.now().is('@') && !skip_route()) return Element::broken;
        const Words words = read_words();
        if (!words.any || !words.is_local_part) return Element::broken;
        if (tokens_.take('>')) return Element::mailbox;  // a user without a domain
        if (!tokens_.take('@') || read_domain(found) == Element::broken) return Element::broken;
        return tokens_.take('>') ? Element::mailbox : Element::broken;
    }

    /// Skips a route: "@a.example,@b.example:".
    bool skip_route() {
        const auto ignore = [](std::string) {};
        while (!tokens_.take(':')) {
            if (tokens_.take(',')) continue;
            if (!tokens_.take('@') || read_domain(ignore) == Element::broken) return false;
        }
        return true;
    }

    /// Reads what follows "@".
    template <class F>
    Element read_domain(F found) {
        if (tokens_.now().kind == Tokens::Kind::literal) {
            tokens_.next();
            return Element::mailbox;
        }
        std::string domain;
        for (;;) {
            if (tokens_.now().kind != Tokens::Kind::atom) return Element::broken;
            domain += tokens_.now().text;
            tokens_.next();
            if (!tokens_.now().is('.')) break;
            domain += '.';
            tokens_.next();
            if (!tokens_.now().is_word()) break;  // a final dot; some programs write it
        }
        found(ascii_domain(domain));
        return Element::mailbox;
    }

    Tokens tokens_;
};

void add(AuthorDomain& author, std::string domain) {
    auto& domains = author.domains;
    if (std::find(domains.begin(), domains.end(), domain) != domains.end()) return;
    if (domains.size() < max_author_domains) domains.push_back(std::move(domain));
}

Problem read_fields(AuthorDomain& author, const std::vector<std::string>& from_fields) {
    bool is_readable = true;
    for (const auto& field : from_fields)
        if (field.size() > max_from_size ||
            !FromField(field).read([&](std::string domain) { add(author, std::move(domain)); }))
            is_readable = false;
    if (from_fields.empty()) return Problem::no_field;
    if (from_fields.size() > 1) return Problem::several_fields;
    if (author.domains.size() > 1) return Problem::several_domains;
    if (!is_readable) return Problem::syntax;
    return author.domains.empty() ? Problem::no_domain : Problem::none;
}

}  // namespace

std::string AuthorDomain::reason() const {
    switch (problem) {
        case Problem::none: return {};
        case Problem::no_field: return "the message has no From field";
        case Problem::several_fields: return format_text("the message has {} From fields", fields);
        case Problem::no_domain: return "the From field names no domain";
        case Problem::several_domains: {
            std::string names;
            for (const auto& name : domains) names += (names.empty() ? "" : ", ") + printable_domain(name);
            return format_text("the From field names several domains: {}", names);
        }
        case Problem::syntax: return "the From field is malformed";
    }
    return {};
}

AuthorDomain author_domain(const std::vector<std::string>& from_fields) {
    AuthorDomain author;
    author.fields = from_fields.size();
    author.problem = read_fields(author, from_fields);
    if (author.found()) author.domain = author.domains.front();
    return author;
}

}  // namespace smtpd::mailauth
