/// certificates.h: keys and certificates that a test makes while it runs.
///
///     const Authority authority;
///     const TlsServerIdentity mine = authority.issue("DNS:imap.example.com,IP:127.0.0.1");
///     directory.write("ca.pem", authority.pem());
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace smtpd::fakes {

using Key = std::shared_ptr<EVP_PKEY>;
using X509Certificate = std::shared_ptr<X509>;

inline Key make_key() { return {EVP_EC_gen("P-256"), EVP_PKEY_free}; }

/// Valid from and until so many seconds from now; without names, extensions and signature.
inline X509Certificate begin_certificate(EVP_PKEY* key, long from = -60, long until = 3600) {
    X509Certificate made(X509_new(), X509_free);
    X509_set_version(made.get(), X509_VERSION_3);
    X509_set_pubkey(made.get(), key);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), from);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), until);
    return made;
}

inline void add_to_subject(X509* certificate, const char* field, int type, const std::string& value) {
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), field, type,
                               reinterpret_cast<const unsigned char*>(value.data()), static_cast<int>(value.size()), -1,
                               0);
}

inline void sign(X509* certificate, EVP_PKEY* key) {
    if (X509_sign(certificate, key, EVP_sha256()) == 0) throw std::runtime_error("cannot sign a certificate");
}

inline std::string pem_of(X509* certificate) {
    const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
    if (PEM_write_bio_X509(out.get(), certificate) != 1) throw std::runtime_error("cannot write a certificate");
    char* octets = nullptr;
    const long size = BIO_get_mem_data(out.get(), &octets);
    return {octets, static_cast<std::size_t>(size)};
}

/// A server's certificate and key.
struct TlsServerIdentity {
    Key key;
    X509Certificate certificate;
    int newest_version = TLS1_3_VERSION;

    std::string pem() const { return pem_of(certificate.get()); }
};

/// The special properties of a certificate.
struct CertificateWish {
    std::string common_name = "a server";
    long from = -60, until = 3600;  ///< seconds from now
    std::string usage = "serverAuth";
};

class Authority {
public:
    explicit Authority(const std::string& name = "Test Authority") {
        add_to_subject(certificate_.get(), "CN", MBSTRING_UTF8, name);
        X509_set_issuer_name(certificate_.get(), X509_get_subject_name(certificate_.get()));
        add_extension(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
        add_extension(certificate_.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
        sign(certificate_.get(), key_.get());
    }

    std::string pem() const { return pem_of(certificate_.get()); }
    /// Issues a certificate for these alternative names, in the format of OpenSSL's configuration; "" for none.
    TlsServerIdentity issue(const std::string& names, const CertificateWish& wish = {}) const {
        const Key key = make_key();
        const X509Certificate made = begin_certificate(key.get(), wish.from, wish.until);
        add_to_subject(made.get(), "CN", MBSTRING_UTF8, wish.common_name);
        X509_set_issuer_name(made.get(), X509_get_subject_name(certificate_.get()));
        add_extension(made.get(), NID_basic_constraints, "critical,CA:FALSE");
        add_extension(made.get(), NID_ext_key_usage, wish.usage);
        if (!names.empty()) add_extension(made.get(), NID_subject_alt_name, names);
        sign(made.get(), key_.get());
        return {key, made};
    }

private:
    static void add_extension(X509* certificate, int kind, const std::string& value) {
        const std::unique_ptr<X509_EXTENSION, void (*)(X509_EXTENSION*)> made(
            X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str()), X509_EXTENSION_free);
        if (!made || X509_add_ext(certificate, made.get(), -1) != 1)
            throw std::runtime_error("no such extension: " + value);
    }

    const Key key_ = make_key();
    const X509Certificate certificate_ = begin_certificate(key_.get());
};

}  // namespace smtpd::fakes
