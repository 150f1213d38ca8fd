#include "engine/trace_fields.h"

#include "support/date.h"
#include "support/strings.h"

#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>

namespace smtpd::engine {
namespace {

/// The client's name as allowed in a field: U-labels become A-labels, and anything that is not allowed in a domain or
/// an address literal becomes '?'.
std::string safe_host(std::string_view host) {
    std::string out = printable_domain(host.substr(0, 255));
    const bool is_literal = out.size() > 2 && out.front() == '[' && out.back() == ']';
    for (std::size_t i = is_literal ? 1 : 0; i < out.size() - (is_literal ? 1 : 0); ++i) {
        const char c = out[i];
        const bool is_name = support::is_alpha(c) || support::is_digit(c) || c == '.' || c == '-' || c == '_';
        if (!is_name && !(is_literal && c == ':')) out[i] = '?';
    }
    return out;
}

/// Text from outside in a comment (RFC 5322 3.2.2), limited in length.
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
        out += format_text("\n\t(client certificate {}, {})", comment_text(tls.certificate->subject),
                           tls.certificate->is_verified ? "verified" : "not verified");
    return out;
}

}  // namespace

std::string_view protocol_word(const Connection& connection, const Transaction& transaction) noexcept {
    if (connection.greeted() != Greeted::ehlo) return "SMTP";
    static constexpr std::string_view words[2][2][4] = {
        {{"ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA"}, {"UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA", "UTF8SMTPSA"}},
        {{"LMTP", "LMTPS", "LMTPA", "LMTPSA"}, {"UTF8LMTP", "UTF8LMTPS", "UTF8LMTPA", "UTF8LMTPSA"}}};
    return words[connection.is_lmtp() ? 1 : 0][transaction.envelope().is_smtputf8 ? 1 : 0]
                [(connection.is_authenticated() ? 2 : 0) + (connection.is_tls() ? 1 : 0)];
}

std::string received_value(const Connection& connection, const Transaction& transaction, std::string_view software) {
    std::string value = format_text("from {} ({} {})\n\tby {} ({}) with {} id {}", safe_host(connection.hello_host()),
                                    connection.host().empty() ? "unknown" : safe_host(connection.host()),
                                    connection.address().literal(), connection.server_name(), software,
                                    protocol_word(connection, transaction), transaction.id());
    if (connection.is_tls()) value += tls_comments(connection.tls());
    if (transaction.recipients().size() == 1 && transaction.recipients().front().address().has_domain())
        value += format_text("\n\tfor {}", transaction.recipients().front().address().path());
    return value + ";\n\t" + support::rfc5322_date(connection.clock().wall());
}

}  // namespace smtpd::engine
