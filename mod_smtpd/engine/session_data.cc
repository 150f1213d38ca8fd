/// session_data.cc: the message of a session, from 354 or the first chunk of BDAT to the stages that judge it (RFC 5321
/// 4.1.1.4). engine/message_intake.h receives it; session_results.cc handles the results.
#include "engine/session.h"

#include "engine/authentication_results.h"
#include "engine/server_access.h"
#include "engine/trace_fields.h"
#include "engine/transaction_delivery.h"
#include "support/date.h"
#include "support/strings.h"

namespace smtpd::engine {

void Session::begin_message(MessageIntake::Source source) {
    if (hooks_.has(HookId::data_chunk)) {
        MessageHook context(HookId::data_chunk, *this, *transaction_);
        transaction_->streams.emplace(hooks_.observe_message(context), services_, clock_);
    }
    const MessageIntake::Rules rules{.bare_newline = state_.bare_newline,
                                     .max_size = state_.max_message_size,
                                     .max_line = settings_.max_text_line_with_end(),
                                     .is_observed = transaction_->streams.has_value()};
    MessageIntake::Observer& observer = *this;
    transaction_->intake.emplace(source, *transaction_, rules, observer, clock_.now());
}

void Session::receive() {
    rest_.remove_prefix(transaction_->intake->feed(rest_));
    record_fault();
    if (!transaction_->intake->hangs_up() && !transaction_->intake->is_at_end()) return;
    if (!hand_over(Work::message_end, end_of_message_hooks)) end_of_message_input();
}

/// The last octet has arrived, or the message was broken off.
void Session::end_of_message_input() {
    if (intake()->hangs_up()) return end_refused_message();
    if (chunk_) return end_of_chunk();
    end_of_data();
}

void Session::message_octets(std::string_view piece) { transaction_->streams->chunk(piece); }

/// Whether a stream must catch up before the session continues with the message; then the session is parked.
bool Session::wait_for_streams() {
    if (!transaction_ || !transaction_->streams) return false;
    auto awaited = transaction_->streams->awaited();
    if (awaited.empty()) return false;
    stage_ = make_stage(HookId::data_chunk);
    for (auto& one : awaited) stage_->await(std::move(one.name), std::move(one.task), one.limit);
    if (stage_->is_over(at_eof_)) stage_.reset();
    return stage_ != nullptr;
}

/// The streams have caught up, or are left behind. The pause does not count against the client.
void Session::after_streams() {
    const auto pause = clock_.now() - stage_->since();
    stage_.reset();
    transaction_->streams->leave_behind();
    transaction_->intake->forgive(pause);
    if (chunk_) chunk_->since += pause;
    if (transaction_->streams->has_ended()) begin_pipeline();
}

/// Plugins must not trust a field that claims to be ours. Signatures are verified against Headers::original().
StageResult Session::header_arrived() {
    if (authserv_id() != no_authserv_id) disown_forged_results(transaction_->message().headers(), authserv_id());
    if (!hooks_.has(HookId::data_headers_end)) return {.reply = {}, .proceeds = true};
    MessageHook context(HookId::data_headers_end, *this, *transaction_);
    return apply_response(HookId::data_headers_end, hooks_.run_through(context), {});
}

void Session::end_of_data() {
    const auto status = transaction_->intake->end_of_data();
    log_defect();
    record_fault();
    if (status == MessageIntake::Status::refused) return end_refused_message();
    judge_message();
}

void Session::log_defect() const {
    if (const auto defect = transaction_->intake->defect())
        write_log(state_.bare_newline == smtp::BareNewline::reject ? LogLevel::notice : LogLevel::info,
                  "{} in the message at octet {}: \"{}\"", smtp::defect_name(defect->defect), defect->offset,
                  defect->around);
}

void Session::record_fault() {
    if (const auto fault = transaction_->intake->take_fault(); !fault.empty()) write_log(LogLevel::error, "{}", fault);
}

/// RFC 6409 8.2, 8.3: fields that every message must have, and that some programs leave to the server.
void Session::complete_submission() {
    Headers& headers = transaction_->message().headers();
    if (!headers.get("Date")) headers.append("Date", support::rfc5322_date(clock_.wall()));
    if (!headers.get("Message-ID"))
        headers.append("Message-ID", format_text("<{}@{}>", transaction_->id(), server_name_));
}

void Session::add_trace_fields() {
    if (settings_.submission) complete_submission();
    std::string received = received_value(*this, *transaction_, settings_.software);
    if (hooks_.has(HookId::received_line)) {
        std::string value = received;
        ReceivedLineHook context(*this, *transaction_, protocol_word(*this, *transaction_), value);
        if (hooks_.run_through(context).verdict == Verdict::ok && !value.empty()) received = std::move(value);
    }
    transaction_->message().headers().prepend("Received", received);
}

/// Placed above everything else (RFC 8601 4.1), including Received and the fields that plugins added at data_post.
/// UTF-8 is used only if the message needs SMTPUTF8 anyway: a next hop must not reject the message because of this
/// field.
void Session::add_authentication_results() {
    ServerAccess::results(*transaction_).close();
    const std::string& id = authserv_id();
    if (id == no_authserv_id) return;
    const ResultsView results(authentication_results(), &transaction_->authentication_results());
    const auto text = needs_smtputf8(transaction_->envelope(), transaction_->recipients(), transaction_->message())
                          ? FieldText::utf8
                          : FieldText::ascii;
    if (const auto value = authentication_results_value(results, id, text); !value.empty())
        transaction_->message().headers().prepend("Authentication-Results", value);
}

}  // namespace smtpd::engine
