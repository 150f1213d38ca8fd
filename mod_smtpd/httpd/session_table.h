/// session_table.h: all SMTP sessions of all children, in shared memory: the basis of limits and of the status page.
///
/// A session takes a row when it begins and returns it when it ends. Rows belong to a process; the parent returns those
/// of a child that died, so that even kill -9 loses none. Counts by server and by client (the address cut to a prefix)
/// are stored beside the rows and can always be recomputed from them, which happens if a process dies while it holds
/// the lock (a robust mutex). Keys that depend on clients' input are hashed with a random key in the table: all
/// processes share the key, and outsiders do not know it. Thread- and process-safe.
#pragma once

#include "httpd/apache.h"

#include "engine/session.h"
#include "support/key_counts.h"
#include "support/keyed_hash.h"

#include <smtpd/base/ip.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <pthread.h>
#include <sys/types.h>

namespace smtpd::httpd {

/// A row as the status page reads it.
struct SessionRow {
    std::string id;
    std::string server;
    std::string client;
    pid_t process = 0;
    std::string_view phase;
    std::string_view verb;
    std::int64_t seconds = 0;
    std::uint32_t messages = 0;
};

class SessionTable {
public:
    using Row = std::int32_t;
    static constexpr Row none = -1;

    enum class Refusal { none, server_full, client_full, table_full };
    struct Admission {
        Row row = none;
        Refusal refusal = Refusal::none;
        std::uint32_t of_client = 0;  ///< current sessions of this client, this one included
    };

    /// The table of this server, created once and kept across restarts in the pool of the process. Null if it cannot be
    /// created.
    static SessionTable* get(apr_pool_t* process_pool, std::uint32_t rows);

    Admission admit(std::string_view id, std::string_view server, const IpAddress& client, const IpAddress& prefix,
                    unsigned max_of_server, unsigned max_of_client);
    void update(Row row, engine::Phase phase, smtp::Verb verb, std::uint32_t messages) noexcept;
    void leave(Row row) noexcept;
    void forget_process(pid_t process) noexcept;
    std::vector<SessionRow> rows();
    std::uint32_t capacity() const noexcept { return size_; }

private:
    struct Entry {
        std::int32_t next = none;       ///< free list
        std::atomic<pid_t> process{0};  ///< 0 = free; set after all other members
        std::uint64_t server_key = 0;
        std::uint64_t client_key = 0;
        std::int64_t since = 0;
        char id[16] = {};
        char server[40] = {};
        char client[48] = {};
        std::atomic<std::uint32_t> messages{0};
        std::atomic<std::uint8_t> phase{0};
        std::atomic<std::uint8_t> verb{0};
    };
    using Counter = support::KeyCounts::Slot;
    class Lock;

    std::uint64_t key_of(std::string_view server, const IpAddress* prefix) const noexcept;
    Row take_row() noexcept;
    void release(Row row) noexcept;
    void rebuild() noexcept;

    pthread_mutex_t mutex_;
    support::HashKey hash_key_;
    std::uint32_t size_ = 0;
    std::uint32_t counters_ = 0;  ///< a power of two, at least four times size_
    std::uint32_t used_ = 0;      ///< rows that were ever used
    std::int32_t first_free_ = none;

    Entry* entries() noexcept;
    support::KeyCounts counts() noexcept;
};

}  // namespace smtpd::httpd
