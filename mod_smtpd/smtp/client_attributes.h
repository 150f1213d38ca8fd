/// client_attributes.h: the arguments of XCLIENT and XFORWARD, with which a mail server announces the client that it
/// speaks for (Postfix's extensions).
///
/// `NAME=mx.example.net ADDR=192.0.2.7`: names in any case, values in xtext (RFC 3461 section 4), or [UNAVAILABLE] or
/// [TEMPUNAVAIL] if the sender does not know the value. IPv6 addresses have the prefix "IPV6:".
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

/// No value: the attribute was not sent. "", 0, or the unspecified address: it was sent as unknown.
struct ClientAttributes {
    std::optional<std::string> name;
    std::optional<IpAddress> address;
    std::optional<std::uint16_t> port;
    std::optional<std::string> protocol;  ///< "SMTP" or "ESMTP"
    std::optional<std::string> helo;
    std::optional<std::string> login;               ///< XCLIENT only
    std::optional<IpAddress> destination;           ///< XCLIENT only
    std::optional<std::uint16_t> destination_port;  ///< XCLIENT only
    std::optional<std::string> ident;               ///< XFORWARD only: the message's id there
    std::optional<std::string> source;              ///< XFORWARD only: "LOCAL" or "REMOTE"
};

/// The attributes, or the reply for the client (501).
std::variant<ClientAttributes, Reply> parse_client_attributes(AttributeCommand command, std::string_view rest);

/// The supported attributes, for the EHLO reply: "XCLIENT NAME ADDR …".
std::string_view capability_of(AttributeCommand command) noexcept;

}  // namespace smtpd::smtp
