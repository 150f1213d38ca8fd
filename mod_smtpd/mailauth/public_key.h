/// public_key.h: public RSA and Ed25519 keys, which verify signatures (RFC 6376, RFC 8301, RFC 8463).
#pragma once

#include "mailauth/openssl.h"

#include <smtpd/base/result.h>

#include <memory>
#include <string>
#include <string_view>

namespace smtpd::mailauth {

enum class KeyType : std::uint8_t { rsa, ed25519 };

/// Immutable. Several threads may verify with one key at the same time.
class PublicKey {
public:
    /// RFC 8301 3.2: signatures of smaller keys are not valid. Larger keys would take too much time.
    static constexpr unsigned min_rsa_bits = 1024;
    static constexpr unsigned max_rsa_bits = 8192;

    /// Parses the octets of p= of a key record. RSA: a SubjectPublicKeyInfo (RFC 6376 erratum 3017), or a bare
    /// RSAPublicKey (RFC 8017 A.1.1) as in the text of RFC 6376. Ed25519: 32 octets (RFC 8463 4). The text of an Error
    /// is a reason for the result. A key with a size that is not allowed is parsed, but cannot verify.
    static Result<PublicKey> parse(KeyType type, std::string_view octets);

    KeyType type() const noexcept { return type_; }
    unsigned bits() const noexcept { return bits_; }
    bool has_allowed_size() const noexcept {
        return type_ == KeyType::ed25519 || (bits_ >= min_rsa_bits && bits_ <= max_rsa_bits);
    }
    /// Whether `signature` is a valid signature of this SHA-256 digest. With Ed25519, the digest itself is signed (RFC
    /// 8463 3).
    bool verifies(const Sha256& digest, std::string_view signature) const;

private:
    PublicKey(KeyType type, unsigned bits) noexcept : type_(type), bits_(bits) {}
    static Result<PublicKey> parse_rsa(std::string_view octets);

    KeyType type_;
    unsigned bits_;
    PkeyPointer key_;
    PkeyContextPointer verifying_;  ///< RSA: an initialized context, to be copied for each use
};

}  // namespace smtpd::mailauth
