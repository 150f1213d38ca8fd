/// own_results.h: the entries of one server's Authentication-Results fields (RFC 8601 2.2), as written.
#pragma once

#include "mailauth/header_block.h"

#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

/// Returns the entries (`spf=pass smtp.mailfrom=…`) of all fields with this authserv-id, from the top, as written but
/// unfolded. `none` is not an entry.
std::vector<std::string> own_results(const HeaderBlock& block, std::string_view authserv_id);

}  // namespace smtpd::mailauth
