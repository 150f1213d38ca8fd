/// key_record.h: parses the TXT record with the public key of a selector (RFC 6376 3.6.1).
#pragma once

#include "mailauth/public_key.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace smtpd::mailauth {

/// A parsed record. Immutable.
struct KeyRecord {
    /// Why the key cannot verify anything ("key revoked"); "" if it can.
    std::string problem;
    std::optional<PublicKey> key;  ///< set unless there is a problem
    bool is_testing = false;       ///< t=y: a failure must not count against the message
    bool is_strict = false;        ///< t=s: the domain of i= must be d= itself
    bool takes_sha256 = true;      ///< h=
    bool is_for_mail = true;       ///< s=

    static KeyRecord parse(std::string_view record);
};

}  // namespace smtpd::mailauth
