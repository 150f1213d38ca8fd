/// hooks.h: the points of the dialogue at which plugins take part, in the order in which they come.
///
/// A plugin adds handlers in its constructor, through `setup.hooks`:
///
///     setup.hooks.rcpt.decide([this](const RcptHook& hook) { return judge(hook); });        // a finding; only in a
///     PolicyPlugin setup.hooks.rcpt.add(Priority::last, [this](RcptHook& hook) { return ok(); });        // a verdict
///     setup.hooks.connect.ask([](const ConnectHook&, Questions& questions) {…}).decide(…);  // waits first, without a
///     thread setup.hooks.disconnect.observe([](const DisconnectHook& hook) {…});                   // looks on
///
/// Handlers run by priority, then in the order of the configuration. The first verdict that is not `declined` ends the
/// chain and decides. Handlers are called by many threads at a time for different sessions, never for one; a plugin
/// object is shared, so they are const in effect. What a handler gets is valid during the call only. An exception is
/// logged, counts as a fault of that plugin, and is answered with 451 4.3.0 where a client waits for an answer.
/// docs/hooks.md says for each hook what each verdict leads to.
#pragma once

#include <smtpd/base/log.h>
#include <smtpd/hook/arguments.h>
#include <smtpd/hook/point.h>
#include <smtpd/hook/traits.h>

#include <array>
#include <functional>
#include <utility>
#include <vector>

namespace smtpd {

/// All hook points of one plugin instance.
class Hooks {
    HookRegistrar& registrar_;

    template <HookId id, class Context>
    using Point = HookPoint<Context, rules_of(id)>;
    using AuthPoint = Point<HookId::auth, AuthHook>;  // the same for all mechanisms

public:
    Hooks(HookRegistrar& registrar, std::vector<std::pair<LogLevel, std::function<void(const LogLine&)>>>& log_sinks)
        : registrar_(registrar), logging(log_sinks) {}

