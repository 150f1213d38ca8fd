/// dispatcher_test.cc: the order of a chain, what ends it, waits, deadlines, and failing handlers.
#include "engine/server_access.h"
#include "fakes/plugin_world.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace smtpd;
using smtpd::fakes::PluginWorld;
using smtpd::fakes::spelled_out;
using std::string;

}  // namespace

class DispatcherTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DispatcherTest);
    CPPUNIT_TEST(handlers_run_by_priority_then_in_configuration_order);
    CPPUNIT_TEST(the_first_verdict_that_is_not_declined_wins);
    CPPUNIT_TEST(an_observer_never_ends_the_chain);
    CPPUNIT_TEST(a_hook_without_handlers_is_declined_and_not_there);
    CPPUNIT_TEST(an_answer_keeps_its_code_status_and_text);
    CPPUNIT_TEST(a_handler_sees_answers_and_deadline);
    CPPUNIT_TEST(wishes_of_a_stage_are_the_longest_of_each_kind);
    CPPUNIT_TEST(a_wish_beyond_the_deadline_is_cut_and_its_handler_not_called);
    CPPUNIT_TEST(a_cut_short_handler_without_policy_is_a_temporary_failure);
    CPPUNIT_TEST(an_immune_client_is_not_asked_about);
    CPPUNIT_TEST(an_exception_is_a_451_where_a_client_waits);
    CPPUNIT_TEST(an_exception_elsewhere_is_only_logged);
    CPPUNIT_TEST(an_exception_of_an_observer_is_only_logged);
    CPPUNIT_TEST(a_stream_that_throws_sees_no_more_of_that_message);
    CPPUNIT_TEST(a_stream_has_ended_when_its_end_has_returned);
    CPPUNIT_TEST(a_plugin_need_not_look_at_each_message);
    CPPUNIT_TEST(an_exception_while_asking_is_a_fault_and_cuts_short);
    CPPUNIT_TEST(impossible_answers_are_faults);
    CPPUNIT_TEST(a_wait_ends_at_the_deadline_and_onerror_answers);
    CPPUNIT_TEST(a_wait_within_the_deadline_returns);
    CPPUNIT_TEST(a_slow_call_is_an_overrun_and_its_answer_counts);
    CPPUNIT_TEST(one_call_is_one_overrun);
    CPPUNIT_TEST(time_spent_in_ok_hooks_is_not_the_next_handlers);
    CPPUNIT_TEST(an_overrun_is_noticed_by_the_heart_that_beat_meanwhile);
    CPPUNIT_TEST(short_deadlines_and_findings_are_measured_without_a_beat);
    CPPUNIT_TEST(deny_and_ok_hooks_hear_of_every_handler);
    CPPUNIT_TEST(deny_and_ok_hooks_are_not_told_of_themselves);
    CPPUNIT_TEST(loglevel_changes_the_plugins_lines_but_not_the_hosts);
    CPPUNIT_TEST(a_line_names_session_transaction_hook_and_plugin_and_is_printable);
    CPPUNIT_TEST_SUITE_END();

    PluginWorld world_;
    string seen_;
    std::vector<string> calls_;

    /// A script that records its call at RCPT and answers with that verdict.
    PluginWorld::Script at_rcpt(const string& name, Priority priority, Verdict verdict = Verdict::declined) {
        return [this, name, priority, verdict](Setup& setup) {
            setup.hooks.rcpt.add(priority, [this, name, verdict](const RcptHook&) {
                calls_.push_back(name);
                return Response(verdict, name);
            });
        };
    }
    string calls() const {
        string out;
        for (const auto& call : calls_) out += (out.empty() ? "" : " ") + call;
        return out;
    }

