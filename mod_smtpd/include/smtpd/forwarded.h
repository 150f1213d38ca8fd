/// forwarded.h: what a mail server that hands on a client's message says about where it comes from (Postfix's
/// XFORWARD).
#pragma once

#include <smtpd/base/ip.h>

#include <cstdint>
#include <string>

namespace smtpd {

/// For logs, and for who hands the message on: nothing is decided by it. What is not known is "", 0, or the unspecified
/// address. The texts are UTF-8 without control characters.
struct Forwarded {
    std::string name;  ///< of the client there
    IpAddress address;
    std::uint16_t port = 0;
    std::string protocol;  ///< "SMTP" or "ESMTP"
    std::string helo;
    std::string ident;      ///< how the message was called there
    bool is_local = false;  ///< it was submitted there, not received over the network
};

}  // namespace smtpd
