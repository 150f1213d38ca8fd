/// hooks.h: the points of the dialogue at which plugins take part, in the order in which they come.
///
/// A plugin adds handlers in its constructor, through `setup.hooks`:
///
///     setup.hooks.rcpt.decide([this](const RcptHook& hook) { return judge(hook); });        // a finding; only in a PolicyPlugin
///     setup.hooks.rcpt.add(Priority::last, [this](RcptHook& hook) { return ok(); });        // a verdict
///     setup.hooks.connect.ask([](const ConnectHook&, Questions& questions) {…}).decide(…);  // waits first, without a thread
///     setup.hooks.disconnect.observe([](const DisconnectHook& hook) {…});                   // looks on
///
/// Handlers run by priority, then in the order of the configuration. The first verdict that is not `declined` ends the chain and decides.
/// Handlers are called by many threads at a time for different sessions, never for one; a plugin object is shared, so they are const in effect.
/// What a handler gets is valid during the call only. An exception is logged, counts as a fault of that plugin, and is answered with
/// 451 4.3.0 where a client waits for an answer. docs/hooks.md says for each hook what each verdict leads to.
#pragma once

#include <smtpd/connection.h>
#include <smtpd/credentials.h>
#include <smtpd/finding.h>
#include <smtpd/store.h>
#include <smtpd/transaction.h>
#include <smtpd/verdict.h>
#include <smtpd/waiting.h>

#include <algorithm>
#include <array>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace smtpd {

enum class HookId : std::uint8_t {
    pre_connection, connect,
    helo_parse, ehlo_parse, helo, ehlo,
    auth_parse, auth_plain, auth_login, auth_cram_md5, auth_scram_sha_1, auth_scram_sha_256, auth_external, auth_bearer, auth, auth_result,
    mail_parse, mail_pre, mail,
    rcpt_parse, rcpt_pre, rcpt,
    data, data_chunk, data_headers_end, data_post_headers, received_line, data_post, data_post_rcpt,
    queue_pre, queue, queue_post, reset_transaction,
    vrfy, noop, help, unrecognized_command, quit, disconnect, post_connection,
    deny, ok, logging, config, user_config, post_fork,
    count
};
SMTPD_API std::string_view hook_name(HookId id) noexcept;  ///< qpsmtpd's name: "data_headers_end"

/// Some of the hooks.
class HookSet {
public:
    constexpr HookSet() = default;
    constexpr HookSet(std::initializer_list<HookId> hooks) {
        for (const HookId hook : hooks) bits_ |= bit(hook);
    }
    static constexpr HookSet all() {
        HookSet set;
        set.bits_ = ~std::uint64_t(0);
        return set;
    }
    constexpr bool contains(HookId hook) const noexcept { return (bits_ & bit(hook)) != 0; }
    constexpr bool intersects(HookSet other) const noexcept { return (bits_ & other.bits_) != 0; }
    constexpr bool empty() const noexcept { return bits_ == 0; }
    constexpr HookSet& operator|=(HookSet other) noexcept {
        bits_ |= other.bits_;
        return *this;
    }
    friend constexpr HookSet operator|(HookSet a, HookSet b) noexcept { return a |= b; }
    friend constexpr bool operator==(HookSet, HookSet) = default;

private:
    static_assert(static_cast<unsigned>(HookId::count) <= 64);
    static constexpr std::uint64_t bit(HookId hook) noexcept { return std::uint64_t(1) << static_cast<unsigned>(hook); }
    std::uint64_t bits_ = 0;
};

class HookContext;

/// Thrown by HookContext::wait() when the plugin's deadline passes; the host catches it and gives the plugin's `onerror` answer.
struct DeadlinePassed {};

/// What every hook's argument has. Made by the engine, completed by the host before each call.
class SMTPD_API HookContext {
public:
    HookContext(HookId id, Connection& connection) : connection(connection), hook(id) {}

    Connection& connection;

    const HookId hook;

