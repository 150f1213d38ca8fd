/// sqlite_file.cc: see sqlite_file.h. The log is never removed when a connection closes (SQLITE_FCNTL_PERSIST_WAL),
/// because SQLite would remove it by name, and could hit the log of another file that has taken this one's place.
#include "store/sqlite_file.h"

#include "support/file_descriptor.h"

#include <smtpd/base/files.h>
#include <smtpd/base/format.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include <sqlite3.h>

#include <fcntl.h>

namespace smtpd::store {
namespace {

constexpr int application_id = 0x534d5453;  // "SMTS"
constexpr int schema_version = 1;
constexpr int page_size = 4096;

/// A prepared statement, reset at the end of each use.
class Statement {
public:
    Statement() = default;
    ~Statement() { sqlite3_finalize(statement_); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    int prepare(sqlite3* database, const char* text) noexcept {
        return sqlite3_prepare_v3(database, text, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
    }
    void bind(int place, std::string_view octets) noexcept {  // must stay valid until the statement has run
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

    /// Resets the statement at the end of a scope.
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
        /// Runs a statement that returns no rows.
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

bool pause_until(Limit limit, unsigned looks) {
    const auto left = limit - std::chrono::steady_clock::now();
    if (left <= left.zero()) return false;
    const auto pause = std::chrono::microseconds(std::min(50u << std::min(looks, 6u), 2000u));
    std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(pause, left));
    return true;
}

struct SqliteFile::Statements {
    Statement begin, commit, read, write, erase, is_any_until, erase_until, list;
};

SqliteFile::SqliteFile(const Limit& limit) noexcept : limit_(limit) {}

SqliteFile::~SqliteFile() {
    statements_.reset();
    sqlite3_close(handle_);
}

bool SqliteFile::has_moved() noexcept {
    int moved = 0;
    return sqlite3_file_control(handle_, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0;
}

std::string SqliteFile::what(int status) const {
    if (!what_.empty()) return what_;
    const bool is_about_it = primary_code(sqlite3_errcode(handle_)) == primary_code(status);
    std::string text = is_about_it ? sqlite3_errmsg(handle_) : sqlite3_errstr(status);
    if (const int os_status = this->os_status(status); os_status != 0)
        text += " (" + support::os_message(os_status) + ")";
    return text;
}

int SqliteFile::os_status(int status) const noexcept {
    const int code = primary_code(status);
    const bool is_the_systems = code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_FULL;
    return is_the_systems ? sqlite3_system_errno(handle_) : 0;
}

int SqliteFile::begin() noexcept { return has_begun() ? SQLITE_OK : statements_->begin.use().run(); }

bool SqliteFile::has_begun() const noexcept { return sqlite3_get_autocommit(handle_) == 0; }

int SqliteFile::commit() noexcept { return statements_->commit.use().run(); }

void SqliteFile::roll_back() noexcept {
    if (has_begun()) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

void SqliteFile::shorten_log() noexcept {
    sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

int SqliteFile::execute(const char* text) noexcept { return sqlite3_exec(handle_, text, nullptr, nullptr, nullptr); }

int SqliteFile::foreign(std::string why) {
    what_ = std::move(why);
    return SQLITE_NOTADB;
}

/// Called after each change.
int SqliteFile::record_log(void* self, sqlite3*, const char*, int pages) noexcept {
    static_cast<SqliteFile*>(self)->log_pages_ = pages;
    return SQLITE_OK;
}

int SqliteFile::wait(void* self, int looks) noexcept {
    return pause_until(static_cast<SqliteFile*>(self)->limit_, static_cast<unsigned>(looks)) ? 1 : 0;
}

/// Only the owner may read the file, because it contains mail addresses. SQLite gives its log the same permissions.
int SqliteFile::open(const std::string& path, std::uint64_t size) {
    {  // closed before SQLite has the file: closing any descriptor of a file gives up all locks that the process
       // has on it (fcntl(2))
        const support::FileDescriptor made(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    }
    if (const int status = sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                                           nullptr);
        status != SQLITE_OK)
        return status;
    sqlite3_extended_result_codes(handle_, 1);
    sqlite3_busy_handler(handle_, wait, this);
    sqlite3_wal_hook(handle_, record_log, this);  // replaces the hook that makes checkpoints
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
    // On SQLITE_ERROR, its tables are not as they should be.
    return primary_code(status) == SQLITE_ERROR ? foreign(sqlite3_errmsg(handle_)) : status;
}

/// An empty file is as good as none. Any other file must be ours.
int SqliteFile::check_kind() {
    sqlite3_stmt* statement = nullptr;
    int status = sqlite3_prepare_v2(handle_, "SELECT count(*) FROM sqlite_schema", -1, &statement, nullptr);
    if (status == SQLITE_OK) status = sqlite3_step(statement);
    const std::int64_t tables = status == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    if (status != SQLITE_ROW) return status;
    if (tables == 0) return SQLITE_OK;
    if (pragma("PRAGMA application_id") != application_id) return foreign("it is the database of another program");
    if (pragma("PRAGMA user_version") != schema_version) return foreign("it was made by another version");
    return SQLITE_OK;
}

/// SQLite does not wait by itself for another process that changes the mode.
int SqliteFile::use_log() {
    for (unsigned looks = 0;; ++looks) {
        sqlite3_stmt* statement = nullptr;
        int status = sqlite3_prepare_v2(handle_, "PRAGMA journal_mode=WAL", -1, &statement, nullptr);
        if (status == SQLITE_OK) status = sqlite3_step(statement);
        const bool is_set = status == SQLITE_ROW &&
                            std::string_view(reinterpret_cast<const char*>(sqlite3_column_text(statement, 0))) == "wal";
        sqlite3_finalize(statement);
        if (is_set) return SQLITE_OK;
        if (status == SQLITE_ROW) {
            what_ = "this file system does not let several processes share memory (is it a network file system?)";
            return SQLITE_CANTOPEN;
        }
        if (primary_code(status) != SQLITE_BUSY || !pause_until(limit_, looks)) return status;
    }
}

int SqliteFile::make_schema() {
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

int SqliteFile::prepare() {
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

std::int64_t SqliteFile::pragma(const char* text) {
    sqlite3_stmt* statement = nullptr;
    std::int64_t value = -1;
    if (sqlite3_prepare_v2(handle_, text, -1, &statement, nullptr) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

int SqliteFile::read(const Item& item, std::optional<Row>& row) {
    auto statement = statements_->read.use();
    statement->bind(1, item.space);
    statement->bind(2, item.key);
    const int status = statement->step();
    if (status == SQLITE_ROW) row = Row{statement->octets(0), statement->number(1)};
    return status == SQLITE_ROW || status == SQLITE_DONE ? SQLITE_OK : status;
}

int SqliteFile::write(const Item& item, const Row& row) noexcept {
    auto statement = statements_->write.use();
    statement->bind(1, item.space);
    statement->bind(2, item.key);
    statement->bind(3, row.value);
    statement->bind(4, row.expires);
    return statement.run();
}

int SqliteFile::erase(const Item& item) noexcept {
    auto statement = statements_->erase.use();
    statement->bind(1, item.space);
    statement->bind(2, item.key);
    return statement.run();
}

int SqliteFile::erase_until(std::int64_t time, int rows, int& erased) noexcept {
    erased = 0;
    {
        auto any = statements_->is_any_until.use();  // looking does not delay others
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

int SqliteFile::list(const Item& prefix, std::size_t count, std::string_view from, std::int64_t present,
                     Backend::Page& page) {
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

}  // namespace smtpd::store
