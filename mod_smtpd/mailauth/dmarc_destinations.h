/// dmarc_destinations.h: the addresses to which a domain's reports may be sent (RFC 9990 4, RFC 7489 7.1).
///
/// A domain may request reports to an address at another domain only if that domain agrees. Otherwise anybody could
/// direct reports to strangers.
#pragma once

#include <smtpd/mailauth/dmarc.h>

#include <optional>
#include <string>
#include <vector>

namespace smtpd::mailauth {

/// An address that gets no report, and why.
struct RefusedDestination {
    std::string uri;
    std::string reason;
    bool may_change = false;  ///< the DNS gave no answer: try again later
};

struct DmarcDestinations {
    std::vector<std::string> uris;  ///< "mailto:reports@example.com"
    std::vector<RefusedDestination> refused;
};

/// Returns the addresses that may get reports. `policy_domain` is the domain with the record, `rua` the value of its
/// tag. Only mailto: is supported. Returns std::nullopt while answers are missing.
std::optional<DmarcDestinations> report_destinations(const std::string& policy_domain,
                                                     const std::vector<std::string>& rua, const DmarcSettings& settings,
                                                     Lookups& lookups);

/// The mail address in a URI: "a+b@example.com" for "mailto:a%2Bb@example.com?subject=x"; "" if it is not an address
/// for mail.
std::string mail_address_of(std::string_view uri);

}  // namespace smtpd::mailauth
