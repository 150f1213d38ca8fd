/// server.h: a virtual host with SmtpEngine on: its settings, control files and plugins. Created while the
/// configuration is checked.
#pragma once

#include "httpd/error_log.h"
#include "httpd/server_config.h"
#include "httpd/stores.h"
#include "httpd/tls.h"

#include "engine/settings.h"
#include "host/plugin_set.h"
#include "support/clock.h"

#include <memory>
#include <string>
#include <vector>

namespace smtpd::httpd {

class Server {
public:
    /// Loads the plugins and checks everything; errors and warnings go to `problems`. The object must live in a pool.
    /// `dry_run` is null except for a server that simulates sessions (httpd/dry_run.h).
    Server(server_rec* record, const ServerConfig& config, const std::string& default_plugin_dir,
           store::Backends& backends, const std::vector<server_rec*>& servers_with_tls, const DryRun* dry_run,
           host::KeptContents& kept, host::Problems& problems);

    /// Called in the serving process. If a plugin cannot start there, that is logged, and is_ready() is false: clients
    /// are deferred, because mail must not pass without the plugin's checks.
    void child_start();
    /// Called if a control file is wrong: from now on every client is answered 451, and no plugin of the configuration
    /// runs.
    void defer_all_mail(const host::Problems& problems);
    /// Empty unless every client is answered 451.
    const std::vector<std::string>& reasons_to_defer() const noexcept { return reasons_to_defer_; }
    bool is_ready() const noexcept { return ready_; }
    /// Called in the serving process: message files must not use this descriptor or a higher one (httpd/descriptors.h).
    void limit_descriptors(int files) noexcept { settings_.spool.first_refused_descriptor = files; }

    server_rec* record() const noexcept { return record_; }
    const ServerConfig& config() const noexcept { return config_; }
    const engine::Settings& settings() const noexcept { return settings_; }
    host::PluginSet& plugins() noexcept { return *plugins_; }
    const Clock& clock() const noexcept { return clock_; }
    LogSink& log() noexcept { return plugins_->log(); }
    const store::Stores& stores() const noexcept { return stores_; }
    const std::string& key() const noexcept { return key_; }  ///< "mx.example.com:25", for limits and the status page
    std::chrono::seconds session_timeout() const { return config_.session_timeout.value_or(std::chrono::hours(2)); }
    DataRate min_data_rate() const { return config_.min_data_rate.value_or(DataRate{}); }
    const net::ResolverSettings& resolver_settings() const noexcept {
        return config_.resolver ? *config_.resolver : default_resolver_;
    }
    void use_resolver(net::Resolver& resolver) noexcept { resolver_ = &resolver; }
    /// In the serving process; after use_resolver().
    net::Resolver& resolver() const noexcept { return *resolver_; }
    bool has_tls() const noexcept { return has_tls_; }  ///< from the first octet
    /// Whether a plugin authenticates clients.
    bool offers_auth() const;
    bool is_trusted_proxy(const IpAddress& address) const { return settings_.is_trusted_proxy(address); }
    bool expects_proxy_header() const { return config_.proxy_protocol.value_or(false); }
    std::chrono::seconds handshake_timeout() const {
        return config_.handshake_timeout.value_or(std::chrono::seconds(30));
    }
    /// The server whose certificate STARTTLS uses; null without STARTTLS.
    const TlsLender* lender() const noexcept { return lender_.get(); }
    ClientLimit client_limit() const { return config_.client_limit.value_or(ClientLimit{}); }

private:
    Result<const PasswordCheck*> find_passwords(std::string_view name) const;
    void choose_settings(host::Problems& problems);
    bool can_judge(const engine::AuthMechanism& mechanism) const;
    void check_submission(host::Problems& problems) const;
    void check_plugins_and_files(host::Problems& problems);
    void choose_extensions(host::Problems& problems);
    void choose_protocol(host::Problems& problems);
    void find_lender(const std::vector<server_rec*>& servers_with_tls, host::Problems& problems);
    std::vector<host::PluginLine> plugin_lines(host::Problems& problems);
    host::Environment environment(const std::string& default_plugin_dir);

    server_rec* record_;
    const ServerConfig& config_;
    const bool has_tls_;  ///< from the first octet
    bool ready_ = true;
    std::vector<std::string> reasons_to_defer_;
    std::string key_;
    const support::SystemClock system_clock_{support::SystemClock::Precision::coarse};  ///< read before and after every
                                                                                        ///< call of a plugin
    const Clock& clock_;
    const bool is_dry_run_;
    ErrorLog error_log_;
    host::DirectoryControlFiles control_;
    engine::Settings settings_;
    store::Stores stores_;
    const net::ResolverSettings default_resolver_;
    net::Resolver* resolver_ = nullptr;
    std::unique_ptr<host::PluginSet> plugins_;
    std::unique_ptr<const TlsLender> lender_;
};

/// Creates the Server of every virtual host with the engine on. Logs all problems with their positions; false if there
/// is an error.
bool make_servers(apr_pool_t* pool, server_rec* main_server);

/// Called when the logs are open: logs which servers answer 451 to every client, and why.
void log_deferring_servers(const server_rec* main_server);

}  // namespace smtpd::httpd
