/// keyed_hash.h: a hash for tables whose keys come from clients: without the random key, nobody can choose keys that
/// fall into one bucket.
///
/// SipHash-2-4 (Aumasson and Bernstein, 2012). OpenSSL has it too (EVP_MAC "SIPHASH"), but its context is allocated on
/// the heap of one process, and creating it can fail; here a table in shared memory stores only the key, and can be
/// rebuilt after a crash without any allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace smtpd::support {

/// Plain data, so that it can be in shared memory; created once, with the table.
struct HashKey {
    std::uint64_t low = 0;
    std::uint64_t high = 0;

    /// Random numbers from the kernel. Throws std::system_error if there are none.
    static HashKey random();
};

/// KeyedHash(key).add("one").add("two").value(). The pieces are hashed like one text.
class KeyedHash {
public:
    explicit KeyedHash(const HashKey& key) noexcept;
    KeyedHash& add(std::string_view octets) noexcept;
    KeyedHash& add(std::uint8_t octet) noexcept {
        push(octet);
        return *this;
    }
    /// Call it once, at the end.
    std::uint64_t value() noexcept;

private:
    void push(std::uint8_t octet) noexcept {
        word_ |= std::uint64_t(octet) << (8 * (size_ % 8));
        if (++size_ % 8 == 0) take_word();
    }
    void take_word() noexcept;
    void round() noexcept;

    std::uint64_t v0_, v1_, v2_, v3_;
    std::uint64_t word_ = 0;  ///< bytes that do not fill a word yet
    std::uint64_t size_ = 0;
};

}  // namespace smtpd::support
