#include "support/keyed_hash.h"

#include "support/random.h"

#include <bit>

namespace smtpd::support {

HashKey HashKey::random() { return {random_bits(), random_bits()}; }

KeyedHash::KeyedHash(const HashKey& key) noexcept
    : v0_(key.low ^ 0x736f6d6570736575),
      v1_(key.high ^ 0x646f72616e646f6d),
      v2_(key.low ^ 0x6c7967656e657261),
      v3_(key.high ^ 0x7465646279746573) {}

KeyedHash& KeyedHash::add(std::string_view octets) noexcept {
    for (const char c : octets) push(static_cast<std::uint8_t>(c));
    return *this;
}

std::uint64_t KeyedHash::value() noexcept {
    word_ |= size_ << 56;
    take_word();
    v2_ ^= 0xff;
    for (int i = 0; i < 4; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
}

void KeyedHash::take_word() noexcept {
    v3_ ^= word_;
    round();
    round();
    v0_ ^= word_;
    word_ = 0;
}

void KeyedHash::round() noexcept {
    v0_ += v1_;
    v2_ += v3_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v1_;
    v0_ += v3_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ = std::rotl(v2_, 32);
}

}  // namespace smtpd::support
