/// fake_hook_runner.h: simulates the plugins of a session under test: a lambda or a fixed answer for each hook. For one
/// session and one thread at a time.
#pragma once

#include "engine/hook_runner.h"
#include "engine/server_access.h"
#include "engine/transaction_delivery.h"
#include "support/work_pool.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd::fakes {

/// Turns a queue plugin's result into a Response, as the host does.
inline Response conclude(HookContext& context, DeliveryResult result) {
    auto& delivery = static_cast<Delivery&>(context);
    Response response = engine::ResultSummary(result, delivery.recipients()).response();
    ServerAccess::conclude(delivery, std::move(result));
    return response;
}

/// The session of the hook's argument.
inline Connection& connection_of(const HookContext& context) { return *ServerAccess::session(context); }

/// data_chunk: the octets of the message as they arrive, for an observing handler.
class ChunkContext final : public TransactionContext {
public:
    ChunkContext(Connection& connection, Transaction& transaction, std::string_view chunk)
        : TransactionContext(HookId::data_chunk, connection, transaction), chunk(chunk) {}
    const std::string_view chunk;
};

class FakeHookRunner final : public engine::HookRunner {
public:
    using Handler = std::function<Response(HookContext&)>;

    /// Sets the answer at that hook.
    void on(HookId hook, Handler handler) { at(hook).handler = std::move(handler); }
    void respond(HookId hook, Response response) {
        on(hook, [response = std::move(response)](HookContext&) { return response; });
    }
    /// Gives no answer at that hook, but counts the calls.
    void watch(HookId hook) { respond(hook, declined()); }
    /// The same, for a plugin that cannot accept recipients.
    void look_on(HookId hook) {
        watch(hook);
        at(hook).can_accept = false;
    }
    /// Sets the wait before that hook; without an answer set for the hook, the answer is `declined`.
    void wait(HookId hook, Duration delay, Duration silence = Duration(0)) {
        engine::Wait wait;
        wait.delay = delay;
        wait.silence = silence;
        at(hook).wait = wait;
        if (!at(hook).handler) watch(hook);
    }
    /// Names whose addresses a plugin asks for before that hook: the first in the first round, the next after its
    /// answer, and so on.
    void look_up(HookId hook, std::vector<std::vector<std::string>> rounds, Duration limit = std::chrono::minutes(1)) {
        if (!at(hook).wait) wait(hook, Duration(0));
        at(hook).rounds = std::move(rounds);
        at(hook).limit = limit;
    }

    /// Tasks before that hook; each begins when the previous one has ended.
    template <class F>
    void have_task(HookId hook, std::vector<std::string> keys, F function, Duration limit = std::chrono::minutes(1)) {
        if (!at(hook).wait) wait(hook, Duration(0));
        at(hook).tasks.push_back({std::move(keys), [function] { return smtpd::detail::erase_task(function); }, limit});
    }
    void forget_tasks() {
        for (auto& point : points_) point.tasks.clear();
    }

    /// The handlers of that hook wait for something other than the DNS.
    void let_wait(HookId hook) {
        waiting |= {hook};
        if (!at(hook).handler) watch(hook);
    }
    HookSet waiting;
    class FakeLane final : public support::Lane {
    public:
        using Lane::Lane;
        bool try_hold() noexcept override {
            if (!is_free || is_held) return false;
            ++holds;
            return is_held = true;
        }
        void let_go() noexcept override { is_held = false; }
        bool is_free = true;
        bool is_held = false;
        unsigned holds = 0;
    };
    FakeLane lane_of_all{"fake"};
    HookSet elsewhere;  ///< of `waiting`: those that wait in other_lane
    support::Lane other_lane{"other"};
    std::vector<HookId> late;  ///< chains whose handler was given up

    /// Accepts all recipients, and queues messages into `queued`.
    void accept_mail() {
        respond(HookId::rcpt, smtpd::ok());
        on(HookId::queue, [this](HookContext& context) { return keep(context); });
    }
    bool judges = false;              ///< somebody says that recipients may be refused after DATA
    std::vector<std::string> queued;  ///< as a queue plugin would write them
    std::vector<HookId> calls;        ///< of run(), in order
    std::size_t asked = 0;            ///< calls of ask()
    std::vector<Answers> answers;     ///< what came of waiting, one for each of calls
    std::map<std::string, std::vector<std::string>, std::less<>> control;

    std::size_t count(HookId hook) const {
        return static_cast<std::size_t>(std::count(calls.begin(), calls.end(), hook));
    }
    /// "mail rcpt rcpt": the calls of these hooks.
    std::string order_of(std::initializer_list<HookId> hooks) const {
        std::string out;
        for (const auto call : calls)
            if (std::find(hooks.begin(), hooks.end(), call) != hooks.end())
                out.append(out.empty() ? "" : " ").append(hook_name(call));
        return out;
    }

