/// dmarc_destinations.cc: asks the domains of report addresses whether they accept another domain's reports.
#include "mailauth/dmarc_destinations.h"

#include "mailauth/dmarc_walk.h"
#include "support/strings.h"

#include <smtpd/base/address.h>
#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>

#include <algorithm>
#include <utility>

namespace smtpd::mailauth {
namespace {

constexpr std::string_view scheme = "mailto:";

int hex_digit(char c) noexcept {
    if (support::is_digit(c)) return c - '0';
    const char lower = support::to_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Decodes percent-encoding (RFC 6068 2); std::nullopt if it is not valid.
std::optional<std::string> decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) return {};
        out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
        i += 2;
    }
    return out;
}

std::string host_of(std::string_view address) { return ascii_domain(address.substr(address.rfind('@') + 1)); }

/// Whether one address may get the reports.
struct Consent {
    enum class State { pending, granted, refused } state = State::refused;
    std::vector<std::string> uris;  ///< to use instead of the address
    RefusedDestination refusal{};
};

Consent refused(const std::string& uri, std::string reason, bool may_change = false) {
    return {.state = Consent::State::refused, .uris = {}, .refusal = {uri, std::move(reason), may_change}};
}

/// Reads the other domain's record. The record may name other addresses, but only at the same host.
Consent consent_of(const std::string& uri, const std::string& name, const std::string& host, const DnsAnswer& answer,
                   DmarcRfc rfc) {
    if (answer.status() == DnsStatus::not_asked) return {.state = Consent::State::pending, .uris = {}};
    if (answer.failed()) return refused(uri, format_text("{}: {}", name, answer.error()), true);
    std::optional<DmarcRecord> record;
    for (const auto& text : answer.texts())
        if (!record) record = DmarcRecord::parse(text, rfc);
    if (!record)
        return refused(uri, format_text("{} does not want these reports: there is no record at {}", host, name));
    if (record->rua.empty()) return {.state = Consent::State::granted, .uris = {uri}};
    Consent consent{.state = Consent::State::granted, .uris = {}};
    for (const auto& other : record->rua) {
        const std::string address = mail_address_of(other);
        if (address.empty() || host_of(address) != host)
            return refused(uri, format_text("the record at {} leads to another host", name));
        consent.uris.push_back(other);
    }
    return consent;
}

Consent judge(const std::string& policy_domain, const std::optional<OrganizationalDomain>& own, const std::string& uri,
              const DmarcSettings& settings, Lookups& lookups) {
    const std::string address = mail_address_of(uri);
    if (address.empty()) return refused(uri, "only mailto: with an address is supported");
    const std::string host = host_of(address);
    if (host == policy_domain) return {.state = Consent::State::granted, .uris = {uri}};
    const auto others = organizational_domain(host, settings, lookups);
    const std::string name = format_text("{}._report._dmarc.{}", policy_domain, host);
    const bool is_possible = DnsQuestion::make(DnsType::txt, name).has_value();
    // Asked at once, although the answer may not be needed.
    static const DnsAnswer none(DnsStatus::bad_name);
    const DnsAnswer& answer = is_possible ? lookups.txt(name) : none;
    if (!own || !others) return {.state = Consent::State::pending, .uris = {}};
    if (!own->domain.empty() && own->domain == others->domain) return {.state = Consent::State::granted, .uris = {uri}};
    if (!is_possible) return refused(uri, "the name that would have to be asked for is too long");
    Consent consent = consent_of(uri, name, host, answer, settings.rfc);
    const bool is_unsure = own->domain.empty() || others->domain.empty();
    if (consent.state == Consent::State::refused && is_unsure) consent.refusal.may_change = true;
    return consent;
}

}  // namespace

std::string mail_address_of(std::string_view uri) {
    if (!support::starts_with_folded(uri, scheme)) return {};
    const std::string_view rest = uri.substr(scheme.size());
    const auto address = decoded(rest.substr(0, rest.find('?')));
    if (!address) return {};
    const auto parsed = Address::parse(*address);
    return parsed && parsed->has_domain() && support::is_ascii(*address) ? *address : std::string();
}

std::optional<DmarcDestinations> report_destinations(const std::string& policy_domain,
                                                     const std::vector<std::string>& rua, const DmarcSettings& settings,
                                                     Lookups& lookups) {
    const std::string domain = ascii_domain(policy_domain);
    const auto own = organizational_domain(domain, settings, lookups);
    DmarcDestinations out;
    bool is_pending = false;
    for (const auto& uri : rua) {
        Consent consent = judge(domain, own, uri, settings, lookups);
        if (consent.state == Consent::State::pending) is_pending = true;
        if (consent.state == Consent::State::refused) out.refused.push_back(std::move(consent.refusal));
        for (auto& granted : consent.uris)
            if (std::find(out.uris.begin(), out.uris.end(), granted) == out.uris.end())
                out.uris.push_back(std::move(granted));
    }
    if (is_pending) return {};
    return out;
}

}  // namespace smtpd::mailauth
