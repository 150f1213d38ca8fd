/// tag_writer.cc: see tag_writer.h.
#include "mailauth/tag_writer.h"

namespace smtpd::mailauth {

void TagWriter::put(std::string_view text) {
    out_ += text;
    column_ += text.size();
}

void TagWriter::fold() {
    out_ += "\r\n\t";
    column_ = 8;
}

void TagWriter::put_or_fold(std::string_view text, std::size_t room) {
    if (column_ + text.size() + room > width) fold();
    put(text);
}

/// Writes a semicolon, a blank or a fold, and the name of the next tag.
void TagWriter::begin(std::string_view name, std::size_t size_of_value) {
    if (!out_.empty()) {
        put(";");
        if (column_ + 1 + name.size() + 1 + size_of_value + 1 > width) fold();
        else put(" ");
    }
    put(name);
    put("=");
}

void TagWriter::add(std::string_view name, std::string_view value) {
    begin(name, value.size());
    put(value);
}

void TagWriter::add_base64(std::string_view name, std::string_view text) {
    constexpr std::size_t least = 8;  // on the first line; also for "", so that a draft has the same text before the
                                      // value
    begin(name, least);
    while (!text.empty()) {
        if (column_ + 1 >= width) fold();
        const std::string_view piece = text.substr(0, width - 1 - column_);
        put(piece);
        text.remove_prefix(piece.size());
    }
}

}  // namespace smtpd::mailauth
