/// ssl_object.h: the SSL object that mod_ssl created for a connection, because mod_ssl's variables do not contain
/// everything.
#pragma once

#include "httpd/apache.h"

#include <openssl/ssl.h>

namespace smtpd::httpd {

/// Registers hooks that remember the object of each connection; mod_ssl need not be loaded.
void register_ssl_objects();

/// Null without TLS.
SSL* ssl_object_of(conn_rec* connection);

}  // namespace smtpd::httpd
