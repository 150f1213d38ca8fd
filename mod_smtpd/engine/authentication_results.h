/// authentication_results.h: the field Authentication-Results (RFC 8601): how results are written, and what becomes of
/// fields of a message that claim to be ours.
#pragma once

#include <smtpd/authentication_result.h>
#include <smtpd/message.h>

#include <string>
#include <string_view>

namespace smtpd::engine {

/// The characters that a field may have: ASCII, or with SMTPUTF8 (RFC 6532) UTF-8. Any other octet is written as '?'.
enum class FieldText { ascii, utf8 };

/// The value of the field, or "" if there is no result. A result begins a line, and goes on in another one where a line
/// would be longer than 78 octets. Whatever the results contain, the value keeps to the grammar, and no line is longer
/// than 998 octets: a value longer than 400 octets is cut. Results of the method auth come first, then the others in
/// their order. A result whose method, or whose result, is empty is left out, and so is a property without a name.
std::string authentication_results_value(const ResultsView& results, std::string_view authserv_id, FieldText text);

/// Renames fields that claim to come from this server, as RFC 8601 5 asks: they cannot be true.
void disown_forged_results(Headers& headers, std::string_view authserv_id);

}  // namespace smtpd::engine
