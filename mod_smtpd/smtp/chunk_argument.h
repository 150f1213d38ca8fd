/// chunk_argument.h: the argument of BDAT (RFC 3030 2): a size, and LAST for the last chunk.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace smtpd::smtp {

struct ChunkArgument {
    std::uint64_t size = 0;
    bool last = false;
};

/// `rest` is Command::rest: digits, then optionally blanks and LAST in any case. Nothing if it is anything else, or a
/// size above 2^64 - 1: then the end of the chunk, which may already be on its way, is unknown.
std::optional<ChunkArgument> parse_chunk(std::string_view rest) noexcept;

}  // namespace smtpd::smtp
