/// random.h: numbers that nobody can foresee, and names for sessions.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace smtpd::support {

/// 64 bits from the kernel. Costs a system call; thread-safe; different in every process.
std::uint64_t random_bits();

/// Makes session ids: 12 characters of digits and lower-case letters without i, l, o and u (60 bits), never twice from one generator.
///
/// Thread-safe: one atomic addition. To be constructed in the process that uses it: two children that inherited one generator would give
/// out the same ids. Ids of different generators differ with the probability of 60 random bits.
class SessionIds {
public:
    SessionIds();
    std::string next() noexcept;

private:
    std::uint64_t key_;
    std::atomic<std::uint64_t> count_;
};

}  // namespace smtpd::support
