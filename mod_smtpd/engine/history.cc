/// history.cc: a session's history: what is kept, and how entries are shown.
#include <smtpd/history.h>
#include <smtpd/hooks.h>

#include "support/strings.h"

#include <algorithm>
#include <cstdio>

namespace smtpd {
namespace {

constexpr std::size_t batch_of_former = 16;  ///< entries of earlier transactions that are dropped at once

std::string_view outcome_name(const HistoryEntry& entry) {
    switch (entry.outcome) {
        case Outcome::pass: return "pass";
        case Outcome::fail:
            return entry.is_deferred ? "fail, deferred" : entry.is_tolerated ? "fail, tolerated" : "fail";
        case Outcome::skip: return "skip";
        case Outcome::error: return "error";
    }
    return "";
}

void append_reason(std::string& out, const std::string& reason) {
    if (!reason.empty()) out += ": " + quoted(reason);
}

/// "deny 550 5.7.1 \"gone\"", as far as the plugin specified it.
std::string shown(const HistoryEntry& entry, const std::string& text) {
    std::string out(verdict_name(entry.verdict));
    if (entry.code != 0) out += format_text(" {}", entry.code);
    if (!entry.enhanced.empty()) out += " " + entry.enhanced.to_string();
    if (!text.empty()) out += " \"" + quoted(text) + "\"";
    return out;
}

std::string seconds(std::chrono::microseconds time) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f s", static_cast<double>(time.count()) / 1e6);
    return text;
}

std::string milliseconds(std::chrono::microseconds time) {
    char text[32];
    std::snprintf(text, sizeof text, "%.*f ms", time.count() < 10'000 ? 1 : 0, static_cast<double>(time.count()) / 1e3);
    return text;
}

void cut(std::string& text) {
    if (text.size() <= HistoryEntry::max_text) return;
    text.resize(HistoryEntry::max_text);
    text.shrink_to_fit();
}

}  // namespace

std::string HistoryEntry::to_string() const {
    if (kind == Kind::reply)
        return format_text("replied {} {}\"{}\"", code, enhanced.empty() ? "" : enhanced.to_string() + " ",
                           quoted(text));
    std::string out = format_text("({}) {}: ", hook_name(hook), plugin);
    switch (kind) {
        case Kind::finding:
            out += outcome_name(*this);
            append_reason(out, text);
            if (verdict != Verdict::declined) out += " -> " + shown(*this, reply);
            break;
        case Kind::exemption:
            out += "not asked";
            append_reason(out, text);
            break;
        case Kind::fault: out += quoted(text); break;
        default: out += shown(*this, text); break;
    }
    if (!recipient.empty()) out += ", for " + quoted(recipient);
    if (karma != 0) out += format_text(", karma {}{}", karma > 0 ? "+" : "", karma);
    return out;
}

std::string HistoryEntry::times() const {
    std::string out = "at " + seconds(at);
    if (took.count() > 0) out += ", took " + milliseconds(took);
    if (parked.count() > 0) out += ", after " + milliseconds(parked) + " of waiting";
    return out;
}

void History::add(HistoryEntry entry) noexcept {
    is_open_ = false;
    has_refusal_ |= entry.kind == HistoryEntry::Kind::reply;
    entry.transaction = transaction_;
    if (entries_.size() >= capacity) make_room();
    try {
        cut(entry.text);
        cut(entry.reply);
        cut(entry.recipient);
        entries_.push_back(std::move(entry));
    } catch (...) {  // no memory
        ++dropped_;
    }
}

History::RejectionCause History::rejection_cause(std::size_t entries) const noexcept {
    if (entries == 0 || entries > entries_.size()) return {};
    const HistoryEntry& last = entries_[entries - 1];
    if (last.kind == HistoryEntry::Kind::reply || !is_denial(last.verdict)) return {};
    RejectionCause cause{&last, nullptr};
    if (last.kind != HistoryEntry::Kind::response) return cause;
    const auto is_carried_out = [&](const HistoryEntry& entry) {
        return entry.is_deferred && !entry.reply.empty() && last.text.starts_with(entry.reply);
    };
    const auto complaint = std::find_if(entries_.begin(), entries_.end(), is_carried_out);
    if (complaint != entries_.end()) cause.complaint = &*complaint;
    return cause;
}

/// What is over matters least, what applies to the whole session matters most. Entries of earlier transactions are
/// dropped in batches: a client that keeps its connection fills the history with every message, and each removal moves
/// all entries after it.
void History::make_room() noexcept {
    const auto before = entries_.size();
    std::size_t left = batch_of_former;
    const auto is_over = [&](const HistoryEntry& entry) {
        return left > 0 && entry.transaction != 0 && entry.transaction != transaction_ && left-- > 0;
    };
    std::erase_if(entries_, is_over);
    if (entries_.size() == before) {
        const auto oldest = std::find_if(entries_.begin(), entries_.end(),
                                         [](const HistoryEntry& entry) { return entry.transaction != 0; });
        entries_.erase(oldest == entries_.end() ? entries_.begin() : oldest);
    }
    dropped_ += static_cast<std::uint32_t>(before - entries_.size());
}

}  // namespace smtpd
