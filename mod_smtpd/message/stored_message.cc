/// stored_message.cc: see stored_message.h.
#include "message/stored_message.h"

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

namespace smtpd::message {
namespace {

constexpr std::size_t write_size = 64 * 1024;  // what goes to the spool file at once, at least
constexpr std::size_t read_size = 64 * 1024;

}  // namespace

bool has_room(const SpoolSettings& settings, std::uint64_t octets) {
    if (!settings.keep_body || octets <= settings.threshold) return true;
    const auto free = SpoolFile::free_space(settings.directory);
    return !free || octets <= *free;
}

Result<void> StoredMessage::append(std::string_view bytes) {
    if (failure_) return *failure_;
    received_ += bytes.size();
    try {
        return take(bytes);
    } catch (const std::bad_alloc&) {
        return failed({ErrorCode::no_space, "out of memory", 0});
    }
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
    if (failure_) return *failure_;
    const bool in_header = place_ != Place::body && place_ != Place::too_large;
    if (in_header && !has_header_ && !block_.empty()) {
        if (auto kept = begin_body_with_block(); !kept) return kept;
    } else if (in_header) {
        place_ = Place::line;  // a CR that waits belongs to the block
        keep_header({});
        if (place_ != Place::too_large) end_header();
    }
    complete_ = place_ != Place::too_large;
    return {};
}

/// What the octets kept so far and these tell about the first line.
FirstLine StoredMessage::classify(std::string_view bytes) const {
    if (block_.empty()) return classify_first_line(bytes);
    return classify_first_line(std::string(block_).append(bytes.substr(0, max_field_name_size + 1)));
}

/// Looks for the blank line. Returns how many octets belong to the header block or to that line; separator_ tells whether it was found.
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

/// Adds to the block; forgets it when it is larger than allowed. (Before the first line is known it is small, and may turn out to be body.)
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

/// There is no header block: what was taken for its start belongs to the body.
Result<void> StoredMessage::begin_body_with_block() {
    const std::string start = std::exchange(block_, {});
    end_header();
    return keep_body(start);
}

Result<void> StoredMessage::keep_body(std::string_view bytes) {
    body_size_ += bytes.size();
    if (bytes.empty() || !settings_.keep_body) return {};
    if (file_ || received_ > settings_.threshold) return spool(bytes);
    memory_.append(bytes);
    return {};
}

Result<void> StoredMessage::spool(std::string_view bytes) {
    if (!file_) {
        auto created =
            SpoolFile::create(settings_.directory, SpoolFile::Creation::anonymous, settings_.first_refused_descriptor);
        if (!created) return failed(created.error());
        file_ = *std::move(created);
    }
    if (memory_.size() + bytes.size() < write_size) {
        memory_.append(bytes);
        return {};
    }
    std::vector<iovec> list;
    memory_.add_to(list);
    list.push_back({const_cast<char*>(bytes.data()), bytes.size()});
    if (auto written = file_->append(list); !written) return failed(written.error());
    memory_.reuse();
    return {};
}

Result<void> StoredMessage::failed(Error error) {
    file_.reset();
    memory_.clear();
    failure_ = std::move(error);
    return *failure_;
}

Result<void> StoredMessage::readable() const {
    if (failure_) return *failure_;
    if (place_ == Place::too_large) return Error{ErrorCode::no_space, "the header block was too large to be kept", 0};
    if (!settings_.keep_body && body_size_ > 0) return Error{ErrorCode::unavailable, "the body of the message was not kept", 0};
    return {};
}

Result<std::size_t> StoredMessage::read_body(std::uint64_t offset, char* buffer, std::size_t size) const {
    if (auto problem = readable(); !problem) return problem.error();
    const std::uint64_t in_file = file_ ? file_->size() : 0;
    if (offset >= body_size_ || size == 0) return std::size_t{0};
    if (offset >= in_file) return memory_.read(static_cast<std::size_t>(offset - in_file), buffer, size);
    auto got = file_->read(offset, buffer, static_cast<std::size_t>(std::min<std::uint64_t>(size, in_file - offset)));
    if (got && *got == 0) return Error{ErrorCode::io, "the spool file is shorter than the message", 0};
    return got;
}

Result<void> StoredMessage::for_each_body_chunk(const ByteSink& sink) const {
    if (auto problem = readable(); !problem) return problem;
    if (file_ && file_->size() > 0) {
        const std::unique_ptr<char[]> buffer(new char[read_size]);
        for (std::uint64_t offset = 0; offset < file_->size();) {
            const auto got = read_body(offset, buffer.get(), read_size);
            if (!got) return got.error();
            if (auto taken = sink({buffer.get(), *got}); !taken) return taken;
            offset += *got;
        }
    }
    return memory_.for_each(sink);
}

Result<void> StoredMessage::write_to(const ByteSink& sink) const {
    if (auto problem = readable(); !problem) return problem;
    if (!complete_) return Error{ErrorCode::unavailable, "the message is not complete", 0};
    std::string head = headers_.to_string();
    const bool lacks_blank_line = separator_.empty() && body_size_ > 0 && !head.empty();
    head += lacks_blank_line ? "\r\n" : separator_;
    if (!head.empty()) {
        if (auto taken = sink(head); !taken) return taken;
    }
    return for_each_body_chunk(sink);
}

}  // namespace smtpd::message
