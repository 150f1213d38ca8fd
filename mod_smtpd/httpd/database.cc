#include "httpd/database.h"

#include "httpd/error_log.h"

#include <smtpd/format.h>

#include <apr_dbd.h>
#include <mod_dbd.h>

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

}  // namespace

Result<const SqlQuery*> DatabaseQuery::prepare(server_rec* server, apr_pool_t* pool, std::string_view statement) {
    auto* const prepare = APR_RETRIEVE_OPTIONAL_FN(ap_dbd_prepare);
    if (prepare == nullptr) return Error{ErrorCode::config, "mod_dbd is not loaded", 0};
    const std::string text(statement);
    const std::string label = "smtpd " + text;
    prepare(server, apr_pstrdup(pool, text.c_str()), apr_pstrdup(pool, label.c_str()));
    return &make_in_pool<DatabaseQuery>(pool, server, label);
}

Result<std::vector<SqlRow>> DatabaseQuery::select(const std::vector<std::string>& parameters, std::size_t limit) const {
    const auto unavailable = [](std::string what) { return Error{ErrorCode::unavailable, std::move(what), 0}; };
    conn_rec* const connection = connection_at_work();
    if (connection == nullptr) return unavailable("the database can be asked only while a session is at work");
    const Pool pool(connection->pool);
    const Borrowed database(server_, pool.pool);
    if (database.get() == nullptr) return unavailable("the database cannot be reached");
    const apr_dbd_driver_t* const driver = database.get()->driver;
    auto* const statement = static_cast<apr_dbd_prepared_t*>(apr_hash_get(database.get()->prepared, label_.c_str(), APR_HASH_KEY_STRING));
    if (statement == nullptr) return unavailable("the database does not know the query");
    std::vector<const char*> arguments;
    for (const auto& parameter : parameters) arguments.push_back(parameter.c_str());
    apr_dbd_results_t* results = nullptr;
    const int status = apr_dbd_pselect(driver, pool.pool, database.get()->handle, &results, statement, 0, static_cast<int>(arguments.size()), arguments.data());
    if (status != 0) return unavailable(format_text("database: {}", apr_dbd_error(driver, database.get()->handle, status)));
    std::vector<SqlRow> rows;
    const int columns = apr_dbd_num_cols(driver, results);
    apr_dbd_row_t* row = nullptr;
    int got = 0;
    while ((got = apr_dbd_get_row(driver, pool.pool, results, &row, -1)) == 0)  // to the end: the statement is busy until then
        if (rows.size() < limit) rows.push_back(read_row(driver, row, columns));
    if (got != -1) return unavailable("the database broke off its answer");
    return rows;
}

}  // namespace smtpd::httpd
