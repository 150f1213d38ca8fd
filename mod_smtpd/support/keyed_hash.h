/// keyed_hash.h: a hash for tables whose keys come from clients: who does not know its random key cannot choose keys
/// that fall into one place.
///
/// SipHash-2-4 (Aumasson and Bernstein, 2012). OpenSSL has it too (EVP_MAC "SIPHASH"), but its context lives on the
/// heap of one process and can fail to be made; a table in shared memory keeps only the key here, and is rebuilt after
/// a crash without any allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace smtpd::support {

/// Plain octets, so that it can lie in shared memory: made once, by whoever makes the table.
struct HashKey {
    std::uint64_t low = 0;
    std::uint64_t high = 0;

    /// From the kernel. Throws std::system_error where there are no random numbers.
    static HashKey random();
};

/// KeyedHash(key).add("one").add("two").value(). The pieces are hashed as if they were one text.
class KeyedHash {
public:
    explicit KeyedHash(const HashKey& key) noexcept;
    KeyedHash& add(std::string_view octets) noexcept;
    KeyedHash& add(std::uint8_t octet) noexcept {
        push(octet);
        return *this;
    }
    /// To be called once, at the end.
    std::uint64_t value() noexcept;

private:
    void push(std::uint8_t octet) noexcept {
        word_ |= std::uint64_t(octet) << (8 * (size_ % 8));
        if (++size_ % 8 == 0) take_word();
    }
    void take_word() noexcept;
    void round() noexcept;

    std::uint64_t v0_, v1_, v2_, v3_;
    std::uint64_t word_ = 0;  ///< octets that make no full word yet
    std::uint64_t size_ = 0;
};

}  // namespace smtpd::support
