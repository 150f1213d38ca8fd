/// memory_store.cc: the table of blocks in shared memory. It contains indices, never pointers.
#include "store/memory_store.h"

#include "support/keyed_hash.h"
#include "support/process_mutex.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <exception>
#include <new>
#include <vector>

#include <sys/mman.h>

namespace smtpd::store {
namespace {

using Index = std::uint32_t;
constexpr Index none = ~Index(0);
constexpr std::uint64_t magic = 0x534d5450'53544f32;  // "SMTPSTO2": change it with the layout
constexpr unsigned buckets_per_page = 20000;

}  // namespace

/// An entry's first block, or a further one; of those, only kind, more and octets are used.
struct MemoryStore::Block {
    enum Kind : std::uint8_t { unused, live, part };

    Index next;  ///< in the bucket, or in the list of free blocks
    Index more;  ///< where the octets continue
    Index heap_at;
    std::uint32_t hash;
    std::int64_t expires;  ///< milliseconds since the epoch
    std::uint64_t sequence;
    std::uint16_t key_size;
    std::uint16_t value_size;
    std::uint8_t space_size;
    std::atomic<std::uint8_t> kind;  ///< written last when an entry is created, and first when it is removed
    char octets[90];

    std::size_t size() const noexcept { return std::size_t(space_size) + key_size + value_size; }
    static std::size_t blocks_for(std::size_t octets) noexcept {
        return std::max<std::size_t>(1, (octets + sizeof Block::octets - 1) / sizeof Block::octets);
    }
};

struct MemoryStore::Table {
    std::uint64_t magic;
    std::size_t size;
    support::ProcessMutex mutex;
    Index blocks;
    Index buckets;  ///< a power of two
    Index used;     ///< blocks that were ever used
    Index free;     ///< free blocks
    Index first_free;
    Index heap_size;  ///< number of live entries
    std::uint64_t sequence;
    support::HashKey hash_key;  ///< random, so that clients cannot choose keys that fall into one bucket

    std::uint32_t hash_of(const Item& item) const noexcept {
        return static_cast<std::uint32_t>(
            support::KeyedHash(hash_key).add(item.space).add(std::uint8_t(0)).add(item.key).value());
    }
    Index* bucket_of() noexcept { return reinterpret_cast<Index*>(this + 1); }
    Index* heap() noexcept { return bucket_of() + buckets; }
    Block* block() noexcept {
        auto* const end = reinterpret_cast<char*>(heap() + blocks);
        return reinterpret_cast<Block*>(end + (-reinterpret_cast<std::uintptr_t>(end) & (alignof(Block) - 1)));
    }

