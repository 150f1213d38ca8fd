/// dispatcher.cc: runs chains of handlers.
#include "host/dispatcher.h"

#include "engine/server_access.h"
#include "engine/transaction_delivery.h"
#include "host/policy.h"
#include "host/possible_fates.h"
#include "host/stream_guard.h"
#include "support/thrown.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

namespace smtpd::host {
namespace {

/// Writes a line of the host about the plugin; `loglevel` does not apply.
template <class... Arguments>
void log_about(const Instance& instance, HookContext& context, LogLevel level, PatternFor<Arguments...> pattern,
               const Arguments&... arguments) noexcept {
    try {
        ServerAccess::enter(context, instance.host_caller(), context.deadline());
        std::string text = format_text<Arguments...>(pattern, arguments...);
        context.log(level, "{}", text);
        record_fault(context, instance, std::move(text));
    } catch (...) {  // no memory for the text; the event is still counted
    }
    ServerAccess::enter(context, instance.caller(), context.deadline());
}

/// For every hook except `queue`: those have a session.
SessionContext& in_session(HookContext& context) noexcept { return static_cast<SessionContext&>(context); }
const SessionContext& in_session(const HookContext& context) noexcept {
    return static_cast<const SessionContext&>(context);
}

/// Hides the recipients that the last handler refused from the next one. False if no recipient is left.
bool move_refused(SessionContext& context) noexcept {
    Transaction* const transaction = context.transaction_or_null();
    if (!transaction) return true;
    try {
        ServerAccess::move_refused(*transaction);
    } catch (const std::bad_alloc&) {
        // They are marked, and the engine moves them again before it sends a reply.
    }
    return !transaction->recipients().empty() || transaction->refused_recipients().empty();
}

/// Why the response is invalid; "" if it is valid.
std::string impossible(const Response& response) {
    if (response.verdict > Verdict::done)
        return format_text("impossible verdict {}", static_cast<int>(response.verdict));
    if (response.code != 0 && (response.code < 200 || response.code > 599))
        return format_text("impossible reply code {}", response.code);
    if (is_denial(response.verdict) && response.code != 0 && response.code < 400)
        return format_text("{} with the reply code {}, which means the opposite", verdict_name(response.verdict),
                           response.code);
    return {};
}

/// Why a handler is not called.
constexpr const char* cut_short = "it could not wait for its answers";
constexpr const char* no_place = "its deadline passed while it waited for its turn to ask its back end";

void log_lateness(const Instance& instance, HookContext& context) noexcept {
    PluginCounters::count(instance.counters().overrun);
    log_about(instance, context, LogLevel::warning, "overrun: {}", no_place);
}

/// Handlers with less time than this are timed exactly; for the others a second or two does not matter.
constexpr Duration shortest_untimed = 10 * std::chrono::duration_cast<Duration>(support::Heartbeat::longest);

std::string shown(Duration duration) { return OptionType<Duration>::show(duration); }

bool contains(const std::vector<std::uint16_t>& indexes, std::size_t index) noexcept {
    return !indexes.empty() && std::find(indexes.begin(), indexes.end(), index) != indexes.end();
}

}  // namespace

/// The questions of one handler in one round.
class Dispatcher::Collector final : public Questions {
public:
    Collector(const HookContext& context, engine::Wait& wait, engine::Wait::Asker& asker, const Instance& instance)
        : context_(context),
          answers_(context.answers()),
          wait_(wait),
          asker_(asker),
          instance_(instance),
          limit_(instance.deadline()),
          timeout_(limit_) {}

    void delay(Duration duration) override { delay_ = std::max(delay_, duration); }
    void silence(Duration duration) override { silence_ = std::max(silence_, duration); }
    const DnsAnswer& dns(DnsType type, std::string_view name) override;
    void timeout(Duration duration) override { timeout_ = std::min(duration, limit_); }

    Duration longest() const noexcept { return std::max(delay_, silence_); }
    /// Questions that exceeded the limit.
    unsigned surplus() const noexcept { return surplus_; }

