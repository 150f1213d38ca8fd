#include "httpd/channel_bindings.h"

#include <apr_optional_hooks.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

/// The type by which APR knows the hook: mod_ssl's own header for it is not installed everywhere.
using ssl_HOOK_pre_handshake_t = int(conn_rec* connection, SSL* ssl, int is_proxy);

namespace smtpd::httpd {
namespace {

constexpr const char* ssl_key = "smtpd ssl";

int note_ssl(conn_rec* connection, SSL* ssl, int is_proxy) {
    if (is_proxy == 0) apr_pool_userdata_setn(ssl, ssl_key, nullptr, connection->pool);
    return OK;
}

/// RFC 9266. Before TLS 1.3 only with an extended master secret, without which two connections can be made to share theirs.
std::string exporter(SSL* ssl) {
    constexpr std::string_view label = "EXPORTER-Channel-Binding";
    std::string out(32, '\0');
    const bool is_made = SSL_export_keying_material(ssl, reinterpret_cast<unsigned char*>(out.data()), out.size(), label.data(), label.size(), nullptr, 0, 1) == 1;
    return is_made ? out : std::string();
}

/// RFC 5929 3: the first Finished message of the handshake: the client's, or the server's where a session was resumed.
std::string unique(SSL* ssl) {
    std::string out(EVP_MAX_MD_SIZE, '\0');
    out.resize(SSL_session_reused(ssl) != 0 ? SSL_get_finished(ssl, out.data(), out.size()) : SSL_get_peer_finished(ssl, out.data(), out.size()));
    return out;
}

/// RFC 5929 4.1: the certificate's digest, by the hash of its signature; SHA-256 instead of MD5 and SHA-1. Ed25519 has no such hash, and so no binding.
std::string end_point(SSL* ssl) {
    X509* const certificate = SSL_get_certificate(ssl);
    int hash = NID_undef;
    if (certificate == nullptr || X509_get_signature_info(certificate, &hash, nullptr, nullptr, nullptr) != 1 || hash == NID_undef) return {};
    const EVP_MD* const digest = hash == NID_md5 || hash == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(hash);
    std::string out(EVP_MAX_MD_SIZE, '\0');
    unsigned size = 0;
    if (digest == nullptr || X509_digest(certificate, digest, reinterpret_cast<unsigned char*>(out.data()), &size) != 1) return {};
    out.resize(size);
    return out;
}

}  // namespace

void register_channel_bindings() { APR_OPTIONAL_HOOK(ssl, pre_handshake, note_ssl, nullptr, nullptr, APR_HOOK_MIDDLE); }

smtp::ChannelBindings channel_bindings_of(conn_rec* connection) {
    void* found = nullptr;
    if (apr_pool_userdata_get(&found, ssl_key, connection->pool) != APR_SUCCESS || found == nullptr) return {};
    SSL* const ssl = static_cast<SSL*>(found);
    smtp::ChannelBindings bindings;
    const bool is_new = SSL_version(ssl) >= TLS1_3_VERSION;
    if (is_new || SSL_get_extms_support(ssl) == 1) bindings.exporter = exporter(ssl);
    if (!is_new && SSL_get_extms_support(ssl) == 1) bindings.unique = unique(ssl);
    bindings.end_point = end_point(ssl);
    return bindings;
}

}  // namespace smtpd::httpd
