/// body_hasher.cc: brings a body into canonical form and hashes it while it arrives.
///
/// Most of a body is already in canonical form. So the hasher searches for the next octet that may need a change, 16
/// octets at a time with SSE2, and hashes everything before it at once. Only at such places does it process single
/// octets, with a state that is kept between chunks.
#include "mailauth/openssl.h"

#include <smtpd/mailauth/message_reader.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace smtpd::mailauth {
namespace {

/// Whether the octet at `p` needs a closer look: it ends an empty line, is a CR without LF or, in the relaxed form, is
/// white space that changes. If that depends on the next chunk, the last octet of a chunk needs one.
template <Canonicalization form>
bool needs_look(const char* p, const char* end, bool at_line_start) noexcept {
    const bool is_last = p + 1 == end;
    if (*p == '\r') return is_last || p[1] != '\n' || at_line_start;
    if constexpr (form == Canonicalization::simple) return false;
    if (*p == '\t') return true;
    return *p == ' ' && (is_last || p[1] == ' ' || p[1] == '\t' || p[1] == '\r');
}

#if defined(__SSE2__)
__m128i equal(__m128i octets, char c) noexcept { return _mm_cmpeq_epi8(octets, _mm_set1_epi8(c)); }

/// The same for the 16 octets at `p`, as a mask. Also reads the octet before them and the octet after them.
template <Canonicalization form>
__m128i need_look(const char* p) noexcept {
    const auto load = [](const char* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); };
    const __m128i here = load(p), next = load(p + 1), previous = load(p - 1);
    const __m128i cr = equal(here, '\r');
    const __m128i ordinary_end = _mm_andnot_si128(equal(previous, '\n'), equal(next, '\n'));
    __m128i look = _mm_andnot_si128(ordinary_end, cr);
    if constexpr (form == Canonicalization::relaxed) {
        const __m128i blank_behind = _mm_or_si128(_mm_or_si128(equal(next, ' '), equal(next, '\t')), equal(next, '\r'));
        look = _mm_or_si128(look, _mm_and_si128(equal(here, ' '), blank_behind));
        look = _mm_or_si128(look, equal(here, '\t'));
    }
    return look;
}

unsigned mask_of(__m128i look) noexcept { return static_cast<unsigned>(_mm_movemask_epi8(look)); }
#endif

/// The first octet from `p` on that needs a closer look; `end` if none does.
template <Canonicalization form>
const char* find_look(const char* p, const char* end, bool at_line_start) noexcept {
    const char* const begin = p;
    if (p == end || needs_look<form>(p, end, at_line_start)) return p;
    for (++p; p != end; ++p) {
#if defined(__SSE2__)
        // Four blocks at a time, because octets that need a look are rare.
        while (end - p > 64 &&
               mask_of(_mm_or_si128(_mm_or_si128(need_look<form>(p), need_look<form>(p + 16)),
                                    _mm_or_si128(need_look<form>(p + 32), need_look<form>(p + 48)))) == 0)
            p += 64;
        for (; end - p > 16; p += 16)
            if (const unsigned mask = mask_of(need_look<form>(p))) return p + std::countr_zero(mask);
#endif
        // An LF without CR is content. The octet after it is examined anyway; the state then decides.
        if (needs_look<form>(p, end, p != begin && p[-1] == '\n')) return p;
    }
    return end;
}

}  // namespace

void BodyHasher::Free::operator()(evp_md_ctx_st* context) const noexcept { EVP_MD_CTX_free(context); }

BodyHasher::BodyHasher(Canonicalization canonicalization, std::optional<std::uint64_t> limit)
    : canonicalization_(canonicalization), limit_(limit), context_(EVP_MD_CTX_new()) {
    if (!context_ || EVP_DigestInit_ex2(context_.get(), sha256_method(), nullptr) != 1) throw std::bad_alloc();
}
BodyHasher::~BodyHasher() = default;
BodyHasher::BodyHasher(BodyHasher&&) noexcept = default;
BodyHasher& BodyHasher::operator=(BodyHasher&&) noexcept = default;

void BodyHasher::update(std::string_view octets) {
    const char* p = octets.data();
    const char* const end = p + octets.size();
    while (p != end) {
        if (is_clean()) {
            const char* const stop = canonicalization_ == Canonicalization::relaxed
                                         ? find_look<Canonicalization::relaxed>(p, end, !line_has_content_)
                                         : find_look<Canonicalization::simple>(p, end, !line_has_content_);
            if (stop != p) {
                emit({p, static_cast<std::size_t>(stop - p)});
                line_has_content_ = stop - p < 2 || stop[-1] != '\n' || stop[-2] != '\r';
                p = stop;
                continue;
            }
        }
        step(*p++);
    }
}

void BodyHasher::step(char c) {
    if (has_cr_) {
        has_cr_ = false;
        if (c == '\n') {
            end_line();
            return;
        }
        content('\r');
    }
    if (c == '\r') has_cr_ = true;
    else if (canonicalization_ == Canonicalization::relaxed && (c == ' ' || c == '\t')) has_blank_ = true;
    else content(c);
}

void BodyHasher::end_line() {
    has_blank_ = false;
    if (line_has_content_) emit("\r\n");
    else ++empty_lines_;
    line_has_content_ = false;
}

void BodyHasher::content(char c) {
    constexpr std::string_view lines =
        "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
    while (empty_lines_ > 0) {
        const auto count = std::min<std::uint64_t>(empty_lines_, lines.size() / 2);
        emit(lines.substr(0, static_cast<std::size_t>(2 * count)));
        empty_lines_ -= count;
    }
    if (has_blank_) emit(" ");
    has_blank_ = false;
    emit({&c, 1});
    line_has_content_ = true;
}

/// Hashes octets of the canonical body, up to the limit.
void BodyHasher::emit(std::string_view octets) {
    const std::uint64_t before = canonical_size_;
    canonical_size_ += octets.size();
    if (limit_)
        octets = octets.substr(
            0, static_cast<std::size_t>(std::min<std::uint64_t>(octets.size(), *limit_ - std::min(*limit_, before))));
    if (octets.empty()) return;
    if (octets.size() > held_.size() - held_size_) {
        hash({held_.data(), std::exchange(held_size_, 0)});
        if (octets.size() > held_.size() / 2) {
            hash(octets);
            return;
        }
    }
    std::memcpy(held_.data() + held_size_, octets.data(), octets.size());
    held_size_ += octets.size();
}

void BodyHasher::hash(std::string_view octets) {
    if (!octets.empty()) EVP_DigestUpdate(context_.get(), octets.data(), octets.size());
}

void BodyHasher::finish() {
    if (std::exchange(has_cr_, false)) content('\r');
    if (line_has_content_) end_line();
    else if (canonical_size_ == 0 && canonicalization_ == Canonicalization::simple) emit("\r\n");
    hash({held_.data(), std::exchange(held_size_, 0)});
    EVP_DigestFinal_ex(context_.get(), digest_.data(), nullptr);
    context_.reset();
}

}  // namespace smtpd::mailauth
