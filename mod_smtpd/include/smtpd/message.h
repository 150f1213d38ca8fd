/// message.h: the message of a transaction as plugins see it: header fields with an overlay of edits, and a body.
///
/// What arrived (after dot-unstuffing) is kept byte for byte, CRLF line ends included, in memory up to the spool
/// threshold and in an unlinked file beyond. Edits of header fields do not touch it: they are remembered and applied
/// when the message is read with write_to(). A body can be replaced as a whole. One session uses a message at a time,
/// and nothing here takes a lock; other threads read a snapshot().
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

/// One header field as it is now: original or edited.
struct HeaderField {
    std::string_view name;  ///< as written
    std::string_view raw;   ///< the whole field, `Name: value`, folding kept, with its line end
    /// The value unfolded (RFC 5322 2.2.3) with surrounding white space removed.
    SMTPD_API std::string value() const;
};

namespace message {
class StoredMessage;
}

/// The header fields of a message, in order. Names compare without regard to case. Lines of the header block that are
/// no field (an mbox "From " line, junk between fields) stay where they are but are not listed here. `Subject : x`, the
/// obsolete form, is a field Subject; lines may end in a bare LF where that was let in. A blank line inside the block
/// does not end it: what is given is the block.
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

    /// Edits. Values may contain LF or CRLF followed by white space and text (folding); any other line break in one,
    /// and NUL, becomes a space, so that a value taken from outside cannot add a field. White space around a value is
    /// dropped; lines are not re-folded. A name must be RFC 5322 ftext, else the call does nothing and returns false
    /// (0).
    bool prepend(std::string_view name, std::string_view value);
    bool append(std::string_view name, std::string_view value);
    /// Replaces the first field of that name in place and removes the others; appends when there is none.
    bool replace(std::string_view name, std::string_view value);
    std::size_t remove(std::string_view name);                   ///< all of that name; how many
    bool remove(std::string_view name, std::size_t occurrence);  ///< 0 = the topmost
    /// Gives all fields of that name another name, in place; how many.
    std::size_t rename(std::string_view name, std::string_view new_name);

    bool edited() const noexcept { return edited_; }
    /// The block as it is to be written: edits applied, everything else as received; no blank line at the end.
    std::string to_string() const;
    /// The block as received.
    const std::string& original() const noexcept { return block_; }

private:
    friend class message::StoredMessage;

    /// A run of the output: a slice of `block_`, or text of its own. `name_size` 0: bytes that are no field (kept as
    /// they are).
    struct Piece {
        std::size_t begin = 0;
        std::size_t size = 0;
        std::size_t name_size = 0;
        std::string text;  ///< used when not empty, instead of the slice
    };
    using Pieces = std::vector<Piece>;

    void arrive(std::string block);  ///< what the block is, for an object that began without one; fields added before
                                     ///< stay on top
    void parse() const;              ///< on first use: adding a field on top needs no look at the block
    std::string_view raw(const Piece& piece) const noexcept;
    std::string_view name(const Piece& piece) const noexcept;
    bool is_called(const Piece& piece, std::string_view name) const noexcept;

    std::string block_;
    mutable Pieces pieces_;
    mutable bool parsed_ = false;
    bool edited_ = false;
};

/// A new body for a message, while it is written. It is stored like one that arrives: in memory up to the spool
/// threshold, then in a file.
class SMTPD_API NewBody {
public:
    virtual ~NewBody() = default;
    /// Adds octets: CRLF line ends, dots as they are. After an Error (no_space, io) the new body is lost, and the
    /// message is as it was.
    virtual Result<void> append(std::string_view octets) = 0;
    /// The message has this body from now on: what is sized, read, scanned, written or delivered later is this. Once;
    /// without it, or where it gives an Error, the message stays as it was. Observers of data_chunk have seen the body
    /// that arrived.
    virtual Result<void> commit() = 0;
};

/// The message. Created by the engine when DATA is accepted; complete when `is_complete()`.
class SMTPD_API Message {
public:
    virtual ~Message() = default;

    virtual Headers& headers() = 0;  ///< without fields until the header block has arrived
    virtual const Headers& headers() const = 0;
    virtual bool is_complete() const noexcept = 0;

    /// Octets, CRLF counted, without dot-stuffing and final dot: of the header block as it was received, and of the
    /// body.
    virtual std::uint64_t size() const noexcept = 0;
    virtual std::uint64_t body_size() const noexcept = 0;  ///< without header block and the blank line

    /// Reads the body, from `offset`, into `buffer`; 0 at the end.
    virtual Result<std::size_t> read_body(std::uint64_t offset, char* buffer, std::size_t size) const = 0;
    /// The body, in pieces of any size.
    virtual Result<void> for_each_body_chunk(const ByteSink& sink) const = 0;
    /// The whole message as it is to be handed on: edited header block, blank line (if there was one), body. A message
    /// that starts with a line that is no header field has no header block; where fields were added to such a one, a
    /// blank line is put below them.
    virtual Result<void> write_to(const ByteSink& sink) const = 0;

    /// The message as it is now, for a task or whatever else outlives the call of a handler. It does not change any
    /// more, and several threads may read it at a time. The body is shared, not copied. Of a message that is not
    /// complete there are the header fields only.
    virtual std::shared_ptr<const Message> snapshot() const = 0;

    /// Begins a new body for a complete message, which must not be in use any more when the NewBody goes.
    virtual std::unique_ptr<NewBody> begin_body() = 0;
    virtual bool body_was_replaced() const noexcept = 0;
};

}  // namespace smtpd
