/// connection.h: one client's connection, from accept to close, as plugins see it.
///
/// One thread at a time serves a session, so no locking is needed. A Connection must not be kept beyond the call that
/// received it.
#pragma once

#include <smtpd/auth/tls.h>
#include <smtpd/authentication_result.h>
#include <smtpd/base/api.h>
#include <smtpd/base/clock.h>
#include <smtpd/base/ip.h>
#include <smtpd/base/log.h>
#include <smtpd/base/reply.h>
#include <smtpd/complaint.h>
#include <smtpd/forwarded.h>
#include <smtpd/history.h>
#include <smtpd/notes.h>
#include <smtpd/verdict.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd {

class Address;

/// The peer. `host` is the verified name that the server knows for the address, or empty.
struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;
};

/// How the client introduced itself. LHLO of LMTP counts as EHLO.
enum class Greeted : std::uint8_t { no, helo, ehlo };

/// What is known about the client: what it said about itself, what plugins found out and decided, and how it has
/// behaved. The server replaces the whole record when the client starts over (STARTTLS) and when another client takes
/// its place (XCLIENT). Plugins see it through Connection, which documents the members.
struct ClientRecord {
    IpAddress introduced_by;
    std::optional<Forwarded> forwarded;
    std::string host;
    std::string hello_host;
    std::string last_line;
    std::string auth_user;
    std::string auth_mechanism;
    std::uint32_t errors = 0;
    std::uint32_t messages = 0;
    std::uint32_t sessions_of_client = 0;
    Greeted greeted = Greeted::no;
    bool is_relay_client = false;
    int karma = 0;
    std::string whitelisted;
    std::vector<Complaint> complaints;
    Notes notes;
    AuthenticationResults authentication_results;
};

class SMTPD_API Connection {
public:
    virtual ~Connection() = default;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Facts
    const std::string& id() const noexcept { return id_; }  ///< unique, in every log line and in the greeting
    const IpAddress& address() const noexcept { return client_.address; }
    std::uint16_t port() const noexcept { return client_.port; }
    const Endpoint& local() const noexcept { return local_; }
    /// The client's name by reverse DNS, if the server or the plugin fcrdns looked it up; otherwise "".
    const std::string& host() const noexcept { return record_.host; }
    /// Sets the client's name; for a plugin that has verified it in both directions.
    void set_host(std::string name) { record_.host = std::move(name); }
    /// host(), or the address in brackets: the client's name in texts for people.
    std::string name() const { return record_.host.empty() ? "[" + address().to_string() + "]" : record_.host; }
    /// The trusted mail server that announced this client with XCLIENT; unspecified if the client speaks for itself. A
    /// load balancer that only passes the connection on (SmtpProxyProtocol) does not appear here.
    const IpAddress& introduced_by() const noexcept { return record_.introduced_by; }
    /// What a trusted mail server says (XFORWARD) about the origin of the transaction's message, or of the next one.
    const std::optional<Forwarded>& forwarded() const noexcept { return record_.forwarded; }
    Greeted greeted() const noexcept { return record_.greeted; }
    const std::string& hello_host() const noexcept {
        return record_.hello_host;
    }  ///< argument of HELO, EHLO or LHLO, "" before
    /// The client speaks LMTP (RFC 2033) on a port where this server expects it: it hands over messages for delivery
    /// and gets a reply for each recipient.
    bool is_lmtp() const noexcept { return is_lmtp_; }
    /// The connection is encrypted, by STARTTLS or from the first octet. After STARTTLS the client starts over: the
    /// server forgets what it said before.
    bool is_tls() const noexcept { return static_cast<bool>(tls_); }
    const Tls& tls() const noexcept { return tls_; }
    const std::string& tls_protocol() const noexcept { return tls_.protocol; }  ///< "TLSv1.3", "" if not encrypted
    const std::string& tls_cipher() const noexcept { return tls_.cipher; }
    const std::string& server_name() const noexcept { return server_name_; }  ///< qpsmtpd's `me`
    MonotonicTime started() const noexcept { return started_; }
    std::uint32_t commands() const noexcept { return commands_; }
    std::uint32_t errors() const noexcept { return record_.errors; }      ///< commands answered with 4xx or 5xx
    std::uint32_t messages() const noexcept { return record_.messages; }  ///< accepted with 250
    /// How many sessions of this client's prefix the server has now, this one included; 0 if the server does not count
    /// them.
    std::uint32_t sessions_of_client() const noexcept { return record_.sessions_of_client; }
    const std::string& last_line() const noexcept {
        return record_.last_line;
    }  ///< the last command as sent, without CRLF and secrets; empty in DATA
    /// AUTH succeeded. An authenticated client is also a relay client unless a plugin decides otherwise.
    bool is_authenticated() const noexcept { return !record_.auth_user.empty(); }
    const std::string& auth_user() const noexcept {
        return record_.auth_user;
    }  ///< UTF-8 without control characters; "" = not authenticated
    const std::string& auth_mechanism() const noexcept { return record_.auth_mechanism; }  ///< "PLAIN"