    /// Writes a line to the session's log; costs nothing where the level is off. Bytes from outside go through quoted().
    template <class... Arguments>
    void log(LogLevel level, std::string_view pattern, const Arguments&... arguments) const {
        if (log_enabled(level)) write_log(level, format_text(pattern, arguments...));
    }
    bool log_enabled(LogLevel level) const noexcept;
    /// Sleeps in this thread. Prefer Questions::delay, which holds none. Throws DeadlinePassed where the plugin's deadline comes first.
    void wait(Duration duration) const;
    /// When this call has to be over.
    MonotonicTime deadline() const noexcept { return deadline_; }
    /// When something has to be over that may take that long, and no longer than this call.
    MonotonicTime deadline(Duration most) const noexcept { return std::min(deadline_, clock().now() + most); }
    const Clock& clock() const noexcept { return connection.clock(); }
    /// What is left until then, at least 0: how long a back end may take.
    Duration time_left() const noexcept { return std::max(Duration(0), std::chrono::floor<Duration>(deadline_ - clock().now())); }
    /// A namespace that the plugin opened with Setup::store(), for the time that this call has left.
    template <class T>
    Store<T> store(const Store<T>& space) const { return space.within(std::chrono::floor<Duration>(deadline_ - clock().now())); }
    /// What came of this stage's questions.
    const Answers& answers() const noexcept { return answers_; }

    /// For the host.
    struct Caller {
        std::string_view plugin;  ///< instance name
        int level_shift = 0;      ///< loglevel=+1
        int level_fixed = -1;     ///< loglevel=6
    };
    void enter(const Caller& caller, MonotonicTime deadline) noexcept { caller_ = &caller; deadline_ = deadline; }
    void set_answers(const Answers& answers) noexcept { answers_ = answers; }
    /// The transaction, for log lines; null outside one.
    virtual Transaction* transaction_or_null() const noexcept { return nullptr; }
    /// The recipient that is being decided about; null elsewhere.
    virtual const Recipient* recipient_or_null() const noexcept { return nullptr; }

protected:
    ~HookContext() = default;
    std::string_view caller_name() const noexcept { return caller_ ? caller_->plugin : std::string_view(); }

private:
    void write_log(LogLevel level, const std::string& text) const;
    LogLevel effective(LogLevel level) const noexcept;

    const Caller* caller_ = nullptr;
    MonotonicTime deadline_{};
    Answers answers_;
};

/// Arguments of hooks inside a transaction.
class TransactionContext : public HookContext {
public:
    TransactionContext(HookId id, Connection& connection, Transaction& transaction) : HookContext(id, connection), transaction(transaction) {}
    Transaction& transaction;
    Transaction* transaction_or_null() const noexcept override { return &transaction; }
};

/// A hook with nothing but the connection: pre_connection, connect, quit, disconnect, post_connection.
class ConnectionContext final : public HookContext {
public:
    using HookContext::HookContext;
};
using PreConnectionHook = ConnectionContext;
using ConnectHook = ConnectionContext;
using QuitHook = ConnectionContext;
using DisconnectHook = ConnectionContext;
using PostConnectionHook = ConnectionContext;

/// helo, ehlo: the argument was parsed; the session is not greeted yet.
class HelloHook final : public HookContext {
public:
    HelloHook(HookId id, Connection& connection, std::string_view host, std::string_view rest)
        : HookContext(id, connection), host(host), rest(rest) {}
    const std::string_view host;  ///< first word
    const std::string_view rest;  ///< what followed it, trimmed
    bool is_esmtp() const noexcept { return hook == HookId::ehlo; }
};

/// helo_parse, ehlo_parse, auth_parse, mail_parse, rcpt_parse: the command's argument as it came; a handler may rewrite it, or refuse it (501, softly
/// 451). That of AUTH may hold a password.
class ParseHook final : public HookContext {
public:
    ParseHook(HookId id, Connection& connection, std::string& argument) : HookContext(id, connection), argument(argument) {}
    std::string& argument;
};

/// What a handler finds out about a client that says who it is. For the engine.
struct AuthFindings {
    ScramRequest* scram = nullptr;
    std::string login;
};

