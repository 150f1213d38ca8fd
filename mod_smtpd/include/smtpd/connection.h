/// connection.h: one client's connection, from accept to close, as plugins see it.
///
/// A session is worked on by one thread at a time, so nothing here needs a lock; a Connection must not be kept beyond
/// the call it was given to.
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

/// What is known of the client: what it has said of itself, what plugins have found out and decided, and how it has
/// behaved. The server replaces the record as a whole when the client begins anew (STARTTLS) and when another client
/// takes its place (XCLIENT). Plugins see it through Connection, which says what the members mean.
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
    /// The client's name by reverse DNS as far as the server, or the plugin fcrdns, looked it up, else "".
    const std::string& host() const noexcept { return record_.host; }
    /// For a plugin that has found out that this is the client's name, by looking it up in both directions.
    void set_host(std::string name) { record_.host = std::move(name); }
    /// host(), or the address in brackets: how the client is called in texts for people.
    std::string name() const { return record_.host.empty() ? "[" + address().to_string() + "]" : record_.host; }
    /// The mail server that spoke for this client (XCLIENT), which is trusted to do so; unspecified where the client
    /// speaks for itself. A load balancer that only passes the connection on (SmtpProxyProtocol) is not known here.
    const IpAddress& introduced_by() const noexcept { return record_.introduced_by; }
    /// What a trusted mail server says about the origin of the next message, or the one of the transaction (XFORWARD).
    const std::optional<Forwarded>& forwarded() const noexcept { return record_.forwarded; }
    Greeted greeted() const noexcept { return record_.greeted; }
    const std::string& hello_host() const noexcept {
        return record_.hello_host;
    }  ///< argument of HELO, EHLO or LHLO, "" before
    /// The client speaks LMTP (RFC 2033), as this server wants it to: it hands messages over for delivery, and gets a
    /// reply for each recipient.
    bool is_lmtp() const noexcept { return is_lmtp_; }
    /// Encrypted, by STARTTLS or from the first octet. After STARTTLS the client begins anew: what it said before is
    /// forgotten.
    bool is_tls() const noexcept { return static_cast<bool>(tls_); }
    const Tls& tls() const noexcept { return tls_; }
    const std::string& tls_protocol() const noexcept { return tls_.protocol; }  ///< "TLSv1.3", "" in the clear
    const std::string& tls_cipher() const noexcept { return tls_.cipher; }
    const std::string& server_name() const noexcept { return server_name_; }  ///< qpsmtpd's `me`
    MonotonicTime started() const noexcept { return started_; }
    std::uint32_t commands() const noexcept { return commands_; }
    std::uint32_t errors() const noexcept { return record_.errors; }      ///< commands answered with 4xx or 5xx
    std::uint32_t messages() const noexcept { return record_.messages; }  ///< accepted with 250
    /// How many sessions of this client's prefix the server holds now, this one included; 0 where that is not counted.
    std::uint32_t sessions_of_client() const noexcept { return record_.sessions_of_client; }
    const std::string& last_line() const noexcept {
        return record_.last_line;
    }  ///< the command as it was sent, without CRLF and secrets; empty in DATA
    /// AUTH succeeded. Whoever authenticated is a relay client as well, unless a plugin decides otherwise.
    bool is_authenticated() const noexcept { return !record_.auth_user.empty(); }
    const std::string& auth_user() const noexcept {
        return record_.auth_user;
    }  ///< UTF-8 without control characters; "" = nobody
    const std::string& auth_mechanism() const noexcept { return record_.auth_mechanism; }  ///< "PLAIN"

    /// Nobody is connected: an administrator tries out what would happen (smtpd-try). All is to be as it would be, but
    /// what a handler does is to leave nothing behind: no file, no message to anybody. The store may be used as ever,
    /// because it forgets.
    bool is_dry_run() const noexcept { return is_dry_run_; }

    // What plugins decide about the client
    bool is_relay_client() const noexcept { return record_.is_relay_client; }
    /// A client that may relay is exempt from policy plugins, and their complaints about it are dropped.
    void set_relay_client(bool may_relay) noexcept {
        record_.is_relay_client = may_relay;
        if (may_relay) record_.complaints.clear();
    }
    /// The client's host is exempt from policy plugins; `why` is logged by those that skip.
    void set_whitelisted(std::string why) { record_.whitelisted = std::move(why); }
    const std::string& whitelisted() const noexcept { return record_.whitelisted; }  ///< "" = is not
    /// Points that all plugins of the site share about this connection; see the karma option of policy plugins.
    int karma() const noexcept { return record_.karma; }
    void adjust_karma(int points) noexcept { record_.karma += points; }

    /// What is held against the client, the first complaint first; see complaint.h. Complaints stay until the end of
    /// the session, except those about a transaction that are not told: they end with it. STARTTLS forgets what was
    /// made of the client's name, XCLIENT all.
    const std::vector<Complaint>& complaints() const noexcept { return record_.complaints; }
    /// A refusal waits for its moment.
    bool is_naughty() const noexcept { return !record_.complaints.empty(); }
    /// Adds a complaint. What is beyond max_complaints is dropped.
    void complain(Complaint complaint);
    static constexpr std::size_t max_complaints = 64;
    /// Takes all complaints away, and gives them: for a plugin that brings them back later.
    std::vector<Complaint> forgive() noexcept { return std::exchange(record_.complaints, {}); }

    Notes& notes() noexcept { return record_.notes; }
    const Notes& notes() const noexcept { return record_.notes; }
    /// What plugins said about this session so far. What the present handler says is added when it is through.
    const History& history() const noexcept { return history_; }
    /// Results about the client itself (iprev, auth), which hold for each of its transactions. Findings add to it;
    /// plugins read SessionContext::results().
    const AuthenticationResults& authentication_results() const noexcept { return record_.authentication_results; }

    // What plugins may do
    /// Sends a reply of the plugin's own; goes with Verdict::done.
    virtual void send(const Reply& reply) = 0;
    /// Adds a line to the EHLO reply ("XCLIENT NAME ADDR"); for handlers of the ehlo hook.
    virtual void add_capability(std::string line) = 0;
    /// A configuration value: `config` hooks, then the control file of that name; all significant lines.
    virtual std::vector<std::string> config(std::string_view name) = 0;
    /// The same, asked for a user: `user_config` hooks first.
    virtual std::vector<std::string> config(std::string_view name, const Address& user) = 0;
    /// What arrived behind the current command and is not looked at yet: more than 0 where the client did not wait.
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
