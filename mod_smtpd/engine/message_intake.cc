#include "engine/message_intake.h"

#include "smtp/utf8.h"

#include <algorithm>

namespace smtpd::engine {
namespace {

using smtp::BareNewline;
using smtp::DataDecoder;
using smtp::Defect;

Reply storage_refusal(const Error& error) {
    return reply(error.code == ErrorCode::no_space ? StandardReply::spool_full : StandardReply::spool_failed);
}

/// The reason to refuse a message, by the defects that the decoder found.
std::optional<StandardReply> refusal_for(const DataDecoder& decoder, BareNewline policy) {
    if (decoder.has(Defect::line_too_long)) return StandardReply::text_line_too_long;
    if (policy != BareNewline::reject) return {};
    if (decoder.has(Defect::bare_lf)) return StandardReply::bare_lf_in_message;
    if (decoder.has(Defect::bare_cr)) return StandardReply::bare_cr_in_message;
    if (decoder.has(Defect::nul)) return StandardReply::nul_in_message;
    return {};
}

bool has_bare_newline(const DataDecoder& decoder) {
    return decoder.has(Defect::bare_lf) || decoder.has(Defect::bare_cr);
}

/// Examines a text of known size without storing it.
DataDecoder examined(std::string_view text) {
    struct Ignored final : DataDecoder::Sink {
        void octets(std::string_view) override {}
    } ignored;
    DataDecoder decoder(BareNewline::reject, 0, DataDecoder::Framing::counted);
    decoder.feed(text, ignored);
    decoder.finish(ignored);
    return decoder;
}

}  // namespace

std::string_view Chunk::take(std::string_view& input) noexcept {
    const auto piece = input.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left, input.size())));
    input.remove_prefix(piece.size());
    left -= piece.size();
    return piece;
}

MessageIntake::MessageIntake(Source source, MailTransaction& transaction, const Rules& rules, Observer& observer,
                             MonotonicTime since)
    : transaction_(transaction), observer_(observer), rules_(rules), source_(source), since_(since) {
    transaction_.begin_message();
    if (source == Source::data) decoder_.emplace(rules.bare_newline, rules.max_line);
    else if (!transaction.envelope().is_binarymime())
        decoder_.emplace(rules.bare_newline, rules.max_line, DataDecoder::Framing::counted);
}

std::size_t MessageIntake::feed(std::string_view input) {
    const auto used = decoder_->feed(input, *this);
    octets_ += used;
    return used;
}

void MessageIntake::feed_chunk(std::string_view piece) {
    octets_ += piece.size();
    if (piece.empty()) return;
    if (decoder_) decoder_->feed(piece, *this);  // also for a discarded message: its lines may end the session
    else octets(piece);
}

/// A decoded piece of the message. If the message exceeds the limit, the part below the limit is still examined: the
/// reply must not depend on how the message was cut.
void MessageIntake::octets(std::string_view piece) {
    if (drops_octets_) return;
    auto& message = transaction_.stored();
    if (rules_.max_size != 0 && piece.size() > rules_.max_size - message.size()) {
        if (const auto room = rules_.max_size - message.size(); room > 0) octets(piece.substr(0, room));
        return refuse(reply(StandardReply::message_too_large));
    }
    if (const auto appended = message.append(piece); !appended) return cannot_keep(appended.error());
    if (message.header_too_large()) return refuse(reply(StandardReply::header_too_large));
    if (rules_.is_observed) observer_.message_octets(piece);
    if (!header_seen_ && message.headers_complete()) header_arrived();
}

void MessageIntake::header_arrived() {
    header_seen_ = true;
    if (const auto defect = defect_of_header()) return refuse(reply(*defect));
    StageResult result = observer_.header_arrived();
    if (result.proceeds || result.is_done) return;
    hangs_up_ = result.disconnects;
    refuse(std::move(result.reply));
}

/// Defects of the header block only: with SMTPUTF8, octets that are not UTF-8 (RFC 6532 3); with BINARYMIME, where
/// nothing else checks the octets, bad line ends.
std::optional<StandardReply> MessageIntake::defect_of_header() {
    if (!transaction_.envelope().is_smtputf8 && !transaction_.envelope().is_binarymime()) return std::nullopt;
    const auto& message = transaction_.stored();
    const std::string_view block = message.headers().original();
    if (transaction_.envelope().is_smtputf8 && !smtp::is_valid_utf8(block)) return StandardReply::bad_utf8_header;
    if (!transaction_.envelope().is_binarymime() || rules_.bare_newline == BareNewline::accept) return std::nullopt;
    const DataDecoder lines = examined(block);
    const bool has_bare_separator = message.separator() == "\n";
    closes_session_ = rules_.bare_newline == BareNewline::reject && (has_bare_newline(lines) || has_bare_separator);
    return lines.is_clean() && !has_bare_separator ? std::nullopt
                                                   : std::optional(StandardReply::bare_newline_in_header);
}

/// Further octets are discarded.
void MessageIntake::refuse(Reply reply) {
    drops_octets_ = true;
    if (!refusal_) refusal_ = std::move(reply);
    transaction_.begin_message();  // gives its space back
}

void MessageIntake::cannot_keep(const Error& error) {
    fault_ = format_text("cannot store the message: {}", error.what);
    refuse(storage_refusal(error));
}

// ---- the end

MessageIntake::Status MessageIntake::end_of_data() {
    is_over_ = true;
    judge_lines();
    return finish();
}

MessageIntake::Status MessageIntake::end_of_chunk(bool is_last) {
    in_last_chunk_ = is_last;
    if (decoder_) {
        if (is_last) decoder_->finish(*this);
        judge_lines();
    }
    return is_last ? finish() : refusal_ ? Status::refused : Status::incomplete;
}

void MessageIntake::judge_lines() {
    if (const auto why = refusal_for(*decoder_, rules_.bare_newline); why && !refusal_) refusal_ = reply(*why);
    if (rules_.bare_newline == BareNewline::reject && has_bare_newline(*decoder_)) closes_session_ = true;
}

MessageIntake::Status MessageIntake::finish() {
    if (refusal_) return Status::refused;
    if (const auto finished = transaction_.stored().finish(); !finished) cannot_keep(finished.error());
    else if (!header_seen_) header_arrived();
    return refusal_ ? Status::refused : Status::complete;
}

}  // namespace smtpd::engine
