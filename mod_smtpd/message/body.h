/// body.h: the body of a message: in memory up to a threshold, and in a spool file without a name beyond it.
///
/// It grows until it is complete. From then on it does not change, and any number of threads may read it at a time;
/// before, one thread at a time may use it. After a failed append() it is gone: its space is given back at once, and
/// each further call returns the same Error, so that half a body can never be handed on.
#pragma once

#include "message/chunk_buffer.h"
#include "message/spool_file.h"

#include <smtpd/message.h>

#include <climits>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace smtpd::message {

struct SpoolSettings {
    std::string directory;              ///< where spool files are made
    std::uint64_t threshold = 1 << 20;  ///< a message of more octets has its body in a file; 0: every body
    std::uint64_t max_header_size = 256 * 1024;
    int first_refused_descriptor = INT_MAX;  ///< a spool file that would get this number, or a higher one, is not made
    /// False: the body is counted but not kept, for servers on which nobody reads it.
    bool keep_body = true;
};

class Body {
public:
    /// The settings must outlive the body. `is_kept`: false: octets are only counted.
    Body(const SpoolSettings& settings, bool is_kept) noexcept : settings_(settings), is_kept_(is_kept) {}

    /// `message_size`: how many octets the whole message has so far, these included.
    Result<void> append(std::string_view bytes, std::uint64_t message_size);
    /// The body is lost: `error` says why.
    Result<void> fail(Error error);

    std::uint64_t size() const noexcept { return size_; }
    bool is_in_file() const noexcept { return file_.has_value(); }
    /// An Error where it cannot be read.
    Result<void> readable() const;
    Result<std::size_t> read(std::uint64_t offset, char* buffer, std::size_t size) const;
    Result<void> for_each_chunk(const ByteSink& sink) const;

private:
    Result<void> spool(std::string_view bytes);

    const SpoolSettings& settings_;
    const bool is_kept_;
    std::uint64_t size_ = 0;
    ChunkBuffer memory_;  ///< the body, or the end of it that is not in the file yet
    std::optional<SpoolFile> file_;
    std::optional<Error> failure_;
};

}  // namespace smtpd::message
