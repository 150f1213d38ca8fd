/// auth_message.h: what the subcommands of smtpd-auth about messages have in common: the message, read and hashed, and
/// the keys to sign with.
#pragma once

#include "tools/auth_command.h"

#include <smtpd/mailauth/message_reader.h>
#include <smtpd/mailauth/private_key.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace smtpd::tools {

/// The message on standard input, with CRLF. One that has no CRLF at all has the line ends of a file (RFC 6376 5.3).
std::string read_message();
/// The same as signatures see it.
std::unique_ptr<mailauth::MessageReader> read_message(const std::string& message);
/// The body of a message, hashed in that form.
mailauth::BodyHasher hashed_body(std::string_view message, mailauth::Canonicalization form,
                                 std::optional<std::uint64_t> limit = std::nullopt);
/// A key in PEM. Throws AuthError.
mailauth::PrivateKey read_key(const std::string& file);
/// The pieces between colons; none of "".
std::vector<std::string> names_of(const std::string& list);

}  // namespace smtpd::tools