/// A client says who it is. First the hook of the mechanism is asked; where nobody there has an opinion about PLAIN, LOGIN or CRAM-MD5, then `auth`. A
/// mechanism is offered where somebody handles its hook, PLAIN and LOGIN also where somebody handles `auth`. The credentials are valid during the call only.
///
/// - auth_plain, auth_login, auth_cram_md5, auth: the client has sent its password, or what it made of it.
/// - auth_scram_sha_1, auth_scram_sha_256 (also for -PLUS): the client has named a user and waits to be told how to prove itself. `ok` together with
///   proves() or is_proved_by() means: whoever proves that is this user. The engine checks the proof; nobody is asked again.
/// - auth_external: the client wants to be who its certificate says (connection.tls().certificate, which is verified). user() is whom it wants to be,
///   "" = whoever that is: then set_login() tells.
/// - auth_bearer: XOAUTH2 and OAUTHBEARER, credentials.token(). user() as above.
///
/// Only handlers that are added with add() can let somebody in, and so make the server offer AUTH. decide() is for plugins that keep somebody out before
/// a back end is asked (too many attempts), observe() for those that look on.
class AuthHook final : public HookContext {
public:
    AuthHook(HookId id, Connection& connection, const Credentials& credentials, AuthFindings* findings = nullptr)
        : HookContext(id, connection), credentials(credentials), findings_(findings) {}
    const Credentials& credentials;
    std::string_view mechanism() const noexcept { return credentials.mechanism(); }  ///< "PLAIN", "SCRAM-SHA-256-PLUS"
    const std::string& user() const noexcept { return credentials.user(); }
    /// The clear password, for a back end that checks it; null with CRAM-MD5 and SCRAM.
    const Secret* password() const noexcept { return credentials.password(); }
    /// For a plugin that has the clear password: whether the client knows it. With SCRAM it is true, and the client goes on to prove it.
    bool proves(std::string_view clear_password) const {
        if (const ScramRequest* wanted = scram()) return is_proved_by(ScramKeys::derive(wanted->hash, clear_password, wanted->salt, wanted->iterations));
        return credentials.proves(clear_password);
    }
    /// At a hook of SCRAM: what is asked; null elsewhere.
    const ScramRequest* scram() const noexcept { return findings_ ? findings_->scram : nullptr; }
    /// At a hook of SCRAM, for a plugin that has its keys. False where these are none.
    bool is_proved_by(ScramKeys keys) const {
        if (!scram() || !keys) return false;
        findings_->scram->keys = std::move(keys);
        return true;
    }
    /// Goes with `ok`: the name under which the client is authenticated, where that is not user(). UTF-8 without control characters.
    void set_login(std::string name) const {
        if (findings_) findings_->login = std::move(name);
    }

private:
    AuthFindings* const findings_;
};

/// auth_result: an exchange of AUTH is over, and its reply is decided; for observers. An exchange that the client leaves unfinished has no result.
class AuthResultHook final : public HookContext {
public:
    AuthResultHook(Connection& connection, const Credentials& credentials, bool is_good, const Reply& reply)
        : HookContext(HookId::auth_result, connection), mechanism(credentials.mechanism()), user(credentials.user()), is_good(is_good), reply(reply) {}
    const std::string_view mechanism;  ///< "PLAIN", "SCRAM-SHA-256"
    const std::string& user;           ///< who it was said to be; "" where the exchange broke off before that, or with what is no name
    const bool is_good;                ///< the client is authenticated now
    const Reply& reply;                ///< what it is told; code 0 where a plugin has told it something itself
    /// Refused for good: not because a back end, or somebody's patience, is exhausted for the moment.
    bool is_refused() const noexcept { return !is_good && reply.code / 100 != 4; }
};

/// mail_pre, rcpt_pre: the path is cut out but not parsed; a handler may rewrite it. `ok` ends the chain; a denial refuses with 501 (softly 451).
class PathHook final : public HookContext {
public:
    PathHook(HookId id, Connection& connection, std::string& path, const Parameters& parameters)
        : HookContext(id, connection), path(path), parameters(parameters) {}
    std::string& path;  ///< normally "<…>"
    const Parameters& parameters;
};

