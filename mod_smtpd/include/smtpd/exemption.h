/// exemption.h: why policy plugins skip a client.
#pragma once

#include <smtpd/base/api.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace smtpd {

/// See SessionContext::exemption().
struct Exemption {
    enum class Kind : std::uint8_t {
        relay_client,  ///< the client may relay
        host,          ///< the client's host is whitelisted
        sender,        ///< the sender of the transaction is whitelisted
        recipient      ///< the recipient of the current hook is whitelisted
    };

    Kind kind;
    std::string_view why;  ///< the reason given by the plugin that whitelisted it; "" for a relay client. Valid during
                           ///< the call

    /// "relay client", "whitelisted host: 192.0.2.1 is in whitelisthosts". For logs.
    SMTPD_API std::string to_string() const;
};

}  // namespace smtpd
