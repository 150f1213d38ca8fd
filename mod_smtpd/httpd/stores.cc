#include "httpd/stores.h"

#include "httpd/dry_run.h"
#include "httpd/serving_user.h"
#include "support/paths.h"

#include "store/file_store.h"
#include "store/memory_store.h"

#include <smtpd/base/format.h>

#include <sys/stat.h>
#include <unistd.h>

#include <unixd.h>

#ifndef SMTPD_STATE_DIR
#error "SMTPD_STATE_DIR: where state is kept"
#endif

namespace smtpd::httpd {
namespace {

constexpr const char* default_store = "file:" SMTPD_STATE_DIR "/store";
constexpr const char* pool_key = "smtpd store tables";

/// A table in memory that outlives the configuration: the table and its name live in the pool of the process. It
/// contains no code of this DSO, because another version may replace the DSO.
struct KnownTable {
    KnownTable* next;
    const char* identity;
    void* table;  ///< null: abandoned
    bool is_used;
};

KnownTable* known_tables(apr_pool_t* pool) {
    void* known = nullptr;
    apr_pool_userdata_get(&known, pool_key, pool);
    return static_cast<KnownTable*>(known);
}

/// The table of that name from before the restart if it fits, otherwise a new one.
void* table_for(const std::string& identity, std::size_t size, apr_pool_t* pool) {
    for (KnownTable* known = known_tables(pool); known != nullptr; known = known->next) {
        if (identity != known->identity || !store::MemoryStore::fits(known->table, size)) continue;
        known->is_used = true;
        return known->table;
    }
    void* const table = store::MemoryStore::map(size);
    if (table == nullptr) return nullptr;
    auto* const fresh = static_cast<KnownTable*>(apr_palloc(pool, sizeof(KnownTable)));
    *fresh = {known_tables(pool), apr_pstrdup(pool, identity.c_str()), table, true};
    apr_pool_userdata_set(fresh, pool_key, nullptr, pool);
    return table;
}

}  // namespace

bool children_may_write(const std::string& directory) {
    return access_of_serving_user({{directory, W_OK | X_OK}}).front() == 0;
}

// --- the log ---

void ServerStores::Log::damaged(const std::string& what) noexcept {
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server_, "SMTPD0020: %s", what.c_str());
}

void ServerStores::Log::unreachable(const std::string& what) noexcept {
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, server_, "SMTPD0021: %s", what.c_str());
}

void ServerStores::Log::reachable(const std::string& what) noexcept {
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, server_, "%s", what.c_str());
}

// --- the configuration ---

ServerStores::ServerStores(server_rec* main_server, DryRun* dry_run)
    : log_(main_server),
      backends_(dry_run ? static_cast<const Clock&>(dry_run->clock()) : clock_,
                dry_run ? dry_run->store_events() : log_,
                dry_run ? store::Backends::Access::dry_run : store::Backends::Access::full) {}

Result<store::Place> read_store_place(const std::vector<std::string>& words, std::string where, apr_pool_t* pool) {
    const auto resolve = [pool](std::string_view path) {
        const char* full = ap_server_root_relative(pool, std::string(path).c_str());
        return std::string(full != nullptr ? full : path);
    };
    store::Place place;
    std::vector<std::string> rest = words;
    if (rest.size() > 1 && !store::Address::is_one(rest.front())) {
        place.space = rest.front();
        if (!store::is_space_name(place.space))
            return Error{
                ErrorCode::config,
                format_text(
                    "\"{}\" is not a valid namespace: a name has up to 64 letters, digits, \"-\", \"_\" and \".\"",
                    place.space),
                0};
        rest.erase(rest.begin());
    }
    auto address = store::Address::parse(rest, resolve);
    if (!address) return address.error();
    place.address = std::move(*address);
    place.where = std::move(where);
    return place;
}

std::vector<store::Place> store_places(const ServerConfig& config) {
    std::vector<store::Place> places{{{}, *store::Address::parse({default_store}, {}), {}}};
    places.insert(places.end(), config.stores.begin(), config.stores.end());
    return places;
}

/// A file's directory exists and the children can use it, or it can be created in an existing one.
void ServerStores::check(host::Problems& problems) const {
    for (const auto& entry : backends_.all()) {
        const store::Address& address = entry.place.address;
        if (address.kind != store::Address::Kind::file) continue;
        const std::string folder = support::folder_of(address.path);
        const std::string above = support::folder_of(folder);
        const std::string subject = format_text("SmtpStore {}", address.to_string());
        if (support::is_folder(address.path))
            problems.push_back({true, entry.place.where, format_text("{}: this is a directory, not a file", subject)});
        else if (support::is_folder(folder) && !children_may_write(folder))
            problems.push_back({true, entry.place.where,
                                format_text("{}: the serving user ({}) cannot create files in {}; run: {}", subject,
                                            name_of_serving_user(), folder, command_for_directory(folder))});
        else if (!support::is_folder(folder) && !support::is_folder(above))
            problems.push_back({true, entry.place.where, format_text("{}: there is no directory {}", subject, folder)});
        else if (!support::is_folder(folder) && ::access(above.c_str(), W_OK | X_OK) != 0)
            problems.push_back({true, entry.place.where,
                                format_text("{}: the directory {} is missing and cannot be created", subject, folder)});
    }
}

bool ServerStores::prepare(server_rec* main_server) {
    apr_pool_t* const pool = main_server->process->pool;
    for (KnownTable* known = known_tables(pool); known != nullptr; known = known->next) known->is_used = false;
    for (const auto& entry : backends_.all()) {
        const store::Address& address = entry.place.address;
        if (address.kind == store::Address::Kind::memory) {
            void* const table = table_for(store::identity_of(entry.place), address.size, pool);
            if (table == nullptr) {
                ap_log_error(APLOG_MARK, APLOG_CRIT, 0, main_server, "SMTPD0022: no shared memory for SmtpStore %s",
                             address.to_string().c_str());
                return false;
            }
            static_cast<store::MemoryStore&>(*entry.backend).attach(table);
        }
        if (address.kind == store::Address::Kind::file) static_cast<store::FileStore&>(*entry.backend).share();
        const std::string folder = support::folder_of(address.path);
        if (address.kind != store::Address::Kind::file || ::mkdir(folder.c_str(), 0700) != 0) continue;
        if (::geteuid() == 0 && ::chown(folder.c_str(), ap_unixd_config.user_id, ap_unixd_config.group_id) != 0)
            ap_log_error(APLOG_MARK, APLOG_ERR, errno, main_server, "SMTPD0023: cannot give %s to the serving user",
                         folder.c_str());
    }
    // Children of the old configuration keep their own mappings of the tables that are unmapped here.
    for (KnownTable* known = known_tables(pool); known != nullptr; known = known->next)
        if (!known->is_used) store::MemoryStore::unmap(std::exchange(known->table, nullptr));
    return true;
}

bool prepare_stores(server_rec* main_server) {
    ServerStores* const stores = config_of(main_server).server_stores;
    return stores == nullptr || stores->prepare(main_server);
}

void start_stores(apr_pool_t* pool, server_rec* main_server) {
    ServerStores* const stores = config_of(main_server).server_stores;
    if (stores == nullptr) return;
    stores->backends().start();
    apr_pool_cleanup_register(
        pool, &stores->backends(),
        [](void* backends) noexcept -> apr_status_t {
            static_cast<store::Backends*>(backends)->stop();
            return APR_SUCCESS;
        },
        apr_pool_cleanup_null);
}

}  // namespace smtpd::httpd
