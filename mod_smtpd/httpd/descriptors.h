/// descriptors.h: the descriptors of a serving process. Their limit is raised where that is needed and allowed, a
/// limit that does not suffice is told of while the configuration is checked, and clients are turned away before the
/// last descriptor is used (support/descriptor_budget.h says how and why).
#pragma once

#include "httpd/apache.h"

namespace smtpd::httpd {

/// While the configuration is checked, behind name_protocol_of_listeners(): a warning if the hard limit of this
/// process, which children inherit, does not suffice for the connections that the MPM lets a child have.
void check_descriptors(server_rec* main_server);

/// In child_init, before anything else: raises the soft limit as far as it is needed, and divides it.
void prepare_descriptors(apr_pool_t* child_pool, server_rec* main_server);

/// Turns the connection away if it has got one of the last descriptors: with a 421, unless TLS comes first, and at
/// once, without httpd's lingering close. For a connection that has no session yet.
bool lacks_descriptors(conn_rec* connection);

}  // namespace smtpd::httpd
