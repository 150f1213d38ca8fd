/// host_checks.h: settings of ports and virtual hosts that are allowed but hardly intended: clients would hang, or
/// strangers could use the server. Each kind of mistake is one function, and a table has them all. What they find are
/// warnings: they say what follows, and what to write instead.
#pragma once

#include "httpd/apache.h"

#include "host/problem.h"

#include <smtpd/base/ip.h>

#include <vector>

namespace smtpd::httpd {

/// About all servers. Not before their objects were made; while the configuration is checked.
void check_hosts(const server_rec* main_server, host::Problems& problems);

/// The addresses at which clients may reach a server: those of its <VirtualHost>, and, where that names no address, of
/// the ports that are listened on. An unspecified one (0.0.0.0, ::) stands for all.
std::vector<IpAddress> local_addresses_of(const server_rec* server);
/// Whether none of them can be reached from another machine.
bool is_for_this_machine_only(const server_rec* server);

}  // namespace smtpd::httpd
