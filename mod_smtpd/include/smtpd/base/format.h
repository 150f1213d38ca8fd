/// format.h: `format_text("{} is listed by {}", address, zone)`, the only way to build texts.
///
/// Each `{}` takes the next argument: a string, integer, boolean, double (formatted with "%g"), or any type that has
/// `std::string to_string() const`. A pattern is a literal with one `{}` for each argument; otherwise the program does
/// not compile. Independent of the locale; only the result is allocated.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
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
        out.append(digits,
                   static_cast<std::size_t>(std::snprintf(digits, sizeof digits, "%g", static_cast<double>(value))));
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
        out += std::string_view(value);
    } else {
        static_assert(HasToString<T>, "format_text: this type needs `std::string to_string() const`");
        out += value.to_string();
    }
}

/// Counts the `{}` in a pattern.
constexpr std::size_t count_places(std::string_view pattern) noexcept {
    std::size_t places = 0;
    for (auto at = pattern.find("{}"); at != std::string_view::npos; at = pattern.find("{}", at + 2)) ++places;
    return places;
}
/// Not constexpr, so that compilation stops where it would be called, and the error shows its name.
void a_pattern_needs_one_pair_of_braces_for_each_argument();

inline void format_rest(std::string& out, std::string_view pattern) { out += pattern; }

template <class First, class... Rest>
void format_rest(std::string& out, std::string_view pattern, const First& first, const Rest&... rest) {
    const auto brace = pattern.find("{}");  // there is one, see FormatPattern
    out += pattern.substr(0, brace);
    append_text(out, first);
    format_rest(out, pattern.substr(brace + 2), rest...);
}

}  // namespace detail

/// A literal with one `{}` for each argument.
template <class... Arguments>
class FormatPattern {
public:
    template <std::size_t size>
    consteval FormatPattern(const char (&literal)[size]) : text_(literal, size - 1) {
        if (detail::count_places(text_) != sizeof...(Arguments))
            detail::a_pattern_needs_one_pair_of_braces_for_each_argument();
    }
    std::string_view text() const noexcept { return text_; }

private:
    std::string_view text_;
};
/// For parameters of functions that take a pattern and its arguments: only the arguments determine the types.
template <class... Arguments>
using PatternFor = FormatPattern<std::type_identity_t<Arguments>...>;

/// A text without arguments: a literal, in which `{}` is an error, or a text made at run time. It must not outlive the
/// string that it refers to.
class PlainText {
public:
    PlainText() = default;
    template <std::size_t size>
    consteval PlainText(const char (&literal)[size]) : text_(literal, size - 1) {
        if (detail::count_places(text_) != 0) detail::a_pattern_needs_one_pair_of_braces_for_each_argument();
    }
    template <class Text>
    requires std::same_as<Text, const char*>  // not an array: that would be a literal
    PlainText(const Text& text)
    noexcept : text_(text) {}
    PlainText(std::string_view text) noexcept : text_(text) {}
    PlainText(const std::string& text) noexcept : text_(text) {}
    operator std::string_view() const noexcept { return text_; }
    explicit operator std::string() const { return std::string(text_); }

private:
    std::string_view text_;
};

template <class... Arguments>
std::string format_text(PatternFor<Arguments...> pattern, const Arguments&... arguments) {
    std::string out;
    out.reserve(pattern.text().size() + 16 * sizeof...(arguments));
    detail::format_rest(out, pattern.text(), arguments...);
    return out;
}

}  // namespace smtpd
