/// policy.cc: what becomes of a finding.
#include "host/policy.h"

#include <smtpd/format.h>

namespace smtpd::host {
namespace {

/// Said to a client whose refusal waits for the plugin naughty and whose complainer gave no text; it must not say which test it was.
constexpr std::string_view neutral_refusal = "Refused by the policy of this site";

void log_finding(const HookContext& context, std::string_view what, const std::string& reason) {
    if (!context.log_enabled(LogLevel::info)) return;
    context.log(LogLevel::info, reason.empty() ? "{}" : "{}: {}", what, reason);
}

void add_karma(const HookContext& context, int points) {
    if (points == 0) return;
    context.connection.adjust_karma(points);
    context.log(LogLevel::debug, "karma {} is now {}", points, context.connection.karma());
}

void add_authentication_result(const HookContext& context, const std::string& entry) {
    if (entry.empty()) return;
    Transaction* const transaction = context.transaction_or_null();
    (transaction ? transaction->authentication_results() : context.connection.authentication_results()).push_back(entry);
}

/// reject_type, with what the finding itself says about it; `declined` where neither says anything.
Verdict refusal_of(const Finding& finding, const PolicyDefaults& policy) {
    if (const auto named = finding.refusal_verdict()) return *named;
    if (!finding.is_soft()) return policy.reject_type;
    if (is_disconnect(policy.reject_type)) return *finding.is_soft() ? Verdict::denysoft_disconnect : Verdict::deny_disconnect;
    return *finding.is_soft() ? Verdict::denysoft : Verdict::deny;
}

EnhancedCode status_of(const Finding& finding, Verdict verdict) {
    EnhancedCode status = finding.enhanced().empty() ? EnhancedCode{0, 7, 1} : finding.enhanced();
    status.status_class = is_soft(verdict) ? 4 : 5;
    return status;
}

/// 451, with the text and status that the finding has for it.
Answer temporary_failure_of(const Finding& finding) {
    Answer answer = temporary_failure();
    if (!finding.reply_text().empty()) answer.text = finding.reply_text();
    return finding.enhanced().empty() ? answer : std::move(answer).with_status(status_of(finding, Verdict::denysoft));
}

Answer settle_fail(const Finding& finding, const HookContext& context, const PolicyDefaults& policy, const Instance& instance) {
    const Verdict verdict = refusal_of(finding, policy);
    const EnhancedCode status = status_of(finding, verdict);
    switch (policy.reject) {
    case PolicyDefaults::Reject::no:
        log_finding(context, "fail, tolerated", finding.reason());
        return {};
    case PolicyDefaults::Reject::naughty:
        log_finding(context, "fail, NAUGHTY", finding.reason());
        context.connection.set_naughty(instance.name(), verdict, status,
                                       finding.reply_text().empty() ? std::string(neutral_refusal) : finding.reply_text());
        return {};
    case PolicyDefaults::Reject::yes:
        break;
    }
    log_finding(context, "fail", finding.reason());
    return Answer(verdict == Verdict::declined ? Verdict::deny : verdict, finding.reply_text()).with_status(status);  // without a text, the hook's own is used
}

}  // namespace

Answer temporary_failure() { return Answer(Verdict::denysoft, "Local error in processing").with_code(451).with_status({4, 3, 0}); }

bool is_immune(const HookContext& context) noexcept {
    const Connection& connection = context.connection;
    if (connection.is_relay_client() || connection.naughty() || !connection.whitelisted().empty()) return true;
    const Transaction* const transaction = context.transaction_or_null();
    const Recipient* const recipient = context.recipient_or_null();
    return (transaction && !transaction->whitelisted().empty()) || (recipient && !recipient->whitelisted().empty());
}

void note_immunity(const HookContext& context, const Instance& instance) {
    PluginCounters::count(instance.counters().skip);
    if (!context.log_enabled(LogLevel::info)) return;
    const Connection& connection = context.connection;
    if (connection.is_relay_client())
        context.log(LogLevel::info, "skip: relay client");
    else if (!connection.whitelisted().empty())
        context.log(LogLevel::info, "skip: whitelisted host: {}", connection.whitelisted());
    else if (connection.naughty())
        context.log(LogLevel::info, "skip: naughty");
    else if (const Recipient* const recipient = context.recipient_or_null(); recipient && !recipient->whitelisted().empty())
        context.log(LogLevel::info, "skip: whitelisted recipient: {}", recipient->whitelisted());
    else if (const Transaction* const transaction = context.transaction_or_null())
        context.log(LogLevel::info, "skip: whitelisted sender: {}", transaction->whitelisted());
}

Answer settle(const Finding& finding, const HookContext& context, const Instance& instance) {
    const PolicyDefaults& policy = instance.policy();
    PluginCounters& counters = instance.counters();
    add_authentication_result(context, finding.authentication_entry());
    switch (finding.outcome()) {
    case Outcome::pass:
        PluginCounters::count(counters.pass);
        add_karma(context, finding.karma_points().value_or(policy.karma_pass));
        log_finding(context, "pass", finding.reason());
        return {};
    case Outcome::fail:
        PluginCounters::count(counters.fail);
        add_karma(context, finding.karma_points().value_or(policy.karma_fail));
        return settle_fail(finding, context, policy, instance);
    case Outcome::skip:
        PluginCounters::count(counters.skip);
        add_karma(context, finding.karma_points().value_or(0));
        log_finding(context, "skip", finding.reason());
        return {};
    case Outcome::error:
        break;
    }
    PluginCounters::count(counters.error);
    add_karma(context, finding.karma_points().value_or(0));
    log_finding(context, "error", finding.reason());
    return policy.onerror == PolicyDefaults::OnError::tempfail ? temporary_failure_of(finding) : Answer();
}

}  // namespace smtpd::host
