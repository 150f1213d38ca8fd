#include "engine/recipient_results.h"

#include "engine/replies.h"
#include "engine/server_access.h"
#include "support/strings.h"

#include <smtpd/hooks.h>

#include <algorithm>

namespace smtpd {

/// A refusal waits for the client already, so the recipient is not turned away.
void DataPostHook::complain_about(const Recipient& recipient, Disposition disposition) const {
    log(LogLevel::info, "fail, NAUGHTY: {}{}{}", quoted(recipient.address().path()),
        disposition.reason.empty() ? "" : ": ", disposition.reason);
    connection.complain({.plugin = std::move(disposition.plugin),
                         .hook = hook,
                         .subject = HookSubject::recipient,
                         .verdict = disposition.verdict,
                         .enhanced = disposition.reply.enhanced,
                         .text = std::move(disposition.reply.text),
                         .reason = std::move(disposition.reason),
                         .recipient = recipient.address().path(),
                         .is_told = false});
}

void DataPostHook::refuse_for(Recipient& recipient, const Answer& answer, std::string reason) {
    if (recipient.is_turned_away()) return;
    auto disposition = engine::disposition_of(answer, ServerAccess::plugin(*this), std::move(reason));
    if (only_complains()) return complain_about(recipient, std::move(disposition));
    engine::turn_away(*this, connection, recipient, std::move(disposition));
}

void Transaction::set_aside() {
    const auto is_kept = [](const Recipient& recipient) { return !recipient.is_turned_away(); };
    const auto first = std::stable_partition(recipients_.begin(), recipients_.end(), is_kept);
    if (first == recipients_.end()) return;
    std::move(first, recipients_.end(), std::back_inserter(turned_away_));
    recipients_.erase(first, recipients_.end());
    const auto comes_first = [](const Recipient& one, const Recipient& other) {
        return one.rcpt_number() < other.rcpt_number();
    };
    std::stable_sort(turned_away_.begin(), turned_away_.end(), comes_first);
}

}  // namespace smtpd

