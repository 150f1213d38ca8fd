/// random.h: unpredictable random numbers, and session ids.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace smtpd::support {

/// 64 bits from the kernel. Costs a system call; thread-safe.
std::uint64_t random_bits();

/// The same for many numbers: one system call fetches several dozen in advance. For one thread, in the process that
/// uses it: after a fork() both processes would get the same numbers.
class RandomSupply {
public:
    RandomSupply() = default;
    RandomSupply(const RandomSupply&) = delete;
    RandomSupply& operator=(const RandomSupply&) = delete;
    /// Throws std::system_error if there are no random numbers.
    std::uint64_t bits();

private:
    std::array<std::uint64_t, 32> bits_{};
    std::size_t left_ = 0;
};

/// Creates session ids: 12 characters of digits and lower-case letters without i, l, o and u (60 bits), never the same
/// twice from one generator.
///
/// Thread-safe: one atomic addition. Construct it in the process that uses it: two children that inherited one
/// generator would create the same ids. Ids of different generators collide with the probability of 60 random bits.
class SessionIds {
public:
    SessionIds();
    std::string next() noexcept;

private:
    std::uint64_t key_;
    std::atomic<std::uint64_t> count_;
};

}  // namespace smtpd::support
