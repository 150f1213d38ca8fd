/// octet_masks.h: the positions of CR, LF, NUL and dots in a block of octets, as bit masks: 64 octets at a time with
/// SSE2, otherwise eight in a word.
///
/// Masks have `bits_per_octet` bits for each octet, of which only the lowest may be set; the first octet has the lowest
/// bits.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace smtpd::smtp {

struct OctetMasks {
    std::uint64_t cr = 0;
    std::uint64_t lf = 0;
    std::uint64_t nul = 0;
    std::uint64_t dot = 0;
};

/// Works everywhere; also compiled where the other one is used, so that tests can compare both.
struct WordBlock {
    static constexpr std::size_t size = 8;
    static constexpr unsigned bits_per_octet = 8;

    static OctetMasks masks(const char* p) noexcept {
        std::uint64_t word = 0;
        std::memcpy(&word, p, sizeof word);
        if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
        return {equal(word, '\r'), equal(word, '\n'), equal(word, '\0'), equal(word, '.')};
    }

private:
    static constexpr std::uint64_t ones = 0x0101010101010101U;

    static constexpr std::uint64_t equal(std::uint64_t word, char c) noexcept {
        const std::uint64_t difference = word ^ (ones * static_cast<unsigned char>(c));
        const std::uint64_t low_bits = ones * 0x7fU;
        return ~(((difference & low_bits) + low_bits) | difference | low_bits) >> 7U;
    }
};

#if defined(__SSE2__)
struct VectorBlock {
    static constexpr std::size_t size = 64;
    static constexpr unsigned bits_per_octet = 1;

    static OctetMasks masks(const char* p) noexcept {
        OctetMasks all;
        for (unsigned part = 0; part < 4; ++part) {
            const __m128i octets = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * part));
            all.cr |= equal(octets, '\r') << (16 * part);
            all.lf |= equal(octets, '\n') << (16 * part);
            all.nul |= equal(octets, '\0') << (16 * part);
            all.dot |= equal(octets, '.') << (16 * part);
        }
        return all;
    }

private:
    static std::uint64_t equal(__m128i octets, char c) noexcept {
        return static_cast<std::uint16_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(octets, _mm_set1_epi8(c))));
    }
};
using FastBlock = VectorBlock;
#else
using FastBlock = WordBlock;
#endif

}  // namespace smtpd::smtp
