/// report_json.cc: a dry run's report, and the list of plugins, for programs. docs/smtpd-try.1 describes the members:
/// document a new one there as well.
#include "dry_run/dry_run.h"
#include "dry_run/json.h"

#include <smtpd/base/format.h>

namespace smtpd::dry_run {
namespace {

std::string_view kind_name(HistoryEntry::Kind kind) {
    switch (kind) {
        case HistoryEntry::Kind::finding: return "finding";
        case HistoryEntry::Kind::exemption: return "exemption";
        case HistoryEntry::Kind::response: return "response";
        case HistoryEntry::Kind::fault: return "fault";
        case HistoryEntry::Kind::reply: return "reply";
    }
    return "";
}

std::string_view finding_name(smtpd::Outcome outcome) {
    switch (outcome) {
        case smtpd::Outcome::pass: return "pass";
        case smtpd::Outcome::fail: return "fail";
        case smtpd::Outcome::skip: return "skip";
        case smtpd::Outcome::error: return "error";
    }
    return "";
}

void write_finding(JsonWriter& json, const HistoryEntry& entry) {
    json.text("outcome", finding_name(entry.outcome));
    json.text("reason", entry.text);
    json.truth("deferred", entry.is_deferred);
    json.truth("tolerated", entry.is_tolerated);
    json.number("karma", entry.karma);
}

void write(JsonWriter& json, const HistoryEntry& entry) {
    const bool is_finding = entry.kind == HistoryEntry::Kind::finding;
    const bool is_response = entry.kind == HistoryEntry::Kind::response;
    json.object([&] {
        json.text("kind", kind_name(entry.kind));
        json.text("hook", hook_name(entry.hook));
        json.text("plugin", entry.plugin);
        if (is_finding) write_finding(json, entry);
        else if (!is_response) json.text("reason", entry.text);
        json.text("verdict", verdict_name(entry.verdict));
        if (entry.code != 0) json.number("code", entry.code);
        if (!entry.enhanced.empty()) json.text("enhanced", entry.enhanced.to_string());
        if (const auto& reply = is_response ? entry.text : entry.reply; !reply.empty()) json.text("reply", reply);
        if (!entry.recipient.empty()) json.text("recipient", entry.recipient);
        json.seconds("at", entry.at.count());
        json.seconds("took", entry.took.count());
        json.seconds("parked", std::chrono::microseconds(entry.parked).count());
    });
}

void write_texts(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts) {
    json.array(key, [&] {
        for (const auto& text : texts) json.text(text);
    });
}

void write(JsonWriter& json, const RefusedRecipient& one) {
    json.object([&] {
        json.text("recipient", one.recipient);
        json.text("outcome", outcome_name(one.is_deferred() ? MailOutcome::deferred : MailOutcome::rejected));
        json.number("code", one.code);
        json.text("reply", one.reply);
        json.text("by", one.cause.by);
        json.text("reason", one.cause.reason);
    });
}

void write(JsonWriter& json, const Exchange& exchange) {
    json.object([&] {
        json.text("command", exchange.command);
        json.seconds("waited", std::chrono::microseconds(exchange.waited).count());
        json.array("said", [&] {
            for (const auto& entry : exchange.said) write(json, entry);
        });
        if (!exchange.deliverers.empty()) write_texts(json, "deliverers", exchange.deliverers);
        if (!exchange.refused.empty())
            json.array("refused", [&] {
                for (const auto& one : exchange.refused) write(json, one);
            });
        write_texts(json, "log", exchange.log);
        json.number("code", exchange.code);
        write_texts(json, "reply", exchange.replies);
        if (!exchange.cause) return;
        json.object("cause", [&] {
            json.text("by", exchange.cause->by);
            json.text("complaint", exchange.cause->complaint);
            json.text("hook", exchange.cause->hook);
            json.text("reason", exchange.cause->reason);
        });
    });
}

void write(JsonWriter& json, const Visit& visit) {
    json.object([&] {
        json.text("time", visit.time);
        json.text("outcome", outcome_name(visit.outcome));
        if (visit.outcome == MailOutcome::rejected || visit.outcome == MailOutcome::deferred)
            json.number("decisive", static_cast<std::int64_t>(visit.decisive));
        json.array("exchanges", [&] {
            for (const auto& exchange : visit.exchanges) write(json, exchange);
        });
        write_texts(json, "notes", visit.remarks);
        json.number("dropped", visit.dropped);
    });
}

std::string_view handler_name(host::Dispatcher::Kind kind) {
    switch (kind) {
        case host::Dispatcher::Kind::respond: return "responds";
        case host::Dispatcher::Kind::decide: return "decides";
        case host::Dispatcher::Kind::deliver: return "delivers";
        case host::Dispatcher::Kind::observe: return "observes";
    }
    return "";
}

void write_hook(JsonWriter& json, const Server& server, HookId hook) {
    const auto members = server.plugins.chain(hook);
    if (members.empty()) return;
    json.array(hook_name(hook), [&] {
        for (const auto& member : members)
            json.object([&] {
                json.text("plugin", member.instance->name());
                json.number("priority", static_cast<int>(member.priority));
                json.text("handler", handler_name(member.kind));
                json.truth("waits", member.asks);
            });
    });
}

}  // namespace

std::string to_json(const Report& report) {
    JsonWriter json;
    json.object([&] {
        json.text("server", report.server);
        json.text("where", report.where);
        json.text("client", report.request.client.address.to_string());
        json.text("outcome", outcome_name(report.outcome()));
        json.array("sessions", [&] {
            for (const auto& visit : report.visits) write(json, visit);
        });
        write_texts(json, "notes", report.remarks);
    });
    return json.str() + "\n";
}

std::string list_json(const Server& server) {
    JsonWriter json;
    json.object([&] {
        json.text("server", server.name);
        json.text("where", server.where);
        json.object("hooks", [&] {
            for (std::size_t i = 0; i < static_cast<std::size_t>(HookId::count); ++i)
                write_hook(json, server, static_cast<HookId>(i));
        });
        json.array("plugins", [&] {
            for (const auto& instance : server.plugins.instances())
                json.object([&] {
                    json.text("plugin", instance->name());
                    json.text("where", instance->position());
                    json.object("options", [&] {
                        for (const auto& option : instance->settings()) json.text(option.name, option.value);
                    });
                });
        });
    });
    return json.str() + "\n";
}

}  // namespace smtpd::dry_run
