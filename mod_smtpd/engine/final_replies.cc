#include "engine/final_replies.h"

#include <algorithm>
#include <utility>

namespace smtpd::engine {
namespace {

constexpr std::size_t most_named = 10;  ///< recipients in one reply

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

std::string address_list(const std::vector<Recipient>& recipients) {
    std::string out;
    for (const auto& recipient : recipients) out += (out.empty() ? "" : ",") + recipient.address().path();
    return out;
}

/// Appends the transaction's id to the last line.
Reply with_id(Reply reply, const Transaction& transaction) {
    while (!reply.text.empty() && reply.text.back() == '\n') reply.text.pop_back();
    if (reply.text.find(transaction.id()) == std::string::npos)
        reply.text += format_text("{}{}", reply.text.empty() ? "" : " ", transaction.id());
    return reply;
}

/// The recipient as the client named it. What plugins made of it, or added, is not public.
std::string shown(const MailTransaction& transaction, const Recipient& recipient) {
    const auto number = recipient.rcpt_number();
    const bool is_named = number != 0 && number <= transaction.rcpt_count();
    const std::string path = is_named ? transaction.rcpt_path(number) : std::string();
    return path.empty() ? "a recipient" : path;
}

bool is_same(const Reply& one, const Reply& other) {
    return one.code == other.code && one.enhanced == other.enhanced && one.text == other.text;
}

const Recipient* first_with(Fate::Kind kind, const std::vector<Recipient>& recipients) {
    const auto found = std::find_if(recipients.begin(), recipients.end(),
                                    [=](const Recipient& recipient) { return recipient.fate().kind == kind; });
    return found == recipients.end() ? nullptr : &*found;
}

/// "Refused because of 1 of 3 recipients", and a line for each refused recipient.
std::string text_about_refused(const MailTransaction& transaction, bool is_deferred) {
    const auto& refused = transaction.refused_recipients();
    std::string text;
    if (!transaction.recipients().empty())
        text = format_text("{} because of {} of {} recipients", is_deferred ? "Deferred" : "Refused", refused.size(),
                           refused.size() + transaction.recipients().size());
    for (std::size_t i = 0; i < refused.size() && i < most_named; ++i)
        text += format_text("{}{}: {}", text.empty() ? "" : "\n", shown(transaction, refused[i]),
                            first_line(refused[i].fate().reply.text));
    if (refused.size() > most_named) text += format_text("\nand {} more", refused.size() - most_named);
    return text;
}

/// The reply for all recipients if this recipient decides.
Reply refusal_because_of(const Recipient& decisive, const MailTransaction& transaction) {
    const Fate& fate = decisive.fate();
    const auto& refused = transaction.refused_recipients();
    const auto is_alike = [&](const Recipient& other) { return is_same(other.fate().reply, fate.reply); };
    if (transaction.recipients().empty() && std::all_of(refused.begin(), refused.end(), is_alike)) return fate.reply;
    return {fate.reply.code, fate.reply.enhanced, text_about_refused(transaction, fate.is_deferred())};
}

/// The reply with the queue plugin's text for the recipient, if there is one.
Reply with_own_text(Reply rest, const Recipient& recipient) {
    const Fate& fate = recipient.fate();
    if (rest.is_positive() && fate.is_delivered() && !fate.reply.text.empty()) rest.text = fate.reply.text;
    return rest;
}

/// One reply for each accepted RCPT, in order (RFC 2033 4.2), with the recipient's path in front. If a plugin has
/// turned one RCPT into several recipients, a deferred one decides, so that its mail is not lost; otherwise one that is
/// not refused. A recipient that a plugin has removed counts as one of the rest.
std::vector<Reply> replies_to_each(const MailTransaction& transaction, const Reply& rest) {
    std::vector<Reply> out(transaction.rcpt_count(), rest);
    const auto set = [&](const Recipient& recipient, const Reply& reply) {
        const auto number = recipient.rcpt_number();
        if (number != 0 && number <= out.size()) out[number - 1] = reply;
    };
    const auto& refused = transaction.refused_recipients();
    for (auto one = refused.rbegin(); one != refused.rend(); ++one)
        set(*one, one->fate().reply);  // the first one is kept
    for (const auto& one : transaction.recipients()) set(one, with_own_text(rest, one));
    for (auto one = refused.rbegin(); one != refused.rend(); ++one)
        if (one->fate().is_deferred()) set(*one, one->fate().reply);
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto& path = transaction.rcpt_path(static_cast<std::uint32_t>(i + 1));
        if (!path.empty()) out[i].text.insert(0, path + ": ");
        out[i] = with_id(std::move(out[i]), transaction);
    }
    return out;
}

/// The reply after the replies to each: positive if any recipient gets the message.
Reply concluding_reply(const MailTransaction& transaction, const Reply& rest) {
    const auto& refused = transaction.refused_recipients();
    if (!transaction.recipients().empty() || refused.empty()) return rest;
    if (first_with(Fate::Kind::deferred, refused)) return {450, {4, 7, 1}, "No recipient gets the message now"};
    return {550, {5, 7, 1}, "No recipient gets the message"};
}

/// The recipients for which the one reply for all is not true.
std::vector<std::string> false_for_some(const MailTransaction& transaction, const Reply& told, bool is_queued,
                                        MixedResults rule) {
    std::vector<std::string> out;
    if (transaction.refused_recipients().empty()) return out;
    if (!told.is_positive() && is_queued) {
        out.push_back(format_text(
            "SmtpMixedResults: {} got the message, but the client is told \"{}\", and may send it again",
            quoted(address_list(transaction.recipients())), quoted(format_text("{} {}", told.code, told.text))));
    } else if (told.is_positive() && rule == MixedResults::accept) {
        for (const auto& one : transaction.refused_recipients())
            out.push_back(
                format_text("SmtpMixedResults accept: {} does not get the message, and its sender is not told",
                            quoted(one.address().path())));
    }
    return out;
}

/// With a reply for each RCPT: the recipients that do not get the message although no reply says so. Plugins have added
/// these recipients, or made them from others.
std::vector<std::string> left_out(const MailTransaction& transaction, const std::vector<Reply>& replies) {
    std::vector<std::string> out;
    for (const auto& one : transaction.refused_recipients())
        if (const auto number = one.rcpt_number();
            number == 0 || number > replies.size() || replies[number - 1].is_positive())
            out.push_back(
                format_text("{} does not get the message, and its sender is not told", quoted(one.address().path())));
    return out;
}

/// Whether refused recipients may go without the message although the client is told that it is accepted.
constexpr bool may_accept(MixedResults rule) { return rule == MixedResults::accept || rule == MixedResults::split; }

}  // namespace