/// mail: the sender is parsed and may be replaced with transaction.set_sender().
class MailHook final : public TransactionContext {
public:
    MailHook(Connection& connection, Transaction& transaction) : TransactionContext(HookId::mail, connection, transaction) {}
    const Address& sender() const noexcept { return transaction.sender(); }
    const Parameters& parameters() const noexcept { return transaction.sender_parameters(); }
};

/// rcpt: one recipient, not yet accepted. Without an `ok` from any plugin it is refused.
class RcptHook final : public TransactionContext {
public:
    RcptHook(Connection& connection, Transaction& transaction, Recipient& recipient)
        : TransactionContext(HookId::rcpt, connection, transaction), recipient(recipient) {}
    Recipient& recipient;
    const Recipient* recipient_or_null() const noexcept override { return &recipient; }
};

/// data, data_headers_end, data_post_headers, data_post, queue_pre, queue, queue_post, reset_transaction.
class MessageHook final : public TransactionContext {
public:
    using TransactionContext::TransactionContext;
    Message& message() const { return transaction.message(); }
    /// Refuses one of transaction.recipients(), or with denysoft() defers it: at data_post_headers, data_post and queue_pre, whom the plugin does not want
    /// to have the message; at queue, whom it could not deliver to, before it says ok() for the rest. What the answer leaves out is filled in as at
    /// data_post_rcpt; one that is no denial defers. The recipient keeps its place until the handler returns, and has gone to transaction.turned_away() when
    /// the next one is called. `reason` is for the log: bytes from outside go through quoted(). A plugin that uses this says so with `judges_recipients`.
    template <class... Arguments>
    void refuse(Recipient& recipient, const Answer& answer, std::string_view reason = {}, const Arguments&... arguments) {
        refuse_for(recipient, answer, format_text(reason, arguments...));
    }
    /// Whether the client gets a reply for each recipient (LMTP, PRDR). Where it does not, who is deferred makes it come again for all of them: a queue plugin
    /// that could deliver to some only had better deliver to nobody then.
    bool has_reply_for_each() const noexcept { return connection.is_lmtp() || transaction.is_prdr(); }
    std::string_view reply_text;  ///< queue_post: what the client was told

private:
    SMTPD_API void refuse_for(Recipient& recipient, const Answer& answer, std::string reason);
};
using DataHook = MessageHook;
using DataPostHook = MessageHook;
using QueueHook = MessageHook;

/// data_post_rcpt: one of the recipients again, now that the message is known.
class DataPostRcptHook final : public TransactionContext {
public:
    DataPostRcptHook(Connection& connection, Transaction& transaction, Recipient& recipient)
        : TransactionContext(HookId::data_post_rcpt, connection, transaction), recipient(recipient) {}
    Recipient& recipient;
    const Message& message() const { return transaction.message(); }
    const Recipient* recipient_or_null() const noexcept override { return &recipient; }
};

/// data_chunk: octets of the message as they arrive, dot-unstuffed, in order; for observers.
class DataChunkHook final : public TransactionContext {
public:
    DataChunkHook(Connection& connection, Transaction& transaction, std::string_view chunk)
        : TransactionContext(HookId::data_chunk, connection, transaction), chunk(chunk) {}
    const std::string_view chunk;
};

/// received_line: `ok` with `value` set replaces the Received field's value.
class ReceivedLineHook final : public TransactionContext {
public:
    ReceivedLineHook(Connection& connection, Transaction& transaction, std::string_view protocol, std::string& value)
        : TransactionContext(HookId::received_line, connection, transaction), protocol(protocol), value(value) {}
    const std::string_view protocol;  ///< "ESMTPS" (RFC 3848)
    std::string& value;               ///< the default; lines separated by LF become folds
};

/// vrfy, noop, help: the rest of the line.
class CommandHook final : public HookContext {
public:
    CommandHook(HookId id, Connection& connection, std::string_view argument) : HookContext(id, connection), argument(argument) {}
    const std::string_view argument;
};

