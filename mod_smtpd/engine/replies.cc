#include "engine/replies.h"

#include <array>
#include <iterator>

namespace smtpd::engine {
namespace {

struct Text {
    int code;
    EnhancedCode enhanced;
    const char* text;
};

constexpr Text text_of(StandardReply what) {
    switch (what) {
        case StandardReply::hello_first: return {503, {5, 5, 1}, "Send HELO or EHLO first"};
        case StandardReply::hello_needs_host:
            return {501, {5, 5, 4}, "HELO and EHLO need your name or address literal (RFC 5321 4.1.1.1)"};
        case StandardReply::mail_first: return {503, {5, 5, 1}, "Send MAIL first"};
        case StandardReply::rcpt_first: return {503, {5, 5, 1}, "Send RCPT first; there is no valid recipient"};
        case StandardReply::nested_mail: return {503, {5, 5, 1}, "A transaction is open; end it with DATA or RSET"};
        case StandardReply::not_implemented: return {502, {5, 5, 1}, "Command not implemented"};
        case StandardReply::syntax_error: return {501, {5, 5, 4}, "Syntax error in parameters"};
        case StandardReply::line_too_long: return {500, {5, 5, 2}, "Line too long"};
        case StandardReply::bare_newline_in_command:
            return {500, {5, 5, 2}, "Lines end with CRLF; a CR or LF alone is refused"};
        case StandardReply::nul_in_command: return {500, {5, 5, 2}, "NUL in a command is refused"};
        case StandardReply::bad_size: return {501, {5, 5, 4}, "SIZE needs a number"};
        case StandardReply::size_exceeded: return {552, {5, 3, 4}, "Message is larger than this server accepts"};
        case StandardReply::bad_body: return {501, {5, 5, 4}, "BODY is 7BIT, 8BITMIME or BINARYMIME"};
        case StandardReply::body_not_offered: return {504, {5, 5, 4}, "This BODY is not offered here"};
        case StandardReply::bad_ret: return {501, {5, 5, 4}, "RET is FULL or HDRS"};
        case StandardReply::bad_envid:
            return {501, {5, 5, 4}, "ENVID needs printable characters as xtext, 100 at most"};
        case StandardReply::bad_notify:
            return {501, {5, 5, 4}, "NOTIFY is NEVER alone, or SUCCESS, FAILURE and DELAY separated by commas"};
        case StandardReply::bad_orcpt:
            return {501, {5, 5, 4}, "ORCPT needs a type, a semicolon and an address as xtext, 500 characters at most"};
        case StandardReply::bad_priority: return {501, {5, 5, 4}, "MT-PRIORITY needs a number from -9 to 9"};
        case StandardReply::unknown_parameter: return {555, {5, 5, 4}, "Unknown parameter"};
        case StandardReply::needs_smtputf8: return {553, {5, 6, 7}, "Non-ASCII addresses need SMTPUTF8 with MAIL"};
        case StandardReply::bad_utf8_argument: return {501, {5, 5, 4}, "This is not valid UTF-8"};
        case StandardReply::bad_utf8_header:
            return {554, {5, 6, 0}, "Header of the message is not valid UTF-8 (RFC 6532)"};
        case StandardReply::too_many_transactions:
            return {421, {4, 7, 0}, "Too many transactions in one session, try again later"};
        case StandardReply::too_many_domains:
            return {452, {4, 5, 3}, "Too many recipient domains in one session, try again later"};
        case StandardReply::too_many_recipients: return {452, {4, 5, 3}, "Too many recipients"};
        case StandardReply::one_recipient_only:
            return {452, {4, 5, 3}, "One recipient at a time, send to the others afterwards"};
        case StandardReply::recipients_follow: return {353, {}, "A reply for each recipient follows"};
        case StandardReply::go_ahead: return {354, {}, "Go ahead, end with <CRLF>.<CRLF>"};
        case StandardReply::bad_chunk_size:
            return {501,
                    {5, 5, 4},
                    "Syntax: BDAT size [LAST]; closing connection, because the end of the chunk is unknown"};
        case StandardReply::chunks_begun:
            return {503, {5, 5, 1}, "The message has begun with BDAT; end it with BDAT or RSET"};
        case StandardReply::chunk_failed_before:
            return {503, {5, 5, 1}, "An earlier chunk was refused, and so is the message"};
        case StandardReply::binary_needs_chunks: return {503, {5, 5, 1}, "BODY=BINARYMIME needs BDAT"};
        case StandardReply::bare_newline_in_header:
            return {554, {5, 6, 0}, "Header of the message contains a bare CR or LF, or NUL"};
        case StandardReply::message_too_large: return {552, {5, 3, 4}, "Message is too large"};
        case StandardReply::header_too_large: return {552, {5, 3, 4}, "Header of the message is too large"};
        case StandardReply::bare_lf_in_message:
            return {554, {5, 6, 0}, "Message contains a bare LF; lines end with CRLF (RFC 5321 2.3.8)"};
        case StandardReply::bare_cr_in_message:
            return {554, {5, 6, 0}, "Message contains a bare CR; lines end with CRLF (RFC 5321 2.3.8)"};
        case StandardReply::nul_in_message: return {554, {5, 6, 0}, "Message contains a NUL"};
        case StandardReply::text_line_too_long: return {554, {5, 6, 0}, "Message contains a line that is too long"};
        case StandardReply::spool_full: return {452, {4, 3, 1}, "Insufficient storage, try again later"};
        case StandardReply::spool_failed: return {451, {4, 3, 0}, "Local error in processing, try again later"};
        case StandardReply::incomplete_message:
            return {451, {4, 4, 2}, "Connection ended inside the message; nothing was accepted"};
        case StandardReply::reset_ok: return {250, {2, 0, 0}, "OK"};
        case StandardReply::noop_ok: return {250, {2, 0, 0}, "OK"};
        case StandardReply::too_many_errors: return {421, {4, 7, 0}, "Too many errors, closing connection"};
        case StandardReply::endless_line: return {421, {4, 7, 0}, "Line is much too long, closing connection"};
        case StandardReply::idle_timeout: return {421, {4, 4, 2}, "Timeout, closing connection"};
        case StandardReply::session_timeout: return {421, {4, 4, 2}, "Session took too long, closing connection"};
        case StandardReply::too_slow: return {421, {4, 4, 2}, "Data arrives too slowly, closing connection"};
        case StandardReply::shutting_down: return {421, {4, 3, 2}, "Server is stopping or restarting, try again"};
        case StandardReply::foreign_protocol: return {554, {5, 5, 1}, "This is an SMTP server, closing connection"};
        case StandardReply::overloaded: return {421, {4, 3, 2}, "Too many connections, try again later"};
        case StandardReply::too_many_sessions:
            return {421, {4, 7, 0}, "Too many connections from your address, try again later"};
        case StandardReply::internal_error: return {421, {4, 3, 0}, "Internal error, closing connection"};
        case StandardReply::lhlo_first: return {503, {5, 5, 1}, "Send LHLO first"};
        case StandardReply::lhlo_needs_host:
            return {501, {5, 5, 4}, "LHLO needs your name or address literal (RFC 2033 4.1)"};
        case StandardReply::lmtp_spoken: return {500, {5, 5, 1}, "This is LMTP (RFC 2033), send LHLO"};
        case StandardReply::ehlo_first: return {503, {5, 5, 1}, "Send EHLO first"};
        case StandardReply::already_authenticated: return {503, {5, 5, 1}, "Already authenticated"};
        case StandardReply::auth_in_transaction:
            return {503, {5, 5, 1}, "AUTH is not allowed in a transaction; end it with DATA or RSET"};
        case StandardReply::auth_needs_tls: return {538, {5, 7, 11}, "Encryption is required for authentication"};
        case StandardReply::auth_syntax: return {501, {5, 5, 4}, "Syntax: AUTH mechanism [initial response]"};
        case StandardReply::unknown_mechanism: return {504, {5, 5, 4}, "Unknown authentication mechanism"};
        case StandardReply::no_initial_response:
            return {501, {5, 7, 0}, "This mechanism begins with the server's challenge"};
        case StandardReply::bad_base64: return {501, {5, 5, 2}, "Cannot decode this as base64"};
        case StandardReply::bad_auth_response: return {501, {5, 5, 2}, "Not a response of this mechanism"};
        case StandardReply::not_a_proxy: return {550, {5, 7, 0}, "Only for trusted proxies"};
        case StandardReply::auth_cancelled: return {501, {5, 7, 0}, "Authentication cancelled"};
        case StandardReply::auth_line_too_long: return {500, {5, 5, 6}, "Authentication exchange line is too long"};
        case StandardReply::auth_failed: return {535, {5, 7, 8}, "Authentication failed"};
        case StandardReply::authenticate_first: return {530, {5, 7, 0}, "Authentication required"};
        case StandardReply::bad_submitter: return {501, {5, 5, 4}, "AUTH needs an address as xtext, or <>"};
        case StandardReply::tls_ready: return {220, {2, 0, 0}, "Ready to start TLS"};
        case StandardReply::tls_unavailable: return {454, {4, 7, 0}, "TLS is not available now, try again later"};
        case StandardReply::tls_active: return {503, {5, 5, 1}, "TLS is active already"};
        case StandardReply::tls_syntax: return {501, {5, 5, 4}, "STARTTLS has no parameters"};
        case StandardReply::tls_early_octets:
            return {554, {5, 5, 1}, "Nothing may follow STARTTLS before the handshake, closing connection"};
        case StandardReply::encrypt_first: return {530, {5, 7, 0}, "Send STARTTLS first"};
    }
    return {421, {4, 3, 0}, "Internal error, closing connection"};
}

/// The effect of one verdict at one hook.
struct Row {
    enum class Effect : std::uint8_t { proceed, refuse, close, ignore } effect = Effect::refuse;
    int code = 0;  ///< 0 with `proceed`: the engine's own positive reply
    EnhancedCode enhanced;
    const char* text = "";
    bool uses_text = true;  ///< whether the plugin's text, code and status are used
};
using Effect = Row::Effect;

struct Rows {
    Row ok, declined, deny, denysoft, deny_disconnect, denysoft_disconnect;
};

constexpr Row proceed{Effect::proceed, 0, {}, "", true};
constexpr Row proceed_silently{Effect::proceed, 0, {}, "", false};
constexpr Row ignored{Effect::ignore, 0, {}, "", true};
constexpr Row refuse(int code, EnhancedCode enhanced, const char* text) {
    return {Effect::refuse, code, enhanced, text, true};
}
constexpr Row close(int code, EnhancedCode enhanced, const char* text) {
    return {Effect::close, code, enhanced, text, true};
}

constexpr EnhancedCode hard{5, 7, 1};
constexpr EnhancedCode soft{4, 7, 1};

constexpr Rows denials(Row deny, Row denysoft, Row deny_disconnect, Row denysoft_disconnect) {
    return {proceed, proceed_silently, deny, denysoft, deny_disconnect, denysoft_disconnect};
}

constexpr Rows message_rows(const char* deny, const char* denysoft) {
    return denials(refuse(552, hard, deny), refuse(452, soft, denysoft), close(552, hard, deny),
                   close(452, soft, denysoft));
}

constexpr Rows rows_of(HookId hook) {
    switch (hook) {
        case HookId::pre_connection:
            return denials(close(550, hard, "Service is not available for you"), close(451, soft, "Try again later"),
                           close(550, hard, "Service is not available for you"), close(451, soft, "Try again later"));
        case HookId::connect:
            return denials(close(550, hard, "Connection denied"), close(450, soft, "Connection temporarily denied"),
                           close(550, hard, "Connection denied"), close(450, soft, "Connection temporarily denied"));
        case HookId::helo:
        case HookId::ehlo:
            return denials(refuse(550, hard, "Greeting refused"), refuse(450, soft, "Greeting temporarily refused"),
                           close(550, hard, "Greeting refused"), close(450, soft, "Greeting temporarily refused"));
        case HookId::auth_plain:
        case HookId::auth_login:
        case HookId::auth_cram_md5:
        case HookId::auth_scram_sha_1:
        case HookId::auth_scram_sha_256:
        case HookId::auth_external:
        case HookId::auth_bearer:
        case HookId::auth: {
            constexpr EnhancedCode hard_failure{5, 7, 8};
            constexpr EnhancedCode soft_failure{4, 7, 0};
            Rows rows = denials(refuse(535, hard_failure, "Authentication failed"),
                                refuse(454, soft_failure, "Temporary authentication failure"),
                                close(535, hard_failure, "Authentication failed"),
                                close(421, soft_failure, "Temporary authentication failure"));
            rows.ok = {Effect::proceed, 235, {2, 7, 0}, "Authentication successful", true};
            rows.declined = rows.deny;  // of all handlers
            return rows;
        }
        case HookId::mail:
            return denials(refuse(550, hard, "Sender denied"), refuse(450, soft, "Sender temporarily denied"),
                           close(550, hard, "Sender denied"), close(421, soft, "Sender temporarily denied"));
        case HookId::rcpt: {
            Rows rows = denials(refuse(550, hard, "Relaying denied"), refuse(450, soft, "Relaying denied"),
                                close(550, hard, "Delivery denied"), close(421, soft, "Delivery denied"));
            rows.declined = refuse(450, soft, "No plugin decided about this recipient");
            return rows;
        }
        case HookId::data:
            return denials(refuse(554, hard, "Message denied"), refuse(451, soft, "Message temporarily denied"),
                           close(554, hard, "Message denied"), close(451, soft, "Message temporarily denied"));
        case HookId::data_headers_end: {
            Rows rows = message_rows("Message denied", "Message temporarily denied");
            rows.deny_disconnect = close(554, hard, "Message denied");
            rows.denysoft_disconnect = close(421, soft, "Message temporarily denied");
            return rows;
        }
        case HookId::data_post_rcpt: {
            constexpr Row hard_row = refuse(550, hard, "Message denied for this recipient");
            constexpr Row soft_row = refuse(450, soft, "Message temporarily denied for this recipient");
            // The connection is closed after the message's last reply.
            return denials(hard_row, soft_row, hard_row, soft_row);
        }
        case HookId::data_post_headers:
        case HookId::data_post:
        case HookId::queue_pre: return message_rows("Message denied", "Message temporarily denied");
        case HookId::queue: {
            Rows rows = message_rows("Message denied", "Message temporarily denied");
            rows.declined = refuse(451, {4, 3, 0}, "Queuing declined or disabled, try again later");
            rows.deny_disconnect = rows.denysoft_disconnect = rows.declined;
            return rows;
        }
        case HookId::unrecognized_command: {
            Row unknown = refuse(500, {5, 5, 1}, "Unrecognized command");
            Row deny = unknown;
            unknown.uses_text = false;
            return {unknown, unknown, deny, unknown, close(521, {5, 5, 1}, "Unrecognized command"), unknown};
        }
        case HookId::help:
            return {proceed,          proceed_silently, refuse(500, {5, 5, 2}, "Syntax error"),
                    proceed_silently, proceed_silently, proceed_silently};
        case HookId::vrfy:
            return {{Effect::proceed, 250, {2, 1, 5}, "User OK", true},
                    proceed_silently,
                    refuse(554, hard, "Access denied"),
                    proceed_silently,
                    proceed_silently,
                    proceed_silently};
        case HookId::noop:
            return {proceed,
                    proceed_silently,
                    refuse(500, {5, 5, 1}, "Command refused"),
                    proceed_silently,
                    close(500, {5, 5, 1}, "Command refused"),
                    proceed_silently};
        case HookId::quit: return {proceed, proceed_silently, proceed, proceed, proceed, proceed};
        case HookId::helo_parse:
        case HookId::ehlo_parse:
        case HookId::auth_parse:
        case HookId::mail_parse:
        case HookId::mail_pre:
        case HookId::rcpt_parse:
        case HookId::rcpt_pre: {
            return {proceed_silently,
                    proceed_silently,
                    refuse(501, {5, 5, 4}, "Syntax error in parameters"),
                    refuse(451, {4, 5, 0}, "Temporarily refused"),
                    close(501, {5, 5, 4}, "Syntax error in parameters"),
                    close(451, {4, 5, 0}, "Temporarily refused")};
        }
        default: return {ignored, ignored, ignored, ignored, ignored, ignored};
    }
}

const Row& row_for(const Rows& rows, Verdict verdict) {
    switch (verdict) {
        case Verdict::ok: return rows.ok;
        case Verdict::deny: return rows.deny;
        case Verdict::denysoft: return rows.denysoft;
        case Verdict::deny_disconnect: return rows.deny_disconnect;
        case Verdict::denysoft_disconnect: return rows.denysoft_disconnect;
        default: return rows.declined;
    }
}

/// Whether a plugin may use this code instead of the table's. The class stays: a temporary refusal does not become a
/// permanent one, and 421 means that the connection is closed.
bool fits(int code, const Row& row, int table_code) {
    return code / 100 == table_code / 100 && (code != 421 || row.effect == Effect::close);
}

Reply refined(const Row& row, const Response& response, Reply base) {
    if (!row.uses_text) return base;
    if (response.code != 0 && fits(response.code, row, base.code)) base.code = response.code;
    if (!response.enhanced.empty()) base.enhanced = response.enhanced;
    if (!response.text.empty()) base.text = response.text;
    return make_reply(base.code, base.enhanced, std::move(base.text));
}

}  // namespace

Reply make_reply(int code, EnhancedCode enhanced, std::string text) {
    const auto status_class = static_cast<std::uint8_t>(code / 100);
    if (status_class == 3) enhanced = {};
    else enhanced.status_class = status_class;
    return {code, enhanced, std::move(text), status_class == 3};
}

Reply reply(StandardReply what) {
    const Text text = text_of(what);
    return {text.code, text.enhanced, text.text, text.code / 100 == 3};
}

StageResult apply_response(HookId hook, const Response& response, Reply accepted) {
    if (response.verdict == Verdict::done) return {{}, hook == HookId::pre_connection, hook == HookId::quit, true};
    static const auto table = [] {
        std::array<Rows, static_cast<std::size_t>(HookId::count)> rows{};
        for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = rows_of(static_cast<HookId>(i));
        return rows;
    }();
    const Row& row = row_for(table[static_cast<std::size_t>(hook)], response.verdict);
    switch (row.effect) {
        case Effect::proceed: {
            if (row.code != 0) accepted = {row.code, row.enhanced, row.text};
            if (accepted.plain || !row.uses_text) return {std::move(accepted), true, false, false};
            return {refined(row, response, std::move(accepted)), true, false, false};
        }
        case Effect::refuse: return {refined(row, response, {row.code, row.enhanced, row.text}), false, false, false};
        case Effect::close: return {refined(row, response, {row.code, row.enhanced, row.text}), false, true, false};
        case Effect::ignore: break;
    }
    return {std::move(accepted), true, false, false};
}

}  // namespace smtpd::engine
