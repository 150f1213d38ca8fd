/// reply.cc: formats a reply for the wire (RFC 5321 4.2, RFC 2034).
///
/// Whatever a plugin put into a text, the output is well-formed: each line has at most 512 octets with its CRLF (RFC
/// 5321 4.5.3.1.5), ASCII only (not every client that reads a reply supports UTF-8, and a reply may come before
/// SMTPUTF8 is requested), no control character but HT, and an enhanced code whose class matches the reply code. A
/// final LF ends the last line and does not add an empty one.
#include <smtpd/base/reply.h>

#include "smtp/octets.h"
#include "smtp/utf8.h"

#include <algorithm>
#include <charconv>

namespace smtpd {
namespace {

constexpr std::size_t max_reply_line = 512;
constexpr std::size_t crlf_size = 2;
/// A line that must be folded is folded at a blank, if there is one among its last `fold_window` octets.
constexpr std::size_t fold_window = 80;

struct DefaultStatus {
    int code;
    std::uint16_t subject;
    std::uint16_t detail;
};

/// The enhanced status for codes without one (RFC 3463, 4954, 5248, 7504); x.0.0 for codes not listed.
constexpr DefaultStatus default_statuses[] = {
    {235, 7, 0}, {251, 1, 5}, {252, 1, 5}, {421, 3, 2}, {432, 7, 12}, {450, 7, 1},  {451, 3, 0},
    {452, 3, 1}, {454, 7, 0}, {455, 5, 4}, {500, 5, 2}, {501, 5, 4},  {502, 5, 1},  {503, 5, 1},
    {504, 5, 4}, {521, 3, 2}, {530, 7, 0}, {534, 7, 9}, {535, 7, 8},  {538, 7, 11}, {550, 7, 1},
    {551, 1, 6}, {552, 3, 4}, {553, 1, 3}, {555, 5, 4}, {556, 1, 10},
};

EnhancedCode status_for(int code, const EnhancedCode& given) {
    EnhancedCode status = given;
    if (given.empty()) {
        const auto* known = std::find_if(std::begin(default_statuses), std::end(default_statuses),
                                         [code](const auto& s) { return s.code == code; });
        if (known != std::end(default_statuses)) status = {0, known->subject, known->detail};
    }
    status.status_class = static_cast<std::uint8_t>(code / 100);
    return status;
}

void append_number(std::string& out, unsigned value) {
    char digits[8];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

void append_status(std::string& out, const EnhancedCode& status) {
    append_number(out, status.status_class);
    out += '.';
    append_number(out, status.subject);
    out += '.';
    append_number(out, status.detail);
}

/// Writes the lines of one reply.
class ReplyWriter {
public:
    ReplyWriter(std::string& out, int code, bool with_status, const EnhancedCode& given) : out_(out) {
        append_number(prefix_, static_cast<unsigned>(code));
        prefix_ += ' ';
        if (with_status) {
            append_status(prefix_, status_for(code, given));
            prefix_ += ' ';
        }
    }

    std::size_t room() const noexcept { return max_reply_line - crlf_size - prefix_.size(); }

    void line(std::string_view text, bool last) {
        const auto start = out_.size();
        out_ += prefix_;
        if (text.empty() && prefix_.size() > 4) out_.pop_back();  // no blank after a code without text
        if (!last) out_[start + 3] = '-';
        out_ += text;
        out_ += "\r\n";
    }

    /// Writes one line of the text, already clean, as one or several lines of the reply.
    void fold(std::string_view text, bool last) {
        if (text.size() > room()) text = smtp::trim_right(text);
        while (text.size() > room()) {
            const auto cut = fold_position(text);
            line(text.substr(0, cut), false);
            text.remove_prefix(cut);
            if (text.front() == ' ') text.remove_prefix(1);
        }
        line(text, last);
    }

private:
    std::size_t fold_position(std::string_view text) const {
        const auto limit = room();
        const auto blank = text.substr(0, limit + 1).rfind(' ');
        return blank != std::string_view::npos && blank + fold_window > limit ? blank : limit;
    }

    std::string& out_;
    std::string prefix_;
};

bool is_sendable(char c) { return smtp::is_ascii(c) && (!smtp::is_control(c) || c == '\t'); }

/// The line without CR, and with a ? for each character that cannot be sent: an octet, or all octets of one UTF-8
/// character.
std::string cleaned(std::string_view line) {
    std::string clean;
    clean.reserve(line.size());
    while (!line.empty()) {
        const char c = line.front();
        if (c != '\r') clean += is_sendable(c) ? c : '?';
        line.remove_prefix(std::max<std::size_t>(1, smtp::first_code_point(line).length));
    }
    return clean;
}

}  // namespace

std::string EnhancedCode::to_string() const {
    std::string out;
    append_status(out, *this);
    return out;
}

void Reply::append_to(std::string& out) const {
    if (empty()) return;
    // An invalid code can only come from an unchecked plugin; the client must get a reply nevertheless.
    const int sent = code >= 200 && code <= 599 ? code : 451;
    ReplyWriter writer(out, sent, !plain && sent / 100 != 3, enhanced);

    if (text.size() <= writer.room() && std::all_of(text.begin(), text.end(), is_sendable)) {
        writer.line(text, true);
        return;
    }
    std::string_view rest = text;
    if (!rest.empty() && rest.back() == '\n') rest.remove_suffix(1);
    for (;;) {
        const auto end = rest.find('\n');
        const bool last = end == std::string_view::npos;
        writer.fold(cleaned(rest.substr(0, end)), last);
        if (last) return;
        rest.remove_prefix(end + 1);
    }
}

std::string Reply::to_string() const {
    std::string out;
    append_to(out);
    return out;
}

}  // namespace smtpd
