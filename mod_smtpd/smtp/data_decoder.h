/// data_decoder.h: what follows DATA, octet by octet (RFC 5321 4.1.1.4, 4.5.2): finds the end of data, takes the
/// stuffed dots out, notices what must not be there. Also the text of BDAT, where the caller counts and dots are dots.
///
/// End of data is CRLF.CRLF and nothing else, or .CRLF as the very first octets, under every policy and however the
/// input is split. A dot is special only behind CRLF or at the start; a bare CR or LF never begins or ends a line of
/// the protocol, so no policy lets a message smuggle in a second one. Octets are handed on as slices of the input, as
/// long as they can be. Nothing is allocated per octet or per line.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace smtpd::smtp {

/// What becomes of CR and LF outside CRLF, and of NUL.
enum class BareNewline : std::uint8_t {
    reject,     ///< kept as they are, for the caller refuses the message when it is over
    normalize,  ///< LF becomes CRLF (of the content: it ends no line of the protocol), CR and NUL become blanks
    accept      ///< kept as they are
};

enum class Defect : std::uint8_t { bare_lf, bare_cr, nul, line_too_long };

std::string_view defect_name(Defect defect) noexcept;  ///< "bare LF", for the log and the reply

struct FoundDefect {
    Defect defect;
    std::uint64_t offset;  ///< of the octet in question, counted from the first octet behind DATA, stuffed dots
                           ///< included
    std::string around;    ///< the octets around it as far as they have come, escaped: `a\n.\r\n`
};

class DataDecoder {
public:
    class Sink {
    public:
        virtual ~Sink() = default;
        virtual void octets(std::string_view piece) = 0;  ///< never empty; valid during the call
    };

    /// How the end is told: by a dot on a line of its own, or by the caller, who knows how many octets there are (RFC
    /// 3030 2).
    enum class Framing : std::uint8_t { dot, counted };

    /// `max_line` counts a line with its CRLF but without a stuffed dot, as RFC 5321 4.5.3.1.6 does; 0 is no limit.
    explicit DataDecoder(BareNewline policy, std::uint64_t max_line = 0, Framing framing = Framing::dot) noexcept
        : policy_(policy), is_counted_(framing == Framing::counted), max_line_(max_line) {}

    /// Decodes `input` up to the end of data, if it is there, and says how many octets of it were used: all, unless the
    /// data ended.
    std::size_t feed(std::string_view input, Sink& sink);

    /// Of counted text: it ends here.
    void finish(Sink& sink);

    bool done() const noexcept { return state_ == State::done; }
    std::uint64_t consumed() const noexcept { return consumed_; }  ///< octets used by all calls of feed()

    bool has(Defect defect) const noexcept { return (seen_ & bit(defect)) != 0; }
    bool is_clean() const noexcept { return seen_ == 0; }
    /// The first one that was found.
    std::optional<FoundDefect> first_defect() const;

private:
    enum class State : std::uint8_t {
        line_start,  // at the start, or behind CRLF
        text,
        cr,      // behind a CR in the text
        dot,     // behind a dot at the start of a line
        dot_cr,  // behind that dot and a CR
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
    std::array<char, history_size> history_{};  // the last octets of earlier input, as long as there is no defect
    std::array<char, context_size> context_{};
};

}  // namespace smtpd::smtp
