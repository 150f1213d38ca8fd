/// authentication_results_field.cc: the grammar of RFC 8601 2.2.
#include <smtpd/mailauth/authentication_results_field.h>

#include "support/strings.h"

#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>
#include <smtpd/base/text.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace smtpd::mailauth {
namespace {

constexpr std::string_view tspecials = "()<>@,;:\\\"/[]?=";  ///< RFC 2045 5.1

constexpr bool is_fold(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
constexpr bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }

bool is_token_character(char c) noexcept { return c != ' ' && !is_control(c) && tspecials.find(c) == tspecials.npos; }
/// RFC 5321 4.1.2 Keyword; "_" is used too.
bool is_keyword_character(char c) noexcept {
    return support::is_alpha(c) || support::is_digit(c) || c == '-' || c == '_';
}
/// RFC 5322 3.2.3 atext, with RFC 6532.
bool is_atom_character(char c) noexcept {
    constexpr std::string_view others = "!#$%&'*+-/=?^_`{|}~";
    return support::is_alpha(c) || support::is_digit(c) || static_cast<unsigned char>(c) >= 0x80 ||
           others.find(c) != others.npos;
}
bool is_domain_character(char c) noexcept {
    return support::is_alpha(c) || support::is_digit(c) || static_cast<unsigned char>(c) >= 0x80 || c == '-' ||
           c == '_';
}

template <class Is>
bool is_dotted(std::string_view text, Is is_part) {
    bool is_empty = true;
    for (const char c : text) {
        if (c == '.' ? is_empty : !is_part(c)) return false;
        is_empty = c == '.';
    }
    return !is_empty;
}

class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}

    bool parse(AuthenticationResultsField& field) {
        if (!skip() || !take_value(field.authserv_id, "authserv-id")) return false;
        if (!skip() || !take_version(field.version)) return false;
        if (!at(';')) return fail(at_ == text_.size() ? "there is no result" : "a semicolon is missing");
        if (take_none()) return true;
        while (at_ < text_.size()) {
            if (!at(';')) return fail("a semicolon is missing");
            ++at_;
            if (!take_result(field.results.emplace_back())) return false;
        }
        return true;
    }

    std::string why() const { return format_text("octet {}: {}", at_, problem_); }

