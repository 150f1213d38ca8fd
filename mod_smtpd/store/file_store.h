/// file_store.h: entries in a file of this host, an SQLite database with a write-ahead log: the back end that survives
/// restarts and kill -9.
///
/// Each process opens it for itself, when it is first needed and never before fork, with one connection that its
/// threads share. A change is one transaction, so no increment is lost between processes. A crash of the machine may
/// take the newest changes, never the file. Processes that share a FairProcessLock get at the file in turn; without it,
/// one may wait for long while another works at full speed.
///
/// A change costs some ten microseconds, so a thread that must not wait can hold the store (Lane::try_hold()) if no
/// thread, no process and no other program is there. It then has the lock for a change already. Only the disk can still
/// hold it up, where a page of the file is not in memory; where that took long, nobody can hold the store for the next
/// second. SQLite's checkpoints force the disk to write, so they are left to threads that may wait.
///
/// A file that is damaged, or is no store, is moved away to another name (path.damaged-20261120-182700) and a new one
/// is begun; that is told to Events. When the file has reached its size, the entries that would expire soonest go. A
/// full disk is an Error, and so is everything else that the system refuses; the next operation tries again.
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

    /// `path` is absolute, its directory writable for the process. `size` is the most that the file grows to; the log
    /// beside it stays below 8 MB.
    FileStore(std::string path, std::uint64_t size, Duration timeout, const Clock& clock, Events& events);
    ~FileStore() override;

    /// Makes a FairProcessLock for this process and those it forks from now on; before start(). Where there is no
    /// memory for it, all works without.
    void share() noexcept;

    const std::string& path() const noexcept { return path_; }
    std::uint64_t size() const noexcept { return size_; }

    /// A hold took so long that the disk may be busy: for `rest` there is none.
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
    /// Gives SQLite's code, 0 where all is well.
    using Use = std::function<int(SqliteFile&)>;

    Result<void> change(const Item& item, const Decide& decide, Limit limit) noexcept override;
    Result<void> use(Limit limit, const Use& body) noexcept;
    Result<void> use_locked(const Use& body);
    bool try_hold() noexcept;
    bool try_begin() noexcept;
    void let_go() noexcept;
    bool is_held_here() const noexcept { return holder_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
    /// What changes the file.
    int in_turn(const Use& body);
    int erase_until(std::int64_t time, int rows, int& erased);
    Error describe(int status) const;
    Error failed(const Error& problem);
    bool mend(int status);
    bool move_away(const std::string& why);
    void clean(int rows);
    std::int64_t now() const noexcept;

    const std::string path_;
    /// The threads of a process share one connection, so that more than these would only wait for each other.
    OwnLane lane_{*this, 4};
    const std::uint64_t size_;
    const Clock& clock_;
    Events& events_;
    std::atomic<bool> started_{false};
    FairProcessLock* process_lock_ = nullptr;

    FairLock mutex_;                         ///< guards what follows; locked as long as a thread holds the store
    std::atomic<std::thread::id> holder_{};  ///< the thread that does, which alone finds itself here
    Limit held_since_{};
    Limit no_hold_before_{};
    std::unique_ptr<SqliteFile> database_;
    Limit limit_{};    ///< of the operation at work
    Limit cleaned_{};  ///< when that was last done here
    bool is_failing_ = false;
};

}  // namespace smtpd::store
