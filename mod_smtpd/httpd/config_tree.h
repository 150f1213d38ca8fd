/// config_tree.h: what httpd has read, as lines: for directives of others, and for where our own stand.
#pragma once

#include "httpd/apache.h"

#include <string>
#include <vector>

namespace smtpd::httpd {

/// The <VirtualHost> section of a server; null for the main server.
const ap_directive_t* section_of(const server_rec* server);

/// The last directive of that name within the <VirtualHost> section of a server; null if there is none, and for the
/// main server.
const ap_directive_t* own_line_of(const server_rec* server, const char* directive);

/// The last directive of that name that applies to a server: of its section, else of the top level; null if there is
/// none.
const ap_directive_t* line_of(const server_rec* server, const char* directive);

/// The directives of that name at the top level, in their order.
std::vector<const ap_directive_t*> lines_at_top(const char* directive);

/// "httpd.conf line 12"; "" for null.
std::string position_of(const ap_directive_t* line);
/// Where the section of a virtual host begins; "" for the main server.
std::string position_of(const server_rec* server);

}  // namespace smtpd::httpd
