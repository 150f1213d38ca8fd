#include "mailauth/openssl.h"

namespace smtpd::mailauth {

const EVP_MD* sha256_method() {
    static EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);  // kept as long as the process runs
    return fetched ? fetched : EVP_sha256();
}

Sha256 sha256(std::string_view octets) {
    Sha256 digest{};
    EVP_Digest(octets.data(), octets.size(), digest.data(), nullptr, sha256_method(), nullptr);
    return digest;
}

}  // namespace smtpd::mailauth
