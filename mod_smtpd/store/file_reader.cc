#include "store/file_reader.h"

#include "support/strings.h"

#include <smtpd/base/files.h>
#include <smtpd/base/format.h>

#include <cerrno>
#include <exception>

#include <sqlite3.h>

#include <sys/stat.h>
#include <unistd.h>

namespace smtpd::store {
namespace {

bool is_empty(const std::string& path) {
    struct stat about {};
    return ::stat(path.c_str(), &about) != 0 || about.st_size == 0;
}

/// "file:" and the path, with characters that are special in a URI written as %XX.
std::string uri_of(const std::string& path) {
    std::string uri = "file:";
    for (const char c : path) {
        if (c == '?' || c == '#' || c == '%') uri += format_text("%{}", c == '?' ? "3f" : c == '#' ? "23" : "25");
        else uri += c;
    }
    if (is_empty(path + "-wal")) return uri + "?mode=ro&immutable=1";
    return uri + (is_empty(path + "-shm") ? "?mode=ro" : "?mode=ro&readonly_shm=1");
}

}  // namespace

/// One statement, run once.
class FileReader::Query {
public:
    Query(sqlite3* handle, const char* text) { sqlite3_prepare_v2(handle, text, -1, &statement_, nullptr); }
    ~Query() { sqlite3_finalize(statement_); }
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;
    void bind(int place, std::string_view octets) noexcept {
        sqlite3_bind_blob64(statement_, place, octets.empty() ? "" : octets.data(), octets.size(), SQLITE_STATIC);
    }
    void bind(int place, std::int64_t number) noexcept { sqlite3_bind_int64(statement_, place, number); }
    int step() noexcept { return statement_ ? sqlite3_step(statement_) : SQLITE_ERROR; }
    std::string octets(int column) const {
        const auto* const data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
        return data ? std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
                    : std::string();
    }
    std::int64_t number(int column) const noexcept { return sqlite3_column_int64(statement_, column); }

private:
    sqlite3_stmt* statement_ = nullptr;
};

void FileReader::stop() noexcept {
    sqlite3_close(handle_);
    handle_ = nullptr;
}

std::int64_t FileReader::now() const noexcept {
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.wall().time_since_epoch()).count();
}

Error FileReader::failed() const {
    return {ErrorCode::io, format_text("the store {} cannot be read: {}", path_, sqlite3_errmsg(handle_)), 0};
}

Result<bool> FileReader::open(Limit limit) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(limit - std::chrono::steady_clock::now()).count();
    if (!handle_) {
        if (::access(path_.c_str(), R_OK) != 0) {
            if (errno == ENOENT || errno == ENOTDIR) return false;
            return os_error("the store " + path_ + " cannot be read", errno);
        }
        if (is_empty(path_)) return false;
        const std::string uri = uri_of(path_);
        if (sqlite3_open_v2(uri.c_str(), &handle_, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
                            nullptr) != SQLITE_OK) {
            Error problem = failed();
            stop();
            return problem;
        }
    }
    sqlite3_busy_timeout(handle_, static_cast<int>(std::max<std::int64_t>(left, 1)));
    return true;
}

Result<std::optional<SeenEntry>> FileReader::get(const Item& item, Limit limit) noexcept {
    try {
        const auto is_open = open(limit);
        if (!is_open) return is_open.error();
        if (!*is_open) return std::optional<SeenEntry>();
        Query query(handle_, "SELECT value, expires FROM entries WHERE space = ?1 AND key = ?2 AND expires > ?3");
        query.bind(1, item.space);
        query.bind(2, item.key);
        const std::int64_t present = now();
        query.bind(3, present);
        const int status = query.step();
        if (status == SQLITE_ROW) return std::optional(SeenEntry{query.octets(0), Duration(query.number(1) - present)});
        if (status == SQLITE_DONE) return std::optional<SeenEntry>();
        return failed();
    } catch (const std::exception&) { return out_of_memory(); }
}

Result<Backend::Page> FileReader::list(const Item& prefix, std::size_t count, std::string_view from,
                                       Limit limit) noexcept {
    try {
        const auto is_open = open(limit);
        if (!is_open) return is_open.error();
        Backend::Page page;
        if (!*is_open) return page;
        Query query(handle_,
                    "SELECT key, value, expires FROM entries WHERE space = ?1 AND key >= ?2 AND key > ?3 AND expires > "
                    "?4 ORDER BY key LIMIT ?5");
        const std::int64_t present = now();
        query.bind(1, prefix.space);
        query.bind(2, prefix.key);
        query.bind(3, from);
        query.bind(4, present);
        query.bind(5, static_cast<std::int64_t>(count));
        int status = SQLITE_OK;
        while ((status = query.step()) == SQLITE_ROW) {
            std::string key = query.octets(0);
            if (!key.starts_with(prefix.key)) return page;
            page.entries.push_back({std::move(key), query.octets(1), Duration(query.number(2) - present)});
        }
        if (status != SQLITE_DONE) return failed();
        if (page.entries.size() == count) page.next = page.entries.back().key;
        return page;
    } catch (const std::exception&) { return out_of_memory(); }
}

Result<std::vector<SpaceSize>> FileReader::spaces(Limit limit) noexcept {
    try {
        const auto is_open = open(limit);
        if (!is_open) return is_open.error();
        std::vector<SpaceSize> found;
        if (!*is_open) return found;
        Query query(handle_, "SELECT space, COUNT(*) FROM entries WHERE expires > ?1 GROUP BY space ORDER BY space");
        query.bind(1, now());
        int status = SQLITE_OK;
        while ((status = query.step()) == SQLITE_ROW)
            found.push_back({query.octets(0), static_cast<std::uint64_t>(query.number(1))});
        if (status != SQLITE_DONE) return failed();
        return found;
    } catch (const std::exception&) { return out_of_memory(); }
}

}  // namespace smtpd::store
