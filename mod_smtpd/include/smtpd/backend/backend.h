/// backend.h: the servers that a plugin queries: which server to ask, over which connection, and which to skip for a
/// while because it failed.
///
///     Oracle(Setup& setup, const Options& options)
///         : timeout_(options.timeout),
///           backend_(setup.instance(), options.server, {.default_port = 4711}, setup.clock(), setup.log()) {
///         setup.hooks.connect.ask([this](const ConnectHook&, Questions& questions) { backend_.ask(questions); })
///             .decide([this](const ConnectHook& hook) { return judge(hook); });
///     }
///     …
///     auto oracle = backend_.open(hook.answers(), hook.deadline(timeout_));
///     if (!oracle) return error("{}", oracle.error().what);
///     const auto answer = converse(oracle->socket());
///     oracle->report(answer);
///
/// Which server: `failover` asks the first server of the configuration that can be reached. `round_robin` asks each
/// server in turn, and the others if that one cannot be reached. Reaching a server means connecting, TLS if it begins
/// with the first octet, and the caller's greeting. All addresses of a host are tried, IPv4 first, eight at most.
///
/// Time: open() ends at the deadline. The servers that can still be tried share the time that is left equally, and the
/// addresses of a server share its part, so that a silent server leaves time for the next one. The conversation with
/// the server that was reached has all the rest.
///
/// Failures (a circuit breaker for each server): after three failures in a row the server is not asked for about 5 s,
/// then 10 s, 20 s and so on up to 5 minutes. After each pause one caller tries it. If no server is left, open() fails
/// at once. The log has a warning when a server is given up, and a notice when it answers again. A name without an
/// address is not a failure of the server, nor is a time-out after less than 100 ms.
///
/// Names: ask() names the questions for the server's own resolver, which holds no thread; open() uses the answers. An
/// address, `localhost` (127.0.0.1, see server_address.h) and a name in the file of hosts need no question. That file
/// is read while the configuration is read.
///
/// The object keeps connections for the next caller if the plugin says so (`most_idle`, Connection::keep()). That is
/// for protocols that allow further requests, by any caller, on the same connection. A kept connection is not used
/// again if the server closed it or sent something unasked, or if the caller's check fails.
///
/// Threads: all threads of a process share the object, a member of the plugin. The conversation blocks the thread. A
/// forked process starts with a new state, without the connections.
#pragma once

#include <smtpd/auth/credentials.h>
#include <smtpd/backend/client_socket.h>
#include <smtpd/backend/server_address.h>
#include <smtpd/base/api.h>
#include <smtpd/base/clock.h>
#include <smtpd/base/log.h>
#include <smtpd/base/result.h>
#include <smtpd/waiting.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd {

enum class Balance : std::uint8_t { failover, round_robin };
/// The words of the option `balance`.
inline std::vector<std::pair<std::string, Balance>> balance_words() {
    return {{"failover", Balance::failover}, {"round-robin", Balance::round_robin}};
}

struct BackendSettings {
    std::uint16_t default_port = 0;
    Balance balance = Balance::failover;
    /// TLS begins with the first octet. The certificate must be for ServerAddress::host().
    std::optional<TlsTrust> tls{};

    std::size_t most_idle = 0;  ///< connections kept for each server; 0: each is used once
    Duration idle_time = std::chrono::seconds(30);
    Duration lifetime = std::chrono::minutes(10);
    /// Tests, within the server's share of the time, whether the server still answers on a kept connection.
    std::function<Result<void>(ClientSocket&)> check{};

    unsigned most_failures = 3;  ///< in a row, at least 1; then comes the pause
    Duration first_pause = std::chrono::seconds(5);
    Duration longest_pause = std::chrono::minutes(5);

    std::string hosts_file = "/etc/hosts";
};

/// Prepares a new connection: reads a greeting, logs in, begins TLS. An Error means that this server cannot be used;
/// the next server is tried.
using BackendGreeting = std::function<Result<void>(ClientSocket&, const ServerAddress&)>;

