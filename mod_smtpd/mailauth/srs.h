/// srs.h: the Sender Rewriting Scheme. A forwarder sends a message on with a sender address of its own, so that the
/// message passes SPF, and recognizes that address when a bounce comes back. Compatible with libsrs2 and postsrsd.
///
///     a@b.example, at us.example  ->  SRS0=HASH=DAY=b.example=a@us.example
///     that, at next.example       ->  SRS1=HASH=us.example==HASH=DAY=b.example=a@next.example
///
/// HASH is the beginning of the HMAC-SHA1, in base64, of what follows it, in lower case. So nobody else can make an
/// address that is sent on to a third party. Pure functions; thread-safe.
#pragma once

#include <smtpd/base/address.h>
#include <smtpd/base/clock.h>
#include <smtpd/base/result.h>

#include <cstddef>
#include <string>
#include <vector>

namespace smtpd::mailauth {

struct SrsSettings {
    std::vector<std::string> secrets;  ///< the first one signs, each one is accepted; at least one
    std::string domain;                ///< ours, to which bounces come back
    char separator = '=';              ///< behind SRS0 and SRS1: '=', '+' or '-'; each is accepted
    std::size_t hash_length = 4;       ///< base64 characters, 4 to 27
    std::size_t least_hash = 4;        ///< that a returning address must have
    unsigned max_age_days = 21;        ///< how long a bounce may come back
    std::size_t max_local_part = 64;   ///< octets (RFC 5321 4.5.3.1.1) of a rewritten address
};

/// The sender's address for a message that is forwarded. The null address, and one of our own domain, stay as they are.
/// An Error says why an address cannot be rewritten.
Result<Address> srs_forward(const Address& sender, const SrsSettings& settings, WallTime now);

/// Whether an address is one that this scheme made: SRS0 or SRS1 and a separator.
bool is_srs(const Address& address);

/// The address to which a bounce goes: the original sender, or the forwarder before us. An Error says why an address is
/// not one of ours, or no more: then nothing may be sent on.
Result<Address> srs_reverse(const Address& recipient, const SrsSettings& settings, WallTime now);

}  // namespace smtpd::mailauth