private:
    bool fail(const char* what) {
        problem_ = what;
        return false;
    }
    bool at(char c) const noexcept { return at_ < text_.size() && text_[at_] == c; }

    /// Skips CFWS (RFC 5322 3.2.2). Appends the text of comments to `comments` unless it is null.
    bool skip(std::string* comments = nullptr) {
        for (;;) {
            while (at_ < text_.size() && is_fold(text_[at_])) ++at_;
            if (!at('(')) return true;
            if (!take_comment(comments)) return false;
        }
    }

    bool take_comment(std::string* comments) {
        std::string text;
        unsigned depth = 0;
        for (; at_ < text_.size(); ++at_) {
            char c = text_[at_];
            if (c == '(' && depth++ == 0) continue;
            if (c == ')' && --depth == 0) break;
            if (c == '\\') {
                if (++at_ == text_.size()) break;
                c = text_[at_];
            }
            if (c == '\0') return fail("there is a NUL");
            if (is_fold(c)) {
                if (!text.empty() && text.back() != ' ') text += ' ';
            } else {
                text += c;
            }
        }
        if (at_ == text_.size()) return fail("a comment has no end");
        ++at_;
        if (comments) *comments += (comments->empty() ? "" : " ") + text;
        return true;
    }

    /// Reads a quoted-string (RFC 5322 3.2.4).
    bool take_quoted(std::string& out) {
        for (++at_; at_ < text_.size(); ++at_) {
            char c = text_[at_];
            if (c == '"') return ++at_, true;
            if (c == '\r' || c == '\n') continue;  // a fold; its white space is kept
            if (c == '\\') {
                if (++at_ == text_.size()) break;
                c = text_[at_];
            }
            if (is_control(c) && c != '\t') return fail("there is a control character in a quoted-string");
            out += c;
        }
        return fail("a quoted-string has no end");
    }

    template <class Is>
    std::string_view take_while(Is is) {
        const std::size_t begin = at_;
        while (at_ < text_.size() && is(text_[at_])) ++at_;
        return text_.substr(begin, at_ - begin);
    }

    /// Reads: token / quoted-string
    bool take_value(std::string& out, const char* what) {
        if (at('"')) return take_quoted(out);
        out = take_while(is_token_character);
        if (!out.empty()) return true;
        what_is_missing_ = format_text("the {} is missing", what);
        return fail(what_is_missing_.c_str());
    }

    bool take_number(unsigned& out) {
        const auto digits = take_while(support::is_digit);
        const auto number = support::parse_unsigned(digits);
        if (!number || *number > std::numeric_limits<unsigned>::max()) return fail("a version is not a number");
        out = static_cast<unsigned>(*number);
        return true;
    }

    bool take_version(unsigned& version) {
        if (at_ == text_.size() || !support::is_digit(text_[at_])) return true;
        return take_number(version) && skip();
    }

    /// Reads "; none" and the end.
    bool take_none() {
        const std::size_t begin = at_;
        ++at_;
        if (skip() && ascii_equal(take_while(is_keyword_character), "none") && skip() && at_ == text_.size())
            return true;
        at_ = begin;
        return false;
    }

    bool take_keyword(std::string& out, const char* what) {
        out = take_while(is_keyword_character);
        if (!out.empty() && out.front() != '-' && out.back() != '-') return true;
        what_is_missing_ = format_text("the {} is missing", what);
        return fail(what_is_missing_.c_str());
    }

    bool take_sign(char sign, const char* problem) {
        if (!skip()) return false;
        if (!at(sign)) return fail(problem);
        ++at_;
        return skip();
    }

    /// Parses a result: the text from a semicolon to the next one, or to the end.
    bool take_result(AuthenticationResult& result) {
        if (!skip() || !take_keyword(result.method, "method") || !skip()) return false;
        if (at('/')) {
            ++at_;
            if (!skip() || !take_number(result.version)) return false;
        }
        if (!take_sign('=', "\"=\" is missing behind the method")) return false;
        if (!take_keyword(result.result, "result")) return false;
        if (!is_at_end_of_word()) return fail("the result is not a word");
        if (!skip(&result.comment)) return false;
        bool is_first = true;
        while (at_ < text_.size() && !at(';')) {
            if (!take_reason_or_property(result, is_first)) return false;
            is_first = false;
        }
        return true;
    }

    bool is_at_end_of_word() const noexcept {
        return at_ == text_.size() || is_fold(text_[at_]) || text_[at_] == '(' || text_[at_] == ';';
    }

    bool take_reason_or_property(AuthenticationResult& result, bool may_be_reason) {
        std::string word;
        if (!take_keyword(word, "property") || !skip()) return false;
        if (may_be_reason && at('=') && ascii_equal(word, "reason")) {
            if (!take_sign('=', "") || !take_value(result.reason, "reason")) return false;
        } else {
            AuthenticationProperty property{std::move(word), {}, {}};
            if (!take_sign('.', "\".\" is missing behind the type of a property")) return false;
            if (!take_keyword(property.name, "name of a property")) return false;
            if (!take_sign('=', "\"=\" is missing behind a property")) return false;
            if (!take_property_value(property.value)) return false;
            result.properties.push_back(std::move(property));
        }
        if (!is_at_end_of_word()) return fail("a value has a character that needs quotation marks");
        return skip(&result.comment);
    }

    /// Reads: value / [ [ local-part ] "@" ] domain-name
    bool take_property_value(std::string& out) {
        if (at('"')) {
            std::string text;
            if (!take_quoted(text)) return false;
            out = text;
            if (!at('@')) return true;
            const auto domain = take_domain();
            if (domain.empty()) return fail("the domain of an address is missing");
            out += domain;
            return true;
        }
        const std::size_t begin = at_;
        const auto word = take_while([](char c) { return is_atom_character(c) || c == '.' || c == '@'; });
        const auto sign = word.rfind('@');
        if (sign != word.npos) {
            const auto local_part = word.substr(0, sign);
            const bool is_good = (local_part.empty() || is_dotted(local_part, is_atom_character)) &&
                                 is_dotted(without_final_dot(word.substr(sign + 1)), is_domain_character);
            out = word;
            return is_good || fail("an address is not one");
        }
        at_ = begin;
        return take_value(out, "value of a property");
    }

    static std::string_view without_final_dot(std::string_view domain) noexcept {
        if (domain.ends_with('.')) domain.remove_suffix(1);
        return domain;
    }

    /// Reads "@example.com"; "" if there is none.
    std::string_view take_domain() {
        const std::size_t begin = at_++;
        const auto domain = take_while([](char c) { return is_domain_character(c) || c == '.'; });
        return is_dotted(without_final_dot(domain), is_domain_character) ? text_.substr(begin, at_ - begin)
                                                                         : std::string_view();
    }

    const std::string_view text_;
    std::size_t at_ = 0;
    const char* problem_ = "";
    std::string what_is_missing_;
};

