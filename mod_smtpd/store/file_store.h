/// file_store.h: entries in a file on this host, an SQLite database with a write-ahead log: the back end that survives
/// restarts and kill -9.
///
/// Each process opens it for itself, when it is first needed and never before fork, with one connection that its
/// threads share. A change is one transaction, so no increment is lost between processes. A crash of the machine may
/// lose the newest changes, but never the file. Processes that share a FairProcessLock access the file in turn; without
/// it, one may wait long while another works at full speed.
///
/// A change takes some ten microseconds, so a thread that must not block can hold the store (Lane::try_hold()) if no
/// other thread, process or program uses it. It then already has the lock for a change. Only the disk can still delay
/// it, if a page of the file is not in memory; after a long delay, no thread can hold the store for the next second.
/// SQLite's checkpoints force the disk to write, so they are left to threads that may block.
///
/// A file that is damaged, or is not a store, is renamed (path.damaged-20261120-182700) and a new one is started;
/// Events reports that. When the file has reached its size, the entries that would expire soonest are removed. A full
/// disk is an Error, as is any other refusal of the system; the next operation tries again.
#pragma once

#include "store/backend.h"
#include "store/fair_lock.h"
#include "store/fair_process_lock.h"
#include "store/sqlite_file.h"
#include "support/work_pool.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace smtpd::store {

class FileStore final : public LocalBackend {
public:
    static constexpr std::uint64_t least_size = 1024 * 1024;
    static constexpr std::uint64_t default_size = 256 * 1024 * 1024;

    /// `path` is absolute, and the process can write to its directory. `size` is the maximum size of the file; the log
    /// beside it stays below 8 MB.
    FileStore(std::string path, std::uint64_t size, Duration timeout, const Clock& clock, Events& events);
    ~FileStore() override;

    /// Creates a FairProcessLock for this process and those it forks from now on; call it before start(). If there is
    /// no memory for it, the store works without.
    void share() noexcept;

    const std::string& path() const noexcept { return path_; }
    std::uint64_t size() const noexcept { return size_; }

    /// After a hold that took so long that the disk may be busy, there are no holds for `rest`.
    static constexpr std::chrono::milliseconds long_hold{10};
    static constexpr std::chrono::milliseconds rest{1000};

    support::Lane* lane() noexcept override { return &lane_; }
    void start() noexcept override { started_ = true; }
    void stop() noexcept override;
    void tick() noexcept override;
    Found get(const Item& item, Limit limit) noexcept override;
    Result<Page> list(const Item& prefix, std::size_t count, std::string_view from, Limit limit) noexcept override;

private:
    class OwnLane final : public support::Lane {
    public:
        OwnLane(FileStore& store, unsigned places) : Lane(store.path_, places), store_(store) {}
        bool try_hold() noexcept override { return store_.try_hold(); }
        void let_go() noexcept override { store_.let_go(); }

    private:
        FileStore& store_;
    };
    /// Returns SQLite's code, 0 on success.
    using Use = std::function<int(SqliteFile&)>;

    Result<void> change(const Item& item, const Decide& decide, Limit limit) noexcept override;
    Result<void> use(Limit limit, const Use& body) noexcept;
    Result<void> use_locked(const Use& body);
    bool try_hold() noexcept;
    bool try_begin() noexcept;
    void let_go() noexcept;
    bool is_held_here() const noexcept { return holder_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
    /// Runs an operation that changes the file.
    int in_turn(const Use& body);
    int erase_until(std::int64_t time, int rows, int& erased);
    Error describe(int status) const;
    Error failed(const Error& problem);
    bool mend(int status);
    bool move_away(const std::string& why);
    void clean(int rows);
    std::int64_t now() const noexcept;

    const std::string path_;
    /// The threads of a process share one connection, so more than these would only wait for each other.
    OwnLane lane_{*this, 4};
    const std::uint64_t size_;
    const Clock& clock_;
    Events& events_;
    std::atomic<bool> started_{false};
    FairProcessLock* process_lock_ = nullptr;

    FairLock mutex_;                         ///< guards the members below; locked as long as a thread holds the store
    std::atomic<std::thread::id> holder_{};  ///< the thread that holds it; only that thread finds its own id here
    Limit held_since_{};
    Limit no_hold_before_{};
    std::unique_ptr<SqliteFile> database_;
    Limit limit_{};    ///< of the current operation
    Limit cleaned_{};  ///< when this process last cleaned up
    bool is_failing_ = false;
};

}  // namespace smtpd::store
