/// srs.h: the Sender Rewriting Scheme. A forwarder replaces the sender address with one in its own domain, so that the
/// message passes SPF, and recognizes that address when a bounce comes back. Compatible with libsrs2 and postsrsd.
///
///     a@b.example, at us.example  ->  SRS0=HASH=DAY=b.example=a@us.example
///     the above, at next.example  ->  SRS1=HASH=us.example==HASH=DAY=b.example=a@next.example
///
/// HASH is the beginning of the base64 HMAC-SHA1 of the text after it, in lower case. So nobody else can make an
/// address that this server forwards to a third party. Pure functions; thread-safe.
#pragma once

#include <smtpd/base/address.h>
#include <smtpd/base/clock.h>
#include <smtpd/base/result.h>

#include <cstddef>
#include <string>
#include <vector>

namespace smtpd::mailauth {

struct SrsSettings {
    std::vector<std::string> secrets;  ///< at least one; the first one signs, all are accepted
    std::string domain;                ///< our domain, to which bounces come back
    char separator = '=';             ///< after SRS0 and SRS1: '=', '+' or '-'; all are accepted in returning addresses
    std::size_t hash_length = 4;      ///< base64 characters, 4 to 27
    std::size_t least_hash = 4;       ///< the shortest hash that is accepted in a returning address
    unsigned max_age_days = 21;       ///< how long a bounce may come back
    std::size_t max_local_part = 64;  ///< octets; the limit for a rewritten address (RFC 5321 4.5.3.1.1)
};

/// The new sender address for a message that is forwarded. The null address, and addresses in our own domain, stay the
/// same. An Error says why an address cannot be rewritten.
Result<Address> srs_forward(const Address& sender, const SrsSettings& settings, WallTime now);

/// Whether an address looks like an SRS address: SRS0 or SRS1 and a separator.
bool is_srs(const Address& address);

/// The address to which a bounce must go: the original sender, or the previous forwarder. An Error says why an address
/// is not one of ours, or has expired; do not forward the bounce then.
Result<Address> srs_reverse(const Address& recipient, const SrsSettings& settings, WallTime now);

}  // namespace smtpd::mailauth
