/// database.h: plugins' queries to the database of mod_dbd, which may not be loaded.
#pragma once

#include "httpd/apache.h"

#include <smtpd/backend/sql.h>

#include <string>

namespace smtpd::httpd {

/// A statement that mod_dbd prepares on each of its connections.
class DatabaseQuery final : public SqlQuery {
public:
    DatabaseQuery(server_rec* server, std::string label, std::string statement)
        : server_(server), label_(std::move(label)), statement_(std::move(statement)) {}
    /// Registers the statement with mod_dbd, while the configuration is checked. An Error if mod_dbd is not loaded or
    /// the server has no database.
    static Result<const SqlQuery*> prepare(server_rec* server, apr_pool_t* pool, std::string_view statement);

    Result<std::vector<SqlRow>> select(const std::vector<std::string>& parameters, std::size_t limit) const override;

private:
    server_rec* const server_;
    const std::string label_;
    const std::string statement_;
};

/// Whether a module that used mod_dbd for this request was told "nothing found" although the answer was lost. APR's
/// driver for PostgreSQL does that to callers that read answers row by row: when the connection breaks, and always
/// after the connection was re-established, because the prepared statements are gone. httpd's modules cannot detect it.
bool has_lost_answer(request_rec* request);

}  // namespace smtpd::httpd
