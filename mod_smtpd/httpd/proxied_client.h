/// proxied_client.h: learns the client behind a load balancer from the PROXY header, which comes before everything
/// else, TLS included.
#pragma once

#include "httpd/apache.h"
#include "httpd/server.h"

namespace smtpd::httpd {

enum class ClientIs { known, awaited, refused };

/// Reads the header if there must be one, and makes its client the connection's. `awaited`: there is nothing to read
/// now; call again when there is. Blocks if `is_async` is false. A refused connection has been logged and gets no
/// reply.
ClientIs identify_client(conn_rec* connection, const Server& server, bool is_async);

}  // namespace smtpd::httpd
