/// random.cc: ids are a counter, scattered by a keyed permutation of the 60-bit numbers, so that they neither repeat
/// nor reveal the number of sessions.
#include "support/random.h"

#include <sys/random.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace smtpd::support {
namespace {

constexpr unsigned id_bits = 60;
constexpr std::uint64_t id_mask = (std::uint64_t{1} << id_bits) - 1;

/// A bijection of the 60-bit numbers: multiplying by an odd number, adding a key and folding the upper half into the
/// lower one are all reversible.
std::uint64_t scatter(std::uint64_t number, std::uint64_t key) noexcept {
    for (const std::uint64_t factor : {0x9e3779b97f4a7c15ull, 0xd6e8feb86659fd93ull, 0xa0761d6478bd642full}) {
        number = ((number + key) * factor) & id_mask;
        number ^= number >> (id_bits / 2);
    }
    return number;
}

/// Up to 256 bytes are returned at once (getrandom(2)).
void fill(void* octets, std::size_t size) {
    ssize_t got;
    do got = getrandom(octets, size, 0);
    while (got < 0 && errno == EINTR);
    if (got != static_cast<ssize_t>(size)) throw std::system_error(errno, std::generic_category(), "getrandom");
}

}  // namespace

std::uint64_t random_bits() {
    std::uint64_t bits = 0;
    fill(&bits, sizeof bits);
    return bits;
}

std::uint64_t RandomSupply::bits() {
    if (left_ == 0) {
        static_assert(sizeof bits_ <= 256);
        fill(bits_.data(), sizeof bits_);
        left_ = bits_.size();
    }
    return std::exchange(bits_[--left_], 0);  // overwritten, so that it cannot be read again
}

SessionIds::SessionIds() : key_(random_bits()), count_(random_bits()) {}

std::string SessionIds::next() noexcept {
    static constexpr char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    std::uint64_t number = scatter(count_.fetch_add(1, std::memory_order_relaxed) & id_mask, key_);
    std::string id(id_bits / 5, '0');
    for (char& c : id) {
        c = alphabet[number & 31];
        number >>= 5;
    }
    return id;
}

}  // namespace smtpd::support
