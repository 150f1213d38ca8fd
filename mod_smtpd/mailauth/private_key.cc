/// private_key.cc: see private_key.h.
#include <smtpd/mailauth/private_key.h>

#include "mailauth/openssl.h"
#include "support/base64.h"

#include <smtpd/base/format.h>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

namespace smtpd::mailauth {
namespace {

using BioPointer = std::unique_ptr<BIO, FreeWith<&BIO_free>>;

/// Nobody can type a pass phrase on a server.
int no_pass_phrase(char*, int, int, void*) { return -1; }

}  // namespace

PrivateKey::PrivateKey(std::shared_ptr<evp_pkey_st> key)
    : key_(std::move(key)),
      is_rsa_(EVP_PKEY_is_a(key_.get(), "RSA") == 1),
      bits_(static_cast<unsigned>(EVP_PKEY_get_bits(key_.get()))) {}

Result<PrivateKey> PrivateKey::checked(evp_pkey_st* made) {
    if (!made) return Error{ErrorCode::config, "it is no private key in PEM without a pass phrase"};
    PrivateKey key(std::shared_ptr<evp_pkey_st>(made, EVP_PKEY_free));
    if (!key.is_rsa_ && EVP_PKEY_is_a(made, "ED25519") != 1)
        return Error{ErrorCode::config, "the key is neither RSA nor Ed25519"};
    if (key.is_rsa_ && (key.bits_ < min_rsa_bits || key.bits_ > max_rsa_bits))
        return Error{ErrorCode::config, format_text("the RSA key has {} bits; {} to {} are allowed", key.bits_,
                                                    min_rsa_bits, max_rsa_bits)};
    return key;
}

Result<PrivateKey> PrivateKey::parse(std::string_view pem) {
    const BioPointer input(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    return checked(input ? PEM_read_bio_PrivateKey(input.get(), nullptr, no_pass_phrase, nullptr) : nullptr);
}

Result<PrivateKey> PrivateKey::generate_rsa(unsigned bits) {
    if (bits < min_rsa_bits || bits > max_rsa_bits)
        return Error{ErrorCode::config, format_text("{} bits: {} to {} are allowed", bits, min_rsa_bits, max_rsa_bits)};
    return checked(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<std::size_t>(bits)));
}

Result<PrivateKey> PrivateKey::generate_ed25519() { return checked(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")); }

std::string_view PrivateKey::algorithm() const noexcept { return is_rsa_ ? "rsa-sha256" : "ed25519-sha256"; }

std::string PrivateKey::pem() const {
    const BioPointer output(BIO_new(BIO_s_mem()));
    if (!output || PEM_write_bio_PKCS8PrivateKey(output.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return {};
    char* data = nullptr;
    const long size = BIO_get_mem_data(output.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string PrivateKey::public_text() const {
    std::string octets;
    if (is_rsa_) {
        unsigned char* der = nullptr;
        const int size = i2d_PUBKEY(key_.get(), &der);
        if (size > 0) octets.assign(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
        OPENSSL_free(der);
    } else {
        octets.resize(32);
        std::size_t size = octets.size();
        EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(octets.data()), &size);
    }
    return support::base64(octets);
}

Result<std::string> PrivateKey::sign(const Sha256& digest) const {
    std::string out(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())), '\0');
    auto* const place = reinterpret_cast<unsigned char*>(out.data());
    std::size_t size = out.size();
    bool is_signed = false;
    if (is_rsa_) {
        const PkeyContextPointer context(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
        is_signed = context && EVP_PKEY_sign_init(context.get()) == 1 &&
                    EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1 &&
                    EVP_PKEY_CTX_set_signature_md(context.get(), sha256_method()) == 1 &&
                    EVP_PKEY_sign(context.get(), place, &size, digest.data(), digest.size()) == 1;
    } else {
        const MdContextPointer context(EVP_MD_CTX_new());
        is_signed = context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
                    EVP_DigestSign(context.get(), place, &size, digest.data(), digest.size()) == 1;
    }
    if (!is_signed) return Error{ErrorCode::unavailable, "OpenSSL cannot sign with this key"};
    out.resize(size);
    return out;
}

}  // namespace smtpd::mailauth
