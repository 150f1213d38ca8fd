/// tls_context.h: the SSL contexts of SMTP: made by mod_ssl, one for each server that speaks TLS, and none of them
/// shared with HTTP.
///
/// mod_ssl lets the name that a client asks for (SNI) choose a virtual host, with all its settings: whether clients
/// show certificates, and which authorities are trusted. For HTTP it compares them again with each request; a session
/// of SMTP would keep the rights that another host's authority gave it. So in the contexts of SMTP the name chooses the
/// certificate that is shown, and nothing else (RFC 6066 11.1), and no protocol of HTTP is agreed upon (ALPN, RFC
/// 7301).
///
/// A server with STARTTLS borrows its settings from another virtual host. It gets a context of its own from them: while
/// mod_ssl makes its contexts (post_config), the list of servers has one more for each borrower, the lender's face
/// (TlsLender), with a copy of the lender's settings for TLS.
#pragma once

#include "httpd/apache.h"

#include <openssl/ssl.h>

namespace smtpd::httpd {

void register_tls_contexts();

/// Whether STARTTLS, or a handshake from the first octet, can be had with the settings of this server: a face, or one
/// with SSLEngine on.
bool has_tls_context(const server_rec* server);

/// Whether a handshake is made with the settings of this server, and with nobody else's.
bool is_in_context_of(const SSL* ssl, const server_rec* server);

}  // namespace smtpd::httpd
