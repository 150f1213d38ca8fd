/// option_types.cc: parses and shows the values that options can have.
#include <smtpd/options.h>

#include "support/strings.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace smtpd {
namespace {

using support::equals_folded;

template <class Number>
bool read_number(std::string_view text, Number& value) {
    if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
    const char* const end = text.data() + text.size();
    Number parsed{};
    const auto result = std::from_chars(text.data(), end, parsed);
    if (result.ec != std::errc() || result.ptr != end) return false;
    value = parsed;
    return true;
}

template <class Number>
std::string read_or_allowed(std::string_view text, Number& value) {
    return read_number(text, value) ? std::string() : OptionType<Number>::name();
}

struct Unit {
    std::string_view name;
    std::int64_t size;
};

/// In milliseconds, the largest unit first, for show(); of two names for a unit, the first one is shown.
constexpr Unit duration_units[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"min", 60'000},
                                   {"s", 1000},       {"ms", 1},        {"sec", 1000}};
constexpr double longest_duration = 86'400'000.0 * 36'500;  // a hundred years

constexpr Unit size_units[] = {{"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}};

/// The end of the digits (and the fraction) of "10min".
std::size_t end_of_number(std::string_view text) {
    const std::size_t end = text.find_first_not_of("0123456789.");
    return end == std::string_view::npos ? text.size() : end;
}

std::string shown_double(double value) { return format_text("{}", value); }

}  // namespace

// --- bool ---

std::string OptionType<bool>::read(std::string_view text, bool& value) {
    for (const std::string_view word : {"on", "yes", "true", "1"})
        if (equals_folded(text, word)) return value = true, std::string();
    for (const std::string_view word : {"off", "no", "false", "0"})
        if (equals_folded(text, word)) return value = false, std::string();
    return name();
}
std::string OptionType<bool>::show(const bool& value) { return value ? "on" : "off"; }
std::string OptionType<bool>::name() { return "on or off"; }

// --- numbers ---

std::string OptionType<int>::read(std::string_view text, int& value) { return read_or_allowed(text, value); }
std::string OptionType<int>::show(const int& value) { return format_text("{}", value); }
std::string OptionType<int>::name() { return "a whole number"; }

std::string OptionType<unsigned>::read(std::string_view text, unsigned& value) { return read_or_allowed(text, value); }
std::string OptionType<unsigned>::show(const unsigned& value) { return format_text("{}", value); }
std::string OptionType<unsigned>::name() { return "a whole number without sign"; }

std::string OptionType<std::int64_t>::read(std::string_view text, std::int64_t& value) {
    return read_or_allowed(text, value);
}
std::string OptionType<std::int64_t>::show(const std::int64_t& value) { return format_text("{}", value); }
std::string OptionType<std::int64_t>::name() { return OptionType<int>::name(); }

std::string OptionType<std::uint64_t>::read(std::string_view text, std::uint64_t& value) {
    return read_or_allowed(text, value);
}
std::string OptionType<std::uint64_t>::show(const std::uint64_t& value) { return format_text("{}", value); }
std::string OptionType<std::uint64_t>::name() { return OptionType<unsigned>::name(); }

std::string OptionType<double>::read(std::string_view text, double& value) {
    double parsed = 0;
    if (!read_number(text, parsed) || !std::isfinite(parsed)) return name();
    value = parsed;
    return {};
}
std::string OptionType<double>::show(const double& value) { return shown_double(value); }
std::string OptionType<double>::name() { return "a number"; }

// --- text ---

std::string OptionType<std::string>::read(std::string_view text, std::string& value) {
    value = text;
    return {};
}
std::string OptionType<std::string>::show(const std::string& value) { return value; }
std::string OptionType<std::string>::name() { return "text"; }

// --- durations: "1", "0.5", "500ms", "10s", "5min", "2h", "1d" ---

std::string OptionType<Duration>::read(std::string_view text, Duration& value) {
    const std::size_t end = end_of_number(text);
    const std::string_view unit_name = text.substr(end);
    double count = 0;
    if (!read_number(text.substr(0, end), count)) return name();
    double unit = unit_name.empty() ? 1000 : 0;
    for (const auto& candidate : duration_units)
        if (equals_folded(candidate.name, unit_name)) unit = static_cast<double>(candidate.size);
    const double milliseconds = count * unit;
    if (unit == 0 || !(milliseconds <= longest_duration)) return name();
    value = Duration(std::llround(milliseconds));
    return {};
}
std::string OptionType<Duration>::show(const Duration& value) {
    if (value.count() == 0) return "0s";
    for (const auto& unit : duration_units)
        if (value.count() % unit.size == 0) return format_text("{}{}", value.count() / unit.size, unit.name);
    return {};  // not reached: every count is a multiple of 1 ms
}
std::string OptionType<Duration>::name() { return "a duration (10 or 10s, 500ms, 5min, 2h, 1d)"; }

// --- sizes: "10000", "64k", "10m" ---

std::string OptionType<ByteCount>::read(std::string_view text, ByteCount& value) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
    std::uint64_t count = 0;
    if (!read_number(text.substr(0, end), count)) return name();
    std::uint64_t unit = end == text.size() ? 1 : 0;
    for (const auto& candidate : size_units)
        if (equals_folded(candidate.name, text.substr(end))) unit = static_cast<std::uint64_t>(candidate.size);
    if (unit == 0 || count > std::numeric_limits<std::uint64_t>::max() / unit) return name();
    value.value = count * unit;
    return {};
}
std::string OptionType<ByteCount>::show(const ByteCount& value) {
    for (const auto& unit : size_units) {
        const auto size = static_cast<std::uint64_t>(unit.size);
        if (value.value != 0 && value.value % size == 0) return format_text("{}{}", value.value / size, unit.name);
    }
    return format_text("{}", value.value);
}
std::string OptionType<ByteCount>::name() { return "a size (10000, 64k, 10m, 1g)"; }

// --- log levels ---

std::string OptionType<LogLevel>::read(std::string_view text, LogLevel& value) {
    const auto level = parse_log_level(text);
    if (!level) return name();
    value = *level;
    return {};
}
std::string OptionType<LogLevel>::show(const LogLevel& value) { return std::string(log_level_name(value)); }
std::string OptionType<LogLevel>::name() {
    return "a log level (emerg, alert, crit, error, warning, notice, info, debug, trace, or a number from 0)";
}

}  // namespace smtpd
