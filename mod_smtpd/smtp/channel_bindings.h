/// channel_bindings.h: octets that only the two ends of one TLS connection know, so that SCRAM-…-PLUS detects an
/// attacker in between (RFC 5056).
#pragma once

#include <string>
#include <string_view>

namespace smtpd::smtp {

/// Each is empty if this connection does not provide it.
struct ChannelBindings {
    std::string exporter;   ///< tls-exporter (RFC 9266)
    std::string unique;     ///< tls-unique (RFC 5929 3), not with TLS 1.3
    std::string end_point;  ///< tls-server-end-point (RFC 5929 4)

    bool empty() const noexcept { return exporter.empty() && unique.empty() && end_point.empty(); }
    /// The binding with that registered name; "" if there is none.
    std::string_view find(std::string_view name) const noexcept {
        if (name == "tls-exporter") return exporter;
        if (name == "tls-unique") return unique;
        return name == "tls-server-end-point" ? std::string_view(end_point) : std::string_view();
    }
};

}  // namespace smtpd::smtp
