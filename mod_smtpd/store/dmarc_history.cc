/// dmarc_history.cc: the database of DMARC results.
#include <smtpd/store/dmarc_history.h>

#include <smtpd/base/files.h>
#include <smtpd/base/format.h>

#include <charconv>
#include <initializer_list>
#include <system_error>
#include <variant>

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

namespace smtpd {
namespace {

constexpr int wait_ms = 2000;  ///< the longest wait for other processes
constexpr int page_size = 4096;

/// Messages with the same values in the columns up to `accepted` share a row.
constexpr const char* schema = R"(
CREATE TABLE IF NOT EXISTS events (
  day INTEGER NOT NULL, domain TEXT NOT NULL, record TEXT NOT NULL, rfc7489 INTEGER NOT NULL, ip TEXT NOT NULL,
  header_from TEXT NOT NULL, envelope_from TEXT NOT NULL, disposition TEXT NOT NULL, dkim INTEGER NOT NULL,
  spf INTEGER NOT NULL, reason TEXT NOT NULL, comment TEXT NOT NULL, results TEXT NOT NULL, accepted INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (day, domain, record, rfc7489, ip, header_from, envelope_from, disposition, dkim, spf, reason, comment,
               results, accepted)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sent (day INTEGER NOT NULL, domain TEXT NOT NULL, PRIMARY KEY (day, domain)) WITHOUT ROWID;
)";

struct CloseDatabase {
    void operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }
};
struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

using Value = std::variant<std::int64_t, std::string_view>;

std::int64_t number_of(std::chrono::sys_days day) { return day.time_since_epoch().count(); }

}  // namespace

// --- lines

namespace {

/// Separates the fields of a line. No domain contains it.
constexpr char field_end = '\t';

std::string without_tabs(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c == field_end || c == '\r') c = '?';
    return out;
}

std::vector<std::string> fields_of(std::string_view line) {
    std::vector<std::string> out;
    for (;;) {
        const auto end = line.find(field_end);
        out.emplace_back(line.substr(0, end));
        if (end == line.npos) return out;
        line.remove_prefix(end + 1);
    }
}

std::optional<std::int64_t> number_in(const std::string& text) {
    std::int64_t number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc() || end != text.data() + text.size()) return {};
    return number;
}

}  // namespace

std::string DmarcEvent::to_line() const {
    std::string line;
    for (const std::string& field :
         {format_text("{}", number_of(day)), policy_domain, record, std::string(is_rfc7489 ? "1" : "0"), source_ip,
          header_from, envelope_from, disposition, std::string(is_dkim_aligned ? "1" : "0"),
          std::string(is_spf_aligned ? "1" : "0"), reason, reason_comment, results,
          std::string(is_accepted ? "1" : "0"), format_text("{}", count)}) {
        if (!line.empty()) line += field_end;
        line += without_tabs(field);
    }
    return line;
}

std::optional<DmarcEvent> DmarcEvent::from_line(std::string_view line) {
    constexpr std::size_t number_of_fields = 15;
    auto fields = fields_of(line);
    if (fields.size() != number_of_fields) return {};
    const auto day = number_in(fields[0]), count = number_in(fields[14]);
    if (!day || !count || *count < 1) return {};
    DmarcEvent event;
    event.day = std::chrono::sys_days(std::chrono::days(*day));
    event.policy_domain = std::move(fields[1]);
    event.record = std::move(fields[2]);
    event.is_rfc7489 = fields[3] == "1";
    event.source_ip = std::move(fields[4]);
    event.header_from = std::move(fields[5]);
    event.envelope_from = std::move(fields[6]);
    event.disposition = std::move(fields[7]);
    event.is_dkim_aligned = fields[8] == "1";
    event.is_spf_aligned = fields[9] == "1";
    event.reason = std::move(fields[10]);
    event.reason_comment = std::move(fields[11]);
    event.results = std::move(fields[12]);
    event.is_accepted = fields[13] == "1";
    event.count = static_cast<std::uint64_t>(*count);
    return event;
}

// --- the database

struct DmarcHistory::State {
    std::string path;
    Database database;
    bool has_begun = false;

    Error error(int status) const {
        const int code = status & 0xff;
        const ErrorCode kind = code == SQLITE_FULL   ? ErrorCode::no_space
                               : code == SQLITE_BUSY ? ErrorCode::unavailable
                                                     : ErrorCode::io;
        return {kind, format_text("{}: {}", path, database ? sqlite3_errmsg(database.get()) : sqlite3_errstr(status))};
    }

    Result<void> execute(const char* text) {
        const int status = sqlite3_exec(database.get(), text, nullptr, nullptr, nullptr);
        if (status != SQLITE_OK) return error(status);
        return {};
    }

    /// Calls `row` with each row of the result.
    template <class Row>
    Result<void> query(const char* text, std::initializer_list<Value> values, Row row) {
        sqlite3_stmt* made = nullptr;
        if (const int status = sqlite3_prepare_v2(database.get(), text, -1, &made, nullptr); status != SQLITE_OK)
            return error(status);
        const std::unique_ptr<sqlite3_stmt, Finalize> statement(made);
        int at = 0;
        for (const Value& value : values) {
            ++at;
            if (const auto* number = std::get_if<std::int64_t>(&value)) sqlite3_bind_int64(made, at, *number);
            else {
                const std::string_view bytes = std::get<std::string_view>(value);
                sqlite3_bind_text(made, at, bytes.data(), static_cast<int>(bytes.size()), SQLITE_TRANSIENT);
            }
        }
        int status = SQLITE_ROW;
        while ((status = sqlite3_step(made)) == SQLITE_ROW) row(made);
        if (status != SQLITE_DONE) return error(status);
        return {};
    }
    Result<void> change(const char* text, std::initializer_list<Value> values) {
        return query(text, values, [](sqlite3_stmt*) {});
    }

