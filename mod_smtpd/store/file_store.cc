/// file_store.cc: the store in an SQLite database.
///
/// A damaged file can be renamed while other processes still have it open. A lock on the directory is held, shared,
/// while a database is opened, until its log is open too, and exclusively while one is renamed. Processes that have the
/// old file notice within about a second.
#include "store/file_store.h"

#include "support/file_descriptor.h"
#include "support/paths.h"

#include <smtpd/base/files.h>
#include <smtpd/base/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <limits>
#include <thread>
#include <vector>

#include <sqlite3.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace smtpd::store {
namespace {

constexpr int rows_per_batch = 200;
constexpr int rows_beside_work = 100;
constexpr auto clean_interval = std::chrono::seconds(1);
constexpr auto clean_time = std::chrono::milliseconds(25);
constexpr int most_attempts = 5;

/// The lock on the directory, held as long as the descriptor is open.
Result<FileDescriptor> lock_folder(const std::string& path, int how, Limit limit) {
    const std::string folder = support::folder_of(path);
    FileDescriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!descriptor) return os_error("cannot open " + folder, errno);
    for (unsigned looks = 0; ::flock(descriptor.get(), how | LOCK_NB) != 0; ++looks) {
        if (errno != EWOULDBLOCK && errno != EINTR) return os_error("cannot lock " + folder, errno);
        if (!pause_until(limit, looks)) return timed_out("waiting for the lock on " + folder);
    }
    return descriptor;
}

}  // namespace

FileStore::FileStore(std::string path, std::uint64_t size, Duration timeout, const Clock& clock, Events& events)
    : LocalBackend(timeout), path_(std::move(path)), size_(size), clock_(clock), events_(events) {}

FileStore::~FileStore() {
    stop();
    FairProcessLock::unmap(process_lock_);
}

void FileStore::share() noexcept {
    if (process_lock_ == nullptr) process_lock_ = FairProcessLock::map();
}

void FileStore::stop() noexcept {
    started_ = false;
    const std::lock_guard lock(mutex_);
    if (database_ && !database_->is_ours()) static_cast<void>(database_.release());
    database_.reset();
}

std::int64_t FileStore::now() const noexcept {
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.wall().time_since_epoch()).count();
}

/// Runs `body` with the database open. If the failure can be repaired, runs it again.
Result<void> FileStore::use(Limit limit, const Use& body) noexcept {
    try {
        if (!started_) return not_started("the store " + path_);
        if (is_held_here()) {
            limit_ = limit;
            return use_locked(body);
        }
        if (!mutex_.lock_until(limit))
            return timed_out(format_text("waiting for other threads at the store {}", path_));
        const std::lock_guard lock(mutex_, std::adopt_lock);
        limit_ = limit;
        return use_locked(body);
    } catch (const std::exception&) { return out_of_memory(); }
}

Result<void> FileStore::use_locked(const Use& body) {
    if (database_ && !database_->is_ours()) static_cast<void>(database_.release());
    for (int attempts = 1;; ++attempts) {
        int status = SQLITE_OK;
        if (!database_) {
            const auto lock = lock_folder(path_, LOCK_SH, limit_);
            if (!lock) return failed(lock.error());
            database_ = std::make_unique<SqliteFile>(limit_);
            status = database_->open(path_, size_);
        }
        if (status == SQLITE_OK) status = body(*database_);
        if (status == SQLITE_OK) break;
        const Error problem = describe(status);
        database_->roll_back();
        if (attempts == most_attempts || !mend(status)) return failed(problem);
    }
    if (std::exchange(is_failing_, false)) events_.reachable(format_text("the store {} is in use again", path_));
    if (!is_held_here() && std::chrono::steady_clock::now() - cleaned_ >= clean_interval) clean(rows_beside_work);
    return {};
}

int FileStore::in_turn(const Use& body) {
    if (is_held_here()) return body(*database_);
    const FairProcessLock::Guard guard(process_lock_, limit_);
    if (!guard) return SQLITE_BUSY;
    if (database_->is_log_long()) database_->shorten_log();  // before the change, which begins the new log
    return body(*database_);
}

/// With the turn and the lock for a change, an operation waits for nothing.
bool FileStore::try_hold() noexcept {
    if (!started_ || !mutex_.try_lock()) return false;
    if (try_begin()) {
        holder_ = std::this_thread::get_id();
        return true;
    }
    mutex_.unlock();
    return false;
}

bool FileStore::try_begin() noexcept {
    held_since_ = std::chrono::steady_clock::now();
    if (held_since_ < no_hold_before_ || !database_ || !database_->is_ours() || database_->is_log_long()) return false;
    if (process_lock_ != nullptr && !process_lock_->try_lock()) return false;
    limit_ = held_since_;
    if (database_->begin() == SQLITE_OK) return true;
    database_->roll_back();
    if (process_lock_ != nullptr) process_lock_->unlock();
    return false;
}

/// Changes were committed before.
void FileStore::let_go() noexcept {
    if (database_ && database_->has_begun() && database_->commit() != SQLITE_OK) database_->roll_back();
    if (process_lock_ != nullptr) process_lock_->unlock();
    const auto now = std::chrono::steady_clock::now();
    if (now - held_since_ > long_hold) no_hold_before_ = now + rest;
    holder_ = std::thread::id();
    mutex_.unlock();
}

int FileStore::erase_until(std::int64_t time, int rows, int& erased) {
    return in_turn([&](SqliteFile& database) { return database.erase_until(time, rows, erased); });
}

