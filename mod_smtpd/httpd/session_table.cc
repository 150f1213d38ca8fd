#include "httpd/session_table.h"

#include <apr_shm.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <new>

#include <unistd.h>

namespace smtpd::httpd {
namespace {

/// Includes the version of the table's layout, so that a table left in the pool by an older module is not used.
constexpr const char* pool_key = "smtpd session table 2";

void copy_text(char* target, std::size_t size, std::string_view text) noexcept {
    const std::size_t length = std::min(text.size(), size - 1);
    std::memcpy(target, text.data(), length);
    target[length] = '\0';
}

}  // namespace

/// Holds the table's mutex. If a process died while it held the mutex, the counts are rebuilt.
class SessionTable::Lock {
public:
    explicit Lock(SessionTable& table) noexcept : table_(table) {
        if (pthread_mutex_lock(&table_.mutex_) == EOWNERDEAD) {
            table_.rebuild();
            pthread_mutex_consistent(&table_.mutex_);
        }
    }
    ~Lock() { pthread_mutex_unlock(&table_.mutex_); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

private:
    SessionTable& table_;
};

SessionTable* SessionTable::get(apr_pool_t* process_pool, std::uint32_t rows) {
    void* known = nullptr;
    apr_pool_userdata_get(&known, pool_key, process_pool);
    if (known != nullptr) return static_cast<SessionTable*>(known);

    const std::uint32_t counters = std::bit_ceil(rows * 4);
    const apr_size_t size = sizeof(SessionTable) + rows * sizeof(Entry) + counters * sizeof(Counter) + 128;
    const support::HashKey hash_key = support::HashKey::random();
    apr_shm_t* segment = nullptr;
    if (apr_shm_create(&segment, size, nullptr, process_pool) != APR_SUCCESS) return nullptr;
    auto* memory = apr_shm_baseaddr_get(segment);  // zero pages: rows that are never used cost nothing
    auto* table = new (memory) SessionTable;
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&table->mutex_, &attributes);
    pthread_mutexattr_destroy(&attributes);
    table->hash_key_ = hash_key;
    table->size_ = rows;
    table->counters_ = counters;
    apr_pool_userdata_set(table, pool_key, nullptr, process_pool);  // copies the key, which disappears with this DSO
    return table;
}

SessionTable::Entry* SessionTable::entries() noexcept {
    static_assert(alignof(Entry) <= alignof(std::max_align_t));
    return reinterpret_cast<Entry*>(this + 1);
}

support::KeyCounts SessionTable::counts() noexcept {
    return support::KeyCounts({reinterpret_cast<Counter*>(entries() + size_), counters_});
}

/// Never 0. Two clients share a key only if their 64-bit hashes collide, which clients cannot provoke without knowing
/// the hash's key.
std::uint64_t SessionTable::key_of(std::string_view server, const IpAddress* prefix) const noexcept {
    support::KeyedHash hash(hash_key_);
    hash.add(server);
    if (prefix != nullptr) {
        hash.add(static_cast<std::uint8_t>(prefix->bits()));
        for (const std::uint8_t octet : prefix->bytes()) hash.add(octet);
    }
    const std::uint64_t value = hash.value();
    return value == 0 ? 1 : value;
}

SessionTable::Admission SessionTable::admit(std::string_view id, std::string_view server, const IpAddress& client,
                                            const IpAddress& prefix, unsigned max_of_server, unsigned max_of_client) {
    const std::string client_text = client.to_string();
    const std::int64_t now = std::time(nullptr);
    const pid_t process = getpid();
    const std::uint64_t server_key = key_of(server, nullptr);
    const std::uint64_t client_key = key_of(server, &prefix);
    const Lock lock(*this);
    support::KeyCounts counts = this->counts();
    const std::uint32_t of_client = counts.count(client_key);
    Admission admission;
    admission.of_client = of_client + 1;
    if (max_of_server != 0 && counts.count(server_key) >= max_of_server) admission.refusal = Refusal::server_full;
    else if (max_of_client != 0 && of_client >= max_of_client) admission.refusal = Refusal::client_full;
    else if (first_free_ == none && used_ == size_) admission.refusal = Refusal::table_full;
    if (admission.refusal != Refusal::none) return admission;

    admission.row = take_row();
    Entry& entry = entries()[admission.row];
    entry.server_key = server_key;
    entry.client_key = client_key;
    entry.since = now;
    copy_text(entry.id, sizeof entry.id, id);
    copy_text(entry.server, sizeof entry.server, server);
    copy_text(entry.client, sizeof entry.client, client_text);
    entry.messages.store(0, std::memory_order_relaxed);
    entry.phase.store(0, std::memory_order_relaxed);
    entry.verb.store(0, std::memory_order_relaxed);
    counts.add(server_key);
    counts.add(client_key);
    entry.process.store(process, std::memory_order_release);
    return admission;
}

/// A row from the free list, or one that was never used. Unused rows are first touched here, so that a large table only
/// costs what is in use.
SessionTable::Row SessionTable::take_row() noexcept {
    if (first_free_ == none) {
        new (&entries()[used_]) Entry;
        return static_cast<Row>(used_++);
    }
    const Row row = first_free_;
    first_free_ = entries()[row].next;
    return row;
}

void SessionTable::update(Row row, engine::Phase phase, smtp::Verb verb, std::uint32_t messages) noexcept {
    if (row == none) return;
    Entry& entry = entries()[row];
    entry.phase.store(static_cast<std::uint8_t>(phase), std::memory_order_relaxed);
    entry.verb.store(static_cast<std::uint8_t>(verb), std::memory_order_relaxed);
    entry.messages.store(messages, std::memory_order_relaxed);
}

void SessionTable::leave(Row row) noexcept {
    if (row == none) return;
    const Lock lock(*this);
    release(row);
}

void SessionTable::release(Row row) noexcept {
    Entry& entry = entries()[row];
    if (entry.process.exchange(0, std::memory_order_acq_rel) == 0) return;
    support::KeyCounts counts = this->counts();
    counts.remove(entry.server_key);
    counts.remove(entry.client_key);
    entry.next = first_free_;
    first_free_ = row;
}

void SessionTable::forget_process(pid_t process) noexcept {
    const Lock lock(*this);
    for (std::uint32_t i = 0; i < used_; ++i)
        if (entries()[i].process == process) release(static_cast<Row>(i));
}

/// Rebuilds counts and free list from the rows, whatever state they were left in.
void SessionTable::rebuild() noexcept {
    support::KeyCounts counts = this->counts();
    counts.clear();
    first_free_ = none;
    for (std::uint32_t i = used_; i-- > 0;) {
        Entry& entry = entries()[i];
        if (entry.process == 0) {
            entry.next = first_free_;
            first_free_ = static_cast<std::int32_t>(i);
        } else {
            counts.add(entry.server_key);
            counts.add(entry.client_key);
        }
    }
}

std::vector<SessionRow> SessionTable::rows() {
    std::vector<SessionRow> out;
    const std::int64_t now = std::time(nullptr);
    const Lock lock(*this);
    for (std::uint32_t i = 0; i < used_; ++i) {
        const Entry& entry = entries()[i];
        if (entry.process == 0) continue;
        out.push_back({entry.id, entry.server, entry.client, entry.process,
                       engine::phase_name(static_cast<engine::Phase>(entry.phase.load(std::memory_order_relaxed))),
                       smtp::verb_name(static_cast<smtp::Verb>(entry.verb.load(std::memory_order_relaxed))),
                       now - entry.since, entry.messages.load(std::memory_order_relaxed)});
    }
    return out;
}

}  // namespace smtpd::httpd
