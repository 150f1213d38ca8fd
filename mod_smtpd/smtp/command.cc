/// command.cc: compares verbs as numbers: at most eight letters, folded and packed into 64 bits.
#include "smtp/command.h"

#include "smtp/octets.h"

#include <algorithm>

namespace smtpd::smtp {
namespace {

constexpr std::size_t longest_verb = 8;

/// Folds the letters. Longer words give 0, which no verb has; leading NULs are invisible, so sizes must be compared
/// too.
constexpr std::uint64_t packed(std::string_view word) noexcept {
    if (word.size() > longest_verb) return 0;
    std::uint64_t value = 0;
    for (const char c : word) value = value << 8U | static_cast<unsigned char>(to_upper(c));
    return value;
}

struct NamedVerb {
    constexpr NamedVerb(Verb which, std::string_view upper_case)
        : verb(which), name(upper_case), number(packed(upper_case)) {}
    Verb verb;
    std::string_view name;
    std::uint64_t number;
};

/// The most frequent ones first.
constexpr NamedVerb verbs[] = {
    NamedVerb(Verb::mail, "MAIL"),         NamedVerb(Verb::rcpt, "RCPT"),       NamedVerb(Verb::data, "DATA"),
    NamedVerb(Verb::ehlo, "EHLO"),         NamedVerb(Verb::quit, "QUIT"),       NamedVerb(Verb::rset, "RSET"),
    NamedVerb(Verb::helo, "HELO"),         NamedVerb(Verb::noop, "NOOP"),       NamedVerb(Verb::bdat, "BDAT"),
    NamedVerb(Verb::starttls, "STARTTLS"), NamedVerb(Verb::auth, "AUTH"),       NamedVerb(Verb::lhlo, "LHLO"),
    NamedVerb(Verb::vrfy, "VRFY"),         NamedVerb(Verb::expn, "EXPN"),       NamedVerb(Verb::etrn, "ETRN"),
    NamedVerb(Verb::help, "HELP"),         NamedVerb(Verb::xclient, "XCLIENT"), NamedVerb(Verb::xforward, "XFORWARD"),
};

Verb find_verb(std::string_view word) noexcept {
    const auto wanted = packed(word);
    for (const auto& candidate : verbs)
        if (candidate.number == wanted && candidate.name.size() == word.size()) return candidate.verb;
    return Verb::unknown;
}

}  // namespace

Command parse_command(std::string_view line) noexcept {
    const auto end = static_cast<std::size_t>(std::find_if(line.begin(), line.end(), is_blank) - line.begin());
    const auto word = line.substr(0, end);
    return {find_verb(word), word, trim_right(trim_left(line.substr(end)))};
}

std::string_view verb_name(Verb verb) noexcept {
    const auto* found = std::find_if(std::begin(verbs), std::end(verbs),
                                     [verb](const auto& v) { return v.verb == verb; });
    return found == std::end(verbs) ? std::string_view() : found->name;
}

std::optional<std::string_view> host_argument(std::string_view rest) noexcept {
    const auto end = static_cast<std::size_t>(std::find_if(rest.begin(), rest.end(), is_blank) - rest.begin());
    const auto word = rest.substr(0, end);
    const auto is_possible = [](char c) { return is_graphic(c) || !is_ascii(c); };
    if (word.empty() || !std::all_of(word.begin(), word.end(), is_possible)) return std::nullopt;
    return word;
}

}  // namespace smtpd::smtp
