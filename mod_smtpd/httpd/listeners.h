/// listeners.h: ports on which only SMTP is spoken are not to be treated as HTTP's.
#pragma once

#include "httpd/apache.h"

namespace smtpd::httpd {

/// `Listen 25` without a protocol means HTTP, for which httpd asks the kernel to hand over a connection only when the
/// client has sent something; but an SMTP client waits for the greeting. Where every virtual host of a port has the
/// engine on, its protocol becomes smtp. To be called before the ports are opened.
void name_protocol_of_listeners(server_rec* main_server);

/// Whether connections to that port can come to this server. For the main server: whether anything listens there.
bool serves_port(const server_rec* server, apr_port_t port);

}  // namespace smtpd::httpd
