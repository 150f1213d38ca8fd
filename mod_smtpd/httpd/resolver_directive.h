/// resolver_directive.h: the directive SmtpResolver.
#pragma once

#include "httpd/apache.h"

namespace smtpd::httpd {

/// SmtpResolver [server …] [option=value …]
const char* set_resolver(cmd_parms* cmd, void*, int argc, char* const argv[]);

}  // namespace smtpd::httpd
