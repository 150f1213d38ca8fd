/// overlay_store.h: a back end for dry runs: shows what is in another one, and keeps what is written to itself, until
/// it goes.
///
/// Nothing is ever written below. What is there cannot always be read (a file that is another user's, memory of another
/// process): that is told to Events, once, and counts as empty.
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

/// An entry of another back end. `left` is nothing where nobody can tell.
struct SeenEntry {
    std::string value;
    std::optional<Duration> left;
};

/// What is read, and never written.
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
    std::mutex mutex_;  ///< guards what follows
    std::map<Key, Own> own_;
    bool is_unreadable_ = false;
};

/// What the back end of that address has, for a dry run of the server that uses it.
std::shared_ptr<Backend> make_overlay(const Address& address, const Clock& clock, Events& events);

}  // namespace smtpd::store
