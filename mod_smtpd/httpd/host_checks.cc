#include "httpd/host_checks.h"

#include "httpd/client_address.h"
#include "httpd/config_tree.h"
#include "httpd/listeners.h"
#include "httpd/server.h"

#include "host/plugin_checks.h"

#include <smtpd/base/format.h>

#include <ap_listen.h>
#include <ap_mpm.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace smtpd::httpd {
namespace {

/// Ports at which clients expect SMTP or LMTP.
constexpr std::array<apr_port_t, 4> mail_ports{24, 25, 465, 587};

struct Check {
    const server_rec* main_server;
    host::Problems& problems;

    void warn(std::string position, std::string text) const {
        problems.push_back(host::warning(std::move(position), std::move(text)));
    }
    void warn(const server_rec* server, std::string text) const { warn(position_of(server), std::move(text)); }

    /// In the order of the configuration; the main server comes first.
    std::vector<const server_rec*> servers() const {
        std::vector<const server_rec*> out;
        for (const server_rec* server = main_server->next; server != nullptr; server = server->next)
            out.push_back(server);
        out.push_back(main_server);
        std::reverse(out.begin(), out.end());
        return out;
    }
    template <class Look>
    void for_each_smtp(Look look) const {
        for (const server_rec* server : servers())
            if (const Server* smtp = config_of(server).runtime) look(server, *smtp);
    }
};

bool is_any(const IpAddress& address) { return address == IpAddress::v4({0, 0, 0, 0}) || address == IpAddress::v6({}); }

bool is_covered(const IpAddress& listened, const IpAddress& wanted) {
    return is_any(listened) || is_any(wanted) || listened == wanted;
}

std::string shown(const IpAddress& address, apr_port_t port) {
    return is_any(address) ? format_text("*:{}", port) : address.with_port(port);
}

struct Listener {
    IpAddress address;
    apr_port_t port;
    std::string_view protocol;
};

std::vector<Listener> listeners() {
    std::vector<Listener> out;
    for (const ap_listen_rec* from = ap_listeners; from != nullptr; from = from->next) {
        const Endpoint end = endpoint_of(from->bind_addr);
        out.push_back({end.address, from->bind_addr->port, from->protocol != nullptr ? from->protocol : ""});
    }
    return out;
}

/// The line that makes httpd listen on that port.
std::string position_of_listen(apr_port_t port) {
    const std::string number = std::to_string(port);
    for (const ap_directive_t* line : lines_at_top("Listen")) {
        const std::string_view place = std::string_view(line->args).substr(0, std::string_view(line->args).find(' '));
        if (place == number || place.ends_with(":" + number)) return position_of(line);
    }
    return {};
}

// --- ports

/// A port of a virtual host, with its address.
struct Place {
    IpAddress address;
    apr_port_t port;
};
std::vector<Place> places_of(const server_rec* server) {
    std::vector<Place> out;
    if (server->is_virtual == 0) return out;  // it serves what no virtual host serves
    for (const server_addr_rec* from = server->addrs; from != nullptr; from = from->next)
        out.push_back({endpoint_of(from->host_addr).address, from->host_port});
    return out;
}

bool is_listened_on(const Place& place) {
    const auto all = listeners();
    return std::any_of(all.begin(), all.end(), [&](const Listener& listener) {
        return (place.port == 0 || place.port == listener.port) && is_covered(listener.address, place.address);
    });
}

void host_without_listen(const Check& check) {
    check.for_each_smtp([&](const server_rec* server, const Server&) {
        std::vector<apr_port_t> told;
        for (const Place& place : places_of(server)) {
            if (is_listened_on(place) || std::find(told.begin(), told.end(), place.port) != told.end()) continue;
            told.push_back(place.port);
            std::string ports;
            for (const Listener& listener : listeners())
                if (const auto text = shown(listener.address, listener.port); ports.find(text) == std::string::npos)
                    ports.append(ports.empty() ? "" : ", ").append(text);
            check.warn(server, format_text("no client can reach {}, because httpd does not listen there ({}); write "
                                           "\"Listen {}\", or correct the port of one of the two",
                                           shown(place.address, place.port),
                                           ports.empty() ? "there is no Listen" : "Listen has " + ports, place.port));
        }
    });
}

/// Whether connections to that port reach a server that speaks SMTP.
bool speaks_smtp(const Check& check, apr_port_t port) {
    bool is_named = false, is_smtp = false;
    for (const server_rec* server : check.servers())
        for (const Place& place : places_of(server)) {
            if (place.port != port && place.port != 0) continue;
            is_named = true;
            is_smtp |= config_of(server).runtime != nullptr;
        }
    return is_named ? is_smtp : config_of(check.main_server).runtime != nullptr;
}

void mail_port_without_smtp(const Check& check) {
    bool any = false;
    check.for_each_smtp([&](const server_rec*, const Server&) { any = true; });
    std::vector<apr_port_t> told;
    for (const Listener& listener : listeners()) {
        const auto is_port = [&](apr_port_t port) { return port == listener.port; };
        const bool is_for_mail = std::any_of(mail_ports.begin(), mail_ports.end(), is_port);
        if (!any || !is_for_mail || speaks_smtp(check, listener.port)) continue;
        if (std::any_of(told.begin(), told.end(), is_port)) continue;
        told.push_back(listener.port);
        check.warn(
            position_of_listen(listener.port),
            format_text("clients that connect to port {} get no greeting, because no virtual host with SmtpEngine "
                        "on has that port; write <VirtualHost *:{}>",
                        listener.port, listener.port));
    }
}

void listener_for_https(const Check& check) {
    check.for_each_smtp([&](const server_rec* server, const Server& smtp) {
        if (smtp.has_tls()) return;  // its clients speak first
        std::vector<apr_port_t> told;
        for (const Listener& listener : listeners()) {
            if (listener.protocol != "https" || !serves_port(server, listener.port)) continue;
            if (std::find(told.begin(), told.end(), listener.port) != told.end()) continue;
            told.push_back(listener.port);
            check.warn(
                position_of_listen(listener.port),
                format_text("with \"Listen ... https\" the system hands over a connection only after the client has "
                            "sent something, but clients of {} wait for the greeting; write \"Listen {} smtp\"{}",
                            smtp.key(), listener.port,
                            listener.port == 465 ? ", and for TLS \"SSLEngine on\" in the virtual host" : ""));
        }
    });
}

// --- several virtual hosts in one place

bool is_same(const Place& a, const Place& b) {
    return a.port == b.port && (a.address == b.address || (is_any(a.address) && is_any(b.address)));
}

/// The first virtual host at that place: the only one that gets connections, because an SMTP client names no host
/// before it.
const server_rec* first_host_of(const Check& check, const Place& wanted) {
    for (const server_rec* server : check.servers())
        for (const Place& place : places_of(server))
            if (is_same(place, wanted)) return server;
    return nullptr;
}

void host_behind_another(const Check& check) {
    check.for_each_smtp([&](const server_rec* server, const Server& smtp) {
        std::vector<const server_rec*> told;
        for (const Place& place : places_of(server)) {
            const server_rec* const first = first_host_of(check, place);
            if (first == nullptr || first == server || std::find(told.begin(), told.end(), first) != told.end())
                continue;
            told.push_back(first);
            const std::string where = shown(place.address, place.port);
            if (config_of(first).runtime == nullptr)
                check.warn(server,
                           format_text("clients that connect to {} get no greeting, because an HTTP virtual host "
                                       "({}) comes before this one, and the first one gets every connection; "
                                       "give one of the two another port",
                                       where, position_of(first)));
            else if (!smtp.has_tls())  // a client that names it is shown its certificate
                check.warn(server,
                           format_text("this virtual host is never used, because {} ({}) comes before it at {}, "
                                       "and an SMTP client does not name the host that it wants; give one of the "
                                       "two another address or port, or put all domains into one",
                                       config_of(first).runtime->key(), position_of(first), where));
        }
    });
}

// --- strangers

bool is_private(const IpAddress& address) {
    static const std::array<IpNetwork, 6> networks{IpNetwork(IpAddress::v4({10, 0, 0, 0}), 8),
                                                   IpNetwork(IpAddress::v4({172, 16, 0, 0}), 12),
                                                   IpNetwork(IpAddress::v4({192, 168, 0, 0}), 16),
                                                   IpNetwork(IpAddress::v4({169, 254, 0, 0}), 16),
                                                   *IpNetwork::parse("fc00::/7"),
                                                   *IpNetwork::parse("fe80::/10")};
    return std::any_of(networks.begin(), networks.end(),
                       [&](const IpNetwork& network) { return network.contains(address); });
}

bool is_loopback(const IpAddress& address) {
    static const std::array<IpNetwork, 2> networks{IpNetwork(IpAddress::v4({127, 0, 0, 0}), 8),
                                                   *IpNetwork::parse("::1/128")};
    return std::any_of(networks.begin(), networks.end(),
                       [&](const IpNetwork& network) { return network.contains(address); });
}

/// Whether machines outside the site can reach it.
bool is_public(const server_rec* server) {
    const auto addresses = local_addresses_of(server);
    return std::any_of(addresses.begin(), addresses.end(),
                       [](const IpAddress& address) { return !is_loopback(address) && !is_private(address); });
}

void everybody_is_a_proxy(const Check& check) {
    check.for_each_smtp([&](const server_rec* server, const Server& smtp) {
        if (is_for_this_machine_only(server)) return;
        for (const IpNetwork& network : smtp.settings().trusted_proxies)
            if (host::is_too_wide(network))
                check.warn(
                    position_of(line_of(server, "SmtpTrustedProxies")),
                    format_text("SmtpTrustedProxies {} lets every client say who it is and whether it has logged "
                                "in, which makes this server an open relay; name only the addresses of your own "
                                "proxies",
                                network.to_string()));
    });
}

void passwords_in_the_clear(const Check& check) {
    check.for_each_smtp([&](const server_rec* server, const Server& smtp) {
        if (!smtp.settings().auth_without_tls || !smtp.settings().trusted_proxies.empty() || smtp.has_tls()) return;
        if (!is_public(server) || !smtp.offers_auth()) return;
        check.warn(
            position_of(line_of(server, "SmtpAuthWithoutTLS")),
            format_text("SmtpAuthWithoutTLS on lets clients of {} send their passwords unencrypted, so that others on "
                        "the path can read them; write \"SmtpStartTLS on\" instead, or let the virtual host listen on "
                        "an address of your own network only",
                        smtp.key()));
    });
}

void tls_demanded_of_everybody(const Check& check) {
    check.for_each_smtp([&](const server_rec* server, const Server& smtp) {
        if (smtp.settings().start_tls != engine::StartTls::required || smtp.settings().submission) return;
        if (!serves_port(server, 25) || !is_public(server)) return;
        check.warn(position_of(line_of(server, "SmtpStartTLS")),
                   "SmtpStartTLS required on port 25 loses the mail of servers without TLS, and RFC 3207 4 forbids it "
                   "for publicly referenced servers; write \"SmtpStartTLS on\"");
    });
}

// --- settings without use

/// A <VirtualHost> with directives of ours whose engine is off: "SmtpEngine on" was forgotten there. One that switches
/// the engine off itself means it.
void settings_without_engine(const Check& check) {
    for (const server_rec* server : check.servers()) {
        const ap_directive_t* const line = own_line_of(server, "SmtpPlugin");
        if (line == nullptr || config_of(server).runtime != nullptr || own_line_of(server, "SmtpEngine") != nullptr)
            continue;
        check.warn(
            position_of(line),
            "SmtpPlugin has no effect in this virtual host, because its SmtpEngine is off; write \"SmtpEngine on\"");
    }
}

/// RFC 5321 4.5.3.1.7.
void messages_too_small(const Check& check) {
    constexpr std::uint64_t least = 65536;
    check.for_each_smtp([&](const server_rec* server, const Server& smtp) {
        const std::uint64_t limit = smtp.settings().max_message_size;
        const ap_directive_t* const line = line_of(server, "SmtpMaxMessageSize");
        if (limit == 0 || limit >= least || line == nullptr) return;
        check.warn(
            position_of(line),
            format_text("SmtpMaxMessageSize {} rejects ordinary mail: every server must take messages of {} octets "
                        "(RFC 5321 4.5.3.1.7); k, m and g stand for KiB, MiB and GiB, as in \"SmtpMaxMessageSize 50m\"",
                        limit, least));
    });
}

// --- the MPM

void threads_that_wait(const Check& check) {
    int waits = 0;
#ifdef AP_MPMQ_CAN_WAITIO
    if (ap_mpm_query(AP_MPMQ_CAN_WAITIO, &waits) == APR_SUCCESS && waits != 0) return;
#endif
    bool any = false;
    check.for_each_smtp([&](const server_rec*, const Server&) { any = true; });
    if (!any || ap_state_query(AP_SQ_RUN_MODE) != AP_SQ_RM_CONFIG_TEST) return;
    int processes = 0, threads = 0;
    ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &processes);
    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    check.problems.push_back(host::note(
        format_text("with the MPM {} every SMTP session holds one of at most {} {} while it lasts, idle or not; under "
                    "mpm_event of httpd 2.4.63 or later an idle session holds none",
                    ap_show_mpm(), processes * std::max(threads, 1), threads > 1 ? "threads" : "processes")));
}

using Function = void(const Check&);
constexpr Function* checks[] = {host_without_listen,       mail_port_without_smtp,  listener_for_https,
                                host_behind_another,       everybody_is_a_proxy,    passwords_in_the_clear,
                                tls_demanded_of_everybody, settings_without_engine, messages_too_small,
                                threads_that_wait};

}  // namespace

std::vector<IpAddress> local_addresses_of(const server_rec* server) {
    std::vector<IpAddress> out;
    for (const Listener& listener : listeners()) {
        if (server->is_virtual == 0) out.push_back(listener.address);
        for (const Place& place : places_of(server))
            if ((place.port == 0 || place.port == listener.port) && is_covered(listener.address, place.address))
                out.push_back(is_any(place.address) ? listener.address : place.address);
    }
    if (out.empty())
        for (const Place& place : places_of(server)) out.push_back(place.address);
    return out;
}

bool is_for_this_machine_only(const server_rec* server) {
    const auto addresses = local_addresses_of(server);
    return !addresses.empty() && std::all_of(addresses.begin(), addresses.end(), is_loopback);
}

void check_hosts(const server_rec* main_server, host::Problems& problems) {
    const Check check{main_server, problems};
    for (Function* const function : checks) function(check);
}

}  // namespace smtpd::httpd
