/// path_argument.cc: first finds the end of the path (quoted strings and address literals may contain '>'), then parses
/// the parameters after it.
#include "smtp/path_argument.h"

#include "smtp/octets.h"
#include "smtp/utf8.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <optional>
#include <string>

namespace smtpd::smtp {
namespace {

/// The differences between MAIL and RCPT.
struct PathCommand {
    std::string_view prefix;
    std::string_view usage;
    EnhancedCode bad_path;
    bool may_be_empty;  // without brackets; RCPT requires an address
};

constexpr PathCommand mail_command{"FROM:", "MAIL FROM:<address> [parameters]", {5, 1, 7}, true};
constexpr PathCommand rcpt_command{"TO:", "RCPT TO:<address> [parameters]", {5, 1, 3}, false};

constexpr EnhancedCode syntax_error{5, 5, 2};
constexpr EnhancedCode bad_arguments{5, 5, 4};

Reply refuse(const EnhancedCode& status, std::string text) {
    Reply reply;
    reply.code = 501;
    reply.enhanced = status;
    reply.text = std::move(text);
    return reply;
}

/// The position after the `>` that closes the path, or nothing. A quote opens a quoted string only where a local part
/// can start, a `[` an address literal only after an `@`.
std::optional<std::size_t> path_end(std::string_view text) {
    for (std::size_t i = 1; i < text.size(); ++i) {
        const char before = text[i - 1];
        if (text[i] == '>') return i + 1;
        if (text[i] == '"' && (before == '<' || before == ':')) {
            for (++i; i < text.size() && text[i] != '"'; ++i)
                if (text[i] == '\\') ++i;
        } else if (text[i] == '[' && before == '@') {
            i = std::min(text.find(']', i), text.size());
        }
    }
    return std::nullopt;
}

bool is_keyword(std::string_view text) {
    return !text.empty() && is_alnum(text.front()) &&
           std::all_of(text.begin(), text.end(), [](char c) { return is_alnum(c) || c == '-'; });
}

bool is_value(std::string_view text, bool smtputf8) {
    const auto allowed = [smtputf8](char c) { return is_ascii(c) ? is_graphic(c) && c != '=' : smtputf8; };
    return !text.empty() && std::all_of(text.begin(), text.end(), allowed) && (!smtputf8 || is_valid_utf8(text));
}

bool is_parameter(std::string_view word, bool smtputf8) {
    const auto equals = word.find('=');
    return is_keyword(word.substr(0, equals)) &&
           (equals == std::string_view::npos || is_value(word.substr(equals + 1), smtputf8));
}

/// Parses the words of `text` into `parameters`; returns a reply if one of them is wrong.
std::optional<Reply> read_parameters(std::string_view text, bool smtputf8, Parameters& parameters) {
    for (text = trim_left(text); !text.empty(); text = trim_left(text)) {
        const auto end = static_cast<std::size_t>(std::find_if(text.begin(), text.end(), is_blank) - text.begin());
        const auto word = text.substr(0, end);
        text.remove_prefix(end);
        if (word.size() > max_parameter_octets) return refuse(bad_arguments, "Parameter too long");
        if (!is_parameter(word, smtputf8)) return refuse(bad_arguments, "Syntax error in parameters");
        if (parameters.size() == max_parameters) return refuse(bad_arguments, "Too many parameters");
        const auto equals = word.find('=');
        const auto keyword = word.substr(0, equals);
        if (parameters.has(keyword))
            return refuse(bad_arguments, format_text("Parameter {} given twice", parameters.find(keyword)->keyword));
        parameters.add(keyword, equals == std::string_view::npos ? std::nullopt
                                                                 : std::optional<std::string>(word.substr(equals + 1)));
    }
    return std::nullopt;
}

/// The start of the parameters in an argument without brackets: before the words at its end that look like parameters.
/// The first word never counts as one.
std::size_t unbracketed_path_end(std::string_view text, bool smtputf8) {
    std::size_t path = text.size();
    for (;;) {
        const auto blank = text.substr(0, path).find_last_of(" \t");
        if (blank == std::string_view::npos || !is_parameter(text.substr(blank + 1, path - blank - 1), smtputf8))
            return path;
        path = trim_right(text.substr(0, blank)).size();
    }
}

ParsedPathArgument parse_unbracketed(std::string_view text, const PathCommand& command, bool smtputf8) {
    if (text.empty() && !command.may_be_empty) return refuse(bad_arguments, format_text("Syntax: {}", command.usage));
    PathArgument argument;
    argument.bracketed = false;
    argument.path = text.substr(0, unbracketed_path_end(text, smtputf8));
    const auto at = argument.path.rfind('@');
    if (at != std::string_view::npos && argument.path.find_first_of(" \t", at) != std::string_view::npos)
        return refuse(bad_arguments, "Syntax error in parameters");
    if (auto reply = read_parameters(text.substr(argument.path.size()), smtputf8, argument.parameters)) return *reply;
    return argument;
}

ParsedPathArgument parse(std::string_view rest, const PathCommand& command, bool smtputf8) {
    if (!starts_with_folded(rest, command.prefix))
        return refuse(bad_arguments, format_text("Syntax: {}", command.usage));
    const auto text = trim_right(trim_left(rest.substr(command.prefix.size())));
    if (std::any_of(text.begin(), text.end(), [](char c) { return is_control(c) && c != '\t'; }))
        return refuse(syntax_error, "Control characters are not allowed");
    if (text.empty() || text.front() != '<') return parse_unbracketed(text, command, smtputf8);

    const auto end = path_end(text);
    if (!end) return refuse(command.bad_path, "Address has no closing >");
    if (*end < text.size() && !is_blank(text[*end]))
        return refuse(bad_arguments, "A blank is missing after the address");
    PathArgument argument;
    argument.path = text.substr(0, *end);
    if (auto reply = read_parameters(text.substr(*end), smtputf8, argument.parameters)) return *reply;
    return argument;
}

}  // namespace

ParsedPathArgument parse_mail(std::string_view rest, bool smtputf8) { return parse(rest, mail_command, smtputf8); }
ParsedPathArgument parse_rcpt(std::string_view rest, bool smtputf8) { return parse(rest, rcpt_command, smtputf8); }

Reply bad_sender_reply(std::string_view why) {
    return refuse(mail_command.bad_path, format_text("Bad sender address: {}", why));
}
Reply bad_recipient_reply(std::string_view why) {
    return refuse(rcpt_command.bad_path, format_text("Bad recipient address: {}", why));
}

}  // namespace smtpd::smtp
