/// settings.h: what a server (virtual host) defines for all its sessions: limits with their defaults, and where
/// messages are stored temporarily.
#pragma once

#include <smtpd/base/address.h>
#include <smtpd/base/ip.h>

#include "engine/auth_mechanisms.h"
#include "engine/extensions.h"
#include "message/stored_message.h"
#include "smtp/data_decoder.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace smtpd::engine {

/// Whether clients may, or must, encrypt the connection (RFC 3207).
enum class StartTls : std::uint8_t { off, on, required };

/// The protocol of the clients.
enum class Protocol : std::uint8_t {
    smtp,
    lmtp  ///< RFC 2033: LHLO, and a reply for each recipient after the message
};

/// The reply if recipients of one message have different fates and there is one reply for all (plain SMTP).
enum class MixedResults : std::uint8_t {
    refuse,  ///< the strictest: rejected if any recipient is, otherwise deferred; no recipient gets the message
    accept,  ///< accepted if any recipient gets it and none is deferred; refused recipients do not get it, and only the
             ///< log says so
    one_by_one,  ///< avoids the case: a transaction has one recipient, the others are deferred
    split        ///< like accept, and the queue sends bounces
};

struct Settings {
    Protocol protocol = Protocol::smtp;
    std::string server_name = "localhost";  ///< qpsmtpd's `me`: greeting, Received field, local domain
    std::string greeting;  ///< the text after 220; "" = control file smtpgreeting, otherwise "<server_name> ESMTP
                           ///< <software> ready" (or LMTP)
    std::string software = "mod_smtpd";  ///< named in the Received field
    std::string authserv_id;             ///< of Authentication-Results (RFC 8601); "" = server_name, "none" = no field

    ExtensionSet extensions = default_extensions();  ///< those that may be announced, where they work

    std::uint64_t max_message_size = 0;  ///< octets, 0 = no limit; announced with SIZE (RFC 1870)
    unsigned max_recipients = 1000;      ///< per transaction; RFC 5321 4.5.3.1.8 requires at least 100
    unsigned max_transactions = 0;       ///< MAIL commands in a session, the next one ends it; 0 = no limit; MAILMAX of
                                         ///< LIMITS (RFC 9422)
    unsigned max_recipient_domains = 0;  ///< of accepted recipients in a session; 0 = no limit; RCPTDOMAINMAX of LIMITS
    unsigned max_errors = 20;            ///< 4xx and 5xx replies in a session before it is closed; 0 = no limit
    unsigned max_junk_commands = 100;    ///< NOOP, RSET, HELO, VRFY, HELP without a message between them; each further
                                         ///< one counts as an error
    bool ignore_unknown_parameters = false;  ///< unknown parameters of MAIL and RCPT: refused with 555 (RFC
                                             ///< 5321 4.1.1.11), or ignored as in qpsmtpd
    bool strict_addresses = false;           ///< see AddressSyntax::strict
    LocalPartCase local_part_case = LocalPartCase::insensitive;
    bool auth_without_tls = false;       ///< AUTH on unencrypted connections
    StartTls start_tls = StartTls::off;  ///< if the session's driver supports it
    bool submission = false;  ///< RFC 6409: mail of authenticated clients only, completed with Date and Message-ID
    AuthMechanismSet auth_mechanisms;  ///< those that may be offered, if a plugin serves them
    std::string scram_secret;          ///< the same in all processes of the server; used for the salts of unknown users
    unsigned max_command_line = 2048;  ///< octets with CRLF; RFC 5321 4.5.3.1.4 requires at least 512, extensions
                                       ///< longest_mail_line
    std::uint64_t max_text_line = 0;  ///< octets of a line of the message without CRLF; 0 = no limit; RFC 5321 requires
                                      ///< 998
    std::uint64_t max_text_line_with_end() const noexcept { return max_text_line == 0 ? 0 : max_text_line + 2; }
    std::uint64_t max_input_backlog = 65536;  ///< how much a client may send ahead while its session is parked

    MixedResults mixed_results = MixedResults::refuse;

    std::vector<IpNetwork> trusted_proxies;  ///< networks whose XCLIENT and XFORWARD are trusted

    smtp::BareNewline bare_newline = smtp::BareNewline::reject;
    std::vector<IpNetwork> bare_newline_exempt;  ///< clients to which `accept` applies

    /// How this client's bare CR and LF are treated.
    smtp::BareNewline bare_newline_for(const IpAddress& client) const noexcept {
        return contain(bare_newline_exempt, client) ? smtp::BareNewline::accept : bare_newline;
    }
    bool is_trusted_proxy(const IpAddress& client) const noexcept { return contain(trusted_proxies, client); }

    message::SpoolSettings spool;

private:
    static bool contain(const std::vector<IpNetwork>& networks, const IpAddress& address) noexcept {
        return std::any_of(networks.begin(), networks.end(),
                           [&](const IpNetwork& network) { return network.contains(address); });
    }
};

}  // namespace smtpd::engine
