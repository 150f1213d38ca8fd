#include "engine/recipient_results.h"

#include "engine/replies.h"
#include "engine/server_access.h"
#include "support/strings.h"

#include <smtpd/hooks.h>

#include <algorithm>

namespace smtpd {

/// The client has a pending refusal already, so the recipient stays.
void DataPostHook::complain_about(const Recipient& recipient, Fate fate) const {
    log(LogLevel::info, "fail, NAUGHTY: {}{}{}", quoted(recipient.address().path()), fate.reason.empty() ? "" : ": ",
        fate.reason);
    connection.complain({.plugin = std::move(fate.plugin),
                         .hook = hook,
                         .subject = HookSubject::recipient,
                         .verdict = fate.is_deferred() ? Verdict::denysoft : Verdict::deny,
                         .enhanced = fate.reply.enhanced,
                         .text = std::move(fate.reply.text),
                         .reason = std::move(fate.reason),
                         .recipient = recipient.address().path(),
                         .is_told = false});
}

void DataPostHook::refuse_for(Recipient& recipient, const Response& response, std::string reason) {
    if (recipient.fate().is_refused()) return;
    Fate fate = engine::refusal(response, ServerAccess::plugin(*this), std::move(reason));
    if (only_complains()) return complain_about(recipient, std::move(fate));
    engine::refuse(*this, connection, recipient, std::move(fate));
}

void ServerAccess::move_refused(Transaction& transaction) {
    auto& recipients = transaction.recipients_;
    auto& refused = transaction.refused_recipients_;
    const auto stays = [](const Recipient& recipient) { return !recipient.fate().is_refused(); };
    const auto first = std::stable_partition(recipients.begin(), recipients.end(), stays);
    if (first == recipients.end()) return;
    std::move(first, recipients.end(), std::back_inserter(refused));
    recipients.erase(first, recipients.end());
    const auto comes_first = [](const Recipient& one, const Recipient& other) {
        return one.rcpt_number() < other.rcpt_number();
    };
    std::stable_sort(refused.begin(), refused.end(), comes_first);
}

}  // namespace smtpd

namespace smtpd::engine {
namespace {

const char* word_for(const Fate& fate) noexcept { return fate.is_deferred() ? "deferred" : "rejected"; }

}  // namespace

Fate refusal(const Response& response, std::string_view plugin, std::string reason) {
    Response fitting = response;
    if (!is_denial(response.verdict)) fitting.verdict = Verdict::denysoft;
    Fate fate;
    fate.kind = is_soft(fitting.verdict) ? Fate::Kind::deferred : Fate::Kind::rejected;
    fate.reply = apply_response(HookId::data_post_rcpt, fitting, {}).reply;
    fate.reason = std::move(reason);
    fate.plugin = plugin;
    return fate;
}

void refuse(const HookContext& context, Connection& connection, Recipient& recipient, Fate fate) {
    const std::string why = fate.why();
    if (context.log_enabled(LogLevel::info))
        context.log(LogLevel::info, "{} {}{}{}", word_for(fate), quoted(recipient.address().path()),
                    why.empty() ? "" : ": ", why);
    HistoryEntry entry;
    entry.hook = context.hook;
    entry.plugin = ServerAccess::plugin(context);
    entry.verdict = fate.is_deferred() ? Verdict::denysoft : Verdict::deny;
    entry.code = fate.reply.code;
    entry.enhanced = fate.reply.enhanced;
    entry.recipient = recipient.address().path();
    entry.text = fate.reply.text.substr(0, HistoryEntry::max_text);
    entry.command = connection.commands();
    entry.at = std::chrono::duration_cast<std::chrono::microseconds>(context.clock().now() - connection.started());
    ServerAccess::add(ServerAccess::history(connection), std::move(entry));
    ServerAccess::set_fate(recipient, std::move(fate));
}

std::string recipients_text(const Transaction& transaction) {
    std::string all;
    for (const auto& recipient : transaction.recipients())
        all.append(all.empty() ? "" : ",").append(recipient.address().path());
    return all.empty() ? all : " to=" + quoted(all);
}

std::string delivered_text(const Transaction& transaction) {
    const Fate* first = nullptr;
    std::string places;
    bool is_one_place = true;
    for (const auto& recipient : transaction.recipients()) {
        const Fate& fate = recipient.fate();
        if (!fate.is_delivered() || fate.plugin.empty()) continue;
        places.append(first != nullptr ? "," : "").append(fate.place());
        if (first == nullptr) first = &fate;
        is_one_place = is_one_place && fate.place() == first->place();
    }
    if (first == nullptr) return {};
    const std::string shown = quoted(is_one_place ? first->place() : places);
    return format_text(" by={}{}", first->plugin, shown.empty() ? "" : format_text(" in=\"{}\"", shown));
}

std::string refused_text(const Transaction& transaction) {
    std::string out;
    for (const auto& recipient : transaction.refused_recipients()) {
        const Fate& fate = recipient.fate();
        out += format_text(" {}={}", word_for(fate), quoted(recipient.address().path()));
        if (!fate.plugin.empty()) out += format_text(" by={}", fate.plugin);
        if (const std::string why = fate.why(); !why.empty()) out += format_text(" why=\"{}\"", quoted(why));
        out += format_text(" told=\"{}\"", quoted(format_text("{} {}", fate.reply.code, fate.reply.text)));
    }
    return out;
}

}  // namespace smtpd::engine
