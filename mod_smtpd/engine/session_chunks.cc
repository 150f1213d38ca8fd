/// session_chunks.cc: BDAT (RFC 3030): the message in chunks of known size, so that nothing in it must be searched for
/// or escaped.
///
/// Each BDAT is followed by as many octets as it says, whatever the reply: even if BDAT is not offered, or is refused,
/// they are read and discarded before the reply, and never executed as commands. If the size cannot be parsed, the end
/// of the chunk is unknown, so the session ends: 501, and the connection is closed. (Reading on would let the author of
/// a message insert commands into the sending server's session.)
///
/// A chunk that fails is answered at its end, and ends the transaction; chunks already on their way are discarded with
/// 503, which does not count as an error of the client. The text of a message must obey SmtpBareNewline and
/// SmtpMaxLineLength as in DATA, unless it is BINARYMIME, whose body is kept octet for octet. A chunk may end anywhere,
/// even between CR and LF.
///
/// With LMTP the last chunk is answered for each recipient (RFC 2033 4.2), the others once.
#include "engine/session.h"

#include "smtp/chunk_argument.h"

#include <utility>

namespace smtpd::engine {

void Session::bdat(std::string_view rest) {
    const auto argument = smtp::parse_chunk(rest);
    if (!argument) return end_connection(StandardReply::bad_chunk_size);
    chunk_.emplace(Chunk{argument->size, argument->size, argument->last, clock_.now()});
    const CommandRow& row = *find_command(smtp::Verb::bdat);
    if (const auto objection = objection_to(row, rest, situation())) return refuse_chunk(reply(*objection->say));
    if (!transaction_->intake) return stage(HookId::data);
    if (chunk_->left == 0) end_of_chunk();
}

/// The response of the data hook's plugins to the first chunk.
void Session::after_chunk_data(const Response& response) {
    StageResult result = apply_response(HookId::data, response, {});
    if (result.proceeds) return begin_chunks();
    if (!result.reply.empty() && log_.enabled(LogLevel::info)) log_refusal(HookId::data, result.reply);
    if (result.disconnects) return end_connection(result.reply);
    if (is_lmtp_ && chunk_->is_last) chunk_->answers = transaction_->rcpt_count();
    reset_transaction();
    refuse_chunk(std::move(result.reply));
}

void Session::begin_chunks() {
    begin_message(MessageIntake::Source::chunks);
    if (chunk_->left == 0) end_of_chunk();
}

/// The chunk's octets are read before the refusal is sent.
void Session::refuse_chunk(Reply refusal) {
    chunk_->refusal = std::move(refusal);
    if (chunk_->left == 0) end_of_chunk();
}

void Session::receive_chunk() {
    const auto piece = chunk_->take(rest_);
    if (!chunk_->refusal) {
        transaction_->intake->feed_chunk(piece);
        record_fault();
        if (transaction_->intake->hangs_up()) {
            if (!hand_over(Work::message_end, end_of_message_hooks)) end_refused_message();
            return;
        }
    }
    if (chunk_->left == 0) end_of_chunk();
}

void Session::end_of_chunk() {
    const bool ends_message = !chunk_->refusal && (chunk_->is_last || intake()->refusal() || intake()->defect());
    if (ends_message && hand_over(Work::message_end, end_of_message_hooks)) return;
    const Chunk chunk = *std::exchange(chunk_, std::nullopt);
    if (chunk.refusal) return answer_refused_chunk(chunk);
    if (chunk.size == 0 && !chunk.is_last && ++state_.junk_commands > settings_.max_junk_commands) count_error();
    const auto status = transaction_->intake->end_of_chunk(chunk.is_last);
    if (status == MessageIntake::Status::incomplete)
        return respond({250, {2, 0, 0}, format_text("{} octets received", chunk.size)});
    log_defect();
    record_fault();
    if (status == MessageIntake::Status::complete) return judge_message();
    end_refused_message();
    chunk_failed_ = !chunk.is_last;
}

/// Chunks that were on their way when an earlier chunk or a recipient was refused do not count as errors, unless there
/// are too many.
void Session::answer_refused_chunk(const Chunk& chunk) {
    if (!chunk_failed_ && !chunk.refusal->empty()) respond_to_each(std::vector<Reply>(chunk.answers, *chunk.refusal));
    else if (chunk_failed_) put(*chunk.refusal);
    if (chunk_failed_ && ++state_.junk_commands > settings_.max_junk_commands) count_error();
    chunk_failed_ = !chunk.is_last;
}

}  // namespace smtpd::engine
