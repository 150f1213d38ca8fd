/// session_context.h: the arguments of hooks in a session: they have the connection and, inside a transaction, the
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

    /// The transaction, for log lines; null outside a transaction.
    virtual Transaction* transaction_or_null() const noexcept { return nullptr; }
    /// The recipient of the current hook; null elsewhere.
    virtual const Recipient* recipient_or_null() const noexcept { return nullptr; }

    /// The authentication results that plugins have found so far: first those about the client, then those about the
    /// transaction.
    ResultsView results() const noexcept {
        const Transaction* const transaction = transaction_or_null();
        return {connection.authentication_results(), transaction ? &transaction->authentication_results() : nullptr};
    }

    /// Why policy plugins skip this client, as far as that is known at this hook; nothing if they judge it. `decide`
    /// handlers are not called for exempt clients unless their plugin judges those too (PolicyDefaults::exempts_immune
    /// is false). Other handlers should ask this function instead of deciding by themselves.
    std::optional<Exemption> exemption() const noexcept;
    /// The same without considering the right to relay.
    std::optional<Exemption> whitelisting() const noexcept;
    /// The client has complaints already (Connection::is_naughty()), and the handler's plugin exempts immune clients:
    /// any failure becomes another complaint, not a reply.
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
