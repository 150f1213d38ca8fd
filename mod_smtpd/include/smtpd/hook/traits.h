/// traits.h: the hooks and their properties, in one table. What compiles at a hook, what the host checks, what the
/// engine does and what docs/hooks.md says all derive from it.
#pragma once

#include <smtpd/base/api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace smtpd {

/// The points of the SMTP dialogue, in order.
enum class HookId : std::uint8_t {
    pre_connection,
    connect,
    helo_parse,
    ehlo_parse,
    helo,
    ehlo,
    auth_parse,
    auth_plain,
    auth_login,
    auth_cram_md5,
    auth_scram_sha_1,
    auth_scram_sha_256,
    auth_external,
    auth_bearer,
    auth,
    auth_result,
    mail_parse,
    mail_pre,
    mail,
    rcpt_parse,
    rcpt_pre,
    rcpt,
    data,
    data_chunk,
    data_headers_end,
    data_post_headers,
    received_line,
    data_post,
    data_post_rcpt,
    queue_pre,
    queue,
    queue_post,
    reset_transaction,
    vrfy,
    noop,
    help,
    unrecognized_command,
    quit,
    disconnect,
    post_connection,
    deny,
    ok,
    logging,
    config,
    user_config,
    post_fork,
    count
};

/// A set of hooks.
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

/// What a hook asks of its handlers.
enum class HookKind : std::uint8_t {
    question,  ///< a verdict or a finding: a client waits for the chain's answer
    setting,   ///< a value: a handler that says `ok` has set it
    event,     ///< nothing: handlers can only observe
    process    ///< no session is involved: log lines, the start of a child process
};

/// The subject of a hook, and so of a finding or a complaint made there.
enum class HookSubject : std::uint8_t { client, hello, sender, recipient, message };

/// One row of the table.
struct HookTraits {
    enum Flag : unsigned {
        asks = 1,                ///< a handler may ask questions first: the session can be parked here
        has_message = 2,         ///< transaction.message() has at least the header block
        refuses_recipients = 4,  ///< a handler may refuse single recipients
        delivers = 8,            ///< the handlers take over the message
        unannounced = 16,        ///< observers of `deny` and `ok` are not told what the handlers say
        streams = 32,            ///< the handlers are BodyStreams
        /// Called in the middle of any other hook; the handlers' responses are not about the client.
        within_others = 64
    };

    HookId id;
    std::string_view name;  ///< qpsmtpd's: "pre-connection"
    HookKind kind;
    unsigned flags = 0;
    HookSubject about = HookSubject::client;

    constexpr bool has(Flag flag) const noexcept { return (flags & flag) != 0; }
    /// A handler may return a verdict. At `queue` it returns a DeliveryResult instead.
    constexpr bool takes_verdicts() const noexcept {
        return (kind == HookKind::question || kind == HookKind::setting) && !has(delivers);
    }
    /// A policy plugin may return a finding.
    constexpr bool takes_findings() const noexcept { return kind == HookKind::question && !has(delivers); }
    /// The client is told if a handler fails (451 4.3.0). QUIT is always answered as usual.
    constexpr bool tells_faults() const noexcept { return kind == HookKind::question && id != HookId::quit; }
};

inline constexpr auto hook_table = [] {
    using enum HookId;
    using enum HookKind;
    using enum HookTraits::Flag;
    constexpr auto hello = HookSubject::hello, sender = HookSubject::sender, to = HookSubject::recipient,
                   text = HookSubject::message;
    constexpr unsigned on_message = asks | has_message | refuses_recipients;
    return std::array<HookTraits, static_cast<std::size_t>(count)>{{
        {pre_connection, "pre-connection", question},
        {connect, "connect", question, asks},
        {helo_parse, "helo_parse", question, 0, hello},
        {ehlo_parse, "ehlo_parse", question, 0, hello},
        {helo, "helo", question, asks, hello},
        {ehlo, "ehlo", question, asks, hello},
        {auth_parse, "auth_parse", question},
        {auth_plain, "auth-plain", question, asks},
        {auth_login, "auth-login", question, asks},
        {auth_cram_md5, "auth-cram-md5", question, asks},
        {auth_scram_sha_1, "auth-scram-sha-1", question, asks},
        {auth_scram_sha_256, "auth-scram-sha-256", question, asks},
        {auth_external, "auth-external", question, asks},
        {auth_bearer, "auth-bearer", question, asks},
        {auth, "auth", question, asks},
        {auth_result, "auth_result", event, unannounced},
        {mail_parse, "mail_parse", question, 0, sender},
        {mail_pre, "mail_pre", question, 0, sender},
        {mail, "mail", question, asks, sender},
        {rcpt_parse, "rcpt_parse", question, 0, to},
        {rcpt_pre, "rcpt_pre", question, 0, to},
        {rcpt, "rcpt", question, asks, to},
        {data, "data", question, asks, text},
        {data_chunk, "data_chunk", event, streams | unannounced, text},
        {data_headers_end, "data_headers_end", question, has_message, text},
        {data_post_headers, "data_post_headers", question, on_message, text},
        {received_line, "received_line", setting, has_message, text},
        {data_post, "data_post", question, on_message, text},
        {data_post_rcpt, "data_post_rcpt", question, asks | has_message, to},
        {queue_pre, "queue_pre", question, on_message, text},
        {queue, "queue", question, asks | has_message | delivers, text},
        {queue_post, "queue_post", event, has_message, text},
        {reset_transaction, "reset_transaction", event, has_message},
        {vrfy, "vrfy", question, asks},
        {noop, "noop", question, asks},
        {help, "help", question, asks},
        {unrecognized_command, "unrecognized_command", question, asks},
        {quit, "quit", question, asks},
        {disconnect, "disconnect", event},
        {post_connection, "post-connection", event},
        {deny, "deny", event, unannounced | within_others},
        {ok, "ok", event, unannounced | within_others},
        {logging, "logging", process, unannounced},
        {config, "config", setting, unannounced | within_others},
        {user_config, "user_config", setting, unannounced | within_others},
        {post_fork, "post-fork", process, unannounced},
    }};
}();

constexpr const HookTraits& traits(HookId id) noexcept { return hook_table[static_cast<std::size_t>(id)]; }

static_assert(
    [] {
        for (std::size_t i = 0; i < hook_table.size(); ++i)
            if (hook_table[i].id != static_cast<HookId>(i) || hook_table[i].name.empty()) return false;
        return true;
    }(),
    "the table has a row for each hook, in the order of HookId");

/// qpsmtpd's name: "data_headers_end"; "unknown" for a number that is not a hook's.
constexpr std::string_view hook_name(HookId id) noexcept { return id < HookId::count ? traits(id).name : "unknown"; }

/// The hooks for which `is` is true.
template <class Predicate>
constexpr HookSet hooks_where(Predicate is) noexcept {
    HookSet out;
    for (const HookTraits& row : hook_table)
        if (is(row)) out |= HookSet{row.id};
    return out;
}

}  // namespace smtpd
