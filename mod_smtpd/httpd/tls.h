/// tls.h: what mod_ssl knows about a connection. mod_ssl need not be loaded.
#pragma once

#include "httpd/apache.h"

#include <optional>
#include <string>

namespace smtpd::httpd {

struct TlsFacts {
    std::string protocol;  ///< "TLSv1.3"
    std::string cipher;
};

/// Whether mod_ssl is to encrypt this connection (`SSLEngine on`).
bool is_for_tls(conn_rec* connection);

/// Makes the handshake; this thread waits for the client, up to `Timeout`. Nothing when it failed, which mod_ssl has logged.
std::optional<TlsFacts> make_handshake(conn_rec* connection);

}  // namespace smtpd::httpd
