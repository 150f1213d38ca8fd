#include "httpd/child.h"

#include "httpd/channel.h"
#include "httpd/connection_driver.h"
#include "httpd/mpm_event.h"
#include "httpd/stores.h"

#include "support/log_queues.h"

namespace smtpd::httpd {
namespace {

Child* the_child = nullptr;  // set and cleared with the child's pool

support::Waker::Report report_to(const server_rec* server) {
    return [server](const std::exception_ptr& fault) {
        guard(server, "a task of the child", 0, [&fault]() -> int { std::rethrow_exception(fault); });
    };
}

/// Registered first, so it runs last, when all sessions that could log have ended.
void finish_logs_with(apr_pool_t* pool) {
    apr_pool_cleanup_register(
        pool, nullptr,
        [](void*) noexcept -> apr_status_t {
            support::stop_log_queues();
            return APR_SUCCESS;
        },
        apr_pool_cleanup_null);
}

}  // namespace

/// Three quarters of the threads may wait a moment for their clients; the others stay free for new connections.
Child::Child(SessionTable& sessions, const server_rec* main, bool async, unsigned threads, unsigned backend_threads)
    : table(sessions),
      main_server(main),
      is_signalled(!is_threaded()),
      is_async(async),
      waker(threads, report_to(main)),
      pool(backend_threads, report_to(main)),
      leader_poll(linger_time),
      linger_limit_(threads - threads / 4) {
    if (!is_async) return;
    waker.every_second([] { heartbeat().beat(); });
    waker.every_second([this] { look_at_sessions(); });
    waker.every_second(nudge_listener);
}

Child::~Child() { stop_threads(); }

net::Resolver& Child::resolver(const net::ResolverSettings& settings) {
    for (const auto& known : resolvers_)
        if (known->settings() == settings) return *known;
    resolvers_.push_back(std::make_unique<net::CaresResolver>(settings, clock_));
    return *resolvers_.back();
}

/// Stops the resolvers first, because they give the waker work.
void Child::stop_threads() noexcept {
    for (const auto& resolver : resolvers_) resolver->stop();
    waker.stop();
    pool.stop();
    heartbeat().stop();
}

void Child::add(ConnectionDriver& driver) {
    const std::lock_guard lock(mutex_);
    driver.next = first_;
    if (first_ != nullptr) first_->previous = &driver;
    first_ = &driver;
}

void Child::remove(ConnectionDriver& driver) noexcept {
    const std::lock_guard lock(mutex_);
    if (driver.previous != nullptr) driver.previous->next = driver.next;
    else if (first_ == &driver) first_ = driver.next;
    if (driver.next != nullptr) driver.next->previous = driver.previous;
    driver.next = driver.previous = nullptr;
}

void Child::begin_stop(bool graceful) noexcept {
    stopping_.store(true, std::memory_order_relaxed);
    if (!graceful) ending_.store(true, std::memory_order_relaxed);
    if (!is_async) return;
    try {
        waker.at(std::chrono::steady_clock::now(), [this] { look_at_sessions(); });
    } catch (...) {
        // the check every second finds it
    }
}

/// A child that ends while no other one serves is replaced within a second unless the server is stopping.
bool Child::is_stopping() const noexcept {
    int state = 0;
    const bool ends = stopping_.load(std::memory_order_relaxed) ||
                      (ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS && state == AP_MPMQ_STOPPING);
    if (!ends) return false;
    if (is_ending() || is_signalled) return true;
    constexpr std::chrono::seconds until_replaced{2};
    switch (rest_of_server()) {
        case RestOfServer::restarted: return true;
        case RestOfServer::serves: return false;
        case RestOfServer::none: break;
    }
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    std::chrono::steady_clock::rep unset = 0;
    alone_since_.compare_exchange_strong(unset, now, std::memory_order_relaxed);
    return std::chrono::steady_clock::duration(now - alone_since_.load(std::memory_order_relaxed)) > until_replaced;
}

/// Copies the list, because sessions may end during the checks. Holding the drivers keeps them alive, but not their
/// connections.
void Child::look_at_sessions() {
    const bool stopping = is_stopping();
    std::vector<std::shared_ptr<ConnectionDriver>> all;
    {
        const std::lock_guard lock(mutex_);
        for (ConnectionDriver* driver = first_; driver != nullptr; driver = driver->next)
            if (auto held = driver->weak_from_this().lock()) all.push_back(std::move(held));
    }
    for (const auto& driver : all) driver->every_second(stopping);
}

Child* current_child() noexcept { return the_child; }

support::Heartbeat& heartbeat() noexcept {
    static support::Heartbeat the_heartbeat;
    return the_heartbeat;
}

void start_child(apr_pool_t* pool, server_rec* main_server) noexcept {
    guard(main_server, "child_init", 0, [&] {
        bool any = false;
        finish_logs_with(pool);
        start_stores(pool, main_server);
        for (server_rec* record = main_server; record != nullptr; record = record->next)
            if (Server* server = config_of(record).runtime) {
                server->child_start();
                any = true;
            }
        SessionTable* table = SessionTable::get(main_server->process->pool, 0);
        if (!any || table == nullptr) return 0;
        int threads = 1;
        ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
        int waits = 0;
#ifdef AP_MPMQ_CAN_WAITIO
        if (ap_mpm_query(AP_MPMQ_CAN_WAITIO, &waits) != APR_SUCCESS) waits = 0;
#endif
        the_child = new Child(*table, main_server, waits != 0, static_cast<unsigned>(std::max(threads, 1)),
                              config_of(main_server).backend_threads.value_or(default_backend_threads));
        if (ServerStores* stores = config_of(main_server).server_stores; stores != nullptr && the_child->is_async)
            the_child->waker.every_second([stores] { stores->backends().tick(); });
        for (server_rec* record = main_server; record != nullptr; record = record->next)
            if (Server* server = config_of(record).runtime)
                server->use_resolver(the_child->resolver(server->resolver_settings()));
        // First the child's threads end, then the pools of connections that refer to the child, then the child.
        apr_pool_pre_cleanup_register(pool, nullptr, [](void*) noexcept -> apr_status_t {
            the_child->stop_threads();
            return APR_SUCCESS;
        });
        apr_pool_cleanup_register(
            pool, nullptr,
            [](void*) noexcept -> apr_status_t {
                delete the_child;
                the_child = nullptr;
                return APR_SUCCESS;
            },
            apr_pool_cleanup_null);
        return 0;
    });
}

}  // namespace smtpd::httpd