    Result<void> begin() {
        if (has_begun) return {};
        auto begun = execute("BEGIN IMMEDIATE");
        has_begun = bool(begun);
        return begun;
    }
    void roll_back() noexcept {
        if (has_begun) sqlite3_exec(database.get(), "ROLLBACK", nullptr, nullptr, nullptr);
        has_begun = false;
    }
};

namespace {

std::string text_of(sqlite3_stmt* row, int column) {
    const auto* const bytes = reinterpret_cast<const char*>(sqlite3_column_text(row, column));
    return bytes == nullptr ? std::string()
                            : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(row, column)));
}

DmarcEvent event_of(sqlite3_stmt* row) {
    DmarcEvent event;
    event.day = std::chrono::sys_days(std::chrono::days(sqlite3_column_int64(row, 0)));
    event.policy_domain = text_of(row, 1);
    event.record = text_of(row, 2);
    event.is_rfc7489 = sqlite3_column_int(row, 3) != 0;
    event.source_ip = text_of(row, 4);
    event.header_from = text_of(row, 5);
    event.envelope_from = text_of(row, 6);
    event.disposition = text_of(row, 7);
    event.is_dkim_aligned = sqlite3_column_int(row, 8) != 0;
    event.is_spf_aligned = sqlite3_column_int(row, 9) != 0;
    event.reason = text_of(row, 10);
    event.reason_comment = text_of(row, 11);
    event.results = text_of(row, 12);
    event.is_accepted = sqlite3_column_int(row, 13) != 0;
    event.count = static_cast<std::uint64_t>(sqlite3_column_int64(row, 14));
    return event;
}

}  // namespace

DmarcHistory::DmarcHistory(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
DmarcHistory::DmarcHistory(DmarcHistory&&) noexcept = default;
DmarcHistory::~DmarcHistory() {
    if (state_) state_->roll_back();
}

Result<DmarcHistory> DmarcHistory::open(const std::string& path) {
    auto state = std::make_unique<State>();
    state->path = path;
    // SQLite would create the file readable by everybody. Do not open and close an existing file here: that would
    // release the locks of this process.
    constexpr int owner_only = 0600;
    if (::access(path.c_str(), F_OK) != 0)
        FileDescriptor(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, owner_only)).close();
    sqlite3* made = nullptr;
    const int status = sqlite3_open_v2(path.c_str(), &made,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nullptr);
    state->database.reset(made);
    if (status != SQLITE_OK) return state->error(status);
    sqlite3_busy_timeout(made, wait_ms);
    const std::string limit = format_text("PRAGMA max_page_count = {}", max_size / page_size);
    for (const char* text : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", limit.c_str(), schema})
        if (auto done = state->execute(text); !done) return done.error();
    return DmarcHistory(std::move(state));
}

Result<void> DmarcHistory::add(const DmarcEvent& event) {
    if (auto begun = state_->begin(); !begun) return begun;
    return state_->change(
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count",
        {number_of(event.day), event.policy_domain, event.record, std::int64_t{event.is_rfc7489}, event.source_ip,
         event.header_from, event.envelope_from, event.disposition, std::int64_t{event.is_dkim_aligned},
         std::int64_t{event.is_spf_aligned}, event.reason, event.reason_comment, event.results,
         std::int64_t{event.is_accepted}, static_cast<std::int64_t>(event.count)});
}

Result<void> DmarcHistory::commit() {
    if (!state_->has_begun) return {};
    auto done = state_->execute("COMMIT");
    if (done) state_->has_begun = false;
    else state_->roll_back();
    return done;
}

Result<std::vector<std::string>> DmarcHistory::domains(std::chrono::sys_days day) {
    std::vector<std::string> out;
    auto read = state_->query(
        "SELECT DISTINCT domain FROM events WHERE day = ?1 AND accepted AND (dkim OR spf) AND domain NOT IN "
        "(SELECT domain FROM sent WHERE day = ?1) ORDER BY domain",
        {number_of(day)}, [&](sqlite3_stmt* row) { out.push_back(text_of(row, 0)); });
    if (!read) return read.error();
    return out;
}

Result<std::vector<DmarcEvent>> DmarcHistory::events(std::chrono::sys_days day, const std::string& policy_domain) {
    std::vector<DmarcEvent> out;
    auto read = state_->query("SELECT * FROM events WHERE day = ? AND domain = ?", {number_of(day), policy_domain},
                              [&](sqlite3_stmt* row) { out.push_back(event_of(row)); });
    if (!read) return read.error();
    return out;
}

Result<void> DmarcHistory::set_sent(std::chrono::sys_days day, const std::string& policy_domain) {
    if (auto begun = state_->begin(); !begun) return begun;
    if (auto done = state_->change("INSERT OR IGNORE INTO sent VALUES (?, ?)", {number_of(day), policy_domain}); !done)
        return done;
    return commit();
}

Result<void> DmarcHistory::forget_before(std::chrono::sys_days day) {
    if (auto begun = state_->begin(); !begun) return begun;
    for (const char* text : {"DELETE FROM events WHERE day < ?", "DELETE FROM sent WHERE day < ?"})
        if (auto done = state_->change(text, {number_of(day)}); !done) return done;
    return commit();
}

}  // namespace smtpd
