/// stores.h: the namespaces of a server, each in the back end that SmtpStore names for it, and the back ends of a whole
/// configuration.
///
/// Created while the configuration is read. Only back ends of namespaces that a plugin opened are created. Thread-safe
/// after start().
#pragma once

#include "store/address.h"
#include "store/backend.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::store {

/// One SmtpStore line.
struct Place {
    std::string space;  ///< "": all namespaces without a line of their own
    Address address;
    std::string where;  ///< "httpd.conf line 12"; "" for the default
};

/// The back ends of a configuration; servers that name the same one share it.
class Backends {
public:
    struct Entry {
        Place place;  ///< the first of the places that share it
        std::shared_ptr<Backend> backend;
    };

    enum class Access {
        full,
        dry_run  ///< existing entries are visible, changes are discarded: see overlay_store.h
    };
    Backends(const Clock& clock, Events& events, Access access = Access::full)
        : clock_(clock), events_(events), access_(access) {}

    /// The back end of that place. An Error if it is already used with other options, such as one file with two sizes.
    Result<std::shared_ptr<Backend>> get(const Place& place);
    const std::vector<Entry>& all() const noexcept { return entries_; }

    void start() noexcept;
    void stop() noexcept;
    void tick() noexcept;

private:
    const Clock& clock_;
    Events& events_;
    const Access access_;
    std::vector<Entry> entries_;
};

/// Identifies a back end among all: two tables in memory are the same only if they are also for the same namespaces.
std::string identity_of(const Place& place);

/// The namespaces of one server.
class Stores final : public StoreSpaces {
public:
    /// A later place for a namespace replaces an earlier one. One of them must be for all other namespaces.
    Stores(Backends& backends, std::vector<Place> places);
    ~Stores() override;

    Result<StoreSpace*> space(std::string_view name) override;
    /// Whether a plugin of this server opened that namespace.
    bool uses(std::string_view name) const { return spaces_.find(name) != spaces_.end(); }

private:
    class Space;
    const Place& place_of(std::string_view name) const;

    Backends& backends_;
    const std::vector<Place> places_;
    std::map<std::string, std::unique_ptr<Space>, std::less<>> spaces_;
};

}  // namespace smtpd::store
