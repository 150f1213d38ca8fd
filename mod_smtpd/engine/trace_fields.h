/// trace_fields.h: the field Received (RFC 5321 4.4), which a receiving server puts on top of a message.
#pragma once

#include <smtpd/connection.h>
#include <smtpd/transaction.h>

#include <string>
#include <string_view>

namespace smtpd::engine {

/// The `with` keyword of RFC 3848: SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA; with SMTPUTF8 that of RFC 6531 4.3: UTF8SMTP,
/// UTF8SMTPS, UTF8SMTPA, UTF8SMTPSA.
std::string_view protocol_word(const Connection& connection, const Transaction& transaction) noexcept;

/// The value of Received; folds are LF followed by a tab. `for` names the recipient only if there is just one, so that
/// no recipient learns about another.
std::string received_value(const Connection& connection, const Transaction& transaction, std::string_view software);

}  // namespace smtpd::engine
