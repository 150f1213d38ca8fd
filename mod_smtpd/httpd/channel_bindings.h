/// channel_bindings.h: the octets that a SCRAM-…-PLUS login is bound to (RFC 5056), from mod_ssl's SSL object.
#pragma once

#include "httpd/apache.h"

#include "smtp/channel_bindings.h"

namespace smtpd::httpd {

/// The bindings of a connection after its handshake; empty without TLS, or if the connection offers none.
smtp::ChannelBindings channel_bindings_of(conn_rec* connection);

}  // namespace smtpd::httpd
