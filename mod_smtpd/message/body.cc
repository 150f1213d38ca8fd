/// body.cc: see body.h.
#include "message/body.h"

#include <algorithm>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace smtpd::message {
namespace {

constexpr std::size_t write_size = 64 * 1024;  // the minimum that is written to the spool file at once
constexpr std::size_t read_size = 64 * 1024;

}  // namespace

Result<void> Body::append(std::string_view bytes, std::uint64_t message_size) {
    if (failure_) return *failure_;
    size_ += bytes.size();
    if (bytes.empty() || !is_kept_) return {};
    try {
        if (file_ || message_size > settings_.threshold) return spool(bytes);
        memory_.append(bytes);
        return {};
    } catch (const std::bad_alloc&) { return fail({ErrorCode::no_space, "out of memory", 0}); }
}

Result<void> Body::spool(std::string_view bytes) {
    if (!file_) {
        auto created = SpoolFile::create(settings_.directory, SpoolFile::Creation::anonymous,
                                         settings_.first_refused_descriptor);
        if (!created) return fail(created.error());
        file_ = *std::move(created);
    }
    if (memory_.size() + bytes.size() < write_size) {
        memory_.append(bytes);
        return {};
    }
    std::vector<iovec> list;
    memory_.add_to(list);
    list.push_back({const_cast<char*>(bytes.data()), bytes.size()});
    if (auto written = file_->append(list); !written) return fail(written.error());
    memory_.reuse();
    return {};
}

Result<void> Body::fail(Error error) {
    file_.reset();
    memory_.clear();
    failure_ = std::move(error);
    return *failure_;
}

Result<void> Body::readable() const {
    if (failure_) return *failure_;
    if (!is_kept_ && size_ > 0) return Error{ErrorCode::unavailable, "the body of the message was not kept", 0};
    return {};
}

Result<std::size_t> Body::read(std::uint64_t offset, char* buffer, std::size_t size) const {
    if (auto problem = readable(); !problem) return problem.error();
    const std::uint64_t in_file = file_ ? file_->size() : 0;
    if (offset >= size_ || size == 0) return std::size_t{0};
    if (offset >= in_file) return memory_.read(static_cast<std::size_t>(offset - in_file), buffer, size);
    auto got = file_->read(offset, buffer, static_cast<std::size_t>(std::min<std::uint64_t>(size, in_file - offset)));
    if (got && *got == 0) return Error{ErrorCode::io, "the spool file is shorter than the message", 0};
    return got;
}

Result<void> Body::for_each_chunk(const ByteSink& sink) const {
    if (auto problem = readable(); !problem) return problem;
    if (file_ && file_->size() > 0) {
        const std::unique_ptr<char[]> buffer(new char[read_size]);
        for (std::uint64_t offset = 0; offset < file_->size();) {
            const auto got = read(offset, buffer.get(), read_size);
            if (!got) return got.error();
            if (auto taken = sink({buffer.get(), *got}); !taken) return taken;
            offset += *got;
        }
    }
    return memory_.for_each(sink);
}

}  // namespace smtpd::message
