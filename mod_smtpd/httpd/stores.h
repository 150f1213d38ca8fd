/// stores.h: the store in httpd: the directive SmtpStore, the memory that children share, directories for files, and
/// the log.
///
/// While the configuration is checked, back ends are created but have no effect. Afterwards, prepare_stores() creates
/// directories and shared memory in the parent, and each child starts the back ends.
#pragma once

#include "httpd/server_config.h"

#include "host/problem.h"
#include "store/stores.h"
#include "support/clock.h"

#include <string>
#include <vector>

namespace smtpd::httpd {

/// The back ends of one configuration, and the log that they report to.
class ServerStores {
public:
    /// In a dry run, nothing that is written reaches a back end.
    ServerStores(server_rec* main_server, DryRun* dry_run);

    store::Backends& backends() noexcept { return backends_; }
    /// Finds problems without changing anything: a directory that is missing or that the children cannot use.
    void check(host::Problems& problems) const;
    /// Creates directories and shared memory. False if the server cannot start, which is logged.
    bool prepare(server_rec* main_server);

private:
    class Log final : public store::Events {
    public:
        explicit Log(server_rec* server) noexcept : server_(server) {}
        void damaged(const std::string& what) noexcept override;
        void unreachable(const std::string& what) noexcept override;
        void reachable(const std::string& what) noexcept override;

    private:
        server_rec* const server_;
    };

    support::SystemClock clock_;
    Log log_;
    store::Backends backends_;
};

/// Parses SmtpStore [namespace] kind:place [option=value …]: a place, or an error.
Result<store::Place> read_store_place(const std::vector<std::string>& words, std::string where, apr_pool_t* pool);
/// The places of a server, including the one for all other namespaces.
std::vector<store::Place> store_places(const ServerConfig& config);

/// Whether the user of the children may create files there. Of the group rights, only those of the main group count.
bool children_may_write(const std::string& directory);

bool prepare_stores(server_rec* main_server);
/// Starts them in the child; they stop with its pool, after its sessions.
void start_stores(apr_pool_t* pool, server_rec* main_server);

}  // namespace smtpd::httpd
