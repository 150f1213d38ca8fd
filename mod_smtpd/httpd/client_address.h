/// client_address.h: the addresses of both ends of a connection, and how to replace the client's.
#pragma once

#include "httpd/apache.h"

#include <smtpd/connection.h>

namespace smtpd::httpd {

Endpoint endpoint_of(const apr_sockaddr_t* from);
Endpoint client_of(const conn_rec* connection);
Endpoint local_end_of(const conn_rec* connection);

/// Makes `client` the connection's client for all purposes: log lines, other modules, HostnameLookups. An unspecified
/// `local` leaves the local address unchanged.
void change_client(conn_rec* connection, const Endpoint& client, const Endpoint& local);

}  // namespace smtpd::httpd
