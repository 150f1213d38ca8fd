/// store.h: small shared state with expiry: when a client was last seen, how often it tried. The store belongs to the
/// site, not to the plugin: `SmtpStore` selects a file on this host, Redis for several hosts, or memory.
///
///     explicit Limit(smtpd::Setup& setup, const Options& options)
///         : seen_(setup.store<std::int64_t>("limit")), options_(options) {…}
///
///     const auto count = hook.store(seen_).add(client, 1, options_.period);
///     if (!count) return error("store: {}", count.error().what);
///     return *count > options_.max ? fail("{} connections", *count) : pass();
///
/// setup.store<T>("name") opens a namespace whose keys are bytes and whose values have type T: std::string (stored
/// unchanged), an integer, a WallTime, or a record, which is a struct that names its members:
///
///     struct Seen {
///         smtpd::WallTime first;
///         unsigned times = 0;
///         static constexpr auto fields = [](auto& self) { return std::tie(self.first, self.times); };
///     };
///
/// A record is stored as readable text, "1795199220:3". If a stored record has fewer members, the others get their
/// initial values; surplus members are ignored. So members can be added at the end.
///
/// hook.store(space) is the same space, limited to the time left for this call of the plugin. Every operation is atomic
/// across threads, processes and, with Redis, hosts, and ends within the back end's time-out. A failure (a back end
/// that is down, a full disk, a key that is too long) is an Error, and the plugin's finding should then be error(…):
/// operations never throw and never guess an answer. Operations block their thread.
///
/// Every entry has a lifetime; after that it no longer exists. All plugins and virtual hosts that use the same back end
/// share namespaces of the same name. If a back end has no room left, it removes the entries that would expire soonest.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/clock.h>
#include <smtpd/base/format.h>
#include <smtpd/base/result.h>
#include <smtpd/waiting.h>

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace smtpd::support {
class Lane;
}

