#include "httpd/descriptors.h"

#include "httpd/server.h"
#include "httpd/tls.h"

#include "engine/replies.h"
#include "support/descriptor_budget.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>

#include <ap_listen.h>
#include <apr_portable.h>

#include <sys/resource.h>

namespace smtpd::httpd {
namespace {

using support::DescriptorBudget;

/// The table of sessions allows no more SMTP sessions than this, so no more descriptors are needed.
constexpr double most_connections = 65536;
/// mpm_event's default.
constexpr double default_factor = 2;

// The child's limits; set and cleared with its pool.
std::atomic<int> first_refused{INT_MAX};
std::atomic<unsigned> refused{0};
std::atomic<apr_time_t> last_told{0};
constexpr apr_time_t time_between_warnings = apr_time_from_sec(60);

/// The last directive of that name anywhere in the configuration.
const ap_directive_t* find_directive(const ap_directive_t* tree, const char* name) {
    const ap_directive_t* found = nullptr;
    for (; tree != nullptr; tree = tree->next) {
        if (strcasecmp(tree->directive, name) == 0) found = tree;
        if (const auto* inside = find_directive(tree->first_child, name)) found = inside;
    }
    return found;
}

unsigned threads_of_child() {
    int threads = 1;
    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    return static_cast<unsigned>(std::max(threads, 1));
}

bool waits_without_thread() {
    int waits = 0;
#ifdef AP_MPMQ_CAN_WAITIO
    if (ap_mpm_query(AP_MPMQ_CAN_WAITIO, &waits) != APR_SUCCESS) waits = 0;
#endif
    return waits != 0;
}

/// The connections that SmtpMaxConnections allows, if all listeners serve SMTP only and all their servers have a limit.
double limited_by_directives(const server_rec* main_server) {
    for (const ap_listen_rec* listener = ap_listeners; listener != nullptr; listener = listener->next)
        if (listener->protocol == nullptr || std::strcmp(listener->protocol, "smtp") != 0) return most_connections;
    double sum = 0;
    for (const server_rec* record = main_server; record != nullptr; record = record->next) {
        if (config_of(record).runtime == nullptr) continue;
        const auto limit = config_of(record).max_connections.value_or(0);
        if (limit == 0) return most_connections;
        sum += limit;
    }
    return sum;
}

/// How many connections a child may have at the same time.
unsigned connections_of_child(const server_rec* main_server, const ap_directive_t* factor) {
    const double threads = threads_of_child();
    if (!waits_without_thread()) return threads_of_child();
    const double given = factor != nullptr ? std::strtod(factor->args, nullptr) : default_factor;
    const double all = threads * (1 + (std::isfinite(given) && given > 0 ? given : default_factor));
    return static_cast<unsigned>(std::min({all, most_connections, limited_by_directives(main_server)}));
}

unsigned as_number(rlim_t limit) {
    return limit == RLIM_INFINITY ? UINT_MAX : static_cast<unsigned>(std::min<rlim_t>(limit, UINT_MAX));
}

bool has_any_server(const server_rec* main_server) {
    for (const server_rec* record = main_server; record != nullptr; record = record->next)
        if (config_of(record).runtime != nullptr) return true;
    return false;
}

void log_shortage(const conn_rec* connection) {
    const unsigned so_far = refused.fetch_add(1) + 1;
    apr_time_t told = last_told.load();
    const apr_time_t now = apr_time_now();
    if (now - told < time_between_warnings || !last_told.compare_exchange_strong(told, now)) return;
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, connection->base_server,
                 "SMTPD0074: this process has no descriptors left for clients and answers 421: %u so far; raise the "
                 "limit of open files",
                 so_far);
}

}  // namespace

void check_descriptors(server_rec* main_server) {
    rlimit limit{};
    if (!has_any_server(main_server) || getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const ap_directive_t* const factor = find_directive(ap_conftree, "AsyncRequestWorkerFactor");
    const unsigned threads = threads_of_child();
    const unsigned connections = connections_of_child(main_server, factor);
    const unsigned needed = DescriptorBudget::needed(connections, threads);
    const unsigned most = as_number(limit.rlim_max);
    if (needed <= most) return;
    const std::string where = factor != nullptr ? format_text("{}:{}: ", factor->filename, factor->line_num)
                                                : std::string();
    ap_log_error(
        APLOG_MARK, APLOG_WARNING | APLOG_STARTUP, 0, main_server,
        "SMTPD0073: %sa process may have %u connections (%u threads%s), which need %u open files, but the limit is %u "
        "(ulimit -Hn, systemd's LimitNOFILE): it allows about %u connections, and further clients get a 421 reply",
        where.c_str(), connections, threads, waits_without_thread() ? ", AsyncRequestWorkerFactor" : "", needed, most,
        DescriptorBudget::of(most, threads).connections());
}

void prepare_descriptors(apr_pool_t* child_pool, server_rec* main_server) {
    rlimit limit{};
    if (!has_any_server(main_server) || getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const unsigned threads = threads_of_child();
    const unsigned connections = connections_of_child(main_server,
                                                      find_directive(ap_conftree, "AsyncRequestWorkerFactor"));
    const rlimit wanted{std::min<rlim_t>(DescriptorBudget::needed(connections, threads), limit.rlim_max),
                        limit.rlim_max};
    if (wanted.rlim_cur > limit.rlim_cur && setrlimit(RLIMIT_NOFILE, &wanted) == 0) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, main_server, "the limit of open files was raised to %u from %u",
                     as_number(wanted.rlim_cur), as_number(limit.rlim_cur));
        limit = wanted;
    }
    const auto budget = DescriptorBudget::of(std::min(as_number(limit.rlim_cur), unsigned{INT_MAX}), threads);
    first_refused = static_cast<int>(budget.clients);
    for (server_rec* record = main_server; record != nullptr; record = record->next)
        if (Server* server = config_of(record).runtime) server->limit_descriptors(static_cast<int>(budget.files));
    apr_pool_cleanup_register(
        child_pool, nullptr,
        [](void*) noexcept -> apr_status_t {
            first_refused = INT_MAX;
            return APR_SUCCESS;
        },
        apr_pool_cleanup_null);
}

/// The reply bypasses httpd's filters: it is the first and only output on the socket, so the socket has room for it.
bool lacks_descriptors(conn_rec* connection) {
    apr_os_sock_t number = -1;
    apr_socket_t* const socket = ap_get_conn_socket(connection);
    if (socket == nullptr || apr_os_sock_get(&number, socket) != APR_SUCCESS ||
        number < first_refused.load(std::memory_order_relaxed))
        return false;
    log_shortage(connection);
    if (!is_for_tls(connection)) {
        const std::string reply = engine::reply(engine::StandardReply::overloaded).to_string();
        apr_size_t size = reply.size();
        apr_socket_send(socket, reply.data(), &size);
    }
    connection->aborted = 1;  // so that httpd closes it at once
    if (connection->cs != nullptr) connection->cs->state = CONN_STATE_LINGER;
    return true;
}

}  // namespace smtpd::httpd
