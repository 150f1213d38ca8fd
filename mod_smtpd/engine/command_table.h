/// command_table.h: when each command is allowed (RFC 5321 4.1.4 and the extensions), as a table: a row has a verb and
/// the conditions, in the order of their checks. The session executes the commands.
///
/// Everything here is a value or a pure function, and thread-safe.
#pragma once

#include "engine/auth_offer.h"
#include "engine/replies.h"
#include "engine/settings.h"
#include "smtp/command.h"

#include <smtpd/connection.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace smtpd::engine {

/// The state of a session when a command arrives.
struct Situation {
    const Settings& settings;
    AuthOffer auth;
    Greeted greeted = Greeted::no;
    bool is_tls = false;
    bool is_authenticated = false;
    bool in_transaction = false;
    bool has_recipients = false;
    bool is_binary = false;     ///< the transaction has BODY=BINARYMIME
    bool in_chunks = false;     ///< its message has begun with BDAT
    bool chunk_failed = false;  ///< a chunk was refused, and the client may not know it yet

    bool is_lmtp() const noexcept { return settings.protocol == Protocol::lmtp; }
    /// TLS is required, but the connection is not encrypted yet.
    bool must_encrypt() const noexcept { return settings.start_tls == StartTls::required && !is_tls; }
    bool allows_auth() const noexcept {
        return is_tls || (settings.auth_without_tls && settings.start_tls != StartTls::required);
    }
};

/// A condition for a command.
enum class Check : std::uint8_t {
    is_smtp,
    is_lmtp,
    starttls_on,
    auth_on,
    xclient_on,
    xforward_on,
    chunking_on,
    help_on,
    encrypted,
    not_encrypted,
    no_argument,
    no_starttls_argument,
    greeted,
    greeted_with_ehlo,
    not_authenticated,
    auth_allowed,
    authenticated_for_submission,
    no_transaction,
    no_transaction_for_auth,
    transaction,
    no_failed_chunk,
    no_chunks,
    recipients,
    not_binary
};

struct CommandRow {
    smtp::Verb verb;
    bool works_in_clear;  ///< even if TLS is required (RFC 3207 4)
    bool is_junk;         ///< has no effect on mail; many of them count as errors
    std::span<const Check> checks;
};

/// The row of that verb; null if this server does not have the command.
const CommandRow* find_command(smtp::Verb verb) noexcept;

/// Why a command is not executed.
struct Objection {
    std::optional<StandardReply> say;  ///< nothing: this server does not know the command
};
/// The first condition that is not met.
std::optional<Objection> objection_to(const CommandRow& command, std::string_view argument, const Situation& situation);

}  // namespace smtpd::engine
