/// session_data.cc: the message, from 354 or the first chunk of BDAT to the stages that judge it (RFC 5321 4.1.1.4); what it leads to is in
/// session_results.cc.
///
/// Whatever goes wrong while octets arrive is answered only at the end of data, so that client and server stay in step.
#include "engine/session.h"

#include "engine/trace_fields.h"
#include "smtp/utf8.h"
#include "support/date.h"
#include "support/strings.h"

namespace smtpd::engine {
namespace {

Reply storage_refusal(const Error& error) { return reply(error.code == ErrorCode::no_space ? Say::spool_full : Say::spool_failed); }

bool has_bare_newline(const smtp::DataDecoder& decoder) { return decoder.has(smtp::Defect::bare_lf) || decoder.has(smtp::Defect::bare_cr); }

}  // namespace

std::optional<Say> refusal_for(const smtp::DataDecoder& decoder, smtp::BareNewline policy) {
    using smtp::Defect;
    if (decoder.has(Defect::line_too_long)) return Say::text_line_too_long;
    if (policy != smtp::BareNewline::reject) return {};
    if (decoder.has(Defect::bare_lf)) return Say::bare_lf_in_message;
    if (decoder.has(Defect::bare_cr)) return Say::bare_cr_in_message;
    if (decoder.has(Defect::nul)) return Say::nul_in_message;
    return {};
}

void Session::begin_message() {
    transaction_->begin_message();
    headers_seen_ = drop_data_ = hang_up_ = is_last_message_ = false;
    refusal_.reset();
    final_text_.clear();
    data_octets_ = 0;
    judging_ = {};
}

void Session::receive() {
    rest_.remove_prefix(decoder_->feed(rest_, *this));
    if (hang_up_) return end_refused_message();
    if (decoder_->done()) end_of_data();
}

/// A piece of the message, dot-unstuffed. Of one that goes over the limit, what is below it is looked at all the same: what the client is
/// told must not depend on how the message was cut.
void Session::octets(std::string_view piece) {
    if (drop_data_) return;
    auto& message = transaction_->stored();
    if (state_.max_message_size != 0 && piece.size() > state_.max_message_size - message.size()) {
        if (const auto room = state_.max_message_size - message.size(); room > 0) octets(piece.substr(0, room));
        return refuse_message(reply(Say::message_too_large));
    }
    if (const auto appended = message.append(piece); !appended) {
        note(LogLevel::error, "cannot keep the message: {}", appended.error().what);
        return refuse_message(storage_refusal(appended.error()));
    }
    if (message.header_too_large()) return refuse_message(reply(Say::header_too_large));
    if (hooks_.has(HookId::data_chunk)) {
        DataChunkHook context(*this, *transaction_, piece);
        (void)hooks_.run(context);
    }
    if (!headers_seen_ && message.headers_complete()) header_arrived();
}

void Session::header_arrived() {
    headers_seen_ = true;
    if (const auto defect = defect_of_header()) return refuse_message(reply(*defect));
    if (!hooks_.has(HookId::data_headers_end)) return;
    MessageHook context(HookId::data_headers_end, *this, *transaction_);
    Outcome outcome = outcome_of(HookId::data_headers_end, hooks_.run(context), {});
    if (outcome.proceeds || outcome.is_done) return;
    hang_up_ = outcome.disconnects;
    refuse_message(std::move(outcome.reply));
}

/// What only the header block can have: with SMTPUTF8 octets that are no UTF-8 (RFC 6532 3), and with BINARYMIME, where nobody else looks at the octets, line
/// ends that are none.
std::optional<Say> Session::defect_of_header() {
    if (!transaction_->is_smtputf8() && !transaction_->is_binarymime()) return std::nullopt;
    const std::string_view block = transaction_->stored().headers().original();
    if (transaction_->is_smtputf8() && !smtp::is_valid_utf8(block)) return Say::bad_utf8_header;
    if (!transaction_->is_binarymime() || state_.bare_newline == smtp::BareNewline::accept) return std::nullopt;
    struct Ignored final : smtp::DataDecoder::Sink {
        void octets(std::string_view) override {}
    } ignored;
    smtp::DataDecoder decoder(smtp::BareNewline::reject, 0, smtp::DataDecoder::Framing::counted);
    decoder.feed(block, ignored);
    decoder.finish(ignored);
    const bool is_clean = decoder.is_clean() && transaction_->stored().separator() != "\n";
    if (state_.bare_newline == smtp::BareNewline::reject) is_last_message_ = has_bare_newline(decoder) || transaction_->stored().separator() == "\n";
    return is_clean ? std::nullopt : std::optional(Say::bare_newline_in_header);
}

/// The message will be refused when it is over; what still comes is not kept.
void Session::refuse_message(Reply reply) {
    drop_data_ = true;
    if (!refusal_) refusal_ = std::move(reply);
    transaction_->begin_message();  // gives its space back
}

void Session::end_of_data() {
    const auto decoder = std::move(*decoder_);
    decoder_.reset();
    data_octets_ = decoder.consumed();
    note_defect(decoder);
    judge_line_ends(decoder);
    if (!refusal_) complete_message();
    if (refusal_) return end_refused_message();
    stage(HookId::data_post_headers);
}

/// Where a CR or LF stands alone, the server that sends the message may have seen its end at another place than we have (SMTP smuggling): what looks like
/// commands behind our end may be a part of its message. So nothing of that is looked at.
void Session::judge_line_ends(const smtp::DataDecoder& decoder) {
    if (const auto why = refusal_for(decoder, state_.bare_newline); why && !refusal_) refusal_ = reply(*why);
    if (state_.bare_newline == smtp::BareNewline::reject && has_bare_newline(decoder)) is_last_message_ = true;
}

void Session::note_defect(const smtp::DataDecoder& decoder) const {
    if (const auto defect = decoder.first_defect())
        note(state_.bare_newline == smtp::BareNewline::reject ? LogLevel::notice : LogLevel::info, "{} in the message at octet {}: \"{}\"",
             smtp::defect_name(defect->defect), defect->offset, defect->around);
}

void Session::complete_message() {
    if (const auto finished = transaction_->stored().finish(); !finished) {
        note(LogLevel::error, "cannot keep the message: {}", finished.error().what);
        refusal_ = storage_refusal(finished.error());
        return;
    }
    if (!headers_seen_) header_arrived();
}

/// data_post_headers, data_post, queue_pre: on to the next, or out; also where nobody is left who might get the message.
void Session::after_message_stage(HookId hook, const Answer& answer) {
    Outcome outcome = outcome_of(hook, answer, {});
    if (outcome.is_done) return reset_transaction();
    if (!outcome.proceeds) {
        end_message(outcome.reply);
        if (outcome.disconnects) finish();
        return;
    }
    transaction_->set_aside();
    if (transaction_->is_without_recipients()) return end_turned_away();
    switch (hook) {
        case HookId::data_post_headers: add_trace_fields(); return stage(HookId::data_post);
        case HookId::data_post: return judge_recipients();
        default: return queue_message();
    }
}

/// RFC 6409 8.2, 8.3: what every message has to have, and some programs leave to the server.
void Session::complete_submission() {
    Headers& headers = transaction_->message().headers();
    if (!headers.get("Date")) headers.append("Date", support::rfc5322_date(clock_.wall()));
    if (!headers.get("Message-ID")) headers.append("Message-ID", format_text("<{}@{}>", transaction_->id(), server_name_));
}

void Session::add_trace_fields() {
    if (settings_.submission) complete_submission();
    std::string received = received_value(*this, *transaction_, settings_.software);
    if (hooks_.has(HookId::received_line)) {
        std::string value = received;
        ReceivedLineHook context(*this, *transaction_, protocol_word(*this, *transaction_), value);
        if (hooks_.run(context).verdict == Verdict::ok && !value.empty()) received = std::move(value);
    }
    Headers& headers = transaction_->message().headers();
    const std::string& authserv_id = settings_.authserv_id.empty() ? server_name_ : settings_.authserv_id;
    if (authserv_id != "none") disown_forged_results(headers, authserv_id);
    headers.prepend("Received", received);
    if (authserv_id == "none") return;
    if (const auto results = authentication_results_value(*this, *transaction_, authserv_id); !results.empty())
        headers.prepend("Authentication-Results", results);
}

}  // namespace smtpd::engine
