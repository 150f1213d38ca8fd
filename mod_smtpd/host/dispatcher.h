/// dispatcher.h: a server's chains of handlers, and how to run one.
///
/// Built while the configuration is read, then immutable and used by many threads. Running a chain takes no lock,
/// compares no strings, and allocates nothing unless a handler has something to say. If a heartbeat thread is running,
/// it does not even read the clock for handlers that decline. Exceptions from handlers end here.
#pragma once

#include "engine/hook_runner.h"
#include "host/instance.h"
#include "support/heartbeat.h"

#include <smtpd/hooks.h>

#include <array>
#include <cstddef>
#include <functional>
#include <variant>
#include <vector>

namespace smtpd::host {

class Dispatcher {
public:
    /// `heartbeat` may be null; it must outlive the dispatcher.
    explicit Dispatcher(const support::Heartbeat* heartbeat = nullptr) noexcept : heartbeat_(heartbeat) {}

    /// Adds a handler of that instance, which must outlive the dispatcher. Call it in the order of the configuration.
    void add(HookId hook, const Instance& instance, Handler handler);

    bool has(HookId hook) const noexcept {
        return !chain(hook).links.empty() || (hook == HookId::data_chunk && !streams_.empty());
    }
    bool can_accept(HookId hook) const noexcept { return chain(hook).can_accept; }
    bool asks(HookId hook) const noexcept { return chain(hook).asks; }
    /// The maximum number of rounds and questions of a stage: enough for SPF's ten includes, nested in each other, with
    /// an MX in the last one.
    static constexpr unsigned max_rounds = 20;
    static constexpr std::size_t max_questions = 400;
    void ask(HookContext& context, engine::Wait& wait) const noexcept;
    /// The hooks at which handlers wait for something other than the DNS.
    HookSet waits_at() const noexcept { return waits_at_; }
    support::Lane* lane(HookId hook, const support::Lane* held) const noexcept;
    /// See engine::HookRunner::run().
    Response run(HookContext& context, engine::ChainState& state) const noexcept;

    /// See engine::HookRunner::observe_message().
    engine::MessageObservers observe_message(MessageHook& context) const noexcept;

    enum class Kind { respond, decide, deliver, observe };
    /// A handler, for listing chains.
    struct Member {
        const Instance* instance;
        Kind kind;
        Priority priority;
        bool asks;  ///< it may wait before it answers
    };
    /// The handlers of a hook, in the order of their calls.
    std::vector<Member> members(HookId hook) const;

private:
    /// The data that running a chain needs for a handler; fits into a cache line. The type of the function is the kind
    /// of the handler.
    struct alignas(64) Link {
        using Answers = std::function<Response(HookContext&)>;
        using Decides = std::function<Finding(HookContext&)>;
        using Delivers = std::function<DeliveryResult(HookContext&)>;
        using Observes = std::function<void(HookContext&)>;
        const Instance* instance;
        Duration deadline;
        std::variant<Answers, Decides, Delivers, Observes> call;
        bool is_timed;  ///< its time is always measured to the millisecond
        bool waits;     ///< for something other than the DNS

        bool decides() const noexcept { return std::holds_alternative<Decides>(call); }
        bool delivers() const noexcept { return std::holds_alternative<Delivers>(call); }
        bool observes() const noexcept { return std::holds_alternative<Observes>(call); }
        /// The handler is skipped, because its plugin exempts that client.
        bool exempts(const HookContext& context) const noexcept;
    };
    /// The remaining data.
    struct Background {
        Priority priority;
        std::function<void(HookContext&, Questions&)> ask;
        support::Lane* lane;  ///< null if the handler does not wait
    };
    struct Chain {
        std::vector<Link> links;
        std::vector<Background> backgrounds;  ///< one for each link
        bool asks = false;
        bool can_accept = false;
    };
    /// What went wrong in a call.
    struct Mishap {
        bool happened = false;
        bool deadline_passed = false;  ///< noticed while the handler waited
    };
    class Collector;
    /// Creates the streams of a plugin.
    struct StreamMaker {
        const Instance* instance;
        std::function<std::shared_ptr<BodyStream>(HookContext&)> make;
    };

    const Chain& chain(HookId hook) const noexcept { return chains_[static_cast<std::size_t>(hook)]; }

    static void start_asking(const Chain& chain, engine::Wait& wait);
    void ask_one(engine::Wait::Asker& asker, HookContext& context, engine::Wait& wait) const noexcept;
    bool ask_guarded(const Link& link, std::size_t index, HookContext& context, Collector& collector) const noexcept;
    bool stops_before(const Chain& chain, std::size_t index, HookContext& context, engine::ChainState& state,
                      MonotonicTime now) const noexcept;
    Response call(const Link& link, HookContext& context, const char* hindrance, Mishap& mishap) const noexcept;
    Response call_unguarded(const Link& link, HookContext& context, const char* hindrance) const;
    static Response take(DeliveryResult result, const Link& link, HookContext& context);
    static Response fault_answer(const Link& link, HookContext& context) noexcept;
    static Response settle_mishap(const Link& link, HookContext& context, Mishap& mishap) noexcept;
    static void replace_impossible(const Link& link, HookContext& context, Response& response) noexcept;
    static void look_at_time(const Link& link, HookContext& context, MonotonicTime before,
                             MonotonicTime after) noexcept;
    bool announces(HookId hook) const noexcept;
    void announce(const Link& link, HookContext& context, const Response& response) const noexcept;

    const support::Heartbeat* heartbeat_;
    HookSet waits_at_;
    std::vector<StreamMaker> streams_;
    std::array<Chain, static_cast<std::size_t>(HookId::count)> chains_;
};

}  // namespace smtpd::host
