/// line_splitter.h: splits chunks of any size into command lines.
///
/// A line ends at its LF, normally after a CR; a bare LF ends it too, so that the client gets a reply, and the caller
/// sees how it ended. (By RFC 5321 2.3.8, what follows a bare LF is not a new line: a strict caller stops there.) A
/// line that is complete in the input is returned as a slice of it; only the beginning of an unfinished line is stored,
/// never more than `limit` octets. A longer line is skipped up to its end and reported once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace smtpd::smtp {

class LineSplitter {
public:
    enum class Status : std::uint8_t {
        need_more,  ///< the input is consumed, without a complete line
        line,       ///< a complete line
        too_long    ///< a line longer than the limit
    };

    struct Line {
        Status status = Status::need_more;
        std::string_view text;  ///< without its line end; valid until the next call and as long as the input is
        bool bare_lf = false;   ///< ended by LF alone (also set for a line that is too long)
        bool bare_cr = false;   ///< contains a CR that is not part of its line end
        bool nul = false;       ///< contains a NUL
    };

    /// `limit` includes the line end, as in RFC 5321 4.5.3.1.4.
    explicit LineSplitter(std::size_t limit) noexcept : limit_(limit) {}

    /// Removes the next line from the front of `input`.
    Line next(std::string_view& input);

    /// Sets the limit for further lines, and for the rest of the current one (AUTH allows longer ones).
    void set_limit(std::size_t limit) noexcept { limit_ = limit; }

    /// Overwrites the stored part of the last returned line; it must not be used any more.
    void wipe() noexcept;

    /// Octets of the unfinished line so far, skipped ones included: lets a caller detect clients that never end a line.
    std::uint64_t pending() const noexcept { return handed_out_ ? 0 : partial_.size() + skipped_; }

private:
    Line finish(std::string_view raw) const noexcept;
    void keep(std::string_view piece);

    std::size_t limit_;
    std::string partial_;
    bool handed_out_ = false;  // the last line was a view of partial_
    bool skipping_ = false;
    bool ends_with_cr_ = false;  // the last octet that was stored or skipped
    std::uint64_t skipped_ = 0;
};

}  // namespace smtpd::smtp