    // HookRunner
    bool has(HookId hook) const noexcept override {
        return at(hook).handler || (hook == HookId::data_chunk && make_streams);
    }
    bool can_accept(HookId hook) const noexcept override { return has(hook) && at(hook).can_accept; }
    bool judges_recipients() const noexcept override { return judges || has(HookId::data_post_rcpt); }
    bool asks(HookId hook) const noexcept override { return at(hook).wait.has_value(); }
    void ask(HookContext& context, engine::Wait& wait) noexcept override {
        const Point& point = at(context.hook);
        ++asked;
        wait.delay = point.wait->delay;
        wait.silence = point.wait->silence;
        wait.cut_short = point.wait->cut_short;
        if (const auto round = wait.rounds++; round < point.rounds.size())
            for (const auto& name : point.rounds[round])
                wait.questions.push_back({DnsQuestion::make(DnsType::a, name).value(), point.limit});
        for (const auto& chain : point.tasks) start_next(chain, context.answers(), wait);
    }
    HookSet waits_at() const noexcept override { return waiting; }
    support::Lane* lane(HookId hook, const support::Lane* held) const noexcept override {
        support::Lane* const lane = const_cast<support::Lane*>(elsewhere.contains(hook) ? &other_lane : &lane_of_all);
        return waiting.contains(hook) && lane != held ? lane : nullptr;
    }
    Response run(HookContext& context, engine::ChainState& state) noexcept override {
        const support::Lane* const held = std::exchange(state.lane, nullptr);
        const bool is_late = held != nullptr && state.is_late;
        using Access = engine::ChainState::Access;
        support::Lane* const lane = this->lane(context.hook, nullptr);
        const bool may_call = state.access == Access::any || (state.access == Access::one_lane && held == lane);
        if (lane != nullptr && !may_call && !is_late) {
            state.lane = lane;
            state.deadline = context.clock().now() + std::chrono::minutes(1);
            return {};
        }
        if (is_late) late.push_back(context.hook);
        if (is_late) return denysoft("too late");
        calls.push_back(context.hook);
        answers.push_back(context.answers());
        return at(context.hook).handler(context);
    }
    /// The handler of data_chunk gets a ChunkContext for each piece; `streams` are the other streams.
    engine::MessageObservers observe_message(MessageHook& context) noexcept override {
        engine::MessageObservers out;
        if (at(HookId::data_chunk).handler) out.push_back(std::make_unique<Observer>(*this, context));
        if (make_streams) make_streams(out);
        return out;
    }
    std::function<void(engine::MessageObservers&)> make_streams;
    std::vector<std::string> control_lines(std::string_view name) noexcept override {
        const auto file = control.find(name);
        return file == control.end() ? std::vector<std::string>() : file->second;
    }

private:
    class Observer final : public engine::MessageObserver {
    public:
        Observer(FakeHookRunner& runner, MessageHook& message)
            : runner_(runner), connection_(message.connection), transaction_(message.transaction) {}
        void chunk(std::string_view octets) noexcept override {
            ChunkContext context(connection_, transaction_, octets);
            static_cast<void>(runner_.run_through(context));
        }
        void end() noexcept override {}
        void abort() noexcept override {}
        support::Lane* lane() const noexcept override { return nullptr; }
        Duration limit() const noexcept override { return Duration(0); }
        const std::string& name() const noexcept override { return name_; }

    private:
        FakeHookRunner& runner_;
        Connection& connection_;
        Transaction& transaction_;
        const std::string name_ = "fake";
    };

    struct TaskChain {
        std::vector<std::string> keys;
        std::function<smtpd::detail::TaskWork()> make;
        Duration limit;
    };

    void start_next(const TaskChain& chain, const Answers& answers, engine::Wait& wait) {
        for (const auto& key : chain.keys) {
            if (ServerAccess::task(answers, nullptr, key) != nullptr) continue;
            if (std::find(started_.begin(), started_.end(), key) != started_.end()) return;
            started_.push_back(key);
            return wait.tasks.push_back({{nullptr, key}, &lane_of_all, chain.make(), chain.limit});
        }
    }

    struct Point {
        Handler handler;
        std::optional<engine::Wait> wait;
        std::vector<std::vector<std::string>> rounds;
        std::vector<TaskChain> tasks;
        Duration limit{0};
        bool can_accept = true;
    };
    Point& at(HookId hook) { return points_[static_cast<std::size_t>(hook)]; }
    const Point& at(HookId hook) const { return points_[static_cast<std::size_t>(hook)]; }

    Response keep(HookContext& context) {
        std::string text;
        const auto append = [&](std::string_view bytes) {
            text += bytes;
            return Result<void>();
        };
        const auto written = static_cast<const Delivery&>(context).message().write_to(append);
        if (!written) return conclude(context, deferred("{}", written.error().what));
        queued.push_back(std::move(text));
        return conclude(context, delivered());
    }

    std::vector<std::string> started_;
    Point points_[static_cast<std::size_t>(HookId::count)];
};

}  // namespace smtpd::fakes
