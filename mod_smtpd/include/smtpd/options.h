/// options.h: a plugin's options, declared once in a table: name, member, help, limits. Parsing, the checks at
/// configtest and the manual all use that table.
///
///     struct Options {
///         Duration wait = std::chrono::seconds(1);
///         static OptionTable table() {
///             return {option("wait", &Options::wait, "how long the client must be silent before the greeting")
///                         .range("0s", "5min")};
///         }
///     };
///
/// The member's type determines the syntax of the value: bool (on off yes no true false 1 0), integers, double,
/// std::string, Duration ("1", "0.5", "500ms", "10s", "5min", "2h", "1d"; a bare number is seconds), ByteCount
/// ("10000", "64k", "10m"), LogLevel, or a std::vector of these (each use of the option adds an element; the first one
/// replaces the default). An option is written `name=value` or, as in qpsmtpd's files, `name value`.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/format.h>
#include <smtpd/base/log.h>
#include <smtpd/base/result.h>
#include <smtpd/waiting.h>

#include <algorithm>
#include <compare>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace smtpd {

struct ByteCount {
    std::uint64_t value = 0;
    auto operator<=>(const ByteCount&) const = default;
};

/// Reads and shows values of one type. `read` returns "" on success, otherwise what is allowed ("a number from 0 to
/// 100").
template <class T>
struct OptionType;

#define SMTPD_OPTION_TYPE(type)                                      \
    template <>                                                      \
    struct SMTPD_API OptionType<type> {                              \
        static std::string read(std::string_view text, type& value); \
        static std::string show(const type& value);                  \
        static std::string name();                                   \
    }
SMTPD_OPTION_TYPE(bool);
SMTPD_OPTION_TYPE(int);
SMTPD_OPTION_TYPE(unsigned);
SMTPD_OPTION_TYPE(std::int64_t);
SMTPD_OPTION_TYPE(std::uint64_t);
SMTPD_OPTION_TYPE(double);
SMTPD_OPTION_TYPE(std::string);
SMTPD_OPTION_TYPE(Duration);
SMTPD_OPTION_TYPE(ByteCount);
SMTPD_OPTION_TYPE(LogLevel);
#undef SMTPD_OPTION_TYPE

template <class T>
struct OptionType<std::vector<T>> {
    static std::string read(std::string_view text, std::vector<T>& values) {
        T value{};
        std::string problem = OptionType<T>::read(text, value);
        if (problem.empty()) values.push_back(std::move(value));
        return problem;
    }
    static std::string show(const std::vector<T>& values) {
        std::string out;
        for (const auto& value : values) out += (out.empty() ? "" : " ") + OptionType<T>::show(value);
        return out;
    }
    static std::string name() { return OptionType<T>::name() + ", may be given several times"; }
};

namespace detail {

/// The type of one use of an option: the member's type, or the element type if the member is a list.
template <class T>
struct OptionElement {
    using type = T;
    static constexpr bool is_list = false;
    static void store(T& member, const T& value) { member = value; }
};
template <class T>
struct OptionElement<std::vector<T>> {
    using type = T;
    static constexpr bool is_list = true;
    static void store(std::vector<T>& member, const T& value) { member.push_back(value); }
};

}  // namespace detail

/// One row of an option table with its type erased. Created by option().
class OptionSpec {
public:
    std::string name;
    std::string help;
    std::string type;         ///< for people: "duration", "one of log, deny, denysoft"
    int position = -1;        ///< may also be given as the n-th bare word (0 = first)
    bool takes_rest = false;  ///< ... and as every bare word after it
    bool is_flag = false;     ///< the bare name alone switches it on
    bool is_required = false;
    bool is_list = false;              ///< the member is a std::vector
    std::vector<std::string> aliases;  ///< other accepted names, for old configurations
    std::function<std::string(void* options, std::string_view text)> read;  ///< returns "" or what is allowed
    std::function<std::string(const void* options)> show;
    std::function<void(void* options)> clear;  ///< lists only: removes all elements
};

template <class T>
class OptionBuilder : public OptionSpec {
public:
    using Element = typename detail::OptionElement<T>::type;

