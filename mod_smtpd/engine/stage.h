/// stage.h: asks, waits for and runs one hook.
///
/// Before the chain of a hook runs, its plugins say what they wait for: DNS answers, tasks, a delay, a silence of the
/// client. Meanwhile the session is parked. Then the chain runs: at once, or, if it reaches handlers that block, in
/// several parts on different threads. A Stage exists only while there is something to wait for. It belongs to one
/// session, whose driver ensures that calls do not overlap; only has_all_answers() may be called by any thread.
#pragma once

#include "engine/hook_runner.h"
#include "engine/services.h"
#include "engine/stage_argument.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace smtpd::engine {

/// The session as a stage sees it.
class StageOwner {
public:
    virtual ~StageOwner() = default;
    /// Creates the argument of the hook's handlers, and calls `call` with it.
    virtual void with_context(HookId hook, StageArgument& argument, const std::function<void(HookContext&)>& call) = 0;
    virtual void log_answer(const DnsQuestion& question, const DnsAnswer& answer) const = 0;
    virtual void log_late_task(std::string_view key) const = 0;
    /// Whether a silence of the client is meaningful at this point (it is not while the client may send at any time).
    virtual bool may_ask_for_silence() const noexcept = 0;
};

class Stage {
public:
    Stage(HookId hook, StageArgument argument, HookRunner& hooks, const Services& services, const Clock& clock,
          StageOwner& owner)
        : hook_(hook),
          argument_(std::move(argument)),
          hooks_(hooks),
          services_(services),
          clock_(clock),
          owner_(owner),
          since_(clock.now()) {}
    ~Stage();
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    HookId hook() const noexcept { return hook_; }
    StageArgument& argument() noexcept { return argument_; }
    MonotonicTime since() const noexcept { return since_; }
    ChainState& chain() noexcept { return chain_; }

    /// The first round of questions. `client_has_spoken`: there is unread input of the client.
    void begin(bool client_has_spoken);
    /// Takes the answers that have come, and asks further questions; true if there is nothing left to wait for.
    /// Otherwise wake_at() is the latest time to call again.
    bool is_over(bool is_at_end_of_input);
    MonotonicTime wake_at() const noexcept { return wake_at_; }
    /// Whether questions or tasks are pending.
    bool awaits_answers() const noexcept { return !batches_.empty() || !tasks_.empty(); }
    bool has_all_answers() const noexcept;
    /// Waits for work that was started elsewhere and continues if the stage stops waiting.
    void await(std::string name, std::shared_ptr<RunningTask> task, Duration limit);
    /// The client has sent something.
    void client_spoke() noexcept;
    /// The results of the wait; they do not change after its end.
    Answers answers() const;
    /// The wait is over.
    void end_wait() { result_ = answers(); }

private:
    /// Pending questions that are waited for together, and how long to wait, counted from since_.
    struct Batch {
        std::shared_ptr<net::Lookup> lookup;
        std::vector<Duration> limits;
    };

    /// A pending task, and how long to wait for it, counted from since_.
    struct AwaitedTask {
        Wait::TaskName name;
        std::shared_ptr<RunningTask> task;
        std::unique_ptr<TaskService::Started> started;
        MonotonicTime limit;
        bool is_own = true;  ///< it is cancelled at the end of the wait
    };

    void ask();
    void start_task(Wait::Task task);
    bool collect_tasks();
    MonotonicTime next_look() const;
    void put_questions();
    void put_batch(std::span<Wait::Question> questions);
    void take_answer(const DnsQuestion& question, DnsAnswer answer);
    bool collect_answers();
    std::optional<MonotonicTime> next_limit(const Batch& batch) const;

    const HookId hook_;
    StageArgument argument_;
    HookRunner& hooks_;
    const Services& services_;
    const Clock& clock_;
    StageOwner& owner_;
    const MonotonicTime since_;
    MonotonicTime wake_at_{};
    bool spoke_ = false;  ///< the client sent something when it should have been silent
    bool has_askers_ = false;
    ChainState chain_;
    std::vector<Batch> batches_;
    std::vector<AwaitedTask> tasks_;
    std::shared_ptr<DnsAnswers> dns_answers_;  ///< of all rounds
    std::shared_ptr<TaskResults> task_results_;
    std::optional<Answers> result_;
};

}  // namespace smtpd::engine
