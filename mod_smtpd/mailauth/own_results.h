/// own_results.h: what the Authentication-Results fields of one server say (RFC 8601 2.2), entry by entry as written.
#pragma once

#include "mailauth/header_block.h"

#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

/// The entries (`spf=pass smtp.mailfrom=…`) of all fields with that authserv-id, from the top, each as it is written
/// but unfolded. `none` is no entry.
std::vector<std::string> own_results(const HeaderBlock& block, std::string_view authserv_id);

}  // namespace smtpd::mailauth
