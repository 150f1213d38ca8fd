/// authentication_results_field.h: parses Authentication-Results fields (RFC 8601 2.2) that other servers have written.
///
/// White space and comments are allowed nearly everywhere, and a comment or a quoted-string may contain text that looks
/// like a result. So a field must be parsed; searching it for text is not safe. Unregistered methods, results and
/// properties are kept. Trust a field only if you trust the server that its authserv-id names, and if nobody else could
/// have added the field. Pure functions, linear in the length of the text; thread-safe.
#pragma once

#include <smtpd/authentication_result.h>
#include <smtpd/base/api.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

struct SMTPD_API AuthenticationResultsField {
    std::string authserv_id;
    unsigned version = 1;
    std::vector<AuthenticationResult> results{};  ///< empty: the field says "none"

    /// Parses the value of a field, folded or not. If the value breaks the grammar, returns std::nullopt and, unless
    /// `why` is null, describes the problem and its octet position in `why`. Comments after a result are joined in its
    /// `comment`. UTF-8 is allowed (RFC 8616 6.1).
    static std::optional<AuthenticationResultsField> parse(std::string_view value, std::string* why = nullptr);
};

/// Whether a field in an incoming message claims to come from the server `authserv_id` (RFC 8601 5). That is so if its
/// authserv-id is this id in any spelling, if a reader might take it for this id, or if the field cannot be parsed and
/// contains the id anywhere.
SMTPD_API bool claims_authserv_id(std::string_view value, std::string_view authserv_id);

}  // namespace smtpd::mailauth
