/// child.h: what the sessions of one serving process share: ids, the waker, the list of sessions, the table in shared
/// memory.
#pragma once

#include "httpd/dns_latency_heuristic.h"
#include "httpd/session_table.h"

#include "net/cares_resolver.h"
#include "support/clock.h"
#include "support/heartbeat.h"
#include "support/leader_poll.h"
#include "support/random.h"
#include "support/waker.h"
#include "support/work_pool.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

namespace smtpd::httpd {

class ConnectionDriver;

class Child {
public:
    Child(SessionTable& table, const server_rec* main_server, bool is_async, unsigned threads,
          unsigned backend_threads);
    ~Child();

    support::SessionIds ids;
    SessionTable& table;
    const server_rec* const main_server;
    const bool is_signalled;  ///< signals end the process from the serving thread (mpm_prefork)
    const bool is_async;      ///< the MPM waits for the connections (mpm_event)
    support::Waker waker;
    support::WorkPool pool;           ///< for work that waits for something other than clients, the DNS and the clock
    support::LeaderPoll leader_poll;  ///< for the sessions in the middle of a dialogue
    DnsLatencyHeuristic dns_latency;

    /// The resolver with these settings; servers with the same settings share one. Only while the child starts.
    net::Resolver& resolver(const net::ResolverSettings& settings);
    /// Ends the child's own threads after they have finished their work.
    void stop_threads() noexcept;

    /// How long a session waits for its next command before its connection goes back to the MPM: the handover costs
    /// more than this wait, as long as enough threads are free.
    static constexpr std::chrono::milliseconds linger_time{20};
    /// Whether one more thread may wait for its client this way.
    bool may_linger() const noexcept { return waiting_threads_.load(std::memory_order_relaxed) < linger_limit_; }
    /// Counts a waiting thread.
    class Lingering {
    public:
        explicit Lingering(Child& child) noexcept : child_(child) {
            child_.waiting_threads_.fetch_add(1, std::memory_order_relaxed);
        }
        ~Lingering() { child_.waiting_threads_.fetch_sub(1, std::memory_order_relaxed); }
        Lingering(const Lingering&) = delete;
        Lingering& operator=(const Lingering&) = delete;

    private:
        Child& child_;
    };

    void add(ConnectionDriver& driver);
    void remove(ConnectionDriver& driver) noexcept;

    /// Stops the sessions: idle ones get a 421 at once, the others as soon as possible.
    void begin_stop(bool graceful) noexcept;
    /// The server restarts or stops. If only this child ends (MaxSpareThreads, MaxConnectionsPerChild), its sessions
    /// continue in it.
    bool is_stopping() const noexcept;
    /// The child must end now, even if sessions are in the middle of something.
    bool is_ending() const noexcept { return ending_.load(std::memory_order_relaxed); }

private:
    void look_at_sessions();

    std::atomic<unsigned> waiting_threads_{0};
    const unsigned linger_limit_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> ending_{false};
    /// Since when this child is ending while no other child serves, by the steady clock; 0: never.
    mutable std::atomic<std::chrono::steady_clock::rep> alone_since_{0};
    const support::SystemClock clock_;
    std::vector<std::unique_ptr<net::CaresResolver>> resolvers_;
    std::mutex mutex_;  ///< guards the list
    ConnectionDriver* first_ = nullptr;
};

/// The child's state; null before child_init and in the parent.
Child* current_child() noexcept;
/// The heartbeat, in a child that has a thread for it.
support::Heartbeat& heartbeat() noexcept;
/// Creates the child's state in its pool.
void start_child(apr_pool_t* pool, server_rec* main_server) noexcept;

}  // namespace smtpd::httpd
