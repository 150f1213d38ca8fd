/// exemption.h: why policy plugins leave a client alone.
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
        sender,        ///< the sender of the transaction is
        recipient      ///< the recipient that is being decided about is
    };

    Kind kind;
    std::string_view why;  ///< what the plugin that whitelisted it said; "" for a relay client. Valid during the call

    /// "relay client", "whitelisted host: 192.0.2.1 is in whitelisthosts". For logs.
    SMTPD_API std::string to_string() const;
};

}  // namespace smtpd
