/// sqlite_file.h: one connection to the SQLite database in which FileStore keeps entries.
///
/// Methods return SQLite's codes. Used by one thread at a time.
#pragma once

#include "store/backend.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>
#include <unistd.h>

struct sqlite3;

namespace smtpd::store {

/// SQLite's primary result code: SQLITE_IOERR for SQLITE_IOERR_WRITE.
constexpr int primary_code(int status) noexcept { return status & 0xff; }

/// Sleeps before the next attempt at something that another process holds: 50 µs at first, 2 ms later. False if `limit`
/// has passed.
bool pause_until(Limit limit, unsigned looks);

/// One connection to the file.
class SqliteFile {
public:
    struct Row {
        std::string value;
        std::int64_t expires = 0;
    };

    /// Observes `limit` while another process holds the database.
    explicit SqliteFile(const Limit& limit) noexcept;
    ~SqliteFile();
    SqliteFile(const SqliteFile&) = delete;
    SqliteFile& operator=(const SqliteFile&) = delete;

    int open(const std::string& path, std::uint64_t size);
    /// Whether this process opened it. SQLite's locks belong to the process, so another process's connection must not
    /// even be closed.
    bool is_ours() const noexcept { return process_ == ::getpid(); }
    /// Whether the file has disappeared, or another one has taken its place.
    bool has_moved() noexcept;
    bool is_full() { return pragma("PRAGMA page_count") >= most_pages_; }
    /// "database disk image is malformed", about an operation that ended with `status`, with the system's error if
    /// there was one. SQLite's own text may by then be about a later call: "not an error".
    std::string what(int status) const;
    int os_status(int status) const noexcept;

    /// A thread that holds the store has already begun.
    int begin() noexcept;
    bool has_begun() const noexcept;
    int commit() noexcept;
    void roll_back() noexcept;

    /// Whether the log has so many pages that they should be written to the file. That forces the disk to write twice,
    /// and the next change, which starts a new log, once more.
    bool is_log_long() const noexcept { return log_pages_ >= long_log; }
    void shorten_log() noexcept;

    int read(const Item& item, std::optional<Row>& row);
    int write(const Item& item, const Row& row) noexcept;
    int erase(const Item& item) noexcept;
    /// Removes entries that expire up to that time, the earliest ones first.
    int erase_until(std::int64_t time, int rows, int& erased) noexcept;
    int list(const Item& prefix, std::size_t count, std::string_view from, std::int64_t present, Backend::Page& page);

private:
    struct Statements;
    static constexpr int long_log = 1000;  ///< pages

    int execute(const char* text) noexcept;
    std::int64_t pragma(const char* text);
    int use_log();
    int check_kind();
    int make_schema();
    int prepare();
    int foreign(std::string why);
    static int record_log(void* self, sqlite3*, const char*, int pages) noexcept;
    static int wait(void* self, int looks) noexcept;

    const Limit& limit_;
    const pid_t process_ = ::getpid();
    sqlite3* handle_ = nullptr;
    std::unique_ptr<Statements> statements_;
    std::int64_t most_pages_ = 0;
    int log_pages_ = 0;  ///< after the last change
    std::string what_;
};

}  // namespace smtpd::store