    /// A connection was accepted; nothing is sent. deny* / denysoft*: 550 / 451 and close.
    Point<HookId::pre_connection, PreConnectionHook> pre_connection{registrar_, HookId::pre_connection};
    /// Before the greeting. ok, declined: 220. deny: 550 and close; denysoft: 450 and close.
    Point<HookId::connect, ConnectHook> connect{registrar_, HookId::connect};
    Point<HookId::helo_parse, ParseHook> helo_parse{registrar_, HookId::helo_parse};
    Point<HookId::ehlo_parse, ParseHook> ehlo_parse{registrar_, HookId::ehlo_parse};
    /// HELO / EHLO. ok, declined: 250. deny: 550; denysoft: 450; *_disconnect: the same, then close.
    Point<HookId::helo, HelloHook> helo{registrar_, HookId::helo};
    Point<HookId::ehlo, HelloHook> ehlo{registrar_, HookId::ehlo};
    Point<HookId::auth_parse, ParseHook> auth_parse{registrar_, HookId::auth_parse};
    /// AUTH, credentials in place. ok: 235, the client is authenticated and may relay. declined by all, deny: 535;
    /// denysoft: 454; deny_disconnect: 535 and close; denysoft_disconnect: 421 and close. A back end that cannot answer
    /// is denysoft, never deny or declined.
    Point<HookId::auth_plain, AuthHook> auth_plain{registrar_, HookId::auth_plain};
    Point<HookId::auth_login, AuthHook> auth_login{registrar_, HookId::auth_login};
    Point<HookId::auth_cram_md5, AuthHook> auth_cram_md5{registrar_, HookId::auth_cram_md5};
    Point<HookId::auth_scram_sha_1, AuthHook> auth_scram_sha_1{registrar_, HookId::auth_scram_sha_1};
    Point<HookId::auth_scram_sha_256, AuthHook> auth_scram_sha_256{registrar_, HookId::auth_scram_sha_256};
    Point<HookId::auth_external, AuthHook> auth_external{registrar_, HookId::auth_external};
    Point<HookId::auth_bearer, AuthHook> auth_bearer{registrar_, HookId::auth_bearer};
    Point<HookId::auth, AuthHook> auth{registrar_, HookId::auth};
    /// Those of the mechanisms: every attempt comes to exactly one of them, before `auth`.
    std::array<AuthPoint*, 7> auth_attempts() {
        return {&auth_plain,         &auth_login,    &auth_cram_md5, &auth_scram_sha_1,
                &auth_scram_sha_256, &auth_external, &auth_bearer};
    }
    /// An exchange of AUTH has ended, well or not. Observers only.
    Point<HookId::auth_result, AuthResultHook> auth_result{registrar_, HookId::auth_result};
    Point<HookId::mail_parse, ParseHook> mail_parse{registrar_, HookId::mail_parse};
    Point<HookId::mail_pre, PathHook> mail_pre{registrar_, HookId::mail_pre};
    /// MAIL. ok, declined: 250. deny: 550; denysoft: 450; deny_disconnect: 550 and close; denysoft_disconnect: 421 and
    /// close.
    Point<HookId::mail, MailHook> mail{registrar_, HookId::mail};
    Point<HookId::rcpt_parse, ParseHook> rcpt_parse{registrar_, HookId::rcpt_parse};
    Point<HookId::rcpt_pre, PathHook> rcpt_pre{registrar_, HookId::rcpt_pre};
    /// RCPT. ok: 250. declined by all: 450, nobody decided. deny: 550; denysoft: 450; *_disconnect: 550 / 421 and
    /// close.
    Point<HookId::rcpt, RcptHook> rcpt{registrar_, HookId::rcpt};
    /// DATA, with sender and recipients in place. ok, declined: 354. deny: 554; denysoft: 451; the transaction is over.
    Point<HookId::data, DataHook> data{registrar_, HookId::data};
    /// The message while it arrives.
    StreamPoint data_chunk{registrar_};
    /// The header block is complete. *_disconnect: 554 / 421 and close in mid-message; deny, denysoft: refused with 552
    /// / 452 at the end of data.
    Point<HookId::data_headers_end, MessageHook> data_headers_end{registrar_, HookId::data_headers_end};
    /// The message is complete, before the engine adds its fields. deny: 552; denysoft: 452.
    Point<HookId::data_post_headers, DataPostHook> data_post_headers{registrar_, HookId::data_post_headers};
    Point<HookId::received_line, ReceivedLineHook> received_line{registrar_, HookId::received_line};
    /// The message with the engine's fields. ok: on to the queue. deny: 552; denysoft: 452; *_disconnect: the same,
    /// then close.
    Point<HookId::data_post, DataPostHook> data_post{registrar_, HookId::data_post};
    /// Each recipient, with the message known. ok, declined: it is to have it. deny: 550 for it; denysoft: 450 for it;
    /// *_disconnect: the same, and the connection is closed when all is answered. How a client is told:
    /// docs/recipients.md.
    Point<HookId::data_post_rcpt, DataPostRcptHook> data_post_rcpt{registrar_, HookId::data_post_rcpt};
    Point<HookId::queue_pre, DataPostHook> queue_pre{registrar_, HookId::queue_pre};
    /// Who takes the message? Each recipient gets a fate: delivered: 250; rejected: 552; deferred: 452. not_mine() by
    /// all: 451.
    Point<HookId::queue, const Delivery> queue{registrar_, HookId::queue};
    Point<HookId::queue_post, QueuePostHook> queue_post{registrar_, HookId::queue_post};
    /// A transaction is dropped, finished or not. Observers only.
    Point<HookId::reset_transaction, MessageHook> reset_transaction{registrar_, HookId::reset_transaction};
    Point<HookId::vrfy, CommandHook> vrfy{registrar_, HookId::vrfy};
    Point<HookId::noop, CommandHook> noop{registrar_, HookId::noop};
    Point<HookId::help, CommandHook> help{registrar_, HookId::help};
    /// deny: 500; deny_disconnect: 521 and close; else 500.
    Point<HookId::unrecognized_command, UnrecognizedHook> unrecognized_command{registrar_,
                                                                               HookId::unrecognized_command};
    Point<HookId::quit, QuitHook> quit{registrar_, HookId::quit};
    Point<HookId::disconnect, DisconnectHook> disconnect{registrar_, HookId::disconnect};
    Point<HookId::post_connection, PostConnectionHook> post_connection{registrar_, HookId::post_connection};
    Point<HookId::deny, VerdictHook> deny{registrar_, HookId::deny};
    Point<HookId::ok, VerdictHook> ok{registrar_, HookId::ok};
    Point<HookId::config, ConfigHook> config{registrar_, HookId::config};
    Point<HookId::user_config, ConfigHook> user_config{registrar_, HookId::user_config};
    LoggingPoint logging;
};

}  // namespace smtpd
