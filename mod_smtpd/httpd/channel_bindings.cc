#include "httpd/channel_bindings.h"

#include "httpd/ssl_object.h"

#include <openssl/x509.h>

namespace smtpd::httpd {
namespace {

/// RFC 9266. Before TLS 1.3 it requires an extended master secret; without one, two connections can be made to share
/// it.
std::string exporter(SSL* ssl) {
    constexpr std::string_view label = "EXPORTER-Channel-Binding";
    std::string out(32, '\0');
    const bool is_made = SSL_export_keying_material(ssl, reinterpret_cast<unsigned char*>(out.data()), out.size(),
                                                    label.data(), label.size(), nullptr, 0, 1) == 1;
    return is_made ? out : std::string();
}

/// RFC 5929 3: the first Finished message of the handshake: the client's, or the server's if a session was resumed.
std::string unique(SSL* ssl) {
    std::string out(EVP_MAX_MD_SIZE, '\0');
    out.resize(SSL_session_reused(ssl) != 0 ? SSL_get_finished(ssl, out.data(), out.size())
                                            : SSL_get_peer_finished(ssl, out.data(), out.size()));
    return out;
}

/// RFC 5929 4.1: the certificate's digest, with the hash of its signature; SHA-256 instead of MD5 and SHA-1. Ed25519
/// has no such hash, and so no binding.
std::string end_point(SSL* ssl) {
    X509* const certificate = SSL_get_certificate(ssl);
    int hash = NID_undef;
    if (certificate == nullptr || X509_get_signature_info(certificate, &hash, nullptr, nullptr, nullptr) != 1 ||
        hash == NID_undef)
        return {};
    const EVP_MD* const digest = hash == NID_md5 || hash == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(hash);
    std::string out(EVP_MAX_MD_SIZE, '\0');
    unsigned size = 0;
    if (digest == nullptr || X509_digest(certificate, digest, reinterpret_cast<unsigned char*>(out.data()), &size) != 1)
        return {};
    out.resize(size);
    return out;
}

}  // namespace

smtp::ChannelBindings channel_bindings_of(conn_rec* connection) {
    SSL* const ssl = ssl_object_of(connection);
    if (ssl == nullptr) return {};
    smtp::ChannelBindings bindings;
    const bool is_new = SSL_version(ssl) >= TLS1_3_VERSION;
    if (is_new || SSL_get_extms_support(ssl) == 1) bindings.exporter = exporter(ssl);
    if (!is_new && SSL_get_extms_support(ssl) == 1) bindings.unique = unique(ssl);
    bindings.end_point = end_point(ssl);
    return bindings;
}

}  // namespace smtpd::httpd
