/// authentication_results_field.h: reads a field Authentication-Results (RFC 8601 2.2) that somebody else has written.
///
/// White space and comments may stand nearly everywhere, and a comment or a quoted-string may contain what looks like a
/// result. So a field is parsed, never searched. Methods, results and properties that nobody has registered are kept.
/// What a field says is to be believed only if its authserv-id is one that you trust, and if nobody else could have
/// put it there. Pure functions, linear in the length of the text; thread-safe.
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

    /// Reads the value of a field, folded or not. Nothing if it breaks the grammar; `why`, if given, says how, and at
    /// which octet. The comments behind a result are joined in its `comment`. UTF-8 is allowed (RFC 8616 6.1).
    static std::optional<AuthenticationResultsField> parse(std::string_view value, std::string* why = nullptr);
};

/// Whether a field that arrived claims to come from that server (RFC 8601 5): its authserv-id is the server's, however
/// it is spelled; or a reader might take it for that; or the field cannot be parsed and has the id somewhere in it.
SMTPD_API bool claims_authserv_id(std::string_view value, std::string_view authserv_id);

}  // namespace smtpd::mailauth