    void reset() noexcept;
    Index find(const Item& item) noexcept;
    bool is(Index entry, const Item& item) noexcept;
    std::string octets(Index entry, std::size_t from, std::size_t size) const;
    std::string value(Index entry) {
        return octets(entry, block()[entry].space_size + std::size_t(block()[entry].key_size),
                      block()[entry].value_size);
    }
    Index make(const Item& item, std::string_view value, std::int64_t expires, Index& old) noexcept;
    Index take_block() noexcept;
    void fill(Index entry, std::string_view first, std::string_view second, std::string_view third) noexcept;
    void link(Index entry) noexcept;
    void unlink(Index entry) noexcept;
    void remove(Index entry) noexcept;
    void heap_put(Index at, Index entry) noexcept {
        heap()[at] = entry;
        block()[entry].heap_at = at;
    }
    void heap_up(Index at) noexcept;
    void heap_down(Index at) noexcept;
    void rebuild();
    bool is_whole(Index entry) noexcept;
};

// --- the table ---

void* MemoryStore::map(std::size_t size) noexcept {
    support::HashKey hash_key;
    try {
        hash_key = support::HashKey::random();
    } catch (const std::exception&) {  // no random numbers
        return nullptr;
    }
    // The pages are zero, and cost nothing until they are used.
    void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    auto* const table = static_cast<Table*>(memory);
    new (&table->mutex) support::ProcessMutex;
    table->hash_key = hash_key;
    // A block needs its own size, its place in the heap, and up to two buckets.
    table->blocks = static_cast<Index>((size - sizeof(Table) - alignof(Block)) / (sizeof(Block) + 3 * sizeof(Index)));
    table->buckets = std::bit_ceil(table->blocks);
    table->size = size;
    table->reset();
    table->magic = magic;
    return table;
}

void MemoryStore::unmap(void* table) noexcept {
    if (table != nullptr) munmap(table, static_cast<Table*>(table)->size);
}

bool MemoryStore::fits(const void* table, std::size_t size) noexcept {
    const auto* const known = static_cast<const Table*>(table);
    return known != nullptr && known->magic == magic && known->size == size;
}

void MemoryStore::Table::reset() noexcept {
    static_assert(sizeof(Block) == 128, "blocks are as large as two lines of the cache");
    std::fill_n(bucket_of(), buckets, none);
    used = heap_size = 0;
    free = blocks;
    first_free = none;
}

bool MemoryStore::Table::is(Index entry, const Item& item) noexcept {
    const Block& head = block()[entry];
    if (head.space_size != item.space.size() || head.key_size != item.key.size()) return false;
    // Compare piece by piece, without a copy.
    std::size_t at = 0;
    const std::size_t all = item.space.size() + item.key.size();
    for (Index piece = entry; at < all; piece = block()[piece].more) {
        for (std::size_t i = 0; i < sizeof head.octets && at < all; ++i, ++at) {
            const char wanted = at < item.space.size() ? item.space[at] : item.key[at - item.space.size()];
            if (block()[piece].octets[i] != wanted) return false;
        }
    }
    return true;
}

Index MemoryStore::Table::find(const Item& item) noexcept {
    const std::uint32_t hash = hash_of(item);
    for (Index entry = bucket_of()[hash & (buckets - 1)]; entry != none; entry = block()[entry].next)
        if (block()[entry].hash == hash && is(entry, item)) return entry;
    return none;
}

std::string MemoryStore::Table::octets(Index entry, std::size_t from, std::size_t size) const {
    auto* const self = const_cast<Table*>(this);
    constexpr std::size_t room = sizeof Block::octets;
    std::string out;
    out.reserve(size);
    Index piece = entry;
    for (; from >= room; from -= room) piece = self->block()[piece].more;
    for (; size > 0; piece = self->block()[piece].more, from = 0) {
        const std::size_t here = std::min(size, room - from);
        out.append(self->block()[piece].octets + from, here);
        size -= here;
    }
    return out;
}

Index MemoryStore::Table::take_block() noexcept {
    --free;
    if (first_free == none) return used++;
    const Index taken = first_free;
    first_free = block()[taken].next;
    return taken;
}

/// Creates a live entry that look-ups do not find yet. Makes room if necessary; `old` is none afterwards if that entry
/// was removed.
Index MemoryStore::Table::make(const Item& item, std::string_view value, std::int64_t expires, Index& old) noexcept {
    const std::size_t needed = Block::blocks_for(item.space.size() + item.key.size() + value.size());
    while (free < needed && heap_size > 0) {
        const Index victim = heap()[0];
        if (victim == old) old = none;
        remove(victim);
    }
    if (free < needed) return none;
    const Index entry = take_block();
    Block& head = block()[entry];
    head.more = none;
    for (std::size_t i = 1; i < needed; ++i) {
        const Index piece = take_block();
        block()[piece].kind.store(Block::part, std::memory_order_relaxed);
        block()[piece].more = head.more;
        head.more = piece;
    }
    head.hash = hash_of(item);
    head.expires = expires;
    head.sequence = ++sequence;
    head.space_size = static_cast<std::uint8_t>(item.space.size());
    head.key_size = static_cast<std::uint16_t>(item.key.size());
    head.value_size = static_cast<std::uint16_t>(value.size());
    fill(entry, item.space, item.key, value);
    head.kind.store(Block::live, std::memory_order_release);
    return entry;
}

void MemoryStore::Table::fill(Index entry, std::string_view first, std::string_view second,
                              std::string_view third) noexcept {
    std::size_t at = 0;
    Index piece = entry;
    for (std::string_view text : {first, second, third}) {
        while (!text.empty()) {
            if (at == sizeof Block::octets) {
                piece = block()[piece].more;
                at = 0;
            }
            const std::size_t here = std::min(text.size(), sizeof Block::octets - at);
            std::memcpy(block()[piece].octets + at, text.data(), here);
            text.remove_prefix(here);
            at += here;
        }
    }
}

void MemoryStore::Table::link(Index entry) noexcept {
    Index& bucket = bucket_of()[block()[entry].hash & (buckets - 1)];
    block()[entry].next = bucket;
    bucket = entry;
    heap_put(heap_size++, entry);
    heap_up(heap_size - 1);
}

void MemoryStore::Table::unlink(Index entry) noexcept {
    Index* place = &bucket_of()[block()[entry].hash & (buckets - 1)];
    while (*place != entry) place = &block()[*place].next;
    *place = block()[entry].next;
    const Index at = block()[entry].heap_at;
    const Index last = heap()[--heap_size];
    if (last == entry) return;
    heap_put(at, last);
    heap_up(at);
    heap_down(block()[last].heap_at);
}

void MemoryStore::Table::remove(Index entry) noexcept {
    block()[entry].kind.store(Block::unused, std::memory_order_release);
    unlink(entry);
    for (Index piece = entry; piece != none;) {
        const Index more = block()[piece].more;
        block()[piece].kind.store(Block::unused, std::memory_order_relaxed);
        block()[piece].next = first_free;
        first_free = piece;
        ++free;
        piece = more;
    }
}

void MemoryStore::Table::heap_up(Index at) noexcept {
    const Index entry = heap()[at];
    for (; at > 0; at = (at - 1) / 2) {
        const Index above = heap()[(at - 1) / 2];
        if (block()[above].expires <= block()[entry].expires) break;
        heap_put(at, above);
    }
    heap_put(at, entry);
}

void MemoryStore::Table::heap_down(Index at) noexcept {
    const Index entry = heap()[at];
    for (;;) {
        std::uint64_t below = 2 * std::uint64_t(at) + 1;
        if (below >= heap_size) break;
        if (below + 1 < heap_size && block()[heap()[below + 1]].expires < block()[heap()[below]].expires) ++below;
        if (block()[entry].expires <= block()[heap()[below]].expires) break;
        heap_put(at, heap()[below]);
        at = static_cast<Index>(below);
    }
    heap_put(at, entry);
}

// --- after a process died within a change ---

/// Whether a block marked as an entry is a complete one.
bool MemoryStore::Table::is_whole(Index entry) noexcept {
    const Block& head = block()[entry];
    if (head.kind.load(std::memory_order_acquire) != Block::live) return false;
    std::size_t pieces = Block::blocks_for(head.size());
    for (Index piece = head.more; piece != none; piece = block()[piece].more)
        if (--pieces == 0 || piece >= used || block()[piece].kind.load(std::memory_order_relaxed) != Block::part)
            return false;
    return pieces == 1;
}

/// Rebuilds buckets, heap and free blocks from the entries. If two entries have the same key, because one was about to
/// replace the other, the newer one stays.
void MemoryStore::Table::rebuild() {
    used = std::min(used, blocks);
    std::vector<bool> is_taken(used);
    std::fill_n(bucket_of(), buckets, none);
    heap_size = 0;
    for (Index entry = 0; entry < used; ++entry) {
        if (!is_whole(entry)) continue;
        const Block& head = block()[entry];
        Index twin = bucket_of()[head.hash & (buckets - 1)];
        const auto is_twin = [&](Index other) {
            const Block& one = block()[other];
            return one.hash == head.hash && one.space_size == head.space_size && one.key_size == head.key_size &&
                   octets(other, 0, std::size_t(one.space_size) + one.key_size) ==
                       octets(entry, 0, std::size_t(head.space_size) + head.key_size);
        };
        while (twin != none && !is_twin(twin)) twin = block()[twin].next;
        if (twin != none && block()[twin].sequence > head.sequence) continue;
        if (twin != none) unlink(twin);
        link(entry);
    }
    for (Index at = 0; at < heap_size; ++at)
        for (Index piece = heap()[at]; piece != none; piece = block()[piece].more) is_taken[piece] = true;
    free = blocks - used;
    first_free = none;
    for (Index piece = used; piece-- > 0;) {
        if (is_taken[piece]) continue;
        block()[piece].kind.store(Block::unused, std::memory_order_relaxed);
        block()[piece].next = first_free;
        first_free = piece;
        ++free;
    }
}

/// Holds the mutex, unless it was not granted in time.
class MemoryStore::Lock {
public:
    Lock(Table& table, Limit limit) noexcept : table_(table), got_(table.mutex.lock_until(limit)) {
        if (got_ != Mutex::Got::orphan) return;
        try {
            table_.rebuild();
        } catch (const std::exception&) {  // no memory for it
            table_.reset();
        }
        table_.mutex.mend();
    }
    ~Lock() {
        if (*this) table_.mutex.unlock();
    }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    explicit operator bool() const noexcept { return got_ != Mutex::Got::nothing; }

private:
    using Mutex = support::ProcessMutex;
    Table& table_;
    const Mutex::Got got_;
};

// --- the back end ---

MemoryStore::~MemoryStore() { unmap(own_table_); }

void MemoryStore::start() noexcept {
    if (table_ == nullptr) table_ = static_cast<Table*>(own_table_ = map(size_));
}

std::int64_t MemoryStore::now() const noexcept {
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.wall().time_since_epoch()).count();
}

