/// first_author.cc: the part of the grammar of RFC 5322 3.4 that is needed to find one address.
#include <smtpd/mailauth/dkim_sign.h>

#include "mailauth/tag_list.h"

namespace smtpd::mailauth {
namespace {

/// The position after the comment that begins at `at`.
std::size_t after_comment(std::string_view text, std::size_t at) noexcept {
    int depth = 0;
    for (; at < text.size(); ++at) {
        if (text[at] == '\\') ++at;
        else if (text[at] == '(') ++depth;
        else if (text[at] == ')' && --depth == 0) return at + 1;
    }
    return text.size();
}

/// The text of a mailbox without comments and white space, with quoted strings unquoted.
struct Words {
    std::string text;
    std::size_t at_sign = std::string::npos;  ///< the position of the last @ outside quotation marks

    void add(char c) {
        if (c == '@') at_sign = text.size();
        text += c;
    }
    void clear() { *this = {}; }
};

std::size_t add_quoted(std::string_view text, std::size_t at, Words& words) {
    for (++at; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\' && at + 1 < text.size()) ++at;
        words.text += text[at];
    }
    return at + 1;
}

}  // namespace

std::optional<Address> first_author(std::string_view from) {
    Words words;
    for (std::size_t at = 0; at < from.size();) {
        const char c = from[at];
        if (c == '(') {
            at = after_comment(from, at);
            continue;
        }
        if (c == '"') {
            at = add_quoted(from, at, words);
            continue;
        }
        ++at;
        if (is_fws(c)) continue;
        if (c == '>' || c == ';' || (c == ',' && !words.text.empty())) break;
        if (c == '<' || c == ':') words.clear();  // the text so far was a name, the name of a group, or a source route
        else if (c != ',') words.add(c);
    }
    if (words.at_sign == std::string::npos || words.at_sign + 1 == words.text.size()) return std::nullopt;
    return Address::from_parts(words.text.substr(0, words.at_sign), words.text.substr(words.at_sign + 1));
}

}  // namespace smtpd::mailauth
