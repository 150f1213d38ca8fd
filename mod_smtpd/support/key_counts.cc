#include "support/key_counts.h"

#include <algorithm>

namespace smtpd::support {

/// The position of the key, or the unused slot for it. Examines each slot at most once, even if none is unused.
std::size_t KeyCounts::place_of(std::uint64_t key) const noexcept {
    std::size_t at = home_of(key);
    for (std::size_t steps = 1; steps < slots_.size() && slots_[at].key != key && slots_[at].key != 0; ++steps)
        at = next(at);
    return at;
}

void KeyCounts::add(std::uint64_t key) noexcept {
    Slot& slot = slots_[place_of(key)];
    slot.key = key;
    ++slot.count;
}

void KeyCounts::remove(std::uint64_t key) noexcept {
    std::size_t hole = place_of(key);
    if (slots_[hole].key != key || --slots_[hole].count > 0) return;
    // A key that could no longer be found after the hole moves into it, and leaves the next hole.
    for (std::size_t at = next(hole); slots_[at].key != 0 && at != hole; at = next(at)) {
        if (distance(home_of(slots_[at].key), at) < distance(hole, at)) continue;
        slots_[hole] = slots_[at];
        hole = at;
    }
    slots_[hole] = {};
}

void KeyCounts::clear() noexcept { std::ranges::fill(slots_, Slot()); }

}  // namespace smtpd::support
