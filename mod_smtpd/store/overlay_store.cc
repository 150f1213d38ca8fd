#include "store/overlay_store.h"

#include "store/file_reader.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <exception>

namespace smtpd::store {
namespace {

/// Reads from the back end that the server itself would use. It does not provide the remaining lifetime.
class ReadRedis final : public Underlay {
public:
    explicit ReadRedis(const Address& address) : redis_(address.redis, silence_) { redis_.start(); }
    void stop() noexcept override { redis_.stop(); }
    Result<std::optional<SeenEntry>> get(const Item& item, Limit limit) noexcept override {
        auto found = redis_.get(item, limit);
        if (!found) return found.error();
        if (!*found) return std::optional<SeenEntry>();
        return std::optional(SeenEntry{std::move(**found), std::nullopt});
    }
    Result<Backend::Page> list(const Item& prefix, std::size_t count, std::string_view from,
                               Limit limit) noexcept override {
        return redis_.list(prefix, count, from, limit);
    }

private:
    NoEvents silence_;
    RedisStore redis_;
};

/// For memory, which only the running server can read.
class ReadNothing final : public Underlay {
public:
    explicit ReadNothing(std::string place) : place_(std::move(place)) {}
    Result<std::optional<SeenEntry>> get(const Item&, Limit) noexcept override { return none(); }
    Result<Backend::Page> list(const Item&, std::size_t, std::string_view, Limit) noexcept override { return none(); }

private:
    Error none() const { return {ErrorCode::unavailable, place_ + " belongs to the running server", 0}; }
    const std::string place_;
};

}  // namespace

std::shared_ptr<Backend> make_overlay(const Address& address, const Clock& clock, Events& events) {
    std::unique_ptr<Underlay> below;
    switch (address.kind) {
        case Address::Kind::file: below = std::make_unique<FileReader>(address.path, clock); break;
        case Address::Kind::memory: below = std::make_unique<ReadNothing>(address.to_string()); break;
        case Address::Kind::redis: below = std::make_unique<ReadRedis>(address); break;
    }
    return std::make_shared<OverlayStore>(std::move(below), address.timeout, clock, events);
}

/// Reported once; from then on the other back end counts as empty.
void OverlayStore::cannot_read(const Error& problem) {
    if (!std::exchange(is_unreadable_, true))
        events_.unreachable(format_text("{}; it is treated as empty", problem.what));
}

/// The current entry: our own, or the other back end's.
std::optional<SeenEntry> OverlayStore::find(const Item& item, Limit limit) {
    const auto own = own_.find({std::string(item.space), std::string(item.key)});
    if (own != own_.end()) {
        const auto left = std::chrono::duration_cast<Duration>(own->second.expires - clock_.now());
        if (!own->second.value || left.count() <= 0) return std::nullopt;
        return SeenEntry{*own->second.value, left};
    }
    if (is_unreadable_) return std::nullopt;
    auto found = below_->get(item, limit);
    if (found) return std::move(*found);
    cannot_read(found.error());
    return std::nullopt;
}

Backend::Found OverlayStore::get(const Item& item, Limit limit) noexcept {
    try {
        const std::lock_guard lock(mutex_);
        auto found = find(item, limit);
        if (!found) return std::optional<std::string>();
        return std::optional(std::move(found->value));
    } catch (const std::exception&) { return out_of_memory(); }
}

Result<void> OverlayStore::change(const Item& item, const Decide& decide, Limit limit) noexcept {
    try {
        const std::lock_guard lock(mutex_);
        const auto current = find(item, limit);
        Change wanted = decide(current ? std::optional(current->value) : std::nullopt);
        if (wanted.kind == Change::Kind::none) return {};
        Own own;
        if (wanted.kind == Change::Kind::put) {
            const auto before = current ? current->left.value_or(max_store_lifetime) : Duration(0);
            own = {std::move(wanted.value), clock_.now() + wanted.lifetime.value_or(before)};
        }
        own_[{std::string(item.space), std::string(item.key)}] = std::move(own);
        return {};
    } catch (const std::exception&) { return out_of_memory(); }
}

/// All of our own entries come with the first page.
Result<Backend::Page> OverlayStore::list(const Item& prefix, std::size_t count, std::string_view from,
                                         Limit limit) noexcept {
    try {
        const std::lock_guard lock(mutex_);
        Page page;
        if (!is_unreadable_) {
            auto below = below_->list(prefix, count, from, limit);
            if (below) page = std::move(*below);
            else cannot_read(below.error());
        }
        std::erase_if(page.entries, [&](const auto& entry) {
            return own_.contains({std::string(prefix.space), entry.key});
        });
        if (!from.empty()) return page;
        for (const auto& [key, own] : own_) {
            const auto left = std::chrono::duration_cast<Duration>(own.expires - clock_.now());
            if (key.first == prefix.space && key.second.starts_with(prefix.key) && own.value && left.count() > 0)
                page.entries.push_back({key.second, *own.value, left});
        }
        return page;
    } catch (const std::exception&) { return out_of_memory(); }
}

}  // namespace smtpd::store
