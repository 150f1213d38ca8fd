/// point.h: where a plugin adds its handlers. hook/traits.h defines which kinds of handler a hook takes; any other kind
/// does not compile.
#pragma once

#include <smtpd/base/log.h>
#include <smtpd/body_stream.h>
#include <smtpd/delivery/delivery.h>
#include <smtpd/finding.h>
#include <smtpd/hook/arguments.h>
#include <smtpd/verdict.h>
#include <smtpd/waiting.h>

#include <concepts>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace smtpd {

/// The order of a hook's handlers. Any number is allowed; handlers with the same number run in the order of the
/// configuration.
enum class Priority : int { first = -1000, early = -100, normal = 0, late = 100, last = 1000 };

/// A handler with its types erased.
struct Handler {
    std::function<void(HookContext&, Questions&)> ask{};  ///< may be empty
    std::function<Response(HookContext&)> respond{};      ///< exactly one of these four is set
    std::function<Finding(HookContext&)> decide{};
    std::function<DeliveryResult(HookContext&)> deliver{};
    std::function<void(HookContext&)> observe{};
    std::function<std::shared_ptr<BodyStream>(HookContext&)> stream{};  ///< at data_chunk only, instead of the others
    Priority priority = Priority::normal;
};

/// Receives the handlers of one plugin instance. Implemented by the host.
class HookRegistrar {
public:
    virtual ~HookRegistrar() = default;
    virtual void add(HookId id, Handler handler) = 0;
};

/// The kinds of handler that a hook takes, by its row in hook_table.
struct HookRules {
    bool takes_verdicts = false;
    bool takes_findings = false;
    bool takes_questions = false;
    bool delivers = false;
};
consteval HookRules rules_of(HookId id) {
    const HookTraits& row = traits(id);
    return {row.takes_verdicts(), row.takes_findings(), row.has(HookTraits::asks), row.has(HookTraits::delivers)};
}

/// A handler: a function of the hook's argument, and optionally of the answers.
template <class F, class Context>
concept HandlerOf = std::is_invocable_v<const F&, Context&> || std::is_invocable_v<const F&, Context&, const Answers&>;
/// A handler that returns the result of a delivery.
template <class F, class Context>
concept DelivererOf = requires(const F& handler, Context& context) {
    { handler(context) } -> std::convertible_to<DeliveryResult>;
}
|| requires(const F& handler, Context& context, const Answers& answers) {
    { handler(context, answers) } -> std::convertible_to<DeliveryResult>;
};
/// A handler that returns nothing.
template <class F, class Context>
concept ObserverOf = std::is_invocable_r_v<void, const F&, Context&> &&
    std::is_void_v<std::invoke_result_t<const F&, Context&>>;

namespace detail {
/// Calls a handler with the arguments that it takes.
template <class Out, class Context, class F>
std::function<Out(HookContext&)> erase_handler(F handler) {
    return [handler = std::move(handler)](HookContext& context) -> Out {
        auto& typed = static_cast<Context&>(context);
        if constexpr (std::is_invocable_v<const F&, Context&, const Answers&>) return handler(typed, context.answers());
        else return handler(typed);
    };
}
}  // namespace detail

/// One hook for one plugin instance. A handler that the hook does not take (a verdict where no client waits for one, a
/// question where the session cannot be parked) does not compile; the failed constraint names the missing capability.
template <class Context, HookRules rules>
class HookPoint {
public:
    using Argument = Context;  ///< the argument of the hook's handlers

    HookPoint(HookRegistrar& registrar, HookId id) : registrar_(&registrar), id_(id) {}

    /// A handler that gives a verdict.
    template <HandlerOf<Context> F>
    requires(rules.takes_verdicts) void add(F handler) { add(Priority::normal, std::move(handler)); }
    template <HandlerOf<Context> F>
    requires(rules.takes_verdicts) void add(Priority priority, F handler) {
        add_verdict({}, priority, std::move(handler));
    }

    /// A handler that returns a Finding, which the instance's `reject` options turn into a verdict. It is not called
    /// for exempt clients.
    template <HandlerOf<Context> F>
    requires(rules.takes_findings) void decide(F handler) { decide(Priority::normal, std::move(handler)); }
    template <HandlerOf<Context> F>
    requires(rules.takes_findings) void decide(Priority priority, F handler) {
        add_finding({}, priority, std::move(handler));
    }

