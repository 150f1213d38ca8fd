/// auth/auth_vpopmail_sql: check passwords in the SQL database of vpopmail.
///
/// vpopmail can keep its users in MySQL or PostgreSQL, in a table with the columns pw_name, pw_domain, pw_passwd
/// (crypt(3)) and pw_clear_passwd. The plugin asks the database through httpd's mod_dbd, which keeps the connections:
///
///     LoadModule dbd_module modules/mod_dbd.so
///     DBDriver   mysql
///     DBDParams  "host=127.0.0.1 dbname=vpopmail user=vpopmailuser pass=vpoppasswd"
///     SmtpPlugin auth/auth_vpopmail_sql
///
/// A user with a clear password can log in with every mechanism. A user with a hash can use PLAIN and LOGIN. For
/// another table or other columns, change `query`: it selects the hash and the clear password (either may be NULL) for
/// a name and a domain, both in lower case. If a user has no domain or is unknown, the next plugin decides.
///
/// If the database is down, the reply is 454 4.7.0. The database driver limits how long a query may take
/// (`connect_timeout` and similar parameters in DBDParams).
///
/// ## Differences from qpsmtpd
///
/// The plugin does not read the control files vpopmail_mysql_dsn, vpopmail_mysql_user and vpopmail_mysql_pass: write
/// DBDParams instead. A database that is down gives 454 instead of 535.
#include <smtpd/auth/stored_password.h>
#include <smtpd/base/domain.h>
#include <smtpd/base/text.h>
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class AuthVpopmailSql final : public Plugin {
public:
    static constexpr bool reads_body = false;
    static constexpr bool waits_for_backend = true;

    struct Options {
        std::string query = "SELECT pw_passwd, pw_clear_passwd FROM vpopmail WHERE pw_name = %s AND pw_domain = %s";
        static OptionTable table() {
            return {option("query", &Options::query,
                           "the query that selects hash and clear password for a name and a domain (two times %s)")};
        }
    };

    AuthVpopmailSql(Setup& setup, const Options& options) : query_(setup.sql_query(options.query)) {
        serve_passwords(setup.hooks, [this](const AuthHook& hook) { return find(hook); });
    }

private:
    Result<std::optional<StoredPassword>> find(const AuthHook& hook) const {
        std::optional<StoredPassword> stored;
        const auto at = hook.user().rfind('@');
        if (at == std::string::npos) return stored;
        const auto rows = query_->select(
            {ascii_lower(hook.user().substr(0, at)), ascii_domain(hook.user().substr(at + 1))}, 1);
        if (!rows) return rows.error();
        if (rows->empty()) return stored;
        if (rows->front().size() != 2) return Error{ErrorCode::config, "the query must select two columns", 0};
        stored.emplace();
        stored->set_crypt(rows->front()[0].value_or(""));
        stored->set_clear(rows->front()[1].value_or(""));
        return stored;
    }

    const SqlQuery* const query_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("auth/auth_vpopmail_sql", smtpd::plugins::AuthVpopmailSql);