/// unrecognized_command.
class UnrecognizedHook final : public HookContext {
public:
    UnrecognizedHook(Connection& connection, std::string_view verb, std::string_view argument)
        : HookContext(HookId::unrecognized_command, connection), verb(verb), argument(argument) {}
    const std::string_view verb;  ///< as sent
    const std::string_view argument;
};

/// deny, ok: after every single handler of the other hooks, with what it said.
class VerdictHook final : public HookContext {
public:
    VerdictHook(HookId id, Connection& connection, HookId about, std::string_view plugin, const Answer& answer)
        : HookContext(id, connection), about(about), plugin(plugin), answer(answer) {}
    const HookId about;
    const std::string_view plugin;
    const Answer& answer;
};

/// config, user_config: `ok` with `values` set overrides the control file.
class ConfigHook final : public HookContext {
public:
    ConfigHook(HookId id, Connection& connection, std::string_view name, const Address* user, std::vector<std::string>& values)
        : HookContext(id, connection), name(name), user(user), values(values) {}
    const std::string_view name;
    const Address* const user;  ///< user_config only
    std::vector<std::string>& values;
};

/// Which handlers of a hook come first. Any number is allowed; within one number the order of the configuration holds.
enum class Priority : int { first = -1000, early = -100, normal = 0, late = 100, last = 1000 };

/// A handler, its types erased.
struct Handler {
    std::function<void(HookContext&, Questions&)> ask;  ///< may be empty
    std::function<Answer(HookContext&)> answer;         ///< one of these three is set
    std::function<Finding(HookContext&)> decide;
    std::function<void(HookContext&)> observe;
    Priority priority = Priority::normal;
};

/// Takes the handlers of one plugin instance. Implemented by the host.
class HookRegistrar {
public:
    virtual ~HookRegistrar() = default;
    virtual void add(HookId id, Handler handler) = 0;
};

template <class Context>
class HookPoint {
public:
    HookPoint(HookRegistrar& registrar, HookId id) : registrar_(&registrar), id_(id) {}

    /// A handler that gives a verdict.
    template <class F>
    void add(F handler) { add(Priority::normal, std::move(handler)); }
    template <class F>
    void add(Priority priority, F handler) { registrar_->add(id_, {{}, erase_answer(std::move(handler)), {}, {}, priority}); }

    /// A handler that gives a Finding, which the instance's `reject` options turn into a verdict. Immune clients never reach it.
    template <class F>
    void decide(F handler) { decide(Priority::normal, std::move(handler)); }
    template <class F>
    void decide(Priority priority, F handler) { registrar_->add(id_, {{}, {}, erase_finding(std::move(handler)), {}, priority}); }

    /// A handler that only looks on; it runs whatever the others say as long as the chain gets to it.
    template <class F>
    void observe(F handler) { observe(Priority::normal, std::move(handler)); }
    template <class F>
    void observe(Priority priority, F handler) {
        registrar_->add(id_, {{}, {}, {}, [handler = std::move(handler)](HookContext& context) { handler(static_cast<Context&>(context)); },
                              priority});
    }

    /// Queue plugins: `ok` says that the message is theirs now and safe.
    template <class F>
    void deliver(F handler) { add(std::move(handler)); }

    /// What a handler wants to wait for, followed by the handler itself.
    class Asking {
    public:
        Asking(HookPoint point, std::function<void(HookContext&, Questions&)> ask) : point_(point), ask_(std::move(ask)) {}
        template <class F>
        void decide(F handler, Priority priority = Priority::normal) {
            point_.registrar_->add(point_.id_, {std::move(ask_), {}, erase_finding(std::move(handler)), {}, priority});
        }
        template <class F>
        void add(F handler, Priority priority = Priority::normal) {
            point_.registrar_->add(point_.id_, {std::move(ask_), erase_answer(std::move(handler)), {}, {}, priority});
        }

