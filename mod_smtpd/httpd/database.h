/// database.h: queries of plugins to the database of mod_dbd, which need not be loaded.
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
    /// Tells mod_dbd, while the configuration is checked. An Error where there is none, or the server has no database.
    static Result<const SqlQuery*> prepare(server_rec* server, apr_pool_t* pool, std::string_view statement);

    Result<std::vector<SqlRow>> select(const std::vector<std::string>& parameters, std::size_t limit) const override;

private:
    server_rec* const server_;
    const std::string label_;
    const std::string statement_;
};

/// Whether a module that has asked mod_dbd for this request was told "nothing found" where the answer was lost. APR's
/// driver for PostgreSQL does that to those who read answers row by row: when the connection has broken, and ever after
/// when it was made anew, because then the prepared statements are gone. Modules of httpd cannot know.
bool has_lost_answer(request_rec* request);

}  // namespace smtpd::httpd