public:
    void handlers_run_by_priority_then_in_configuration_order() {
        const struct {
            const char* name;
            Priority priority;
        } rows[] = {{"late", Priority::late},        {"a", Priority::normal},    {"last", Priority::last},
                    {"first", Priority::first},      {"b", Priority::normal},    {"early", Priority::early},
                    {"7", static_cast<Priority>(7)}, {"first2", Priority::first}};
        for (const auto& row : rows) world_.add(row.name, at_rcpt(row.name, row.priority));
        world_.build();
        CPPUNIT_ASSERT(world_.rcpt().verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(string("first first2 early a b 7 late last"), calls());
    }

    void the_first_verdict_that_is_not_declined_wins() {
        const Verdict all[] = {
            Verdict::ok,  Verdict::deny, Verdict::denysoft, Verdict::deny_disconnect, Verdict::denysoft_disconnect,
            Verdict::done};
        for (const Verdict first : all)
            for (const Verdict second : all) {
                PluginWorld world;
                calls_.clear();
                world.add("none", at_rcpt("none", Priority::normal));
                world.add("first", at_rcpt("first", Priority::normal, first));
                world.add("second", at_rcpt("second", Priority::normal, second));
                world.build();
                const Response response = world.rcpt();
                CPPUNIT_ASSERT_MESSAGE(string(verdict_name(first)), response.verdict == first);
                CPPUNIT_ASSERT_EQUAL(string("first"), response.text);
                CPPUNIT_ASSERT_EQUAL(string("none first"), calls());
            }
    }

    void an_observer_never_ends_the_chain() {
        world_.add("observer", [this](Setup& setup) {
            setup.hooks.rcpt.observe([this](const RcptHook&) { calls_.push_back("observer"); });
        });
        world_.add("decider", at_rcpt("decider", Priority::normal, Verdict::ok));
        world_.add("late", [this](Setup& setup) {
            setup.hooks.rcpt.observe([this](const RcptHook&) { calls_.push_back("late"); });
        });
        world_.build();
        CPPUNIT_ASSERT(world_.rcpt().verdict == Verdict::ok);
        CPPUNIT_ASSERT_EQUAL(string("observer decider"), calls());
    }

    void a_hook_without_handlers_is_declined_and_not_there() {
        world_.add("one", at_rcpt("one", Priority::normal));
        world_.build();
        CPPUNIT_ASSERT(world_.set->has(HookId::rcpt));
        CPPUNIT_ASSERT(!world_.set->asks(HookId::rcpt));
        for (int id = 0; id < static_cast<int>(HookId::count); ++id)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(string(hook_name(static_cast<HookId>(id))),
                                         static_cast<HookId>(id) == HookId::rcpt,
                                         world_.set->has(static_cast<HookId>(id)));
        CPPUNIT_ASSERT_EQUAL(string("declined 0 0.0.0 "), spelled_out(world_.connect()));
    }

    void an_answer_keeps_its_code_status_and_text() {
        world_.add("one", [](Setup& setup) {
            setup.hooks.rcpt.add([](const RcptHook&) {
                return deny("two\nlines").with_code(553).with_status({5, 1, 3});
            });
        });
        world_.build();
        CPPUNIT_ASSERT_EQUAL(string("deny 553 5.1.3 two\nlines"), spelled_out(world_.rcpt()));
    }

    void a_handler_sees_answers_and_deadline() {
        MonotonicTime deadline;
        bool spoke = false;
        world_.add(
            "one",
            [&](Setup& setup) {
                setup.hooks.connect.ask([](const ConnectHook&, Questions&) {})
                    .add([&](const ConnectHook& hook, const Answers& answers) {
                        deadline = hook.deadline();
                        spoke = answers.client_spoke();
                        return declined();
                    });
            },
            "deadline=5s");
        world_.build();
        ConnectionContext hook(HookId::connect, *world_.connection);
        ServerAccess::set_answers(hook, Answers(true, std::chrono::seconds(1)));
        CPPUNIT_ASSERT(world_.set->asks(HookId::connect));
        CPPUNIT_ASSERT(world_.set->run_through(hook).verdict == Verdict::declined);
        CPPUNIT_ASSERT(spoke);
        CPPUNIT_ASSERT(deadline == world_.clock.now() + std::chrono::seconds(5));
    }

    void wishes_of_a_stage_are_the_longest_of_each_kind() {
        const struct {
            const char* name;
            int delay;
            int silence;
        } rows[] = {{"a", 100, 0}, {"b", 300, 200}, {"c", 0, 700}, {"d", -5, -5}};
        for (const auto& row : rows)
            world_.add(row.name, [row](Setup& setup) {
                setup.hooks.connect
                    .ask([row](const ConnectHook&, Questions& questions) {
                        questions.delay(Duration(row.delay));
                        questions.silence(Duration(row.silence));
                    })
                    .add([](const ConnectHook&) { return declined(); });
            });
        world_.build();
        const engine::Wait wait = world_.ask_connect();
        CPPUNIT_ASSERT_EQUAL(300L, static_cast<long>(wait.delay.count()));
        CPPUNIT_ASSERT_EQUAL(700L, static_cast<long>(wait.silence.count()));
        CPPUNIT_ASSERT(wait.cut_short.empty());
        CPPUNIT_ASSERT(wait.needed());
    }

    void a_wish_beyond_the_deadline_is_cut_and_its_handler_not_called() {
        for (const bool tempfail : {false, true}) {
            PluginWorld world;
            world.add("before",
                      [](Setup& setup) { setup.hooks.connect.add([](const ConnectHook&) { return declined(); }); });
            world.add_policy("greedy", tempfail ? "deadline=2s onerror=tempfail" : "deadline=2s onerror=accept",
                             [](Setup& setup) {
                                 setup.hooks.connect
                                     .ask([](const ConnectHook&, Questions& questions) {
                                         questions.silence(std::chrono::seconds(3));
                                     })
                                     .decide([](const ConnectHook&) { return fail("called"); });
                             });
            world.build();
            const engine::Wait wait = world.ask_connect();
            CPPUNIT_ASSERT(wait.silence == std::chrono::seconds(2));
            CPPUNIT_ASSERT(wait.cut_short == std::vector<std::uint16_t>({1}));
            CPPUNIT_ASSERT_EQUAL(
                string(tempfail ? "denysoft 451 4.3.0 Local error in processing" : "declined 0 0.0.0 "),
                spelled_out(world.connect(wait)));
            CPPUNIT_ASSERT_EQUAL(
                string("(connect) policy:greedy: overrun: it asks for a wait of 3s; its deadline is 2s\n"
                       "(connect) policy:greedy: error: it could not wait for its answers\n"),
                world.log.to_string());
            CPPUNIT_ASSERT(world.log.lines()[0].level == LogLevel::warning);
            CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), world.counters(1).overrun.load());
            CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), world.counters(1).fail.load());
        }
    }

    void a_cut_short_handler_without_policy_is_a_temporary_failure() {
        world_.add("greedy", [](Setup& setup) {
            setup.hooks.connect
                .ask([](const ConnectHook&, Questions& questions) { questions.delay(std::chrono::hours(1)); })
                .add([](const ConnectHook&) { return ok("called"); });
        });
        world_.build();
        const engine::Wait wait = world_.ask_connect();
        CPPUNIT_ASSERT(wait.delay == std::chrono::seconds(60));
        CPPUNIT_ASSERT_EQUAL(string("denysoft 451 4.3.0 Local error in processing"), spelled_out(world_.connect(wait)));
        CPPUNIT_ASSERT_EQUAL(string("ok 0 0.0.0 called"), spelled_out(world_.connect()));
    }

    void an_immune_client_is_not_asked_about() {
        int asked = 0;
        world_.add_policy("one", {}, [&asked](Setup& setup) {
            setup.hooks.connect
                .ask([&asked](const ConnectHook&, Questions& questions) {
                    ++asked;
                    questions.delay(Duration(5));
                })
                .decide([](const ConnectHook&) { return fail("called"); });
        });
        world_.build();
        world_.connection->set_relay_client(true);
        CPPUNIT_ASSERT(!world_.ask_connect().needed());
        CPPUNIT_ASSERT_EQUAL(0, asked);
        CPPUNIT_ASSERT_EQUAL(string(), world_.log.to_string());
        world_.connection->set_relay_client(false);
        CPPUNIT_ASSERT(world_.ask_connect().needed());
        CPPUNIT_ASSERT_EQUAL(1, asked);
    }

    void an_exception_is_a_451_where_a_client_waits() {
        world_.add("bad", [](Setup& setup) {
            setup.hooks.rcpt.add([](const RcptHook&) -> Response { throw std::runtime_error("out of order"); });
            setup.hooks.queue.deliver([](const Delivery&) -> DeliveryResult { throw 42; });
        });
        world_.add("good", at_rcpt("good", Priority::normal, Verdict::ok));
        world_.build();
        CPPUNIT_ASSERT_EQUAL(string("denysoft 451 4.3.0 Local error in processing"), spelled_out(world_.rcpt()));
        CPPUNIT_ASSERT_EQUAL(string("denysoft 451 4.3.0 Local error in processing"),
                             spelled_out(world_.message(HookId::queue)));
        CPPUNIT_ASSERT_EQUAL(string("(rcpt) plain:bad: plugin fault: out of order\n"
                                    "(queue) plain:bad: plugin fault: an unknown exception type\n"),
                             world_.log.to_string());
        CPPUNIT_ASSERT(world_.log.lines()[0].level == LogLevel::crit);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), world_.counters().fault.load());
        CPPUNIT_ASSERT(calls_.empty());
    }

    void an_exception_elsewhere_is_only_logged() {
        const auto thrower = [](const auto&) -> Response { throw std::runtime_error("no"); };
        const auto watcher = [](const HookContext&) { throw std::runtime_error("no"); };
        world_.add("bad", [&](Setup& setup) {
            setup.hooks.quit.add(thrower);
            setup.hooks.disconnect.observe(watcher);
            setup.hooks.post_connection.observe(watcher);
            setup.hooks.queue_post.observe(watcher);
            setup.hooks.received_line.add(thrower);
            setup.hooks.config.add(thrower);
        });
        world_.build();
        for (const HookId hook : {HookId::quit, HookId::disconnect, HookId::post_connection})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(string(hook_name(hook)), string("declined 0 0.0.0 "),
                                         spelled_out(world_.at(hook)));
        CPPUNIT_ASSERT(world_.message(HookId::queue_post).verdict == Verdict::declined);
        string value = "default";
        CPPUNIT_ASSERT(world_.run(ReceivedLineHook(*world_.connection, *world_.transaction, "ESMTP", value)).verdict ==
                       Verdict::declined);
        std::vector<string> values;
        CPPUNIT_ASSERT(world_.run(ConfigHook(HookId::config, *world_.connection, "me", nullptr, values)).verdict ==
                       Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(6), world_.counters().fault.load());
        CPPUNIT_ASSERT_EQUAL(std::size_t(6), world_.log.texts(LogLevel::crit).size());
    }

    void an_exception_of_an_observer_is_only_logged() {
        world_.add("bad", [](Setup& setup) {
            setup.hooks.rcpt.observe([](const RcptHook&) { throw std::runtime_error("no"); });
        });
        world_.add("good", at_rcpt("good", Priority::normal, Verdict::ok));
        world_.build();
        CPPUNIT_ASSERT(world_.rcpt().verdict == Verdict::ok);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), world_.counters().fault.load());
    }

    /// Records its calls.
    class Watcher final : public BodyStream {
    public:
        Watcher(string& seen, string fails_at = {}) : seen_(seen), fails_at_(std::move(fails_at)) {}
        void chunk(std::string_view octets) override { note(string(octets)); }
        void end() override { note("end"); }
        void abort() noexcept override { seen_ += "abort "; }

    private:
        void note(const string& what) {
            seen_ += what + " ";
            if (what == fails_at_) throw std::runtime_error("no");
        }
        string& seen_;
        const string fails_at_;
    };

    void a_stream_that_throws_sees_no_more_of_that_message() {
        string seen;
        string complete;
        world_.add("bad", [&](Setup& setup) {
            setup.hooks.data_chunk.stream([&](MessageHook&) { return std::make_shared<Watcher>(seen, "2"); });
        });
        world_.add("good", [&](Setup& setup) {
            setup.hooks.data_chunk.stream([&](MessageHook&) { return std::make_shared<Watcher>(complete); });
        });
        world_.build();
        for (const char* chunk : {"1", "2", "3", "4"}) world_.chunk(chunk);
        for (const auto& stream : world_.streams()) stream->end();
        CPPUNIT_ASSERT_EQUAL(string("1 2 abort "), seen);
        CPPUNIT_ASSERT_EQUAL(string("1 2 3 4 end "), complete);
        CPPUNIT_ASSERT_EQUAL(string("(data_chunk) plain:bad: plugin fault: its stream: no\n"), world_.log.to_string());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), world_.counters().fault.load());
        world_.next_transaction();
        world_.chunk("5");
        for (const auto& stream : world_.streams()) stream->abort();
        CPPUNIT_ASSERT_EQUAL(string("1 2 abort 5 abort "), seen);
    }

    void a_stream_has_ended_when_its_end_has_returned() {
        const std::shared_ptr<BodyStream> good = std::make_shared<Watcher>(seen_);
        const std::shared_ptr<BodyStream> bad = std::make_shared<Watcher>(seen_, "end");
        world_.add("good", [&](Setup& setup) { setup.hooks.data_chunk.stream([good](MessageHook&) { return good; }); });
        world_.add("bad", [&](Setup& setup) { setup.hooks.data_chunk.stream([bad](MessageHook&) { return bad; }); });
        world_.build();
        world_.chunk("1");
        CPPUNIT_ASSERT(!good->has_ended());
        for (const auto& stream : world_.streams()) stream->end();
        CPPUNIT_ASSERT(good->has_ended());
        CPPUNIT_ASSERT(!bad->has_ended());
    }

    void a_plugin_need_not_look_at_each_message() {
        world_.add("none", [](Setup& setup) {
            setup.hooks.data_chunk.stream([](MessageHook&) { return std::shared_ptr<BodyStream>(); });
        });
        world_.add("bad", [](Setup& setup) {
            setup.hooks.data_chunk.stream(
                [](MessageHook&) -> std::shared_ptr<BodyStream> { throw std::runtime_error("no"); });
        });
        world_.build();
        CPPUNIT_ASSERT(world_.set->has(HookId::data_chunk));
        CPPUNIT_ASSERT(world_.streams().empty());
        CPPUNIT_ASSERT_EQUAL(string("(data_chunk) plain:bad: plugin fault: its stream could not be created: no\n"),
                             world_.log.to_string());
    }

    void an_exception_while_asking_is_a_fault_and_cuts_short() {
        world_.add_policy("bad", "onerror=tempfail", [](Setup& setup) {
            setup.hooks.connect
                .ask([](const ConnectHook&, Questions& questions) {
                    questions.delay(Duration(10));
                    throw std::runtime_error("asked badly");
                })
                .decide([](const ConnectHook&) { return pass(); });
        });
        world_.build();
        const engine::Wait wait = world_.ask_connect();
        CPPUNIT_ASSERT(wait.cut_short == std::vector<std::uint16_t>({0}));
        CPPUNIT_ASSERT_EQUAL(string("denysoft 451 4.3.0 Local error in processing"), spelled_out(world_.connect(wait)));
        CPPUNIT_ASSERT(world_.log.contains("policy:bad: plugin fault: asked badly"));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), world_.counters().fault.load());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), world_.counters().overrun.load());
    }

    void impossible_answers_are_faults() {
        const struct {
            const char* name;
            std::function<Response()> response;
            const char* text;
        } rows[] = {
            {"verdict", [] { return Response(static_cast<Verdict>(7)); }, "impossible verdict 7"},
            {"high verdict", [] { return Response(static_cast<Verdict>(255)); }, "impossible verdict 255"},
            {"low code", [] { return ok().with_code(199); }, "impossible reply code 199"},
            {"high code", [] { return deny().with_code(600); }, "impossible reply code 600"},
            {"negative code", [] { return deny().with_code(-1); }, "impossible reply code -1"},
            {"polite refusal", [] { return deny_disconnect().with_code(250); },
             "deny_disconnect with the reply code 250, which means the opposite"},
        };
        for (const auto& row : rows) {
            PluginWorld world;
            world.add("bad", [&row](Setup& setup) {
                setup.hooks.rcpt.add([&row](const RcptHook&) { return row.response(); });
            });
            world.build();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, string("denysoft 451 4.3.0 Local error in processing"),
                                         spelled_out(world.rcpt()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, string("plugin fault: ") + row.text, world.log.last());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::uint64_t(1), world.counters().fault.load());
        }
    }

    void a_wait_ends_at_the_deadline_and_onerror_answers() {
        const struct {
            const char* options;
            bool is_policy;
            const char* response;
        } rows[] = {{"deadline=20ms", true, "declined 0 0.0.0 "},
                    {"deadline=20ms onerror=tempfail", true, "denysoft 451 4.3.0 Local error in processing"},
                    {"deadline=20ms", false, "denysoft 451 4.3.0 Local error in processing"}};
        for (const auto& row : rows) {
            PluginWorld world;
            const auto script = [](Setup& setup) {
                setup.hooks.rcpt.add([](const RcptHook& hook) {
                    hook.wait(std::chrono::hours(1));
                    return ok("not reached");
                });
            };
            row.is_policy ? world.add_policy("bad", row.options, script) : world.add("bad", script, row.options);
            world.build();
            const auto began = std::chrono::steady_clock::now();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, string(row.response), spelled_out(world.rcpt()));
            const auto took = std::chrono::steady_clock::now() - began;
            CPPUNIT_ASSERT_MESSAGE(row.options, took >= std::chrono::milliseconds(20));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::uint64_t(1), world.counters().overrun.load());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::uint64_t(0), world.counters().fault.load());
            CPPUNIT_ASSERT_EQUAL(string("overrun: its deadline of 20ms passed while it waited"),
                                 fakes::joined(world.log.texts(LogLevel::error)));
        }
    }

    void a_wait_within_the_deadline_returns() {
        world_.add(
            "good",
            [](Setup& setup) {
                setup.hooks.rcpt.add([](const RcptHook& hook) {
                    hook.wait(Duration(5));
                    hook.wait(Duration(0));
                    hook.wait(Duration(-5));
                    return ok("waited");
                });
            },
            "deadline=1h");
        world_.build();
        CPPUNIT_ASSERT_EQUAL(string("ok 0 0.0.0 waited"), spelled_out(world_.rcpt()));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), world_.counters().overrun.load());
    }

    void a_slow_call_is_an_overrun_and_its_answer_counts() {
        world_.add(
            "quick", [](Setup& setup) { setup.hooks.rcpt.add([](const RcptHook&) { return declined(); }); },
            "deadline=1ms");
        world_.add(
            "slow",
            [this](Setup& setup) {
                setup.hooks.rcpt.add([this](const RcptHook&) {
                    world_.clock.advance(std::chrono::seconds(3));
                    return ok("slow");
                });
            },
            "deadline=2s");
        world_.build();
        CPPUNIT_ASSERT_EQUAL(string("ok 0 0.0.0 slow"), spelled_out(world_.rcpt()));
        CPPUNIT_ASSERT_EQUAL(string("overrun: the call took 3000 ms; its deadline is 2000 ms"),
                             fakes::joined(world_.log.texts(LogLevel::warning)));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), world_.counters(0).overrun.load());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), world_.counters(1).overrun.load());
    }

    void one_call_is_one_overrun() {
        world_.add(
            "slow",
            [this](Setup& setup) {
                setup.hooks.rcpt.add([this](const RcptHook& hook) {
                    world_.clock.advance(std::chrono::seconds(3));
                    hook.wait(Duration(1));  // too late for any wait
                    return ok("not reached");
                });
            },
            "deadline=2s");
        world_.build();
        CPPUNIT_ASSERT_EQUAL(string("denysoft 451 4.3.0 Local error in processing"), spelled_out(world_.rcpt()));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), world_.counters().overrun.load());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), world_.log.lines().size());
    }

    void time_spent_in_ok_hooks_is_not_the_next_handlers() {
        world_.add("log", [this](Setup& setup) {
            setup.hooks.ok.observe([this](const VerdictHook&) { world_.clock.advance(std::chrono::seconds(3)); });
        });
        for (const char* label : {"a", "b"})
            world_.add(
                label, [](Setup& setup) { setup.hooks.rcpt.add([](const RcptHook&) { return declined(); }); },
                "deadline=2s");
        world_.build();
        CPPUNIT_ASSERT(world_.rcpt().verdict == Verdict::declined);
        for (std::size_t i = 0; i < 3; ++i) CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), world_.counters(i).overrun.load());
    }

    /// Three plugins with a deadline of a minute, whose handlers decline; the second takes `seconds`, with or without a
    /// running heartbeat.
    void run_with_heart(PluginWorld& world, support::Heartbeat& heart, bool beats, int seconds) {
        world.environment.heartbeat = &heart;
        for (const char* label : {"a", "b", "c"})
            world.add(label, [&, label](Setup& setup) {
                setup.hooks.rcpt.add([&, label](const RcptHook&) {
                    if (string(label) == "b") {
                        world.clock.advance(std::chrono::seconds(seconds));
                        if (beats) heart.beat();
                    }
                    return declined();
                });
            });
        world.build();
        CPPUNIT_ASSERT(world.rcpt().verdict == Verdict::declined);
    }

    void an_overrun_is_noticed_by_the_heart_that_beat_meanwhile() {
        const struct {
            const char* name;
            bool has_begun, beats;
            int seconds;
            std::uint64_t overruns;
        } rows[] = {{"a beat, too long", true, true, 61, 1},
                    {"a beat, long enough", true, true, 59, 0},
                    {"no beat: nobody looks at the clock", true, false, 61, 0},
                    {"a heart that has never beaten is not trusted", false, false, 61, 1}};
        for (const auto& row : rows) {
            PluginWorld world;
            support::Heartbeat heart;
            if (row.has_begun) heart.beat();
            run_with_heart(world, heart, row.beats, row.seconds);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, row.overruns, world.counters(1).overrun.load());
            for (const std::size_t other : {0u, 2u})
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::uint64_t(0), world.counters(other).overrun.load());
        }
    }

    void short_deadlines_and_findings_are_measured_without_a_beat() {
        support::Heartbeat heart;
        heart.beat();
        world_.environment.heartbeat = &heart;
        Duration left{0};
        const auto advance = [this](int seconds) { world_.clock.advance(std::chrono::seconds(seconds)); };
        world_.add("unmeasured", [&](Setup& setup) {
            setup.hooks.rcpt.add([=](const RcptHook&) {
                advance(5);
                return declined();
            });
        });
        world_.add(
            "short",
            [&](Setup& setup) {
                setup.hooks.rcpt.add([&left, advance](const RcptHook& hook) {
                    left = hook.time_left();
                    advance(3);
                    return declined();
                });
            },
            "deadline=2s");
        world_.add_policy("finds", "deadline=1h", [&](Setup& setup) {
            setup.hooks.rcpt.decide([=](const RcptHook&) {
                advance(3601);
                return pass();
            });
        });
        world_.build();
        CPPUNIT_ASSERT(world_.rcpt().verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(Duration(2000).count(), left.count());  // the time of the first is not taken from it
        CPPUNIT_ASSERT_EQUAL(string("overrun: the call took 3000 ms; its deadline is 2000 ms|overrun: the call took "
                                    "3601000 ms; its deadline is 3600000 ms"),
                             fakes::joined(world_.log.texts(LogLevel::warning)));
    }

    void deny_and_ok_hooks_hear_of_every_handler() {
        const auto note = [this](const VerdictHook& hook) {
            calls_.push_back(format_text("{}:{}:{}:{}", hook_name(hook.hook), hook_name(hook.about), hook.plugin,
                                         verdict_name(hook.response.verdict)));
        };
        world_.add("log", [&](Setup& setup) {
            setup.hooks.deny.observe(note);
            setup.hooks.ok.observe(note);
        });
        world_.add("a", [](Setup& setup) { setup.hooks.rcpt.add([](const RcptHook&) { return declined(); }); });
        world_.add("b",
                   [](Setup& setup) { setup.hooks.rcpt.add([](const RcptHook&) { return denysoft_disconnect(); }); });
        world_.add("c",
                   [](Setup& setup) { setup.hooks.mail.add([](const MailHook&) { return Response(Verdict::done); }); });
        world_.add("d", [this](Setup& setup) {
            setup.hooks.data_chunk.stream([this](MessageHook&) { return std::make_shared<Watcher>(seen_); });
        });
        world_.build();
        CPPUNIT_ASSERT(world_.rcpt().verdict == Verdict::denysoft_disconnect);
        CPPUNIT_ASSERT(world_.mail().verdict == Verdict::done);
        world_.chunk("x");
        CPPUNIT_ASSERT_EQUAL(
            string("ok:rcpt:plain:a:declined deny:rcpt:plain:b:denysoft_disconnect ok:mail:plain:c:done"), calls());
    }

    void deny_and_ok_hooks_are_not_told_of_themselves() {
        int heard = 0;
        world_.add("log", [&](Setup& setup) {
            setup.hooks.ok.observe([&](const VerdictHook&) { ++heard; });
            setup.hooks.deny.observe([&](const VerdictHook&) { throw std::runtime_error("deny handler"); });
        });
        world_.add("a", [](Setup& setup) { setup.hooks.rcpt.add([](const RcptHook&) { return ok("fine"); }); });
        world_.add("b", [](Setup& setup) { setup.hooks.mail.add([](const MailHook&) { return deny("no"); }); });
        world_.build();
        CPPUNIT_ASSERT_EQUAL(string("ok 0 0.0.0 fine"), spelled_out(world_.rcpt()));
        CPPUNIT_ASSERT_EQUAL(1, heard);
        CPPUNIT_ASSERT_EQUAL(string("deny 0 0.0.0 no"), spelled_out(world_.mail()));
        CPPUNIT_ASSERT_EQUAL(string("(deny) plain:log: plugin fault: deny handler\n"), world_.log.to_string());
    }

    void loglevel_changes_the_plugins_lines_but_not_the_hosts() {
        const struct {
            const char* options;
            LogLevel expected;
        } rows[] = {{"", LogLevel::notice},           {"loglevel=debug", LogLevel::debug},
                    {"loglevel=+1", LogLevel::info},  {"loglevel=-2", LogLevel::error},
                    {"loglevel=+8", LogLevel::trace}, {"loglevel=-8", LogLevel::emerg}};
        for (const auto& row : rows) {
            PluginWorld world;
            world.add(
                "one",
                [](Setup& setup) {
                    setup.hooks.rcpt.add([](const RcptHook& hook) -> Response {
                        hook.log(LogLevel::notice, "a {}", "line");
                        throw std::runtime_error("fault");
                    });
                },
                row.options);
            world.build();
            CPPUNIT_ASSERT(is_denial(world.rcpt().verdict));
            const auto lines = world.log.lines();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::size_t(2), lines.size());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, string(log_level_name(row.expected)),
                                         string(log_level_name(lines[0].level)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, string("crit"), string(log_level_name(lines[1].level)));
        }
    }

    void a_line_names_session_transaction_hook_and_plugin_and_is_printable() {
        world_.add("one", [](Setup& setup) {
            setup.hooks.rcpt.add([](const RcptHook& hook) {
                hook.log(LogLevel::info, "from {}", "a\r\n(x) y\x1b[31m\xff");
                return declined();
            });
        });
        world_.build();
        CPPUNIT_ASSERT(world_.rcpt().verdict == Verdict::declined);
        const auto line = world_.log.lines().at(0);
        CPPUNIT_ASSERT_EQUAL(string("session"), line.session);
        CPPUNIT_ASSERT_EQUAL(string("session.1"), line.transaction);
        CPPUNIT_ASSERT_EQUAL(string("rcpt"), line.hook);
        CPPUNIT_ASSERT_EQUAL(string("plain:one"), line.plugin);
        CPPUNIT_ASSERT_EQUAL(string("192.0.2.1"), line.client);
        CPPUNIT_ASSERT_EQUAL(string("from a\\x0d\\x0a(x) y\\x1b[31m\\xff"), line.text);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DispatcherTest);
