/// path_argument.h: the argument of MAIL and RCPT: `FROM:<path>` or `TO:<path>`, then ESMTP parameters (RFC 5321
/// 4.1.2).
///
/// The path is located, but not checked: Address::parse_path() does that after plugins had a chance to repair it. The
/// parser accepts what clients are known to send: any case, blanks after the colon, more than one blank between
/// parameters, and a path without brackets, which is marked as such. Without brackets, the words at the end of the line
/// that look like parameters are parameters; the rest is the path.
#pragma once

#include <smtpd/base/parameters.h>
#include <smtpd/base/reply.h>

#include <string_view>
#include <variant>

namespace smtpd::smtp {

inline constexpr std::size_t max_parameters = 32;
inline constexpr std::size_t max_parameter_octets = 1024;  ///< of one parameter: keyword, '=' and value

struct PathArgument {
    std::string_view path;  ///< a slice of the line: `<…>`, or without brackets; may be empty for MAIL, never for RCPT
    bool bracketed = true;
    Parameters parameters;
};

/// The argument, or the reply for the client.
using ParsedPathArgument = std::variant<PathArgument, Reply>;

/// `rest` is Command::rest. With `smtputf8`, parameter values may be UTF-8 (RFC 6531 3.3).
ParsedPathArgument parse_mail(std::string_view rest, bool smtputf8 = false);
ParsedPathArgument parse_rcpt(std::string_view rest, bool smtputf8 = false);

/// The replies to a path that Address::parse_path() rejected with `why`.
Reply bad_sender_reply(std::string_view why);
Reply bad_recipient_reply(std::string_view why);

}  // namespace smtpd::smtp
