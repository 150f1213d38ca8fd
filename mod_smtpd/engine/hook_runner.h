/// hook_runner.h: the engine's interface to the layer above at each point of the dialogue. The engine does not know
/// about plugins.
///
/// The host implements it for a server's plugin chains; tests implement it with a few lambdas. One object serves all
/// sessions of a server and is called by many threads at the same time.
#pragma once

#include "engine/message_streams.h"

#include <smtpd/hooks.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::support {
class Lane;
}

namespace smtpd::engine {

/// What the handlers of a stage wait for, counted from the beginning of the stage, and the host's state between rounds.
struct Wait {
    Duration delay{0};    ///< the earliest time to continue
    Duration silence{0};  ///< that long, or until the client sends something
    /// Handlers (by index in the chain) that asked for more than their deadline allows: their `onerror` response
    /// replaces them.
    std::vector<std::uint16_t> cut_short;

    /// A DNS question without an answer yet, and how long the handlers that asked it can wait.
    struct Question {
        DnsQuestion question;
        Duration limit;
    };
    std::vector<Question> questions;       ///< of the last round; those of a handler are adjacent
    std::vector<std::size_t> batch_sizes;  ///< the number of questions of each handler that asked any; the remaining
                                           ///< questions form one more batch

    /// A task to start, of the plugin instance of that name.
    struct TaskName {
        const void* instance;
        std::string key;
        bool operator==(const TaskName&) const = default;
    };
    struct Task {
        TaskName name;
        support::Lane* lane;
        smtpd::detail::TaskWork work;
        Duration limit;  ///< counted from the beginning of the stage
    };
    std::vector<Task> tasks;  ///< of the last round

    /// A handler that has asked DNS questions, or has tasks, by index in the chain. It is called again when everything
    /// that it awaits has come.
    struct Asker {
        std::uint16_t index;
        unsigned rounds = 0;                  ///< how often it was called
        std::vector<DnsQuestion> awaited;     ///< questions that had no answer yet
        std::vector<TaskName> awaited_tasks;  ///< its running tasks
        bool awaits_nothing() const noexcept { return awaited.empty() && awaited_tasks.empty(); }
    };
    std::vector<Asker> askers;
    unsigned rounds = 0;               ///< how often handlers were called
    std::size_t questions_in_all = 0;  ///< tasks included

    bool needed() const noexcept {
        return delay.count() > 0 || silence.count() > 0 || !questions.empty() || !tasks.empty();
    }
};

/// The progress of a stage's chain. Handlers that wait for something other than the DNS are called only if the caller
/// allows it: run() stops before the first handler that it may not call, and is called again later, in another thread.
struct ChainState {
    /// The handlers in which the calling thread may block.
    enum class Access : std::uint8_t {
        none,      ///< none: the thread serves clients
        one_lane,  ///< those of `lane`, in which the thread has a slot
        any
    };

    Wait wait;
    Access access = Access::none;
    std::uint16_t next = 0;  ///< index of the next handler
    bool is_late = false;    ///< that handler's deadline passed before a slot was free: it is not called any more
    support::Lane* lane = nullptr;  ///< in which that handler waits; null: the chain is complete
    /// The deadline of that handler, from the moment the chain stopped there; not set if the chain has not stopped yet.
    MonotonicTime deadline{};
};

class HookRunner {
public:
    virtual ~HookRunner() = default;

    /// Whether the hook has any handler; otherwise the engine skips the call.
    virtual bool has(HookId hook) const noexcept = 0;
    /// Whether any handler at that hook can return `ok`; findings and observers cannot.
    virtual bool can_accept(HookId hook) const noexcept { return has(hook); }
    /// Whether any handler at that hook may wait.
    virtual bool asks(HookId hook) const noexcept = 0;
    /// Whether any plugin looks at message bodies; otherwise they need not be kept.
    virtual bool reads_body() const noexcept { return true; }
    /// Whether any plugin may refuse single recipients after DATA, or deliver to some of them only.
    virtual bool judges_recipients() const noexcept { return has(HookId::data_post_rcpt); }
    /// Collects what the handlers of context.hook wait for. Called again with the same `wait` when some of its
    /// questions are answered, with all answers so far in context.answers(); then `wait.questions` contains the further
    /// questions of the handlers whose answers have come. Never throws.
    virtual void ask(HookContext& context, Wait& wait) noexcept = 0;
    /// The hooks at which a handler waits for something other than the DNS.
    virtual HookSet waits_at() const noexcept { return {}; }
    /// The lane of the first handler at that hook that waits in a lane other than `held`; null if there is none.
    virtual support::Lane* lane(HookId, const support::Lane* /*held*/) const noexcept { return nullptr; }
    /// Runs the chain of context.hook, starting at state.next; context.answers() are set. If it stops before a handler
    /// (state.lane names its lane), the response has no meaning yet. Never throws: a fault becomes a response.
    virtual Response run(HookContext& context, ChainState& state) noexcept = 0;
    /// Runs the whole chain, even if handlers block.
    Response run_through(HookContext& context) noexcept {
        ChainState state;
        state.access = ChainState::Access::any;
        return run(context, state);
    }
    /// Creates the streams of a message (the hook data_chunk). Never throws: a plugin that fails has none.
    virtual MessageObservers observe_message(MessageHook&) noexcept { return {}; }
    /// The significant lines of a control file, without any hook.
    virtual std::vector<std::string> control_lines(std::string_view name) noexcept = 0;
};

}  // namespace smtpd::engine