    /// A simulated session: no client is connected, and an administrator tests what would happen (smtpd-try). Handlers
    /// decide as in a real session but leave no trace: they write no file and send nothing. They may use the store as
    /// usual, because it discards the changes.
    bool is_dry_run() const noexcept { return is_dry_run_; }

    // What plugins decide about the client
    bool is_relay_client() const noexcept { return record_.is_relay_client; }
    /// A client that may relay is exempt from policy plugins; complaints about it are dropped.
    void set_relay_client(bool may_relay) noexcept {
        record_.is_relay_client = may_relay;
        if (may_relay) record_.complaints.clear();
    }
    /// Exempts the client's host from policy plugins; those that skip it log `why`.
    void set_whitelisted(std::string why) { record_.whitelisted = std::move(why); }
    const std::string& whitelisted() const noexcept { return record_.whitelisted; }  ///< "" = not whitelisted
    /// Points that all plugins of the site share for this connection; see the karma option of policy plugins.
    int karma() const noexcept { return record_.karma; }
    void adjust_karma(int points) noexcept { record_.karma += points; }

    /// The complaints about the client, oldest first; see complaint.h. Complaints last until the end of the session,
    /// except those about a transaction that the client is not told (Complaint::is_told): they end with the
    /// transaction. STARTTLS removes complaints about the client's HELO or EHLO name, XCLIENT removes all.
    const std::vector<Complaint>& complaints() const noexcept { return record_.complaints; }
    /// The client has complaints: a refusal is pending.
    bool is_naughty() const noexcept { return !record_.complaints.empty(); }
    /// Adds a complaint. Complaints beyond max_complaints are dropped.
    void complain(Complaint complaint);
    static constexpr std::size_t max_complaints = 64;
    /// Removes and returns all complaints, for a plugin that adds them again later.
    std::vector<Complaint> forgive() noexcept { return std::exchange(record_.complaints, {}); }

    Notes& notes() noexcept { return record_.notes; }
    const Notes& notes() const noexcept { return record_.notes; }
    /// What plugins have said about this session so far. The running handler's entry is added when the handler returns.
    const History& history() const noexcept { return history_; }
    /// Results about the client itself (iprev, auth), which apply to each of its transactions. Findings add to them;
    /// plugins read SessionContext::results().
    const AuthenticationResults& authentication_results() const noexcept { return record_.authentication_results; }

    // Actions for plugins
    /// Sends a reply of the plugin's own; used with Verdict::done.
    virtual void send(const Reply& reply) = 0;
    /// Adds a line to the EHLO reply ("XCLIENT NAME ADDR"); for handlers of the ehlo hook.
    virtual void add_capability(std::string line) = 0;
    /// A configuration value: `config` hooks, then the control file of that name; all significant lines.
    virtual std::vector<std::string> config(std::string_view name) = 0;
    /// The same for a user: `user_config` hooks come first.
    virtual std::vector<std::string> config(std::string_view name, const Address& user) = 0;
    /// Bytes that have arrived after the current command and were not read yet: above 0 if the client did not wait.
    virtual std::size_t unread() const noexcept = 0;

    virtual const Clock& clock() const noexcept = 0;
    virtual LogSink& log() const noexcept = 0;

protected:
    friend struct ServerAccess;

    /// `record` must outlive the connection.
    explicit Connection(ClientRecord& record) noexcept : record_(record) {}

    ClientRecord& record_;
    std::string id_;
    Endpoint client_;
    Endpoint local_;
    Tls tls_;
    std::string server_name_;
    MonotonicTime started_;
    std::uint32_t commands_ = 0;
    bool is_lmtp_ = false;
    bool is_dry_run_ = false;
    History history_;
};

}  // namespace smtpd
