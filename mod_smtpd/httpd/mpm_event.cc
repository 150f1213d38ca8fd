#include "httpd/mpm_event.h"

#include <cstring>

#include <unistd.h>

namespace smtpd::httpd {

/// mpm_event learns a connection's server in its post_read_request hook, from a request's `connection` and `server`.
/// This calls that one hook with a request that has nothing else; mpm_event 2.4.71 reads nothing else.
void use_timeout_of_virtual_host(conn_rec* connection, const server_rec* main_server) {
    server_rec* server = connection->base_server;
    if (connection->cs == nullptr || server->timeout == main_server->timeout) return;
    const apr_array_header_t* hooks = ap_hook_get_post_read_request();
    if (hooks == nullptr) return;
    const auto* links = reinterpret_cast<const ap_LINK_post_read_request_t*>(hooks->elts);
    for (int i = 0; i < hooks->nelts; ++i) {
        if (links[i].szName == nullptr || std::strcmp(links[i].szName, "event.c") != 0) continue;
        auto* request = static_cast<request_rec*>(apr_pcalloc(connection->pool, sizeof(request_rec)));
        request->pool = connection->pool;
        request->connection = connection;
        request->server = server;
        links[i].pFunc(request);
    }
}

namespace {

int wait_for(conn_rec* connection, [[maybe_unused]] conn_sense_e what) {
#ifdef AP_MPMQ_CAN_WAITIO
    connection->cs->state = CONN_STATE_ASYNC_WAITIO;
    connection->cs->sense = what;
#else
    connection->cs->state = CONN_STATE_LINGER;
#endif
    return OK;
}

}  // namespace

int wait_for_input(conn_rec* connection) { return wait_for(connection, CONN_SENSE_WANT_READ); }
int wait_for_room(conn_rec* connection) { return wait_for(connection, CONN_SENSE_WANT_WRITE); }

RestOfServer rest_of_server() noexcept {
    const global_score* const server = ap_get_scoreboard_global();
    const pid_t self = getpid();
    int own_generation = 0;
    if (server == nullptr || ap_mpm_query(AP_MPMQ_GENERATION, &own_generation) != APR_SUCCESS)
        return RestOfServer::none;
    if (own_generation != server->running_generation) return RestOfServer::restarted;
    // Our own slot may belong to another child now: mpm_worker reuses the slots of children that end.
    const process_score* child = nullptr;
    for (int slot = 0; (child = ap_get_scoreboard_process(slot)) != nullptr; ++slot)
        if (child->pid != 0 && child->pid != self && child->generation == own_generation && child->quiescing == 0)
            return RestOfServer::serves;
    return RestOfServer::none;
}

void nudge_listener() noexcept {
    const pid_t self = getpid();
    const process_score* child = nullptr;
    for (int slot = 0; (child = ap_get_scoreboard_process(slot)) != nullptr && child->pid != self;) ++slot;
    if (child == nullptr || child->not_accepting == 0) return;
    ap_mpm_register_timed_callback(
        0, [](void*) {}, nullptr);  // a timer wakes the listener
}

}  // namespace smtpd::httpd
