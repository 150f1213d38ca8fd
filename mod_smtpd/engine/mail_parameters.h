/// mail_parameters.h: the parameters of MAIL and RCPT (RFC 5321 4.1.1.11): what each is allowed to say, and where it is
/// kept. A parameter is a row of a table and a function; in which words they come is smtp/path_argument.h.
///
/// A parameter of an extension that is not offered, or that does not exist, is 555 5.5.4; one with a value where it
/// takes none, without one where it needs one, or with one that is not of its syntax, 501 5.5.4; a value that is known
/// but not offered, 504 5.5.4.
#pragma once

#include "engine/extensions.h"
#include "engine/mail_transaction.h"
#include "message/stored_message.h"

#include <smtpd/base/address.h>
#include <smtpd/base/reply.h>

#include <cstdint>
#include <optional>

namespace smtpd::engine {

/// By what parameters are judged.
struct ParameterRules {
    ExtensionSet offered;  ///< to this client, now
    bool ignores_unknown = false;
    bool believes_submitter = false;      ///< AUTH= of an unauthenticated client is not (RFC 4954 5)
    bool grants_priority = false;         ///< the client may ask for more than 0 (RFC 6710 5)
    AddressSyntax address_syntax = {};    ///< of the submitter's address
    std::uint64_t max_message_size = 0;   ///< 0 = no limit
    const message::SpoolSettings& spool;  ///< where the message is to have room
};

/// The longest MAIL and RCPT, VRFY and EXPN lines, with CRLF, that the extensions allow in addition to each other: RFC
/// 5321 4.5.3.1.4 512; RFC 1870 26; RFC 6152 17; RFC 6531 10; RFC 4954 500; RFC 3461 500 (of RCPT; of MAIL it needs
/// 115); RFC 8689 11; RFC 6710 15; PRDR 5.
inline constexpr unsigned longest_mail_line = 512 + 26 + 17 + 10 + 500 + 115 + 11 + 15 + 5;
inline constexpr unsigned longest_rcpt_line = 512 + 10 + 500 + 28;

/// Takes what `transaction.envelope().parameters` say into the transaction. Gives the refusal if there is one; the
/// transaction is worth nothing then.
std::optional<Reply> take_mail_parameters(const ParameterRules& rules, MailTransaction& transaction);
/// The same for a recipient, of a transaction with SMTPUTF8 or without.
std::optional<Reply> take_rcpt_parameters(const ParameterRules& rules, bool is_smtputf8, Recipient& recipient);

/// The value of MT-PRIORITY= (RFC 6710 8).
std::optional<int> parse_priority(std::string_view text) noexcept;

}  // namespace smtpd::engine
