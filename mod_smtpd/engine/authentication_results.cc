#include "engine/authentication_results.h"

#include "smtp/utf8.h"
#include "support/strings.h"

#include <smtpd/base/format.h>
#include <smtpd/base/text.h>
#include <smtpd/mailauth/authentication_results_field.h>

#include <algorithm>

namespace smtpd::engine {
namespace {

constexpr std::size_t most_octets = 400;  ///< of a value; fits on a line even with a backslash before each octet
constexpr std::size_t most_comment_octets = 200;
constexpr std::size_t most_keyword_octets = 64;
constexpr std::size_t good_line = 78;  ///< RFC 5322 2.1.1

constexpr bool is_control(char32_t value) noexcept { return value < ' ' || (value >= 0x7f && value < 0xa0); }

/// The text, cut to `most` octets, with a backslash before each of `specials`, and '?' for characters that a field must
/// not contain.
std::string escaped(std::string_view text, std::string_view specials, std::size_t most, FieldText kind) {
    std::string out;
    while (!text.empty() && most > 0) {
        const auto point = smtp::first_code_point(text);
        const std::size_t size = std::max<std::size_t>(point.length, 1);
        if (size > most) break;
        if (size == 1 && specials.find(text.front()) != std::string_view::npos) out += '\\';
        const bool is_good = point.length != 0 && !is_control(point.value);
        if (is_good && (size == 1 || kind == FieldText::utf8)) out.append(text.substr(0, size));
        else out.append(size, '?');
        text.remove_prefix(size);
        most -= size;
    }
    return out;
}

std::string comment(std::string_view text, FieldText kind) {
    return "(" + escaped(text, "()\\", most_comment_octets, kind) + ")";
}

/// RFC 2045 5.1.
bool is_token(std::string_view text) {
    constexpr std::string_view others = "!#$%&'*+-.^_`{|}~";
    const auto is_plain = [&](char c) {
        return support::is_alpha(c) || support::is_digit(c) || others.find(c) != others.npos;
    };
    return !text.empty() && std::all_of(text.begin(), text.end(), is_plain);
}

bool is_dotted(std::string_view text, bool (*is_part)(char)) {
    const auto parts = support::split(text, '.');
    return std::all_of(parts.begin(), parts.end(), [&](std::string_view part) {
        return !part.empty() && std::all_of(part.begin(), part.end(), is_part);
    });
}

/// A dot-atom (RFC 5322 3.2.3) that is also a token, `@`, and a domain (RFC 5321 4.1.2).
bool is_address(std::string_view text) {
    const auto at = text.find('@');
    if (at == std::string_view::npos || !is_token(text.substr(0, at))) return false;
    return is_dotted(text.substr(0, at), [](char) { return true; }) && is_dotted(text.substr(at + 1), [](char c) {
               return support::is_alpha(c) || support::is_digit(c) || c == '-';
           });
}

/// RFC 8601 2.2 `value` and `pvalue`: a token, and in a property an address, unchanged; anything else quoted.
std::string value(std::string_view text, FieldText kind, bool may_be_address) {
    if (text.size() <= most_octets && (is_token(text) || (may_be_address && is_address(text))))
        return std::string(text);
    return "\"" + escaped(text, "\"\\", most_octets, kind) + "\"";
}

/// RFC 8601 2.2 `Keyword`; other names are not allowed, so nothing needs to be quoted.
std::string keyword(std::string_view text) {
    std::string out(text.substr(0, most_keyword_octets));
    for (char& c : out)
        if (!support::is_alpha(c) && !support::is_digit(c) && c != '_') c = '-';
    return out;
}

bool is_complete(const AuthenticationResult& result) { return !result.method.empty() && !result.result.empty(); }

/// The pieces that white space may separate.
std::vector<std::string> words(const AuthenticationResult& result, FieldText kind) {
    const std::string version = result.version == 1 ? "" : format_text("/{}", result.version);
    std::vector<std::string> out{format_text("{}{}={}", keyword(result.method), version, keyword(result.result))};
    if (!result.comment.empty()) out.push_back(comment(result.comment, kind));
    if (!result.reason.empty()) out.push_back("reason=" + value(result.reason, kind, false));
    for (const auto& [type, name, text] : result.properties)
        if (!type.empty() && !name.empty())
            out.push_back(format_text("{}.{}={}", keyword(type), keyword(name), value(text, kind, true)));
    return out;
}

void append(std::string& out, const AuthenticationResult& result, FieldText kind) {
    out += ";\n\t";
    std::size_t column = 1;
    for (const auto& word : words(result, kind)) {
        const bool is_first = column == 1;
        const bool is_full = !is_first && column + 1 + word.size() >= good_line;
        if (!is_first) out += is_full ? "\n\t\t" : " ";
        column = (is_full ? 2 : is_first ? column : column + 1) + word.size();
        out += word;
    }
}

}  // namespace

std::string authentication_results_value(const ResultsView& results, std::string_view authserv_id, FieldText text) {
    std::string out;
    auto entries = results.all();
    std::erase_if(entries, [](const auto* entry) { return !is_complete(*entry); });
    std::stable_partition(entries.begin(), entries.end(),
                          [](const auto* entry) { return ascii_equal(entry->method, "auth"); });
    for (const auto* entry : entries) append(out, *entry, text);
    return out.empty() ? out : std::string(authserv_id) + out;
}

void disown_forged_results(Headers& headers, std::string_view authserv_id) {
    constexpr std::string_view field = "Authentication-Results";
    for (const auto& value : headers.get_all(field))
        if (mailauth::claims_authserv_id(value, authserv_id)) {
            headers.rename(field, "Original-Authentication-Results");
            return;
        }
}

}  // namespace smtpd::engine

namespace smtpd {

const std::string* AuthenticationResult::property(std::string_view type, std::string_view name) const noexcept {
    for (const auto& one : properties)
        if (ascii_equal(one.type, type) && ascii_equal(one.name, name)) return &one.value;
    return nullptr;
}

std::string AuthenticationResult::to_string() const {
    std::string out;
    for (const auto& word : engine::words(*this, engine::FieldText::ascii)) out += (out.empty() ? "" : " ") + word;
    return out;
}

const AuthenticationResult* AuthenticationResults::find(std::string_view method) const noexcept {
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const auto& one) { return ascii_equal(one.method, method); });
    return found == entries_.end() ? nullptr : &*found;
}

void AuthenticationResults::remove(std::string_view method) {
    std::erase_if(entries_, [&](const auto& one) { return ascii_equal(one.method, method); });
}

const AuthenticationResult* ResultsView::find(std::string_view method) const noexcept {
    const auto* const found = connection_.find(method);
    return found || !transaction_ ? found : transaction_->find(method);
}

std::vector<const AuthenticationResult*> ResultsView::find_all(std::string_view method) const {
    auto out = all();
    std::erase_if(out, [&](const auto* one) { return !ascii_equal(one->method, method); });
    return out;
}

std::vector<const AuthenticationResult*> ResultsView::all() const {
    std::vector<const AuthenticationResult*> out;
    for (const auto& one : connection_) out.push_back(&one);
    if (transaction_)
        for (const auto& one : *transaction_) out.push_back(&one);
    return out;
}

}  // namespace smtpd