Backend::Found MemoryStore::get(const Item& item, Limit limit) noexcept {
    if (table_ == nullptr) return not_started("the store in memory");
    try {
        const Lock lock(*table_, limit);
        if (!lock) return timed_out("waiting for the store in memory");
        const Index entry = table_->find(item);
        if (entry == none || table_->block()[entry].expires <= now()) return std::optional<std::string>();
        return std::optional<std::string>(table_->value(entry));
    } catch (const std::exception&) { return out_of_memory(); }
}

Result<void> MemoryStore::change(const Item& item, const Decide& decide, Limit limit) noexcept {
    if (table_ == nullptr) return not_started("the store in memory");
    try {
        const std::int64_t present = now();
        const Lock lock(*table_, limit);
        if (!lock) return timed_out("waiting for the store in memory");
        Index old = table_->find(item);
        std::optional<std::string> current;
        if (old != none && table_->block()[old].expires > present) current = table_->value(old);
        const Change wanted = decide(current);
        if (wanted.kind == Change::Kind::none) return {};
        if (wanted.kind == Change::Kind::put) {
            const std::int64_t expires = wanted.lifetime || old == none
                                             ? present + wanted.lifetime.value_or(Duration(0)).count()
                                             : table_->block()[old].expires;
            const Index fresh = table_->make(item, wanted.value, expires, old);
            if (fresh == none)
                return Error{ErrorCode::no_space, "the store in memory is too small for an entry of that size", 0};
            if (old != none) table_->remove(old);
            table_->link(fresh);
        } else if (old != none) {
            table_->remove(old);
        }
        return {};
    } catch (const std::exception&) { return out_of_memory(); }
}

