/// command_line_fuzz.cc: command lines of arbitrary octets, split and whole.
///
/// Invariants: lines are the same whether the input comes whole or octet by octet. Verb and rest are slices of the
/// line. MAIL and RCPT turn any line either into an argument within its limits whose path lies in the line, or into a
/// 501 that prints as one well-formed line.
#include "smtp/command.h"
#include "smtp/line_splitter.h"
#include "smtp/path_argument.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace smtpd;

void require(bool holds) {
    if (!holds) std::abort();
}

bool lies_in(std::string_view part, std::string_view whole) {
    return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_argument(std::string_view rest, const smtp::ParsedPathArgument& parsed) {
    if (const auto* reply = std::get_if<Reply>(&parsed)) {
        const auto wire = reply->to_string();
        require(reply->code == 501 && wire.size() <= 512 && wire.find('\n') == wire.size() - 1 &&
                wire.find('\r') == wire.size() - 2);
        return;
    }
    const auto& argument = std::get<smtp::PathArgument>(parsed);
    require(lies_in(argument.path, rest) && argument.parameters.size() <= smtp::max_parameters);
    require(!argument.bracketed ||
            (argument.path.size() >= 2 && argument.path.front() == '<' && argument.path.back() == '>'));
    for (const auto& parameter : argument.parameters)
        require(!parameter.keyword.empty() && parameter.keyword.find('=') == std::string::npos);
}

void check_line(std::string_view line) {
    const auto command = smtp::parse_command(line);
    require(lies_in(command.verb_text, line) && lies_in(command.rest, line));
    if (command.verb != smtp::Verb::unknown) require(command.verb_text.size() == smtp::verb_name(command.verb).size());
    if (const auto host = smtp::host_argument(command.rest)) require(!host->empty() && lies_in(*host, command.rest));
    for (const bool smtputf8 : {false, true}) {
        check_argument(command.rest, smtp::parse_mail(command.rest, smtputf8));
        check_argument(command.rest, smtp::parse_rcpt(command.rest, smtputf8));
    }
}

/// All lines, with their flags, as one text.
std::string lines_of(std::string_view input, std::size_t chunk) {
    smtp::LineSplitter splitter(64);
    std::string out;
    while (!input.empty()) {
        auto piece = input.substr(0, chunk);
        input.remove_prefix(piece.size());
        for (;;) {
            const auto line = splitter.next(piece);
            if (line.status == smtp::LineSplitter::Status::need_more) break;
            out += line.status == smtp::LineSplitter::Status::too_long ? '!' : '/';
            out += line.text;
            out += static_cast<char>('0' + (line.bare_lf ? 1 : 0) + (line.bare_cr ? 2 : 0) + (line.nul ? 4 : 0));
        }
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    check_line(input);
    const auto whole = lines_of(input, size);
    require(whole == lines_of(input, 1) && whole == lines_of(input, 7));
    return 0;
}
