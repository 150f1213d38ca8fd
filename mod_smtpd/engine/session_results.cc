/// session_results.cc: what a message leads to: each recipient is judged, the queue takes it, and the client is told.
///
/// 250 is said only after a plugin of the queue hook has said that the message is safe. Recipients may have different
/// fates (engine/recipient_results.h): with LMTP and PRDR each gets a reply of its own; otherwise there is one for all,
/// by the rule of SmtpMixedResults. Whatever that is, one line of the log has it all.
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

// ---- the stages

/// The message is complete. Those that have looked on while it came may have to catch up.
void Session::judge_message() {
    if (transaction_->streams) {
        transaction_->streams->end();
        if (wait_for_streams()) return;
    }
    begin_pipeline();
}

void Session::begin_pipeline() {
    transaction_->pipeline.emplace(*transaction_,
                                   MessagePipeline::Rules{.mixed_results = settings_.mixed_results,
                                                          .is_lmtp = is_lmtp_,
                                                          .judges_recipients = hooks_.has(HookId::data_post_rcpt),
                                                          .tells_priority = offers(Extension::mt_priority)});
    run_pipeline();
}

/// Asks stage after stage, until one has to wait; a loop rather than a recursion, since there may be many recipients.
void Session::run_pipeline() {
    while (transaction_ && transaction_->pipeline && !transaction_->pipeline->is_asking()) {
        auto next = transaction_->pipeline->next();
        if (const auto* const ask = std::get_if<MessagePipeline::Ask>(&next)) {
            if (ask->field == MessagePipeline::Field::received) add_trace_fields();
            if (ask->field == MessagePipeline::Field::authentication_results) add_authentication_results();
            is_in_pipeline_ = true;
            stage(ask->hook);
            is_in_pipeline_ = false;
        } else {
            conclude_message(std::get<MessagePipeline::Result>(std::move(next)));
        }
    }
}

void Session::after_message_stage(const Answer& answer) {
    const auto cause = is_denial(answer.verdict) ? history_.blame(history_.entries().size()) : History::Blame();
    transaction_->pipeline->answered(answer, cause);
    if (!is_in_pipeline_) run_pipeline();
}

void Session::conclude_message(MessagePipeline::Result result) {
    using Kind = MessagePipeline::Result::Kind;
    if (result.is_queued) {
        ++state_.messages;
        state_.errors = state_.junk_commands = 0;
    }
    if (result.kind == Kind::refused) tell_everybody(result.reply);
    if (result.kind == Kind::judged) answer_recipients(result.reply, result.is_queued);
    if (result.kind == Kind::judged && result.was_at_queue) notify(HookId::queue_post);
    reset_transaction();
    if (result.disconnects) finish();
}

// ---- replies

/// What the client is told in the end, and each recipient's fate, in one line: `to` are those about whom there is
/// nothing else to say.
void Session::note_result(const Reply& told, bool has_own_reason) const {
    if (!log_.enabled(LogLevel::info)) return;
    const std::string to = address_list(transaction_->recipients());
    note(LogLevel::info, "{} from={}{}{} size={}{} reply=\"{}\"{}", told.is_positive() ? "accepted" : "refused",
         quoted(transaction_->sender().path()), to.empty() ? "" : " to=", quoted(to),
         transaction_->intake->octets_so_far(), has_own_reason && !told.is_positive() ? blame() : "",
         quoted(format_text("{} {}", told.code, told.text)), turned_away_text(*transaction_));
}

/// Where there is one reply for all: who is told something that is not true of them.
void Session::note_mixed_results(const Reply& told, bool is_queued) const {
    if (transaction_->turned_away().empty()) return;
    if (!told.is_positive() && is_queued)
        return note(LogLevel::notice,
                    "SmtpMixedResults: {} got the message, but the client is told \"{}\", and may send it again",
                    quoted(address_list(transaction_->recipients())),
                    quoted(format_text("{} {}", told.code, told.text)));
    if (!told.is_positive() || settings_.mixed_results != MixedResults::accept) return;
    for (const auto& recipient : transaction_->turned_away())
        note(LogLevel::notice, "SmtpMixedResults accept: {} does not get the message, and its sender is not told",
             quoted(recipient.address().path()));
}

/// Where each RCPT has a reply: who does not get the message, and no reply says so. They come of what plugins have made
/// of the recipients.
void Session::note_left_out(const std::vector<Reply>& replies) const {
    for (const auto& recipient : transaction_->turned_away())
        if (const auto number = recipient.rcpt_number();
            number == 0 || number > replies.size() || replies[number - 1].is_positive())
            note(LogLevel::notice, "{} does not get the message, and its sender is not told",
                 quoted(recipient.address().path()));
}

/// LMTP: after the message there is a reply for each recipient (RFC 2033 4.2), whatever they say; but not where it
/// breaks off before its end.
bool Session::answers_each() const noexcept {
    const MessageIntake& intake = *transaction_->intake;
    return is_lmtp_ && !intake.hangs_up() && (!intake.is_in_chunks() || intake.is_in_last_chunk());
}

std::vector<Reply> Session::replies_to_each(const Reply& rest) const {
    auto replies = replies_by_recipient(*transaction_, rest);
    for (auto& one : replies) one = with_id(std::move(one), *transaction_);
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
    const Reply marked = with_id(rest, *transaction_);
    const bool is_rest_refused = !rest.is_positive() && !transaction_->recipients().empty();
    if (!transaction_->is_prdr() && !is_lmtp_) {
        const Reply told = with_id(common_reply(settings_.mixed_results, *transaction_, marked), *transaction_);
        note_result(told, is_rest_refused);
        note_mixed_results(told, is_queued);
        respond(told);
        final_text_ = told.text;
        return;
    }
    const Reply told = with_id(concluding_reply(*transaction_, marked), *transaction_);
    note_result(told, is_rest_refused);
    if (!is_lmtp_) respond(Say::recipients_follow);
    const auto replies = replies_to_each(marked);
    note_left_out(replies);
    respond_to_each(replies);
    if (!is_lmtp_) put(told);
    final_text_ = told.text;
}

/// The whole message is refused: with PRDR, too, by one reply.
void Session::tell_everybody(const Reply& decided) {
    const Reply told = with_id(decided, *transaction_);
    note_result(told, true);
    if (answers_each()) respond_to_each(replies_to_each(told));
    else respond(told);
    final_text_ = told.text;
}

/// The end of a message about which the decision fell before it was complete.
void Session::end_refused_message() {
    const MessageIntake& intake = *transaction_->intake;
    const bool ends_session = intake.hangs_up() || intake.closes_session();
    if (intake.closes_session())
        note(LogLevel::notice,
             "a CR or LF stands alone in the message: the session ends, what follows is not looked at");
    tell_everybody(*intake.refusal());
    reset_transaction();
    if (ends_session) finish();
}

}  // namespace smtpd::engine
