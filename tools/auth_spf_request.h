/// auth_spf_request.h: makes an SPF request from the options of smtpd-auth.
#pragma once

#include "tools/auth_command.h"

#include <smtpd/mailauth/spf.h>

namespace smtpd::tools {

/// The request for --ip, --helo and --mail-from. Without --mail-from, HELO is tested. Throws AuthError.
mailauth::SpfRequest spf_request(const AuthCall& call);

}  // namespace smtpd::tools