Error FileStore::describe(int status) const {
    const int code = primary_code(status);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED || code == SQLITE_PROTOCOL)
        return timed_out(format_text("waiting for other processes at the store {}", path_));
    Error problem{ErrorCode::io, format_text("the store {} cannot be used: {}", path_, database_->what(status)),
                  database_->os_status(status)};
    if (code == SQLITE_FULL || problem.os_status == ENOSPC || problem.os_status == EDQUOT)
        problem.code = ErrorCode::no_space;
    return problem;
}

/// A connection that got an error other than a busy database is not used again; the first such failure is reported.
Error FileStore::failed(const Error& problem) {
    if (problem.code == ErrorCode::timeout) return problem;
    database_.reset();
    if (!std::exchange(is_failing_, true)) events_.unreachable(problem.what);
    return problem;
}

/// Tries to repair the failure; true if another attempt is worthwhile.
bool FileStore::mend(int status) {
    switch (primary_code(status)) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return move_away(database_->what(status));
        case SQLITE_FULL: {
            int erased = 0;
            if (!database_->is_full()) return false;  // then the disk is full
            return erase_until(std::numeric_limits<std::int64_t>::max(), rows_per_batch, erased) == SQLITE_OK &&
                   erased > 0;
        }
        case SQLITE_READONLY:
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
            if (!database_->has_moved()) return false;
            [[fallthrough]];
        case SQLITE_ERROR:  // the next opening shows the cause
            database_.reset();
            return true;
        default: return false;
    }
}

/// Renames the file, unless another process has done so.
bool FileStore::move_away(const std::string& why) {
    const auto lock = lock_folder(path_, LOCK_EX, limit_);
    if (!lock) return false;
    const bool is_done = database_->has_moved();
    database_.reset();
    if (is_done) return true;
    const std::string stem = path_ + local_time(".damaged-%Y%m%d-%H%M%S", clock_.wall());
    std::string name = stem;
    for (int number = 2; ::access(name.c_str(), F_OK) == 0; ++number) name = format_text("{}-{}", stem, number);
    ::rename((path_ + "-wal").c_str(), (name + "-wal").c_str());
    ::unlink((path_ + "-shm").c_str());
    if (::rename(path_.c_str(), name.c_str()) != 0) {
        if (!std::exchange(is_failing_, true))
            events_.unreachable(format_text("the store {} is damaged ({}) and cannot be moved away: {}", path_, why,
                                            support::os_message(errno)));
        return false;
    }
    events_.damaged(
        format_text("the store {} was damaged ({}) and is now {}; an empty one takes its place", path_, why, name));
    return true;
}

Backend::Found FileStore::get(const Item& item, Limit limit) noexcept {
    std::optional<SqliteFile::Row> row;
    const auto done = use(limit, [&](SqliteFile& database) {
        row.reset();
        return database.read(item, row);
    });
    if (!done) return done.error();
    if (!row || row->expires <= now()) return std::optional<std::string>();
    return std::optional(std::move(row->value));
}

Result<void> FileStore::change(const Item& item, const Decide& decide, Limit limit) noexcept {
    const Use body = [&](SqliteFile& database) {
        int status = database.begin();
        std::optional<SqliteFile::Row> row;
        if (status == SQLITE_OK) status = database.read(item, row);
        if (status != SQLITE_OK) return status;
        const std::int64_t present = now();
        const bool is_live = row && row->expires > present;
        const Change wanted = decide(is_live ? std::optional(row->value) : std::nullopt);
        if (wanted.kind == Change::Kind::put)
            status = database.write(item, {wanted.value, wanted.lifetime || !is_live
                                                             ? present + wanted.lifetime.value_or(Duration(0)).count()
                                                             : row->expires});
        else if (wanted.kind == Change::Kind::remove) status = database.erase(item);
        return status == SQLITE_OK ? database.commit() : status;
    };
    return use(limit, [&](SqliteFile&) { return in_turn(body); });
}

Result<Backend::Page> FileStore::list(const Item& prefix, std::size_t count, std::string_view from,
                                      Limit limit) noexcept {
    Page page;
    const std::int64_t present = now();
    const auto done = use(limit, [&](SqliteFile& database) {
        page = {};
        return database.list(prefix, count, from, present, page);
    });
    if (!done) return done.error();
    return page;
}

/// Cleans up during other work: removes a few rows, and checks whether the file still has that name.
void FileStore::clean(int rows) {
    cleaned_ = std::chrono::steady_clock::now();
    if (database_->has_moved()) return database_.reset();
    int erased = 0;
    const int status = erase_until(now(), rows, erased);
    if (status == SQLITE_OK) return;
    database_->roll_back();
    mend(status);
}

/// Works in batches, between which other threads get their turn.
void FileStore::tick() noexcept {
    try {
        const auto until = std::chrono::steady_clock::now() + clean_time;
        for (int erased = rows_per_batch; erased == rows_per_batch && std::chrono::steady_clock::now() < until;) {
            if (!mutex_.lock_until(until)) return;
            const std::lock_guard lock(mutex_, std::adopt_lock);
            if (!database_ || !database_->is_ours()) return;
            limit_ = until;
            if (database_->has_moved()) return database_.reset();
            cleaned_ = std::chrono::steady_clock::now();
            if (!use_locked([&](SqliteFile&) { return erase_until(now(), rows_per_batch, erased); })) return;
        }
    } catch (const std::exception&) {  // no memory: tries again in the next second
    }
}

}  // namespace smtpd::store
