#include "httpd/client_address.h"

#include <netinet/in.h>

#include <array>
#include <cstring>
#include <new>

namespace smtpd::httpd {
namespace {

/// The text is an address, so no name is looked up.
apr_sockaddr_t* socket_address(const Endpoint& endpoint, const char* text, apr_pool_t* pool) {
    apr_sockaddr_t* address = nullptr;
    const int family = endpoint.address.is_v4() ? APR_INET : APR_INET6;
    if (apr_sockaddr_info_get(&address, text, family, endpoint.port, 0, pool) != APR_SUCCESS) throw std::bad_alloc();
    return address;
}

}  // namespace

Endpoint endpoint_of(const apr_sockaddr_t* from) {
    if (from->family == APR_INET) {
        std::array<std::uint8_t, 4> bytes{};
        std::memcpy(bytes.data(), &from->sa.sin.sin_addr, bytes.size());
        return {IpAddress::v4(bytes), from->port};
    }
    std::array<std::uint8_t, 16> bytes{};
#if APR_HAVE_IPV6
    if (from->family == APR_INET6) std::memcpy(bytes.data(), &from->sa.sin6.sin6_addr, bytes.size());
#endif
    return {IpAddress::v6(bytes), from->port};
}

Endpoint client_of(const conn_rec* connection) { return endpoint_of(connection->client_addr); }
Endpoint local_end_of(const conn_rec* connection) { return endpoint_of(connection->local_addr); }

void change_client(conn_rec* connection, const Endpoint& client, const Endpoint& local) {
    char* const client_text = apr_pstrdup(connection->pool, client.address.to_string().c_str());
    connection->client_addr = socket_address(client, client_text, connection->pool);
    connection->client_ip = client_text;
    connection->remote_host = nullptr;
    connection->double_reverse = 0;
    if (local.address.is_unspecified()) return;
    char* const local_text = apr_pstrdup(connection->pool, local.address.to_string().c_str());
    connection->local_addr = socket_address(local, local_text, connection->pool);
    connection->local_ip = local_text;
    connection->local_host = nullptr;
}

}  // namespace smtpd::httpd
