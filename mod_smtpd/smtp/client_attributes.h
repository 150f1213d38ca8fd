/// client_attributes.h: the arguments of XCLIENT and XFORWARD, with which a mail server says for which client it speaks
/// (Postfix's extensions).
///
/// `NAME=mx.example.net ADDR=192.0.2.7`: names in any case, values in xtext (RFC 3461 section 4), or [UNAVAILABLE] or
/// [TEMPUNAVAIL] where the sender does not know. IPv6 addresses have "IPV6:" before them.
#pragma once

#include <smtpd/base/ip.h>
#include <smtpd/base/reply.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace smtpd::smtp {

enum class AttributeCommand { xclient, xforward };

/// No value: nothing was said. "", 0, or the unspecified address: it was said that this is not known.
struct ClientAttributes {
    std::optional<std::string> name;
    std::optional<IpAddress> address;
    std::optional<std::uint16_t> port;
    std::optional<std::string> protocol;  ///< "SMTP" or "ESMTP"
    std::optional<std::string> helo;
    std::optional<std::string> login;               ///< of XCLIENT
    std::optional<IpAddress> destination;           ///< of XCLIENT
    std::optional<std::uint16_t> destination_port;  ///< of XCLIENT
    std::optional<std::string> ident;               ///< of XFORWARD: how the message was called there
    std::optional<std::string> source;              ///< of XFORWARD: "LOCAL" or "REMOTE"
};

/// What came out, or what the client is told (501).
std::variant<ClientAttributes, Reply> parse_client_attributes(AttributeCommand command, std::string_view rest);

/// Those that are understood, for the EHLO reply: "XCLIENT NAME ADDR …".
std::string_view capability_of(AttributeCommand command) noexcept;

}  // namespace smtpd::smtp
