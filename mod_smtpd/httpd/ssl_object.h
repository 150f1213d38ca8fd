/// ssl_object.h: the SSL object that mod_ssl has made for a connection. mod_ssl's variables do not tell everything
/// about it.
#pragma once

#include "httpd/apache.h"

#include <openssl/ssl.h>

namespace smtpd::httpd {

/// Hooks that remember the object of each connection; mod_ssl need not be loaded.
void register_ssl_objects();

/// Null where there is no TLS.
SSL* ssl_object_of(conn_rec* connection);

}  // namespace smtpd::httpd
