/// listeners.h: tells httpd that ports on which only SMTP is spoken are not HTTP ports.
#pragma once

#include "httpd/apache.h"

namespace smtpd::httpd {

/// `Listen 25` without a protocol means HTTP: httpd then asks the kernel to hand over a connection only after the
/// client has sent something, but an SMTP client waits for the greeting. If every virtual host of a port has the engine
/// on, this changes the port's protocol to smtp. Call it before the ports are opened.
void name_protocol_of_listeners(server_rec* main_server);

/// Whether connections to that port can reach this server. For the main server: whether httpd listens on the port.
bool serves_port(const server_rec* server, apr_port_t port);

}  // namespace smtpd::httpd
