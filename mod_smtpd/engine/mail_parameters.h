/// mail_parameters.h: the parameters of MAIL and RCPT (RFC 5321 4.1.1.11): the allowed values of each, and where they
/// are stored. A parameter is a row of a table and a function; smtp/path_argument.h parses the syntax.
///
/// Replies: 555 5.5.4 for a parameter that does not exist or belongs to an extension that is not offered; 501 5.5.4 for
/// a value that must not be there, is missing, or has the wrong syntax; 504 5.5.4 for a known value that is not
/// offered.
#pragma once

#include "engine/extensions.h"
#include "engine/mail_transaction.h"
#include "message/stored_message.h"

#include <smtpd/base/address.h>
#include <smtpd/base/reply.h>

#include <cstdint>
#include <optional>

namespace smtpd::engine {

/// The rules for judging parameters.
struct ParameterRules {
    ExtensionSet offered;  ///< to this client, now
    bool ignores_unknown = false;
    bool believes_submitter = false;  ///< whether AUTH= is trusted; that of an unauthenticated client is not (RFC 4954
                                      ///< 5)
    bool grants_priority = false;     ///< the client may request more than 0 (RFC 6710 5)
    AddressSyntax address_syntax = {};    ///< of the submitter's address
    std::uint64_t max_message_size = 0;   ///< 0 = no limit
    const message::SpoolSettings& spool;  ///< where the message must have room
};

/// The longest MAIL line (also for VRFY and EXPN) and RCPT line, with CRLF, that all extensions together allow: RFC
/// 5321 4.5.3.1.4 512; RFC 1870 26; RFC 6152 17; RFC 6531 10; RFC 4954 500; RFC 3461 500 (for RCPT; MAIL needs 115);
/// RFC 8689 11; RFC 6710 15; PRDR 5.
inline constexpr unsigned longest_mail_line = 512 + 26 + 17 + 10 + 500 + 115 + 11 + 15 + 5;
inline constexpr unsigned longest_rcpt_line = 512 + 10 + 500 + 28;

/// Evaluates `transaction.envelope().parameters` and stores the values in the transaction. Returns the refusal if there
/// is one; then the transaction must be discarded.
std::optional<Reply> take_mail_parameters(const ParameterRules& rules, MailTransaction& transaction);
/// The same for a recipient, of a transaction with or without SMTPUTF8.
std::optional<Reply> take_rcpt_parameters(const ParameterRules& rules, bool is_smtputf8, Recipient& recipient);

/// The value of MT-PRIORITY= (RFC 6710 8).
std::optional<int> parse_priority(std::string_view text) noexcept;

}  // namespace smtpd::engine
