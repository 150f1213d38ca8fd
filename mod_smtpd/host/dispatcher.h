/// dispatcher.h: the chains of handlers of a server, and how one is run.
///
/// Built while the configuration is read, sorted once, then immutable and used by many threads. Running a chain takes no lock, compares no
/// strings, and allocates nothing unless a handler has something to say. Whatever a handler throws ends here.
#pragma once

#include "engine/hook_runner.h"
#include "host/instance.h"

#include <smtpd/hooks.h>

#include <array>
#include <cstddef>
#include <vector>

namespace smtpd::host {

class Dispatcher {
public:
    /// Takes a handler of that instance, which must outlive the dispatcher. Calls come in the order of the configuration.
    void add(HookId hook, const Instance& instance, Handler handler);
    /// Brings the chains into their order; before the first run().
    void sort();

    bool has(HookId hook) const noexcept { return !chain(hook).links.empty(); }
    bool can_accept(HookId hook) const noexcept { return chain(hook).can_accept; }
    bool asks(HookId hook) const noexcept { return chain(hook).asks; }
    /// How often the handlers of a stage are asked at most, and how much in all: enough for SPF's ten includes, one in the other, with an MX in the last.
    static constexpr unsigned max_rounds = 20;
    static constexpr std::size_t max_questions = 400;
    void ask(HookContext& context, engine::Wait& wait) const noexcept;
    Answer run(HookContext& context, const engine::Wait& wait) const noexcept;

    enum class Kind { answer, decide, observe };
    /// A handler, for those who show chains.
    struct Member {
        const Instance* instance;
        Kind kind;
        Priority priority;
        bool asks;  ///< it may want to wait first
    };
    /// The handlers of a hook, in the order in which they are called.
    std::vector<Member> members(HookId hook) const;

private:
    struct Link {
        const Instance* instance;
        Kind kind;
        Handler handler;
    };
    struct Chain {
        std::vector<Link> links;
        bool asks = false;
        bool can_accept = false;
    };
    class Collector;

    const Chain& chain(HookId hook) const noexcept { return chains_[static_cast<std::size_t>(hook)]; }

    static void start_asking(const Chain& chain, engine::Wait& wait);
    void ask_one(std::size_t index, HookContext& context, engine::Wait& wait) const noexcept;
    bool ask_guarded(const Link& link, HookContext& context, Collector& collector) const noexcept;
    Answer call(const Link& link, HookContext& context, bool is_cut_short, bool& deadline_passed) const noexcept;
    Answer call_unguarded(const Link& link, HookContext& context, bool is_cut_short) const;
    void announce(const Link& link, HookContext& context, const Answer& answer) const noexcept;

    std::array<Chain, static_cast<std::size_t>(HookId::count)> chains_;
};

}  // namespace smtpd::host
