/// stores.h: the namespaces of a server, each in the back end that SmtpStore names for it, and the back ends of a whole
/// configuration.
///
/// Made while the configuration is read. Only back ends of namespaces that some plugin opened come into being.
/// Thread-safe after start().
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
    std::string space;  ///< "": all namespaces that have no line of their own
    Address address;
    std::string where;  ///< "httpd.conf line 12"; "" for the default that nobody wrote
};

/// The back ends of a configuration; servers that name the same one share it.
class Backends {
public:
    struct Entry {
        Place place;  ///< of those that share it, the first one
        std::shared_ptr<Backend> backend;
    };

    enum class Access {
        full,
        dry_run  ///< what is there is seen, what is written is forgotten: see overlay_store.h
    };
    Backends(const Clock& clock, Events& events, Access access = Access::full)
        : clock_(clock), events_(events), access_(access) {}

    /// The back end of that place. An Error where it is already in use in another way: one file with two sizes.
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

/// What names a back end among all: two tables in memory are one only if they are for the same namespaces too.
std::string identity_of(const Place& place);

/// The namespaces of one server.
class Stores final : public StoreSpaces {
public:
    /// A later place for a namespace takes that of an earlier one. One for all others has to be among them.
    Stores(Backends& backends, std::vector<Place> places);
    ~Stores() override;

    Result<StoreSpace*> space(std::string_view name) override;
    /// Whether a plugin opened that namespace here.
    bool uses(std::string_view name) const { return spaces_.find(name) != spaces_.end(); }

private:
    class Space;
    const Place& place_of(std::string_view name) const;

    Backends& backends_;
    const std::vector<Place> places_;
    std::map<std::string, std::unique_ptr<Space>, std::less<>> spaces_;
};

}  // namespace smtpd::store
