/// stores.h: the store in httpd: what SmtpStore says, the memory that children share, directories for files, and the
/// log.
///
/// While the configuration is checked, back ends are made and have no effect; after it (prepare_stores(), in the
/// parent) directories and shared memory come into being; in each child they are started.
#pragma once

#include "httpd/server_config.h"

#include "host/problem.h"
#include "store/stores.h"
#include "support/clock.h"

#include <string>
#include <vector>

namespace smtpd::httpd {

/// The back ends of one configuration, and where they report.
class ServerStores {
public:
    /// With a dry run, nothing that is written reaches a back end.
    ServerStores(server_rec* main_server, DryRun* dry_run);

    store::Backends& backends() noexcept { return backends_; }
    /// What can be found wrong without touching anything: a directory that is missing, or not the children's.
    void check(host::Problems& problems) const;
    /// Makes directories and shared memory. False when the server cannot start; that is logged.
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

/// SmtpStore [namespace] kind:place [option=value …]: a place, or a complaint.
Result<store::Place> read_store_place(const std::vector<std::string>& words, std::string where, apr_pool_t* pool);
/// The places of a server, that for all other namespaces among them.
std::vector<store::Place> store_places(const ServerConfig& config);

/// Whether the user that the children change to may make files there. Group rights count for the main group only.
bool children_may_write(const std::string& directory);

bool prepare_stores(server_rec* main_server);
/// In the child; they stop with its pool, after its sessions.
void start_stores(apr_pool_t* pool, server_rec* main_server);

}  // namespace smtpd::httpd
