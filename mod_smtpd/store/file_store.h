/// file_store.h: entries in a file of this host, an SQLite database with a write-ahead log: the back end that survives restarts and kill -9.
///
/// Each process opens it for itself, when it is first needed and never before fork, with one connection that its threads share. A change is one
/// transaction, so no increment is lost between processes. A crash of the machine may take the newest changes, never the file. Processes that share a
/// turnstile get at the file in turn; without it, one may wait for long while another works at full speed.
///
/// A file that is damaged, or is no store, is set aside under another name (path.damaged-20261120-182700) and a new one is begun; that is told to
/// Events. When the file has reached its size, the entries that would expire soonest go. A full disk is an Error, and so is everything else that
/// the system refuses; the next operation tries again.
#pragma once

#include "store/backend.h"
#include "store/fair_lock.h"
#include "store/turnstile.h"
#include "support/work_pool.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace smtpd::store {

class FileStore final : public LocalBackend {
public:
    static constexpr std::uint64_t least_size = 1024 * 1024;
    static constexpr std::uint64_t default_size = 256 * 1024 * 1024;

    /// `path` is absolute, its directory writable for the process. `size` is the most that the file grows to; the log beside it stays below 8 MB.
    FileStore(std::string path, std::uint64_t size, Duration timeout, const Clock& clock, Events& events);
    ~FileStore() override;

    /// Makes a turnstile for this process and those it forks from now on; before start(). Where there is no memory for it, all works without.
    void share() noexcept;

    const std::string& path() const noexcept { return path_; }
    std::uint64_t size() const noexcept { return size_; }

    support::Lane* lane() noexcept override { return &lane_; }
    void start() noexcept override { started_ = true; }
    void stop() noexcept override;
    void tick() noexcept override;
    Found get(const Item& item, Limit limit) noexcept override;
    Result<Page> list(const Item& prefix, std::size_t count, std::string_view from, Limit limit) noexcept override;

private:
    class Database;
    /// Gives SQLite's code, 0 where all is well.
    using Use = std::function<int(Database&)>;

    Result<void> change(const Item& item, const Decide& decide, Limit limit) noexcept override;
    Result<void> use(Limit limit, const Use& body) noexcept;
    Result<void> use_locked(const Use& body);
    /// What changes the file.
    int in_turn(const Use& body);
    int erase_until(std::int64_t time, int rows, int& erased);
    Error describe(int status) const;
    Error failed(const Error& problem);
    bool mend(int status);
    bool set_aside(const std::string& why);
    void clean(int rows);
    std::int64_t now() const noexcept;

    const std::string path_;
    /// The threads of a process share one connection, so that more than these would only wait for each other.
    support::Lane lane_{path_, 4};
    const std::uint64_t size_;
    const Clock& clock_;
    Events& events_;
    std::atomic<bool> started_{false};
    Turnstile* turnstile_ = nullptr;

    FairLock mutex_;  ///< guards what follows
    std::unique_ptr<Database> database_;
    Limit limit_{};           ///< of the operation at work
    Limit cleaned_{};         ///< when that was last done here
    bool is_failing_ = false;
};

}  // namespace smtpd::store
