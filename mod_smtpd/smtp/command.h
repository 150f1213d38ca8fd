/// command.h: one command line (RFC 5321 4.1) taken apart into verb and the rest. Nothing is copied: both are slices of
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
    std::string_view verb_text;  ///< as written; empty where the line starts with a blank or is empty
    std::string_view rest;       ///< what follows the blanks behind the verb, without blanks at its end
};

/// Reads a line without its line end.
Command parse_command(std::string_view line) noexcept;

/// The verb in upper case ("MAIL"); "" for unknown.
std::string_view verb_name(Verb verb) noexcept;

/// The argument of HELO, EHLO and LHLO: the first word. It need not be a valid domain, and may have octets beyond ASCII
/// in any encoding, as the names of some machines do. Nothing if there is none, or a control character is in it.
std::optional<std::string_view> host_argument(std::string_view rest) noexcept;

}  // namespace smtpd::smtp
