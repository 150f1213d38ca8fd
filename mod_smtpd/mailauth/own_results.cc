/// own_results.cc: see own_results.h. The code only looks for the ends of entries. It skips quoted strings and
/// comments, because they may contain semicolons.
#include "mailauth/own_results.h"

#include "mailauth/tag_list.h"

#include <smtpd/base/domain.h>

#include <algorithm>

namespace smtpd::mailauth {
namespace {

/// The position after the quoted string or comment that begins at `at`.
std::size_t skip(std::string_view text, std::size_t at) noexcept {
    const bool is_comment = text[at] == '(';
    unsigned depth = 1;
    for (++at; at < text.size() && depth > 0; ++at) {
        const char c = text[at];
        if (c == '\\') ++at;
        else if (is_comment && c == '(') ++depth;
        else if (c == (is_comment ? ')' : '"')) --depth;
    }
    return at;
}

/// Splits the text at semicolons.
std::vector<std::string_view> pieces_of(std::string_view text) {
    std::vector<std::string_view> out;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] == ';') {
            out.push_back(trim_fws(text.substr(begin, at - begin)));
            begin = ++at;
        } else {
            at = text[at] == '(' || text[at] == '"' ? skip(text, at) : at + 1;
        }
    }
    out.push_back(trim_fws(text.substr(std::min(begin, text.size()))));
    return out;
}

/// Reads the id from `mx.example.com` or `"mx.example.com" 1`, perhaps after comments.
std::string authserv_id_of(std::string_view text) {
    while (!text.empty() && (is_fws(text.front()) || text.front() == '('))
        text.remove_prefix(text.front() == '(' ? std::min(skip(text, 0), text.size()) : 1);
    if (text.starts_with('"')) {
        const auto end = text.find('"', 1);
        return std::string(text.substr(1, end == text.npos ? end : end - 1));
    }
    return std::string(text.substr(0, text.find_first_of(" \t\r\n(")));
}

std::string unfolded(std::string_view text) {
    std::string out;
    for (const char c : text)
        if (c != '\r' && c != '\n') out += c;
    return out;
}

}  // namespace

std::vector<std::string> own_results(const HeaderBlock& block, std::string_view authserv_id) {
    std::vector<std::string> entries;
    for (const auto& field : block.fields()) {
        if (!field.is_called("Authentication-Results")) continue;
        const auto pieces = pieces_of(field.body());
        if (!is_same_domain(authserv_id_of(pieces.front()), authserv_id)) continue;
        for (std::size_t i = 1; i < pieces.size(); ++i)
            if (!pieces[i].empty() && pieces[i] != "none") entries.push_back(unfolded(pieces[i]));
    }
    return entries;
}

}  // namespace smtpd::mailauth
