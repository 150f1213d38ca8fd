/// data_decoder_fuzz.cc: arbitrary octets after DATA.
///
/// Invariants, for every policy: content, end and defects are the same whether the input comes whole, octet by octet or
/// in pieces. The data ends right after the first CRLF.CRLF (or a .CRLF at the beginning). Normalised content has no
/// bare CR or LF. Every lost or added octet is accounted for.
///
/// The first octet of the input chooses policy, line limit and piece size.
#include "smtp/data_decoder.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace smtpd::smtp;

void require(bool holds) {
    if (!holds) std::abort();
}

struct Collector final : DataDecoder::Sink {
    void octets(std::string_view piece) override {
        require(!piece.empty());
        content += piece;
    }
    std::string content;
};

struct Result {
    std::string content;
    std::uint64_t consumed = 0;
    bool done = false;
    std::string defects;

    bool operator==(const Result&) const = default;
};

Result decode(std::string_view input, std::size_t chunk, BareNewline policy, std::uint64_t max_line) {
    DataDecoder decoder(policy, max_line);
    Collector collector;
    while (!input.empty() && !decoder.done()) {
        const auto part = input.substr(0, chunk);
        const std::vector<char> piece(part.begin(), part.end());  // so that a sanitizer sees its ends
        const auto used = decoder.feed({piece.data(), piece.size()}, collector);
        require(used == piece.size() || decoder.done());
        input.remove_prefix(used);
    }
    Result result{collector.content, decoder.consumed(), decoder.done(), {}};
    if (const auto first = decoder.first_defect())
        result.defects = std::string(defect_name(first->defect)) + std::to_string(first->offset) + first->around;
    for (const auto defect : {Defect::bare_lf, Defect::bare_cr, Defect::nul, Defect::line_too_long})
        result.defects += decoder.has(defect) ? '1' : '0';
    return result;
}

/// One past the end of data by definition, or npos.
std::size_t true_end(std::string_view input) {
    if (input.starts_with(".\r\n")) return 3;
    const auto end = input.find("\r\n.\r\n");
    return end == std::string_view::npos ? end : end + 5;
}

void check_normalized(std::string_view content) {
    require(content.find('\0') == std::string_view::npos);
    for (std::size_t i = 0; i < content.size(); ++i) {
        if (content[i] == '\n') require(i > 0 && content[i - 1] == '\r');
        if (content[i] == '\r') require(i + 1 < content.size() ? content[i + 1] == '\n' : false);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    constexpr std::uint64_t limits[] = {0, 10, 64, 100};
    constexpr BareNewline policies[] = {BareNewline::reject, BareNewline::normalize, BareNewline::accept};
    const auto choice = data[0];
    const auto max_line = limits[choice & 3U];
    const std::size_t chunk = 2 + (choice >> 2U) * 3U;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    for (const auto policy : policies) {
        const auto whole = decode(input, std::max<std::size_t>(input.size(), 1), policy, max_line);
        require(whole == decode(input, 1, policy, max_line) && whole == decode(input, chunk, policy, max_line));
        const auto end = true_end(input);
        require(whole.done == (end != std::string_view::npos));
        require(whole.consumed == (whole.done ? end : input.size()));
        if (policy == BareNewline::normalize) check_normalized(whole.content);
        else require(whole.content.size() <= whole.consumed);
    }
    return 0;
}
