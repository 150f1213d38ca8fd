/// dispatcher.cc: runs chains of handlers.
#include "host/dispatcher.h"

#include "host/policy.h"

#include <smtpd/format.h>
#include <smtpd/notes.h>

#include <algorithm>
#include <exception>
#include <new>
#include <string>
#include <utility>

namespace smtpd::host {
namespace {

/// Observers of data_chunk that failed in this transaction: they see nothing more of a message of which they have missed a part.
const NoteKey<std::vector<const void*>> failed_observers{"host.failed_observers"};

/// Hooks at which somebody waits for what the chain says. At the others a fault is logged and that is all.
constexpr bool has_an_answer(HookId hook) noexcept {
    switch (hook) {
    case HookId::auth_result:
    case HookId::data_chunk:
    case HookId::received_line:
    case HookId::queue_post:
    case HookId::reset_transaction:
    case HookId::quit:
    case HookId::disconnect:
    case HookId::post_connection:
    case HookId::deny:
    case HookId::ok:
    case HookId::logging:
    case HookId::config:
    case HookId::user_config:
    case HookId::post_fork:
        return false;
    default:
        return true;
    }
}

/// Hooks whose handlers' verdicts are told to the hooks deny and ok.
constexpr bool is_announced(HookId hook) noexcept {
    switch (hook) {
    case HookId::auth_result:
    case HookId::data_chunk:
    case HookId::deny:
    case HookId::ok:
    case HookId::logging:
    case HookId::config:
    case HookId::user_config:
    case HookId::post_fork:
        return false;
    default:
        return true;
    }
}

/// Writes a line of the host's own about the plugin; `loglevel` has no say in it.
template <class... Arguments>
void log_about(const Instance& instance, HookContext& context, LogLevel level, std::string_view pattern, const Arguments&... arguments) noexcept {
    try {
        context.enter(instance.host_caller(), context.deadline());
        std::string text = format_text(pattern, arguments...);
        context.log(level, "{}", text);
        note_fault(context, instance, std::move(text));
    } catch (...) {  // no memory for the text: the event is counted all the same
    }
    context.enter(instance.caller(), context.deadline());
}

/// An answer that no handler can have meant; "" if it is a possible one.
std::string impossible(const Answer& answer) {
    if (answer.verdict > Verdict::done) return format_text("impossible verdict {}", static_cast<int>(answer.verdict));
    if (answer.code != 0 && (answer.code < 200 || answer.code > 599)) return format_text("impossible reply code {}", answer.code);
    if (is_denial(answer.verdict) && answer.code != 0 && answer.code < 400)
        return format_text("{} with the reply code {}, which would tell the client the contrary", verdict_name(answer.verdict), answer.code);
    return {};
}

Answer fault_answer(HookId hook, bool is_observer) noexcept {
    try {
        if (has_an_answer(hook) && !is_observer) return temporary_failure();
    } catch (...) {  // no memory for the text: the hook's own will do
        return Answer(Verdict::denysoft);
    }
    return {};
}

void forget_observer(const void* link, HookContext& context) {
    if (context.hook != HookId::data_chunk) return;
    if (Transaction* const transaction = context.transaction_or_null()) transaction->notes().get(failed_observers).push_back(link);
}

bool is_forgotten(const void* link, const HookContext& context) {
    if (context.hook != HookId::data_chunk) return false;
    const Transaction* const transaction = context.transaction_or_null();
    const auto* const failed = transaction ? transaction->notes().find(failed_observers) : nullptr;
    return failed && std::find(failed->begin(), failed->end(), link) != failed->end();
}

std::string shown(Duration duration) { return OptionType<Duration>::show(duration); }

bool contains(const std::vector<std::uint16_t>& indexes, std::size_t index) noexcept {
    return !indexes.empty() && std::find(indexes.begin(), indexes.end(), index) != indexes.end();
}

}  // namespace

/// The wishes of one handler in one round.
class Dispatcher::Collector final : public Questions {
public:
    Collector(const HookContext& context, engine::Wait& wait, Duration limit) : answers_(context.answers()), wait_(wait), limit_(limit), patience_(limit) {}

    void delay(Duration duration) override { delay_ = std::max(delay_, duration); }
    void silence(Duration duration) override { silence_ = std::max(silence_, duration); }
    const DnsAnswer& dns(DnsType type, std::string_view name) override;
    void patience(Duration duration) override { patience_ = std::min(duration, limit_); }

    Duration longest() const noexcept { return std::max(delay_, silence_); }
    bool has_asked() const noexcept { return asked_; }
    /// Questions that may not be put any more.
    unsigned surplus() const noexcept { return surplus_; }

