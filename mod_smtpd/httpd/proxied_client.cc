/// proxied_client.cc: takes exactly the header off the socket, below all filters, because mod_ssl may expect a
/// handshake after it.
#include "httpd/proxied_client.h"

#include "httpd/channel.h"
#include "httpd/client_address.h"
#include "httpd/tls.h"

#include "net/proxy_header.h"

#include <cerrno>

#include <sys/socket.h>

namespace smtpd::httpd {
namespace {

constexpr const char* pool_key = "mod_smtpd: PROXY header";

net::ProxyHeader& header_of(conn_rec* connection) {
    void* known = nullptr;
    apr_pool_userdata_get(&known, pool_key, connection->pool);
    if (known != nullptr) return *static_cast<net::ProxyHeader*>(known);
    auto& header = make_in_pool<net::ProxyHeader>(connection->pool);
    apr_pool_userdata_setn(&header, pool_key, nullptr, connection->pool);
    return header;
}

enum class Look { nothing, gone, some };

/// Passes arrived input to the header, and removes from the socket what the header used.
Look look(int socket, net::ProxyHeader& header, net::ProxyHeader::Status& status) {
    char* const buffer = thread_buffer();
    ssize_t got = 0;
    do got = ::recv(socket, buffer, thread_buffer_size, MSG_DONTWAIT | MSG_PEEK);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Look::nothing;
    if (got <= 0) return Look::gone;
    std::string_view rest(buffer, static_cast<std::size_t>(got));
    status = header.feed(rest);
    const auto used = static_cast<std::size_t>(got) - rest.size();
    if (used > 0 && ::recv(socket, buffer, used, MSG_DONTWAIT) != static_cast<ssize_t>(used)) return Look::gone;
    return Look::some;
}

ClientIs refuse(conn_rec* connection, std::string_view why) {
    ap_log_cerror(APLOG_MARK, APLOG_NOTICE, 0, connection, "refused: no PROXY header from the trusted proxy: %.*s",
                  static_cast<int>(why.size()), why.data());
    forgo_handshake(connection);
    return ClientIs::refused;
}

}  // namespace

ClientIs identify_client(conn_rec* connection, const Server& server, bool is_async) {
    using Status = net::ProxyHeader::Status;
    if (!server.expects_proxy_header() || !server.is_trusted_proxy(client_of(connection).address))
        return ClientIs::known;
    net::ProxyHeader& header = header_of(connection);
    Channel channel(connection);
    const std::chrono::milliseconds timeout(apr_time_as_msec(connection->base_server->timeout));
    for (Status status = Status::need_more;;) {
        switch (look(channel.descriptor(), header, status)) {
            case Look::gone: return refuse(connection, "it closed the connection");
            case Look::nothing:
                if (is_async) return ClientIs::awaited;
                if (!channel.wait(timeout)) return refuse(connection, "it sent nothing within the server's Timeout");
                break;
            case Look::some: break;
        }
        if (status == Status::bad) return refuse(connection, header.problem());
        if (status == Status::local) return ClientIs::known;
        if (status != Status::proxied) continue;
        change_client(connection, header.client(), header.local());
        return ClientIs::known;
    }
}

}  // namespace smtpd::httpd
