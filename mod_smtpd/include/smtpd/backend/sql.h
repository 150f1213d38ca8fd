/// sql.h: queries to the site's database: under httpd the one that mod_dbd keeps connections to (DBDriver, DBDParams).
#pragma once

#include <smtpd/base/result.h>

#include <optional>
#include <string>
#include <vector>

namespace smtpd {

using SqlRow = std::vector<std::optional<std::string>>;  ///< nothing = NULL

class SqlQuery {
public:
    virtual ~SqlQuery() = default;
    /// The rows that the query selects with these parameters, at most `limit`. Call it in a handler only. Blocks the
    /// thread. An Error if the database is down or rejects the query. Thread-safe.
    virtual Result<std::vector<SqlRow>> select(const std::vector<std::string>& parameters, std::size_t limit) const = 0;
};

}  // namespace smtpd
