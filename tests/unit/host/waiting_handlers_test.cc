/// waiting_handlers_test.cc: handlers that wait for something other than the DNS: where a chain stops before them, and
/// how it continues.
#include "fakes/plugin_under_test.h"
#include "fakes/plugin_world.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::host {
namespace {

using engine::ChainState;
using fakes::PluginWorld;
using std::string;
using Access = ChainState::Access;

struct Asked {
    static inline string calls;
};

class Silent final : public BodyStream {
public:
    void chunk(std::string_view) override {}
};

/// Gives the answer in its options at RCPT.
template <bool waits, class Base>
class Caller final : public Base {
public:
    struct Options {
        string name;
        bool refuses = false;
        static OptionTable table() {
            return {option("name", &Options::name, "what it is called"),
                    option("refuses", &Options::refuses, "what it says")};
        }
    };
    static constexpr bool waits_for_backend = waits;

    Caller(Setup& setup, const Options& options) {
        const auto call = [options](const RcptHook&) { Asked::calls += options.name; };
        if constexpr (std::is_base_of_v<PolicyPlugin, Base>)
            setup.hooks.rcpt.decide(
                [=](const RcptHook& hook) { return call(hook), options.refuses ? fail("no") : pass(); });
        else
            setup.hooks.rcpt.add(
                [=](const RcptHook& hook) { return call(hook), options.refuses ? deny("no") : declined(); });
        setup.hooks.data_chunk.stream([](MessageHook&) { return std::make_shared<Silent>(); });
    }
};
constexpr PluginDescriptor quick = smtpd::detail::describe<Caller<false, Plugin>>("quick");
constexpr PluginDescriptor slow = smtpd::detail::describe<Caller<true, Plugin>>("slow");
constexpr PluginDescriptor slow_policy = smtpd::detail::describe<Caller<true, PolicyPlugin>>("slow_policy");

/// Waits at one of its two hooks.
class Partly final : public Plugin {
public:
    static constexpr HookSet waits_for_backend{HookId::mail};
    explicit Partly(Setup& setup) {
        setup.hooks.mail.add([](const MailHook&) { return declined(); });
        setup.hooks.rcpt.add([](const RcptHook&) { return declined(); });
    }
};
constexpr PluginDescriptor partly = smtpd::detail::describe<Partly>("partly");

/// Opens the namespaces in its option.
class StoreUser final : public Plugin {
public:
    struct Options {
        std::vector<string> spaces;
        static OptionTable table() { return {option("spaces", &Options::spaces, "what it opens")}; }
    };
    static constexpr HookSet uses_store_at{HookId::rcpt};
    StoreUser(Setup& setup, const Options& options) {
        for (const auto& space : options.spaces) static_cast<void>(setup.store<string>(space));
        setup.hooks.rcpt.add([](const RcptHook&) { return declined(); });
    }
};
constexpr PluginDescriptor store_user = smtpd::detail::describe<StoreUser>("store_user");

/// The namespaces a… are in one store, b… in another one; m… never make a handler wait.
class TwoStores final : public StoreSpaces {
public:
    Result<StoreSpace*> space(std::string_view name) override {
        return name[0] == 'a' ? &a_ : name[0] == 'b' ? &b_ : &m_;
    }
    support::Lane a{"a"}, b{"b"};

private:
    class Space final : public StoreSpace {
    public:
        explicit Space(support::Lane* lane) : lane_(lane) {}
        Result<std::optional<string>> get(std::string_view, Duration) override { return none(); }
        Result<void> put(std::string_view, std::string_view, Duration, Duration) override { return none(); }
        Result<std::optional<string>> put_if_absent(std::string_view, std::string_view, Duration, Duration) override {
            return none();
        }
        Result<std::int64_t> add(std::string_view, std::int64_t, Duration, AddOptions, Duration) override {
            return none();
        }
        Result<bool> replace(std::string_view, std::optional<std::string_view>, std::string_view, Duration,
                             Duration) override {
            return none();
        }
        Result<bool> remove(std::string_view, Duration) override { return none(); }
        Result<StorePage<string>> list(std::string_view, std::size_t, std::string_view, Duration) override {
            return none();
        }
        support::Lane* lane() const noexcept override { return lane_; }