    /// Passes the times to the stage, up to the limit.
    void settle_times() noexcept {
        wait_.delay = std::max(wait_.delay, std::min(delay_, limit_));
        wait_.silence = std::max(wait_.silence, std::min(silence_, limit_));
    }

private:
    bool is_on_its_way(const DnsQuestion& question) const;
    bool is_on_its_way(const engine::Wait::TaskName& task) const;
    /// False if no more questions are allowed.
    bool may_ask();
    const smtpd::detail::TaskResult* find_task(std::string_view key) const noexcept override {
        return ServerAccess::task(answers_, key);
    }
    void start_task(std::string_view key, smtpd::detail::TaskWork work) override;

    const HookContext& context_;
    const Answers& answers_;
    engine::Wait& wait_;
    engine::Wait::Asker& asker_;
    const Instance& instance_;
    const Duration limit_;
    Duration timeout_;
    Duration delay_{0};
    Duration silence_{0};
    unsigned surplus_ = 0;
};

/// Whether the question was sent in an earlier round.
bool Dispatcher::Collector::is_on_its_way(const DnsQuestion& question) const {
    const auto awaits = [&](const engine::Wait::Asker& other) {
        return std::find(other.awaited.begin(), other.awaited.end(), question) != other.awaited.end();
    };
    return std::any_of(wait_.askers.begin(), wait_.askers.end(), awaits);
}

const DnsAnswer& Dispatcher::Collector::dns(DnsType type, std::string_view name) {
    const DnsAnswer& known = answers_.dns(type, name);
    if (known.status() != DnsStatus::not_asked) return known;
    auto question = DnsQuestion::make(type, name);  // it exists: bad names are answered above
    const auto asked = std::find_if(wait_.questions.begin(), wait_.questions.end(),
                                    [&](const engine::Wait::Question& other) { return other.question == *question; });
    if (asked != wait_.questions.end()) {
        asked->limit = std::max(asked->limit, timeout_);
    } else if (!is_on_its_way(*question)) {
        if (!may_ask()) return known;
        wait_.questions.push_back({*question, timeout_});
        ++wait_.questions_in_all;
    }
    asker_.awaited.push_back(std::move(*question));
    return known;
}

bool Dispatcher::Collector::may_ask() {
    if (asker_.rounds <= max_rounds && wait_.questions_in_all < max_questions) return true;
    ++surplus_;
    return false;
}

bool Dispatcher::Collector::is_on_its_way(const engine::Wait::TaskName& task) const {
    return std::any_of(wait_.askers.begin(), wait_.askers.end(), [&](const engine::Wait::Asker& other) {
        return std::find(other.awaited_tasks.begin(), other.awaited_tasks.end(), task) != other.awaited_tasks.end();
    });
}

/// A task that throws is a fault of the plugin; the thread that runs the task counts and logs it.
void Dispatcher::Collector::start_task(std::string_view key, smtpd::detail::TaskWork work) {
    support::Lane* const lane = instance_.task_lane();
    if (lane == nullptr) throw std::logic_error("it has a task but does not declare runs_tasks");
    engine::Wait::TaskName name{&instance_, std::string(key)};
    if (!is_on_its_way(name)) {
        if (!may_ask()) return;
        work.run = [run = std::move(work.run), &instance = instance_, &log = ServerAccess::log(context_),
                    session = ServerAccess::session_id(context_), hook = context_.hook,
                    key = name.key](const TaskContext& context) {
            try {
                return run(context);
            } catch (...) {
                record_fault(instance, log, session, hook, "its task " + key);
                throw;
            }
        };
        wait_.tasks.push_back({name, lane, std::move(work), timeout_});
        ++wait_.questions_in_all;
    }
    asker_.awaited_tasks.push_back(std::move(name));
}

void Dispatcher::add(HookId hook, const Instance& instance, Handler handler) {
    if (handler.stream) {
        streams_.push_back({&instance, std::move(handler.stream)});
        return;
    }
    Chain& chain = chains_[static_cast<std::size_t>(hook)];
    support::Lane* const lane = instance.lane(hook);
    Link link{&instance, instance.deadline(), std::move(handler.respond),
              lane != nullptr || instance.deadline() < shortest_untimed, lane != nullptr};
    if (handler.observe) link.call = std::move(handler.observe);
    if (handler.decide) link.call = std::move(handler.decide);
    if (handler.deliver) link.call = std::move(handler.deliver);
    link.is_timed |= link.decides();  // it always returns a finding, which goes to the history
    const auto comes_first = [](Priority priority, const Background& other) { return priority < other.priority; };
    const auto place = std::upper_bound(chain.backgrounds.begin(), chain.backgrounds.end(), handler.priority,
                                        comes_first) -
                       chain.backgrounds.begin();
    chain.asks |= static_cast<bool>(handler.ask);
    chain.can_accept |= !link.decides() && !link.observes();
    chain.links.insert(chain.links.begin() + place, std::move(link));
    chain.backgrounds.insert(chain.backgrounds.begin() + place, {handler.priority, std::move(handler.ask), lane});
    if (lane != nullptr) waits_at_ |= {hook};
}

support::Lane* Dispatcher::lane(HookId hook, const support::Lane* held) const noexcept {
    for (const auto& background : chain(hook).backgrounds)
        if (background.lane != nullptr && background.lane != held) return background.lane;
    return nullptr;
}

std::vector<Dispatcher::Member> Dispatcher::members(HookId hook) const {
    const auto kind_of = [](const Link& link) {
        return link.decides()    ? Kind::decide
               : link.delivers() ? Kind::deliver
               : link.observes() ? Kind::observe
                                 : Kind::respond;
    };
    const Chain& chain = this->chain(hook);
    std::vector<Member> out;
    for (std::size_t i = 0; i < chain.links.size(); ++i)
        out.push_back({chain.links[i].instance, kind_of(chain.links[i]), chain.backgrounds[i].priority,
                       static_cast<bool>(chain.backgrounds[i].ask)});
    if (hook == HookId::data_chunk)
        for (const auto& stream : streams_) out.push_back({stream.instance, Kind::observe, Priority::normal, false});
    return out;
}

engine::MessageObservers Dispatcher::observe_message(MessageHook& context) const noexcept {
    engine::MessageObservers out;
    for (const auto& [instance, make] : streams_) {
        ServerAccess::enter(context, instance->caller(), context.clock().now() + instance->deadline());
        try {
            if (auto stream = make(context))
                out.push_back(std::make_unique<StreamGuard>(std::move(stream), *instance, context));
        } catch (...) {
            record_fault(*instance, context.connection.log(), context.connection.id(), HookId::data_chunk,
                         "its stream could not be created");
        }
    }
    return out;
}

// --- asking ---

/// Calls the ask handlers that have all answers that they asked for, so that no plugin's next question waits for
/// another plugin's answer.
void Dispatcher::ask(HookContext& context, engine::Wait& wait) const noexcept {
    try {
        const Chain& chain = this->chain(context.hook);
        if (wait.rounds++ == 0) start_asking(chain, wait);
        wait.batch_sizes.clear();
        const auto is_open = [&](const DnsQuestion& question) {
            return context.answers().dns(question.type, question.name).status() == DnsStatus::not_asked;
        };
        const auto is_running = [&](const engine::Wait::TaskName& task) {
            return ServerAccess::task(context.answers(), task.instance, task.key) == nullptr;
        };
        for (auto& asker : wait.askers) {
            if (std::any_of(asker.awaited.begin(), asker.awaited.end(), is_open)) continue;
            if (std::any_of(asker.awaited_tasks.begin(), asker.awaited_tasks.end(), is_running)) continue;
            const std::size_t before = wait.questions.size();
            ask_one(asker, context, wait);
            if (wait.questions.size() > before) wait.batch_sizes.push_back(wait.questions.size() - before);
        }
        std::erase_if(wait.askers, [](const engine::Wait::Asker& asker) { return asker.awaits_nothing(); });
    } catch (const std::bad_alloc&) {  // the handlers are called anyway, and find no answers
    }
}

/// The first round calls every ask handler, later rounds those that have asked DNS questions.
void Dispatcher::start_asking(const Chain& chain, engine::Wait& wait) {
    for (std::size_t i = 0; i < chain.links.size(); ++i)
        if (chain.backgrounds[i].ask) wait.askers.push_back({static_cast<std::uint16_t>(i), 0, {}, {}});
}

/// The handler is called again as long as it waits for answers.
void Dispatcher::ask_one(engine::Wait::Asker& asker, HookContext& context, engine::Wait& wait) const noexcept {
    const Link& link = chain(context.hook).links[asker.index];
    const Instance& instance = *link.instance;
    asker.awaited.clear();
    asker.awaited_tasks.clear();
    ++asker.rounds;
    Collector collector(context, wait, asker, instance);
    const bool is_good = ask_guarded(link, asker.index, context, collector);
    collector.settle_times();
    if (is_good && collector.surplus() == 0) return;
    asker.awaited.clear();
    asker.awaited_tasks.clear();
    try {
        if (!is_good) wait.cut_short.push_back(asker.index);
    } catch (const std::bad_alloc&) {  // the handler is called anyway, with the answers so far
    }
    if (!is_good) return;
    PluginCounters::count(instance.counters().overrun);
    log_about(instance, context, LogLevel::warning, "overrun: {} questions not asked after {} rounds and {} questions",
              collector.surplus(), asker.rounds - 1, wait.questions_in_all);
}

/// False if the handler must not be called later, because it failed or wants to wait longer than allowed.
bool Dispatcher::ask_guarded(const Link& link, std::size_t index, HookContext& context,
                             Collector& collector) const noexcept {
    const Instance& instance = *link.instance;
    ServerAccess::enter(context, instance.caller(), context.clock().now() + instance.deadline());
    try {
        if (link.exempts(context)) return true;
        chain(context.hook).backgrounds[index].ask(context, collector);
        if (collector.longest() <= instance.deadline()) return true;
        PluginCounters::count(instance.counters().overrun);
        log_about(instance, context, LogLevel::warning, "overrun: it asks for a wait of {}; its deadline is {}",
                  shown(collector.longest()), shown(instance.deadline()));
        return false;
    } catch (const DeadlinePassed&) {
        log_about(instance, context, LogLevel::error,
                  "overrun: it waited in its ask handler until its deadline passed");
        PluginCounters::count(instance.counters().overrun);
        return false;
    } catch (...) { log_about(instance, context, LogLevel::crit, "plugin fault: {}", support::thrown_text()); }
    PluginCounters::count(instance.counters().fault);
    return false;
}

// --- running ---

bool Dispatcher::Link::exempts(const HookContext& context) const noexcept {
    return decides() && instance->policy().exempts_immune && in_session(context).exemption().has_value();
}

/// `hindrance`: why the handler cannot be called; null if it can.
inline Response Dispatcher::call_unguarded(const Link& link, HookContext& context, const char* hindrance) const {
    if (hindrance != nullptr && !link.exempts(context)) {
        if (link.instance->is_policy() && !link.observes() && !link.delivers())
            return settle(error("{}", hindrance), in_session(context), *link.instance);
        return fault_answer(link, context);
    }
    if (const auto* const answers = std::get_if<Link::Answers>(&link.call)) return (*answers)(context);
    if (const auto* const delivers = std::get_if<Link::Delivers>(&link.call))
        return take((*delivers)(context), link, context);
    if (const auto* const decides = std::get_if<Link::Decides>(&link.call)) {
        if (!link.exempts(context)) return settle((*decides)(context), in_session(context), *link.instance);
        record_exemption(in_session(context), *link.instance);
    } else {
        std::get<Link::Observes>(link.call)(context);
    }
    return {};
}

/// Stores the result of a queue plugin in the delivery, and returns what it means for the chain.
Response Dispatcher::take(DeliveryResult result, const Link& link, HookContext& context) {
    auto& delivery = static_cast<Delivery&>(context);
    if (const std::string problem = make_possible(result, delivery.recipients()); !problem.empty()) {
        PluginCounters::count(link.instance->counters().fault);
        log_about(*link.instance, context, LogLevel::crit, "plugin fault: {}", problem);
    }
    Response response = engine::ResultSummary(result, delivery.recipients()).response();
    ServerAccess::conclude(delivery, std::move(result));
    return response;
}

/// The response for a handler that failed; none if the client has a pending refusal, which must not change.
Response Dispatcher::fault_answer(const Link& link, HookContext& context) noexcept {
    if (link.observes()) return {};
    try {
        if (link.delivers()) return take(local_error(), link, context);
        if (traits(context.hook).tells_faults() && !in_session(context).only_complains()) return temporary_failure();
    } catch (...) {  // no memory for the text: the hook's own is used
        return Response(Verdict::denysoft);
    }
    return {};
}

/// Calls the handler. An exception becomes a log line, a count and a response.
inline Response Dispatcher::call(const Link& link, HookContext& context, const char* hindrance,
                                 Mishap& mishap) const noexcept {
    if (ServerAccess::session(context) != nullptr && context.hook != HookId::queue) {
        auto& in = in_session(context);
        ServerAccess::set_only_complains(
            in, in.connection.is_naughty() && link.decides() && link.instance->policy().exempts_immune);
    }
    try {
        return call_unguarded(link, context, hindrance);
    } catch (...) { return settle_mishap(link, context, mishap); }
}

/// Whether this thread must not call that handler, because it would block. An exempt client is not judged, so there is
/// nothing to wait for.
bool Dispatcher::stops_before(const Chain& chain, std::size_t index, HookContext& context, engine::ChainState& state,
                              MonotonicTime now) const noexcept {
    using Access = engine::ChainState::Access;
    support::Lane* const lane = chain.backgrounds[index].lane;
    if (state.access == Access::any || (state.access == Access::one_lane && state.lane == lane)) return false;
    const Link& link = chain.links[index];
    if (link.exempts(context)) return false;
    state.next = static_cast<std::uint16_t>(index);
    state.lane = lane;
    state.deadline = now + link.deadline;
    return true;
}

/// While no handler has anything to say and no second passes, the clock is not read: `now` is then earlier than the
/// call by less than a heartbeat.
Response Dispatcher::run(HookContext& context, engine::ChainState& state) const noexcept {
    const Chain& chain = this->chain(context.hook);
    const auto& links = chain.links;
    const engine::Wait& wait = state.wait;
    const bool has_stopped = state.deadline != MonotonicTime();
    if (links.empty()) return {};
    const Clock& clock = context.clock();
    const Connection* const session = ServerAccess::session(context);
    const bool is_announced = session && announces(context.hook);
    const bool is_anyone_cut_short = !wait.cut_short.empty();
    const bool may_refuse_recipients = traits(context.hook).has(HookTraits::refuses_recipients);
    MonotonicTime now;
    std::uint32_t beat;
    const auto look_at_clock = [&] {
        now = clock.now();
        beat = heartbeat_ ? heartbeat_->count() : 0;
    };
    look_at_clock();
    bool is_now = true;
    const std::size_t first = state.next;
    for (std::size_t index = first; index < links.size(); ++index) {
        const Link& link = links[index];
        if (link.is_timed && !is_now) look_at_clock();
        const bool is_resumed = has_stopped && index == first;
        if (link.waits && !(is_resumed && state.is_late) && stops_before(chain, index, context, state, now)) return {};
        ServerAccess::enter(context, link.instance->caller(), is_resumed ? state.deadline : now + link.deadline);
        Mishap mishap;
        const char* const hindrance = is_resumed && state.is_late                              ? no_place
                                      : is_anyone_cut_short && contains(wait.cut_short, index) ? cut_short
                                                                                               : nullptr;
        if (hindrance == no_place) log_lateness(*link.instance, context);
        Response response = call(link, context, hindrance, mishap);
        const bool goes_on = !may_refuse_recipients || move_refused(in_session(context));
        if (response.verdict != Verdict::declined) replace_impossible(link, context, response);
        is_now = link.is_timed || response.verdict != Verdict::declined || mishap.happened || beat == 0 ||
                 heartbeat_->count() != beat;
        const MonotonicTime before = now;
        if (is_now) {
            look_at_clock();
            if (!mishap.deadline_passed) look_at_time(link, context, before, now);
        }
        if (response.verdict != Verdict::declined || (session && ServerAccess::is_open(session->history())))
            complete_history(context, *link.instance, response, before, now);
        if (is_announced) {
            announce(link, context, response);
            look_at_clock();
        }
        if (response.verdict == Verdict::declined && goes_on) continue;
        state.lane = nullptr;
        return response;
    }
    state.lane = nullptr;
    return {};
}

/// Call it in a catch block: handles the exception.
Response Dispatcher::settle_mishap(const Link& link, HookContext& context, Mishap& mishap) noexcept {
    const Instance& instance = *link.instance;
    mishap.happened = true;
    try {
        try {
            throw;
        } catch (const DeadlinePassed&) {
            mishap.deadline_passed = true;
            PluginCounters::count(instance.counters().overrun);
            log_about(instance, context, LogLevel::error, "overrun: its deadline of {} passed while it waited",
                      shown(instance.deadline()));
            if (instance.is_policy() && !link.observes() && !link.delivers())
                return settle(error("deadline passed"), in_session(context), instance);
            return fault_answer(link, context);
        } catch (...) { log_about(instance, context, LogLevel::crit, "plugin fault: {}", support::thrown_text()); }
        PluginCounters::count(instance.counters().fault);
    } catch (...) {  // no memory even to handle the fault
    }
    return fault_answer(link, context);
}

/// Treats an invalid response as a fault.
void Dispatcher::replace_impossible(const Link& link, HookContext& context, Response& response) noexcept {
    try {
        const std::string problem = impossible(response);
        if (problem.empty()) return;
        PluginCounters::count(link.instance->counters().fault);
        log_about(*link.instance, context, LogLevel::crit, "plugin fault: {}", problem);
    } catch (...) {  // no memory for the text
    }
    response = fault_answer(link, context);
}

void Dispatcher::look_at_time(const Link& link, HookContext& context, MonotonicTime before,
                              MonotonicTime after) noexcept {
    if (after - before <= link.deadline) return;
    PluginCounters::count(link.instance->counters().overrun);
    const auto took = std::chrono::duration_cast<Duration>(after - before).count();
    log_about(*link.instance, context, LogLevel::warning, "overrun: the call took {} ms; its deadline is {} ms", took,
              link.deadline.count());
}

/// Whether any handler observes the responses of that hook.
bool Dispatcher::announces(HookId hook) const noexcept {
    return !traits(hook).has(HookTraits::unannounced) && (has(HookId::deny) || has(HookId::ok));
}

/// Passes a handler's response to the handlers of deny or ok, whose own responses are ignored.
void Dispatcher::announce(const Link& link, HookContext& context, const Response& response) const noexcept {
    const HookId id = is_denial(response.verdict) ? HookId::deny : HookId::ok;
    if (!has(id)) return;
    VerdictHook hook(id, *ServerAccess::session(context), context.hook, link.instance->name(), response);
    engine::ChainState state;
    state.access = engine::ChainState::Access::any;
    static_cast<void>(run(hook, state));
}

}  // namespace smtpd::host
