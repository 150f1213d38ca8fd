/// session_results.cc: what a message leads to: each recipient is judged, the queue takes it, and the client is told.
///
/// 250 is said only after a plugin of the queue hook has said that the message is safe. Recipients may have different fates (engine/recipient_results.h):
/// with LMTP and PRDR each gets a reply of its own; otherwise there is one for all, by the rule of SmtpMixedResults. Whatever that is, one line of the log has it all.
#include "engine/session.h"

#include "engine/recipient_results.h"

#include <algorithm>
#include <utility>

namespace smtpd::engine {
namespace {

constexpr unsigned most_remembered = 10;  ///< refusals of one message in the session's history

std::string address_list(const std::vector<Recipient>& recipients) {
    std::string out;
    for (const auto& recipient : recipients) out += (out.empty() ? "" : ",") + recipient.address().path();
    return out;
}

}  // namespace

// ---- one by one

/// The stage runs for each recipient; a loop rather than a recursion, since there may be many.
void Session::judge_recipients() {
    if (hooks_.has(HookId::data_post_rcpt)) {
        const auto& recipients = transaction_->recipients();
        judging_.is_running = true;
        while (!waiting_ && judging_.next < recipients.size()) stage(HookId::data_post_rcpt);
        judging_.is_running = false;
        if (waiting_) return;
    }
    transaction_->set_aside();
    if (transaction_->is_without_recipients()) return end_turned_away();
    stage(HookId::queue_pre);
}

void Session::after_recipient(const Answer& answer) {
    auto& recipients = transaction_->recipients();
    const auto blame = is_denial(answer.verdict) ? history_.blame(history_.entries().size()) : History::Blame();
    if (is_denial(answer.verdict) && judging_.next < recipients.size()) {
        const auto* const reason = blame.reason();
        recipients[judging_.next].set_disposition(disposition_of(answer, blame.by ? blame.by->plugin : "", reason ? reason->text : ""));
        judging_.disconnects |= is_disconnect(answer.verdict);
    }
    ++judging_.next;
    if (!judging_.is_running) judge_recipients();
}

// ---- the queue

/// Where the one reply will be a refusal, nobody is to get the message.
void Session::queue_message() {
    const Reply accepted = queued_reply();
    if (is_lmtp_ || transaction_->is_prdr() || common_reply(settings_.mixed_results, *transaction_, accepted).is_positive()) return stage(HookId::queue);
    answer_recipients(accepted, false);
    leave_message();
}

/// With a priority that is not the one asked for, it says which (RFC 6710 4.1, X.3.6).
Reply Session::queued_reply() const {
    if (offers(Extension::mt_priority)) {
        const auto* const asked = transaction_->sender_parameters().find("MT-PRIORITY");
        const int priority = transaction_->priority().value_or(0);
        if (priority != (asked != nullptr && asked->value ? parse_priority(*asked->value).value_or(0) : 0))
            return {250, {2, 3, 6}, format_text("{} is the priority of this message", priority)};
    }
    return {250, {2, 0, 0}, "Queued!"};
}

void Session::after_queue(const Answer& answer) {
    Outcome outcome = outcome_of(HookId::queue, answer, queued_reply());
    if (outcome.is_done) return reset_transaction();
    transaction_->set_aside();
    const bool is_queued = outcome.proceeds && !transaction_->is_without_recipients();
    if (is_queued) {
        ++state_.messages;
        state_.errors = state_.junk_commands = 0;
    }
    answer_recipients(outcome.reply, is_queued);
    notify(HookId::queue_post);
    leave_message();
}

// ---- replies

/// With the transaction's id on the last line.
Reply Session::with_id(Reply decided) const {
    while (!decided.text.empty() && decided.text.back() == '\n') decided.text.pop_back();
    if (decided.text.find(transaction_->id()) == std::string::npos)
        decided.text += format_text("{}{}", decided.text.empty() ? "" : " ", transaction_->id());
    return decided;
}

/// What the client is told in the end, and each recipient's fate, in one line: `to` are those about whom there is nothing else to say.
void Session::note_result(const Reply& told, bool has_own_reason) const {
    if (!log_.enabled(LogLevel::info)) return;
    const std::string to = address_list(transaction_->recipients());
    note(LogLevel::info, "{} from={}{}{} size={}{} reply=\"{}\"{}", told.is_positive() ? "accepted" : "refused", quoted(transaction_->sender().path()),
         to.empty() ? "" : " to=", quoted(to), data_octets_, has_own_reason && !told.is_positive() ? blame() : "",
         quoted(format_text("{} {}", told.code, told.text)), turned_away_text(*transaction_));
}

/// Where there is one reply for all: who is told something that is not true of them.
void Session::note_mixed_results(const Reply& told, bool is_queued) const {
    if (transaction_->turned_away().empty()) return;
    if (!told.is_positive() && is_queued)
        return note(LogLevel::notice, "SmtpMixedResults: {} got the message, but the client is told \"{}\", and may send it again",
                    quoted(address_list(transaction_->recipients())), quoted(format_text("{} {}", told.code, told.text)));
    if (!told.is_positive() || settings_.mixed_results != MixedResults::accept) return;
    for (const auto& recipient : transaction_->turned_away())
        note(LogLevel::notice, "SmtpMixedResults accept: {} does not get the message, and its sender is not told", quoted(recipient.address().path()));
}

/// Where each RCPT has a reply: who does not get the message, and no reply says so. They come of what plugins have made of the recipients.
void Session::note_left_out(const std::vector<Reply>& replies) const {
    for (const auto& recipient : transaction_->turned_away())
        if (const auto number = recipient.rcpt_number(); number == 0 || number > replies.size() || replies[number - 1].is_positive())
            note(LogLevel::notice, "{} does not get the message, and its sender is not told", quoted(recipient.address().path()));
}

/// LMTP: after the message there is a reply for each recipient (RFC 2033 4.2), whatever they say; but not where it breaks off before its end.
bool Session::answers_each() const noexcept { return is_lmtp_ && !hang_up_ && (!in_chunks_ || in_last_chunk_); }

std::vector<Reply> Session::replies_to_each(const Reply& rest) const {
    auto replies = replies_by_recipient(*transaction_, rest);
    for (auto& one : replies) one = with_id(std::move(one));
    return replies;
}

/// They count as one error at most: the client has made no more.
void Session::respond_to_each(const std::vector<Reply>& replies) {
    unsigned refusals = 0;
    for (const auto& reply : replies) {
        put(reply);
        if (reply.code >= 400 && refusals++ < most_remembered) remember_reply(reply);
    }
    if (refusals > 0) count_error();
}

/// The message was judged recipient by recipient. `rest` is what holds for those that nobody has turned away.
void Session::answer_recipients(const Reply& rest, bool is_queued) {
    const Reply marked = with_id(rest);
    const bool is_rest_refused = !rest.is_positive() && !transaction_->recipients().empty();
    if (!transaction_->is_prdr() && !is_lmtp_) {
        const Reply told = with_id(common_reply(settings_.mixed_results, *transaction_, marked));
        note_result(told, is_rest_refused);
        note_mixed_results(told, is_queued);
        respond(told);
        final_text_ = told.text;
        return;
    }
    const Reply told = with_id(concluding_reply(*transaction_, marked));
    note_result(told, is_rest_refused);
    if (!is_lmtp_) respond(Say::recipients_follow);
    const auto replies = replies_to_each(marked);
    note_left_out(replies);
    respond_to_each(replies);
    if (!is_lmtp_) put(told);
    final_text_ = told.text;
}

/// The whole message is refused: with PRDR, too, by one reply.
void Session::end_message(const Reply& decided) {
    const Reply told = with_id(decided);
    note_result(told, true);
    if (answers_each()) respond_to_each(replies_to_each(told));
    else respond(told);
    final_text_ = told.text;
    leave_message();
}

/// Plugins are against every recipient: there is nothing to be queued.
void Session::end_turned_away() {
    answer_recipients({250, {2, 0, 0}, "OK"}, false);
    leave_message();
}

void Session::leave_message() {
    reset_transaction();
    if (judging_.disconnects) finish();
}

/// The end of a message about which the decision fell before it was complete.
void Session::end_refused_message() {
    if (decoder_) data_octets_ = decoder_->consumed();
    const bool hangs_up = hang_up_ || is_last_message_;
    if (is_last_message_) note(LogLevel::notice, "a CR or LF stands alone in the message: the session ends, what follows is not looked at");
    end_message(Reply(*refusal_));
    if (hangs_up) finish();
}

}  // namespace smtpd::engine
