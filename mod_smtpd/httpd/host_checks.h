/// host_checks.h: settings of ports and virtual hosts that are allowed but probably unintended: clients would hang, or
/// strangers could use the server. Each kind of mistake is one function, listed in a table. The results are warnings
/// that say what happens and what to write instead.
#pragma once

#include "httpd/apache.h"

#include "host/problem.h"

#include <smtpd/base/ip.h>

#include <vector>

namespace smtpd::httpd {

/// Checks all servers. Call it after their objects were created, while the configuration is checked.
void check_hosts(const server_rec* main_server, host::Problems& problems);

/// The addresses at which clients may reach a server: those of its <VirtualHost>, and if that names none, those of the
/// ports that httpd listens on. An unspecified address (0.0.0.0, ::) stands for all.
std::vector<IpAddress> local_addresses_of(const server_rec* server);
/// Whether the server can only be reached from this machine.
bool is_for_this_machine_only(const server_rec* server);

}  // namespace smtpd::httpd
