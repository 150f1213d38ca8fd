/// transaction_delivery.h: a transaction as queue plugins see it, and what a queue plugin's result means for the
/// recipients and for the client.
///
/// Queue plugins get a Delivery, which has no connection. The engine creates it from a transaction whose message is
/// complete. In the other direction, a DeliveryResult is translated for the rest of the engine
/// (engine/recipient_results.h): into a Response about the message, and a disposition for each recipient to which the
/// Response does not apply.
#pragma once

#include <smtpd/connection.h>
#include <smtpd/delivery/delivery.h>
#include <smtpd/transaction.h>
#include <smtpd/verdict.h>

#include <vector>

namespace smtpd::engine {

/// The origin of the transaction's message, as far as the server knows it.
Origin origin_of(const Connection& connection, const Transaction& transaction);

/// See Delivery::needs_smtputf8().
bool needs_smtputf8(const Envelope& envelope, const std::vector<Recipient>& recipients, const Message& message);

/// Delivers to the recipients that no plugin has refused. The session creates a new object each time the hook `queue`
/// needs its argument. The connection and the transaction must outlive it.
class TransactionDelivery final : public Delivery {
public:
    TransactionDelivery(Connection& connection, Transaction& transaction);

private:
    Connection* session() const noexcept override { return &connection_; }
    /// Records the fate of each recipient in the transaction, the log and the history.
    void conclude(DeliveryResult result) override;

    Connection& connection_;
    Transaction& transaction_;
};

/// What a result means for the message as a whole, and for which recipients it means something else. Each recipient
/// must have a fate.
///
/// If the message was delivered to any recipient, the response is `ok`, and the recipients that do not have the message
/// are set apart. Otherwise the response is the fate for all, and the recipients with a fate of their own are set
/// apart. The result and the recipients must outlive the summary.
class ResultSummary {
public:
    ResultSummary(const DeliveryResult& result, const std::vector<Recipient>& recipients);

    /// The response about all recipients that are not set apart. `declined` if the next queue plugin should be asked.
    Response response() const;
    bool sets_apart(const Recipient& recipient) const noexcept {
        return has_reached_any_ ? !result_.of(recipient).is_delivered() : result_.has_own(recipient);
    }
    /// The fate for all, if it applies to a recipient and is a failure; otherwise null.
    const Fate* common_failure() const noexcept {
        return result_.is_declined() || !has_rest_ || has_reached_any_ || result_.for_all().is_delivered()
                   ? nullptr
                   : &result_.for_all();
    }

private:
    Response response_about_delivered() const;

    const DeliveryResult& result_;
    const std::vector<Recipient>& recipients_;
    bool has_reached_any_;
    bool has_rest_;  ///< a recipient has no fate of its own, or there are no recipients
};

}  // namespace smtpd::engine
