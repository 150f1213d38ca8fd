/// message.h: the message of a transaction as plugins see it: header fields with an overlay of edits, and a body.
///
/// The received message (after dot-unstuffing) is kept byte for byte, CRLF line ends included, in memory up to the
/// spool threshold and in an unlinked file beyond. Edits of header fields do not change it: they are recorded, and
/// applied when the message is read with write_to(). A body can only be replaced as a whole. One session uses a message
/// at a time, without locking; other threads read a snapshot().
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/result.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd {

/// Receives bytes in order; returns an error to stop.
using ByteSink = std::function<Result<void>(std::string_view)>;

/// The current state of one header field: original or edited.
struct HeaderField {
    std::string_view name;  ///< as written
    std::string_view raw;   ///< the whole field, `Name: value`, folding kept, with its line end
    /// The unfolded value (RFC 5322 2.2.3) without surrounding white space.
    SMTPD_API std::string value() const;
};

namespace message {
class StoredMessage;
}

/// The header fields of a message, in order. Names compare case-insensitively. Lines of the header block that are not
/// fields (an mbox "From " line, junk between fields) stay in place but are not listed here. `Subject : x`, the
/// obsolete form, is a field Subject. Lines may end in a bare LF if the server accepted that. A blank line inside the
/// block does not end it.
class SMTPD_API Headers {
public:
    /// Takes the header block as received, without the blank line that ends it.
    explicit Headers(std::string block = {});

    std::size_t count(std::string_view name) const;
    std::optional<std::string> get(std::string_view name) const;                ///< first field's value()
    std::vector<std::string> get_all(std::string_view name) const;              ///< every field's value(), top first
    void for_each(const std::function<void(const HeaderField&)>& visit) const;  ///< views are valid during the call
                                                                                ///< only
    bool empty() const;

    /// Edits. Values may contain LF or CRLF followed by white space and text (folding). Any other line break, and NUL,
    /// becomes a space, so that a value from outside cannot add a field. White space around a value is dropped; lines
    /// are not re-folded. A name must be RFC 5322 ftext; otherwise the call does nothing and returns false (0).
    bool prepend(std::string_view name, std::string_view value);
    bool append(std::string_view name, std::string_view value);
    /// Replaces the first field of that name in place and removes the others; appends a field if there is none.
    bool replace(std::string_view name, std::string_view value);
    std::size_t remove(std::string_view name);                   ///< removes all fields of that name; returns how many
    bool remove(std::string_view name, std::size_t occurrence);  ///< 0 = the topmost
    /// Renames all fields of that name, in place; returns how many.
    std::size_t rename(std::string_view name, std::string_view new_name);

    bool edited() const noexcept { return edited_; }
    /// The block for output: edits applied, everything else as received; no blank line at the end.
    std::string to_string() const;
    /// The block as received.
    const std::string& original() const noexcept { return block_; }

private:
    friend class message::StoredMessage;

    /// A run of the output: a slice of `block_`, or a text of its own. `name_size` 0: bytes that are not a field (kept
    /// as they are).
    struct Piece {
        std::size_t begin = 0;
        std::size_t size = 0;
        std::size_t name_size = 0;
        std::string text;  ///< used when not empty, instead of the slice
    };
    using Pieces = std::vector<Piece>;

    void arrive(std::string block);  ///< sets the block of an object that was made without one; fields added before
                                     ///< stay on top
    void parse() const;              ///< on first use: adding a field on top needs no parsing
    std::string_view raw(const Piece& piece) const noexcept;
    std::string_view name(const Piece& piece) const noexcept;
    bool is_called(const Piece& piece, std::string_view name) const noexcept;

    std::string block_;
    mutable Pieces pieces_;
    mutable bool parsed_ = false;
    bool edited_ = false;
};

/// A new body for a message, in preparation. It is stored like a received one: in memory up to the spool threshold,
/// then in a file.
class SMTPD_API NewBody {
public:
    virtual ~NewBody() = default;
    /// Adds octets, with CRLF line ends and without dot-stuffing. After an Error (no_space, io) the new body is lost,
    /// and the message is unchanged.
    virtual Result<void> append(std::string_view octets) = 0;
    /// Makes this the body of the message: from now on its size, and whatever is read, scanned, written or delivered,
    /// refers to the new body. Call it once; without it, or after an Error, the message is unchanged. Observers of
    /// data_chunk have seen the body that arrived.
    virtual Result<void> commit() = 0;
};

/// The message. The engine creates it when it accepts DATA; see is_complete().
class SMTPD_API Message {
public:
    virtual ~Message() = default;

    virtual Headers& headers() = 0;  ///< without fields until the header block has arrived
    virtual const Headers& headers() const = 0;
    virtual bool is_complete() const noexcept = 0;

    /// Octets of the header block as received plus the body; CRLF counts as two, dot-stuffing and the final dot do not
    /// count.
    virtual std::uint64_t size() const noexcept = 0;
    virtual std::uint64_t body_size() const noexcept = 0;  ///< without the header block and the blank line

    /// Reads the body from `offset` into `buffer`; returns 0 at the end.
    virtual Result<std::size_t> read_body(std::uint64_t offset, char* buffer, std::size_t size) const = 0;
    /// Passes the body to `sink` in pieces of any size.
    virtual Result<void> for_each_body_chunk(const ByteSink& sink) const = 0;
    /// Writes the whole message for the next hop: edited header block, blank line (if there was one), body. A message
    /// whose first line is not a header field has no header block; if fields were added to such a message, a blank line
    /// follows them.
    virtual Result<void> write_to(const ByteSink& sink) const = 0;

    /// An immutable copy of the current message, for a task or anything else that outlives the call of a handler.
    /// Several threads may read it at the same time. The body is shared, not copied. A snapshot of an incomplete
    /// message has the header fields only.
    virtual std::shared_ptr<const Message> snapshot() const = 0;

    /// Starts a new body for a complete message. The message must not be in use when the NewBody is destroyed.
    virtual std::unique_ptr<NewBody> begin_body() = 0;
    virtual bool body_was_replaced() const noexcept = 0;
};

}  // namespace smtpd
