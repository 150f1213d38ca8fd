/// api.cc: the API functions that the engine itself needs: names, and a handler's log.
#include <smtpd/base/text.h>
#include <smtpd/connection.h>
#include <smtpd/hooks.h>
#include <smtpd/transaction.h>
#include <smtpd/verdict.h>

#include "support/strings.h"

#include <algorithm>
#include <array>

namespace smtpd {
namespace {

constexpr std::array<std::string_view, 7> verdict_names{
    "declined", "ok", "deny", "denysoft", "deny_disconnect", "denysoft_disconnect", "done"};

/// Plugins should quote bytes from outside; if they do not, the text must still not break a log line or a terminal.
std::string printable(const std::string& text) {
    const auto is_plain = [](char c) { return c >= ' ' && c <= '~'; };
    if (std::all_of(text.begin(), text.end(), is_plain)) return text;
    std::string out;
    for (const char c : text) out += is_plain(c) ? std::string(1, c) : support::escape_for_log(std::string_view(&c, 1));
    return out;
}

}  // namespace

std::optional<Verdict> parse_verdict(std::string_view word) noexcept {
    if (ascii_equal(word, "denyhard")) return Verdict::deny_disconnect;
    for (std::size_t i = 0; i < verdict_names.size(); ++i)
        if (ascii_equal(word, verdict_names[i])) return static_cast<Verdict>(i);
    return {};
}

std::string_view verdict_name(Verdict verdict) noexcept {
    const auto index = static_cast<std::size_t>(verdict);
    return index < verdict_names.size() ? verdict_names[index] : "unknown";
}

LogLevel HookContext::effective(LogLevel level) const noexcept {
    if (!caller_) return level;
    if (caller_->level_fixed >= 0) return static_cast<LogLevel>(caller_->level_fixed);
    const int shifted = static_cast<int>(level) + caller_->level_shift;
    return static_cast<LogLevel>(
        std::clamp(shifted, static_cast<int>(LogLevel::emerg), static_cast<int>(LogLevel::trace)));
}

bool HookContext::log_enabled(LogLevel level) const noexcept { return log_.enabled(effective(level)); }

void HookContext::write_log(LogLevel level, const std::string& text) const {
    const LogSubject subject = log_subject();
    const std::string client = subject.client.to_string();
    const std::string safe = printable(text);
    LogLine line;
    line.level = effective(level);
    line.session = subject.session;
    line.transaction = subject.transaction;
    line.hook = hook_name(hook);
    if (caller_) line.plugin = caller_->plugin;
    line.text = safe;
    line.client = client;
    log_.write(line);
}

HookContext::LogSubject SessionContext::log_subject() const noexcept {
    const Transaction* const transaction = transaction_or_null();
    return {connection.id(), transaction ? std::string_view(transaction->id()) : std::string_view(),
            connection.address()};
}

}  // namespace smtpd
