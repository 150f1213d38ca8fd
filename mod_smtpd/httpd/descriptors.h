/// descriptors.h: the descriptors of a serving process. Raises their limit if that is necessary and allowed, warns
/// while the configuration is checked if the limit is too low, and rejects clients before the last descriptor is used
/// (support/descriptor_budget.h explains how and why).
#pragma once

#include "httpd/apache.h"

namespace smtpd::httpd {

/// Called while the configuration is checked, after name_protocol_of_listeners(): warns if the hard limit of this
/// process, which children inherit, is too low for the connections that the MPM lets a child have.
void check_descriptors(server_rec* main_server);

/// Called in child_init, before anything else: raises the soft limit as far as necessary and divides it.
void prepare_descriptors(apr_pool_t* child_pool, server_rec* main_server);

/// Rejects a connection that got one of the last descriptors: with a 421, unless TLS comes first, and immediately,
/// without httpd's lingering close. For a connection that has no session yet.
bool lacks_descriptors(conn_rec* connection);

}  // namespace smtpd::httpd
