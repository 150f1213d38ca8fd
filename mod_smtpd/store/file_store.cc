/// file_store.cc: the store in an SQLite database.
///
/// Two things are done so that a file can be set aside while other processes still have it open. The log is never
/// removed when a connection closes (SQLITE_FCNTL_PERSIST_WAL), because that would go by name and hit the new file's.
/// And a lock on the directory is held, shared, while a database is being opened, until its log is open too, and alone
/// while one is set aside. Whoever has the old file notices within a second or so.
#include "store/file_store.h"

#include "support/file_descriptor.h"

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

constexpr int application_id = 0x534d5453;  // "SMTS"
constexpr int schema_version = 1;
constexpr int page_size = 4096;
constexpr int rows_per_batch = 200;
constexpr int rows_beside_work = 100;
constexpr auto clean_interval = std::chrono::seconds(1);
constexpr auto clean_time = std::chrono::milliseconds(25);
constexpr int most_attempts = 5;
constexpr int long_log = 1000;  // pages

constexpr int primary(int status) noexcept { return status & 0xff; }

/// A pause between two looks at something that somebody else holds; false when there is no time for one.
bool pause_until(Limit limit, unsigned looks) {
    const auto left = limit - std::chrono::steady_clock::now();
    if (left <= left.zero()) return false;
    const auto pause = std::chrono::microseconds(std::min(50u << std::min(looks, 6u), 2000u));
    std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(pause, left));
    return true;
}

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

/// The lock on the directory, for as long as the descriptor is open.
Result<FileDescriptor> lock_folder(const std::string& path, int how, Limit limit) {
    const std::string folder = folder_of(path);
    FileDescriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!descriptor) return os_error("cannot open " + folder, errno);
    for (unsigned looks = 0; ::flock(descriptor.get(), how | LOCK_NB) != 0; ++looks) {
        if (errno != EWOULDBLOCK && errno != EINTR) return os_error("cannot lock " + folder, errno);
        if (!pause_until(limit, looks)) return timed_out("waiting for the lock on " + folder);
    }
    return descriptor;
}

/// A prepared statement, ready to be run again at the end of each use.
class Statement {
public:
    Statement() = default;
    ~Statement() { sqlite3_finalize(statement_); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    int prepare(sqlite3* database, const char* text) noexcept {
        return sqlite3_prepare_v3(database, text, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
    }
    void bind(int place, std::string_view octets) noexcept {  // which stay where they are until the statement has run
        sqlite3_bind_blob64(statement_, place, octets.empty() ? "" : octets.data(), octets.size(), SQLITE_STATIC);
    }
    void bind(int place, std::int64_t number) noexcept { sqlite3_bind_int64(statement_, place, number); }
    int step() noexcept { return sqlite3_step(statement_); }
    std::string octets(int column) const {
        const auto* const data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
        return data == nullptr ? std::string()
                               : std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
    }
    std::int64_t number(int column) const noexcept { return sqlite3_column_int64(statement_, column); }

    /// Resets it at the end of a scope.
    class Use {
    public:
        explicit Use(Statement& statement) noexcept : statement_(statement) {}
        ~Use() {
            sqlite3_reset(statement_.statement_);
            sqlite3_clear_bindings(statement_.statement_);
        }
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;
        Statement* operator->() noexcept { return &statement_; }
        /// Runs one that gives no rows.
        int run() noexcept {
            const int status = statement_.step();
            return status == SQLITE_DONE || status == SQLITE_ROW ? SQLITE_OK : status;
        }

    private:
        Statement& statement_;
    };
    Use use() noexcept { return Use(*this); }

private:
    sqlite3_stmt* statement_ = nullptr;
};

}  // namespace

/// One connection to the file. Methods give SQLite's codes.
class FileStore::Database {
public:
    struct Row {
        std::string value;
        std::int64_t expires = 0;
    };

