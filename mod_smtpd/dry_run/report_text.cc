/// report_text.cc: a dry run's report, and the list of plugins, for people.
#include "dry_run/dry_run.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <cstdio>

namespace smtpd::dry_run {
namespace {

std::string short_time(std::chrono::microseconds time) {
    char text[32];
    const auto count = static_cast<double>(time.count());
    if (time < std::chrono::milliseconds(1)) std::snprintf(text, sizeof text, "%.0f us", count);
    else if (time < std::chrono::milliseconds(10)) std::snprintf(text, sizeof text, "%.1f ms", count / 1e3);
    else if (time < std::chrono::seconds(1)) std::snprintf(text, sizeof text, "%.0f ms", count / 1e3);
    else std::snprintf(text, sizeof text, "%.4g s", count / 1e6);
    return text;
}

/// "by naughty for dnsbl, which complained at connect: 192.0.2.1 is listed"
std::string cause_of(const Exchange& exchange) {
    if (!exchange.cause) return "by the server itself";
    std::string out = "by " + exchange.cause->by;
    if (!exchange.cause->complaint.empty())
        out += format_text(" for {}, which complained at {}", exchange.cause->complaint, exchange.cause->hook);
    if (!exchange.cause->reason.empty()) out += ": " + quoted(exchange.cause->reason);
    return out;
}

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
    std::string out;
    for (const auto& word : words) out.append(out.empty() ? "" : separator).append(word);
    return out;
}

void append(std::string& out, const Exchange& exchange) {
    out += exchange.command.empty() ? "C: (connects)\n" : format_text("C: {}\n", quoted(exchange.command));
    if (exchange.waited.count() > 0) out += format_text("     waits {}\n", short_time(exchange.waited));
    for (const auto& entry : exchange.said)
        out += format_text("     {} [{}]\n", entry.to_string(), short_time(entry.took));
    if (!exchange.deliverers.empty())
        out += format_text("     (queue) would be asked to take it: {}\n", joined(exchange.deliverers, ", then "));
    for (const auto& one : exchange.refused)
        out += format_text("     {} is {} by {}: {} (\"{} {}\")\n", quoted(one.recipient),
                           outcome_name(one.is_deferred() ? MailOutcome::deferred : MailOutcome::rejected),
                           one.cause.by, quoted(one.cause.reason), one.code, quoted(one.reply));
    for (const auto& line : exchange.log) out += format_text("     log: {}\n", line);
    for (const auto& line : exchange.replies) out += format_text("S: {}\n", quoted(line));
    if (exchange.is_refusal())
        out += format_text("     => {} {}\n",
                           outcome_name(exchange.code < 500 ? MailOutcome::deferred : MailOutcome::rejected),
                           cause_of(exchange));
}

void append(std::string& out, const Visit& visit, bool is_first) {
    out += format_text("\n--- {} at {}\n\n", is_first ? "the client comes" : "the client comes again", visit.time);
    for (const auto& exchange : visit.exchanges) append(out, exchange);
    out += "\n";
    for (const auto& remark : visit.remarks) out += format_text("Note: {}\n", remark);
    if (visit.dropped > 0)
        out += format_text("Note: {} entries are missing, because a session keeps a limited number of them\n",
                           visit.dropped);
    if (visit.outcome == MailOutcome::none) {
        out += "No outcome: nothing was refused, and no transaction accepted\n";
        return;
    }
    out += format_text("Outcome: {}", outcome_name(visit.outcome));
    if (visit.outcome != MailOutcome::accepted) {
        const Exchange& decisive = visit.exchanges[visit.decisive];
        out += format_text(" at {}, {}", decisive.command.empty() ? "the connection" : quoted(decisive.command),
                           cause_of(decisive));
    }
    out += "\n";
}

}  // namespace

std::string to_text(const Report& report) {
    std::string out = format_text(
        "Dry run of {} ({}) with the client {} port {}. Nothing is delivered or remembered.\n", report.server,
        report.where, report.request.client.address, report.request.client.port);
    for (const auto& visit : report.visits) append(out, visit, &visit == &report.visits.front());
    for (const auto& remark : report.remarks) out += format_text("Note: {}\n", remark);
    return out;
}

std::string list_text(const Server& server) {
    std::string out = format_text(
        "{} ({})\n\nHooks, with their handlers in the order in which they are asked, and their priorities:\n",
        server.name, server.where);
    for (std::size_t i = 0; i < static_cast<std::size_t>(HookId::count); ++i) {
        const auto members = server.plugins.chain(static_cast<HookId>(i));
        if (!members.empty()) out += format_text("\n{}\n", hook_name(static_cast<HookId>(i)));
        for (const auto& member : members) {
            char line[256];
            std::snprintf(line, sizeof line, "  %5d  %s%s%s\n", static_cast<int>(member.priority),
                          member.instance->name().c_str(), member.asks ? ", may wait" : "",
                          member.kind == host::Dispatcher::Kind::observe ? ", observes" : "");
            out += line;
        }
    }
    out += "\nPlugins, with the options that differ from the defaults:\n";
    for (const auto& instance : server.plugins.instances()) {
        out += format_text("\n{}  ({})\n", instance->name(), instance->position());
        for (const auto& option : instance->settings()) out += format_text("  {} = {}\n", option.name, option.value);
    }
    return out;
}

}  // namespace smtpd::dry_run