    private:
        HookPoint point_;
        std::function<void(HookContext&, Questions&)> ask_;
    };
    template <class F>
    [[nodiscard]] Asking ask(F handler) {
        return {*this, [handler = std::move(handler)](HookContext& context, Questions& questions) {
                    handler(static_cast<Context&>(context), questions);
                }};
    }

private:
    template <class F>
    static std::function<Answer(HookContext&)> erase_answer(F handler) {
        return [handler = std::move(handler)](HookContext& context) -> Answer {
            auto& typed = static_cast<Context&>(context);
            if constexpr (std::is_invocable_v<const F&, Context&, const Answers&>)
                return handler(typed, context.answers());
            else
                return handler(typed);
        };
    }
    template <class F>
    static std::function<Finding(HookContext&)> erase_finding(F handler) {
        return [handler = std::move(handler)](HookContext& context) -> Finding {
            auto& typed = static_cast<Context&>(context);
            if constexpr (std::is_invocable_v<const F&, Context&, const Answers&>)
                return handler(typed, context.answers());
            else
                return handler(typed);
        };
    }

    HookRegistrar* registrar_;
    HookId id_;
};

/// Logging plugins get lines, not contexts: a line may belong to no session.
class LoggingPoint {
public:
    explicit LoggingPoint(std::vector<std::pair<LogLevel, std::function<void(const LogLine&)>>>& sinks) : sinks_(&sinks) {}
    /// Called for every line up to that level, by any thread. Must not log itself.
    void add(LogLevel up_to, std::function<void(const LogLine&)> handler) { sinks_->push_back({up_to, std::move(handler)}); }

private:
    std::vector<std::pair<LogLevel, std::function<void(const LogLine&)>>>* sinks_;
};

/// All hook points of one plugin instance.
struct Hooks {
    Hooks(HookRegistrar& registrar, std::vector<std::pair<LogLevel, std::function<void(const LogLine&)>>>& log_sinks);

    /// A connection was accepted; nothing is sent. deny* / denysoft*: 550 / 451 and close.
    HookPoint<PreConnectionHook> pre_connection;
    /// Before the greeting. ok, declined: 220. deny: 550 and close; denysoft: 450 and close.
    HookPoint<ConnectHook> connect;
    HookPoint<ParseHook> helo_parse, ehlo_parse;
    /// HELO / EHLO. ok, declined: 250. deny: 550; denysoft: 450; *_disconnect: the same, then close.
    HookPoint<HelloHook> helo, ehlo;
    HookPoint<ParseHook> auth_parse;
    /// AUTH, credentials in place. ok: 235, the client is authenticated and may relay. declined by all, deny: 535; denysoft: 454;
    /// deny_disconnect: 535 and close; denysoft_disconnect: 421 and close. A back end that cannot answer is denysoft, never deny or declined.
    HookPoint<AuthHook> auth_plain, auth_login, auth_cram_md5, auth_scram_sha_1, auth_scram_sha_256, auth_external, auth_bearer, auth;
    /// Those of the mechanisms: every attempt comes to exactly one of them, before `auth`.
    std::array<HookPoint<AuthHook>*, 7> auth_attempts() {
        return {&auth_plain, &auth_login, &auth_cram_md5, &auth_scram_sha_1, &auth_scram_sha_256, &auth_external, &auth_bearer};
    }
    /// An exchange of AUTH has ended, well or not. Observers only.
    HookPoint<AuthResultHook> auth_result;
    HookPoint<ParseHook> mail_parse;
    HookPoint<PathHook> mail_pre;
    /// MAIL. ok, declined: 250. deny: 550; denysoft: 450; deny_disconnect: 550 and close; denysoft_disconnect: 421 and close.
    HookPoint<MailHook> mail;
    HookPoint<ParseHook> rcpt_parse;
    HookPoint<PathHook> rcpt_pre;
    /// RCPT. ok: 250. declined by all: 450, nobody decided. deny: 550; denysoft: 450; *_disconnect: 550 / 421 and close.
    HookPoint<RcptHook> rcpt;
    /// DATA, with sender and recipients in place. ok, declined: 354. deny: 554; denysoft: 451; the transaction is over.
    HookPoint<DataHook> data;
    /// The message while it arrives, chunk by chunk; observers only.
    HookPoint<DataChunkHook> data_chunk;
    /// The header block is complete. *_disconnect: 554 / 421 and close in mid-message; deny, denysoft: refused with 552 / 452 at the end of data.
    HookPoint<MessageHook> data_headers_end;
    /// The message is complete, before the engine adds its fields. deny: 552; denysoft: 452.
    HookPoint<MessageHook> data_post_headers;
    HookPoint<ReceivedLineHook> received_line;
    /// The message with the engine's fields. ok: on to the queue. deny: 552; denysoft: 452; *_disconnect: the same, then close.
    HookPoint<DataPostHook> data_post;
    /// Each recipient, with the message known. ok, declined: it is to have it. deny: 550 for it; denysoft: 450 for it; *_disconnect: the same, and the
    /// connection is closed when all is answered. How a client is told: docs/recipients.md.
    HookPoint<DataPostRcptHook> data_post_rcpt;
    HookPoint<MessageHook> queue_pre;
    /// Who takes the message? ok: 250. declined by all: 451. deny: 552; denysoft: 452.
    HookPoint<QueueHook> queue;
    HookPoint<MessageHook> queue_post;
    /// A transaction is dropped, finished or not. Observers only.
    HookPoint<MessageHook> reset_transaction;
    HookPoint<CommandHook> vrfy, noop, help;
    /// deny: 500; deny_disconnect: 521 and close; else 500.
    HookPoint<UnrecognizedHook> unrecognized_command;
    HookPoint<QuitHook> quit;
    HookPoint<DisconnectHook> disconnect;
    HookPoint<PostConnectionHook> post_connection;
    HookPoint<VerdictHook> deny, ok;
    HookPoint<ConfigHook> config, user_config;
    LoggingPoint logging;
};

