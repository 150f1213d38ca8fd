/// settings.h: what a server (virtual host) fixes for all its sessions: limits with their defaults, and where messages
/// are kept meanwhile.
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

/// Whether clients may, or have to, go on encrypted (RFC 3207).
enum class StartTls : std::uint8_t { off, on, required };

/// What clients speak.
enum class Protocol : std::uint8_t {
    smtp,
    lmtp  ///< RFC 2033: LHLO, and a reply for each recipient after the message
};

/// Recipients of one message with different fates, and one reply for all of them (plain SMTP): what that is.
enum class MixedResults : std::uint8_t {
    refuse,  ///< the strictest: rejected if a recipient is, otherwise deferred; no recipient gets the message
    accept,  ///< accepted if anybody gets it and nobody is deferred; who was refused does not get it, and only the log
             ///< knows
    one_by_one,  ///< there are none: a transaction has one recipient, the others are told to come later
    split        ///< as accept, and the queue sends bounces
};

struct Settings {
    Protocol protocol = Protocol::smtp;
    std::string server_name = "localhost";  ///< qpsmtpd's `me`: greeting, Received field, local domain
    std::string greeting;  ///< what follows 220; "" = control file smtpgreeting, else "<server_name> ESMTP <software>
                           ///< ready" (or LMTP)
    std::string software = "mod_smtpd";  ///< named in the Received field
    std::string authserv_id;  ///< of Authentication-Results (RFC 8601); "" = server_name, "none" = no such field

    ExtensionSet extensions = default_extensions();  ///< those that may be announced, each where it works

    std::uint64_t max_message_size = 0;  ///< octets, 0 = no limit; announced with SIZE (RFC 1870)
    unsigned max_recipients = 1000;      ///< per transaction; RFC 5321 4.5.3.1.8 asks for at least 100
    unsigned max_transactions = 0;       ///< MAIL commands in a session, the next one ends it; 0 = no limit; MAILMAX of
                                         ///< LIMITS (RFC 9422)
    unsigned max_recipient_domains = 0;  ///< of accepted recipients in a session; 0 = no limit; RCPTDOMAINMAX of LIMITS
    unsigned max_errors = 20;            ///< replies of 4xx and 5xx in a session before it is closed; 0 = no limit
    unsigned max_junk_commands = 100;    ///< NOOP, RSET, HELO, VRFY, HELP without a message between them; each further
                                         ///< one counts as an error
    bool ignore_unknown_parameters = false;  ///< unknown parameters of MAIL and RCPT: refused with 555 (RFC
                                             ///< 5321 4.1.1.11), or ignored as qpsmtpd does
    bool strict_addresses = false;           ///< see AddressSyntax::strict
    LocalPartCase local_part_case = LocalPartCase::insensitive;
    bool auth_without_tls = false;       ///< AUTH on connections that are not encrypted
    StartTls start_tls = StartTls::off;  ///< where the session's driver can do it
    bool submission = false;  ///< RFC 6409: mail of authenticated clients only, completed with Date and Message-ID
    AuthMechanismSet auth_mechanisms;  ///< those that may be offered, each where a plugin serves it
    std::string scram_secret;  ///< the same in all processes of the server: the salts of unknown users are made with it
    unsigned max_command_line = 2048;  ///< octets with CRLF; RFC 5321 4.5.3.1.4 asks for at least 512, extensions for
                                       ///< longest_mail_line
    std::uint64_t max_text_line = 0;  ///< octets of a line of the message without CRLF; 0 = no limit; RFC 5321 asks for
                                      ///< 998
    std::uint64_t max_text_line_with_end() const noexcept { return max_text_line == 0 ? 0 : max_text_line + 2; }
    std::uint64_t max_input_backlog = 65536;  ///< what a client may send ahead while its session is parked

    MixedResults mixed_results = MixedResults::refuse;

    std::vector<IpNetwork> trusted_proxies;  ///< whose XCLIENT and XFORWARD are believed

    smtp::BareNewline bare_newline = smtp::BareNewline::reject;
    std::vector<IpNetwork> bare_newline_exempt;  ///< clients to whom `accept` applies

    /// What becomes of this client's bare CR and LF.
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
