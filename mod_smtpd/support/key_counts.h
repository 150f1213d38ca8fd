/// key_counts.h: counts the holders of each key, in memory of fixed size that processes may share.
///
/// Open addressing with linear probing. A key without holders leaves nothing behind: the keys after it move up (Knuth,
/// algorithm 6.4 R), so that the cost of a search depends only on the current keys. Not thread-safe; the owner of the
/// memory has a lock, and a list of the holders to rebuild the counts from if a process died during a change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace smtpd::support {

class KeyCounts {
public:
    struct Slot {
        std::uint64_t key = 0;  ///< 0 = unused
        std::uint32_t count = 0;
    };

    /// All slots must be zero at first; their number must be a power of two, and exceed the number of keys by at least
    /// one. Twice as many keep searches short. Keys are non-zero values of a KeyedHash: they are assumed to be evenly
    /// distributed.
    explicit KeyCounts(std::span<Slot> slots) noexcept : slots_(slots) {}

    std::uint32_t count(std::uint64_t key) const noexcept {
        const Slot& slot = slots_[place_of(key)];
        return slot.key == key ? slot.count : 0;
    }
    void add(std::uint64_t key) noexcept;
    void remove(std::uint64_t key) noexcept;
    void clear() noexcept;

    /// How many slots a search for the key examines.
    std::size_t probes(std::uint64_t key) const noexcept { return distance(home_of(key), place_of(key)) + 1; }

private:
    std::size_t home_of(std::uint64_t key) const noexcept {
        return static_cast<std::size_t>(key) & (slots_.size() - 1);
    }
    std::size_t next(std::size_t at) const noexcept { return (at + 1) & (slots_.size() - 1); }
    std::size_t distance(std::size_t from, std::size_t to) const noexcept { return (to - from) & (slots_.size() - 1); }
    std::size_t place_of(std::uint64_t key) const noexcept;

    std::span<Slot> slots_;
};

}  // namespace smtpd::support
