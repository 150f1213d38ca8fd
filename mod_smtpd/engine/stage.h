/// stage.h: one hook that is being asked, waited for, and run.
///
/// Before the chain of a hook runs, its plugins name what they want to wait for: answers of the DNS, tasks, a delay, a
/// silence of the client. Meanwhile the session is parked. Then the chain runs, in one go or, where it comes to a
/// handler that waits for something else, in several on different threads. A Stage exists only while there is something
/// to wait for. It belongs to one session, whose driver sees to it that calls do not overlap; has_all_answers() alone
/// may be called by any thread.
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

/// What a stage has of its session.
class StageOwner {
public:
    virtual ~StageOwner() = default;
    /// Makes what the handlers of that hook are given, and calls `call` with it.
    virtual void with_context(HookId hook, StageArgument& argument, const std::function<void(HookContext&)>& call) = 0;
    virtual void log_answer(const DnsQuestion& question, const DnsAnswer& answer) const = 0;
    virtual void log_late_task(std::string_view key) const = 0;
    /// Whether a silence of the client means anything at this point (it does not where its octets may follow at any
    /// time).
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

    /// The first round of questions. `client_has_spoken`: something of it is at hand that nobody has looked at.
    void begin(bool client_has_spoken);
    /// Takes what has come, and asks on; true when there is nothing left to wait for. If not, wake_at() is when to look
    /// again at the latest.
    bool is_over(bool is_at_end_of_input);
    MonotonicTime wake_at() const noexcept { return wake_at_; }
    /// Whether questions or tasks are on their way.
    bool awaits_answers() const noexcept { return !batches_.empty() || !tasks_.empty(); }
    bool has_all_answers() const noexcept;
    /// Waits for work that has begun elsewhere, and goes on without being waited for.
    void await(std::string name, std::shared_ptr<RunningTask> task, Duration limit);
    /// The client has sent something.
    void client_spoke() noexcept;
    /// What has come of waiting; from the end of the wait on it stays the same.
    Answers answers() const;
    /// The wait is over.
    void end_wait() { result_ = answers(); }

private:
    /// Questions on their way that are waited for together, and how long they are worth waiting for, counted from
    /// since_.
    struct Batch {
        std::shared_ptr<net::Lookup> lookup;
        std::vector<Duration> limits;
    };

    /// A task on its way, and how long it is worth waiting for, counted from since_.
    struct AwaitedTask {
        Wait::TaskName name;
        std::shared_ptr<RunningTask> task;
        std::unique_ptr<TaskService::Started> started;
        MonotonicTime limit;
        bool is_own = true;  ///< it ends with the wait
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
    bool spoke_ = false;  ///< the client did, while it was to be silent
    bool has_askers_ = false;
    ChainState chain_;
    std::vector<Batch> batches_;
    std::vector<AwaitedTask> tasks_;
    std::shared_ptr<DnsAnswers> dns_answers_;  ///< of all rounds
    std::shared_ptr<TaskResults> task_results_;
    std::optional<Answers> result_;
};

}  // namespace smtpd::engine
