/// failing_memory.cc: replaces operator new and delete in the unit test program.
#include "fakes/failing_memory.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

/// The state of this thread. It has no constructors, because it is used before and after everything else.
struct Plan {
    bool is_on;
    bool has_failed;
    std::size_t successes_left;
    std::size_t failures_left;
};
thread_local constinit Plan plan{};

bool is_to_fail() noexcept {
    if (!plan.is_on) return false;
    if (plan.successes_left > 0) {
        --plan.successes_left;
        return false;
    }
    if (plan.failures_left == 0) return false;
    --plan.failures_left;
    return plan.has_failed = true;
}

void* allocate(std::size_t size, std::size_t alignment) {
    if (is_to_fail()) throw std::bad_alloc();
    const std::size_t rounded = (std::max<std::size_t>(size, 1) + alignment - 1) / alignment * alignment;
    void* const memory = alignment <= alignof(std::max_align_t) ? std::malloc(rounded)
                                                                : std::aligned_alloc(alignment, rounded);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

void* try_to_allocate(std::size_t size, std::size_t alignment) noexcept {
    try {
        return allocate(size, alignment);
    } catch (const std::bad_alloc&) { return nullptr; }
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size, 1); }
void* operator new[](std::size_t size) { return allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    return allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return try_to_allocate(size, 1); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return try_to_allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return try_to_allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return try_to_allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace smtpd::fakes {

FailingMemory::FailingMemory(std::size_t nth, std::size_t failures) noexcept { plan = {true, false, nth, failures}; }
void FailingMemory::stop() noexcept { plan.is_on = false; }
bool FailingMemory::has_failed() const noexcept { return plan.has_failed; }

}  // namespace smtpd::fakes
