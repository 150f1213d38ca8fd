#include "httpd/tls.h"

#include <mod_ssl.h>

namespace smtpd::httpd {
namespace {

std::string variable(conn_rec* connection, const char* name) {
    auto* const look_up = APR_RETRIEVE_OPTIONAL_FN(ssl_var_lookup);
    if (look_up == nullptr) return {};
    const char* const value = look_up(connection->pool, connection->base_server, connection, nullptr, const_cast<char*>(name));
    return value != nullptr ? value : "";
}

}  // namespace

bool is_for_tls(conn_rec* connection) {
    auto* const is_https = APR_RETRIEVE_OPTIONAL_FN(ssl_is_https);
    return is_https != nullptr && is_https(connection) != 0;
}

std::optional<TlsFacts> make_handshake(conn_rec* connection) {
    apr_bucket_brigade* const nothing = apr_brigade_create(connection->pool, connection->bucket_alloc);
    const apr_status_t status = ap_get_brigade(connection->input_filters, nothing, AP_MODE_INIT, APR_BLOCK_READ, 0);
    apr_brigade_destroy(nothing);
    if (status != APR_SUCCESS) return {};
    // A client that does not speak TLS at all is no error to mod_ssl, which steps aside then: it would like to tell a browser so.
    TlsFacts facts{variable(connection, "SSL_PROTOCOL"), variable(connection, "SSL_CIPHER")};
    if (facts.protocol.empty()) return {};
    return facts;
}

}  // namespace smtpd::httpd
