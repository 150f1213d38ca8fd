/// channel_bindings.h: the octets that SCRAM-…-PLUS binds a login to (RFC 5056), from mod_ssl's SSL object.
#pragma once

#include "httpd/apache.h"

#include "smtp/channel_bindings.h"

namespace smtpd::httpd {

/// Of a connection whose handshake is done; empty where there is no TLS, or none that can be bound to.
smtp::ChannelBindings channel_bindings_of(conn_rec* connection);

}  // namespace smtpd::httpd
