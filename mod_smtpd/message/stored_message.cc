/// stored_message.cc: see stored_message.h.
#include "message/stored_message.h"

#include <algorithm>
#include <new>
#include <utility>

namespace smtpd::message {
bool has_room(const SpoolSettings& settings, std::uint64_t octets) {
    if (!settings.keep_body || octets <= settings.threshold) return true;
    const auto free = SpoolFile::free_space(settings.directory);
    return !free || octets <= *free;
}

Result<void> StoredMessage::append(std::string_view bytes) {
    if (auto good = keep_body({}); !good) return good;
    received_ += bytes.size();
    try {
        return take(bytes);
    } catch (const std::bad_alloc&) { return body_->fail({ErrorCode::no_space, "out of memory", 0}); }
}

Result<void> StoredMessage::take(std::string_view bytes) {
    if (place_ == Place::body) return keep_body(bytes);
    if (place_ == Place::too_large) return {};
    if (!has_header_) {
        const FirstLine first_line = classify(bytes);
        if (first_line == FirstLine::body) {
            if (auto kept = begin_body_with_block(); !kept) return kept;
            return keep_body(bytes);
        }
        has_header_ = first_line == FirstLine::header;
    }
    const std::size_t scanned = scan_header(bytes);
    keep_header(bytes.substr(0, scanned));
    if (separator_.empty() || place_ == Place::too_large) return {};
    end_header();
    return keep_body(bytes.substr(scanned));
}

Result<void> StoredMessage::finish() {
    if (auto good = keep_body({}); !good) return good;
    const bool in_header = place_ != Place::body && place_ != Place::too_large;
    if (in_header && !has_header_ && !block_.empty()) {
        if (auto kept = begin_body_with_block(); !kept) return kept;
    } else if (in_header) {
        place_ = Place::line;  // a pending CR belongs to the block
        keep_header({});
        if (place_ != Place::too_large) end_header();
    }
    complete_ = place_ != Place::too_large;
    return {};
}

/// What the stored octets and `bytes` reveal about the first line.
FirstLine StoredMessage::classify(std::string_view bytes) const {
    if (block_.empty()) return classify_first_line(bytes);
    return classify_first_line(std::string(block_).append(bytes.substr(0, max_field_name_size + 1)));
}

/// Looks for the blank line. Returns how many octets belong to the header block or to that line; separator_ shows
/// whether it was found.
std::size_t StoredMessage::scan_header(std::string_view bytes) noexcept {
    std::size_t at = 0;
    while (at < bytes.size()) {
        if (place_ == Place::line) {
            const auto line_end = bytes.find('\n', at);
            if (line_end == std::string_view::npos) return bytes.size();
            at = line_end + 1;
            place_ = Place::line_start;
        } else if (bytes[at] == '\n') {
            separator_ = place_ == Place::line_start_cr ? "\r\n" : "\n";
            return at + 1;
        } else if (place_ == Place::line_start && bytes[at] == '\r') {
            place_ = Place::line_start_cr;
            ++at;
        } else {
            place_ = Place::line;
        }
    }
    return at;
}

/// Adds to the block; discards it if it is larger than allowed. (Before the first line is classified, the block is
/// small, and may turn out to be body.)
void StoredMessage::keep_header(std::string_view bytes) {
    const std::size_t no_part_of_it = separator_.empty() ? place_ == Place::line_start_cr : separator_.size();
    if (has_header_ && block_.size() + bytes.size() > settings_.max_header_size + no_part_of_it) {
        place_ = Place::too_large;
        block_ = std::string();
        return;
    }
    if (block_.empty()) block_.reserve(separator_.empty() ? std::max<std::size_t>(bytes.size(), 2048) : bytes.size());
    block_.append(bytes);
}

void StoredMessage::end_header() {
    block_.resize(block_.size() - separator_.size());
    headers_.arrive(std::exchange(block_, {}));
    place_ = Place::body;
}

/// There is no header block: the stored octets belong to the body.
Result<void> StoredMessage::begin_body_with_block() {
    const std::string start = std::exchange(block_, {});
    end_header();
    return keep_body(start);
}

Result<void> StoredMessage::readable() const {
    if (auto good = body_->readable(); !good) return good;
    if (place_ == Place::too_large) return Error{ErrorCode::no_space, "the header block was too large to be kept", 0};
    return {};
}

Result<std::size_t> StoredMessage::read_body(std::uint64_t offset, char* buffer, std::size_t size) const {
    if (auto problem = readable(); !problem) return problem.error();
    return body_->read(offset, buffer, size);
}

Result<void> StoredMessage::for_each_body_chunk(const ByteSink& sink) const {
    if (auto problem = readable(); !problem) return problem;
    return body_->for_each_chunk(sink);
}

Result<void> StoredMessage::write_to(const ByteSink& sink) const {
    if (auto problem = readable(); !problem) return problem;
    if (!complete_) return Error{ErrorCode::unavailable, "the message is not complete", 0};
    std::string head = headers_.to_string();
    const bool lacks_blank_line = separator_.empty() && body_size() > 0 && !head.empty();
    head += lacks_blank_line ? "\r\n" : separator_;
    if (!head.empty()) {
        if (auto taken = sink(head); !taken) return taken;
    }
    return for_each_body_chunk(sink);
}

/// The body of an incomplete message still grows, so it cannot be shared.
std::shared_ptr<const Message> StoredMessage::snapshot() const {
    const std::shared_ptr<StoredMessage> copy(new StoredMessage(*this));
    copy->headers_.parse();  // now, so that reading does not modify it
    if (complete_) return copy;
    copy->body_ = std::make_shared<Body>(settings_, true);
    (void)copy->body_->fail({ErrorCode::unavailable, "the message is not complete", 0});
    return copy;
}

/// A new body, which the message does not use before commit().
class StoredMessage::Replacement final : public NewBody {
public:
    explicit Replacement(StoredMessage& message)
        : message_(message),
          other_octets_(message.received_ - message.body_size()),
          body_(std::make_shared<Body>(message.settings_, true)) {}

    Result<void> append(std::string_view octets) override {
        if (!body_) return Error{ErrorCode::unavailable, "the body is in use already", 0};
        return body_->append(octets, other_octets_ + body_->size() + octets.size());
    }

    Result<void> commit() override {
        if (auto good = append({}); !good) return good;
        if (!message_.complete_) return Error{ErrorCode::unavailable, "the message is not complete", 0};
        message_.received_ = other_octets_ + body_->size();
        message_.body_ = std::move(body_);
        message_.body_was_replaced_ = true;
        return {};
    }

private:
    StoredMessage& message_;
    const std::uint64_t other_octets_;
    std::shared_ptr<Body> body_;
};

std::unique_ptr<NewBody> StoredMessage::begin_body() { return std::make_unique<Replacement>(*this); }

}  // namespace smtpd::message
