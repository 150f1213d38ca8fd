/// path_argument.h: what follows MAIL and RCPT: `FROM:<path>` or `TO:<path>`, then ESMTP parameters (RFC 5321 4.1.2).
///
/// The path is found, not judged: Address::parse_path() does that, after the plugins had a chance to mend it. Lenient
/// where clients are known to be: any case, blanks behind the colon, more than one blank between parameters, and a path
/// without its brackets, which is handed on marked as such. Without brackets, parameters are what looks like one at the
/// end of the line; the rest is the path.
#pragma once

#include <smtpd/base/parameters.h>
#include <smtpd/base/reply.h>

#include <string_view>
#include <variant>

namespace smtpd::smtp {

inline constexpr std::size_t max_parameters = 32;
inline constexpr std::size_t max_parameter_octets = 1024;  ///< of one: keyword, '=' and value

struct PathArgument {
    std::string_view path;  ///< a slice of the line: `<…>`, or without brackets; perhaps empty for MAIL, never for RCPT
    bool bracketed = true;
    Parameters parameters;
};

/// What came out: the argument, or what the client is told.
using ParsedPathArgument = std::variant<PathArgument, Reply>;

/// `rest` is Command::rest. With `smtputf8` parameter values may be UTF-8 (RFC 6531 3.3).
ParsedPathArgument parse_mail(std::string_view rest, bool smtputf8 = false);
ParsedPathArgument parse_rcpt(std::string_view rest, bool smtputf8 = false);

/// The replies to a path that Address::parse_path() refused with `why`.
Reply bad_sender_reply(std::string_view why);
Reply bad_recipient_reply(std::string_view why);

}  // namespace smtpd::smtp
