/// public_key.h: RSA and Ed25519 keys of signatures (RFC 6376, RFC 8301, RFC 8463).
#pragma once

#include "mailauth/openssl.h"

#include <smtpd/base/result.h>

#include <memory>
#include <string>
#include <string_view>

namespace smtpd::mailauth {

enum class KeyType : std::uint8_t { rsa, ed25519 };

/// Immutable; several threads may verify with one key at a time.
class PublicKey {
public:
    /// RFC 8301 3.2: signatures of smaller keys are not valid. Larger ones cost too much time.
    static constexpr unsigned min_rsa_bits = 1024;
    static constexpr unsigned max_rsa_bits = 8192;

    /// The octets of p= of a key record. RSA: a SubjectPublicKeyInfo (RFC 6376 erratum 3017), or a bare RSAPublicKey
    /// (RFC 8017 A.1.1) as the text of RFC 6376 has it. Ed25519: 32 octets (RFC 8463 4). The Error is a reason for the
    /// result. A key of a size that is not allowed is read, but cannot verify.
    static Result<PublicKey> parse(KeyType type, std::string_view octets);

    KeyType type() const noexcept { return type_; }
    unsigned bits() const noexcept { return bits_; }
    bool has_allowed_size() const noexcept {
        return type_ == KeyType::ed25519 || (bits_ >= min_rsa_bits && bits_ <= max_rsa_bits);
    }
    /// Whether `signature` is one of that SHA-256 digest. With Ed25519 it is the digest that is signed (RFC 8463 3).
    bool verifies(const Sha256& digest, std::string_view signature) const;

private:
    PublicKey(KeyType type, unsigned bits) noexcept : type_(type), bits_(bits) {}
    static Result<PublicKey> parse_rsa(std::string_view octets);

    KeyType type_;
    unsigned bits_;
    PkeyPointer key_;
    PkeyContextPointer verifying_;  ///< RSA: ready to verify, to be copied
};

}  // namespace smtpd::mailauth
