/// client_address.h: the addresses at both ends of a connection, and how another client's are put in their place.
#pragma once

#include "httpd/apache.h"

#include <smtpd/connection.h>

namespace smtpd::httpd {

Endpoint endpoint_of(const apr_sockaddr_t* from);
Endpoint client_of(const conn_rec* connection);
Endpoint local_end_of(const conn_rec* connection);

/// From now on the connection is that client's for everybody: log lines, other modules, HostnameLookups. An unspecified
/// `local` changes nothing.
void change_client(conn_rec* connection, const Endpoint& client, const Endpoint& local);

}  // namespace smtpd::httpd
