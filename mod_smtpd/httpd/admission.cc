#include "httpd/admission.h"

#include "httpd/blocking_driver.h"
#include "httpd/client_address.h"
#include "httpd/event_driver.h"
#include "httpd/mpm_event.h"
#include "httpd/proxied_client.h"

namespace smtpd::httpd {
namespace {

engine::Peer peer_of(conn_rec* connection, std::string id, std::uint32_t sessions_of_client) {
    engine::Peer peer;
    peer.id = std::move(id);
    peer.client = client_of(connection);
    peer.local = local_end_of(connection);
    peer.sessions_of_client = sessions_of_client;
    // HostnameLookups decides whether the name is looked up
    if (const char* host = ap_get_remote_host(connection, connection->base_server->lookup_defaults, REMOTE_HOST,
                                              nullptr))
        peer.host = host;
    return peer;
}

/// If TLS comes first, the client gets no reply. The socket of a new connection always has room for a short reply.
void turn_away(conn_rec* connection, engine::StandardReply words) {
    forgo_handshake(connection);
    if (connection->aborted != 0) return;
    std::string reply = engine::reply(words).to_string();
    Channel(connection).try_write(reply);
}

std::shared_ptr<ConnectionDriver> make_driver(conn_rec* connection, Server& server, Child& child, engine::Peer peer,
                                              SessionTable::Row row) {
    if (child.is_async) return std::make_shared<EventDriver>(connection, server, child, std::move(peer), row);
    return std::make_shared<BlockingDriver>(connection, server, child, std::move(peer), row);
}

/// The connection owns its driver, and releases it before its pool is destroyed.
void attach(conn_rec* connection, const std::shared_ptr<ConnectionDriver>& driver) {
    auto* holder = new std::shared_ptr<ConnectionDriver>(driver);
    ap_set_module_config(connection->conn_config, &smtpd_module, holder);
    apr_pool_pre_cleanup_register(connection->pool, holder, [](void* memory) noexcept -> apr_status_t {
        auto* held = static_cast<std::shared_ptr<ConnectionDriver>*>(memory);
        (*held)->detach();
        delete held;
        return APR_SUCCESS;
    });
}

}  // namespace

SessionTable::Admission admit(Child& child, Server& server, std::string_view id, const IpAddress& client) {
    const ClientLimit limit = server.client_limit();
    return child.table.admit(
        id, server.key(), client, client.prefix(client.is_v4() ? limit.v4_prefix : limit.v6_prefix),
        server.config().max_connections.value_or(0), server.is_trusted_proxy(client) ? 0 : limit.sessions);
}

void log_refusal(conn_rec* connection, SessionTable::Refusal why, const Server& server) {
    const char* limit = why == SessionTable::Refusal::client_full   ? "SmtpMaxConnectionsPerClient"
                        : why == SessionTable::Refusal::server_full ? "SmtpMaxConnections"
                                                                    : "the table of sessions";
    ap_log_cerror(APLOG_MARK, APLOG_NOTICE, 0, connection, "refused: %s is exhausted at %s", limit,
                  server.key().c_str());
}

std::shared_ptr<ConnectionDriver> existing_driver_of(conn_rec* connection) {
    auto* known = static_cast<std::shared_ptr<ConnectionDriver>*>(
        ap_get_module_config(connection->conn_config, &smtpd_module));
    return known != nullptr ? *known : nullptr;
}

Admitted driver_of(conn_rec* connection) {
    if (auto known = existing_driver_of(connection)) return {std::move(known)};
    Server* server = config_of(connection->base_server).runtime;
    Child* child = current_child();
    if (server == nullptr || child == nullptr) return {};
    if (!server->is_ready()) {
        turn_away(connection, engine::StandardReply::internal_error);  // a plugin could not start in this process
        return {};
    }
    if (const auto who = identify_client(connection, *server, child->is_async); who != ClientIs::known) {
        const bool is_awaited = who == ClientIs::awaited;
        if (is_awaited) use_timeout_of_virtual_host(connection, child->main_server);
        return {nullptr, is_awaited};
    }

    std::string id = child->ids.next();
    const auto admission = admit(*child, *server, id, client_of(connection).address);
    if (admission.refusal != SessionTable::Refusal::none) {
        log_refusal(connection, admission.refusal, *server);
        const bool is_client = admission.refusal == SessionTable::Refusal::client_full;
        turn_away(connection, is_client ? engine::StandardReply::too_many_sessions : engine::StandardReply::overloaded);
        return {};
    }
    auto driver = make_driver(connection, *server, *child, peer_of(connection, std::move(id), admission.of_client),
                              admission.row);
    attach(connection, driver);
    child->add(*driver);
    if (child->is_async) use_timeout_of_virtual_host(connection, child->main_server);
    return {std::move(driver)};
}

}  // namespace smtpd::httpd
