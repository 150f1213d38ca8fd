#include "httpd/listeners.h"

#include "httpd/server_config.h"

#include <ap_listen.h>

namespace smtpd::httpd {
namespace {

enum class Speaks { nothing, smtp, others };

/// What the virtual hosts of that port speak. Port 0 means any. The main server has no address and is not considered.
Speaks spoken_on(apr_port_t port, const server_rec* main_server) {
    Speaks speaks = Speaks::nothing;
    for (const server_rec* server = main_server->next; server != nullptr; server = server->next)
        for (const server_addr_rec* address = server->addrs; address != nullptr; address = address->next) {
            if (address->host_port != port && address->host_port != 0) continue;
            if (config_of(server).runtime == nullptr) return Speaks::others;
            speaks = Speaks::smtp;
        }
    return speaks;
}

}  // namespace

void name_protocol_of_listeners(server_rec* main_server) {
    const bool main_is_smtp = config_of(main_server).runtime != nullptr;
    for (ap_listen_rec* listener = ap_listeners; listener != nullptr; listener = listener->next) {
        if (listener->protocol == nullptr || std::string_view(listener->protocol) != "http") continue;
        const Speaks speaks = spoken_on(listener->bind_addr->port, main_server);
        if (speaks == Speaks::others || (speaks == Speaks::nothing && !main_is_smtp)) continue;
        // A copy in the process's pool: the listener outlives this DSO.
        listener->protocol = apr_pstrdup(main_server->process->pool, "smtp");
    }
}

bool serves_port(const server_rec* server, apr_port_t port) {
    bool is_any = server->addrs == nullptr;
    for (const server_addr_rec* address = server->addrs; address != nullptr; address = address->next) {
        if (address->host_port == port) return true;
        is_any = is_any || address->host_port == 0;
    }
    for (const ap_listen_rec* listener = ap_listeners; is_any && listener != nullptr; listener = listener->next)
        if (listener->bind_addr->port == port) return true;
    return false;
}

}  // namespace smtpd::httpd
