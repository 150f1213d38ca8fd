/// stores.cc: namespaces in front of back ends: rejects values that are too large or empty, and limits the time of
/// operations.
#include "store/stores.h"

#include "store/overlay_store.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <exception>

namespace smtpd::store {
namespace {

constexpr std::size_t max_page = 1000;

Error refused(std::string what) { return {ErrorCode::config, std::move(what), 0}; }

Result<void> check_key(std::string_view space, std::string_view key) {
    if (key.empty()) return refused(format_text("an entry of {} has no key", space));
    if (key.size() > max_store_key)
        return refused(format_text("a key in {} has {} octets; the limit is {}", space, key.size(), max_store_key));
    return {};
}

Result<void> check_entry(std::string_view space, std::string_view key, std::string_view value, Duration lifetime) {
    if (auto good = check_key(space, key); !good) return good;
    if (value.size() > max_store_value)
        return refused(
            format_text("a value in {} has {} octets; the limit is {}", space, value.size(), max_store_value));
    if (lifetime.count() <= 0) return refused(format_text("an entry of {} would have no lifetime", space));
    return {};
}

}  // namespace

/// Adds the name, the limits and the time to a back end's operations.
class Stores::Space final : public StoreSpace {
public:
    Space(std::string name, std::shared_ptr<Backend> backend) : name_(std::move(name)), backend_(std::move(backend)) {}

    Result<std::optional<std::string>> get(std::string_view key, Duration timeout) override {
        if (const auto good = check_key(name_, key); !good) return good.error();
        return backend_->get({name_, key}, limit(timeout));
    }
    Result<void> put(std::string_view key, std::string_view value, Duration lifetime, Duration timeout) override {
        if (const auto good = check_entry(name_, key, value, lifetime); !good) return good.error();
        return backend_->put({name_, key}, value, shortened(lifetime), limit(timeout));
    }
    Result<std::optional<std::string>> put_if_absent(std::string_view key, std::string_view value, Duration lifetime,
                                                     Duration timeout) override {
        if (const auto good = check_entry(name_, key, value, lifetime); !good) return good.error();
        return backend_->put_if_absent({name_, key}, value, shortened(lifetime), limit(timeout));
    }
    Result<std::int64_t> add(std::string_view key, std::int64_t amount, Duration lifetime, AddOptions options,
                             Duration timeout) override {
        if (const auto good = check_entry(name_, key, {}, lifetime); !good) return good.error();
        return backend_->add({name_, key}, amount, shortened(lifetime), options, limit(timeout));
    }
    Result<bool> replace(std::string_view key, std::optional<std::string_view> expected, std::string_view value,
                         Duration lifetime, Duration timeout) override {
        if (const auto good = check_entry(name_, key, value, lifetime); !good) return good.error();
        return backend_->replace({name_, key}, expected, value, shortened(lifetime), limit(timeout));
    }
    Result<bool> remove(std::string_view key, Duration timeout) override {
        if (const auto good = check_key(name_, key); !good) return good.error();
        return backend_->remove({name_, key}, limit(timeout));
    }
    Result<StorePage<std::string>> list(std::string_view prefix, std::size_t count, std::string_view from,
                                        Duration timeout) override {
        if (prefix.size() > max_store_key) return StorePage<std::string>();
        return backend_->list({name_, prefix}, std::clamp<std::size_t>(count, 1, max_page), from, limit(timeout));
    }

    support::Lane* lane() const noexcept override { return backend_->lane(); }

private:
    Limit limit(Duration timeout) const {
        return std::chrono::steady_clock::now() + std::clamp(timeout, Duration(0), backend_->timeout());
    }
    static Duration shortened(Duration lifetime) { return std::min(lifetime, max_store_lifetime); }

    const std::string name_;
    const std::shared_ptr<Backend> backend_;
};

std::string identity_of(const Place& place) {
    std::string identity = place.address.identity();
    if (place.address.kind == Address::Kind::memory) identity += " " + place.space;
    return identity;
}

Result<std::shared_ptr<Backend>> Backends::get(const Place& place) {
    const std::string identity = identity_of(place);
    for (const auto& entry : entries_) {
        if (identity_of(entry.place) != identity) continue;
        const Address& first = entry.place.address;
        if (first.size == place.address.size && first.timeout == place.address.timeout) return entry.backend;
        return refused(format_text("{} already has other options from {}", place.address.to_string(),
                                   entry.place.where.empty() ? "the default" : entry.place.where));
    }
    const auto make = access_ == Access::dry_run ? make_overlay : make_backend;
    entries_.push_back({place, make(place.address, clock_, events_)});
    return entries_.back().backend;
}

void Backends::start() noexcept {
    for (const auto& entry : entries_) entry.backend->start();
}

void Backends::stop() noexcept {
    for (const auto& entry : entries_) entry.backend->stop();
}

void Backends::tick() noexcept {
    for (const auto& entry : entries_) entry.backend->tick();
}

Stores::Stores(Backends& backends, std::vector<Place> places) : backends_(backends), places_(std::move(places)) {}

Stores::~Stores() = default;

const Place& Stores::place_of(std::string_view name) const {
    const auto is_of = [](std::string_view wanted) {
        return [wanted](const Place& place) { return place.space == wanted; };
    };
    const auto own = std::find_if(places_.rbegin(), places_.rend(), is_of(name));
    return own != places_.rend() ? *own : *std::find_if(places_.rbegin(), places_.rend(), is_of({}));
}

Result<StoreSpace*> Stores::space(std::string_view name) {
    if (const auto known = spaces_.find(name); known != spaces_.end())
        return static_cast<StoreSpace*>(known->second.get());
    if (!is_space_name(name))
        return refused(format_text("\"{}\" is not a valid namespace of the store", detail::escape_field(name)));
    auto backend = backends_.get(place_of(name));
    if (!backend) return backend.error();
    return static_cast<StoreSpace*>(
        spaces_.emplace(name, std::make_unique<Space>(std::string(name), std::move(*backend))).first->second.get());
}

}  // namespace smtpd::store
