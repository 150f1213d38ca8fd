/// dmarc_destinations.h: where the reports of a domain may be sent (RFC 9990 4, RFC 7489 7.1).
///
/// A domain may ask for reports to an address elsewhere only if that other domain agrees. Otherwise anybody could have
/// reports sent to anybody.
#pragma once

#include <smtpd/mailauth/dmarc.h>

#include <optional>
#include <string>
#include <vector>

namespace smtpd::mailauth {

/// An address that is not used, and why.
struct RefusedDestination {
    std::string uri;
    std::string reason;
    bool may_change = false;  ///< the DNS did not answer: try again later
};

struct DmarcDestinations {
    std::vector<std::string> uris;  ///< "mailto:reports@example.com"
    std::vector<RefusedDestination> refused;
};

/// `policy_domain` is where the record was found, `rua` what it says. Only mailto: is supported. Nothing while answers
/// are missing.
std::optional<DmarcDestinations> report_destinations(const std::string& policy_domain,
                                                     const std::vector<std::string>& rua, const DmarcSettings& settings,
                                                     Lookups& lookups);

/// The address of "mailto:a%2Bb@example.com?subject=x": "a+b@example.com"; "" if that is none that mail can be sent to.
std::string mail_address_of(std::string_view uri);

}  // namespace smtpd::mailauth