    private:
        static Error none() { return {ErrorCode::unavailable, "there is nothing", 0}; }
        support::Lane* const lane_;
    };
    Space a_{&a}, b_{&b}, m_{nullptr};
};

}  // namespace

class WaitingHandlersTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(WaitingHandlersTest);
    CPPUNIT_TEST(a_chain_stops_before_a_handler_that_waits);
    CPPUNIT_TEST(it_goes_on_in_the_lane_of_that_handler_and_no_other);
    CPPUNIT_TEST(handlers_of_one_lane_are_called_in_one_go);
    CPPUNIT_TEST(whoever_may_wait_anywhere_is_not_stopped);
    CPPUNIT_TEST(a_handler_without_a_place_in_time_is_not_called);
    CPPUNIT_TEST(a_policy_without_a_place_in_time_gives_an_error);
    CPPUNIT_TEST(nobody_waits_for_a_policy_that_the_client_is_immune_to);
    CPPUNIT_TEST(waiting_for_a_place_counts_against_the_deadline);
    CPPUNIT_TEST(a_chain_that_begins_in_a_lane_has_its_whole_time);
    CPPUNIT_TEST(a_plugin_may_wait_at_some_of_its_hooks);
    CPPUNIT_TEST(streams_queue_with_the_handlers_of_their_plugin);
    CPPUNIT_TEST(such_plugins_have_the_option_concurrency);
    CPPUNIT_TEST(who_uses_one_store_waits_in_its_lane);
    CPPUNIT_TEST(who_uses_several_stores_waits_in_a_lane_of_its_own);
    CPPUNIT_TEST_SUITE_END();

    struct World {
        World(std::initializer_list<std::pair<const PluginDescriptor*, string>> plugins) {
            Asked::calls.clear();
            Environment environment;
            environment.built_in = {&quick, &slow, &slow_policy, &partly, &store_user};
            environment.stores = &stores;
            environment.control = &control;
            environment.clock = &clock;
            environment.log = &log;
            std::vector<PluginLine> lines;
            for (const auto& [descriptor, options] : plugins) {
                PluginLine line;
                line.name = descriptor->name;
                line.label = std::to_string(lines.size());
                line.words = *split_option_words(options);
                lines.push_back(std::move(line));
            }
            set = PluginSet::build(lines, environment, problems);
            for (const auto& problem : problems)
                if (problem.is_error) throw std::runtime_error(problem.to_string());
            connection = std::make_unique<fakes::FakeConnection>(clock, log);
        }
        Response rcpt() {
            Recipient recipient(fakes::FakeTransaction::address("user@example.com"), {});
            RcptHook hook(*connection, transaction, recipient);
            return set->run(hook, state);
        }
        support::Lane* lane(std::size_t instance) { return set->instances()[instance]->lane(HookId::rcpt); }

        fakes::TempDirectory directory;
        fakes::FakeClock clock;
        fakes::FakeLog log;
        DirectoryControlFiles control{{directory.path()}, clock, log, Duration(0)};
        TwoStores stores;
        Problems problems;
        std::unique_ptr<PluginSet> set;
        std::unique_ptr<fakes::FakeConnection> connection;
        fakes::FakeTransaction transaction;
        ChainState state;
    };

