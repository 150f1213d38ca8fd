/// policy.cc: turns findings into replies, log lines, karma and counters.
#include "host/policy.h"

#include "engine/server_access.h"

#include <smtpd/base/format.h>

namespace smtpd::host {
namespace {

/// For a client whose refusal the plugin naughty carries out, if the complaining plugin gave no text; it must not
/// reveal the test.
constexpr std::string_view neutral_refusal = "Refused by the policy of this site";

void log_finding(const SessionContext& context, std::string_view what, const std::string& reason,
                 LogLevel level = LogLevel::info) {
    if (!context.log_enabled(level)) return;
    context.log(level, "{}{}{}", what, reason.empty() ? "" : ": ", reason);
}

int add_karma(const SessionContext& context, int points) {
    if (points == 0) return 0;
    context.connection.adjust_karma(points);
    context.log(LogLevel::debug, "karma {} is now {}", points, context.connection.karma());
    return points;
}

void add_authentication_results(const SessionContext& context, const Finding& finding) {
    if (finding.authentication_results().empty()) return;
    Transaction* const transaction = context.transaction_or_null();
    auto& list = transaction ? ServerAccess::results(*transaction) : ServerAccess::results(context.connection);
    for (const auto& result : finding.authentication_results()) {
        if (list.is_closed())
            context.log(LogLevel::info, "too late for Authentication-Results: {}", result.to_string());
        list.add(result);
    }
}

/// reject_type combined with the finding's own verdict; `declined` if neither specifies one.
Verdict refusal_of(const Finding& finding, const PolicyDefaults& policy) {
    if (const auto named = finding.refusal_verdict()) return *named;
    if (!finding.is_soft()) return policy.reject_type;
    if (is_disconnect(policy.reject_type))
        return *finding.is_soft() ? Verdict::denysoft_disconnect : Verdict::deny_disconnect;
    return *finding.is_soft() ? Verdict::denysoft : Verdict::deny;
}

EnhancedCode status_of(const Finding& finding, Verdict verdict) {
    EnhancedCode status = finding.enhanced().empty() ? EnhancedCode{0, 7, 1} : finding.enhanced();
    status.status_class = is_soft(verdict) ? 4 : 5;
    return status;
}

/// 0: the hook's.
int code_of(const Finding& finding, Verdict verdict) noexcept {
    constexpr int hundred = 100;
    if (finding.reply_code() == 0) return 0;
    return finding.reply_code() % hundred + (is_soft(verdict) ? 4 : 5) * hundred;
}

/// 451, with the finding's text and status if it has any.
Response temporary_failure_of(const Finding& finding) {
    Response response = temporary_failure();
    if (!finding.reply_text().empty()) response.text = finding.reply_text();
    return finding.enhanced().empty() ? response
                                      : std::move(response).with_status(status_of(finding, Verdict::denysoft));
}

/// Adds the failure to the client's complaints. If a plugin runs although a refusal is pending, that refusal does not
/// change.
void complain(const Finding& finding, const SessionContext& context, const Instance& instance, Verdict verdict,
              const std::string& text) {
    const Recipient* const recipient = context.recipient_or_null();
    context.connection.complain({.plugin = instance.name(),
                                 .hook = context.hook,
                                 .subject = traits(context.hook).about,
                                 .verdict = verdict,
                                 .enhanced = status_of(finding, verdict),
                                 .text = text,
                                 .reason = finding.reason(),
                                 .recipient = recipient ? recipient->address().path() : "",
                                 .is_told = !context.only_complains()});
}

Response settle_fail(const Finding& finding, const SessionContext& context, const PolicyDefaults& policy,
                     const Instance& instance, HistoryEntry& entry) {
    const Verdict verdict = refusal_of(finding, policy);
    if (policy.reject == PolicyDefaults::Reject::no || finding.is_tolerated()) {
        entry.is_tolerated = true;
        log_finding(context, "fail, tolerated", finding.reason());
        return {};
    }
    if (policy.reject == PolicyDefaults::Reject::naughty || context.only_complains()) {
        entry.is_deferred = true;
        entry.reply = finding.reply_text().empty() ? std::string(neutral_refusal) : finding.reply_text();
        log_finding(context, "fail, NAUGHTY", finding.reason());
        complain(finding, context, instance, verdict, entry.reply);
        return {};
    }
    log_finding(context, "fail", finding.reason());
    return Response(verdict == Verdict::declined ? Verdict::deny : verdict,
                    finding.reply_text())  // without a text, the hook's own is used
        .with_status(status_of(finding, verdict))
        .with_code(code_of(finding, verdict));
}

}  // namespace

Response temporary_failure() {
    return Response(Verdict::denysoft, "Local error in processing").with_code(451).with_status({4, 3, 0});
}

namespace {

HistoryEntry entry_of(HistoryEntry::Kind kind, const HookContext& context, const Connection& connection,
                      const Instance& instance) {
    HistoryEntry entry;
    entry.kind = kind;
    entry.hook = context.hook;
    entry.plugin = instance.name();
    entry.command = connection.commands();
    entry.parked = context.answers().waited();
    if (context.hook == HookId::data_post_rcpt)
        entry.recipient = static_cast<const DataPostRcptHook&>(context).recipient.address().path();
    return entry;
}

}  // namespace

void record_exemption(const SessionContext& context, const Instance& instance) {
    PluginCounters::count(instance.counters().skip);
    HistoryEntry entry = entry_of(HistoryEntry::Kind::exemption, context, context.connection, instance);
    if (const auto exemption = context.exemption()) entry.text = exemption->to_string();
    context.log(LogLevel::info, "skip: {}", entry.text);
    ServerAccess::open(ServerAccess::history(context.connection), std::move(entry));
}

namespace {

/// Counts, logs and does what the finding requires. Records the consequences in the entry.
Response apply(const Finding& finding, const SessionContext& context, const Instance& instance, HistoryEntry& entry) {
    const PolicyDefaults& policy = instance.policy();
    PluginCounters& counters = instance.counters();
    add_authentication_results(context, finding);
    switch (finding.outcome()) {
        case Outcome::pass:
            PluginCounters::count(counters.pass);
            entry.karma = add_karma(context, finding.karma_points().value_or(policy.karma_pass));
            log_finding(context, "pass", finding.reason(), LogLevel::debug);  // no consequences
            return {};
        case Outcome::fail:
            PluginCounters::count(counters.fail);
            entry.karma = add_karma(context, finding.karma_points().value_or(policy.karma_fail));
            return settle_fail(finding, context, policy, instance, entry);
        case Outcome::skip:
            PluginCounters::count(counters.skip);
            entry.karma = add_karma(context, finding.karma_points().value_or(0));
            log_finding(context, "skip", finding.reason());
            return {};
        case Outcome::error: break;
    }
    PluginCounters::count(counters.error);
    entry.karma = add_karma(context, finding.karma_points().value_or(0));
    log_finding(context, "error", finding.reason());
    const bool is_told = policy.onerror == PolicyDefaults::OnError::tempfail && !context.only_complains();
    return is_told ? temporary_failure_of(finding) : Response();
}

}  // namespace

Response settle(const Finding& finding, const SessionContext& context, const Instance& instance) {
    HistoryEntry entry = entry_of(HistoryEntry::Kind::finding, context, context.connection, instance);
    entry.outcome = finding.outcome();
    Response response = apply(finding, context, instance, entry);
    entry.text = finding.reason().substr(0, HistoryEntry::max_text);
    ServerAccess::open(ServerAccess::history(context.connection), std::move(entry));
    return response;
}

// --- the history

namespace {}  // namespace

void complete_history(const HookContext& context, const Instance& instance, const Response& response,
                      MonotonicTime began, MonotonicTime ended) noexcept {
    Connection* const connection = ServerAccess::session(context);
    if (connection == nullptr) return;
    History& history = ServerAccess::history(*connection);
    if (!ServerAccess::is_open(history) && traits(context.hook).has(HookTraits::within_others)) return;
    try {
        if (!ServerAccess::is_open(history))
            ServerAccess::open(history, entry_of(HistoryEntry::Kind::response, context, *connection, instance));
        HistoryEntry* const entry = ServerAccess::close(history);
        if (!entry) return;
        entry->verdict = response.verdict;
        entry->code = response.code;
        entry->enhanced = response.enhanced;
        entry->at = std::chrono::duration_cast<std::chrono::microseconds>(began - connection->started());
        entry->took = std::chrono::duration_cast<std::chrono::microseconds>(ended - began);
        if (response.text.empty()) return;
        (entry->kind == HistoryEntry::Kind::response ? entry->text : entry->reply) = response.text.substr(
            0, HistoryEntry::max_text);
    } catch (...) {  // no memory for the text
    }
}

void record_fault(const HookContext& context, const Instance& instance, std::string text) noexcept {
    Connection* const connection = ServerAccess::session(context);
    if (connection == nullptr) return;
    try {
        HistoryEntry entry = entry_of(HistoryEntry::Kind::fault, context, *connection, instance);
        entry.at = std::chrono::duration_cast<std::chrono::microseconds>(context.clock().now() - connection->started());
        entry.text = std::move(text);
        ServerAccess::add(ServerAccess::history(*connection), std::move(entry));
    } catch (...) {  // no memory for the names; the log and the counter have the fault
    }
}

}  // namespace smtpd::host
