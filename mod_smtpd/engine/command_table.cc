#include "engine/command_table.h"

#include <algorithm>
#include <iterator>

namespace smtpd::engine {
namespace {

using smtp::Verb;
using enum Check;

constexpr Check hello_checks[] = {is_smtp};
constexpr Check lhlo_checks[] = {is_lmtp};
constexpr Check starttls_checks[] = {starttls_on, not_encrypted, no_starttls_argument};
constexpr Check auth_checks[] = {auth_on, greeted_with_ehlo, not_authenticated, no_transaction_for_auth, auth_allowed};
constexpr Check xclient_checks[] = {xclient_on};
constexpr Check xforward_checks[] = {xforward_on};
constexpr Check mail_checks[] = {greeted, no_transaction, authenticated_for_submission};
constexpr Check rcpt_checks[] = {greeted, transaction, no_chunks};
constexpr Check data_checks[] = {no_argument, greeted, transaction, no_chunks, recipients, not_binary};
constexpr Check bdat_checks[] = {encrypted,         chunking_on, no_failed_chunk, greeted,
                                 greeted_with_ehlo, transaction, recipients};
constexpr Check plain_checks[] = {no_argument};
constexpr Check help_checks[] = {help_on};

/// If TLS is required, HELO is not allowed: a client that cannot send EHLO cannot continue.
// clang-format off
constexpr CommandRow rows[] = {
    // verb           in clear  junk   checks
    {Verb::helo,      false,    true,  hello_checks},
    {Verb::ehlo,      true,     true,  hello_checks},
    {Verb::lhlo,      true,     true,  lhlo_checks},
    {Verb::starttls,  true,     false, starttls_checks},
    {Verb::auth,      false,    false, auth_checks},
    {Verb::xclient,   false,    false, xclient_checks},
    {Verb::xforward,  false,    false, xforward_checks},
    {Verb::mail,      false,    false, mail_checks},
    {Verb::rcpt,      false,    false, rcpt_checks},
    {Verb::data,      false,    false, data_checks},
    {Verb::bdat,      false,    false, bdat_checks},
    {Verb::rset,      false,    true,  plain_checks},
    {Verb::noop,      true,     true,  {}},
    {Verb::vrfy,      false,    true,  {}},
    {Verb::help,      false,    true,  help_checks},
    {Verb::quit,      true,     false, plain_checks},
};
// clang-format on

constexpr Objection unknown{};
constexpr Objection refused(StandardReply why) { return {why}; }

bool is_proxied(const Settings& settings, Extension extension) {
    return settings.extensions.has(extension) && !settings.trusted_proxies.empty();
}

/// The reply if the check fails.
Objection complaint_of(Check check, const Situation& situation) {
    switch (check) {
        case is_smtp: return refused(StandardReply::lmtp_spoken);  // RFC 2033 4.1
        case chunking_on:
        case help_on: return refused(StandardReply::not_implemented);
        case encrypted: return refused(StandardReply::encrypt_first);
        case not_encrypted: return refused(StandardReply::tls_active);
        case no_argument: return refused(StandardReply::syntax_error);
        case no_starttls_argument: return refused(StandardReply::tls_syntax);
        case greeted: return refused(situation.is_lmtp() ? StandardReply::lhlo_first : StandardReply::hello_first);
        case greeted_with_ehlo: return refused(StandardReply::ehlo_first);
        case not_authenticated: return refused(StandardReply::already_authenticated);
        case auth_allowed: return refused(StandardReply::auth_needs_tls);
        case authenticated_for_submission: return refused(StandardReply::authenticate_first);
        case no_transaction: return refused(StandardReply::nested_mail);
        case no_transaction_for_auth: return refused(StandardReply::auth_in_transaction);
        case transaction: return refused(StandardReply::mail_first);
        case no_failed_chunk: return refused(StandardReply::chunk_failed_before);
        case no_chunks: return refused(StandardReply::chunks_begun);
        case recipients: return refused(StandardReply::rcpt_first);
        case not_binary: return refused(StandardReply::binary_needs_chunks);  // RFC 3030 3
        case is_lmtp:
        case starttls_on:
        case auth_on:
        case xclient_on:
        case xforward_on: break;
    }
    return unknown;
}

bool holds(Check check, std::string_view argument, const Situation& now) {
    switch (check) {
        case is_smtp: return !now.is_lmtp();
        case is_lmtp: return now.is_lmtp();
        case starttls_on: return now.settings.start_tls != StartTls::off;
        case auth_on: return !now.auth.empty();
        case xclient_on: return is_proxied(now.settings, Extension::xclient);
        case xforward_on: return is_proxied(now.settings, Extension::xforward);
        case chunking_on: return now.settings.extensions.has(Extension::chunking);
        case help_on: return now.settings.extensions.has(Extension::help);
        case encrypted: return !now.must_encrypt();
        case not_encrypted: return !now.is_tls;
        case no_argument:
        case no_starttls_argument: return argument.empty();
        case greeted: return now.greeted != Greeted::no;
        case greeted_with_ehlo: return now.greeted == Greeted::ehlo;
        case not_authenticated: return !now.is_authenticated;
        case auth_allowed: return now.allows_auth();
        case authenticated_for_submission: return !now.settings.submission || now.is_authenticated;
        case no_transaction:
        case no_transaction_for_auth: return !now.in_transaction;
        case transaction: return now.in_transaction;
        case no_failed_chunk: return !now.chunk_failed;
        case no_chunks: return !now.in_chunks;
        case recipients: return now.has_recipients;
        case not_binary: return !now.is_binary;
    }
    return false;
}

}  // namespace

const CommandRow* find_command(Verb verb) noexcept {
    const auto is_row = [verb](const CommandRow& one) { return one.verb == verb; };
    const auto* const row = std::find_if(std::begin(rows), std::end(rows), is_row);
    return row == std::end(rows) ? nullptr : row;
}

std::optional<Objection> objection_to(const CommandRow& command, std::string_view argument,
                                      const Situation& situation) {
    const auto fails = [&](Check check) { return !holds(check, argument, situation); };
    const auto check = std::find_if(command.checks.begin(), command.checks.end(), fails);
    if (check == command.checks.end()) return std::nullopt;
    return complaint_of(*check, situation);
}

}  // namespace smtpd::engine
