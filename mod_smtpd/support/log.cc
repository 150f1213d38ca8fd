/// log.cc: the names of the log levels, and the format of a line.
#include <smtpd/base/log.h>

#include "support/strings.h"

#include <algorithm>
#include <array>

namespace smtpd {
namespace {

constexpr std::array<std::string_view, 9> level_names{"emerg",  "alert", "crit",  "error", "warning",
                                                      "notice", "info",  "debug", "trace"};

struct Alias {
    std::string_view name;
    LogLevel level;
};
/// Words of qpsmtpd, httpd and syslog for the same levels.
constexpr Alias level_aliases[] = {{"radar", LogLevel::emerg},     {"emergency", LogLevel::emerg},
                                   {"panic", LogLevel::emerg},     {"critical", LogLevel::crit},
                                   {"err", LogLevel::error},       {"warn", LogLevel::warning},
                                   {"information", LogLevel::info}};

}  // namespace

std::string_view log_level_name(LogLevel level) noexcept {
    const auto index = static_cast<std::size_t>(level);
    return index < level_names.size() ? level_names[index] : "unknown";
}

std::optional<LogLevel> parse_log_level(std::string_view text) noexcept {
    if (support::starts_with_folded(text, "log")) text.remove_prefix(3);
    if (!text.empty() && std::all_of(text.begin(), text.end(), support::is_digit)) {
        text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
        return text.size() > 1 || text[0] >= static_cast<char>('0' + level_names.size())
                   ? LogLevel::trace
                   : static_cast<LogLevel>(text[0] - '0');
    }
    for (std::size_t i = 0; i < level_names.size(); ++i)
        if (support::equals_folded(text, level_names[i])) return static_cast<LogLevel>(i);
    for (const auto& alias : level_aliases)
        if (support::equals_folded(text, alias.name)) return alias.level;
    return std::nullopt;
}

std::string LogLine::to_string() const {
    const std::string_view id = transaction.empty() ? session : transaction;
    std::string out;
    out.reserve(id.size() + hook.size() + plugin.size() + text.size() + peer.size() + 10);
    if (!id.empty()) out.append("[").append(id).append("] ");
    if (!hook.empty()) out.append("(").append(hook).append(") ");
    if (!plugin.empty()) out.append(plugin).append(": ");
    out.append(text);
    if (!peer.empty()) out.append(" ").append(peer);
    return out;
}

std::string quoted(std::string_view bytes, std::size_t limit) { return support::escape_for_log(bytes, limit); }

}  // namespace smtpd