namespace smtpd {

inline constexpr std::size_t max_store_name = 64;   ///< of a namespace; allowed are letters, digits, "-", "_" and "."
inline constexpr std::size_t max_store_key = 1024;  ///< bytes; at least 1
inline constexpr std::size_t max_store_value = 4096;
inline constexpr Duration max_store_lifetime = std::chrono::hours(24 * 3660);  ///< ten years

/// One entry of a list() result.
template <class T>
struct StoreEntry {
    std::string key;
    T value;
    Duration left{};  ///< until it expires
};

/// Some entries in no particular order, perhaps none. `next` is where the next page starts; empty: this was the last
/// page.
template <class T>
struct StorePage {
    std::vector<StoreEntry<T>> entries;
    std::string next;
};

/// The result of put_if_absent().
template <class T>
struct Kept {
    T value;              ///< the current value
    bool is_new = false;  ///< it is the given value; there was none before
};

struct AddOptions {
    std::int64_t initial = 0;  ///< the starting value of a missing entry
    bool renews = false;       ///< every addition restarts the lifetime; otherwise it runs from the first one
};

/// One namespace in one back end, as bytes: the basis of Store<T>. Implemented by the server; thread-safe. `timeout`
/// limits an operation in addition to the back end's own time-out.
class SMTPD_API StoreSpace {
public:
    virtual ~StoreSpace();
    virtual Result<std::optional<std::string>> get(std::string_view key, Duration timeout) = 0;
    virtual Result<void> put(std::string_view key, std::string_view value, Duration lifetime, Duration timeout) = 0;
    /// The existing value; nothing if the value was stored.
    virtual Result<std::optional<std::string>> put_if_absent(std::string_view key, std::string_view value,
                                                             Duration lifetime, Duration timeout) = 0;
    virtual Result<std::int64_t> add(std::string_view key, std::int64_t amount, Duration lifetime, AddOptions options,
                                     Duration timeout) = 0;
    /// Stores the value if the current value is exactly `expected` (nothing: if there is no entry). Otherwise false.
    virtual Result<bool> replace(std::string_view key, std::optional<std::string_view> expected, std::string_view value,
                                 Duration lifetime, Duration timeout) = 0;
    virtual Result<bool> remove(std::string_view key, Duration timeout) = 0;
    virtual Result<StorePage<std::string>> list(std::string_view prefix, std::size_t limit, std::string_view from,
                                                Duration timeout) = 0;
    /// For the server: the lane in which calls of plugins that use this space queue; null if operations never wait
    /// (shared memory).
    virtual support::Lane* lane() const noexcept { return nullptr; }
};

/// Opens namespaces for Setup::store(). Implemented by the server and by tests.
class SMTPD_API StoreSpaces {
public:
    virtual ~StoreSpaces();
    /// The space lives as long as this object. An Error if the name is invalid.
    virtual Result<StoreSpace*> space(std::string_view name) = 0;
};

/// How a value is written as bytes. For records and their members; specialise it for your own types.
template <class T>
struct StoreValue;

namespace detail {

template <class T>
concept StoreRecord = requires(T& record) {
    T::fields(record);
};

template <class T>
bool read_number(std::string_view text, T& value) noexcept {
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    return status == std::errc() && end == text.data() + text.size();
}

/// Escapes text for use between colons: colons, control characters and per cent signs become %XX.
SMTPD_API std::string escape_field(std::string_view text);
SMTPD_API bool unescape_field(std::string_view text, std::string& value);

template <class Field>
std::string show_field(const Field& field) {
    if constexpr (std::is_same_v<Field, std::string>) return escape_field(field);
    else return StoreValue<Field>::show(field);
}
template <class Field>
bool read_field(std::string_view text, Field& field) {
    if constexpr (std::is_same_v<Field, std::string>) return unescape_field(text, field);
    else return StoreValue<Field>::read(text, field);
}

}  // namespace detail

template <>
struct StoreValue<std::string> {
    static std::string show(const std::string& value) { return value; }
    static bool read(std::string_view text, std::string& value) {
        value = text;
        return true;
    }
};

template <std::integral T>
struct StoreValue<T> {
    static std::string show(T value) { return format_text("{}", +value); }  // as a number, also bool and char
    static bool read(std::string_view text, T& value) noexcept {
        if constexpr (!std::is_same_v<T, bool>) {
            return detail::read_number(text, value);
        } else {
            value = text == "1";
            return value || text == "0";
        }
    }
};

template <>
struct StoreValue<WallTime> {  // in seconds
    static std::string show(WallTime value) { return format_text("{}", std::chrono::system_clock::to_time_t(value)); }
    static bool read(std::string_view text, WallTime& value) noexcept {
        std::int64_t seconds = 0;
        constexpr std::int64_t most =
            std::chrono::duration_cast<std::chrono::seconds>(WallTime::max().time_since_epoch()).count();
        if (!detail::read_number(text, seconds) || seconds > most || seconds < -most) return false;
        value = WallTime(std::chrono::seconds(seconds));
        return true;
    }
};

template <>
struct StoreValue<Duration> {  // in milliseconds
    static std::string show(Duration value) { return format_text("{}", value.count()); }
    static bool read(std::string_view text, Duration& value) noexcept {
        Duration::rep count = 0;
        if (!detail::read_number(text, count)) return false;
        value = Duration(count);
        return true;
    }
};

template <detail::StoreRecord T>
struct StoreValue<T> {
    static std::string show(const T& record) {
        std::string out;
        std::apply([&](const auto&... fields) { ((out += detail::show_field(fields), out += ':'), ...); },
                   T::fields(record));
        if (!out.empty()) out.pop_back();
        return out;
    }
    static bool read(std::string_view text, T& record) {
        bool is_good = true;
        bool is_over = false;
        const auto next = [&](auto& field) {
            if (is_over || !is_good) return;
            const auto colon = text.find(':');
            is_good = detail::read_field(text.substr(0, colon), field);
            is_over = colon == std::string_view::npos;
            if (!is_over) text.remove_prefix(colon + 1);
        };
        std::apply([&](auto&... fields) { (next(fields), ...); }, T::fields(record));
        return is_good;
    }
};

/// A namespace with values of type T. Cheap to copy; it must not outlive the plugin that opened it.
template <class T = std::string>
class Store {
public:
    explicit Store(StoreSpace& space, Duration timeout = Duration::max()) : space_(&space), timeout_(timeout) {}

