/// public_key.cc: parses the few DER formats of keys itself, because OpenSSL 3 takes a hundred microseconds to detect
/// the format.
#include "mailauth/public_key.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

namespace smtpd::mailauth {
namespace {

constexpr std::size_t ed25519_size = 32;

enum class DerType : unsigned char { integer = 0x02, bit_string = 0x03, sequence = 0x30 };

/// Removes elements from the front of DER text (X.690 10).
class DerReader {
public:
    explicit DerReader(std::string_view octets) noexcept : rest_(octets) {}

    /// Removes the next element if it has this type, and returns its content.
    std::optional<std::string_view> take(DerType type) noexcept {
        if (rest_.size() < 2 || octet(0) != static_cast<unsigned char>(type)) return std::nullopt;
        std::size_t size = octet(1), header = 2;
        if (size >= 0x80) {
            const std::size_t count = size & 0x7fU;
            if (count == 0 || count > 3 || rest_.size() < 2 + count) return std::nullopt;
            size = 0;
            for (std::size_t i = 0; i < count; ++i) size = size << 8U | octet(2 + i);
            header += count;
        }
        if (rest_.size() - header < size) return std::nullopt;
        const std::string_view content = rest_.substr(header, size);
        rest_.remove_prefix(header + size);
        return content;
    }
    bool at_end() const noexcept { return rest_.empty(); }

private:
    std::size_t octet(std::size_t at) const noexcept { return static_cast<unsigned char>(rest_[at]); }
    std::string_view rest_;
};

/// The octets of a positive number, without leading zeros; std::nullopt for zero and negative numbers.
std::optional<std::string_view> take_number(DerReader& reader) noexcept {
    auto number = reader.take(DerType::integer);
    if (!number || number->empty() || static_cast<signed char>(number->front()) < 0) return std::nullopt;
    while (!number->empty() && number->front() == '\0') number->remove_prefix(1);
    return number->empty() ? std::nullopt : number;
}

struct RsaNumbers {
    std::string_view modulus, exponent;
    unsigned bits() const noexcept {
        return static_cast<unsigned>(8 * modulus.size()) -
               static_cast<unsigned>(std::countl_zero(static_cast<unsigned char>(modulus.front())));
    }
};

/// RSAPublicKey.
std::optional<RsaNumbers> read_pkcs1(std::string_view octets) noexcept {
    DerReader outer(octets);
    const auto sequence = outer.take(DerType::sequence);
    if (!sequence || !outer.at_end()) return std::nullopt;
    DerReader reader(*sequence);
    const auto modulus = take_number(reader);
    const auto exponent = take_number(reader);
    if (!modulus || !exponent || !reader.at_end()) return std::nullopt;
    return RsaNumbers{*modulus, *exponent};
}

/// SubjectPublicKeyInfo.
std::optional<RsaNumbers> read_spki(std::string_view octets) noexcept {
    // OBJECT IDENTIFIER 1.2.840.113549.1.1.1 (rsaEncryption); a NULL should follow
    constexpr std::string_view rsa("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", 11);
    DerReader outer(octets);
    const auto sequence = outer.take(DerType::sequence);
    if (!sequence || !outer.at_end()) return std::nullopt;
    DerReader reader(*sequence);
    const auto algorithm = reader.take(DerType::sequence);
    const auto key = reader.take(DerType::bit_string);
    if (!algorithm || !algorithm->starts_with(rsa) || !key || !reader.at_end()) return std::nullopt;
    if (!key->starts_with('\0')) return std::nullopt;  // unused bits
    return read_pkcs1(key->substr(1));
}

/// RFC 8017 3.1: odd and at least 3. Exponents of more than 32 bits are not in use; they could only waste time.
bool is_allowed_exponent(std::string_view exponent) noexcept {
    const bool is_odd = (static_cast<unsigned char>(exponent.back()) & 1U) != 0;
    return is_odd && exponent.size() <= 4 && exponent != "\x01";
}

/// OpenSSL's parameters have numbers in the byte order of the machine.
std::string native(std::string_view big_endian) {
    std::string out(big_endian);
    if constexpr (std::endian::native == std::endian::little) std::reverse(out.begin(), out.end());
    return out;
}

PkeyPointer make_rsa(const RsaNumbers& numbers) {
    std::string modulus = native(numbers.modulus), exponent = native(numbers.exponent);
    std::array<OSSL_PARAM, 3> parameters{
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, reinterpret_cast<unsigned char*>(modulus.data()),
                                modulus.size()),
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, reinterpret_cast<unsigned char*>(exponent.data()),
                                exponent.size()),
        OSSL_PARAM_construct_end()};
    const PkeyContextPointer context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
    EVP_PKEY* key = nullptr;
    if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.data()) != 1)
        return nullptr;
    return PkeyPointer(key);
}

PkeyContextPointer make_verifying(EVP_PKEY* key) {
    PkeyContextPointer context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
    if (!context || EVP_PKEY_verify_init(context.get()) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) != 1 ||
        EVP_PKEY_CTX_set_signature_md(context.get(), sha256_method()) != 1)
        return nullptr;
    return context;
}

const unsigned char* unsigned_data(std::string_view octets) noexcept {
    return reinterpret_cast<const unsigned char*>(octets.data());
}

}  // namespace

Result<PublicKey> PublicKey::parse(KeyType type, std::string_view octets) {
    if (type == KeyType::rsa) return parse_rsa(octets);
    if (octets.size() != ed25519_size)
        return Error{ErrorCode::config, format_text("ed25519 key length: {} octets instead of 32", octets.size())};
    PublicKey key(type, 8 * ed25519_size);
    key.key_.reset(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, unsigned_data(octets), octets.size()));
    if (!key.key_) return Error{ErrorCode::config, "key syntax: no ed25519 key"};
    return key;
}

Result<PublicKey> PublicKey::parse_rsa(std::string_view octets) {
    auto numbers = read_spki(octets);
    if (!numbers) numbers = read_pkcs1(octets);
    if (!numbers) return Error{ErrorCode::config, "key syntax: no RSA key"};
    if (!is_allowed_exponent(numbers->exponent)) return Error{ErrorCode::config, "key exponent is not allowed"};
    PublicKey key(KeyType::rsa, numbers->bits());
    if (!key.has_allowed_size()) return key;
    key.key_ = make_rsa(*numbers);
    if (key.key_) key.verifying_ = make_verifying(key.key_.get());
    if (!key.verifying_) return Error{ErrorCode::config, "key syntax: no usable RSA key"};
    return key;
}

bool PublicKey::verifies(const Sha256& digest, std::string_view signature) const {
    if (type_ == KeyType::rsa) {
        if (!verifying_) return false;
        const PkeyContextPointer context(EVP_PKEY_CTX_dup(verifying_.get()));
        return context && EVP_PKEY_verify(context.get(), unsigned_data(signature), signature.size(), digest.data(),
                                          digest.size()) == 1;
    }
    const MdContextPointer context(EVP_MD_CTX_new());
    return context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
           EVP_DigestVerify(context.get(), unsigned_data(signature), signature.size(), digest.data(), digest.size()) ==
               1;
}

}  // namespace smtpd::mailauth
