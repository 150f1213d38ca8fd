/// format.h: `format_text("{} is listed by {}", address, zone)`, the one way in which texts are put together.
///
/// Each `{}` takes the next argument: strings, integers, booleans, doubles (as written by "%g"), and every type that has
/// `std::string to_string() const`. A pattern with more `{}` than arguments keeps the surplus as it is. No locale, no allocation but the result's.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdio>
#include <string>
#include <string_view>
#include <type_traits>

namespace smtpd {
namespace detail {

template <class T>
concept HasToString = requires(const T& value) {
    { value.to_string() } -> std::convertible_to<std::string>;
};

template <class T>
void append_text(std::string& out, const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
        out += value ? "true" : "false";
    } else if constexpr (std::is_same_v<T, char>) {
        out += value;
    } else if constexpr (std::is_integral_v<T>) {
        char digits[24];
        out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
    } else if constexpr (std::is_floating_point_v<T>) {
        char digits[32];
        out.append(digits, static_cast<std::size_t>(std::snprintf(digits, sizeof digits, "%g", static_cast<double>(value))));
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
        out += std::string_view(value);
    } else {
        static_assert(HasToString<T>, "format_text: this type needs `std::string to_string() const`");
        out += value.to_string();
    }
}

inline void format_rest(std::string& out, std::string_view pattern) { out += pattern; }

template <class First, class... Rest>
void format_rest(std::string& out, std::string_view pattern, const First& first, const Rest&... rest) {
    const auto brace = pattern.find("{}");
    if (brace == std::string_view::npos) {
        out += pattern;
        return;
    }
    out += pattern.substr(0, brace);
    append_text(out, first);
    format_rest(out, pattern.substr(brace + 2), rest...);
}

}  // namespace detail

template <class... Arguments>
std::string format_text(std::string_view pattern, const Arguments&... arguments) {
    std::string out;
    out.reserve(pattern.size() + 16 * sizeof...(arguments));
    detail::format_rest(out, pattern, arguments...);
    return out;
}

}  // namespace smtpd
