/// fake_store.h: a store for tests of plugins: its entries are in memory and expire by the test's clock, and a test can
/// make it fail.
///
///     PluginUnderTest plugin("greylisting", "black_timeout=5min");
///     plugin.rcpt("you@example.com");
///     CPPUNIT_ASSERT(plugin.store().open<GreylistRecord>("greylist").get("192.0.2.1").…);
///     plugin.store().break_down();      // from now on every operation is an Error
#pragma once

#include "store/memory_store.h"
#include "store/stores.h"

#include <smtpd/store/store.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd::fakes {

/// Keeps the reports of a back end. Read it only when no other thread runs.
class FakeStoreEvents final : public store::Events {
public:
    void damaged(const std::string& what) noexcept override { damages.push_back(what); }
    void unreachable(const std::string& what) noexcept override { failures.push_back(what); }
    void reachable(const std::string& what) noexcept override { recoveries.push_back(what); }

    std::vector<std::string> damages, failures, recoveries;
};

class FakeStore final : public StoreSpaces {
public:
    explicit FakeStore(const Clock& clock)
        : backends_(clock, events_), stores_(backends_, {store::Place{{}, memory(), {}}}) {}

    Result<StoreSpace*> space(std::string_view name) override {
        auto found = stores_.space(name);
        if (!found) return found;
        backends_.start();
        return static_cast<StoreSpace*>(
            &spaces_.emplace(std::string(name), Fallible(**found, is_broken_)).first->second);
    }
    /// Opens the namespace, as a plugin does.
    template <class T = std::string>
    Store<T> open(std::string_view name) {
        auto found = space(name);
        if (!found) throw std::runtime_error(found.error().what);
        return Store<T>(**found);
    }
    void break_down(bool is_broken = true) noexcept { is_broken_ = is_broken; }

private:
    class Fallible final : public StoreSpace {
    public:
        Fallible(StoreSpace& space, const std::atomic<bool>& is_broken) : space_(space), is_broken_(is_broken) {}
        Result<std::optional<std::string>> get(std::string_view key, Duration timeout) override {
            if (is_broken_) return broken();
            return space_.get(key, timeout);
        }
        Result<void> put(std::string_view key, std::string_view value, Duration lifetime, Duration timeout) override {
            if (is_broken_) return broken();
            return space_.put(key, value, lifetime, timeout);
        }
        Result<std::optional<std::string>> put_if_absent(std::string_view key, std::string_view value,
                                                         Duration lifetime, Duration timeout) override {
            if (is_broken_) return broken();
            return space_.put_if_absent(key, value, lifetime, timeout);
        }
        Result<std::int64_t> add(std::string_view key, std::int64_t amount, Duration lifetime, AddOptions options,
                                 Duration timeout) override {
            if (is_broken_) return broken();
            return space_.add(key, amount, lifetime, options, timeout);
        }
        Result<bool> replace(std::string_view key, std::optional<std::string_view> expected, std::string_view value,
                             Duration lifetime, Duration timeout) override {
            if (is_broken_) return broken();
            return space_.replace(key, expected, value, lifetime, timeout);
        }
        Result<bool> remove(std::string_view key, Duration timeout) override {
            if (is_broken_) return broken();
            return space_.remove(key, timeout);
        }
        Result<StorePage<std::string>> list(std::string_view prefix, std::size_t limit, std::string_view from,
                                            Duration timeout) override {
            if (is_broken_) return broken();
            return space_.list(prefix, limit, from, timeout);
        }

    private:
        static Error broken() { return {ErrorCode::unavailable, "the store is broken", 0}; }
        StoreSpace& space_;
        const std::atomic<bool>& is_broken_;
    };

    static store::Address memory() {
        auto address = store::Address::parse({"memory:1m"}, {});
        if (!address) throw std::runtime_error(address.error().what);
        return *address;
    }

    std::atomic<bool> is_broken_{false};
    FakeStoreEvents events_;
    store::Backends backends_;
    store::Stores stores_;
    std::map<std::string, Fallible, std::less<>> spaces_;
};

}  // namespace smtpd::fakes
