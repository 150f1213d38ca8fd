/// origin.h: where a message came from, for logs and for the next hop.
#pragma once

#include <smtpd/auth/tls.h>
#include <smtpd/base/ip.h>
#include <smtpd/forwarded.h>

#include <cstdint>
#include <optional>
#include <string>

namespace smtpd {

/// Plain values: a copy may be kept, or written to a file. Unknown values are "", 0, or the unspecified address. Texts
/// come from outside unless noted otherwise: quote them in log lines.
struct Origin {
    IpAddress address;       ///< of the client
    std::uint16_t port = 0;  ///< of the client
    std::string host;        ///< the client's name by reverse DNS, verified
    std::string hello_host;  ///< what the client called itself
    std::string protocol;  ///< the `with` keyword of the Received field (RFC 3848): "ESMTPS"; from the server, not from
                           ///< outside
    std::string auth_user;       ///< the name under which the client authenticated, "" = it did not
    std::string auth_mechanism;  ///< "PLAIN"
    Tls tls;                     ///< how the connection was encrypted, if at all
    /// What the trusted mail server that passed the message on said about the message's origin (XFORWARD).
    std::optional<Forwarded> forwarded;

    bool is_authenticated() const noexcept { return !auth_user.empty(); }
};

}  // namespace smtpd
