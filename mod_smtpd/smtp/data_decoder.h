/// data_decoder.h: decodes what follows DATA, octet by octet (RFC 5321 4.1.1.4, 4.5.2): finds the end of data, removes
/// dot-stuffing, and detects octets that are not allowed. Also checks the text of BDAT, where the caller counts the
/// octets and dots have no special meaning.
///
/// The end of data is only CRLF.CRLF, or .CRLF as the very first octets, under every policy and however the input is
/// split. A dot is special only after CRLF or at the start; a bare CR or LF never begins or ends a line of the
/// protocol, so no policy lets a message smuggle in a second one. Octets are passed on as slices of the input where
/// possible. Nothing is allocated for each octet or line.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace smtpd::smtp {

/// How CR and LF outside CRLF, and NUL, are treated.
enum class BareNewline : std::uint8_t {
    reject,     ///< kept unchanged, because the caller refuses the message at its end
    normalize,  ///< LF becomes CRLF (as content: it does not end a line of the protocol), CR and NUL become blanks
    accept      ///< kept unchanged
};

enum class Defect : std::uint8_t { bare_lf, bare_cr, nul, line_too_long };

std::string_view defect_name(Defect defect) noexcept;  ///< "bare LF", for the log and the reply

struct FoundDefect {
    Defect defect;
    std::uint64_t offset;  ///< of the octet in question, counted from the first octet after DATA, stuffed dots included
    std::string around;    ///< the octets around it, as far as they have arrived, escaped: `a\n.\r\n`
};

class DataDecoder {
public:
    class Sink {
    public:
        virtual ~Sink() = default;
        virtual void octets(std::string_view piece) = 0;  ///< never empty; valid during the call
    };

    /// How the end is found: by a dot on a line of its own, or by the caller, which knows the number of octets (RFC
    /// 3030 2).
    enum class Framing : std::uint8_t { dot, counted };

    /// `max_line` includes the CRLF but not a stuffed dot, as in RFC 5321 4.5.3.1.6; 0 means no limit.
    explicit DataDecoder(BareNewline policy, std::uint64_t max_line = 0, Framing framing = Framing::dot) noexcept
        : policy_(policy), is_counted_(framing == Framing::counted), max_line_(max_line) {}

    /// Decodes `input` up to the end of data, if it contains the end. Returns how many octets were consumed: all,
    /// unless the data ended.
    std::size_t feed(std::string_view input, Sink& sink);

    /// For counted text: ends it.
    void finish(Sink& sink);

    bool done() const noexcept { return state_ == State::done; }
    std::uint64_t consumed() const noexcept { return consumed_; }  ///< octets used by all calls of feed()

    bool has(Defect defect) const noexcept { return (seen_ & bit(defect)) != 0; }
    bool is_clean() const noexcept { return seen_ == 0; }
    /// The first defect that was found.
    std::optional<FoundDefect> first_defect() const;

private:
    enum class State : std::uint8_t {
        line_start,  // at the start, or after CRLF
        text,
        cr,      // after a CR in the text
        dot,     // after a dot at the start of a line
        dot_cr,  // after that dot and a CR
        done
    };
    class Run;

    static unsigned bit(Defect defect) noexcept { return 1U << static_cast<unsigned>(defect); }

    void decode(std::string_view input, std::size_t& at, Run& run);
    std::size_t skip_clean(std::string_view input, std::size_t at);
    void step(char c, std::size_t at, Run& run);
    void step_text(char c, std::size_t at, Run& run);
    void count_block(std::uint64_t offset, std::uint64_t line_ends, std::size_t length);
    void lengthen_line(std::uint64_t offset, std::size_t length);
    void found(Defect defect, std::uint64_t offset);
    void remember(std::string_view used);

    static constexpr std::size_t context_before = 8;
    static constexpr std::size_t context_size = 17;
    static constexpr std::size_t history_size = 16;  // at least context_before and the CR that turned out to be bare

    BareNewline policy_;
    bool is_counted_;
    State state_ = State::line_start;
    Defect first_{};
    std::uint8_t history_length_ = 0;
    std::uint8_t context_length_ = 0;
    unsigned seen_ = 0;
    std::uint64_t max_line_;
    std::uint64_t line_length_ = 0;
    std::uint64_t consumed_ = 0;
    std::uint64_t first_offset_ = 0;
    std::array<char, history_size> history_{};  // the last octets of earlier input, while there is no defect
    std::array<char, context_size> context_{};
};

}  // namespace smtpd::smtp
