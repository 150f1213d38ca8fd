/// config_tree.h: the configuration lines that httpd has read, to find other modules' directives and the positions of
/// our own.
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

/// The last directive of that name that applies to a server: in its section, otherwise at the top level; null if there
/// is none.
const ap_directive_t* line_of(const server_rec* server, const char* directive);

/// The directives of that name at the top level, in order.
std::vector<const ap_directive_t*> lines_at_top(const char* directive);

/// "httpd.conf line 12"; "" for null.
std::string position_of(const ap_directive_t* line);
/// The position where the section of a virtual host begins; "" for the main server.
std::string position_of(const server_rec* server);

}  // namespace smtpd::httpd
