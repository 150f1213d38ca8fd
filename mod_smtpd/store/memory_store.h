/// memory_store.h: entries in a fixed amount of shared memory: the back end for data that need not survive a restart.
///
/// The memory is a table of blocks; an entry takes one block, or several if it is long. The parent of the processes
/// maps it (map()), and every process attaches to it. A robust mutex guards it: if a process is killed while it holds
/// the mutex, the next one rebuilds the table from the blocks, so no entry is lost or truncated. If there is no room
/// left, the entries that would expire soonest are removed, expired ones first.
#pragma once

#include "store/backend.h"

#include <cstddef>
#include <cstdint>

namespace smtpd::store {

class MemoryStore : public LocalBackend {
public:
    static constexpr std::size_t least_size = 64 * 1024;
    static constexpr std::size_t greatest_size = std::size_t(64) * 1024 * 1024 * 1024;

    /// An empty table in memory that this process shares with those it forks from now on; null if there is no memory.
    static void* map(std::size_t size) noexcept;
    static void unmap(void* table) noexcept;
    /// Whether a table that an earlier configuration mapped (perhaps an earlier build of this code) can still be used.
    static bool fits(const void* table, std::size_t size) noexcept;

    MemoryStore(std::size_t size, Duration timeout, const Clock& clock)
        : LocalBackend(timeout), size_(size), clock_(clock) {}
    ~MemoryStore() override;

    std::size_t size() const noexcept { return size_; }
    /// Call it before start(). The table still belongs to the caller. Without it, start() maps a table for this
    /// process.
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
