/// hook_runner.h: what the engine asks of the layer above at each point of the dialogue. The engine does not know that
/// plugins exist.
///
/// The host implements it for a server's plugin chains; tests implement it with a few lambdas. One object serves all
/// sessions of a server and is called by many threads at a time.
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

/// What the handlers of a stage want to wait for, counted from the beginning of the stage; and what the host has to
/// remember between its rounds.
struct Wait {
    Duration delay{0};    ///< not before that long
    Duration silence{0};  ///< that long, or until the client sends something
    /// Handlers (by index in the chain) that asked for more than their deadline allows: their `onerror` response stands
    /// in for them.
    std::vector<std::uint16_t> cut_short;

    /// A question to the DNS that has no answer yet, and how long those who asked it can wait for one.
    struct Question {
        DnsQuestion question;
        Duration limit;
    };
    std::vector<Question> questions;       ///< of the last round, those of a handler next to each other
    std::vector<std::size_t> batch_sizes;  ///< how many of them each handler put that put any; what they leave over
                                           ///< belongs together

    /// A task that is to begin, of the plugin instance of that name.
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

    /// A handler that has put questions to the DNS, or has tasks, by index in the chain. It is asked again when all
    /// that it awaits has come.
    struct Asker {
        std::uint16_t index;
        unsigned rounds = 0;                  ///< how often it was asked
        std::vector<DnsQuestion> awaited;     ///< what it wanted to know and nobody knew
        std::vector<TaskName> awaited_tasks;  ///< its tasks on their way
        bool awaits_nothing() const noexcept { return awaited.empty() && awaited_tasks.empty(); }
    };
    std::vector<Asker> askers;
    unsigned rounds = 0;               ///< how often handlers were asked
    std::size_t questions_in_all = 0;  ///< and tasks

    bool needed() const noexcept {
        return delay.count() > 0 || silence.count() > 0 || !questions.empty() || !tasks.empty();
    }
};

/// How far the chain of a stage has come. Handlers that wait for something other than the DNS are called only where the
/// caller lets them: run() stops before the first one that it may not call, and is called again later, on another
/// thread.
struct ChainState {
    /// Which handlers the calling thread may wait in.
    enum class Access : std::uint8_t {
        none,      ///< none: it serves clients
        one_lane,  ///< those of `lane`, in which it has a place
        any
    };

    Wait wait;
    Access access = Access::none;
    std::uint16_t next = 0;  ///< index of the handler that is called next
    bool is_late = false;  ///< that handler's deadline has passed before there was a place for it: it is not called any
                           ///< more
    support::Lane* lane = nullptr;  ///< in which that handler waits; null: the chain is through
    /// Of that handler, from when the chain stopped there; none set: it has not stopped yet.
    MonotonicTime deadline{};
};

class HookRunner {
public:
    virtual ~HookRunner() = default;

    /// Whether anybody handles that hook; where nobody does, the engine skips the call.
    virtual bool has(HookId hook) const noexcept = 0;
    /// Whether anybody at that hook can say `ok`; findings and observers cannot.
    virtual bool can_accept(HookId hook) const noexcept { return has(hook); }
    /// Whether anybody wants to wait at that hook.
    virtual bool asks(HookId hook) const noexcept = 0;
    /// Whether anybody looks at the body of messages; where nobody does, it need not be kept.
    virtual bool reads_body() const noexcept { return true; }
    /// Whether anybody may refuse single recipients after DATA, or deliver to some of them only.
    virtual bool judges_recipients() const noexcept { return has(HookId::data_post_rcpt); }
    /// Collects what the handlers of context.hook want to wait for. Called again with the same `wait` when a part of
    /// its questions is answered, with all answers so far in context.answers(); `wait.questions` is then what those
    /// handlers ask beyond that whose answers have come. Never throws.
    virtual void ask(HookContext& context, Wait& wait) noexcept = 0;
    /// At which hooks some handler waits for something other than the DNS.
    virtual HookSet waits_at() const noexcept { return {}; }
    /// Where the first such handler of that hook queues that does not wait in `held`; null if there is none.
    virtual support::Lane* lane(HookId, const support::Lane* /*held*/) const noexcept { return nullptr; }
    /// Runs the chain of context.hook, from state.next on; context.answers() are set. Where it stops before a handler
    /// (state.lane says for what), the response means nothing yet. Never throws: a fault becomes a response.
    virtual Response run(HookContext& context, ChainState& state) noexcept = 0;
    /// Runs it in one go, whoever waits.
    Response run_through(HookContext& context) noexcept {
        ChainState state;
        state.access = ChainState::Access::any;
        return run(context, state);
    }
    /// Begins the streams of a message (the hook data_chunk). Never throws: a plugin that fails has none.
    virtual MessageObservers observe_message(MessageHook&) noexcept { return {}; }
    /// The significant lines of a control file, without any hook.
    virtual std::vector<std::string> control_lines(std::string_view name) noexcept = 0;
};

}  // namespace smtpd::engine
