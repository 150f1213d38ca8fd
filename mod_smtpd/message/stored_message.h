/// stored_message.h: a message while it arrives and afterwards: the header block in memory, and the body (body.h).
///
/// The engine feeds it what a client sent (dot-unstuffed) in pieces of any size. The header block ends at the first
/// blank line: CRLF, or a bare LF where the engine let those through. A message that starts with a line that is neither
/// a header field nor the "From " line of an mbox has no header block: all of it is body, and when fields are added to
/// it, write_to() puts a blank line below them, so that they cannot run into the text. A line that is no field further
/// down in the header block stays where it is. What is written from an unedited message is what came, octet for octet.
///
/// Once the body is in a file, memory does not grow with it. After a failed append() the body is gone, and each further
/// call returns the same Error. write_to() wants a complete message. The body of a complete message may be replaced as
/// a whole.
///
/// One thread at a time; a snapshot() may be read by several. RFC 5322 2.1; RFC 5321 4.5.3.1.9 for sizes.
#pragma once

#include "message/body.h"
#include "message/field_syntax.h"

#include <smtpd/message.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace smtpd::message {

/// Whether a message of that size could be kept now: those that stay in memory always, others as far as the directory's
/// file system has room for them. Where that cannot be found out, the attempt will tell.
bool has_room(const SpoolSettings& settings, std::uint64_t octets);

class StoredMessage final : public Message {
public:
    /// The settings must outlive the message.
    explicit StoredMessage(const SpoolSettings& settings)
        : settings_(settings), body_(std::make_shared<Body>(settings, settings.keep_body)) {}

    Result<void> append(std::string_view bytes);
    /// No more will come. A message may end within its header block.
    Result<void> finish();

    bool headers_complete() const noexcept { return place_ == Place::body; }
    /// The header block is larger than allowed: what came is forgotten, what comes is counted and dropped.
    bool header_too_large() const noexcept { return place_ == Place::too_large; }
    /// The blank line below the header block: CRLF, LF, or "" where there was none.
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

    /// What the next octet belongs to.
    enum class Place {
        line_start,     ///< header block, after a line end or at the very start
        line_start_cr,  ///< the same, and then a CR that may begin the blank line
        line,           ///< header block, within a line
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
    bool has_header_ = false;  ///< the first line is known to begin a header block
    bool complete_ = false;
    std::string block_;           ///< the header block and its blank line while they arrive
    std::string_view separator_;  ///< the blank line: CRLF, LF, or nothing where there was none
    Headers headers_;
    std::uint64_t received_ = 0;
    std::shared_ptr<Body> body_;  ///< shared with snapshots once it is complete
    bool body_was_replaced_ = false;
};

}  // namespace smtpd::message
