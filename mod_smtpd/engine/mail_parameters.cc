#include "engine/mail_parameters.h"

#include "engine/replies.h"
#include "smtp/octets.h"
#include "smtp/utf8.h"
#include "smtp/xtext.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace smtpd::engine {
namespace {

using smtp::equals_folded;

bool is_ascii_only(std::string_view text) { return std::all_of(text.begin(), text.end(), smtp::is_ascii); }
/// Graphic characters and white space: allowed in a report (RFC 3461 4.2, 4.4).
bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return smtp::is_graphic(c) || smtp::is_blank(c); });
}

using Refusal = std::optional<StandardReply>;
constexpr Refusal accepted = std::nullopt;

/// RFC 1870 3: up to 20 digits, which may exceed 64 bits; 0 means unspecified.
std::optional<std::uint64_t> parse_size(std::string_view digits) {
    if (digits.empty() || digits.size() > 20 || !std::all_of(digits.begin(), digits.end(), smtp::is_digit))
        return std::nullopt;
    return support::parse_unsigned(digits).value_or(std::numeric_limits<std::uint64_t>::max());
}

// ---- MAIL

struct MailContext {
    std::string_view value;
    const ParameterRules& rules;
    MailTransaction& transaction;
};

/// RFC 1870 6.1: refuses now what would be refused later.
Refusal take_size(const MailContext& mail) {
    const auto octets = parse_size(mail.value);
    if (!octets) return StandardReply::bad_size;
    if (mail.rules.max_message_size != 0 && *octets > mail.rules.max_message_size) return StandardReply::size_exceeded;
    if (!message::has_room(mail.rules.spool, *octets)) return StandardReply::spool_full;
    mail.transaction.envelope().declared_size = *octets;
    return accepted;
}

/// RFC 6152 2, RFC 3030 3.
Refusal take_body(const MailContext& mail) {
    if (equals_folded(mail.value, "7BIT")) return accepted;
    if (equals_folded(mail.value, "8BITMIME")) {
        mail.transaction.envelope().body_type = BodyType::eight_bit_mime;
        return accepted;
    }
    if (!equals_folded(mail.value, "BINARYMIME")) return StandardReply::bad_body;
    if (!mail.rules.offered.has(Extension::binary_mime)) return StandardReply::body_not_offered;
    mail.transaction.envelope().body_type = BodyType::binary_mime;
    return accepted;
}

/// RFC 6531 3.4.
Refusal take_smtputf8(const MailContext& mail) {
    mail.transaction.envelope().is_smtputf8 = true;
    return accepted;
}

/// RFC 4954 5: the submitter as xtext, or <>. With SMTPUTF8 it may be an address in UTF-8 (RFC 6531 3.1).
Refusal take_submitter(const MailContext& mail) {
    const auto text = smtp::from_xtext(mail.value);
    if (!text) return StandardReply::bad_submitter;
    if (*text == "<>") {
        mail.transaction.envelope().submitter = Address();
        return accepted;
    }
    AddressSyntax syntax = mail.rules.address_syntax;
    syntax.smtputf8 = mail.transaction.envelope().is_smtputf8;
    auto address = Address::parse(*text, syntax);
    if (!address) return StandardReply::bad_submitter;
    mail.transaction.envelope().submitter = mail.rules.believes_submitter ? std::move(*address) : Address();
    return accepted;
}

/// RFC 3461 4.3.
Refusal take_ret(const MailContext& mail) {
    if (equals_folded(mail.value, "FULL")) mail.transaction.envelope().dsn_return = DsnReturn::full;
    else if (equals_folded(mail.value, "HDRS")) mail.transaction.envelope().dsn_return = DsnReturn::headers;
    else return StandardReply::bad_ret;
    return accepted;
}

/// RFC 3461 4.4.
Refusal take_envid(const MailContext& mail) {
    constexpr std::size_t longest = 100;
    auto id = smtp::from_xtext(mail.value);
    if (!id || id->empty() || mail.value.size() > longest || !is_printable(*id)) return StandardReply::bad_envid;
    mail.transaction.envelope().id = std::move(*id);
    return accepted;
}

/// RFC 8689 4.2.
Refusal take_require_tls(const MailContext& mail) {
    mail.transaction.envelope().requires_tls = true;
    return accepted;
}

/// RFC 6710 4.1, 5: a request alone does not give a client priority.
Refusal take_priority(const MailContext& mail) {
    const auto priority = parse_priority(mail.value);
    if (!priority) return StandardReply::bad_priority;
    mail.transaction.set_priority(mail.rules.grants_priority ? *priority : std::min(*priority, 0));
    return accepted;
}

Refusal take_prdr(const MailContext& mail) {
    mail.transaction.set_prdr();
    return accepted;
}

// ---- RCPT

struct RcptContext {
    std::string_view value;
    bool is_smtputf8;
    Recipient& recipient;
};

/// RFC 3461 4.1: NEVER, or any of the others.
Refusal take_notify(const RcptContext& rcpt) {
    Notify notify;
    if (!equals_folded(rcpt.value, "NEVER")) {
        for (std::string_view rest = rcpt.value;;) {
            const auto comma = rest.find(',');
            const auto word = rest.substr(0, comma);
            if (equals_folded(word, "SUCCESS")) notify.success = true;
            else if (equals_folded(word, "FAILURE")) notify.failure = true;
            else if (equals_folded(word, "DELAY")) notify.delay = true;
            else return StandardReply::bad_notify;
            if (comma == std::string_view::npos) break;
            rest.remove_prefix(comma + 1);
        }
    }
    rcpt.recipient.set_notify(notify);
    return accepted;
}

