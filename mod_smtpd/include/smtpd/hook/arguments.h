/// arguments.h: the arguments of handlers, by hook.
#pragma once

#include <smtpd/auth/credentials.h>
#include <smtpd/hook/session_context.h>
#include <smtpd/verdict.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd {

/// The argument of hooks that only have the connection: pre_connection, connect, quit, disconnect, post_connection.
class ConnectionContext final : public SessionContext {
public:
    using SessionContext::SessionContext;
};
using PreConnectionHook = ConnectionContext;
using ConnectHook = ConnectionContext;
using QuitHook = ConnectionContext;
using DisconnectHook = ConnectionContext;
using PostConnectionHook = ConnectionContext;

/// helo, ehlo: the argument was parsed, but the client has not been greeted yet.
class HelloHook final : public SessionContext {
public:
    HelloHook(HookId id, Connection& connection, std::string_view host, std::string_view rest)
        : SessionContext(id, connection), host(host), rest(rest) {}
    const std::string_view host;  ///< first word
    const std::string_view rest;  ///< the remainder, trimmed
    bool is_esmtp() const noexcept { return hook == HookId::ehlo; }
};

/// helo_parse, ehlo_parse, auth_parse, mail_parse, rcpt_parse: the command's argument as it came. A handler may rewrite
/// it, or refuse it (501, or 451 for denysoft). The argument of AUTH may contain a password.
class ParseHook final : public SessionContext {
public:
    ParseHook(HookId id, Connection& connection, std::string& argument)
        : SessionContext(id, connection), argument(argument) {}
    std::string& argument;
};

/// What a handler finds out about a client that authenticates. For the engine.
struct AuthFindings {
    ScramRequest* scram = nullptr;
    std::string login;
};

/// A client authenticates. The hook of the mechanism runs first; if all its handlers decline PLAIN, LOGIN or CRAM-MD5,
/// `auth` follows. The server offers a mechanism if a plugin handles its hook, and PLAIN and LOGIN also if a plugin
/// handles `auth`. The credentials are valid during the call only.
///
/// - auth_plain, auth_login, auth_cram_md5, auth: the client has sent its password, or a digest of it.
/// - auth_scram_sha_1, auth_scram_sha_256 (also for -PLUS): the client has named a user and waits for the parameters of
///   the proof. `ok` together with proves() or is_proved_by() means: a client with this proof is this user. The engine
///   checks the proof without asking a plugin again.
/// - auth_external: the client wants to log in with its certificate (connection.tls().certificate, which is verified).
///   user() is the requested name; "" = the name in the certificate: then set_login() sets it.
/// - auth_bearer: XOAUTH2 and OAUTHBEARER, credentials.token(). user() as above.
///
/// Only handlers added with add() can authenticate a client, and only they make the server offer AUTH. decide() is for
/// plugins that reject a client before a back end is asked (too many attempts), observe() for those that only observe.
class AuthHook final : public SessionContext {
public:
    AuthHook(HookId id, Connection& connection, const Credentials& credentials, AuthFindings* findings = nullptr)
        : SessionContext(id, connection), credentials(credentials), findings_(findings) {}
    const Credentials& credentials;
    std::string_view mechanism() const noexcept { return credentials.mechanism(); }  ///< "PLAIN", "SCRAM-SHA-256-PLUS"
    const std::string& user() const noexcept { return credentials.user(); }
    /// The clear password, for a back end that checks it; null for CRAM-MD5 and SCRAM.
    const Secret* password() const noexcept { return credentials.password(); }
    /// For a plugin that has the clear password: whether the client knows it. With SCRAM the result is true, and the
    /// client still has to prove it.
    bool proves(std::string_view clear_password) const {
        if (const ScramRequest* wanted = scram())
            return is_proved_by(ScramKeys::derive(wanted->hash, clear_password, wanted->salt, wanted->iterations));
        return credentials.proves(clear_password);
    }
    /// At the SCRAM hooks: the request to answer; null elsewhere.
    const ScramRequest* scram() const noexcept { return findings_ ? findings_->scram : nullptr; }
    /// At the SCRAM hooks, for a plugin that has the user's keys. False if `keys` is empty.
    bool is_proved_by(ScramKeys keys) const {
        if (!scram() || !keys) return false;
        findings_->scram->keys = std::move(keys);
        return true;
    }
    /// With `ok`: the name under which the client is authenticated, if that is not user(). UTF-8 without control
    /// characters.
    void set_login(std::string name) const {
        if (findings_) findings_->login = std::move(name);
    }

private:
    AuthFindings* const findings_;
};

/// auth_result: an AUTH exchange has ended, and its reply is known; for observers. An exchange that the client abandons
/// has no result.
class AuthResultHook final : public SessionContext {
public:
    AuthResultHook(Connection& connection, const Credentials& credentials, bool is_authenticated, const Reply& reply)
        : SessionContext(HookId::auth_result, connection),
          mechanism(credentials.mechanism()),
          user(credentials.user()),
          is_authenticated(is_authenticated),
          reply(reply) {}
    const std::string_view mechanism;  ///< "PLAIN", "SCRAM-SHA-256"
    /// The claimed name; "" if the exchange ended before a valid name was given.
    const std::string& user;
    const bool is_authenticated;  ///< the client is authenticated now
    const Reply& reply;           ///< the reply to the client; code 0 if a plugin sent its own
    /// Rejected permanently, not because a back end is down or did not answer in time.
    bool is_refused() const noexcept { return !is_authenticated && reply.code / 100 != 4; }
};

