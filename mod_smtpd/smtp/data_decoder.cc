/// data_decoder.cc: a state machine over octets, and in front of it a scanner that skips whole blocks without anything
/// special: every LF after a CR, every CR before a LF, no NUL, no dot at a line's start. Ordinary mail is skipped block
/// by block and passed on in one piece for each call; the state machine processes the octets around what is special,
/// and the last few of each call.
#include "smtp/data_decoder.h"

#include "smtp/octet_masks.h"
#include "smtp/octets.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace smtpd::smtp {
namespace {

/// How many octets the state machine processes before the scanner is tried again.
constexpr std::size_t careful_octets = 8;

void append_escaped(std::string& out, char c) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto octet = static_cast<unsigned char>(c);
    switch (c) {
        case '\r': out += "\\r"; return;
        case '\n': out += "\\n"; return;
        case '\\': out += "\\\\"; return;
        default: break;
    }
    if (is_graphic(c) || c == ' ') {
        out += c;
    } else {
        out += "\\x";
        out += digits[octet >> 4U];
        out += digits[octet & 0xfU];
    }
}

}  // namespace

/// The slice of the input to pass on next; grows as long as nothing must be changed.
class DataDecoder::Run {
public:
    Run(std::string_view input, Sink& sink) : input_(input), sink_(sink) {}

    /// The octet at this place belongs to the content.
    void include(std::size_t at) noexcept { start_ = std::min(start_, at); }
    /// Passes on the octets before `end`.
    void flush(std::size_t end) {
        if (start_ < end) sink_.octets(input_.substr(start_, end - start_));
        start_ = none;
    }
    /// Passes on `text` instead of the octets from `at` on.
    void replace(std::size_t at, std::string_view text) {
        flush(at);
        sink_.octets(text);
    }
    bool is_open() const noexcept { return start_ != none; }

private:
    static constexpr auto none = std::string_view::npos;
    std::string_view input_;
    Sink& sink_;
    std::size_t start_ = none;
};

std::size_t DataDecoder::feed(std::string_view input, Sink& sink) {
    Run run(input, sink);
    std::size_t at = 0;
    decode(input, at, run);
    // A CR that may turn out to be bare can only be held back here; otherwise it is passed on whatever follows.
    const bool keep_cr = state_ == State::cr && policy_ == BareNewline::normalize && run.is_open();
    run.flush(keep_cr ? at - 1 : at);
    remember(input.substr(0, at));
    consumed_ += at;
    return at;
}

/// A CR at the very end is bare, and may have been held back.
void DataDecoder::finish(Sink& sink) {
    if (state_ != State::cr) return;
    state_ = State::done;
    found(Defect::bare_cr, consumed_ - 1);
    if (policy_ == BareNewline::normalize) sink.octets(" ");
    remember({});
}

void DataDecoder::decode(std::string_view input, std::size_t& at, Run& run) {
    const bool may_scan = max_line_ == 0 || max_line_ >= FastBlock::size;  // see count_block()
    while (at < input.size() && state_ != State::done) {
        if (may_scan && (state_ == State::text || state_ == State::line_start)) {
            const auto start = at;
            at = skip_clean(input, at);
            if (at != start) run.include(start);
        }
        const auto stop = std::min(input.size(), at + careful_octets);
        for (; at < stop && state_ != State::done; ++at) step(input[at], at, run);
    }
}

/// Skips clean blocks, and the clean part of the first other one. Returns where the state machine must continue.
std::size_t DataDecoder::skip_clean(std::string_view input, std::size_t at) {
    constexpr unsigned width = FastBlock::bits_per_octet;
    const auto start = at;
    std::uint64_t behind_cr = 0;
    std::uint64_t behind_lf = state_ == State::line_start ? 1 : 0;
    while (input.size() - at >= FastBlock::size) {
        const auto masks = FastBlock::masks(input.data() + at);
        const auto expected_lf = masks.cr << width | behind_cr;
        const auto line_starts = masks.lf << width | behind_lf;
        const auto special = (masks.lf ^ expected_lf) | masks.nul | (masks.dot & line_starts);
        const auto clean = static_cast<std::size_t>(std::countr_zero(special)) / width;
        if (max_line_ != 0) {
            const auto before_special = special == 0 ? ~std::uint64_t{0} : (special & -special) - 1;
            count_block(consumed_ + at, masks.lf & before_special, std::min(clean, FastBlock::size));
        }
        if (special != 0) {
            at += clean;
            break;
        }
        at += FastBlock::size;
        behind_cr = masks.cr >> (64 - width);
        behind_lf = masks.lf >> (64 - width);
    }
    if (at != start)
        state_ = input[at - 1] == '\r' ? State::cr : input[at - 1] == '\n' ? State::line_start : State::text;
    return at;
}

