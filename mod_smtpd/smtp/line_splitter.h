/// line_splitter.h: command lines out of chunks of any size.
///
/// A line ends at its LF, normally behind a CR; a LF alone ends it too, so that the client gets an answer, and the
/// caller sees how it ended. (To RFC 5321 2.3.8 what follows is no line of its own: a strict caller goes no further.) A
/// line that is whole in the input is handed out as a slice of it; only the beginning of an unfinished line is kept,
/// never more than `limit` octets. A longer line is skipped up to its end and reported once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace smtpd::smtp {

class LineSplitter {
public:
    enum class Status : std::uint8_t {
        need_more,  ///< the input is used up, no line yet
        line,       ///< here is one
        too_long    ///< here was one longer than the limit
    };

    struct Line {
        Status status = Status::need_more;
        std::string_view text;  ///< without its line end; valid until the next call and as long as the input is
        bool bare_lf = false;   ///< ended by LF alone (known of a line that is too long as well)
        bool bare_cr = false;   ///< has a CR inside that is no part of its line end
        bool nul = false;       ///< has a NUL inside
    };

    /// `limit` counts the line with its line end, as RFC 5321 4.5.3.1.4 does.
    explicit LineSplitter(std::size_t limit) noexcept : limit_(limit) {}

    /// Takes the next line off the front of `input`.
    Line next(std::string_view& input);

    /// For the lines to come, and for the rest of the one that has begun (AUTH allows longer ones).
    void set_limit(std::size_t limit) noexcept { limit_ = limit; }

    /// Overwrites what is kept of the line that was handed out last; nothing must look at it any more.
    void wipe() noexcept;

    /// Octets of the unfinished line so far, skipped ones included: what a caller watches for clients that never end a
    /// line.
    std::uint64_t pending() const noexcept { return handed_out_ ? 0 : partial_.size() + skipped_; }

private:
    Line finish(std::string_view raw) const noexcept;
    void keep(std::string_view piece);

    std::size_t limit_;
    std::string partial_;
    bool handed_out_ = false;  // the last line was a view of partial_
    bool skipping_ = false;
    bool ends_with_cr_ = false;  // what was kept or skipped last
    std::uint64_t skipped_ = 0;
};

}  // namespace smtpd::smtp