    /// The smallest and largest value (of each element of a list), as a user would write them.
    OptionBuilder range(std::string_view from, std::string_view to) &&;
    /// The allowed words (for each element of a list) with their values. Several words may mean the same value; the
    /// first one is shown.
    OptionBuilder choices(std::vector<std::pair<std::string, Element>> words) &&;
    OptionBuilder positional(int n) && {
        position = n;
        return std::move(*this);
    }
    OptionBuilder rest() && {
        takes_rest = true;
        return std::move(*this);
    }
    OptionBuilder flag() && {
        is_flag = true;
        return std::move(*this);
    }
    OptionBuilder required() && {
        is_required = true;
        return std::move(*this);
    }
    OptionBuilder alias(std::string other) && {
        aliases.push_back(std::move(other));
        return std::move(*this);
    }

    std::function<T&(void*)> member;

private:
    static constexpr std::string_view repeated = detail::OptionElement<T>::is_list ? ", may be given several times"
                                                                                   : "";
};

template <class T>
OptionBuilder<T> OptionBuilder<T>::range(std::string_view from, std::string_view to) && {
    Element low{}, high{};
    OptionType<Element>::read(from, low);
    OptionType<Element>::read(to, high);
    const std::string allowed = format_text("{} from {} to {}", OptionType<Element>::name(), from, to);
    type = allowed + std::string(repeated);
    read = [member = member, low, high, allowed](void* options, std::string_view text) -> std::string {
        Element value{};
        if (!OptionType<Element>::read(text, value).empty() || value < low || high < value) return allowed;
        detail::OptionElement<T>::store(member(options), value);
        return {};
    };
    return std::move(*this);
}

namespace detail {

/// Compares ignoring the case of ASCII letters.
inline bool same_word(std::string_view a, std::string_view b) noexcept {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace detail

template <class T>
OptionBuilder<T> OptionBuilder<T>::choices(std::vector<std::pair<std::string, Element>> words) && {
    std::string allowed = "one of";
    for (const auto& [word, value] : words) allowed += (&word == &words.front().first ? " " : ", ") + word;
    type = allowed + std::string(repeated);
    read = [member = member, words, allowed](void* options, std::string_view text) -> std::string {
        for (const auto& [word, value] : words)
            if (detail::same_word(word, text)) {
                detail::OptionElement<T>::store(member(options), value);
                return {};
            }
        return allowed;
    };
    show = [member = member, words](const void* options) -> std::string {
        const auto word_of = [&words](const Element& wanted) -> std::string {
            for (const auto& [word, value] : words)
                if (value == wanted) return word;
            return {};
        };
        const T& value = member(const_cast<void*>(options));
        if constexpr (detail::OptionElement<T>::is_list) {
            std::string out;
            for (const auto& element : value) out += (out.empty() ? "" : " ") + word_of(element);
            return out;
        } else {
            return word_of(value);
        }
    };
    return std::move(*this);
}

/// One row: name, member of the Options struct, one sentence for the manual. The default is the member's initial value.
/// A member whose type has no OptionType (an enum) needs choices().
template <class Options, class T>
OptionBuilder<T> option(std::string name, T Options::*member, std::string help) {
    OptionBuilder<T> spec;
    spec.name = std::move(name);
    spec.help = std::move(help);
    spec.member = [member](void* options) -> T& { return static_cast<Options*>(options)->*member; };
    spec.is_list = detail::OptionElement<T>::is_list;
    if constexpr (detail::OptionElement<T>::is_list)
        spec.clear = [member = spec.member](void* options) { member(options).clear(); };
    if constexpr (requires(typename detail::OptionElement<T>::type & value) {
                      OptionType<std::decay_t<decltype(value)>>::read({}, value);
                  }) {
        spec.type = OptionType<T>::name();
        spec.read = [member = spec.member](void* options, std::string_view text) {
            return OptionType<T>::read(text, member(options));
        };
        spec.show = [member = spec.member](const void* options) {
            return OptionType<T>::show(member(const_cast<void*>(options)));
        };
    }
    return spec;
}

/// The rows of a plugin, in the order of the manual.
class OptionTable {
public:
    OptionTable() = default;
    template <class... Builders>
    OptionTable(Builders... rows) {
        (rows_.push_back(std::move(rows)), ...);
    }

    const std::vector<OptionSpec>& rows() const noexcept { return rows_; }
    /// Reads `name value name value …`, the form in control files and users' settings, into options of this table. If
    /// `only` is not empty, no other names are allowed. The Error describes the first bad pair; the pairs before it
    /// have been applied.
    SMTPD_API Result<void> read(void* options, std::string_view text,
                                std::initializer_list<std::string_view> only = {}) const;
    void append(std::vector<OptionSpec> rows) { rows_.insert(rows_.end(), rows.begin(), rows.end()); }

private:
    std::vector<OptionSpec> rows_;
};

}  // namespace smtpd
