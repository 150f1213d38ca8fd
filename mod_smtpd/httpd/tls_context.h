/// tls_context.h: the SSL contexts for SMTP. mod_ssl creates one for each server that speaks TLS; none is shared with
/// HTTP.
///
/// In mod_ssl, the name that a client asks for (SNI) selects a virtual host with all its settings, including whether
/// clients present certificates and which authorities are trusted. For HTTP, mod_ssl compares them again with each
/// request; an SMTP session would keep the rights that another host's authority gave it. So in the contexts for SMTP
/// the name selects the certificate and nothing else (RFC 6066 11.1), and no HTTP protocol is negotiated (ALPN, RFC
/// 7301).
///
/// A server with STARTTLS borrows the settings of another virtual host and gets a context of its own from them: while
/// mod_ssl creates its contexts (post_config), the list of servers has an additional entry for each borrower, the
/// lender's face (TlsLender), with a copy of the lender's TLS settings.
#pragma once

#include "httpd/apache.h"

#include <openssl/ssl.h>

namespace smtpd::httpd {

void register_tls_contexts();

/// Whether a handshake, by STARTTLS or from the first octet, is possible with the settings of this server: a face, or a
/// server with SSLEngine on.
bool has_tls_context(const server_rec* server);

/// Whether the handshake uses the settings of this server and of no other.
bool is_in_context_of(const SSL* ssl, const server_rec* server);

}  // namespace smtpd::httpd
