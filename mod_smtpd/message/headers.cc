/// headers.cc: the header fields of a message, with edits as an overlay on the block as received.
///
/// The block is divided into pieces, one for each field and one for each run of lines that are not fields; an edit
/// replaces, adds or drops a piece and leaves the bytes of all others unchanged. Adding a field on top, which happens
/// to every message, does not even parse the block. RFC 5322 2.2, 3.6.8, and 4.5 for blanks before the colon.
#include <smtpd/message.h>

#include "message/field_syntax.h"
#include "support/strings.h"

#include <algorithm>

namespace smtpd {
namespace {

using support::equals_folded;
using support::is_blank;

bool is_line_break(char c) noexcept { return c == '\r' || c == '\n'; }

/// Whether the text after a line break continues as a folded line: white space, then another character before the line
/// ends. Folding never produces a line of only white space, because some readers take that for the end of the header.
bool is_folded_line(std::string_view rest) noexcept {
    if (rest.empty() || !is_blank(rest.front())) return false;
    const auto text = std::find_if_not(rest.begin(), rest.end(), is_blank);
    return text != rest.end() && !is_line_break(*text) && *text != '\0';
}

std::string_view trim_value(std::string_view value) noexcept {
    const auto is_edge = [](char c) { return support::is_space(c) || c == '\0'; };
    while (!value.empty() && is_edge(value.front())) value.remove_prefix(1);
    while (!value.empty() && is_edge(value.back())) value.remove_suffix(1);
    return value;
}

/// `Name: value` CRLF, for any value.
std::string make_field(std::string_view name, std::string_view value) {
    value = trim_value(value);
    std::string field;
    field.reserve(name.size() + value.size() + 8);
    field.append(name).append(": ");
    while (!value.empty()) {
        const auto plain = static_cast<std::size_t>(
            std::find_if(value.begin(), value.end(), [](char c) { return is_line_break(c) || c == '\0'; }) -
            value.begin());
        field.append(value.substr(0, plain));
        value.remove_prefix(plain);
        if (value.empty()) break;
        const bool is_crlf = value.substr(0, 2) == "\r\n";
        const bool is_lf = is_crlf || value.front() == '\n';
        value.remove_prefix(is_crlf ? 2 : 1);
        field.append(is_lf && is_folded_line(value) ? "\r\n" : " ");
    }
    return field.append("\r\n");
}

/// The size of the first line of `text`, including its line end.
std::size_t line_size(std::string_view text) noexcept {
    const auto end = text.find('\n');
    return end == std::string_view::npos ? text.size() : end + 1;
}

/// The size of the first line of `text` and of the folded lines that belong to it.
std::size_t unit_size(std::string_view text) noexcept {
    std::size_t size = line_size(text);
    while (size < text.size() && is_blank(text[size])) size += line_size(text.substr(size));
    return size;
}

}  // namespace

std::string HeaderField::value() const {
    std::string_view rest = raw.substr(std::min(raw.find(':'), raw.size() - 1) + 1);
    rest = support::trim(rest);
    std::string out;
    out.reserve(rest.size());
    for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
        out.append(rest.substr(0, end > 0 && rest[end - 1] == '\r' ? end - 1 : end));
        rest.remove_prefix(end + 1);
    }
    return out.append(rest);
}

Headers::Headers(std::string block) : block_(std::move(block)) {}

void Headers::arrive(std::string block) {
    block_ = std::move(block);
    parsed_ = false;
}

void Headers::parse() const {
    if (parsed_) return;
    parsed_ = true;
    for (std::size_t begin = 0; begin < block_.size();) {
        const std::string_view rest = std::string_view(block_).substr(begin);
        pieces_.push_back({begin, unit_size(rest), message::field_name_size(rest), {}});
        begin += pieces_.back().size;
    }
}

std::string_view Headers::raw(const Piece& piece) const noexcept {
    return piece.text.empty() ? std::string_view(block_).substr(piece.begin, piece.size) : std::string_view(piece.text);
}

std::string_view Headers::name(const Piece& piece) const noexcept { return raw(piece).substr(0, piece.name_size); }