// --- the server that a field claims to come from

constexpr bool is_control_or_blank(char c) noexcept { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; }

/// Removes white space, other control characters, and comments (RFC 5322 3.2.2) from the front.
std::string_view skip_cfws(std::string_view text) {
    unsigned depth = 0;
    for (; !text.empty(); text.remove_prefix(1)) {
        const char c = text.front();
        if (c == '(') ++depth;
        else if (depth > 0 && c == ')') --depth;
        else if (depth > 0 && c == '\\' && text.size() > 1) text.remove_prefix(1);
        else if (depth == 0 && !is_control_or_blank(c)) break;
    }
    return text;
}

/// Removes a quoted-string (RFC 5322 3.2.4) from the front and returns its unquoted text; std::nullopt if it is not
/// terminated.
std::optional<std::string> take_quoted_string(std::string_view& text) {
    std::string out;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '"') {
            text.remove_prefix(i + 1);
            return std::string(support::trim(out));
        }
        if (text[i] == '\\' && i + 1 < text.size()) ++i;
        out += text[i];
    }
    return std::nullopt;
}

/// Removes a word from the front: the text up to white space, a comment, a quotation mark or a semicolon.
std::string take_word(std::string_view& text) {
    const auto ends_word = [](char c) { return is_control_or_blank(c) || c == '(' || c == '"' || c == ';'; };
    const auto size = static_cast<std::size_t>(std::find_if(text.begin(), text.end(), ends_word) - text.begin());
    std::string word(text.substr(0, size));
    text.remove_prefix(size);
    return word;
}

/// Whether a value begins with this authserv-id. Programs interpret a value that breaks the grammar in different ways,
/// so it is enough if one of them could find the id: as a token that ends as in RFC 2045 5.1, or as a domain with white
/// space or comments around its dots (RFC 5322 4.4).
bool begins_with_id(std::string_view value, std::string_view authserv_id) {
    std::string id;
    for (value = skip_cfws(value); !value.empty() && value.front() != ';'; value = skip_cfws(value)) {
        const bool is_quoted = value.front() == '"';
        const bool goes_on = id.empty() || id.back() == '.' || (!is_quoted && value.front() == '.');
        if (!goes_on) return false;
        const auto word = is_quoted ? take_quoted_string(value) : take_word(value);
        if (!word) return false;
        id += *word;
        if (is_same_domain(id, authserv_id)) return true;
        const auto token = std::string_view(id).substr(0, id.find_first_of(tspecials));
        if (!is_quoted && is_same_domain(token, authserv_id)) return true;
    }
    return false;
}

/// Whether the text contains the id anywhere, in any spelling, with or without quotation marks and folds.
bool contains_id(std::string_view value, std::string_view authserv_id) {
    std::string plain, bare;
    for (const char c : value) {
        const char lower = ascii_lower(c);
        plain += lower;
        if (c != '\\' && c != '"' && !is_control_or_blank(c)) bare += lower;
    }
    for (const std::string& id : {ascii_domain(authserv_id), unicode_domain(authserv_id), ascii_lower(authserv_id)})
        if (!id.empty() && (plain.find(id) != std::string::npos || bare.find(id) != std::string::npos)) return true;
    return false;
}

}  // namespace

std::optional<AuthenticationResultsField> AuthenticationResultsField::parse(std::string_view value, std::string* why) {
    AuthenticationResultsField field;
    Parser parser(value);
    if (parser.parse(field)) return field;
    if (why) *why = parser.why();
    return std::nullopt;
}

bool claims_authserv_id(std::string_view value, std::string_view authserv_id) {
    if (begins_with_id(value, authserv_id)) return true;
    const auto field = AuthenticationResultsField::parse(value);
    return field ? is_same_domain(field->authserv_id, authserv_id) : contains_id(value, authserv_id);
}

}  // namespace smtpd::mailauth
