/// server_config.h: the values of the module's directives for one server, merged from the main server into virtual
/// hosts.
#pragma once

#include "httpd/apache.h"
#include "httpd/passwords.h"

#include "engine/auth_mechanisms.h"
#include "engine/settings.h"
#include "host/plugin_file.h"
#include "net/cares_resolver.h"
#include "smtp/data_decoder.h"
#include "store/stores.h"

#include <smtpd/base/ip.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace smtpd::httpd {

class Server;
class ServerStores;
class DryRun;

/// How many sessions a client may have, and what counts as one client.
struct ClientLimit {
    unsigned sessions = 0;  ///< 0 = no limit
    unsigned v4_prefix = 32;
    unsigned v6_prefix = 64;
};

/// SmtpMinDataRate: the minimum average rate of a message, after a grace period.
struct DataRate {
    std::uint64_t octets_per_second = 100;  ///< 0 = no limit
    /// RFC 5321 4.5.3.2: legitimate clients pause for minutes, so the rate over a few seconds means nothing.
    std::chrono::seconds grace{300};
};

/// SmtpBackendThreads.
inline constexpr unsigned default_backend_threads = 64;

/// The value of the SmtpExtensions lines: an extension is in at most one of the sets.
struct ExtensionChanges {
    engine::ExtensionSet on, off;
    void set(engine::Extension extension, bool is_on) noexcept {
        on.set(extension, is_on);
        off.set(extension, !is_on);
    }
    engine::ExtensionSet applied_to(engine::ExtensionSet extensions) const noexcept {
        return extensions.without(off).with(on);
    }
    /// These changes applied on top of the main server's.
    ExtensionChanges merged_onto(const ExtensionChanges& base) const noexcept {
        return {applied_to(base.on), base.off.without(on).with(off)};
    }
};

/// The value of SmtpStartTLS: whether STARTTLS is offered, and with whose certificate.
struct StartTlsChoice {
    engine::StartTls mode = engine::StartTls::off;
    std::string host;   ///< a ServerName; "" = our own
    std::string where;  ///< "httpd.conf line 12"
};

/// The value of SmtpProtocol.
struct ProtocolChoice {
    engine::Protocol protocol = engine::Protocol::smtp;
    std::string where;  ///< "httpd.conf line 12"
};

/// The value of SmtpMixedResults.
struct MixedResultsChoice {
    engine::MixedResults rule = engine::MixedResults::refuse;
    std::string where;  ///< "httpd.conf line 12"
};

/// The value of SmtpSubmission.
struct SubmissionChoice {
    bool is_on = false;
    std::string where;  ///< "httpd.conf line 12"
};

/// mod_ssl's TLS settings of a server (tls_context.h).
struct TlsServer {
    ssl_ctx_st* context = nullptr;     ///< null = none
    const server_rec* host = nullptr;  ///< the virtual host whose certificate it shows; for a borrower's context, the
                                       ///< lender
    const char* protocol = nullptr;    ///< the protocol under TLS, by its ALPN name; null if that is neither SMTP nor
                                       ///< LMTP
    std::array<unsigned char, 32> identity{};  ///< equal only for the same server with the same authorities
};

/// An empty optional means: not set here.
struct ServerConfig {
    std::optional<bool> engine;
    std::optional<bool> inherit_plugins;
    std::vector<host::PluginLine> plugins;
    std::vector<std::string> plugin_dirs;
    std::optional<std::string> control_dir;
    std::optional<std::string> qmail_control_dir;
    std::optional<std::string> greeting;
    std::optional<std::uint64_t> max_message_size;
    std::optional<std::string> spool_dir;
    std::optional<std::uint64_t> spool_threshold;
    ExtensionChanges extensions;
    std::optional<unsigned> max_recipients;
    std::optional<unsigned> max_transactions;
    std::optional<unsigned> max_recipient_domains;
    std::optional<unsigned> max_errors;
    std::optional<unsigned> max_connections;
    std::optional<ClientLimit> client_limit;
    std::optional<std::chrono::seconds> session_timeout;
    std::optional<DataRate> min_data_rate;
    std::optional<unsigned> backend_threads;  ///< of the main server
    std::optional<std::uint64_t> max_text_line;
    std::optional<smtp::BareNewline> bare_newline;
    std::vector<IpNetwork> bare_newline_exempt;
    std::optional<std::vector<IpNetwork>> trusted_proxies;
    std::optional<bool> proxy_protocol;
    std::string proxy_protocol_where;  ///< position of SmtpProxyProtocol, for messages
    std::optional<bool> ignore_unknown_parameters;
    std::optional<bool> strict_addresses;
    std::optional<LocalPartCase> local_part_case;
    std::optional<ProtocolChoice> protocol;
    std::optional<MixedResultsChoice> mixed_results;
    std::optional<bool> auth_without_tls;
    std::optional<StartTlsChoice> start_tls;
    std::optional<std::chrono::seconds> handshake_timeout;
    std::optional<SubmissionChoice> submission;
    std::optional<engine::AuthMechanismSet> auth_mechanisms;
    std::vector<Passwords*> passwords;  ///< from <SmtpAuth> sections; of two with the same name, the later one applies

    std::vector<store::Place> stores;
    std::optional<net::ResolverSettings> resolver;

    std::string where;                      ///< "httpd.conf line 12": position of SmtpEngine, for messages
    Server* runtime = nullptr;              ///< created by check_config if the engine is on
    ServerStores* server_stores = nullptr;  ///< likewise, in the main server only: the stores of all servers

    TlsServer tls;              ///< set after post_config
    DryRun* dry_run = nullptr;  ///< SmtpTry, in the main server: no client will be served

    ServerConfig merged_onto(const ServerConfig& base) const;
};

ServerConfig& config_of(const server_rec* server);

void* create_server_config(apr_pool_t* pool, server_rec* server);
void* merge_server_config(apr_pool_t* pool, void* base, void* added);
extern const command_rec directives[];

}  // namespace smtpd::httpd
