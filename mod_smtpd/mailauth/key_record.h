/// key_record.h: the TXT record that has the public key of a selector (RFC 6376 3.6.1).
#pragma once

#include "mailauth/public_key.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace smtpd::mailauth {

/// A record, read. Immutable.
struct KeyRecord {
    /// Why nothing can be verified with it ("key revoked"); "" if something can be.
    std::string problem;
    std::optional<PublicKey> key;  ///< there if there is no problem
    bool is_testing = false;       ///< t=y: a failure must not count against the message
    bool is_strict = false;        ///< t=s: the domain of i= is d= itself
    bool takes_sha256 = true;      ///< h=
    bool is_for_mail = true;       ///< s=

    static KeyRecord parse(std::string_view record);
};

}  // namespace smtpd::mailauth
