/// auth_spf_request.h: the options of smtpd-auth that say what SPF is asked.
#pragma once

#include "tools/auth_command.h"

#include <smtpd/mailauth/spf.h>

namespace smtpd::tools {

/// What --ip, --helo and --mail-from say; without --mail-from, HELO is checked. Throws AuthError.
mailauth::SpfRequest spf_request(const AuthCall& call);

}  // namespace smtpd::tools
