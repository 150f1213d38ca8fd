/// authentication_results.h: the field Authentication-Results (RFC 8601): writes results, and disowns forged fields of
/// a message.
#pragma once

#include <smtpd/authentication_result.h>
#include <smtpd/message.h>

#include <string>
#include <string_view>

namespace smtpd::engine {

/// The characters allowed in a field: ASCII, or with SMTPUTF8 (RFC 6532) UTF-8. Any other octet is written as '?'.
enum class FieldText { ascii, utf8 };

/// The value of the field, or "" if there is no result. Each result begins a line, and is continued on another line if
/// it would be longer than 78 octets. Whatever the results contain, the output follows the grammar, and no line is
/// longer than 998 octets: a value longer than 400 octets is cut. Results of the method auth come first, then the
/// others in order. A result with an empty method or an empty result is omitted, as is a property without a name.
std::string authentication_results_value(const ResultsView& results, std::string_view authserv_id, FieldText text);

/// Renames all such fields if one of them claims to come from this server, as RFC 8601 5 requires: it cannot be
/// genuine. A field that cannot be parsed and has our id somewhere in it counts as one.
void disown_forged_results(Headers& headers, std::string_view authserv_id);

}  // namespace smtpd::engine