/// Parameters of a single call.
struct BackendCall {
    BackendGreeting greeting{};
    /// For whom, and for what, the greeting prepares the connection. Two callers share a connection only if their
    /// identities are equal. If the greeting logs in, the identity must include the name and the password.
    std::string_view identity{};
    /// Servers to use instead of those given to the constructor, for plugins that learn elsewhere which server to ask.
    const std::vector<ServerAddress>* servers = nullptr;
};

/// A server's state, for status pages and logs.
struct ServerStatus {
    enum class State : std::uint8_t { closed, open, half_open };

    std::string name;  ///< "imap.example.com:143"
    State state = State::closed;
    Duration next_try{0};  ///< how long the server will still be skipped
    std::uint64_t successes = 0, failures = 0;
    unsigned failures_in_a_row = 0;
    std::uint64_t reused = 0;  ///< calls that got a kept connection
    std::size_t in_use = 0, idle = 0;
    std::string last_error;  ///< "" if there was none
};

class SMTPD_API Backend {
    struct Member;
    struct Shared;

public:
    /// A server that was reached. Report how the conversation went, because that decides whether the server is asked
    /// again. Without a report it counts neither as a success nor as a failure. That is right for outcomes that clients
    /// can bring about, such as a refusal that a server delays.
    class SMTPD_API Lease {
    public:
        ~Lease();
        Lease(Lease&& other) noexcept;
        Lease& operator=(Lease&&) = delete;

        const ServerAddress& server() const noexcept;
        template <class T>
        void report(const Result<T>& outcome) {
            if (outcome) succeeded();
            else failed(outcome.error());
        }
        void succeeded();
        void failed(const Error& error);

    private:
        friend class Backend;
        friend struct Shared;
        Lease(std::shared_ptr<Shared> shared, std::shared_ptr<Member> member, bool is_probe) noexcept;
        void withdraw(const Error& error);

        std::shared_ptr<Shared> shared_;
        std::shared_ptr<Member> member_;
        bool is_probe_ = false;
        bool is_settled_ = false;
    };

    /// A connection to a server.
    class SMTPD_API Connection : public Lease {
    public:
        Connection(Connection&&) noexcept = default;
        ClientSocket& socket() noexcept { return socket_; }
        /// The connection was used before, so the greeting was not called.
        bool was_reused() const noexcept { return was_reused_; }
        /// The conversation succeeded, and the server waits for the next request: the next caller with the same
        /// identity may use the connection. Without this call the connection is closed.
        void keep() &&;

    private:
        friend class Backend;
        friend struct Shared;
        Connection(Lease lease, ClientSocket socket, std::string_view identity, MonotonicTime made, bool was_reused);

        ClientSocket socket_;
        std::unique_ptr<const Secret> identity_;
        MonotonicTime made_;
        bool was_reused_;
    };

    /// Connects to one address of a server, or to its local socket if the address is null, within that time.
    using Attempt = std::function<Result<void>(const ServerAddress&, const IpAddress* address, Duration time)>;

    /// `name` identifies the object in log lines: the plugin's instance. `clock` and `log` must outlive the object.
    Backend(std::string name, std::vector<ServerAddress> servers, BackendSettings settings, const Clock& clock,
            LogSink& log);
    ~Backend();

    /// Asks for the addresses of those servers that may be asked now. True if all answers have come: a handler that
    /// opens the connection in a task then starts the task and gives it a copy of HookContext::answers().
    bool ask(Questions& questions, const std::vector<ServerAddress>* servers = nullptr) const;
    /// A connection to one of the servers. An Error with ErrorCode::not_found means that none of them has an address.
    Result<Connection> open(const Answers& answers, MonotonicTime deadline, const BackendCall& call = {}) const;
    /// The same for a library that makes its own connections: `attempt` replaces connecting and greeting.
    Result<Lease> reach(const Answers& answers, MonotonicTime deadline, const Attempt& attempt,
                        const std::vector<ServerAddress>* servers = nullptr) const;
    /// Whether one of the servers may be asked now.
    bool is_available(const std::vector<ServerAddress>* servers = nullptr) const;

    /// The servers given to the constructor come first.
    std::vector<ServerStatus> status() const;

private:
    std::shared_ptr<Shared> shared_;
};

}  // namespace smtpd
