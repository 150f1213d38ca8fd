/// overlay_store.h: a back end for dry runs: shows the entries of another back end, and keeps changes to itself, until
/// it is destroyed.
///
/// It never writes to the other back end. Reading may be impossible (a file of another user, memory of another
/// process): Events reports that once, and the other back end counts as empty.
#pragma once

#include "store/address.h"
#include "store/backend.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace smtpd::store {

/// An entry of another back end. `left` is nothing if the remaining time is unknown.
struct SeenEntry {
    std::string value;
    std::optional<Duration> left;
};

/// The read-only view of the other back end.
class Underlay {
public:
    virtual ~Underlay() = default;
    virtual Result<std::optional<SeenEntry>> get(const Item& item, Limit limit) noexcept = 0;
    virtual Result<Backend::Page> list(const Item& prefix, std::size_t count, std::string_view from,
                                       Limit limit) noexcept = 0;
    virtual void stop() noexcept {}
};

class OverlayStore final : public LocalBackend {
public:
    OverlayStore(std::unique_ptr<Underlay> below, Duration timeout, const Clock& clock, Events& events)
        : LocalBackend(timeout), below_(std::move(below)), clock_(clock), events_(events) {}

    void start() noexcept override {}
    void stop() noexcept override { below_->stop(); }
    Found get(const Item& item, Limit limit) noexcept override;
    Result<Page> list(const Item& prefix, std::size_t count, std::string_view from, Limit limit) noexcept override;

private:
    struct Own {
        std::optional<std::string> value;  ///< nothing: removed
        MonotonicTime expires;
    };
    using Key = std::pair<std::string, std::string>;

    Result<void> change(const Item& item, const Decide& decide, Limit limit) noexcept override;
    std::optional<SeenEntry> find(const Item& item, Limit limit);
    void cannot_read(const Error& problem);

    const std::unique_ptr<Underlay> below_;
    const Clock& clock_;
    Events& events_;
    std::mutex mutex_;  ///< guards the members below
    std::map<Key, Own> own_;
    bool is_unreadable_ = false;
};

/// An overlay over the back end of that address, for a dry run of the server that uses it.
std::shared_ptr<Backend> make_overlay(const Address& address, const Clock& clock, Events& events);

}  // namespace smtpd::store
