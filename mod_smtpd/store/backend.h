/// backend.h: what a back end of the store does: entries of octets by namespace and key, with expiry, atomically.
///
/// Made while the configuration is read, without effect outside itself; used after start(), in the process that called
/// it, by many threads. No operation throws, or takes longer than until `limit`. Limits on names, keys and values are
/// kept by the caller (Stores).
#pragma once

#include <smtpd/store/store.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace smtpd::store {

using Limit = std::chrono::steady_clock::time_point;

/// Which entry.
struct Item {
    std::string_view space;
    std::string_view key;
};

/// A namespace and how many entries it has.
struct SpaceSize {
    std::string name;
    std::uint64_t entries = 0;
    bool operator==(const SpaceSize&) const = default;
};

/// What an administrator has to know; each is told once, when the state changes. Thread-safe.
class Events {
public:
    virtual ~Events() = default;
    virtual void damaged(const std::string& what) noexcept = 0;      ///< a file was moved away, and entries are lost
    virtual void unreachable(const std::string& what) noexcept = 0;  ///< operations fail from now on
    virtual void reachable(const std::string& what) noexcept = 0;    ///< they work again
};

/// For those who hear of each failure from the operation itself.
class NoEvents final : public Events {
public:
    void damaged(const std::string&) noexcept override {}
    void unreachable(const std::string&) noexcept override {}
    void reachable(const std::string&) noexcept override {}
};

class Backend {
public:
    using Found = Result<std::optional<std::string>>;
    using Page = StorePage<std::string>;

    explicit Backend(Duration timeout) : timeout_(timeout) {}
    virtual ~Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;

    Duration timeout() const noexcept { return timeout_; }

    /// Where those queue that may have to wait here; null if operations never wait for anybody.
    virtual support::Lane* lane() noexcept { return nullptr; }

    /// In the serving process, before anything else.
    virtual void start() noexcept = 0;
    /// Before the process ends; operations fail afterwards.
    virtual void stop() noexcept = 0;
    /// About once a second, by any thread: removes some of what has expired.
    virtual void tick() noexcept {}

    virtual Found get(const Item& item, Limit limit) noexcept = 0;
    virtual Result<void> put(const Item& item, std::string_view value, Duration lifetime, Limit limit) noexcept = 0;
    virtual Found put_if_absent(const Item& item, std::string_view value, Duration lifetime, Limit limit) noexcept = 0;
    virtual Result<std::int64_t> add(const Item& item, std::int64_t amount, Duration lifetime, AddOptions options,
                                     Limit limit) noexcept = 0;
    virtual Result<bool> replace(const Item& item, std::optional<std::string_view> expected, std::string_view value,
                                 Duration lifetime, Limit limit) noexcept = 0;
    virtual Result<bool> remove(const Item& item, Limit limit) noexcept = 0;
    virtual Result<Page> list(const Item& prefix, std::size_t count, std::string_view from, Limit limit) noexcept = 0;

private:
    const Duration timeout_;
};

/// A back end that can look at an entry and change it while no other thread or process does. All operations that write
/// are made of that.
class LocalBackend : public Backend {
public:
    using Backend::Backend;
    Result<void> put(const Item& item, std::string_view value, Duration lifetime, Limit limit) noexcept final;
    Found put_if_absent(const Item& item, std::string_view value, Duration lifetime, Limit limit) noexcept final;
    Result<std::int64_t> add(const Item& item, std::int64_t amount, Duration lifetime, AddOptions options,
                             Limit limit) noexcept final;
    Result<bool> replace(const Item& item, std::optional<std::string_view> expected, std::string_view value,
                         Duration lifetime, Limit limit) noexcept final;
    Result<bool> remove(const Item& item, Limit limit) noexcept final;

protected:
    struct Change {
        enum class Kind { none, put, remove };
        Kind kind = Kind::none;
        std::string value{};
        std::optional<Duration> lifetime{};  ///< nothing: as before
    };
    /// What is to become of an entry; called with what is there, and again if the first attempt had no effect.
    using Decide = std::function<Change(const std::optional<std::string>& current)>;
    virtual Result<void> change(const Item& item, const Decide& decide, Limit limit) noexcept = 0;
};

/// Errors that several back ends give.
Error timed_out(std::string_view what);
Error not_started(std::string_view what);
Error not_a_number(const Item& item);
Error would_overflow(const Item& item);
Error out_of_memory();

}  // namespace smtpd::store
