/// session_context.h: what the arguments of hooks in a session have: the connection, and inside a transaction the
/// transaction.
#pragma once

#include <smtpd/connection.h>
#include <smtpd/exemption.h>
#include <smtpd/hook/context.h>
#include <smtpd/transaction.h>

#include <optional>

namespace smtpd {

class SMTPD_API SessionContext : public HookContext {
public:
    SessionContext(HookId id, Connection& connection)
        : HookContext(id, connection.clock(), connection.log()), connection(connection) {}

    Connection& connection;

    /// The transaction, for log lines; null outside one.
    virtual Transaction* transaction_or_null() const noexcept { return nullptr; }
    /// The recipient that is being decided about; null elsewhere.
    virtual const Recipient* recipient_or_null() const noexcept { return nullptr; }

    /// The results of methods of authentication that plugins have found so far: those about the client, then those
    /// about the transaction.
    ResultsView results() const noexcept {
        const Transaction* const transaction = transaction_or_null();
        return {connection.authentication_results(), transaction ? &transaction->authentication_results() : nullptr};
    }

    /// Why policy plugins leave this client alone, as far as can be said at this hook; nothing if they judge it.
    /// `decide` handlers never see such a client, unless their plugin exempts nobody (PolicyDefaults::exempts_immune).
    /// Other handlers ask here instead of deciding by themselves.
    std::optional<Exemption> exemption() const noexcept;
    /// The same without regard to the right to relay.
    std::optional<Exemption> whitelisting() const noexcept;
    /// A refusal waits for this client already (Connection::is_naughty()), and the handler's plugin judges only those
    /// that are not exempt: whatever it has against the client becomes a complaint, not a reply.
    bool only_complains() const noexcept { return only_complains_; }

protected:
    ~SessionContext() = default;

private:
    friend struct ServerAccess;

    LogSubject log_subject() const noexcept override;
    Connection* session() const noexcept override { return &connection; }

    bool only_complains_ = false;
};

/// Arguments of hooks inside a transaction.
class TransactionContext : public SessionContext {
public:
    TransactionContext(HookId id, Connection& connection, Transaction& transaction)
        : SessionContext(id, connection), transaction(transaction) {}
    Transaction& transaction;
    Transaction* transaction_or_null() const noexcept override { return &transaction; }
};

}  // namespace smtpd
