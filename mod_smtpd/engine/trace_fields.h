/// trace_fields.h: the fields that a receiving server puts on top of a message: Received (RFC 5321 4.4) and Authentication-Results (RFC 8601).
#pragma once

#include <smtpd/connection.h>
#include <smtpd/transaction.h>

#include <string>
#include <string_view>

namespace smtpd::engine {

/// The `with` word of RFC 3848: SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA; with SMTPUTF8 that of RFC 6531 4.3: UTF8SMTP, UTF8SMTPS, UTF8SMTPA, UTF8SMTPSA.
std::string_view protocol_word(const Connection& connection, const Transaction& transaction) noexcept;

/// The value of Received; folds are LF followed by a tab. `for` names the recipient only where there is just one, so that no recipient
/// learns of another.
std::string received_value(const Connection& connection, const Transaction& transaction, std::string_view software);

/// The value of Authentication-Results, or "" when nobody found anything.
std::string authentication_results_value(Connection& connection, Transaction& transaction, std::string_view authserv_id);

/// Renames fields that claim to come from this server, as RFC 8601 5 asks: they cannot be true.
void disown_forged_results(Headers& headers, std::string_view authserv_id);

}  // namespace smtpd::engine
