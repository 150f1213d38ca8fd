/// dmarc_results.cc: DMARC and the results of RFC 8601: those that DMARC uses, and the one it makes.
#include <smtpd/base/text.h>
#include <smtpd/mailauth/dmarc.h>

namespace smtpd::mailauth {
namespace {

std::string_view domain_of(std::string_view mailbox) noexcept {
    const auto at = mailbox.rfind('@');
    return at == mailbox.npos ? mailbox : mailbox.substr(at + 1);
}

std::string word(DmarcPolicy policy) { return std::string(dmarc_policy_name(policy)); }

/// Adds the domain of a result; adds nothing if the result has no domain.
void add(std::vector<DmarcIdentifier>& identifiers, const AuthenticationResult& result, const std::string* value) {
    if (value == nullptr || domain_of(*value).empty()) return;
    identifiers.push_back({std::string(domain_of(*value)), ascii_lower(result.result)});
}

}  // namespace

DmarcMessage dmarc_message(std::string author, const std::vector<const AuthenticationResult*>& results) {
    DmarcMessage message{.author = std::move(author)};
    for (const AuthenticationResult* const result : results) {
        if (ascii_equal(result->method, "spf")) add(message.spf, *result, result->property("smtp", "mailfrom"));
        if (!ascii_equal(result->method, "dkim")) continue;
        const std::string* const domain = result->property("header", "d");
        add(message.dkim, *result, domain != nullptr ? domain : result->property("header", "i"));
    }
    return message;
}

AuthenticationResult dmarc_authentication_result(const DmarcResult& result, DmarcPolicy disposition) {
    AuthenticationResult out{.method = "dmarc",
                             .result = std::string(dmarc_outcome_name(result.outcome)),
                             .properties = {{"header", "from", result.author}}};
    if (result.outcome == DmarcOutcome::temperror) out.reason = result.reason;
    if (!result.record) return out;
    if (result.policy) out.properties.push_back({"policy", "dmarc", word(*result.policy)});
    out.comment = "p=" + word(result.record->p);
    if (result.record->sp) out.comment += " sp=" + word(*result.record->sp);
    if (result.record->np) out.comment += " np=" + word(*result.record->np);
    out.comment += " dis=" + word(disposition);
    return out;
}

}  // namespace smtpd::mailauth
