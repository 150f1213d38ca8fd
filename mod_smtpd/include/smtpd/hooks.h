/// hooks.h: the points of the SMTP dialogue at which plugins take part, in order.
///
/// A plugin adds handlers in its constructor, through `setup.hooks`:
///
///     // returns a finding; only in a PolicyPlugin
///     setup.hooks.rcpt.decide([this](const RcptHook& hook) { return judge(hook); });
///     // returns a verdict
///     setup.hooks.rcpt.add(Priority::last, [this](RcptHook& hook) { return ok(); });
///     // asks questions first; waiting for the answers occupies no thread
///     setup.hooks.connect.ask([](const ConnectHook&, Questions& questions) {…}).decide(…);
///     // only observes
///     setup.hooks.disconnect.observe([](const DisconnectHook& hook) {…});
///
/// Handlers run by priority, then in the order of the configuration. The first verdict other than `declined` ends the
/// chain and decides. Many threads call handlers at the same time for different sessions, but only one at a time for
/// the same session. All threads share the plugin object, so treat its members as const in handlers. A handler's
/// argument is valid during the call only. If a handler throws, the exception is logged and counts as a fault of the
/// plugin; a client that waits gets 451 4.3.0. docs/hooks.md lists, for each hook, what each verdict leads to.
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

    /// A connection was accepted; nothing has been sent. deny*: 550 and close; denysoft*: 451 and close.
    Point<HookId::pre_connection, PreConnectionHook> pre_connection{registrar_, HookId::pre_connection};
    /// Before the greeting. ok, declined: 220. deny: 550 and close; denysoft: 450 and close.
    Point<HookId::connect, ConnectHook> connect{registrar_, HookId::connect};
    Point<HookId::helo_parse, ParseHook> helo_parse{registrar_, HookId::helo_parse};
    Point<HookId::ehlo_parse, ParseHook> ehlo_parse{registrar_, HookId::ehlo_parse};
    /// HELO / EHLO. ok, declined: 250. deny: 550; denysoft: 450; *_disconnect: the same, then close.
    Point<HookId::helo, HelloHook> helo{registrar_, HookId::helo};
    Point<HookId::ehlo, HelloHook> ehlo{registrar_, HookId::ehlo};
    Point<HookId::auth_parse, ParseHook> auth_parse{registrar_, HookId::auth_parse};
    /// AUTH, with the credentials. ok: 235, the client is authenticated and may relay. deny, or declined by all: 535;
    /// denysoft: 454; deny_disconnect: 535 and close; denysoft_disconnect: 421 and close. If a back end cannot answer,
    /// return denysoft, never deny or declined.
    Point<HookId::auth_plain, AuthHook> auth_plain{registrar_, HookId::auth_plain};
    Point<HookId::auth_login, AuthHook> auth_login{registrar_, HookId::auth_login};
    Point<HookId::auth_cram_md5, AuthHook> auth_cram_md5{registrar_, HookId::auth_cram_md5};
    Point<HookId::auth_scram_sha_1, AuthHook> auth_scram_sha_1{registrar_, HookId::auth_scram_sha_1};
    Point<HookId::auth_scram_sha_256, AuthHook> auth_scram_sha_256{registrar_, HookId::auth_scram_sha_256};
    Point<HookId::auth_external, AuthHook> auth_external{registrar_, HookId::auth_external};
    Point<HookId::auth_bearer, AuthHook> auth_bearer{registrar_, HookId::auth_bearer};
    Point<HookId::auth, AuthHook> auth{registrar_, HookId::auth};
    /// The hooks of the mechanisms: every attempt runs exactly one of them, before `auth`.
    std::array<AuthPoint*, 7> auth_attempts() {
        return {&auth_plain,         &auth_login,    &auth_cram_md5, &auth_scram_sha_1,
                &auth_scram_sha_256, &auth_external, &auth_bearer};
    }
    /// An AUTH exchange has ended, successfully or not. Observers only.
    Point<HookId::auth_result, AuthResultHook> auth_result{registrar_, HookId::auth_result};
    Point<HookId::mail_parse, ParseHook> mail_parse{registrar_, HookId::mail_parse};
    Point<HookId::mail_pre, PathHook> mail_pre{registrar_, HookId::mail_pre};
    /// MAIL. ok, declined: 250. deny: 550; denysoft: 450; deny_disconnect: 550 and close; denysoft_disconnect: 421 and
    /// close.
    Point<HookId::mail, MailHook> mail{registrar_, HookId::mail};
    Point<HookId::rcpt_parse, ParseHook> rcpt_parse{registrar_, HookId::rcpt_parse};
    Point<HookId::rcpt_pre, PathHook> rcpt_pre{registrar_, HookId::rcpt_pre};
    /// RCPT. ok: 250. declined by all: 450, because no plugin accepted the recipient. deny: 550; denysoft: 450;
    /// *_disconnect: 550 / 421 and close.
    Point<HookId::rcpt, RcptHook> rcpt{registrar_, HookId::rcpt};
    /// DATA, with sender and recipients. ok, declined: 354. deny: 554; denysoft: 451; a denial ends the transaction.
    Point<HookId::data, DataHook> data{registrar_, HookId::data};
    /// The message while it arrives.
    StreamPoint data_chunk{registrar_};
    /// The header block is complete. *_disconnect: 554 / 421 and close in mid-message; deny, denysoft: refused with 552
    /// / 452 at the end of data.
    Point<HookId::data_headers_end, MessageHook> data_headers_end{registrar_, HookId::data_headers_end};
    /// The message is complete, before the engine adds its fields. deny: 552; denysoft: 452.
    Point<HookId::data_post_headers, DataPostHook> data_post_headers{registrar_, HookId::data_post_headers};
    Point<HookId::received_line, ReceivedLineHook> received_line{registrar_, HookId::received_line};
    /// The message with the engine's fields. ok: proceed to the queue. deny: 552; denysoft: 452; *_disconnect: the
    /// same, then close.
    Point<HookId::data_post, DataPostHook> data_post{registrar_, HookId::data_post};
    /// Each recipient again, with the message known. ok, declined: the recipient gets the message. deny: 550 for the
    /// recipient; denysoft: 450 for the recipient; *_disconnect: the same, and the connection is closed after all
    /// replies. How the client is told: docs/recipients.md.
    Point<HookId::data_post_rcpt, DataPostRcptHook> data_post_rcpt{registrar_, HookId::data_post_rcpt};
    Point<HookId::queue_pre, DataPostHook> queue_pre{registrar_, HookId::queue_pre};
    /// Delivery. Each recipient gets a fate: delivered: 250; rejected: 552; deferred: 452. not_mine() from all plugins:
    /// 451.
    Point<HookId::queue, const Delivery> queue{registrar_, HookId::queue};
    Point<HookId::queue_post, QueuePostHook> queue_post{registrar_, HookId::queue_post};
    /// A transaction ends, completed or not. Observers only.
    Point<HookId::reset_transaction, MessageHook> reset_transaction{registrar_, HookId::reset_transaction};
    Point<HookId::vrfy, CommandHook> vrfy{registrar_, HookId::vrfy};
    Point<HookId::noop, CommandHook> noop{registrar_, HookId::noop};
    Point<HookId::help, CommandHook> help{registrar_, HookId::help};
    /// deny: 500; deny_disconnect: 521 and close; otherwise 500.
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
