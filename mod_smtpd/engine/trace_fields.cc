#include "engine/trace_fields.h"

#include "support/date.h"
#include "support/strings.h"

#include <smtpd/format.h>

#include <algorithm>
#include <optional>

namespace smtpd::engine {
namespace {

/// What a client calls itself, as it may stand in a field: whatever has no place in a domain, or in an address literal, becomes '?'.
std::string safe_host(std::string_view host) {
    std::string out(host.substr(0, 255));
    const bool is_literal = out.size() > 2 && out.front() == '[' && out.back() == ']';
    for (std::size_t i = is_literal ? 1 : 0; i < out.size() - (is_literal ? 1 : 0); ++i) {
        const char c = out[i];
        const bool is_name = support::is_alpha(c) || support::is_digit(c) || c == '.' || c == '-' || c == '_';
        if (!is_name && !(is_literal && c == ':')) out[i] = '?';
    }
    return out;
}

constexpr bool is_control_or_blank(char c) noexcept { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; }

/// Drops white space, other control characters, and comments (RFC 5322 3.2.2) at the front.
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

/// Takes a quoted-string (RFC 5322 3.2.4) off the front and gives what it means; nothing if it has no end.
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

/// Takes a word off the front: whatever no white space, comment, quotation mark or semicolon ends.
std::string take_word(std::string_view& text) {
    const auto ends_word = [](char c) { return is_control_or_blank(c) || c == '(' || c == '"' || c == ';'; };
    const auto size = static_cast<std::size_t>(std::find_if(text.begin(), text.end(), ends_word) - text.begin());
    std::string word(text.substr(0, size));
    text.remove_prefix(size);
    return word;
}

/// A final dot, which a domain may have, makes no difference.
bool is_same_domain(std::string_view a, std::string_view b) {
    const auto without_dot = [](std::string_view domain) {
        return domain.substr(0, domain.size() - (domain.ends_with('.') ? 1 : 0));
    };
    return support::equals_folded(without_dot(a), without_dot(b));
}

/// Whether a value of Authentication-Results begins with that authserv-id (RFC 8601 2.2): a token or a quoted-string, with
/// comments and white space around it. Readers differ in what they make of a value that breaks the grammar, so the id
/// counts as soon as one reader could find it: a token that ends where RFC 2045 5.1 ends it, and a domain with white space
/// or comments around its dots (RFC 5322 4.4) as well.
bool claims(std::string_view value, std::string_view authserv_id) {
    constexpr std::string_view tspecials = "()<>@,;:\\\"/[]?=";
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

/// RFC 8601 2.2 `pvalue`: an address or a word as it is, anything else quoted. Field values are ASCII, so other octets become '?'.
std::string property_value(std::string_view text) {
    const auto is_plain = [](char c) {
        return support::is_alpha(c) || support::is_digit(c) || std::string_view("!#$%&'*+-^_`{|}~.@").find(c) != std::string_view::npos;
    };
    const auto at = text.find('@');
    const bool is_address_or_word = at == std::string_view::npos || (at > 0 && at + 1 < text.size() && text.rfind('@') == at);
    if (is_address_or_word && std::all_of(text.begin(), text.end(), is_plain)) return std::string(text);
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c >= ' ' && c <= '~' ? c : '?';
    }
    return out + "\"";
}

/// What came from outside, in a comment (RFC 5322 3.2.2), and not endlessly.
std::string comment_text(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 200)) {
        if (c == '(' || c == ')' || c == '\\') out += '\\';
        out += c >= ' ' && c <= '~' ? c : '?';
    }
    return out;
}

std::string tls_comments(const Tls& tls) {
    std::string out = format_text("\n\t(using {} with cipher {}", tls.protocol, tls.cipher);
    if (tls.key_bits != 0) out += format_text(", {} bits", tls.key_bits);
    out += ")";
    if (tls.certificate)
        out += format_text("\n\t(client certificate {}, {})", comment_text(tls.certificate->subject), tls.certificate->is_verified ? "verified" : "not verified");
    return out;
}

}  // namespace

std::string_view protocol_word(const Connection& connection, const Transaction& transaction) noexcept {
    if (connection.greeted() != Greeted::ehlo) return "SMTP";
    static constexpr std::string_view words[2][2][4] = {
        {{"ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA"}, {"UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA", "UTF8SMTPSA"}},
        {{"LMTP", "LMTPS", "LMTPA", "LMTPSA"}, {"UTF8LMTP", "UTF8LMTPS", "UTF8LMTPA", "UTF8LMTPSA"}}};
    return words[connection.is_lmtp() ? 1 : 0][transaction.is_smtputf8() ? 1 : 0][(connection.is_authenticated() ? 2 : 0) + (connection.is_tls() ? 1 : 0)];
}

std::string received_value(const Connection& connection, const Transaction& transaction, std::string_view software) {
    std::string value = format_text("from {} ({} {})\n\tby {} ({}) with {} id {}", safe_host(connection.hello_host()),
                                    connection.host().empty() ? "unknown" : safe_host(connection.host()), connection.address().literal(),
                                    connection.server_name(), software, protocol_word(connection, transaction), transaction.id());
    if (connection.is_tls()) value += tls_comments(connection.tls());
    if (transaction.recipients().size() == 1 && transaction.recipients().front().address().has_domain())
        value += format_text("\n\tfor {}", transaction.recipients().front().address().path());
    return value + ";\n\t" + support::rfc5322_date(connection.clock().wall());
}

std::string authentication_results_value(Connection& connection, Transaction& transaction, std::string_view authserv_id) {
    std::string value;
    if (connection.is_authenticated())
        value = format_text(";\n\tauth=pass ({}) smtp.auth={}", connection.auth_mechanism(), property_value(connection.auth_user()));
    for (const auto* list : {&connection.authentication_results(), &transaction.authentication_results()})
        for (const auto& entry : *list) value += ";\n\t" + entry;
    return value.empty() ? value : std::string(authserv_id) + value;
}

void disown_forged_results(Headers& headers, std::string_view authserv_id) {
    constexpr std::string_view field = "Authentication-Results";
    for (const auto& value : headers.get_all(field))
        if (claims(value, authserv_id)) {
            headers.rename(field, "Original-Authentication-Results");
            return;
        }
}

}  // namespace smtpd::engine
