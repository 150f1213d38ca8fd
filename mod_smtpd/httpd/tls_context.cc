#include "httpd/tls_context.h"

#include "httpd/server.h"
#include "httpd/tls_config.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include <apr_optional_hooks.h>
#include <http_vhost.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

/// The type under which APR knows mod_ssl's hook; mod_ssl's own header for it is not installed everywhere.
using ssl_HOOK_init_server_t = int(server_rec* server, apr_pool_t* pool, int is_proxy, SSL_CTX* context);

namespace smtpd::httpd {
namespace {

// ---- the name that the client asks for

using Name = std::array<char, 256>;

/// The name in the first message of the handshake, before OpenSSL has parsed it: a list with one entry (RFC 6066 3).
/// Empty = none, or not a valid host name.
Name name_asked_for(SSL* ssl) {
    constexpr std::size_t head = 5;  // octets: the list's length, the type, the name's length
    Name name{};
    const unsigned char* octets = nullptr;
    std::size_t size = 0;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &octets, &size) != 1 || size <= head) return name;
    const std::size_t list = octets[0] * 256U + octets[1];
    const std::size_t length = octets[3] * 256U + octets[4];
    if (list + 2 != size || length + head != size || length >= name.size()) return name;
    if (octets[2] != TLSEXT_NAMETYPE_host_name) return name;
    if (std::memchr(octets + head, 0, length) == nullptr) std::memcpy(name.data(), octets + head, length);
    return name;
}

struct Search {
    const char* name;
    const server_rec* found;
};

int look_at(void* baton, conn_rec*, server_rec* server) {
    auto& search = *static_cast<Search*>(baton);
    if (config_of(server).tls.context == nullptr || !is_called(server, search.name)) return 0;
    search.found = config_of(server).tls.host;
    return 1;
}

/// The server with that name among those at the connection's current address; null if there is none.
const server_rec* host_called(const SSL* ssl, const char* name) {
    auto* const connection = static_cast<conn_rec*>(SSL_get_app_data(ssl));  // set by mod_ssl
    Search search{name, nullptr};
    if (connection == nullptr || name == nullptr || *name == '\0') return nullptr;
    ap_vhost_iterate_given_conn(connection, look_at, &search);
    return search.found;
}

// ---- what it decides

/// Replaces the connection's certificates with those of another context, including keys and chains.
bool show_certificates_of(SSL_CTX* other, SSL* ssl) {
    // Other threads use the context itself, so its current certificate must not be changed.
    const std::unique_ptr<SSL, void (*)(SSL*)> donor(SSL_new(other), SSL_free);
    if (!donor || SSL_set_current_cert(donor.get(), SSL_CERT_SET_FIRST) != 1) return false;
    const auto forget = [](STACK_OF(X509) * stack) { sk_X509_free(stack); };
    const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> nothing(sk_X509_new_null(), forget);
    STACK_OF(X509)* common = nullptr;
    STACK_OF(X509)* own = nullptr;
    SSL_CTX_get_extra_chain_certs_only(other, &common);
    SSL_CTX_get_extra_chain_certs_only(SSL_get_SSL_CTX(ssl), &own);
    if (common == nullptr && own != nullptr) common = nothing.get();  // otherwise OpenSSL would append ours
    SSL_certs_clear(ssl);
    SSL_set1_chain_cert_store(ssl, SSL_CTX_get_cert_store(other));  // OpenSSL completes chains from it
    do {
        STACK_OF(X509)* chain = nullptr;
        SSL_get0_chain_certs(donor.get(), &chain);
        if (chain == nullptr) chain = common;
        X509* const certificate = SSL_get_certificate(donor.get());
        if (SSL_use_cert_and_key(ssl, certificate, SSL_get_privatekey(donor.get()), chain, 1) != 1) return false;
    } while (SSL_set_current_cert(donor.get(), SSL_CERT_SET_NEXT) == 1);
    return true;
}

/// Allows a session to be resumed only where it was created: with the same authority and under the same name.
/// (mod_ssl's own mark is the host's name and port, which two hosts may share, and all may share the cache and the
/// ticket keys.)
bool tie_session(SSL* ssl, const TlsServer& own, const TlsServer& shown) {
    std::array<unsigned char, 2 * std::tuple_size_v<decltype(own.identity)>> both{};
    std::copy(own.identity.begin(), own.identity.end(), both.begin());
    std::copy(shown.identity.begin(), shown.identity.end(), both.begin() + own.identity.size());
    std::array<unsigned char, SSL_MAX_SID_CTX_LENGTH> mark{};
    unsigned size = 0;
    if (EVP_Digest(both.data(), both.size(), mark.data(), &size, EVP_sha256(), nullptr) != 1) return false;
    return SSL_set_session_id_context(ssl, mark.data(), size) == 1;
}

