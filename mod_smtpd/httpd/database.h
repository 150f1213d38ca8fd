/// database.h: queries of plugins to the database of mod_dbd, which need not be loaded.
#pragma once

#include "httpd/apache.h"

#include <smtpd/sql.h>

#include <string>

namespace smtpd::httpd {

/// A statement that mod_dbd prepares on each of its connections.
class DatabaseQuery final : public SqlQuery {
public:
    DatabaseQuery(server_rec* server, std::string label) : server_(server), label_(std::move(label)) {}
    /// Tells mod_dbd, while the configuration is checked. An Error where there is none, or the server has no database.
    static Result<const SqlQuery*> prepare(server_rec* server, apr_pool_t* pool, std::string_view statement);

    Result<std::vector<SqlRow>> select(const std::vector<std::string>& parameters, std::size_t limit) const override;

private:
    server_rec* const server_;
    const std::string label_;
};

}  // namespace smtpd::httpd
