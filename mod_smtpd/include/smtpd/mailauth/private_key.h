/// private_key.h: private keys for DKIM and ARC signatures: RSA (RFC 8301) and Ed25519 (RFC 8463).
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/result.h>
#include <smtpd/mailauth/message_reader.h>

#include <memory>
#include <string>
#include <string_view>

struct evp_pkey_st;

namespace smtpd::mailauth {

/// Immutable. Copies share the key, and several threads may sign with it at the same time.
class SMTPD_API PrivateKey {
public:
    /// RFC 8301 3.2: signers must not use smaller keys.
    static constexpr unsigned min_rsa_bits = 1024;
    static constexpr unsigned max_rsa_bits = 8192;

    /// Reads PEM: PKCS #8 ("BEGIN PRIVATE KEY") or PKCS #1 ("BEGIN RSA PRIVATE KEY"), without a pass phrase.
    static Result<PrivateKey> parse(std::string_view pem);
    /// Generates a key; for tools.
    static Result<PrivateKey> generate_rsa(unsigned bits);
    static Result<PrivateKey> generate_ed25519();

    /// "rsa-sha256" or "ed25519-sha256".
    std::string_view algorithm() const noexcept;
    bool is_rsa() const noexcept { return is_rsa_; }
    unsigned bits() const noexcept { return bits_; }
    /// The private key as PKCS #8 in PEM.
    std::string pem() const;
    /// The public key for p= of a key record, in base64.
    std::string public_text() const;
    /// Signs a SHA-256 digest. The result is binary.
    Result<std::string> sign(const Sha256& digest) const;

private:
    explicit PrivateKey(std::shared_ptr<evp_pkey_st> key);
    static Result<PrivateKey> checked(evp_pkey_st* key);

    std::shared_ptr<evp_pkey_st> key_;
    bool is_rsa_;
    unsigned bits_;
};

}  // namespace smtpd::mailauth