/// Runs before OpenSSL processes the client's first message, even before it looks for a session to resume.
int begin(SSL* ssl, int*, void* baton) noexcept {
    const TlsServer& own = *static_cast<const TlsServer*>(baton);
    const server_rec* const host = host_called(ssl, name_asked_for(ssl).data());
    const TlsServer& shown = host != nullptr && host != own.host ? config_of(host).tls : own;
    if (!tie_session(ssl, own, shown)) return SSL_CLIENT_HELLO_ERROR;
    if (&shown != &own && !show_certificates_of(shown.context, ssl)) return SSL_CLIENT_HELLO_ERROR;
    return SSL_CLIENT_HELLO_SUCCESS;
}

/// Tells the client whether its name was used.
int acknowledge(SSL* ssl, int*, void*) noexcept {
    const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    return host_called(ssl, name) != nullptr ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/// Negotiates only the server's own protocol. A client that offers only others gets no answer, as if the server did not
/// support ALPN: no name is registered for SMTP, so a mail program may offer anything.
int agree(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offers, unsigned offered,
          void* baton) noexcept {
    const std::string_view wanted = static_cast<const TlsServer*>(baton)->protocol;
    for (unsigned at = 0; at < offered && at + 1U + offers[at] <= offered; at += 1U + offers[at]) {
        if (std::string_view(reinterpret_cast<const char*>(offers + at + 1), offers[at]) != wanted) continue;
        *chosen = offers + at + 1;
        *size = offers[at];
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

// ---- how the contexts come into being

/// What distinguishes a server from all others, and also from its predecessor before a restart if that trusted other
/// authorities.
std::string description_of(const server_rec* server, SSL_CTX* context, std::string_view protocol) {
    const char* const name = server->server_hostname != nullptr ? server->server_hostname : "";
    const char* const file = server->defn_name != nullptr ? server->defn_name : "";
    std::string out = format_text("{} {} {} {} {}", protocol, name, file, server->defn_line_number,
                                  SSL_CTX_get_verify_mode(context));
    const STACK_OF(X509_NAME)* authorities = SSL_CTX_get_client_CA_list(context);
    for (int i = 0; i < sk_X509_NAME_num(authorities); ++i) {
        unsigned char* der = nullptr;
        const int size = i2d_X509_NAME(sk_X509_NAME_value(authorities, i), &der);
        if (size > 0) out.append(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
        OPENSSL_free(der);
    }
    return out;
}

const char* protocol_of(const Server& server) {
    return server.settings().protocol == engine::Protocol::lmtp ? "lmtp" : "smtp";
}

/// Called by mod_ssl for each server with a context, when the context is complete.
int take_context(server_rec* server, apr_pool_t*, int is_proxy, SSL_CTX* context) {
    if (is_proxy != 0) return OK;
    return guard(server, "init_server", HTTP_INTERNAL_SERVER_ERROR, [&] {
        ServerConfig& config = config_of(server);
        TlsServer& tls = config.tls;
        if (config.runtime != nullptr) tls.protocol = protocol_of(*config.runtime);
        if (tls.host == nullptr) tls.host = server;
        tls.context = context;
        const std::string text = description_of(server, context, tls.protocol != nullptr ? tls.protocol : "");
        if (EVP_Digest(text.data(), text.size(), tls.identity.data(), nullptr, EVP_sha256(), nullptr) != 1)
            return HTTP_INTERNAL_SERVER_ERROR;
        if (tls.protocol == nullptr) return OK;
        SSL_CTX_set_client_hello_cb(context, begin, &tls);
        SSL_CTX_set_tlsext_servername_callback(context, acknowledge);
        SSL_CTX_set_alpn_select_cb(context, agree, &tls);
        return OK;
    });
}

/// A modifiable copy of the vector, with the same settings for all modules.
ap_conf_vector_t* copy_of(const ap_conf_vector_t* settings, apr_pool_t* pool) {
    std::size_t size = 0;
    for (const module* each = ap_top_module; each != nullptr; each = each->next)
        size = std::max(size, static_cast<std::size_t>(each->module_index) + 1);
    auto* const copy = static_cast<ap_conf_vector_t*>(apr_pcalloc(pool, size * sizeof(void*)));
    for (const module* each = ap_top_module; each != nullptr; each = each->next)
        ap_set_module_config(copy, each, ap_get_module_config(settings, each));
    return copy;
}

/// Copies the settings as mod_ssl does for a virtual host without lines of its own from the main server's. The lender's
/// own settings can have one context only.
void copy_settings(server_rec& face, const server_rec* borrower, apr_pool_t* pool) {
    module* const mod_ssl = ap_find_linked_module("mod_ssl.c");
    if (mod_ssl == nullptr) return;
    void* const lent = ap_get_module_config(face.module_config, mod_ssl);
    face.module_config = copy_of(face.module_config, pool);
    void* const nothing_said = mod_ssl->create_server_config(pool, &face);
    ap_set_module_config(face.module_config, mod_ssl, mod_ssl->merge_server_config(pool, lent, nothing_said));
    face.lookup_defaults = copy_of(face.lookup_defaults, pool);
    ap_set_module_config(face.lookup_defaults, mod_ssl, mod_ssl->create_dir_config(pool, nullptr));
    ap_set_module_config(face.module_config, &smtpd_module, create_server_config(pool, &face));
    face.error_log = borrower->error_log;  // open by now
}

/// Gives a virtual host without lines for us its own settings instead of the main server's object.
void part_settings(const server_rec* main_server, apr_pool_t* pool) {
    for (server_rec* record = main_server->next; record != nullptr; record = record->next)
        if (&config_of(record) == &config_of(main_server)) {
            ServerConfig& own = make_in_pool<ServerConfig>(pool, config_of(main_server));
            ap_set_module_config(record->module_config, &smtpd_module, &own);
        }
}

bool is_face(const server_rec* record) {
    const server_rec* const host = config_of(record).tls.host;
    return host != nullptr && host != record;
}

/// Runs just before mod_ssl creates its contexts.
int add_faces(apr_pool_t* pool, apr_pool_t*, apr_pool_t*, server_rec* main_server) {
    return guard(main_server, "post_config", HTTP_INTERNAL_SERVER_ERROR, [&] {
        part_settings(main_server, pool);
        server_rec* last = main_server;
        while (last->next != nullptr) last = last->next;
        for (server_rec* record = main_server; record != nullptr && !is_face(record); record = record->next) {
            const Server* const server = config_of(record).runtime;
            if (server == nullptr || server->lender() == nullptr) continue;
            server_rec* const face = server->lender()->face();
            copy_settings(*face, record, pool);
            config_of(face).tls.host = server->lender()->host();
            config_of(face).tls.protocol = protocol_of(*server);
            face->next = nullptr;
            last = last->next = face;
        }
        return OK;
    });
}

/// Runs just after it.
int remove_faces(apr_pool_t*, apr_pool_t*, apr_pool_t*, server_rec* main_server) {
    return guard(main_server, "post_config", HTTP_INTERNAL_SERVER_ERROR, [&] {
        for (server_rec* record = main_server; record->next != nullptr;) {
            if (is_face(record->next)) record->next = record->next->next;
            else record = record->next;
        }
        for (server_rec* record = main_server; record != nullptr; record = record->next) {
            const Server* const server = config_of(record).runtime;
            if (server == nullptr || server->lender() == nullptr || has_tls_context(server->lender()->face())) continue;
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, record,
                         "SMTPD0060: mod_ssl makes no TLS for %s from the settings of %s", server->key().c_str(),
                         server->lender()->name().c_str());
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        return OK;
    });
}

}  // namespace

void register_tls_contexts() {
    static const char* const mod_ssl[] = {"mod_ssl.c", nullptr};
    ap_hook_post_config(add_faces, nullptr, mod_ssl, APR_HOOK_MIDDLE);
    ap_hook_post_config(remove_faces, mod_ssl, nullptr, APR_HOOK_REALLY_FIRST);
    APR_OPTIONAL_HOOK(ssl, init_server, take_context, nullptr, nullptr, APR_HOOK_MIDDLE);
}

bool has_tls_context(const server_rec* server) {
    const TlsServer& tls = config_of(server).tls;
    return tls.context != nullptr && tls.protocol != nullptr;
}

bool is_in_context_of(const SSL* ssl, const server_rec* server) {
    return ssl != nullptr && has_tls_context(server) && SSL_get_SSL_CTX(ssl) == config_of(server).tls.context;
}

}  // namespace smtpd::httpd