/// RFC 3461 4.2, and for addresses of type utf-8 RFC 6533 3. The type is an atom (RFC 3464 2.1.2).
Refusal take_orcpt(const RcptContext& rcpt) {
    constexpr std::size_t longest = 500;
    const auto semicolon = rcpt.value.find(';');
    const auto type = rcpt.value.substr(0, semicolon);
    const auto is_type_character = [](char c) {
        return smtp::is_graphic(c) && std::string_view("()<>@,;:\\\"/[]?=+").find(c) == std::string_view::npos;
    };
    if (semicolon == std::string_view::npos || type.empty() || rcpt.value.size() > longest ||
        !std::all_of(type.begin(), type.end(), is_type_character))
        return StandardReply::bad_orcpt;
    const auto encoded = rcpt.value.substr(semicolon + 1);
    const bool is_utf8 = equals_folded(type, "utf-8");
    auto address = is_utf8 ? smtp::from_utf8_xtext(encoded, rcpt.is_smtputf8) : smtp::from_xtext(encoded);
    if (!address || address->empty() || (!is_utf8 && !is_printable(*address))) return StandardReply::bad_orcpt;
    rcpt.recipient.set_original_recipient(OriginalRecipient{std::string(type), std::move(*address)});
    return accepted;
}

// ---- the tables

template <class Context>
struct Row {
    std::string_view keyword;
    ExtensionSet extensions;  ///< the parameter belongs to any of them
    bool has_value;
    Refusal (*take)(const Context&);
    StandardReply bad_value = StandardReply::syntax_error;  ///< also for a missing or a superfluous value
};

/// In the order of the checks: parameters that others depend on come first.
constexpr Row<MailContext> mail_rows[] = {
    {"SMTPUTF8", {Extension::smtputf8}, false, take_smtputf8},
    {"SIZE", {Extension::size}, true, take_size, StandardReply::bad_size},
    {"BODY", {Extension::eight_bit_mime, Extension::binary_mime}, true, take_body, StandardReply::bad_body},
    {"AUTH", {Extension::auth}, true, take_submitter, StandardReply::bad_submitter},
    {"RET", {Extension::dsn}, true, take_ret, StandardReply::bad_ret},
    {"ENVID", {Extension::dsn}, true, take_envid, StandardReply::bad_envid},
    {"REQUIRETLS", {Extension::require_tls}, false, take_require_tls},
    {"MT-PRIORITY", {Extension::mt_priority}, true, take_priority, StandardReply::bad_priority},
    {"PRDR", {Extension::prdr}, false, take_prdr},
};

constexpr Row<RcptContext> rcpt_rows[] = {
    {"NOTIFY", {Extension::dsn}, true, take_notify, StandardReply::bad_notify},
    {"ORCPT", {Extension::dsn}, true, take_orcpt, StandardReply::bad_orcpt},
};

template <class Context, std::size_t count>
bool is_known(const Row<Context> (&rows)[count], const Parameter& parameter, const ParameterRules& rules) {
    return std::any_of(std::begin(rows), std::end(rows), [&](const auto& row) {
        return row.keyword == parameter.keyword && rules.offered.has_any(row.extensions);
    });
}

/// Iterates over the table instead of the parameters, each of which occurs at most once.
template <class Context, std::size_t count, class MakeContext>
std::optional<Reply> take(const Row<Context> (&rows)[count], const Parameters& parameters, const ParameterRules& rules,
                          bool is_smtputf8, MakeContext context) {
    if (parameters.empty()) return std::nullopt;
    for (const auto& parameter : parameters) {
        if (!rules.ignores_unknown && !is_known(rows, parameter, rules)) return reply(StandardReply::unknown_parameter);
        if (!is_smtputf8 && parameter.value && !is_ascii_only(*parameter.value))
            return reply(StandardReply::syntax_error);
    }
    for (const auto& row : rows) {
        const auto* const parameter = rules.offered.has_any(row.extensions) ? parameters.find(row.keyword) : nullptr;
        if (parameter == nullptr) continue;
        if (parameter->value.has_value() != row.has_value) return reply(row.bad_value);
        const auto refusal = row.take(
            context(row.has_value ? std::string_view(*parameter->value) : std::string_view()));
        if (refusal) return reply(*refusal);
    }
    return std::nullopt;
}

}  // namespace

std::optional<int> parse_priority(std::string_view text) noexcept {
    const bool is_negative = text.starts_with('-');
    if (is_negative) text.remove_prefix(1);
    if (text.size() != 1 || !smtp::is_digit(text.front()) || (is_negative && text.front() == '0')) return std::nullopt;
    const int value = text.front() - '0';
    return is_negative ? -value : value;
}

std::optional<Reply> take_mail_parameters(const ParameterRules& rules, MailTransaction& transaction) {
    const auto& parameters = transaction.envelope().parameters;
    const bool is_smtputf8 = rules.offered.has(Extension::smtputf8) && parameters.has("SMTPUTF8");
    return take(mail_rows, parameters, rules, is_smtputf8, [&](std::string_view value) {
        return MailContext{value, rules, transaction};
    });
}

std::optional<Reply> take_rcpt_parameters(const ParameterRules& rules, bool is_smtputf8, Recipient& recipient) {
    return take(rcpt_rows, recipient.parameters(), rules, is_smtputf8, [&](std::string_view value) {
        return RcptContext{value, is_smtputf8, recipient};
    });
}

}  // namespace smtpd::engine
