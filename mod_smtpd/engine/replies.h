/// replies.h: all texts that the engine itself sends, and the effect of each verdict at each hook.
///
/// RFC 5321 4.2 (codes), RFC 3463 and RFC 5248 (enhanced status codes). docs/hooks.md prints the same table for plugin
/// authors.
#pragma once

#include <smtpd/base/reply.h>
#include <smtpd/hooks.h>
#include <smtpd/verdict.h>

#include <string>
#include <string_view>

namespace smtpd::engine {

/// The engine's own replies, without arguments.
enum class StandardReply {
    hello_first,
    hello_needs_host,
    mail_first,
    rcpt_first,
    nested_mail,
    not_implemented,
    syntax_error,
    line_too_long,
    bare_newline_in_command,
    nul_in_command,
    bad_size,
    size_exceeded,
    bad_body,
    body_not_offered,
    bad_ret,
    bad_envid,
    bad_notify,
    bad_orcpt,
    bad_priority,
    unknown_parameter,
    needs_smtputf8,
    bad_utf8_argument,
    bad_utf8_header,
    too_many_transactions,
    too_many_domains,
    too_many_recipients,
    one_recipient_only,
    recipients_follow,
    go_ahead,
    bad_chunk_size,
    chunks_begun,
    chunk_failed_before,
    binary_needs_chunks,
    bare_newline_in_header,
    message_too_large,
    header_too_large,
    bare_lf_in_message,
    bare_cr_in_message,
    nul_in_message,
    text_line_too_long,
    spool_full,
    spool_failed,
    incomplete_message,
    reset_ok,
    noop_ok,
    too_many_errors,
    endless_line,
    idle_timeout,
    session_timeout,
    too_slow,
    shutting_down,
    foreign_protocol,
    overloaded,
    too_many_sessions,
    internal_error,
    lhlo_first,
    lhlo_needs_host,
    lmtp_spoken,
    ehlo_first,
    already_authenticated,
    auth_in_transaction,
    auth_needs_tls,
    auth_syntax,
    unknown_mechanism,
    no_initial_response,
    bad_base64,
    bad_auth_response,
    auth_cancelled,
    auth_line_too_long,
    auth_failed,
    authenticate_first,
    bad_submitter,
    tls_ready,
    tls_unavailable,
    tls_active,
    tls_syntax,
    tls_early_octets,
    encrypt_first,
    not_a_proxy
};
Reply reply(StandardReply what);

/// The consequences of the plugins' response at a hook.
struct StageResult {
    Reply reply;            ///< empty = nothing is sent
    bool proceeds = false;  ///< the command takes effect
    bool disconnects = false;
    bool is_done = false;  ///< the plugin has sent its own reply
};

/// Applies the table to a response of that hook. A code, status or text in the response is used if it fits the
/// verdict's class. `accepted` is the engine's reply if the command takes effect.
StageResult apply_response(HookId hook, const Response& response, Reply accepted);

/// A reply whose enhanced status has the class of the code.
Reply make_reply(int code, EnhancedCode enhanced, std::string text);

}  // namespace smtpd::engine
