/// proxied_client.h: behind a load balancer: who the client is, from the PROXY header that comes before everything
/// else, TLS included.
#pragma once

#include "httpd/apache.h"
#include "httpd/server.h"

namespace smtpd::httpd {

enum class ClientIs { known, awaited, refused };

/// Reads the header where one must come, and makes its client the connection's. `awaited`: there is nothing to read
/// now; call again when there is. It waits by itself where `is_async` is false. What is refused has been logged; there
/// is nobody to tell.
ClientIs identify_client(conn_rec* connection, const Server& server, bool is_async);

}  // namespace smtpd::httpd