namespace smtpd::engine {
namespace {

constexpr std::size_t most_named = 10;  ///< recipients in one reply

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

/// The recipient as the client has named it. What plugins have made of it, or added, is not for everybody.
std::string shown(const MailTransaction& transaction, const Recipient& recipient) {
    const auto number = recipient.rcpt_number();
    const std::string path = number == 0 || number > transaction.rcpt_count() ? std::string()
                                                                              : transaction.rcpt_path(number);
    return path.empty() ? "a recipient" : path;
}

bool is_same(const Reply& one, const Reply& other) {
    return one.code == other.code && one.enhanced == other.enhanced && one.text == other.text;
}

const Recipient* first_with(const std::vector<Recipient>& turned_away, bool is_deferred) {
    const auto found = std::find_if(turned_away.begin(), turned_away.end(), [=](const Recipient& recipient) {
        return recipient.disposition()->is_deferred() == is_deferred;
    });
    return found == turned_away.end() ? nullptr : &*found;
}

/// "Refused for 1 of 3 recipients, and so for all" and a line for each that was turned away.
std::string told_to_all(const MailTransaction& transaction, bool is_deferred) {
    const auto& turned_away = transaction.turned_away();
    std::string text;
    if (!transaction.recipients().empty())
        text = format_text("{} because of {} of {} recipients", is_deferred ? "Deferred" : "Refused",
                           turned_away.size(), turned_away.size() + transaction.recipients().size());
    for (std::size_t i = 0; i < turned_away.size() && i < most_named; ++i)
        text += format_text("{}{}: {}", text.empty() ? "" : "\n", shown(transaction, turned_away[i]),
                            first_line(turned_away[i].disposition()->reply.text));
    if (turned_away.size() > most_named) text += format_text("\nand {} more", turned_away.size() - most_named);
    return text;
}

Reply refusal_of(const MailTransaction& transaction, const Recipient& decisive) {
    const Disposition& disposition = *decisive.disposition();
    const auto& turned_away = transaction.turned_away();
    const auto is_alike = [&](const Recipient& other) {
        return is_same(other.disposition()->reply, disposition.reply);
    };
    if (transaction.recipients().empty() && std::all_of(turned_away.begin(), turned_away.end(), is_alike))
        return disposition.reply;
    return {disposition.reply.code, disposition.reply.enhanced, told_to_all(transaction, disposition.is_deferred())};
}

Reply with_own_text(Reply rest, const Recipient& recipient) {
    if (rest.is_positive() && recipient.delivered() && !recipient.delivered()->empty())
        rest.text = *recipient.delivered();
    return rest;
}

/// Whether who was refused may go without the message although the client is told that it is accepted.
constexpr bool may_accept(MixedResults rule) { return rule == MixedResults::accept || rule == MixedResults::split; }

}  // namespace

Disposition disposition_of(const Answer& answer, std::string_view plugin, std::string reason) {
    Answer fitting = answer;
    if (!is_denial(answer.verdict)) fitting.verdict = Verdict::denysoft;
    const bool is_deferred = is_soft(fitting.verdict);
    return {is_deferred ? Verdict::denysoft : Verdict::deny, outcome_of(HookId::data_post_rcpt, fitting, {}).reply,
            std::string(plugin), std::move(reason)};
}

void turn_away(const HookContext& context, Connection& connection, Recipient& recipient, Disposition disposition) {
    if (context.log_enabled(LogLevel::info))
        context.log(LogLevel::info, "{} {}{}{}", disposition.is_deferred() ? "deferred" : "refused",
                    quoted(recipient.address().path()), disposition.reason.empty() ? "" : ": ", disposition.reason);
    HistoryEntry entry;
    entry.hook = context.hook;
    entry.plugin = ServerAccess::plugin(context);
    entry.verdict = disposition.verdict;
    entry.code = disposition.reply.code;
    entry.enhanced = disposition.reply.enhanced;
    entry.recipient = recipient.address().path();
    entry.text = disposition.reply.text.substr(0, HistoryEntry::max_text);
    entry.command = connection.commands();
    entry.at = std::chrono::duration_cast<std::chrono::microseconds>(context.clock().now() - connection.started());
    connection.history().add(std::move(entry));
    recipient.set_disposition(std::move(disposition));
}

std::vector<Reply> replies_by_recipient(const MailTransaction& transaction, const Reply& rest) {
    std::vector<Reply> out(transaction.rcpt_count(), rest);
    const auto take = [&](const Recipient& recipient, const Reply& reply) {
        const auto number = recipient.rcpt_number();
        if (number != 0 && number <= out.size()) out[number - 1] = reply;
    };
    const auto& turned_away = transaction.turned_away();  // backwards: the first one counts
    for (auto recipient = turned_away.rbegin(); recipient != turned_away.rend(); ++recipient)
        take(*recipient, recipient->disposition()->reply);
    for (const auto& recipient : transaction.recipients()) take(recipient, with_own_text(rest, recipient));
    for (auto recipient = turned_away.rbegin(); recipient != turned_away.rend(); ++recipient)
        if (recipient->disposition()->is_deferred()) take(*recipient, recipient->disposition()->reply);
    for (std::size_t i = 0; i < out.size(); ++i)
        if (const auto& path = transaction.rcpt_path(static_cast<std::uint32_t>(i + 1)); !path.empty())
            out[i].text.insert(0, path + ": ");
    return out;
}

/// Who is deferred asks to be tried again, so with one reply for all everybody is: else that recipient's mail were
/// lost. Where the rule is `refuse`, a recipient that is refused for good comes first: trying again would not help it.
Reply common_reply(MixedResults rule, const MailTransaction& transaction, const Reply& rest) {
    const auto* const refused = first_with(transaction.turned_away(), false);
    const auto* const deferred = first_with(transaction.turned_away(), true);
    if (!refused && !deferred) return rest;
    const bool has_rest = !transaction.recipients().empty();
    const int rest_class = has_rest ? rest.code / 100 : 0;
    const bool is_lenient = may_accept(rule);
    if (!is_lenient && rest_class == 5) return rest;
    if (!is_lenient && refused) return refusal_of(transaction, *refused);
    if (rest_class == 4) return rest;
    if (deferred) return refusal_of(transaction, *deferred);
    if (rest_class == 2 || rest_class == 5) return rest;
    return refusal_of(transaction, *refused);
}

Reply concluding_reply(const MailTransaction& transaction, const Reply& rest) {
    const auto& turned_away = transaction.turned_away();
    if (!transaction.recipients().empty() || turned_away.empty()) return rest;
    const auto* const deferred = first_with(turned_away, true);
    if (deferred) return {450, {4, 7, 1}, "Nobody gets the message now"};
    return {550, {5, 7, 1}, "Nobody gets the message"};
}

std::string turned_away_text(const Transaction& transaction) {
    std::string out;
    for (const auto& recipient : transaction.turned_away()) {
        const Disposition& disposition = *recipient.disposition();
        out += format_text(" {}={}", disposition.is_deferred() ? "deferred" : "refused",
                           quoted(recipient.address().path()));
        if (!disposition.plugin.empty()) out += format_text(" by={}", disposition.plugin);
        if (!disposition.reason.empty()) out += format_text(" why=\"{}\"", quoted(disposition.reason));
        out += format_text(" told=\"{}\"",
                           quoted(format_text("{} {}", disposition.reply.code, disposition.reply.text)));
    }
    return out;
}

}  // namespace smtpd::engine
