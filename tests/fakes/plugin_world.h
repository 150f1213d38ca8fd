/// plugin_world.h: a server's plugins as lambdas in a test, for tests of how the host treats plugins.
///
///     PluginWorld world;
///     world.add("first", [](Setup& setup) { setup.hooks.rcpt.add([](const RcptHook&) { return ok(); }); });
///     world.add_policy("second", "reject=no", [](Setup& setup) { setup.hooks.rcpt.decide(…); });
///     world.build();
///     world.rcpt();
#pragma once

#include "engine/server_access.h"
#include "engine/transaction_delivery.h"
#include "fakes/fake_clock.h"
#include "fakes/fake_log.h"
#include "fakes/fake_session.h"
#include "fakes/fake_store.h"
#include "fakes/temp_directory.h"
#include "host/options.h"
#include "host/plugin_set.h"

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::fakes {

/// "one|two": lists in a form that an assertion can print.
inline std::string joined(const std::vector<std::string>& texts) {
    std::string out;
    for (const auto& text : texts) out += (&text == &texts.front() ? "" : "|") + text;
    return out;
}

class PluginWorld {
public:
    using Script = std::function<void(Setup&)>;

    PluginWorld() : control({directory.path()}, clock, log, Duration(0)) { scripts().clear(); }

    /// A plugin of that label (instance "plain:label" or "policy:label") whose constructor runs the script.
    void add(const std::string& label, Script script, std::string_view options = {}) {
        add_line("plain", label, options, std::move(script));
    }
    void add_policy(const std::string& label, std::string_view options, Script script) {
        add_line("policy", label, options, std::move(script));
    }

    /// A plugin with tasks (instance "tasks:label").
    void add_with_tasks(const std::string& label, Script script, std::string_view options = {}) {
        add_line("tasks", label, options, std::move(script));
    }

    void build() {
        set.reset();
        environment.built_in = {&plain_descriptor, &policy_descriptor, &tasks_descriptor};
        environment.control = &control;
        environment.server_name = "mx.example.com";
        environment.clock = &clock;
        environment.log = &log;
        environment.stores = &store;
        set = host::PluginSet::build(lines, environment, problems);
        for (const auto& problem : problems)
            if (problem.is_error) throw std::runtime_error(problem.to_string());
        connection = std::make_unique<FakeConnection>(clock, set->log());
        transaction = std::make_unique<FakeTransaction>();
    }

    host::PluginCounters& counters(std::size_t instance = 0) { return set->instances().at(instance)->counters(); }

    Response run(HookContext&& hook, const engine::Wait& wait = {}) {
        engine::ChainState state;
        state.wait = wait;
        state.access = engine::ChainState::Access::any;
        return set->run(hook, state);
    }
    Response connect(const engine::Wait& wait = {}) {
        return run(ConnectionContext(HookId::connect, *connection), wait);
    }
    engine::Wait ask_connect() {
        ConnectionContext hook(HookId::connect, *connection);
        engine::Wait wait;
        set->ask(hook, wait);
        return wait;
    }
    Response mail() { return run(MailHook(*connection, *transaction)); }
    Response rcpt() {
        Recipient recipient(FakeTransaction::address("user@example.com"), {});
        return run(RcptHook(*connection, *transaction, recipient));
    }
    Response message(HookId hook) {
        if (hook == HookId::queue) {
            Response response = run(engine::TransactionDelivery(*connection, *transaction));
            ServerAccess::move_refused(*transaction);
            return response;
        }
        if (hook == HookId::queue_post) return run(QueuePostHook(*connection, *transaction, "told"));
        if (traits(hook).has(HookTraits::refuses_recipients)) return run(DataPostHook(hook, *connection, *transaction));
        return run(MessageHook(hook, *connection, *transaction));
    }
    /// The streams of the transaction's message; they begin with the first piece.
    engine::MessageObservers& streams() {
        if (streams_.empty()) {
            MessageHook hook(HookId::data_chunk, *connection, *transaction);
            streams_ = set->observe_message(hook);
        }
        return streams_;
    }
    void chunk(std::string_view octets) {
        for (const auto& stream : streams()) stream->chunk(octets);
    }
    void next_transaction() {
        streams_.clear();
        transaction = std::make_unique<FakeTransaction>();
    }
    Response at(HookId hook) { return run(ConnectionContext(hook, *connection)); }

    FakeClock clock;
    FakeLog log;
    FakeStore store{clock};
    TempDirectory directory;
    host::DirectoryControlFiles control;
    host::Environment environment;
    std::vector<host::PluginLine> lines;
    host::Problems problems;
    std::unique_ptr<host::PluginSet> set;
    std::unique_ptr<FakeConnection> connection;
    std::unique_ptr<FakeTransaction> transaction;

private:
    engine::MessageObservers streams_;

    static std::map<std::string, Script>& scripts() {
        static std::map<std::string, Script> by_instance;
        return by_instance;
    }
    class Plain final : public Plugin {
    public:
        explicit Plain(Setup& setup) { scripts().at(setup.instance())(setup); }
    };
    class Policy final : public PolicyPlugin {
    public:
        explicit Policy(Setup& setup) { scripts().at(setup.instance())(setup); }
    };
    class WithTasks final : public Plugin {
    public:
        static constexpr bool runs_tasks = true;
        explicit WithTasks(Setup& setup) { scripts().at(setup.instance())(setup); }
    };
    static constexpr PluginDescriptor plain_descriptor = smtpd::detail::describe<Plain>("plain");
    static constexpr PluginDescriptor policy_descriptor = smtpd::detail::describe<Policy>("policy");
    static constexpr PluginDescriptor tasks_descriptor = smtpd::detail::describe<WithTasks>("tasks");

    void add_line(const std::string& name, const std::string& label, std::string_view options, Script script) {
        host::PluginLine line;
        line.name = name;
        line.label = label;
        line.words = *host::split_option_words(options);
        line.file = "test.conf";
        line.line = static_cast<unsigned>(lines.size() + 1);
        scripts()[line.instance()] = std::move(script);
        lines.push_back(std::move(line));
    }
};

}  // namespace smtpd::fakes
