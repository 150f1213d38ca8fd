/// openssl.h: the functions of OpenSSL that mail authentication needs, and owners for its objects. Thread-safe.
#pragma once

#include <smtpd/mailauth/message_reader.h>

#include <memory>
#include <string_view>

#include <openssl/evp.h>

namespace smtpd::mailauth {

template <auto free>
struct FreeWith {
    template <class T>
    void operator()(T* object) const noexcept {
        free(object);
    }
};
using PkeyPointer = std::unique_ptr<EVP_PKEY, FreeWith<&EVP_PKEY_free>>;
using PkeyContextPointer = std::unique_ptr<EVP_PKEY_CTX, FreeWith<&EVP_PKEY_CTX_free>>;
using MdContextPointer = std::unique_ptr<EVP_MD_CTX, FreeWith<&EVP_MD_CTX_free>>;

/// SHA-256, fetched once. Otherwise OpenSSL 3 would search its providers each time.
const EVP_MD* sha256_method();
Sha256 sha256(std::string_view octets);

}  // namespace smtpd::mailauth
