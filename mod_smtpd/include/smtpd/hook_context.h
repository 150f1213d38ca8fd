/// hook_context.h: what the argument of every hook has: the connection, the log, the deadline, what came of its questions.
#pragma once

#include <smtpd/connection.h>
#include <smtpd/exemption.h>
#include <smtpd/format.h>
#include <smtpd/hook_traits.h>
#include <smtpd/store.h>
#include <smtpd/transaction.h>
#include <smtpd/waiting.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace smtpd {

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
    void log(LogLevel level, PatternFor<Arguments...> pattern, const Arguments&... arguments) const {
        if (log_enabled(level)) write_log(level, format_text<Arguments...>(pattern, arguments...));
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
    /// The results of methods of authentication that plugins have found so far: those about the client, then those about the transaction.
    ResultsView results() const noexcept {
        const Transaction* const transaction = transaction_or_null();
        return {connection.authentication_results(), transaction ? &transaction->authentication_results() : nullptr};
    }

    /// Why policy plugins leave this client alone, as far as can be said at this hook; nothing if they judge it. `decide` handlers never see such a client,
    /// unless their plugin exempts nobody (PolicyDefaults::exempts_immune). Other handlers ask here instead of deciding by themselves.
    std::optional<Exemption> exemption() const noexcept;
    /// The same without regard to the right to relay.
    std::optional<Exemption> whitelisting() const noexcept;
    /// A refusal waits for this client already (Connection::is_naughty()), and the handler's plugin judges only those that are not exempt: whatever it has
    /// against the client becomes a complaint, not a reply.
    bool only_complains() const noexcept { return only_complains_; }

    /// The transaction, for log lines; null outside one.
    virtual Transaction* transaction_or_null() const noexcept { return nullptr; }
    /// The recipient that is being decided about; null elsewhere.
    virtual const Recipient* recipient_or_null() const noexcept { return nullptr; }

protected:
    ~HookContext() = default;
    std::string_view caller_name() const noexcept { return caller_ ? caller_->plugin : std::string_view(); }

private:
    friend struct ServerAccess;

    /// The plugin instance whose handler is called.
    struct Caller {
        std::string_view plugin;  ///< instance name
        int level_shift = 0;      ///< loglevel=+1
        int level_fixed = -1;     ///< loglevel=6
        const void* instance = nullptr;
    };

    void write_log(LogLevel level, const std::string& text) const;
    LogLevel effective(LogLevel level) const noexcept;

    const Caller* caller_ = nullptr;
    MonotonicTime deadline_{};
    Answers answers_;
    bool only_complains_ = false;
};

/// Arguments of hooks inside a transaction.
class TransactionContext : public HookContext {
public:
    TransactionContext(HookId id, Connection& connection, Transaction& transaction) : HookContext(id, connection), transaction(transaction) {}
    Transaction& transaction;
    Transaction* transaction_or_null() const noexcept override { return &transaction; }
};

}  // namespace smtpd