    /// A handler that only observes and returns nothing. It runs unless an earlier handler has ended the chain.
    template <ObserverOf<Context> F>
    void observe(F handler) {
        observe(Priority::normal, std::move(handler));
    }
    template <ObserverOf<Context> F>
    void observe(Priority priority, F handler) {
        registrar_->add(id_,
                        {.observe = detail::erase_handler<void, Context>(std::move(handler)), .priority = priority});
    }

    /// Queue plugins: a handler that returns a DeliveryResult, or a Fate that applies to all recipients.
    template <DelivererOf<Context> F>
    requires(rules.delivers) void deliver(F handler) { deliver(Priority::normal, std::move(handler)); }
    template <DelivererOf<Context> F>
    requires(rules.delivers) void deliver(Priority priority, F handler) {
        add_delivery({}, priority, std::move(handler));
    }

    /// An `ask` handler, to be followed by the handler that uses the answers.
    class Asking {
    public:
        Asking(HookPoint point, std::function<void(HookContext&, Questions&)> ask)
            : point_(point), ask_(std::move(ask)) {}
        template <HandlerOf<Context> F>
        requires(rules.takes_findings) void decide(F handler, Priority priority = Priority::normal) {
            point_.add_finding(std::move(ask_), priority, std::move(handler));
        }
        template <HandlerOf<Context> F>
        requires(rules.takes_verdicts) void add(F handler, Priority priority = Priority::normal) {
            point_.add_verdict(std::move(ask_), priority, std::move(handler));
        }
        template <DelivererOf<Context> F>
        requires(rules.delivers) void deliver(F handler, Priority priority = Priority::normal) {
            point_.add_delivery(std::move(ask_), priority, std::move(handler));
        }

    private:
        HookPoint point_;
        std::function<void(HookContext&, Questions&)> ask_;
    };
    template <std::invocable<Context&, Questions&> F>
    requires(rules.takes_questions) [[nodiscard]] Asking ask(F handler) {
        return {*this, [handler = std::move(handler)](HookContext& context, Questions& questions) {
                    handler(static_cast<Context&>(context), questions);
                }};
    }

private:
    using Ask = std::function<void(HookContext&, Questions&)>;

    template <class F>
    void add_verdict(Ask ask, Priority priority, F handler) {
        registrar_->add(id_, {.ask = std::move(ask),
                              .respond = detail::erase_handler<Response, Context>(std::move(handler)),
                              .priority = priority});
    }
    template <class F>
    void add_finding(Ask ask, Priority priority, F handler) {
        registrar_->add(id_, {.ask = std::move(ask),
                              .decide = detail::erase_handler<Finding, Context>(std::move(handler)),
                              .priority = priority});
    }
    template <class F>
    void add_delivery(Ask ask, Priority priority, F handler) {
        registrar_->add(id_, {.ask = std::move(ask),
                              .deliver = detail::erase_handler<DeliveryResult, Context>(std::move(handler)),
                              .priority = priority});
    }

    HookRegistrar* registrar_;
    HookId id_;
};

/// data_chunk: a plugin that processes messages while they arrive provides a BodyStream for each.
class StreamPoint {
public:
    explicit StreamPoint(HookRegistrar& registrar) : registrar_(&registrar) {}

    /// `factory` takes a MessageHook& and returns a std::shared_ptr<BodyStream>, or null to skip the message. The
    /// server calls it when it accepts DATA or the client sends the first chunk of BDAT; the message is still empty
    /// then.
    template <class F>
    requires std::is_invocable_r_v < std::shared_ptr<BodyStream>,
    const F&, MessageHook& > void stream(F factory) {
        registrar_->add(HookId::data_chunk,
                        {.stream = [factory = std::move(factory)](HookContext& context) -> std::shared_ptr<BodyStream> {
                            return factory(static_cast<MessageHook&>(context));
                        }});
    }

private:
    HookRegistrar* registrar_;
};

/// Logging plugins get lines instead of contexts, because a line may belong to no session.
class LoggingPoint {
public:
    explicit LoggingPoint(std::vector<std::pair<LogLevel, std::function<void(const LogLine&)>>>& sinks)
        : sinks_(&sinks) {}
    /// Called for every line up to that level, from any thread. Must not log itself.
    void add(LogLevel up_to, std::function<void(const LogLine&)> handler) {
        sinks_->push_back({up_to, std::move(handler)});
    }

private:
    std::vector<std::pair<LogLevel, std::function<void(const LogLine&)>>>* sinks_;
};

}  // namespace smtpd