void DataDecoder::step(char c, std::size_t at, Run& run) {
    const bool normalize = policy_ == BareNewline::normalize;
    const auto offset = consumed_ + at;
    switch (state_) {
        case State::line_start:
            if (c != '.' || is_counted_) break;
            run.flush(at);
            state_ = State::dot;
            return;
        case State::text: break;
        case State::cr:
            if (c == '\n') {
                lengthen_line(offset, 1);
                line_length_ = 0;
                if (normalize && !run.is_open()) run.replace(at, "\r");  // the last call held back the CR
                run.include(at);
                state_ = State::line_start;
                return;
            }
            found(Defect::bare_cr, offset - 1);
            if (normalize) run.replace(run.is_open() ? at - 1 : at, " ");
            break;
        case State::dot:
            if (c != '\r') break;
            state_ = State::dot_cr;
            return;
        case State::dot_cr:
            if (c == '\n') {
                state_ = State::done;
                return;
            }
            lengthen_line(offset - 1, 1);
            found(Defect::bare_cr, offset - 1);
            if (!normalize && at > 0) {
                run.include(at - 1);
            } else {
                run.replace(at, normalize ? " " : "\r");
            }
            break;
        case State::done: return;
    }
    step_text(c, at, run);
}

/// An octet of the content, whatever precedes it.
void DataDecoder::step_text(char c, std::size_t at, Run& run) {
    const bool normalize = policy_ == BareNewline::normalize;
    const auto offset = consumed_ + at;
    lengthen_line(offset, 1);
    state_ = c == '\r' ? State::cr : State::text;
    if (c == '\n' || c == '\0') {
        found(c == '\n' ? Defect::bare_lf : Defect::nul, offset);
        if (normalize) {
            if (c == '\n') line_length_ = 0;
            run.replace(at, c == '\n' ? "\r\n" : " ");
            return;
        }
    }
    run.include(at);
}

/// Counts a clean part of a block. Lines that begin and end in it are shorter than the block, so within the limit.
void DataDecoder::count_block(std::uint64_t offset, std::uint64_t line_ends, std::size_t length) {
    std::size_t last = 0;
    if (line_ends != 0) {
        constexpr unsigned width = FastBlock::bits_per_octet;
        lengthen_line(offset, static_cast<std::size_t>(std::countr_zero(line_ends)) / width + 1);
        last = static_cast<std::size_t>(63 - std::countl_zero(line_ends)) / width + 1;
        line_length_ = 0;
    }
    lengthen_line(offset + last, length - last);
}

void DataDecoder::lengthen_line(std::uint64_t offset, std::size_t length) {
    const auto before = line_length_;
    line_length_ += length;
    if (max_line_ != 0 && before <= max_line_ && line_length_ > max_line_)
        found(Defect::line_too_long, offset + (max_line_ - before));
}

void DataDecoder::found(Defect defect, std::uint64_t offset) {
    if (seen_ == 0) {
        first_ = defect;
        first_offset_ = offset;
    }
    seen_ |= bit(defect);
}

/// Keeps what the log shows: the surroundings of the first defect, and while there is none, the last octets.
void DataDecoder::remember(std::string_view used) {
    if (seen_ == 0) {
        const auto fresh = std::min(used.size(), history_size);
        const auto kept = std::min<std::size_t>(history_length_, history_size - fresh);
        std::memmove(history_.data(), history_.data() + history_length_ - kept, kept);
        std::copy_n(used.end() - static_cast<std::ptrdiff_t>(fresh), fresh, history_.data() + kept);
        history_length_ = static_cast<std::uint8_t>(kept + fresh);
        return;
    }
    const auto start = first_offset_ - std::min<std::uint64_t>(first_offset_, context_before);
    const auto end = std::min(first_offset_ + (context_size - context_before), consumed_ + used.size());
    for (auto next = start + context_length_; next < end; ++next)
        context_[context_length_++] = next < consumed_ ? history_[history_length_ - (consumed_ - next)]
                                                       : used[next - consumed_];
}

std::optional<FoundDefect> DataDecoder::first_defect() const {
    if (seen_ == 0) return std::nullopt;
    FoundDefect defect{first_, first_offset_, {}};
    for (std::size_t i = 0; i < context_length_; ++i) append_escaped(defect.around, context_[i]);
    return defect;
}

std::string_view defect_name(Defect defect) noexcept {
    switch (defect) {
        case Defect::bare_lf: return "bare LF";
        case Defect::bare_cr: return "bare CR";
        case Defect::nul: return "NUL";
        case Defect::line_too_long: return "line too long";
    }
    return "";
}

}  // namespace smtpd::smtp
