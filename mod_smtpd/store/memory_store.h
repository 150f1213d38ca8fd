/// memory_store.h: entries in a piece of shared memory of fixed size: the back end for what need not survive a restart.
///
/// The memory is a table of blocks; an entry takes one, or several where it is long. The parent of the processes maps
/// it (map()), and every process attaches to it. A robust mutex guards it: when a process is killed with it in hand,
/// the next one builds the table anew from the blocks, so no entry is lost or halved. Where there is no room left, the
/// entries that would expire soonest go, those that have expired first of all.
#pragma once

#include "store/backend.h"

#include <cstddef>
#include <cstdint>

namespace smtpd::store {

class MemoryStore : public LocalBackend {
public:
    static constexpr std::size_t least_size = 64 * 1024;
    static constexpr std::size_t greatest_size = std::size_t(64) * 1024 * 1024 * 1024;

    /// An empty table in memory that processes forked from now on share with this one; null where there is none to be
    /// had.
    static void* map(std::size_t size) noexcept;
    static void unmap(void* table) noexcept;
    /// Whether a table that an earlier configuration (an earlier build of this code, perhaps) mapped can go on being
    /// used.
    static bool fits(const void* table, std::size_t size) noexcept;

    MemoryStore(std::size_t size, Duration timeout, const Clock& clock)
        : LocalBackend(timeout), size_(size), clock_(clock) {}
    ~MemoryStore() override;

    std::size_t size() const noexcept { return size_; }
    /// Before start(). The table stays the caller's. Without it, start() maps one for this process.
    void attach(void* table) noexcept { table_ = static_cast<Table*>(table); }

    void start() noexcept override;
    void stop() noexcept override {}
    Found get(const Item& item, Limit limit) noexcept override;
    Result<Page> list(const Item& prefix, std::size_t count, std::string_view from, Limit limit) noexcept override;

protected:
    Result<void> change(const Item& item, const Decide& decide, Limit limit) noexcept override;

private:
    struct Block;
    struct Table;
    class Lock;

    std::int64_t now() const noexcept;

    const std::size_t size_;
    const Clock& clock_;
    Table* table_ = nullptr;
    void* own_table_ = nullptr;
};

}  // namespace smtpd::store
