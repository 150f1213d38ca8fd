/// origin.h: where a message came from, for logs and for the next hop.
#pragma once

#include <smtpd/auth/tls.h>
#include <smtpd/base/ip.h>
#include <smtpd/forwarded.h>

#include <cstdint>
#include <optional>
#include <string>

namespace smtpd {

/// Plain values: a copy may be kept, or written to a file. What is not known is "", 0, or the unspecified address.
/// Texts come from outside, unless they say otherwise: quote them where they are logged.
struct Origin {
    IpAddress address;           ///< of the client
    std::uint16_t port = 0;      ///< of the client
    std::string host;            ///< the client's name by reverse DNS, verified
    std::string hello_host;      ///< what the client called itself
    std::string protocol;        ///< the `with` word of the Received field (RFC 3848): "ESMTPS"; the server's own word
    std::string auth_user;       ///< under which name the client was authenticated, "" = it was not
    std::string auth_mechanism;  ///< "PLAIN"
    Tls tls;                     ///< how the connection was encrypted, if it was
    /// What a trusted mail server, which handed the message on to this one, said about where it had it from (XFORWARD).
    std::optional<Forwarded> forwarded;

    bool is_authenticated() const noexcept { return !auth_user.empty(); }
};

}  // namespace smtpd
