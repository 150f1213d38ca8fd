#include "engine/transaction_delivery.h"

#include "engine/recipient_results.h"
#include "engine/server_access.h"
#include "engine/trace_fields.h"
#include "support/strings.h"

#include <algorithm>
#include <utility>

namespace smtpd::engine {
namespace {

Verdict verdict_of(Fate::Kind kind) noexcept {
    switch (kind) {
        case Fate::Kind::delivered: return Verdict::ok;
        case Fate::Kind::rejected: return Verdict::deny;
        default: return Verdict::denysoft;
    }
}

Response response_of(const Fate& fate) {
    return Response(verdict_of(fate.kind), fate.reply.text).with_code(fate.reply.code).with_status(fate.reply.enhanced);
}

/// The fate, completed with what the queue plugin left out, and with the plugin's name.
Fate completed(const Fate& fate, std::string_view plugin) {
    Fate out = refusal(response_of(fate), plugin, fate.reason);
    out.said_by = fate.said_by;
    return out;
}

Fate signed_by(Fate fate, std::string_view plugin) {
    fate.plugin = plugin;
    return fate;
}

}  // namespace

bool needs_smtputf8(const Envelope& envelope, const std::vector<Recipient>& recipients, const Message& message) {
    if (!envelope.is_smtputf8) return false;
    const auto is_plain = [](const Recipient& recipient) { return recipient.address().is_ascii(); };
    if (!envelope.sender.is_ascii() || !std::all_of(recipients.begin(), recipients.end(), is_plain)) return true;
    const Headers& headers = message.headers();
    return !support::is_ascii(headers.edited() ? headers.to_string() : headers.original());
}

Origin origin_of(const Connection& connection, const Transaction& transaction) {
    Origin origin;
    origin.address = connection.address();
    origin.port = connection.port();
    origin.host = connection.host();
    origin.hello_host = connection.hello_host();
    origin.protocol = protocol_word(connection, transaction);
    origin.auth_user = connection.auth_user();
    origin.auth_mechanism = connection.auth_mechanism();
    origin.tls = connection.tls();
    origin.forwarded = connection.forwarded();
    return origin;
}

TransactionDelivery::TransactionDelivery(Connection& connection, Transaction& transaction)
    : Delivery({.id = transaction.id(),
                .envelope = transaction.envelope(),
                .recipients = transaction.recipients(),
                .message = std::as_const(transaction).message(),
                .origin = origin_of(connection, transaction),
                .replies_to_each = connection.is_lmtp() || transaction.is_prdr(),
                .is_dry_run = connection.is_dry_run(),
                .session = connection.id(),
                .refused_recipients = &transaction.refused_recipients()},
               connection.clock(), connection.log()),
      connection_(connection),
      transaction_(transaction) {}

void TransactionDelivery::conclude(DeliveryResult result) {
    const ResultSummary summary(result, recipients());
    if (!result.is_declined())
        for (auto& recipient : transaction_.recipients()) {
            const Fate& fate = result.of(recipient);
            if (fate.is_delivered()) ServerAccess::set_fate(recipient, signed_by(fate, ServerAccess::plugin(*this)));
            else if (summary.sets_apart(recipient))
                refuse(*this, connection_, recipient, completed(fate, ServerAccess::plugin(*this)));
        }
    if (const Fate* const failure = summary.common_failure(); failure && !failure->why().empty())
        log(LogLevel::info, "{}: {}", failure->is_rejected() ? "rejected" : "deferred", failure->why());
    Delivery::conclude(std::move(result));
}

ResultSummary::ResultSummary(const DeliveryResult& result, const std::vector<Recipient>& recipients)
    : result_(result),
      recipients_(recipients),
      has_reached_any_(std::any_of(recipients.begin(), recipients.end(),
                                   [&](const Recipient& one) { return result.of(one).is_delivered(); })),
      has_rest_(recipients.empty() || !std::all_of(recipients.begin(), recipients.end(),
                                                   [&](const Recipient& one) { return result.has_own(one); })) {}

Response ResultSummary::response() const {
    if (result_.is_declined()) return {};
    if (has_reached_any_) return response_about_delivered();
    if (has_rest_) return response_of(result_.for_all());
    const auto is_rejected = [this](const Recipient& recipient) { return result_.of(recipient).is_rejected(); };
    return Response(std::all_of(recipients_.begin(), recipients_.end(), is_rejected) ? Verdict::deny
                                                                                     : Verdict::denysoft);
}

/// Their common text, if any.
Response ResultSummary::response_about_delivered() const {
    const Fate* common = nullptr;
    for (const auto& recipient : recipients_) {
        const Fate& fate = result_.of(recipient);
        if (!fate.is_delivered()) continue;
        if (common != nullptr && common->reply.text != fate.reply.text) return Response(Verdict::ok);
        common = &fate;
    }
    return response_of(*common);
}

}  // namespace smtpd::engine
