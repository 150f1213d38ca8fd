/// body.h: the body of a message: in memory up to a threshold, beyond it in an unnamed spool file.
///
/// It grows until it is complete; until then only one thread at a time may use it. Afterwards it does not change, and
/// any number of threads may read it. After a failed append() it is lost: its space is released at once, and each
/// further call returns the same Error, so that half a body is never passed on.
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
    std::string directory;              ///< where spool files are created
    std::uint64_t threshold = 1 << 20;  ///< a message of more octets has its body in a file; 0: every body
    std::uint64_t max_header_size = 256 * 1024;
    int first_refused_descriptor = INT_MAX;  ///< a spool file that would get this number, or a higher one, is not
                                             ///< created
    /// False: the body is counted but not kept, for servers on which no plugin reads it.
    bool keep_body = true;
};

class Body {
public:
    /// The settings must outlive the body. If `is_kept` is false, octets are only counted.
    Body(const SpoolSettings& settings, bool is_kept) noexcept : settings_(settings), is_kept_(is_kept) {}

    /// `message_size`: the size of the whole message so far, including these octets.
    Result<void> append(std::string_view bytes, std::uint64_t message_size);
    /// Discards the body because of `error`.
    Result<void> fail(Error error);

    std::uint64_t size() const noexcept { return size_; }
    bool is_in_file() const noexcept { return file_.has_value(); }
    /// An Error if the body cannot be read.
    Result<void> readable() const;
    Result<std::size_t> read(std::uint64_t offset, char* buffer, std::size_t size) const;
    Result<void> for_each_chunk(const ByteSink& sink) const;

private:
    Result<void> spool(std::string_view bytes);

    const SpoolSettings& settings_;
    const bool is_kept_;
    std::uint64_t size_ = 0;
    ChunkBuffer memory_;  ///< the body, or its end that is not in the file yet
    std::optional<SpoolFile> file_;
    std::optional<Error> failure_;
};

}  // namespace smtpd::message
