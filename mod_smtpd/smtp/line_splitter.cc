/// line_splitter.cc: searches for the LF; a line is examined once, when it is complete.
#include "smtp/line_splitter.h"

#include <smtpd/auth/credentials.h>

namespace smtpd::smtp {

LineSplitter::Line LineSplitter::next(std::string_view& input) {
    if (handed_out_) {
        partial_.clear();
        handed_out_ = false;
    }
    const auto lf = input.find('\n');
    if (lf == std::string_view::npos) {
        keep(input);
        input = {};
        return {};
    }
    const auto piece = input.substr(0, lf + 1);
    input.remove_prefix(lf + 1);
    if (partial_.empty() && !skipping_ && piece.size() <= limit_) return finish(piece);

    const bool has_cr = piece.size() > 1 ? piece[piece.size() - 2] == '\r' : ends_with_cr_;
    keep(piece);
    if (skipping_) {
        skipping_ = false;
        skipped_ = 0;
        Line line;
        line.status = Status::too_long;
        line.bare_lf = !has_cr;
        return line;
    }
    handed_out_ = true;
    return finish(partial_);
}

void LineSplitter::keep(std::string_view piece) {
    if (piece.empty()) return;
    ends_with_cr_ = piece.back() == '\r';
    if (!skipping_ && partial_.size() + piece.size() <= limit_) {
        partial_ += piece;
        return;
    }
    skipping_ = true;
    skipped_ += partial_.size() + piece.size();
    partial_.clear();
}

void LineSplitter::wipe() noexcept {
    if (handed_out_) smtpd::wipe(partial_);
}

LineSplitter::Line LineSplitter::finish(std::string_view raw) const noexcept {
    Line line;
    line.status = Status::line;
    raw.remove_suffix(1);
    line.bare_lf = raw.empty() || raw.back() != '\r';
    if (!line.bare_lf) raw.remove_suffix(1);
    line.text = raw;
    line.bare_cr = raw.find('\r') != std::string_view::npos;
    line.nul = raw.find('\0') != std::string_view::npos;
    return line;
}

}  // namespace smtpd::smtp
