/// stored_message.h: a message while it arrives and afterwards: the header block in memory, and the body (body.h).
///
/// The engine passes what a client sent (dot-unstuffed) in pieces of any size. The header block ends at the first blank
/// line: CRLF, or a bare LF if the engine allows those. A message that starts with a line that is neither a header
/// field nor an mbox "From " line has no header block: all of it is body, and if fields are added, write_to() puts a
/// blank line below them, so that they cannot run into the text. Any other line in the header block that is not a field
/// stays where it is. Without edits, the output equals the input, octet for octet.
///
/// When the body is in a file, the memory does not grow with it. After a failed append() the body is lost, and each
/// further call returns the same Error. write_to() requires a complete message. The body of a complete message may be
/// replaced as a whole.
///
/// Used by one thread at a time; several may read a snapshot(). RFC 5322 2.1; RFC 5321 4.5.3.1.9 for sizes.
#pragma once

#include "message/body.h"
#include "message/field_syntax.h"

#include <smtpd/message.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace smtpd::message {

/// Whether a message of that size could be stored now: always true for messages that stay in memory; for others,
/// whether the directory's file system has enough room. If that cannot be determined, true.
bool has_room(const SpoolSettings& settings, std::uint64_t octets);

class StoredMessage final : public Message {
public:
    /// The settings must outlive the message.
    explicit StoredMessage(const SpoolSettings& settings)
        : settings_(settings), body_(std::make_shared<Body>(settings, settings.keep_body)) {}

    Result<void> append(std::string_view bytes);
    /// The message has ended, perhaps within its header block.
    Result<void> finish();

    bool headers_complete() const noexcept { return place_ == Place::body; }
    /// The header block is larger than allowed: it was discarded, and further octets are only counted.
    bool header_too_large() const noexcept { return place_ == Place::too_large; }
    /// The blank line below the header block: CRLF, LF, or "" if there was none.
    std::string_view separator() const noexcept { return separator_; }
    /// Whether the body is in a file.
    bool is_spooled() const noexcept { return body_->is_in_file(); }

    Headers& headers() override { return headers_; }
    const Headers& headers() const override { return headers_; }
    bool is_complete() const noexcept override { return complete_; }
    std::uint64_t size() const noexcept override { return received_; }
    std::uint64_t body_size() const noexcept override { return body_->size(); }
    Result<std::size_t> read_body(std::uint64_t offset, char* buffer, std::size_t size) const override;
    Result<void> for_each_body_chunk(const ByteSink& sink) const override;
    Result<void> write_to(const ByteSink& sink) const override;
    std::shared_ptr<const Message> snapshot() const override;
    std::unique_ptr<NewBody> begin_body() override;
    bool body_was_replaced() const noexcept override { return body_was_replaced_; }

private:
    class Replacement;

    /// For snapshots: shares the body.
    StoredMessage(const StoredMessage&) = default;

    /// Where the next octet belongs.
    enum class Place {
        line_start,     ///< header block, after a line end or at the very start
        line_start_cr,  ///< the same, after a CR that may begin the blank line
        line,           ///< within a line of the header block
        body,
        too_large
    };

    Result<void> take(std::string_view bytes);
    FirstLine classify(std::string_view bytes) const;
    std::size_t scan_header(std::string_view bytes) noexcept;
    void keep_header(std::string_view bytes);
    void end_header();
    Result<void> begin_body_with_block();
    Result<void> keep_body(std::string_view bytes) { return body_->append(bytes, received_); }
    Result<void> readable() const;

    const SpoolSettings& settings_;
    Place place_ = Place::line_start;
    bool has_header_ = false;  ///< the first line begins a header block
    bool complete_ = false;
    std::string block_;           ///< the header block and its blank line, while they arrive
    std::string_view separator_;  ///< the blank line: CRLF, LF, or nothing
    Headers headers_;
    std::uint64_t received_ = 0;
    std::shared_ptr<Body> body_;  ///< shared with snapshots when it is complete
    bool body_was_replaced_ = false;
};

}  // namespace smtpd::message
