/// failing_memory.h: makes the unit test program run out of memory at the allocation that a test names.
///
///     for (std::size_t nth = 0, done = 0; done == 0; ++nth) {
///         World world;
///         FailingMemory memory(nth);
///         world.act();  // its nth allocation throws std::bad_alloc
///         done = !memory.has_failed();
///     }
///
/// failing_memory.cc replaces operator new of the whole program, but not malloc() in C libraries. Only the thread that
/// has created a FailingMemory sees failures, until it destroys the object.
#pragma once

#include <cstddef>
#include <limits>

namespace smtpd::fakes {

class FailingMemory {
public:
    static constexpr std::size_t all = std::numeric_limits<std::size_t>::max();

    /// From now on, the thread's nth allocation (counted from 0) and the following ones fail, `failures` in all. A
    /// thread can have one object at a time.
    explicit FailingMemory(std::size_t nth, std::size_t failures = 1) noexcept;
    ~FailingMemory() { stop(); }
    FailingMemory(const FailingMemory&) = delete;
    FailingMemory& operator=(const FailingMemory&) = delete;

    /// Ends the failures.
    void stop() noexcept;
    /// Whether an allocation has failed.
    bool has_failed() const noexcept;
};

}  // namespace smtpd::fakes
