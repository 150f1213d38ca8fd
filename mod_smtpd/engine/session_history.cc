/// session_history.cc: what a session logs about its history: the cause of a refusal, and at the end everything, if it
/// refused something.
#include "engine/server_access.h"
#include "engine/session.h"

namespace smtpd::engine {

void Session::remember_reply(const Reply& reply) noexcept {
    HistoryEntry entry;
    entry.kind = HistoryEntry::Kind::reply;
    entry.code = reply.code;
    if (!reply.plain) entry.enhanced = reply.enhanced;
    entry.command = commands_;
    entry.at = std::chrono::duration_cast<std::chrono::microseconds>(clock_.now() - started_);
    try {
        entry.text = reply.text.substr(0, HistoryEntry::max_text);
    } catch (...) {  // no memory: the reply code must suffice
    }
    ServerAccess::add(history_, std::move(entry));
}

/// The plugin whose verdict caused the refusal: ` by=badrcptto why="bad@example.com is listed"`, and for a postponed
/// refusal ` by=naughty for=dnsbl why="192.0.2.1 is listed"`. Nothing if the engine itself refuses.
std::string Session::rejection_cause() const {
    const auto cause = history_.rejection_cause(history_.entries().size());
    if (!cause.by) return {};
    std::string out = format_text(" by={}", cause.by->plugin);
    if (cause.complaint) out += format_text(" for={}", cause.complaint->plugin);
    if (const auto* const reason = cause.reason(); reason && !reason->text.empty())
        out += format_text(" why=\"{}\"", quoted(reason->text));
    return out;
}

/// Logs everything that led to a refusal, one entry a line, with its transaction.
void Session::tell_history() const {
    if (!history_.has_refusal() || is_dry_run_ || !log_.enabled(LogLevel::debug)) return;
    const std::string client = client_.address.to_string();
    const auto write = [&](std::uint32_t transaction, const std::string& text) {
        const std::string id = transaction == 0 ? std::string() : format_text("{}-{}", id_, transaction);
        LogLine line;
        line.level = LogLevel::debug;
        line.session = id_;
        line.transaction = id;
        line.text = text;
        line.client = client;
        log_.write(line);
    };
    if (history_.dropped() > 0) write(0, format_text("history: {} earlier entries are not kept", history_.dropped()));
    for (const auto& entry : history_.entries())
        write(entry.transaction, format_text("history: {}; {}", entry.to_string(), entry.times()));
}

}  // namespace smtpd::engine
