#include "httpd/tls.h"

#include "httpd/ssl_object.h"
#include "httpd/tls_context.h"
#include "support/base64.h"
#include "support/strings.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <apr_portable.h>
#include <http_vhost.h>
#include <mod_ssl.h>
#include <openssl/evp.h>
#include <sys/socket.h>

namespace smtpd::httpd {
namespace {

/// The first octet of a handshake record (RFC 8446 5.1).
constexpr int handshake_record = 0x16;

ap_HOOK_pre_connection_t* mod_ssl_hook() {
    const apr_array_header_t* hooks = ap_hook_get_pre_connection();
    if (hooks == nullptr) return nullptr;
    const auto* links = reinterpret_cast<const ap_LINK_pre_connection_t*>(hooks->elts);
    for (int i = 0; i < hooks->nelts; ++i)
        if (links[i].szName != nullptr && std::strcmp(links[i].szName, "mod_ssl.c") == 0) return links[i].pFunc;
    return nullptr;
}

/// By default (without SSLOpenSSLConfCmd NumTickets), OpenSSL gives a client two tickets to resume the session. Two are
/// for browsers, which open several connections at once; each costs a write and a place in mod_ssl's cache.
void give_one_ticket(SSL* ssl) {
    constexpr std::size_t usual = 2;
    if (ssl != nullptr && SSL_get_num_tickets(ssl) == usual) SSL_set_num_tickets(ssl, 1);
}

bool is_any(const apr_sockaddr_t* address) { return apr_sockaddr_is_wildcard(address) != 0; }

/// The fingerprint of the certificate itself, which a PEM file contains in base64 between two lines.
std::string fingerprint_of(std::string_view pem) {
    const auto from = pem.find('\n');
    const auto to = pem.rfind("-----END");
    if (from == pem.npos || to == pem.npos || from > to) return {};
    std::string base64(pem.substr(from, to - from));
    std::erase_if(base64, [](char c) { return support::is_space(c) || c == '\n' || c == '\r'; });
    const auto der = support::from_base64(base64);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    if (!der || EVP_Digest(der->data(), der->size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) return {};
    std::string out;
    for (unsigned i = 0; i < length; ++i) {
        out += "0123456789abcdef"[digest[i] >> 4U];
        out += "0123456789abcdef"[digest[i] & 15U];
    }
    return out;
}

}  // namespace

bool is_mod_ssl_loaded() { return mod_ssl_hook() != nullptr; }

bool is_for_tls(conn_rec* connection) {
    auto* const is_https = APR_RETRIEVE_OPTIONAL_FN(ssl_is_https);
    return is_https != nullptr && is_https(connection) != 0;
}

void forgo_handshake(conn_rec* connection) {
    if (is_for_tls(connection)) connection->aborted = 1;
}

// ---- the lender

TlsLender::TlsLender(const server_rec& lender, const server_rec& borrower) : host_(&lender), face_(lender) {
    face_.error_log = borrower.error_log;
    face_.log = borrower.log;
}

apr_sockaddr_t* TlsLender::address_for(const conn_rec* connection, apr_sockaddr_t& storage) const noexcept {
    const server_addr_rec* address = host_->addrs;
    if (address == nullptr || address->host_addr == nullptr) return connection->local_addr;
    storage = is_any(address->host_addr) ? *connection->local_addr : *address->host_addr;
    if (address->host_port != 0) storage.port = address->host_port;
    return &storage;
}

// ---- the handshake

/// While mod_ssl works, the connection appears to belong to the lender: mod_ssl looks for the certificate of the name
/// that the client asks for (SNI) among the virtual hosts of the lender's address, not among ours, which have no TLS.
class TlsHandshake::AtLender {
public:
    AtLender(conn_rec* connection, const TlsLender* lender)
        : connection_(connection),
          server_(connection->base_server),
          address_(connection->local_addr),
          names_(connection->vhost_lookup_data) {
        if (lender == nullptr) return;
        connection->local_addr = lender->address_for(connection, storage_);
        ap_update_vhost_given_ip(connection);
        connection->base_server = lender->face();
    }
    ~AtLender() {
        connection_->base_server = server_;
        connection_->local_addr = address_;
        connection_->vhost_lookup_data = names_;
    }
    AtLender(const AtLender&) = delete;
    AtLender& operator=(const AtLender&) = delete;

private:
    conn_rec* const connection_;
    server_rec* const server_;
    apr_sockaddr_t* const address_;
    void* const names_;
    apr_sockaddr_t storage_{};
};

TlsHandshake::TlsHandshake(conn_rec* connection)
    : connection_(connection), nothing_(apr_brigade_create(connection->pool, connection->bucket_alloc)) {
    give_one_ticket(ssl_object_of(connection));
}

std::unique_ptr<TlsHandshake> TlsHandshake::prepare(conn_rec* connection, const TlsLender& lender) {
    auto* const hook = mod_ssl_hook();
    if (hook == nullptr || !has_tls_context(lender.face())) return nullptr;
    {
        const AtLender scope(connection, &lender);
        hook(connection, ap_get_conn_socket(connection));
    }
    if (connection->aborted == 0 && is_for_tls(connection)) {
        auto handshake = std::make_unique<TlsHandshake>(connection);
        handshake->lender_ = &lender;
        return handshake;
    }
    connection->aborted = 0;  // mod_ssl sets it when it fails
    return nullptr;
}

bool TlsHandshake::has_own_settings() const {
    const server_rec* const own = lender_ != nullptr ? lender_->face() : connection_->base_server;
    return is_in_context_of(ssl_object_of(connection_), own);
}

TlsHandshake::State TlsHandshake::advance() {
    is_hijacked_ = !has_own_settings();
    if (is_hijacked_) return State::failed;
    if (first_octet_ < 0) {
        apr_os_sock_t descriptor = -1;
        unsigned char octet = 0;
        apr_os_sock_get(&descriptor, ap_get_conn_socket(connection_));
        const ssize_t got = ::recv(descriptor, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return State::again;
        if (got == 1) first_octet_ = octet;
    }
    const AtLender scope(connection_, lender_);
    status_ = ap_get_brigade(connection_->input_filters, nothing_, AP_MODE_INIT, APR_NONBLOCK_READ, 0);
    apr_brigade_cleanup(nothing_);
    if (APR_STATUS_IS_EAGAIN(status_)) return State::again;
    // To mod_ssl, a client that does not speak TLS at all is not an error; it steps aside in order to tell a
    // browser so.
    if (status_ != APR_SUCCESS || variable(connection_->pool, "SSL_PROTOCOL").empty()) return State::failed;
    is_hijacked_ = !has_own_settings();
    return is_hijacked_ ? State::failed : State::done;
}

std::string_view TlsHandshake::why() const noexcept {
    if (is_hijacked_) return "mod_ssl used the TLS settings of another server";
    if (first_octet_ >= 0 && first_octet_ != handshake_record) return "the client does not speak TLS";
    if (APR_STATUS_IS_EOF(status_) || APR_STATUS_IS_ECONNRESET(status_) || APR_STATUS_IS_EPIPE(status_))
        return "the client has closed the connection";
    return "client and server did not agree (LogLevel ssl:info shows the reason)";
}

std::string TlsHandshake::variable(apr_pool_t* pool, const char* name) const {
    auto* const look_up = APR_RETRIEVE_OPTIONAL_FN(ssl_var_lookup);
    if (look_up == nullptr) return {};
    const char* const value = look_up(pool, connection_->base_server, connection_, nullptr, const_cast<char*>(name));
    return value != nullptr ? value : "";
}

Tls TlsHandshake::facts() const {
    apr_pool_t* pool = nullptr;  // the connection's own pool lives as long as the client likes
    apr_pool_create(&pool, connection_->pool);
    const std::unique_ptr<apr_pool_t, void (*)(apr_pool_t*)> held(pool,
                                                                  [](apr_pool_t* used) { apr_pool_destroy(used); });
    Tls tls;
    tls.protocol = variable(pool, "SSL_PROTOCOL");
    tls.cipher = variable(pool, "SSL_CIPHER");
    tls.key_bits = static_cast<unsigned>(support::parse_unsigned(variable(pool, "SSL_CIPHER_USEKEYSIZE")).value_or(0));
    tls.is_resumed = variable(pool, "SSL_SESSION_RESUMED") == "Resumed";
    tls.server_name = variable(pool, "SSL_TLS_SNI");
    std::string pem = variable(pool, "SSL_CLIENT_CERT");
    if (pem.empty()) return tls;
    auto certificate = std::make_shared<ClientCertificate>();
    certificate->subject = variable(pool, "SSL_CLIENT_S_DN");
    certificate->issuer = variable(pool, "SSL_CLIENT_I_DN");
    certificate->serial = variable(pool, "SSL_CLIENT_M_SERIAL");
    certificate->fingerprint = fingerprint_of(pem);
    certificate->pem = std::move(pem);
    const std::string verified = variable(pool, "SSL_CLIENT_VERIFY");
    certificate->is_verified = verified == "SUCCESS";
    if (!certificate->is_verified)
        certificate->problem = verified.starts_with("FAILED:") ? verified.substr(7) : verified;
    tls.certificate = std::move(certificate);
    return tls;
}

}  // namespace smtpd::httpd
