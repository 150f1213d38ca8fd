#include "httpd/database.h"

#include "httpd/error_log.h"

#include <smtpd/base/format.h>

#include <apr_dbd.h>
#include <mod_dbd.h>

#include <functional>
#include <optional>
#include <string_view>
#include <utility>

namespace smtpd::httpd {
namespace {

/// A connection of mod_dbd's, given back at the end.
class Borrowed {
public:
    Borrowed(server_rec* server, apr_pool_t* pool) : server_(server) {
        if (auto* const open = APR_RETRIEVE_OPTIONAL_FN(ap_dbd_open)) connection_ = open(pool, server);
    }
    ~Borrowed() {
        auto* const close = APR_RETRIEVE_OPTIONAL_FN(ap_dbd_close);
        if (connection_ != nullptr && close != nullptr) close(server_, connection_);
    }
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;
    ap_dbd_t* get() const noexcept { return connection_; }

private:
    server_rec* const server_;
    ap_dbd_t* connection_ = nullptr;
};

struct Pool {
    apr_pool_t* pool = nullptr;
    explicit Pool(apr_pool_t* parent) {
        if (apr_pool_create(&pool, parent) != APR_SUCCESS) throw std::bad_alloc();
    }
    ~Pool() { apr_pool_destroy(pool); }
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
};

SqlRow read_row(const apr_dbd_driver_t* driver, apr_dbd_row_t* row, int columns) {
    SqlRow out;
    for (int i = 0; i < columns; ++i) {
        const char* const text = apr_dbd_get_entry(driver, row, i);
        out.push_back(text != nullptr ? std::optional<std::string>(text) : std::nullopt);
    }
    return out;
}

/// Reads all rows, because the statement is busy until then. Nothing if the answer breaks off.
std::optional<std::vector<SqlRow>> read_rows(const apr_dbd_driver_t* driver, apr_pool_t* pool,
                                             apr_dbd_results_t* results, std::size_t limit) {
    std::vector<SqlRow> rows;
    apr_dbd_row_t* row = nullptr;
    int got = 0;
    while ((got = apr_dbd_get_row(driver, pool, results, &row, -1)) == 0)
        if (rows.size() < limit)
            // PostgreSQL's driver knows the number of columns only after a row.
            rows.push_back(read_row(driver, row, apr_dbd_num_cols(driver, results)));
    return got == -1 ? std::optional(std::move(rows)) : std::nullopt;
}

/// Fetches a whole answer at once ("random access"): otherwise PostgreSQL's driver cannot distinguish an error from an
/// answer without rows.
constexpr int whole = 1;

}  // namespace

Result<const SqlQuery*> DatabaseQuery::prepare(server_rec* server, apr_pool_t* pool, std::string_view statement) {
    auto* const prepare = APR_RETRIEVE_OPTIONAL_FN(ap_dbd_prepare);
    if (prepare == nullptr) return Error{ErrorCode::config, "mod_dbd is not loaded", 0};
    const std::string text(statement);
    // PostgreSQL's driver makes SQL of the label (PREPARE), so it must be an identifier that is unique in its first 63
    // bytes.
    const std::string label = apr_psprintf(pool, "smtpd_%016" APR_UINT64_T_HEX_FMT,
                                           static_cast<apr_uint64_t>(std::hash<std::string>()(text)));
    prepare(server, apr_pstrdup(pool, text.c_str()), apr_pstrdup(pool, label.c_str()));
    return &make_in_pool<DatabaseQuery>(pool, server, label, text);
}

Result<std::vector<SqlRow>> DatabaseQuery::select(const std::vector<std::string>& parameters, std::size_t limit) const {
    const auto unavailable = [](std::string what) { return Error{ErrorCode::unavailable, std::move(what), 0}; };
    conn_rec* const connection = connection_at_work();
    if (connection == nullptr) return unavailable("the database can only be queried within a session");
    const Pool pool(connection->pool);
    const Borrowed database(server_, pool.pool);
    if (database.get() == nullptr) return unavailable("the database cannot be reached");
    const apr_dbd_driver_t* const driver = database.get()->driver;
    apr_dbd_t* const handle = database.get()->handle;
    auto* statement = static_cast<apr_dbd_prepared_t*>(
        apr_hash_get(database.get()->prepared, label_.c_str(), APR_HASH_KEY_STRING));
    if (statement == nullptr) return unavailable("the database does not know the query");
    std::vector<const char*> arguments;
    for (const auto& parameter : parameters) arguments.push_back(parameter.c_str());
    apr_dbd_results_t* results = nullptr;
    const auto ask = [&] {
        return apr_dbd_pselect(driver, pool.pool, handle, &results, statement, whole,
                               static_cast<int>(arguments.size()), arguments.data());
    };
    if (const int status = ask(); status != 0) {
        const auto problem = unavailable(format_text("database: {}", apr_dbd_error(driver, handle, status)));
        // mod_dbd keeps connections. If the database server was restarted, the check reconnects, without the statements
        // that were prepared on the old connection.
        if (apr_dbd_check_conn(driver, pool.pool, handle) != APR_SUCCESS) return problem;
        statement = nullptr;
        if (apr_dbd_prepare(driver, pool.pool, handle, statement_.c_str(), label_.c_str(), &statement) != 0)
            return problem;
        if (results = nullptr; ask() != 0) return problem;
    }
    auto rows = read_rows(driver, pool.pool, results, limit);
    if (!rows) return unavailable("the database broke off its answer");
    return std::move(*rows);
}

bool has_lost_answer(request_rec* request) {
    const module* const dbd = ap_find_linked_module("mod_dbd.c");
    auto* const acquire = APR_RETRIEVE_OPTIONAL_FN(ap_dbd_acquire);
    if (dbd == nullptr || acquire == nullptr || ap_get_module_config(request->request_config, dbd) == nullptr)
        return false;
    const ap_dbd_t* const used = acquire(request);  // one connection until the request ends
    if (used == nullptr || std::string_view(apr_dbd_name(used->driver)) != "pgsql") return false;
    apr_dbd_results_t* results = nullptr;
    if (apr_dbd_select(used->driver, request->pool, used->handle, &results, "SELECT name FROM pg_prepared_statements",
                       whole) != 0)
        return true;
    const auto known = read_rows(used->driver, request->pool, results, apr_hash_count(used->prepared));
    return !known || known->size() < apr_hash_count(used->prepared);
}

}  // namespace smtpd::httpd
