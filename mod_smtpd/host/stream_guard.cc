/// stream_guard.cc: see stream_guard.h.
#include "host/stream_guard.h"

#include "engine/server_access.h"
#include "host/counters.h"
#include "support/thrown.h"

#include <smtpd/base/format.h>

#include <exception>

namespace smtpd::host {

void record_fault(const Instance& instance, LogSink& sink, std::string_view session, HookId hook,
                  std::string_view what) noexcept {
    PluginCounters::count(instance.counters().fault);
    try {
        const std::string text = format_text("plugin fault: {}: {}", what, support::thrown_text());
        LogLine line;
        line.level = LogLevel::crit;
        line.session = session;
        line.hook = hook_name(hook);
        line.plugin = instance.name();
        line.text = text;
        sink.write(line);
    } catch (...) {  // no memory for the text
    }
}

void StreamGuard::chunk(std::string_view octets) noexcept {
    if (has_failed_) return;
    try {
        stream_->chunk(octets);
    } catch (...) { fail(); }
}

void StreamGuard::end() noexcept {
    if (has_failed_) return;
    try {
        stream_->end();
        ServerAccess::set_ended(*stream_);
    } catch (...) { fail(); }
}

void StreamGuard::abort() noexcept {
    if (!has_failed_) stream_->abort();
}

/// In a catch block.
void StreamGuard::fail() noexcept {
    record_fault(instance_, log_, session_, HookId::data_chunk, "its stream");
    has_failed_ = true;
    stream_->abort();
}

}  // namespace smtpd::host