/// mail_pre, rcpt_pre: the path, not parsed yet; a handler may rewrite it. `ok` ends the chain; a denial refuses with
/// 501 (451 for denysoft).
class PathHook final : public SessionContext {
public:
    PathHook(HookId id, Connection& connection, std::string& path, const Parameters& parameters)
        : SessionContext(id, connection), path(path), parameters(parameters) {}
    std::string& path;  ///< normally "<…>"
    const Parameters& parameters;
};

/// mail: the sender is parsed; transaction.set_sender() replaces it.
class MailHook final : public TransactionContext {
public:
    MailHook(Connection& connection, Transaction& transaction)
        : TransactionContext(HookId::mail, connection, transaction) {}
    const Address& sender() const noexcept { return transaction.sender(); }
    const Parameters& parameters() const noexcept { return transaction.envelope().parameters; }
};

/// rcpt: one recipient, not yet accepted. It is refused unless a plugin says `ok`.
class RcptHook final : public TransactionContext {
public:
    RcptHook(Connection& connection, Transaction& transaction, Recipient& recipient)
        : TransactionContext(HookId::rcpt, connection, transaction), recipient(recipient) {}
    Recipient& recipient;
    const Recipient* recipient_or_null() const noexcept override { return &recipient; }
};

/// data, data_chunk, data_headers_end, reset_transaction.
class MessageHook : public TransactionContext {
public:
    using TransactionContext::TransactionContext;
    Message& message() const { return transaction.message(); }
};
using DataHook = MessageHook;

/// data_post_headers, data_post, queue_pre: handlers may refuse single recipients.
class DataPostHook final : public MessageHook {
public:
    using MessageHook::MessageHook;
    /// Rejects one of transaction.recipients(), or defers it if the response is denysoft(): the message is not
    /// delivered to it. Whatever the response leaves out is filled in as at data_post_rcpt; a response that is not a
    /// denial defers. The recipient stays in place until the handler returns; when the next handler is called, it has
    /// moved to transaction.refused_recipients(). `reason` is for the log: bytes from outside go through quoted(). A
    /// plugin that calls this declares `judges_recipients`.
    void refuse(Recipient& recipient, const Response& response, PlainText reason = {}) {
        refuse_for(recipient, response, std::string(reason));
    }
    template <class First, class... Rest>
    void refuse(Recipient& recipient, const Response& response, PatternFor<First, Rest...> reason, const First& first,
                const Rest&... rest) {
        refuse_for(recipient, response, format_text<First, Rest...>(reason, first, rest...));
    }

private:
    SMTPD_API void refuse_for(Recipient& recipient, const Response& response, std::string reason);
    void complain_about(const Recipient& recipient, Fate fate) const;
};

/// queue_post: the fate of the message is decided, and the client has its reply. Each of transaction.recipients() has
/// its fate(); the others are in transaction.refused_recipients().
class QueuePostHook final : public MessageHook {
public:
    QueuePostHook(Connection& connection, Transaction& transaction, std::string_view reply_text)
        : MessageHook(HookId::queue_post, connection, transaction), reply_text(reply_text) {}
    const std::string_view reply_text;  ///< the text of the client's reply
};

/// data_post_rcpt: one recipient again, now that the message is known.
class DataPostRcptHook final : public TransactionContext {
public:
    DataPostRcptHook(Connection& connection, Transaction& transaction, Recipient& recipient)
        : TransactionContext(HookId::data_post_rcpt, connection, transaction), recipient(recipient) {}
    Recipient& recipient;
    const Message& message() const { return transaction.message(); }
    const Recipient* recipient_or_null() const noexcept override { return &recipient; }
};

/// received_line: `ok` with `value` set replaces the Received field's value.
class ReceivedLineHook final : public TransactionContext {
public:
    ReceivedLineHook(Connection& connection, Transaction& transaction, std::string_view protocol, std::string& value)
        : TransactionContext(HookId::received_line, connection, transaction), protocol(protocol), value(value) {}
    const std::string_view protocol;  ///< "ESMTPS" (RFC 3848)
    std::string& value;               ///< the default; lines separated by LF become folds
};

/// vrfy, noop, help: the rest of the command line.
class CommandHook final : public SessionContext {
public:
    CommandHook(HookId id, Connection& connection, std::string_view argument)
        : SessionContext(id, connection), argument(argument) {}
    const std::string_view argument;
};

/// unrecognized_command.
class UnrecognizedHook final : public SessionContext {
public:
    UnrecognizedHook(Connection& connection, std::string_view verb, std::string_view argument)
        : SessionContext(HookId::unrecognized_command, connection), verb(verb), argument(argument) {}
    const std::string_view verb;  ///< as sent
    const std::string_view argument;
};

/// deny, ok: called after every single handler of the other hooks, with its response.
class VerdictHook final : public SessionContext {
public:
    VerdictHook(HookId id, Connection& connection, HookId about, std::string_view plugin, const Response& response)
        : SessionContext(id, connection), about(about), plugin(plugin), response(response) {}
    const HookId about;
    const std::string_view plugin;
    const Response& response;
};

/// config, user_config: `ok` with `values` set overrides the control file.
class ConfigHook final : public SessionContext {
public:
    ConfigHook(HookId id, Connection& connection, std::string_view name, const Address* user,
               std::vector<std::string>& values)
        : SessionContext(id, connection), name(name), user(user), values(values) {}
    const std::string_view name;
    const Address* const user;  ///< user_config only
    std::vector<std::string>& values;
};

}  // namespace smtpd
