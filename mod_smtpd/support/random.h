/// random.h: numbers that nobody can foresee, and names for sessions.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace smtpd::support {

/// 64 bits from the kernel. Costs a system call; thread-safe; different in every process.
std::uint64_t random_bits();

/// The same for who needs many: fetched in advance, some dozens with one system call. For one thread, in the process
/// that uses it: one that a fork() has doubled gives both the same.
class RandomSupply {
public:
    RandomSupply() = default;
    RandomSupply(const RandomSupply&) = delete;
    RandomSupply& operator=(const RandomSupply&) = delete;
    /// Throws std::system_error where there are no random numbers.
    std::uint64_t bits();

private:
    std::array<std::uint64_t, 32> bits_{};
    std::size_t left_ = 0;
};

/// Makes session ids: 12 characters of digits and lower-case letters without i, l, o and u (60 bits), never twice from
/// one generator.
///
/// Thread-safe: one atomic addition. To be constructed in the process that uses it: two children that inherited one
/// generator would give out the same ids. Ids of different generators differ with the probability of 60 random bits.
class SessionIds {
public:
    SessionIds();
    std::string next() noexcept;

private:
    std::uint64_t key_;
    std::atomic<std::uint64_t> count_;
};

}  // namespace smtpd::support
