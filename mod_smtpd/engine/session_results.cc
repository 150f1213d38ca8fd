/// session_results.cc: the results of a message: plugins judge it, the queue takes it, and the client is told
/// (engine/message_pipeline.h, engine/final_replies.h). One log line summarises them.
#include "engine/session.h"

#include "engine/recipient_results.h"

#include <algorithm>
#include <utility>

namespace smtpd::engine {
namespace {

constexpr unsigned most_remembered = 10;  ///< refusals of one message in the session's history

}  // namespace

// ---- the stages

/// The message is complete. Streams that observed it may have to catch up.
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

/// Runs stage after stage until one must wait; a loop instead of recursion, because there may be many recipients.
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

void Session::after_message_stage(const Response& response) {
    const auto cause = is_denial(response.verdict) ? history_.rejection_cause(history_.entries().size())
                                                   : History::RejectionCause();
    transaction_->pipeline->answered(response, cause);
    if (!is_in_pipeline_) run_pipeline();
}

void Session::conclude_message(MessagePipeline::Result result) {
    using Kind = MessagePipeline::Result::Kind;
    if (result.is_queued) {
        ++state_.messages;
        state_.errors = state_.junk_commands = 0;
    }
    const bool is_rest_refused = !result.reply.is_positive() && !transaction_->recipients().empty();
    if (result.kind == Kind::refused) tell(replies_about_message(*transaction_, result.reply, reply_rules()), true);
    if (result.kind == Kind::judged) {
        auto replies = replies_about_recipients(*transaction_, result.reply, result.is_queued, reply_rules());
        tell(replies, is_rest_refused);
        if (result.was_at_queue) notify(HookId::queue_post, QueuePostArgument{std::move(replies.decisive.text)});
    }
    reset_transaction();
    if (result.disconnects) finish();
}

// ---- replies

ReplyRules Session::reply_rules() const noexcept {
    const MessageIntake& intake = *transaction_->intake;
    return {.mixed_results = settings_.mixed_results,
            .is_lmtp = is_lmtp_,
            .is_complete = !intake.hangs_up() && (!intake.is_in_chunks() || intake.is_in_last_chunk())};
}

/// The final reply and each recipient's fate, in one line: `to` lists the recipients without anything special.
void Session::log_result(const Reply& told, bool has_own_reason) const {
    if (!log_.enabled(LogLevel::info)) return;
    const bool is_accepted = told.is_positive();
    write_log(LogLevel::info, "{} from={}{} size={}{} reply=\"{}\"{}", is_accepted ? "accepted" : "refused",
              quoted(transaction_->sender().path()), recipients_text(*transaction_),
              transaction_->intake->octets_so_far(),
              is_accepted      ? delivered_text(*transaction_)
              : has_own_reason ? rejection_cause()
                               : "",
              quoted(format_text("{} {}", told.code, told.text)), refused_text(*transaction_));
}

void Session::tell(const FinalReplies& replies, bool has_own_reason) {
    log_result(replies.decisive, has_own_reason);
    for (const auto& remark : replies.remarks) write_log(LogLevel::notice, remark);
    if (replies.to_each.empty()) return respond(replies.decisive);
    if (replies.is_announced) respond(StandardReply::recipients_follow);
    respond_to_each(replies.to_each);
    if (replies.is_announced) put(replies.decisive);
}

/// The replies count as at most one error, because the client made no more than one.
void Session::respond_to_each(const std::vector<Reply>& replies) {
    unsigned refusals = 0;
    for (const auto& reply : replies) {
        put(reply);
        if (reply.code >= 400 && refusals++ < most_remembered) remember_reply(reply);
    }
    if (refusals > 0) count_error();
}

/// Ends a message that was refused before it was complete.
void Session::end_refused_message() {
    const MessageIntake& intake = *transaction_->intake;
    const bool ends_session = intake.hangs_up() || intake.closes_session();
    if (intake.closes_session())
        write_log(LogLevel::notice, "bare CR or LF in the message: the session ends, and what follows is ignored");
    tell(replies_about_message(*transaction_, *intake.refusal(), reply_rules()), true);
    reset_transaction();
    if (ends_session) finish();
}

}  // namespace smtpd::engine
