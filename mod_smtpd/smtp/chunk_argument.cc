#include "smtp/chunk_argument.h"

#include "smtp/octets.h"

#include <algorithm>

namespace smtpd::smtp {

std::optional<ChunkArgument> parse_chunk(std::string_view rest) noexcept {
    const auto end = static_cast<std::size_t>(std::find_if_not(rest.begin(), rest.end(), is_digit) - rest.begin());
    const auto size = support::parse_unsigned(rest.substr(0, end));
    if (!size) return std::nullopt;
    const auto behind = rest.substr(end);
    const auto word = trim_right(trim_left(behind));
    if (word.empty()) return ChunkArgument{*size, false};
    if (!is_blank(behind.front()) || !equals_folded(word, "LAST")) return std::nullopt;
    return ChunkArgument{*size, true};
}

}  // namespace smtpd::smtp
