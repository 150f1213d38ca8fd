/// chunk_argument.h: what follows BDAT (RFC 3030 2): a size, and LAST on the last chunk.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace smtpd::smtp {

struct ChunkArgument {
    std::uint64_t size = 0;
    bool last = false;
};

/// `rest` is Command::rest: digits, then perhaps blanks and LAST in any case. Nothing where it is anything else, or a
/// size beyond 2^64 - 1: then it cannot be told where the chunk ends that may already be on its way.
std::optional<ChunkArgument> parse_chunk(std::string_view rest) noexcept;

}  // namespace smtpd::smtp