/// A deferred recipient requires the client to try again, so with one reply for all, every recipient is deferred:
/// otherwise that recipient's mail would be lost. With the rule `refuse`, a rejected recipient takes precedence,
/// because trying again would not help it.
Reply common_reply(MixedResults rule, const MailTransaction& transaction, const Reply& rest) {
    const auto* const rejected = first_with(Fate::Kind::rejected, transaction.refused_recipients());
    const auto* const deferred = first_with(Fate::Kind::deferred, transaction.refused_recipients());
    if (!rejected && !deferred) return rest;
    const bool has_rest = !transaction.recipients().empty();
    const int rest_class = has_rest ? rest.code / 100 : 0;
    const bool is_lenient = may_accept(rule);
    if (!is_lenient && rest_class == 5) return rest;
    if (!is_lenient && rejected) return refusal_because_of(*rejected, transaction);
    if (rest_class == 4) return rest;
    if (deferred) return refusal_because_of(*deferred, transaction);
    if (rest_class == 2 || rest_class == 5) return rest;
    return refusal_because_of(*rejected, transaction);
}

FinalReplies replies_about_recipients(const MailTransaction& transaction, const Reply& rest, bool is_queued,
                                      const ReplyRules& rules) {
    const Reply marked = with_id(rest, transaction);
    FinalReplies out;
    if (!transaction.is_prdr() && !rules.is_lmtp) {
        out.decisive = with_id(common_reply(rules.mixed_results, transaction, marked), transaction);
        out.remarks = false_for_some(transaction, out.decisive, is_queued, rules.mixed_results);
        return out;
    }
    out.decisive = with_id(concluding_reply(transaction, marked), transaction);
    out.to_each = replies_to_each(transaction, marked);
    out.is_announced = !rules.is_lmtp;
    out.remarks = left_out(transaction, out.to_each);
    return out;
}

FinalReplies replies_about_message(const MailTransaction& transaction, const Reply& decided, const ReplyRules& rules) {
    FinalReplies out;
    out.decisive = with_id(decided, transaction);
    if (rules.is_lmtp && rules.is_complete) out.to_each = replies_to_each(transaction, out.decisive);
    return out;
}

}  // namespace smtpd::engine