    /// The same space with `timeout` as its limit.
    Store within(Duration timeout) const { return Store(*space_, timeout); }

    /// The value of that key, if any.
    Result<std::optional<T>> get(std::string_view key) const {
        auto found = space_->get(key, timeout_);
        if (!found) return found.error();
        return read(key, *found);
    }
    /// Stores the value, whether or not there was one before.
    Result<void> put(std::string_view key, const T& value, Duration lifetime) const {
        return space_->put(key, StoreValue<T>::show(value), lifetime, timeout_);
    }
    /// Stores the value if there is none; an existing entry keeps its lifetime.
    Result<Kept<T>> put_if_absent(std::string_view key, const T& value, Duration lifetime) const {
        auto found = space_->put_if_absent(key, StoreValue<T>::show(value), lifetime, timeout_);
        if (!found) return found.error();
        auto old = read(key, *found);
        if (!old) return old.error();
        const bool is_new = !old->has_value();
        return Kept<T>{is_new ? value : std::move(**old), is_new};
    }
    /// Adds to a number and returns the sum. A missing entry is created.
    Result<std::int64_t> add(std::string_view key, std::int64_t amount, Duration lifetime,
                             AddOptions options = {}) const requires std::integral<T> {
        return space_->add(key, amount, lifetime, options, timeout_);
    }
    /// Compare and set: stores the value if the current one is `expected`. Otherwise, or if there is no entry, false.
    Result<bool> replace(std::string_view key, const T& expected, const T& value, Duration lifetime) const {
        const std::string old = StoreValue<T>::show(expected);
        return space_->replace(key, old, StoreValue<T>::show(value), lifetime, timeout_);
    }
    /// Reads the value, lets `change(T&)` modify it, and writes it, without losing concurrent changes. A missing entry
    /// starts as T(). Returns the current value. `change` may be called several times; it returns false to leave
    /// everything unchanged.
    template <class F>
    Result<T> update(std::string_view key, Duration lifetime, F change) const {
        const MonotonicTime began = std::chrono::steady_clock::now();
        for (;;) {
            const auto left = timeout_ - std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - began);
            auto found = space_->get(key, left);
            if (!found) return found.error();
            auto old = read(key, *found);
            if (!old) return old.error();
            T value = *old ? std::move(**old) : T();
            if constexpr (std::is_same_v<decltype(change(value)), bool>) {
                if (!change(value)) return value;
            } else {
                change(value);
            }
            const auto expected = *found ? std::optional<std::string_view>(**found) : std::nullopt;
            const auto done = space_->replace(key, expected, StoreValue<T>::show(value), lifetime, left);
            if (!done) return done.error();
            if (*done) return value;
        }
    }
    /// True if there was an entry.
    Result<bool> remove(std::string_view key) const { return space_->remove(key, timeout_); }
    /// Entries whose keys begin with `prefix`, about `limit` at a time (1 to 1000), starting at the `next` of an
    /// earlier page. Entries that exist during the whole iteration are returned at least once. An entry that is not of
    /// type T is an Error.
    Result<StorePage<T>> list(std::string_view prefix = {}, std::size_t limit = 100, std::string_view from = {}) const {
        auto found = space_->list(prefix, limit, from, timeout_);
        if (!found) return found.error();
        StorePage<T> page{{}, std::move(found->next)};
        for (auto& entry : found->entries) {
            auto value = read(entry.key, std::move(entry.value));
            if (!value) return value.error();
            page.entries.push_back({std::move(entry.key), std::move(**value), entry.left});
        }
        return page;
    }

private:
    static Result<std::optional<T>> read(std::string_view key, const std::optional<std::string>& octets) {
        if (!octets) return std::optional<T>();
        T value{};
        if (StoreValue<T>::read(*octets, value)) return std::optional<T>(std::move(value));
        return Error{
            ErrorCode::unavailable,
            format_text("the entry of \"{}\" is not of the kind that is expected there", detail::escape_field(key))};
    }

    StoreSpace* space_;
    Duration timeout_;
};

}  // namespace smtpd