bool Headers::is_called(const Piece& piece, std::string_view wanted) const noexcept {
    return piece.name_size > 0 && equals_folded(name(piece), wanted);
}

void Headers::for_each(const std::function<void(const HeaderField&)>& visit) const {
    parse();
    for (const Piece& piece : pieces_)
        if (piece.name_size > 0) visit({name(piece), raw(piece)});
}

std::size_t Headers::count(std::string_view wanted) const {
    parse();
    const auto matches = [&](const Piece& piece) { return is_called(piece, wanted); };
    return static_cast<std::size_t>(std::count_if(pieces_.begin(), pieces_.end(), matches));
}

std::optional<std::string> Headers::get(std::string_view wanted) const {
    parse();
    for (const Piece& piece : pieces_)
        if (is_called(piece, wanted)) return HeaderField{name(piece), raw(piece)}.value();
    return std::nullopt;
}

std::vector<std::string> Headers::get_all(std::string_view wanted) const {
    std::vector<std::string> values;
    for_each([&](const HeaderField& field) {
        if (equals_folded(field.name, wanted)) values.push_back(field.value());
    });
    return values;
}

bool Headers::empty() const {
    parse();
    return std::all_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) { return piece.name_size == 0; });
}

bool Headers::prepend(std::string_view name, std::string_view value) {
    if (!message::is_field_name(name)) return false;
    pieces_.insert(pieces_.begin(), Piece{0, 0, name.size(), make_field(name, value)});
    return edited_ = true;
}

bool Headers::append(std::string_view name, std::string_view value) {
    if (!message::is_field_name(name)) return false;
    parse();
    // A message may end within its header, without a line end.
    if (!pieces_.empty() && raw(pieces_.back()).back() != '\n')
        pieces_.back().text = std::string(raw(pieces_.back())).append("\r\n");
    pieces_.push_back({0, 0, name.size(), make_field(name, value)});
    return edited_ = true;
}

bool Headers::replace(std::string_view name, std::string_view value) {
    if (!message::is_field_name(name)) return false;
    parse();
    const auto matches = [&](const Piece& piece) { return is_called(piece, name); };
    const auto first = std::find_if(pieces_.begin(), pieces_.end(), matches);
    if (first == pieces_.end()) return append(name, value);
    pieces_.erase(std::remove_if(std::next(first), pieces_.end(), matches), pieces_.end());
    *first = Piece{0, 0, name.size(), make_field(name, value)};
    return edited_ = true;
}

std::size_t Headers::remove(std::string_view name) {
    parse();
    const std::size_t before = pieces_.size();
    std::erase_if(pieces_, [&](const Piece& piece) { return is_called(piece, name); });
    const std::size_t removed = before - pieces_.size();
    if (removed > 0) edited_ = true;
    return removed;
}

bool Headers::remove(std::string_view name, std::size_t occurrence) {
    parse();
    const auto piece = std::find_if(pieces_.begin(), pieces_.end(), [&](const Piece& candidate) {
        return is_called(candidate, name) && occurrence-- == 0;
    });
    if (piece == pieces_.end()) return false;
    pieces_.erase(piece);
    return edited_ = true;
}

std::size_t Headers::rename(std::string_view name, std::string_view new_name) {
    if (!message::is_field_name(new_name)) return 0;
    parse();
    std::size_t renamed = 0;
    for (Piece& piece : pieces_) {
        if (!is_called(piece, name)) continue;
        piece.text = std::string(new_name).append(raw(piece).substr(piece.name_size));
        piece.name_size = new_name.size();
        edited_ = true;
        ++renamed;
    }
    return renamed;
}

std::string Headers::to_string() const {
    if (!edited_) return block_;
    std::string out;
    std::size_t size = parsed_ ? 0 : block_.size();
    for (const Piece& piece : pieces_) size += raw(piece).size();
    out.reserve(size + 2);  // room for the blank line that write_to() adds
    for (const Piece& piece : pieces_) out += raw(piece);
    if (!parsed_) out += block_;
    return out;
}

}  // namespace smtpd
