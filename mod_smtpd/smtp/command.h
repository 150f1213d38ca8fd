/// command.h: splits one command line (RFC 5321 4.1) into the verb and the rest. Nothing is copied: both are slices of
/// the line.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace smtpd::smtp {

enum class Verb : std::uint8_t {
    unknown,
    helo,
    ehlo,
    lhlo,
    mail,
    rcpt,
    data,
    bdat,
    rset,
    noop,
    vrfy,
    expn,
    etrn,
    help,
    quit,
    starttls,
    auth,
    xclient,
    xforward
};

struct Command {
    Verb verb = Verb::unknown;
    std::string_view verb_text;  ///< as written; empty if the line starts with a blank or is empty
    std::string_view rest;       ///< after the verb, without blanks at either end
};

/// Parses a line without its line end.
Command parse_command(std::string_view line) noexcept;

/// The verb in upper case ("MAIL"); "" for unknown.
std::string_view verb_name(Verb verb) noexcept;

/// The argument of HELO, EHLO and LHLO: the first word. It need not be a valid domain, and may contain non-ASCII octets
/// in any encoding, as some machines' names do. Nothing if there is no word, or if it contains a control character.
std::optional<std::string_view> host_argument(std::string_view rest) noexcept;

}  // namespace smtpd::smtp
