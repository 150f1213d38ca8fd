#include "httpd/ssl_object.h"

#include <apr_optional_hooks.h>

/// The type under which APR knows the hook; mod_ssl's own header for it is not installed everywhere.
using ssl_HOOK_pre_handshake_t = int(conn_rec* connection, SSL* ssl, int is_proxy);

namespace smtpd::httpd {
namespace {

constexpr const char* key = "smtpd ssl";

int remember(conn_rec* connection, SSL* ssl, int is_proxy) {
    if (is_proxy == 0) apr_pool_userdata_setn(ssl, key, nullptr, connection->pool);
    return OK;
}

}  // namespace

void register_ssl_objects() { APR_OPTIONAL_HOOK(ssl, pre_handshake, remember, nullptr, nullptr, APR_HOOK_MIDDLE); }

SSL* ssl_object_of(conn_rec* connection) {
    void* found = nullptr;
    return apr_pool_userdata_get(&found, key, connection->pool) == APR_SUCCESS ? static_cast<SSL*>(found) : nullptr;
}

}  // namespace smtpd::httpd