/// Lists bucket by bucket; `from` is the number of the next one.
Result<Backend::Page> MemoryStore::list(const Item& prefix, std::size_t count, std::string_view from,
                                        Limit limit) noexcept {
    if (table_ == nullptr) return not_started("the store in memory");
    try {
        Index bucket = 0;
        if (!from.empty() && !smtpd::detail::read_number(from, bucket)) bucket = none;
        const std::int64_t present = now();
        Page page;
        const Lock lock(*table_, limit);
        if (!lock) return timed_out("waiting for the store in memory");
        unsigned looked_at = 0;
        for (; bucket < table_->buckets && page.entries.size() < count && looked_at < buckets_per_page;
             ++bucket, ++looked_at) {
            for (Index entry = table_->bucket_of()[bucket]; entry != none; entry = table_->block()[entry].next) {
                const Block& head = table_->block()[entry];
                if (head.expires <= present || table_->octets(entry, 0, head.space_size) != prefix.space) continue;
                std::string key = table_->octets(entry, head.space_size, head.key_size);
                if (key.starts_with(prefix.key))
                    page.entries.push_back({std::move(key), table_->value(entry), Duration(head.expires - present)});
            }
        }
        if (bucket < table_->buckets) page.next = format_text("{}", bucket);
        return page;
    } catch (const std::exception&) { return out_of_memory(); }
}

}  // namespace smtpd::store
