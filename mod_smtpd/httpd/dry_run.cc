#include "httpd/dry_run.h"

#include "httpd/server.h"

#include "dry_run/dry_run.h"

#include <smtpd/base/files.h>
#include <smtpd/base/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <unistd.h>

namespace smtpd::httpd {
namespace {

Result<std::string> read_all(int descriptor) {
    std::string text;
    char buffer[64 * 1024];
    for (;;) {
        const auto octets = ::read(descriptor, buffer, sizeof buffer);
        if (octets == 0) return text;
        if (octets > 0) text.append(buffer, static_cast<std::size_t>(octets));
        else if (errno != EINTR) return os_error("its request cannot be read", errno);
    }
}

std::vector<Server*> servers_of(server_rec* main_server) {
    std::vector<Server*> out;
    for (server_rec* record = main_server; record != nullptr; record = record->next)
        if (Server* const server = config_of(record).runtime) out.push_back(server);
    return out;
}

/// Finds a server by "name" or "name:port". Without a name, there must be only one server.
Result<Server*> find_server(const std::vector<Server*>& servers, const std::string& name) {
    std::vector<Server*> found;
    std::string all;
    for (Server* const server : servers) {
        const std::string& key = server->key();
        all += (all.empty() ? "" : ", ") + key;
        if (name.empty() || name == key || name == key.substr(0, key.rfind(':'))) found.push_back(server);
    }
    if (found.size() == 1) return found.front();
    const auto wrong = [](std::string what) { return Error{ErrorCode::config, std::move(what), 0}; };
    if (servers.empty()) return wrong("no server of this configuration has SmtpEngine on");
    if (found.empty())
        return wrong(format_text("no server of that name has SmtpEngine on: {}; the servers are {}", name, all));
    return wrong(format_text("{} servers {} SmtpEngine on; name one with --host: {}", found.size(),
                             name.empty() ? "have" : "of that name have", all));
}

IpAddress loopback_like(const IpAddress& client) {
    if (client.is_v4()) return IpAddress::v4({127, 0, 0, 1});
    return IpAddress::v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
}

/// The address of the virtual host, if it has one in the client's family.
Endpoint local_of(const server_rec* record, const IpAddress& client) {
    Endpoint local{loopback_like(client), 25};
    for (const server_addr_rec* address = record->addrs; address != nullptr; address = address->next) {
        if (address->host_port != 0) local.port = address->host_port;
        char text[64] = "";
        if (address->host_addr == nullptr ||
            apr_sockaddr_ip_getbuf(text, sizeof text, address->host_addr) != APR_SUCCESS)
            continue;
        const auto parsed = IpAddress::parse(text);
        if (!parsed || parsed->is_v4() != client.is_v4() ||
            *parsed == *IpAddress::parse(client.is_v4() ? "0.0.0.0" : "::"))
            continue;
        local.address = *parsed;
        break;
    }
    return local;
}

}  // namespace

Result<dry_run::Request> DryRun::read_request(int descriptor) {
    const auto text = read_all(descriptor);
    return text ? dry_run::Request::from_text(*text) : Result<dry_run::Request>(text.error());
}

void DryRun::Events::add(const std::string& what) noexcept {
    try {
        texts.push_back(what);
    } catch (const std::bad_alloc&) {  // only a note is missing
    }
}

Result<std::string> DryRun::play(apr_pool_t* pool, server_rec* main_server, dry_run::MailOutcome& outcome) {
    const auto found = find_server(servers_of(main_server), request_.host);
    if (!found) return found.error();
    Server& server = **found;
    if (ap_run_drop_privileges(pool, main_server) != OK)
        return Error{ErrorCode::unavailable, "cannot change to the serving user", 0};
    const support::SystemClock clock;
    net::CaresResolver resolver(server.resolver_settings(), clock);
    const dry_run::Server stage{
        server.key(),      server.config().where, local_of(server.record(), request_.client.address),
        server.settings(), server.plugins(),      clock_,
        resolver,          server.has_tls(),      server.lender() != nullptr};
    if (request_.is_list)
        return outcome = dry_run::MailOutcome::accepted,
               request_.is_json ? dry_run::list_json(stage) : dry_run::list_text(stage);
    server.child_start();
    if (!server.is_ready())
        return Error{ErrorCode::unavailable, "a plugin cannot start; the server would defer every client", 0};
    auto report = dry_run::run(request_, stage);
    if (!report) return report.error();
    report->remarks = events_.texts;
    outcome = report->outcome();
    return request_.is_json ? dry_run::to_json(*report) : dry_run::to_text(*report);
}

void DryRun::run(apr_pool_t* pool, server_rec* main_server) {
    dry_run::MailOutcome outcome = dry_run::MailOutcome::failed;
    const auto output = play(pool, main_server, outcome);
    const std::string all = dry_run::with_outcome(output ? *output : output.error().what, outcome);
    std::signal(SIGPIPE, SIG_IGN);
    static_cast<void>(write_all(report_, all));  // the reader may have closed it
}

void start_dry_run(apr_pool_t* pool, server_rec* main_server) {
    DryRun* const dry_run = config_of(main_server).dry_run;
    if (dry_run == nullptr) return;
    guard(main_server, "SmtpTry", 0, [&] { return dry_run->run(pool, main_server), 0; });
}

}  // namespace smtpd::httpd
