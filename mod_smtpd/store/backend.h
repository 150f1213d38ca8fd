/// backend.h: the interface of a back end of the store: entries of bytes by namespace and key, with expiry, atomically.
///
/// Created while the configuration is read, without side effects; used after start(), in the process that called it, by
/// many threads. No operation throws, or takes longer than until `limit`. The caller (Stores) checks the limits on
/// names, keys and values.
#pragma once

#include <smtpd/store/store.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace smtpd::store {

using Limit = std::chrono::steady_clock::time_point;

/// Identifies an entry.
struct Item {
    std::string_view space;
    std::string_view key;
};

/// A namespace and its number of entries.
struct SpaceSize {
    std::string name;
    std::uint64_t entries = 0;
    bool operator==(const SpaceSize&) const = default;
};

/// Notifies the administrator; each event is reported once, when the state changes. Thread-safe.
class Events {
public:
    virtual ~Events() = default;
    virtual void damaged(const std::string& what) noexcept = 0;      ///< a file was moved away, and entries are lost
    virtual void unreachable(const std::string& what) noexcept = 0;  ///< operations fail from now on
    virtual void reachable(const std::string& what) noexcept = 0;    ///< they work again
};

/// For callers that learn of each failure from the operation itself.
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

    /// The lane for callers that may have to wait here; null if operations never wait.
    virtual support::Lane* lane() noexcept { return nullptr; }

    /// Called in the serving process, before anything else.
    virtual void start() noexcept = 0;
    /// Called before the process ends; operations fail afterwards.
    virtual void stop() noexcept = 0;
    /// Called about once a second, by any thread: removes some expired entries.
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

/// A back end that can read and change an entry while no other thread or process does. All writing operations are based
/// on that.
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
        std::optional<Duration> lifetime{};  ///< nothing: unchanged
    };
    /// Decides the change of an entry, given its current value; called again if the first attempt had no effect.
    using Decide = std::function<Change(const std::optional<std::string>& current)>;
    virtual Result<void> change(const Item& item, const Decide& decide, Limit limit) noexcept = 0;
};

/// Errors that several back ends return.
Error timed_out(std::string_view what);
Error not_started(std::string_view what);
Error not_a_number(const Item& item);
Error would_overflow(const Item& item);
Error out_of_memory();

}  // namespace smtpd::store