public:
    void a_chain_stops_before_a_handler_that_waits() {
        World world{{&quick, "name=a"}, {&slow, "name=b deadline=7s"}, {&quick, "name=c"}};
        static_cast<void>(world.rcpt());
        CPPUNIT_ASSERT_EQUAL(string("a"), Asked::calls);
        CPPUNIT_ASSERT(world.state.lane == world.lane(1) && world.state.lane != nullptr);
        CPPUNIT_ASSERT_EQUAL(string("slow:1"), world.state.lane->name());
        CPPUNIT_ASSERT(world.state.deadline == world.clock.now() + std::chrono::seconds(7));
        CPPUNIT_ASSERT(world.lane(0) == nullptr);
        CPPUNIT_ASSERT(world.set->lane(HookId::rcpt, nullptr) == world.lane(1));
        CPPUNIT_ASSERT(world.set->lane(HookId::rcpt, world.lane(1)) == nullptr);
        CPPUNIT_ASSERT(world.set->waits_at() == HookSet{HookId::rcpt});
    }

    void it_goes_on_in_the_lane_of_that_handler_and_no_other() {
        World world{{&quick, "name=a"},
                    {&slow, "name=b"},
                    {&quick, "name=c"},
                    {&slow, "name=d"},
                    {&quick, "name=e refuses=on"}};
        static_cast<void>(world.rcpt());
        world.state.access = Access::one_lane;
        static_cast<void>(world.rcpt());
        CPPUNIT_ASSERT_EQUAL(string("abc"), Asked::calls);
        CPPUNIT_ASSERT(world.state.lane == world.lane(3));
        CPPUNIT_ASSERT(world.set->lane(HookId::rcpt, world.lane(1)) == world.lane(3));
        CPPUNIT_ASSERT(world.set->lane(HookId::rcpt, world.lane(3)) == world.lane(1));
        const Response response = world.rcpt();
        CPPUNIT_ASSERT_EQUAL(string("abcde"), Asked::calls);
        CPPUNIT_ASSERT(world.state.lane == nullptr);
        CPPUNIT_ASSERT(response.verdict == Verdict::deny);
    }

    void handlers_of_one_lane_are_called_in_one_go() {
        World world{{&slow, "name=a"}, {&quick, "name=b"}};
        world.state.access = Access::one_lane;
        world.state.lane = world.lane(0);
        static_cast<void>(world.rcpt());
        CPPUNIT_ASSERT_EQUAL(string("ab"), Asked::calls);
    }

    void whoever_may_wait_anywhere_is_not_stopped() {
        World world{{&slow, "name=a"}, {&slow, "name=b"}, {&slow_policy, "name=c"}};
        world.state.access = Access::any;
        static_cast<void>(world.rcpt());
        CPPUNIT_ASSERT_EQUAL(string("abc"), Asked::calls);
        CPPUNIT_ASSERT(world.state.lane == nullptr);
    }

    void a_handler_without_a_place_in_time_is_not_called() {
        World world{{&slow, "name=a"}, {&quick, "name=b"}};
        static_cast<void>(world.rcpt());
        world.state.is_late = true;
        const Response response = world.rcpt();
        CPPUNIT_ASSERT_EQUAL(string(), Asked::calls);
        CPPUNIT_ASSERT(response.verdict == Verdict::denysoft);
        CPPUNIT_ASSERT_EQUAL(451, static_cast<int>(response.code));
        CPPUNIT_ASSERT_EQUAL(1u, static_cast<unsigned>(world.set->instances()[0]->counters().overrun.load()));
    }

    void a_policy_without_a_place_in_time_gives_an_error() {
        World world{{&slow_policy, "name=a"}, {&slow, "name=b"}};
        static_cast<void>(world.rcpt());
        world.state.is_late = true;
        CPPUNIT_ASSERT(world.rcpt().verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(string(), Asked::calls);
        CPPUNIT_ASSERT_EQUAL(1u, static_cast<unsigned>(world.set->instances()[0]->counters().error.load()));
        CPPUNIT_ASSERT(world.state.lane == world.lane(1));  // the next one is not late
    }

    void nobody_waits_for_a_policy_that_the_client_is_immune_to() {
        World world{{&slow_policy, "name=a"}, {&quick, "name=b"}};
        world.connection->set_relay_client(true);
        static_cast<void>(world.rcpt());
        CPPUNIT_ASSERT_EQUAL(string("b"), Asked::calls);
        CPPUNIT_ASSERT(world.state.lane == nullptr);
    }

    void waiting_for_a_place_counts_against_the_deadline() {
        MonotonicTime seen;
        PluginWorld world;
        world.add("one", [&](Setup& setup) {
            setup.hooks.connect.add([&](const ConnectHook& hook) { return seen = hook.deadline(), declined(); });
        });
        world.build();
        ConnectionContext hook(HookId::connect, *world.connection);
        ChainState state;
        support::Lane lane("some");
        state.access = Access::one_lane;
        state.lane = &lane;
        state.deadline = world.clock.now() + std::chrono::seconds(5);
        world.clock.advance(std::chrono::seconds(3));
        static_cast<void>(world.set->run(hook, state));
        CPPUNIT_ASSERT(seen == world.clock.now() + std::chrono::seconds(2));
    }

    /// A command or the end of a message that the session leaves to a thread that may wait, and that leads to this
    /// chain.
    void a_chain_that_begins_in_a_lane_has_its_whole_time() {
        MonotonicTime seen;
        PluginWorld world;
        world.add(
            "one",
            [&](Setup& setup) {
                setup.hooks.connect.add([&](const ConnectHook& hook) { return seen = hook.deadline(), declined(); });
            },
            "deadline=5s");
        world.build();
        ConnectionContext hook(HookId::connect, *world.connection);
        ChainState state;
        support::Lane lane("some");
        state.access = Access::one_lane;
        state.lane = &lane;
        static_cast<void>(world.set->run(hook, state));
        CPPUNIT_ASSERT(seen == world.clock.now() + std::chrono::seconds(5));
    }

    void a_plugin_may_wait_at_some_of_its_hooks() {
        World world{{&partly, ""}};
        CPPUNIT_ASSERT(world.set->waits_at() == HookSet{HookId::mail});
        CPPUNIT_ASSERT(world.set->lane(HookId::mail, nullptr) != nullptr);
        CPPUNIT_ASSERT(world.set->lane(HookId::rcpt, nullptr) == nullptr);
    }

    void streams_queue_with_the_handlers_of_their_plugin() {
        World world{{&slow, "name=a"}};
        CPPUNIT_ASSERT(world.set->has(HookId::data_chunk));
        fakes::FakeTransaction transaction;
        MessageHook hook(HookId::data_chunk, *world.connection, transaction);
        const auto streams = world.set->observe_message(hook);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), streams.size());
        CPPUNIT_ASSERT(streams[0]->lane() != nullptr && streams[0]->lane() == world.set->lane(HookId::rcpt, nullptr));
        CPPUNIT_ASSERT(!world.set->waits_at().contains(HookId::data_chunk));
    }

    void such_plugins_have_the_option_concurrency() {
        World world{{&slow, "name=a concurrency=3"}};
        CPPUNIT_ASSERT_EQUAL(string("3"), world.set->instances()[0]->settings().back().value);
        CPPUNIT_ASSERT_THROW(World({{&partly, "concurrency=1001"}}), std::runtime_error);
        CPPUNIT_ASSERT_NO_THROW(World({{&partly, "concurrency=0"}}));
    }

    void who_uses_one_store_waits_in_its_lane() {
        World world{{&store_user, "spaces=m1 spaces=a1 spaces=m2 spaces=a2"},
                    {&store_user, "spaces=b1"},
                    {&store_user, "spaces=m1"}};
        CPPUNIT_ASSERT(world.lane(0) == &world.stores.a);
        CPPUNIT_ASSERT(world.lane(1) == &world.stores.b);
        CPPUNIT_ASSERT(world.lane(2) == nullptr);
    }

    /// No thread can hold both.
    void who_uses_several_stores_waits_in_a_lane_of_its_own() {
        World world{{&store_user, "spaces=a1 spaces=b1 spaces=a2"}, {&store_user, "spaces=b1 spaces=a1"}};
        for (const std::size_t instance : {0, 1}) {
            support::Lane* const lane = world.lane(instance);
            CPPUNIT_ASSERT(lane != nullptr && lane != &world.stores.a && lane != &world.stores.b);
            CPPUNIT_ASSERT_EQUAL("store_user:" + std::to_string(instance), lane->name());
            CPPUNIT_ASSERT(!lane->try_hold());
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(WaitingHandlersTest);

}  // namespace smtpd::host
