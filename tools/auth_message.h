/// auth_message.h: the common parts of the smtpd-auth subcommands that take a message: they read and hash the message,
/// and read the keys for signing.
#pragma once

#include "tools/auth_command.h"

#include <smtpd/mailauth/message_reader.h>
#include <smtpd/mailauth/private_key.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace smtpd::tools {

/// Reads the message on standard input, with CRLF. If the message has no CRLF at all, its line ends are converted (RFC
/// 6376 5.3).
std::string read_message();
/// Parses a message for DKIM and ARC.
std::unique_ptr<mailauth::MessageReader> read_message(const std::string& message);
/// Hashes the body of a message in this form.
mailauth::BodyHasher hashed_body(std::string_view message, mailauth::Canonicalization form,
                                 std::optional<std::uint64_t> limit = std::nullopt);
/// Reads a key in PEM. Throws AuthError.
mailauth::PrivateKey read_key(const std::string& file);
/// Splits a list at colons; "" gives an empty list.
std::vector<std::string> names_of(const std::string& list);

}  // namespace smtpd::tools