    /// The times go to the stage, up to the limit.
    void settle_times() noexcept {
        wait_.delay = std::max(wait_.delay, std::min(delay_, limit_));
        wait_.silence = std::max(wait_.silence, std::min(silence_, limit_));
    }

private:
    const Answers& answers_;
    engine::Wait& wait_;
    const Duration limit_;
    Duration patience_;
    Duration delay_{0};
    Duration silence_{0};
    bool asked_ = false;
    unsigned surplus_ = 0;
};

const DnsAnswer& Dispatcher::Collector::dns(DnsType type, std::string_view name) {
    const DnsAnswer& known = answers_.dns(type, name);
    if (known.status() != DnsStatus::not_asked) {
        asked_ |= known.status() != DnsStatus::bad_name;
        return known;
    }
    auto question = DnsQuestion::make(type, name);  // there is one: bad names have their answer
    const auto asked = std::find_if(wait_.questions.begin(), wait_.questions.end(),
                                    [&](const engine::Wait::Question& other) { return other.question == *question; });
    if (asked != wait_.questions.end()) {
        asked->limit = std::max(asked->limit, patience_);
        asked_ = true;
    } else if (wait_.rounds > max_rounds || wait_.questions_in_all == max_questions) {
        ++surplus_;
    } else {
        wait_.questions.push_back({std::move(*question), patience_});
        ++wait_.questions_in_all;
        asked_ = true;
    }
    return known;
}

void Dispatcher::add(HookId hook, const Instance& instance, Handler handler) {
    Chain& chain = chains_[static_cast<std::size_t>(hook)];
    const Kind kind = handler.decide ? Kind::decide : handler.observe ? Kind::observe : Kind::answer;
    chain.asks |= static_cast<bool>(handler.ask);
    chain.can_accept |= kind == Kind::answer;
    chain.links.push_back({&instance, kind, std::move(handler)});
}

void Dispatcher::sort() {
    const auto comes_first = [](const Link& a, const Link& b) { return a.handler.priority < b.handler.priority; };
    for (auto& chain : chains_) std::stable_sort(chain.links.begin(), chain.links.end(), comes_first);
}

std::vector<Dispatcher::Member> Dispatcher::members(HookId hook) const {
    std::vector<Member> out;
    for (const auto& link : chain(hook).links) out.push_back({link.instance, link.kind, link.handler.priority, static_cast<bool>(link.handler.ask)});
    return out;
}

// --- asking ---

void Dispatcher::ask(HookContext& context, engine::Wait& wait) const noexcept {
    try {
        const Chain& chain = this->chain(context.hook);
        if (wait.rounds++ == 0) start_asking(chain, wait);
        for (const auto index : std::exchange(wait.askers, {})) ask_one(index, context, wait);
    } catch (const std::bad_alloc&) {  // the handlers are called after all, and find no answers
    }
}

/// In the first round everybody is asked who has an ask handler, later those who put questions to the DNS.
void Dispatcher::start_asking(const Chain& chain, engine::Wait& wait) {
    for (std::size_t i = 0; i < chain.links.size(); ++i)
        if (chain.links[i].handler.ask) wait.askers.push_back(static_cast<std::uint16_t>(i));
}

void Dispatcher::ask_one(std::size_t index, HookContext& context, engine::Wait& wait) const noexcept {
    const Link& link = chain(context.hook).links[index];
    const Instance& instance = *link.instance;
    Collector collector(context, wait, instance.deadline());
    const bool is_good = ask_guarded(link, context, collector);
    collector.settle_times();
    if (is_good && collector.surplus() > 0) {
        PluginCounters::count(instance.counters().overrun);
        log_about(instance, context, LogLevel::warning, "overrun: {} questions are not put, after {} rounds and {} questions", collector.surplus(),
                  wait.rounds - 1, wait.questions_in_all);
    }
    try {
        if (!is_good) wait.cut_short.push_back(static_cast<std::uint16_t>(index));
        else if (collector.has_asked() && collector.surplus() == 0) wait.askers.push_back(static_cast<std::uint16_t>(index));
    } catch (const std::bad_alloc&) {  // the handler is called after all, with what it has
    }
}

/// False if the handler must not be called later, because it failed or wants to wait longer than it may.
bool Dispatcher::ask_guarded(const Link& link, HookContext& context, Collector& collector) const noexcept {
    const Instance& instance = *link.instance;
    context.enter(instance.caller(), context.clock().now() + instance.deadline());
    try {
        if (link.kind == Kind::decide && instance.policy().exempts_immune && is_immune(context)) return true;
        link.handler.ask(context, collector);
        if (collector.longest() <= instance.deadline()) return true;
        PluginCounters::count(instance.counters().overrun);
        log_about(instance, context, LogLevel::warning, "overrun: it asks for a wait of {}; its deadline is {}", shown(collector.longest()),
                  shown(instance.deadline()));
        return false;
    } catch (const std::exception& exception) {
        log_about(instance, context, LogLevel::crit, "plugin fault: {}", exception.what());
    } catch (const DeadlinePassed&) {
        log_about(instance, context, LogLevel::error, "overrun: it waited in its ask handler until its deadline passed");
        PluginCounters::count(instance.counters().overrun);
        return false;
    } catch (...) {
        log_about(instance, context, LogLevel::crit, "plugin fault: an exception that is no std::exception");
    }
    PluginCounters::count(instance.counters().fault);
    return false;
}

// --- running ---

Answer Dispatcher::run(HookContext& context, const engine::Wait& wait) const noexcept {
    const auto& links = chain(context.hook).links;
    if (links.empty()) return {};
    const Clock& clock = context.clock();
    MonotonicTime now = clock.now();
    for (std::size_t i = 0; i < links.size(); ++i) {
        const Link& link = links[i];
        const Duration deadline = link.instance->deadline();
        context.enter(link.instance->caller(), now + deadline);
        bool deadline_passed = false;
        Answer answer = call(link, context, contains(wait.cut_short, i), deadline_passed);
        const MonotonicTime after = clock.now();
        if (after - now > deadline && !deadline_passed) {
            PluginCounters::count(link.instance->counters().overrun);
            const auto took = std::chrono::duration_cast<Duration>(after - now).count();
            log_about(*link.instance, context, LogLevel::warning, "overrun: the call took {} ms; its deadline is {} ms", took, deadline.count());
        }
        if (answer.verdict != Verdict::declined || context.connection.history().is_open()) complete_history(context, *link.instance, answer, now, after);
        now = after;
        if (is_announced(context.hook)) {
            const HookId about = is_denial(answer.verdict) ? HookId::deny : HookId::ok;
            if (has(about)) {
                announce(link, context, answer);
                now = clock.now();
            }
        }
        if (answer.verdict != Verdict::declined) return answer;
    }
    return {};
}

/// Calls the handler; whatever it throws becomes a line, a count and an answer.
Answer Dispatcher::call(const Link& link, HookContext& context, bool is_cut_short, bool& deadline_passed) const noexcept {
    const Instance& instance = *link.instance;
    const bool is_observer = link.kind == Kind::observe;
    try {
        try {
            Answer answer = call_unguarded(link, context, is_cut_short);
            if (answer.verdict == Verdict::declined) return answer;
            const std::string problem = impossible(answer);
            if (problem.empty()) return answer;
            log_about(instance, context, LogLevel::crit, "plugin fault: {}", problem);
        } catch (const std::exception& exception) {
            log_about(instance, context, LogLevel::crit, "plugin fault: {}", exception.what());
        } catch (const DeadlinePassed&) {
            deadline_passed = true;
            PluginCounters::count(instance.counters().overrun);
            log_about(instance, context, LogLevel::error, "overrun: its deadline of {} passed while it waited", shown(instance.deadline()));
            if (instance.is_policy() && !is_observer) return settle(error("deadline passed"), context, instance);
            return fault_answer(context.hook, is_observer);
        } catch (...) {
            log_about(instance, context, LogLevel::crit, "plugin fault: an exception that is no std::exception");
        }
        PluginCounters::count(instance.counters().fault);
        if (is_observer) forget_observer(&link, context);
    } catch (...) {  // no memory even for what a fault leads to
    }
    return fault_answer(context.hook, is_observer);
}

Answer Dispatcher::call_unguarded(const Link& link, HookContext& context, bool is_cut_short) const {
    const Instance& instance = *link.instance;
    if (link.kind == Kind::decide && instance.policy().exempts_immune && is_immune(context)) {
        note_immunity(context, instance);
        return {};
    }
    if (is_cut_short) {
        if (instance.is_policy()) return settle(error("it could not wait for what it asked for"), context, instance);
        return fault_answer(context.hook, false);
    }
    switch (link.kind) {
    case Kind::answer:
        return link.handler.answer(context);
    case Kind::decide:
        return settle(link.handler.decide(context), context, instance);
    case Kind::observe:
        if (!is_forgotten(&link, context)) link.handler.observe(context);
        break;
    }
    return {};
}

/// Tells the handlers of deny or ok what a handler said. What they say themselves is nobody's concern.
void Dispatcher::announce(const Link& link, HookContext& context, const Answer& answer) const noexcept {
    const HookId id = is_denial(answer.verdict) ? HookId::deny : HookId::ok;
    VerdictHook hook(id, context.connection, context.hook, link.instance->name(), answer);
    static_cast<void>(run(hook, {}));
}

}  // namespace smtpd::host
