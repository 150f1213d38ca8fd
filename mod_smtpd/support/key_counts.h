/// key_counts.h: how many holders each key has, in memory of a fixed size that may be shared by processes.
///
/// Open addressing with linear probing. A key whose last holder goes leaves nothing behind: those behind it move up
/// (Knuth, algorithm 6.4 R), so that a search never costs more than the keys that are there now. Not thread-safe; the
/// owner of the memory has a lock, and a list of the holders from which it counts anew when a process died within a
/// change.
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

    /// All of the slots are zero at first; their number is a power of two, and at least one more than there are keys at
    /// a time. Twice as many keep searches short. Keys are values of a KeyedHash, other than 0: they are taken as
    /// scattered already.
    explicit KeyCounts(std::span<Slot> slots) noexcept : slots_(slots) {}

    std::uint32_t count(std::uint64_t key) const noexcept {
        const Slot& slot = slots_[place_of(key)];
        return slot.key == key ? slot.count : 0;
    }
    void add(std::uint64_t key) noexcept;
    void remove(std::uint64_t key) noexcept;
    void clear() noexcept;

    /// How many slots a search for the key looks at.
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