inline Hooks::Hooks(HookRegistrar& registrar, std::vector<std::pair<LogLevel, std::function<void(const LogLine&)>>>& log_sinks)
    : pre_connection(registrar, HookId::pre_connection), connect(registrar, HookId::connect), helo_parse(registrar, HookId::helo_parse),
      ehlo_parse(registrar, HookId::ehlo_parse), helo(registrar, HookId::helo), ehlo(registrar, HookId::ehlo),
      auth_parse(registrar, HookId::auth_parse), auth_plain(registrar, HookId::auth_plain), auth_login(registrar, HookId::auth_login),
      auth_cram_md5(registrar, HookId::auth_cram_md5), auth_scram_sha_1(registrar, HookId::auth_scram_sha_1),
      auth_scram_sha_256(registrar, HookId::auth_scram_sha_256), auth_external(registrar, HookId::auth_external),
      auth_bearer(registrar, HookId::auth_bearer), auth(registrar, HookId::auth), auth_result(registrar, HookId::auth_result),
      mail_parse(registrar, HookId::mail_parse), mail_pre(registrar, HookId::mail_pre), mail(registrar, HookId::mail),
      rcpt_parse(registrar, HookId::rcpt_parse), rcpt_pre(registrar, HookId::rcpt_pre), rcpt(registrar, HookId::rcpt),
      data(registrar, HookId::data), data_chunk(registrar, HookId::data_chunk), data_headers_end(registrar, HookId::data_headers_end),
      data_post_headers(registrar, HookId::data_post_headers), received_line(registrar, HookId::received_line),
      data_post(registrar, HookId::data_post), data_post_rcpt(registrar, HookId::data_post_rcpt),
      queue_pre(registrar, HookId::queue_pre), queue(registrar, HookId::queue), queue_post(registrar, HookId::queue_post), reset_transaction(registrar, HookId::reset_transaction), vrfy(registrar, HookId::vrfy),
      noop(registrar, HookId::noop), help(registrar, HookId::help), unrecognized_command(registrar, HookId::unrecognized_command),
      quit(registrar, HookId::quit), disconnect(registrar, HookId::disconnect), post_connection(registrar, HookId::post_connection),
      deny(registrar, HookId::deny), ok(registrar, HookId::ok), config(registrar, HookId::config),
      user_config(registrar, HookId::user_config), logging(log_sinks) {}

}  // namespace smtpd
