/// forwarded.h: what a mail server that passes on a client's message says about its origin (Postfix's XFORWARD).
#pragma once

#include <smtpd/base/ip.h>

#include <cstdint>
#include <string>

namespace smtpd {

/// For logs, and for passing on to the next hop; no decision depends on it. Unknown values are "", 0, or the
/// unspecified address. The texts are UTF-8 without control characters.
struct Forwarded {
    std::string name;  ///< the client's name there
    IpAddress address;
    std::uint16_t port = 0;
    std::string protocol;  ///< "SMTP" or "ESMTP"
    std::string helo;
    std::string ident;      ///< the message's id there
    bool is_local = false;  ///< the message was submitted there, not received over the network
};

}  // namespace smtpd
