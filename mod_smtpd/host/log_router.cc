/// log_router.cc: sends the log lines of a server to its logging plugins, and to the server's own log.
#include "host/log_router.h"

#include "support/thrown.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <exception>
#include <new>

namespace smtpd::host {

namespace {

bool breaks_line(char c) { return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f'; }

/// The text with control characters escaped as by quoted(); unchanged up to `first`.
std::string in_one_line(std::string_view text, std::string_view::const_iterator first) {
    std::string out(text.begin(), first);
    for (; first != text.end(); ++first)
        if (breaks_line(*first)) out += quoted(std::string_view(first, 1));
        else out += *first;
    return out;
}

}  // namespace

thread_local LogRouter::Delivery* LogRouter::delivery_ = nullptr;

void LogRouter::add(std::string plugin, LogLevel up_to, Writer writer, PluginCounters& counters) {
    outlets_.emplace_back(new Outlet{std::move(plugin), up_to, std::move(writer), &counters});
    up_to_ = std::max(up_to_, up_to);
}

bool LogRouter::enabled(LogLevel level) const noexcept {
    if (outlets_.empty() || delivery_) return fallback_.enabled(level);
    return level <= up_to_ || (level <= LogLevel::warning && fallback_.enabled(level));
}

/// Texts from elsewhere (a database, an exception) may contain line ends, and the text after one could look like a
/// separate log line.
void LogRouter::write(const LogLine& line) noexcept {
    const auto* const first = std::find_if(line.text.begin(), line.text.end(), breaks_line);
    if (first == line.text.end()) return write_line(line);
    LogLine shown = line;
    std::string text;
    try {
        text = in_one_line(line.text, first);
        shown.text = text;
    } catch (const std::bad_alloc&) { shown.text = std::string_view(line.text.begin(), first); }
    write_line(shown);
}

void LogRouter::write_line(const LogLine& line) noexcept {
    if (outlets_.empty() || delivery_) return write_to_fallback(line);
    Delivery delivery{&line};
    delivery_ = &delivery;
    for (const auto& outlet : outlets_)
        if (line.level <= outlet->up_to) deliver(*outlet, line);
    delivery_ = nullptr;
    if (line.level <= LogLevel::warning && !delivery.reached_fallback) write_to_fallback(line);
}

void LogRouter::write_to_fallback(const LogLine& line) noexcept {
    if (delivery_) delivery_->reached_fallback |= line.text == delivery_->line->text;
    if (fallback_.enabled(line.level)) fallback_.write(line);
}

void LogRouter::deliver(Outlet& outlet, const LogLine& line) noexcept {
    try {
        outlet.writer(line);
    } catch (...) { report_fault(outlet, support::thrown_text()); }
}

void LogRouter::report_fault(Outlet& outlet, const char* what) noexcept {
    PluginCounters::count(outlet.counters->fault);
    if (outlet.has_failed.exchange(true)) return;
    try {
        const std::string text = format_text("plugin fault: {} (reported once)", what);
        LogLine line;
        line.level = LogLevel::crit;
        line.hook = "logging";
        line.plugin = outlet.plugin;
        line.text = text;
        fallback_.write(line);
    } catch (...) {  // no memory for the text; the fault is counted
    }
}

}  // namespace smtpd::host