    /// `limit` is looked at whenever somebody else holds the database.
    explicit Database(const Limit& limit) noexcept : limit_(limit) {}
    ~Database() {
        statements_.reset();
        sqlite3_close(handle_);
    }

    int open(const std::string& path, std::uint64_t size);
    /// Whether it was opened by this process. SQLite's locks are the process's, so that of another one must not even be
    /// closed.
    bool is_ours() const noexcept { return process_ == ::getpid(); }
    /// Whether the file has gone, or another one stands in its place.
    bool has_moved() noexcept {
        int moved = 0;
        return sqlite3_file_control(handle_, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0;
    }
    bool is_full() { return pragma("PRAGMA page_count") >= most_pages_; }
    /// "database disk image is malformed", about an operation that ended with `status`; with what the system said, if
    /// it said something. By then SQLite's own text may be about what was done after the failure: "not an error".
    std::string what(int status) const {
        if (!what_.empty()) return what_;
        const bool is_about_it = primary(sqlite3_errcode(handle_)) == primary(status);
        std::string text = is_about_it ? sqlite3_errmsg(handle_) : sqlite3_errstr(status);
        if (const int os_status = this->os_status(status); os_status != 0)
            text += " (" + support::os_message(os_status) + ")";
        return text;
    }
    int os_status(int status) const noexcept {
        const int code = primary(status);
        return code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_FULL ? sqlite3_system_errno(handle_)
                                                                                      : 0;
    }

    /// A thread that holds the store has begun already.
    int begin() noexcept { return has_begun() ? SQLITE_OK : statements_->begin.use().run(); }
    bool has_begun() const noexcept { return sqlite3_get_autocommit(handle_) == 0; }
    int commit() noexcept { return statements_->commit.use().run(); }
    void roll_back() noexcept {
        if (has_begun()) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
    }

    /// Whether the log has so many pages that they should go to the file. That forces the disk to write twice, and the
    /// next change, which begins a new log, once more.
    bool is_log_long() const noexcept { return log_pages_ >= long_log; }
    void shorten_log() noexcept {
        sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    }

    int read(const Item& item, std::optional<Row>& row);
    int write(const Item& item, const Row& row) noexcept;
    int erase(const Item& item) noexcept;
    /// Removes entries that expire up to that time, the first ones first.
    int erase_until(std::int64_t time, int rows, int& erased) noexcept;
    int list(const Item& prefix, std::size_t count, std::string_view from, std::int64_t present, Page& page);

private:
    struct Statements {
        Statement begin, commit, read, write, erase, is_any_until, erase_until, list;
    };

    int execute(const char* text) noexcept { return sqlite3_exec(handle_, text, nullptr, nullptr, nullptr); }
    std::int64_t pragma(const char* text);
    int use_log();
    int check_kind();
    int make_schema();
    int prepare();
    int foreign(std::string why) {
        what_ = std::move(why);
        return SQLITE_NOTADB;
    }
    /// Called after each change.
    static int note_log(void* self, sqlite3*, const char*, int pages) noexcept {
        static_cast<Database*>(self)->log_pages_ = pages;
        return SQLITE_OK;
    }
    static int wait(void* self, int looks) noexcept {
        return pause_until(static_cast<Database*>(self)->limit_, static_cast<unsigned>(looks)) ? 1 : 0;
    }

    const Limit& limit_;
    const pid_t process_ = ::getpid();
    sqlite3* handle_ = nullptr;
    std::unique_ptr<Statements> statements_;
    std::int64_t most_pages_ = 0;
    int log_pages_ = 0;
    std::string what_;
};

/// For others than the owner there is nothing to read: mail addresses are in it. SQLite gives its log the same rights.
int FileStore::Database::open(const std::string& path, std::uint64_t size) {
    {  // closed before SQLite has the file: whoever closes any descriptor of a file gives up all locks that the process
       // has on it (fcntl(2))
        const support::FileDescriptor made(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    }
    if (const int status = sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                                           nullptr);
        status != SQLITE_OK)
        return status;
    sqlite3_extended_result_codes(handle_, 1);
    sqlite3_busy_handler(handle_, wait, this);
    sqlite3_wal_hook(handle_, note_log, this);  // in place of the one that makes checkpoints
    int persists = 1;
    sqlite3_file_control(handle_, "main", SQLITE_FCNTL_PERSIST_WAL, &persists);
    most_pages_ = static_cast<std::int64_t>(size / page_size);
    const std::string pragmas = format_text(
        "PRAGMA max_page_count={}; PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=4194304; PRAGMA "
        "cache_size=-1024;"
        "PRAGMA cell_size_check=ON; PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY",
        most_pages_);
    int status = execute(format_text("PRAGMA page_size={}", page_size).c_str());
    if (status == SQLITE_OK) status = check_kind();
    if (status == SQLITE_OK) status = use_log();
    if (status == SQLITE_OK) status = execute(pragmas.c_str());
    if (status == SQLITE_OK) status = make_schema();
    if (status == SQLITE_OK) status = prepare();
    return primary(status) == SQLITE_ERROR ? foreign(sqlite3_errmsg(handle_)) : status;  // its tables are not what they
                                                                                         // should be
}

/// An empty file is as good as none. Everything else has to be ours.
int FileStore::Database::check_kind() {
    sqlite3_stmt* statement = nullptr;
    int status = sqlite3_prepare_v2(handle_, "SELECT count(*) FROM sqlite_schema", -1, &statement, nullptr);
    if (status == SQLITE_OK) status = sqlite3_step(statement);
    const std::int64_t tables = status == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    if (status != SQLITE_ROW) return status;
    if (tables == 0) return SQLITE_OK;
    if (pragma("PRAGMA application_id") != application_id) return foreign("it is a database of something else");
    if (pragma("PRAGMA user_version") != schema_version) return foreign("it was made by another version");
    return SQLITE_OK;
}

/// SQLite does not wait by itself for whoever else changes the mode.
int FileStore::Database::use_log() {
    for (unsigned looks = 0;; ++looks) {
        sqlite3_stmt* statement = nullptr;
        int status = sqlite3_prepare_v2(handle_, "PRAGMA journal_mode=WAL", -1, &statement, nullptr);
        if (status == SQLITE_OK) status = sqlite3_step(statement);
        const bool is_set = status == SQLITE_ROW &&
                            std::string_view(reinterpret_cast<const char*>(sqlite3_column_text(statement, 0))) == "wal";
        sqlite3_finalize(statement);
        if (is_set) return SQLITE_OK;
        if (status == SQLITE_ROW) {
            what_ = "this file system does not let several processes share memory (is it a network's?)";
            return SQLITE_CANTOPEN;
        }
        if (primary(status) != SQLITE_BUSY || !pause_until(limit_, looks)) return status;
    }
}

int FileStore::Database::make_schema() {
    int status = execute("BEGIN IMMEDIATE");
    if (status == SQLITE_OK) status = check_kind();
    if (status == SQLITE_OK)
        status = execute(format_text("CREATE TABLE IF NOT EXISTS entries (space BLOB NOT NULL, key BLOB NOT NULL, "
                                     "value BLOB NOT NULL, expires INTEGER NOT NULL,"
                                     "PRIMARY KEY (space, key)) WITHOUT ROWID;"
                                     "CREATE INDEX IF NOT EXISTS entries_by_expiry ON entries (expires);"
                                     "PRAGMA application_id={}; PRAGMA user_version={}; COMMIT",
                                     application_id, schema_version)
                             .c_str());
    if (status != SQLITE_OK) roll_back();
    return status;
}

int FileStore::Database::prepare() {
    statements_ = std::make_unique<Statements>();
    const std::pair<Statement*, const char*> all[] = {
        {&statements_->begin, "BEGIN IMMEDIATE"},
        {&statements_->commit, "COMMIT"},
        {&statements_->read, "SELECT value, expires FROM entries WHERE space = ?1 AND key = ?2"},
        {&statements_->write, "INSERT OR REPLACE INTO entries VALUES (?1, ?2, ?3, ?4)"},
        {&statements_->erase, "DELETE FROM entries WHERE space = ?1 AND key = ?2"},
        {&statements_->is_any_until, "SELECT 1 FROM entries WHERE expires <= ?1 LIMIT 1"},
        {&statements_->erase_until,
         "DELETE FROM entries WHERE (space, key) IN (SELECT space, key FROM entries WHERE expires <= ?1 ORDER BY "
         "expires LIMIT ?2)"},
        {&statements_->list,
         "SELECT key, value, expires FROM entries WHERE space = ?1 AND key >= ?2 AND key > ?3 AND expires > ?4 ORDER "
         "BY key LIMIT ?5"},
    };
    for (const auto& [statement, text] : all)
        if (const int status = statement->prepare(handle_, text); status != SQLITE_OK) return status;
    return SQLITE_OK;
}

std::int64_t FileStore::Database::pragma(const char* text) {
    sqlite3_stmt* statement = nullptr;
    std::int64_t value = -1;
    if (sqlite3_prepare_v2(handle_, text, -1, &statement, nullptr) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

int FileStore::Database::read(const Item& item, std::optional<Row>& row) {
    auto statement = statements_->read.use();
    statement->bind(1, item.space);
    statement->bind(2, item.key);
    const int status = statement->step();
    if (status == SQLITE_ROW) row = Row{statement->octets(0), statement->number(1)};
    return status == SQLITE_ROW || status == SQLITE_DONE ? SQLITE_OK : status;
}

int FileStore::Database::write(const Item& item, const Row& row) noexcept {
    auto statement = statements_->write.use();
    statement->bind(1, item.space);
    statement->bind(2, item.key);
    statement->bind(3, row.value);
    statement->bind(4, row.expires);
    return statement.run();
}

int FileStore::Database::erase(const Item& item) noexcept {
    auto statement = statements_->erase.use();
    statement->bind(1, item.space);
    statement->bind(2, item.key);
    return statement.run();
}

int FileStore::Database::erase_until(std::int64_t time, int rows, int& erased) noexcept {
    erased = 0;
    {
        auto any = statements_->is_any_until.use();  // a look costs nobody else anything
        any->bind(1, time);
        if (const int status = any->step(); status != SQLITE_ROW) return status == SQLITE_DONE ? SQLITE_OK : status;
    }
    auto statement = statements_->erase_until.use();
    statement->bind(1, time);
    statement->bind(2, std::int64_t(rows));
    const int status = statement.run();
    if (status == SQLITE_OK) erased = sqlite3_changes(handle_);
    return status;
}

int FileStore::Database::list(const Item& prefix, std::size_t count, std::string_view from, std::int64_t present,
                              Page& page) {
    auto statement = statements_->list.use();
    statement->bind(1, prefix.space);
    statement->bind(2, prefix.key);
    statement->bind(3, from);
    statement->bind(4, present);
    statement->bind(5, static_cast<std::int64_t>(count));
    int status = SQLITE_OK;
    while ((status = statement->step()) == SQLITE_ROW) {
        std::string key = statement->octets(0);
        if (!key.starts_with(prefix.key)) return SQLITE_OK;
        page.entries.push_back({std::move(key), statement->octets(1), Duration(statement->number(2) - present)});
    }
    if (status == SQLITE_DONE && page.entries.size() == count) page.next = page.entries.back().key;
    return status == SQLITE_DONE ? SQLITE_OK : status;
}

// --- the back end ---

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

/// Runs `body` with the database open. What can be mended is mended, and it is run again.
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
            database_ = std::make_unique<Database>(limit_);
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

/// With the turn and the lock for a change in hand, an operation waits for nobody.
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

/// What was changed is committed already.
void FileStore::let_go() noexcept {
    if (database_ && database_->has_begun() && database_->commit() != SQLITE_OK) database_->roll_back();
    if (process_lock_ != nullptr) process_lock_->unlock();
    const auto now = std::chrono::steady_clock::now();
    if (now - held_since_ > long_hold) no_hold_before_ = now + rest;
    holder_ = std::thread::id();
    mutex_.unlock();
}

int FileStore::erase_until(std::int64_t time, int rows, int& erased) {
    return in_turn([&](Database& database) { return database.erase_until(time, rows, erased); });
}

Error FileStore::describe(int status) const {
    const int code = primary(status);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED || code == SQLITE_PROTOCOL)
        return timed_out(format_text("waiting for other processes at the store {}", path_));
    Error problem{ErrorCode::io, format_text("the store {} cannot be used: {}", path_, database_->what(status)),
                  database_->os_status(status)};
    if (code == SQLITE_FULL || problem.os_status == ENOSPC || problem.os_status == EDQUOT)
        problem.code = ErrorCode::no_space;
    return problem;
}

/// A connection that met anything but a busy database is not used again; the first such failure is told.
Error FileStore::failed(const Error& problem) {
    if (problem.code == ErrorCode::timeout) return problem;
    database_.reset();
    if (!std::exchange(is_failing_, true)) events_.unreachable(problem.what);
    return problem;
}

/// True if it is worth another attempt.
bool FileStore::mend(int status) {
    switch (primary(status)) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return set_aside(database_->what(status));
        case SQLITE_FULL: {
            int erased = 0;
            if (!database_->is_full()) return false;  // it is the disk's fault
            return erase_until(std::numeric_limits<std::int64_t>::max(), rows_per_batch, erased) == SQLITE_OK &&
                   erased > 0;
        }
        case SQLITE_READONLY:
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
            if (!database_->has_moved()) return false;
            [[fallthrough]];
        case SQLITE_ERROR:  // the next opening tells
            database_.reset();
            return true;
        default: return false;
    }
}

/// Gives the file another name, unless somebody else has done so already.
bool FileStore::set_aside(const std::string& why) {
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
            events_.unreachable(format_text("the store {} is damaged ({}) and cannot be set aside: {}", path_, why,
                                            support::os_message(errno)));
        return false;
    }
    events_.damaged(
        format_text("the store {} was damaged ({}) and is now {}; an empty one takes its place", path_, why, name));
    return true;
}

Backend::Found FileStore::get(const Item& item, Limit limit) noexcept {
    std::optional<Database::Row> row;
    const auto done = use(limit, [&](Database& database) {
        row.reset();
        return database.read(item, row);
    });
    if (!done) return done.error();
    if (!row || row->expires <= now()) return std::optional<std::string>();
    return std::optional(std::move(row->value));
}

Result<void> FileStore::change(const Item& item, const Decide& decide, Limit limit) noexcept {
    const Use body = [&](Database& database) {
        int status = database.begin();
        std::optional<Database::Row> row;
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
    return use(limit, [&](Database&) { return in_turn(body); });
}

Result<Backend::Page> FileStore::list(const Item& prefix, std::size_t count, std::string_view from,
                                      Limit limit) noexcept {
    Page page;
    const std::int64_t present = now();
    const auto done = use(limit, [&](Database& database) {
        page = {};
        return database.list(prefix, count, from, present, page);
    });
    if (!done) return done.error();
    return page;
}

/// Beside the work: a few rows, and a look whether the file is still the one of that name.
void FileStore::clean(int rows) {
    cleaned_ = std::chrono::steady_clock::now();
    if (database_->has_moved()) return database_.reset();
    int erased = 0;
    const int status = erase_until(now(), rows, erased);
    if (status == SQLITE_OK) return;
    database_->roll_back();
    mend(status);
}

/// In batches, between which others get their turn.
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
            if (!use_locked([&](Database&) { return erase_until(now(), rows_per_batch, erased); })) return;
        }
    } catch (const std::exception&) {  // no memory: the next second
    }
}

}  // namespace smtpd::store
