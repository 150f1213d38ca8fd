/// backend.cc: the operations of a local back end, each as one change of one entry.
#include "store/backend.h"

#include "support/strings.h"

#include <smtpd/base/format.h>

#include <exception>

namespace smtpd {

StoreSpace::~StoreSpace() = default;
StoreSpaces::~StoreSpaces() = default;

namespace detail {

std::string escape_field(std::string_view text) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet > 0x20 && octet != 0x7f && c != ':' && c != '%') {
            out += c;
        } else {
            out += '%';
            out += digits[octet >> 4];
            out += digits[octet & 15];
        }
    }
    return out;
}

bool unescape_field(std::string_view text, std::string& value) {
    const auto nibble = [](char c) {
        return support::is_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    };
    value.clear();
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            value += text[i];
            continue;
        }
        if (text.size() - i < 3 || nibble(text[i + 1]) < 0 || nibble(text[i + 2]) < 0) return false;
        value += static_cast<char>(nibble(text[i + 1]) << 4 | nibble(text[i + 2]));
        i += 2;
    }
    return true;
}

}  // namespace detail
}  // namespace smtpd

namespace smtpd::store {
namespace {

/// Keeps exceptions inside the back end; the only possible cause is a lack of memory.
template <class F>
auto guarded(F&& body) noexcept -> decltype(body()) {
    try {
        return body();
    } catch (const std::exception&) { return Error{ErrorCode::unavailable, {}, 0}; }
}

}  // namespace

Error timed_out(std::string_view what) { return {ErrorCode::timeout, format_text("{} took too long", what), 0}; }
Error not_started(std::string_view what) {
    return {ErrorCode::unavailable, format_text("{} is not in use in this process", what), 0};
}
Error out_of_memory() { return {ErrorCode::unavailable, {}, 0}; }

Error not_a_number(const Item& item) {
    return {ErrorCode::unavailable,
            format_text("the entry of \"{}\" in {} is not a number", detail::escape_field(item.key), item.space), 0};
}

Error would_overflow(const Item& item) {
    return {ErrorCode::unavailable,
            format_text("the number in the entry of \"{}\" in {} would get too large", detail::escape_field(item.key),
                        item.space),
            0};
}

Result<void> LocalBackend::put(const Item& item, std::string_view value, Duration lifetime, Limit limit) noexcept {
    return guarded([&] {
        return change(
            item,
            [&](const auto&) {
                return Change{Change::Kind::put, std::string(value), lifetime};
            },
            limit);
    });
}

Backend::Found LocalBackend::put_if_absent(const Item& item, std::string_view value, Duration lifetime,
                                           Limit limit) noexcept {
    return guarded([&]() -> Found {
        std::optional<std::string> found;
        const auto done = change(
            item,
            [&](const std::optional<std::string>& current) {
                found = current;
                return current ? Change{} : Change{Change::Kind::put, std::string(value), lifetime};
            },
            limit);
        if (!done) return done.error();
        return found;
    });
}

Result<std::int64_t> LocalBackend::add(const Item& item, std::int64_t amount, Duration lifetime, AddOptions options,
                                       Limit limit) noexcept {
    return guarded([&]() -> Result<std::int64_t> {
        std::optional<Error> problem;
        std::int64_t sum = 0;
        const auto decide = [&](const std::optional<std::string>& current) -> Change {
            std::int64_t before = options.initial;
            problem.reset();
            if (current && !StoreValue<std::int64_t>::read(*current, before)) problem = not_a_number(item);
            else if (__builtin_add_overflow(before, amount, &sum)) problem = would_overflow(item);
            if (problem) return {};
            const bool keeps_expiry = current && !options.renews;
            return {Change::Kind::put, StoreValue<std::int64_t>::show(sum),
                    keeps_expiry ? std::nullopt : std::optional(lifetime)};
        };
        if (const auto done = change(item, decide, limit); !done) return done.error();
        if (problem) return *problem;
        return sum;
    });
}

Result<bool> LocalBackend::replace(const Item& item, std::optional<std::string_view> expected, std::string_view value,
                                   Duration lifetime, Limit limit) noexcept {
    return guarded([&]() -> Result<bool> {
        bool is_same = false;
        const auto decide = [&](const std::optional<std::string>& current) -> Change {
            is_same = current.has_value() == expected.has_value() && (!current || *current == *expected);
            return is_same ? Change{Change::Kind::put, std::string(value), lifetime} : Change{};
        };
        if (const auto done = change(item, decide, limit); !done) return done.error();
        return is_same;
    });
}

Result<bool> LocalBackend::remove(const Item& item, Limit limit) noexcept {
    return guarded([&]() -> Result<bool> {
        bool was_there = false;
        const auto decide = [&](const std::optional<std::string>& current) -> Change {
            was_there = current.has_value();
            return was_there ? Change{Change::Kind::remove} : Change{};
        };
        if (const auto done = change(item, decide, limit); !done) return done.error();
        return was_there;
    });
}

}  // namespace smtpd::store
