#include "engine/message_pipeline.h"

#include "engine/final_replies.h"
#include "engine/mail_parameters.h"
#include "engine/recipient_results.h"
#include "engine/server_access.h"

#include <utility>

namespace smtpd::engine {

struct MessagePipeline::Stage {
    enum class Subject { message, recipient, queue };

    HookId hook;
    Subject subject;  ///< what the plugins judge
    Field field;      ///< what is added to the message before this stage
};

const MessagePipeline::Stage MessagePipeline::stages[] = {
    {HookId::data_post_headers, Stage::Subject::message, Field::none},
    {HookId::data_post, Stage::Subject::message, Field::received},
    {HookId::data_post_rcpt, Stage::Subject::recipient, Field::authentication_results},
    {HookId::queue_pre, Stage::Subject::message, Field::none},
    {HookId::queue, Stage::Subject::queue, Field::none},
};

/// Skips stages that have no handlers.
MessagePipeline::Next MessagePipeline::next() {
    while (!result_) {
        const Stage& stage = stages[stage_];
        const bool is_over = stage.subject == Stage::Subject::recipient &&
                             (!rules_.judges_recipients || recipient_ >= transaction_.recipients().size());
        if (is_over) {
            advance();
            continue;
        }
        if (stage.subject == Stage::Subject::queue && is_useless_to_queue()) {
            result_ = Result{.kind = Result::Kind::judged, .reply = accepted()};
            break;
        }
        is_asking_ = true;
        return Ask{stage.hook, std::exchange(due_, Field::none)};
    }
    if (result_->kind != Result::Kind::answered) result_->disconnects |= disconnects_;
    return *result_;
}

void MessagePipeline::answered(const Response& response, const History::RejectionCause& cause) {
    is_asking_ = false;
    switch (stages[stage_].subject) {
        case Stage::Subject::message: return judge_message(response);
        case Stage::Subject::recipient: return judge_recipient(response, cause);
        case Stage::Subject::queue: return after_queue(response);
    }
}

void MessagePipeline::judge_message(const Response& response) {
    StageResult result = apply_response(stages[stage_].hook, response, {});
    if (result.is_done) result_ = Result{.kind = Result::Kind::answered};
    else if (!result.proceeds)
        result_ = Result{
            .kind = Result::Kind::refused, .reply = std::move(result.reply), .disconnects = result.disconnects};
    else advance();
}

/// The connection is closed only after all recipients were judged and the client was told.
void MessagePipeline::judge_recipient(const Response& response, const History::RejectionCause& cause) {
    auto& recipients = transaction_.recipients();
    if (is_denial(response.verdict) && recipient_ < recipients.size()) {
        const auto* const reason = cause.reason();
        ServerAccess::set_fate(recipients[recipient_],
                               refusal(response, cause.by ? cause.by->plugin : "", reason ? reason->text : ""));
        disconnects_ |= is_disconnect(response.verdict);
    }
    ++recipient_;
}

void MessagePipeline::after_queue(const Response& response) {
    StageResult result = apply_response(HookId::queue, response, accepted());
    result_ = Result{.kind = result.is_done ? Result::Kind::answered : Result::Kind::judged,
                     .reply = std::move(result.reply),
                     .was_at_queue = true};
    if (result.is_done) return;
    ServerAccess::move_refused(transaction_);
    result_->is_queued = result.proceeds && !transaction_.is_without_recipients();
}

/// The stage is over. If plugins have refused every recipient, there is nothing to queue.
void MessagePipeline::advance() {
    ServerAccess::move_refused(transaction_);
    if (transaction_.is_without_recipients()) {
        result_ = Result{.kind = Result::Kind::judged, .reply = {250, {2, 0, 0}, "OK"}};
        return;
    }
    ++stage_;
    if (stages[stage_].field != Field::none) due_ = stages[stage_].field;
}

/// If the one reply for all will be a refusal, no recipient must get the message.
bool MessagePipeline::is_useless_to_queue() const {
    return !rules_.is_lmtp && !transaction_.is_prdr() &&
           !common_reply(rules_.mixed_results, transaction_, accepted()).is_positive();
}

/// If the priority is not the requested one, the reply says which it is (RFC 6710 4.1, X.3.6).
Reply MessagePipeline::accepted() const {
    if (rules_.tells_priority) {
        const auto* const asked = transaction_.envelope().parameters.find("MT-PRIORITY");
        const int priority = transaction_.envelope().priority.value_or(0);
        if (priority != (asked != nullptr && asked->value ? parse_priority(*asked->value).value_or(0) : 0))
            return {250, {2, 3, 6}, format_text("{} is the priority of this message", priority)};
    }
    return {250, {2, 0, 0}, "Queued!"};
}

}  // namespace smtpd::engine
