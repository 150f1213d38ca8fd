/// session_tasks_test.cc: sessions whose plugins have tasks: parked until the tasks have ended, or until their time is
/// over.
#include "fakes/fake_tasks.h"
#include "fakes/session_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace smtpd::engine {
namespace {

using fakes::codes;
using fakes::SessionUnderTest;
using std::string;

constexpr Duration second(1000);

auto number(int value) {
    return [value](const TaskContext&) { return value; };
}

class SessionTasksTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionTasksTest);
    CPPUNIT_TEST(a_stage_waits_for_its_tasks);
    CPPUNIT_TEST(a_task_that_does_not_end_in_time_has_timed_out);
    CPPUNIT_TEST(tasks_and_questions_are_waited_for_together);
    CPPUNIT_TEST(a_task_may_depend_on_another);
    CPPUNIT_TEST(the_end_of_the_session_gives_tasks_up);
    CPPUNIT_TEST(a_task_that_runs_is_told_that_it_is_given_up);
    CPPUNIT_TEST(without_threads_a_task_runs_at_once);
    CPPUNIT_TEST(what_a_task_throws_is_an_error);
    CPPUNIT_TEST(a_result_is_asked_for_by_instance_key_and_type);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override { client_.tasks = &tasks_; }

    void a_stage_waits_for_its_tasks() {
        client_.hooks.have_task(HookId::mail, {"one"}, number(1));
        client_.hooks.have_task(HookId::mail, {"two"}, number(2));
        client_.greet();
        CPPUNIT_ASSERT_EQUAL(string(), client_.say("MAIL FROM:<a@example.net>"));
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), tasks_.waiting.size());  // both at once
        CPPUNIT_ASSERT(client_.session().wake_at() == client_.clock.now() + 60 * second);
        CPPUNIT_ASSERT_EQUAL(string(), end_one());
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(end_one()));
        CPPUNIT_ASSERT_EQUAL(1, *result("one"));
        CPPUNIT_ASSERT_EQUAL(2, *result("two"));
    }

    void a_task_that_does_not_end_in_time_has_timed_out() {
        client_.hooks.have_task(HookId::mail, {"late"}, number(1), 5 * second);
        client_.hooks.have_task(HookId::mail, {"good"}, number(2));
        client_.greet();
        client_.say("MAIL FROM:<a@example.net>");
        const auto late = tasks_.waiting.at(0);
        tasks_.waiting.erase(tasks_.waiting.begin());
        CPPUNIT_ASSERT_EQUAL(string(), end_one());
        CPPUNIT_ASSERT_EQUAL(string(), client_.wait(Duration(4999)));
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.wait(Duration(1))));
        CPPUNIT_ASSERT(result("late").error().code == ErrorCode::timeout);
        CPPUNIT_ASSERT_EQUAL(2, *result("good"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.log.count("task late did not end in time"));
        late->run();  // it never begins
        CPPUNIT_ASSERT(!late->is_done());
    }

    void tasks_and_questions_are_waited_for_together() {
        client_.names.add({"a.example A 192.0.2.1"});
        client_.hooks.look_up(HookId::mail, {{"a.example"}});
        client_.hooks.have_task(HookId::mail, {"one"}, number(1));
        client_.greet();
        client_.say("MAIL FROM:<a@example.net>");
        CPPUNIT_ASSERT_EQUAL(string(), client_.answers_come());
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(end_one()));
        CPPUNIT_ASSERT(client_.hooks.answers.back().a("a.example").found());
    }

    void a_task_may_depend_on_another() {
        client_.hooks.have_task(HookId::mail, {"first", "second"}, number(3));
        client_.greet();
        client_.say("MAIL FROM:<a@example.net>");
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), tasks_.waiting.size());
        CPPUNIT_ASSERT_EQUAL(string(), end_one());
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(end_one()));
        CPPUNIT_ASSERT_EQUAL(3, *result("second"));
    }

    void the_end_of_the_session_gives_tasks_up() {
        auto held = std::make_shared<int>(1);
        client_.hooks.have_task(HookId::mail, {"one"}, [held](const TaskContext&) { return *held; });
        client_.greet();
        client_.say("MAIL FROM:<a@example.net>");
        client_.hooks.forget_tasks();
        CPPUNIT_ASSERT_EQUAL(2L, held.use_count());
        client_.abandon();
        CPPUNIT_ASSERT(tasks_.waiting.empty());
        CPPUNIT_ASSERT_EQUAL(1L, held.use_count());
    }

    void a_task_that_runs_is_told_that_it_is_given_up() {
        bool before = true;
        bool after = false;
        client_.hooks.have_task(HookId::mail, {"one"}, [&](const TaskContext& context) {
            before = context.is_given_up();
            CPPUNIT_ASSERT(context.time_left() == 60 * second);
            client_.abandon();
            after = context.is_given_up();
            return 1;
        });
        client_.greet();
        client_.say("MAIL FROM:<a@example.net>");
        CPPUNIT_ASSERT(tasks_.run_one());
        CPPUNIT_ASSERT(!before && after);
    }

    void without_threads_a_task_runs_at_once() {
        client_.tasks = nullptr;
        client_.hooks.have_task(HookId::mail, {"first", "second"}, number(4));
        client_.greet();
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.say("MAIL FROM:<a@example.net>")));
        CPPUNIT_ASSERT_EQUAL(4, *result("first"));
        CPPUNIT_ASSERT_EQUAL(4, *result("second"));
    }

    void what_a_task_throws_is_an_error() {
        client_.hooks.have_task(HookId::mail, {"one"},
                                [](const TaskContext&) -> int { throw std::runtime_error("broken"); });
        client_.greet();
        client_.say("MAIL FROM:<a@example.net>");
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(end_one()));
        CPPUNIT_ASSERT_EQUAL(string("broken"), result("one").error().what);
        CPPUNIT_ASSERT(result("one").error().code == ErrorCode::unavailable);
    }

    void a_result_is_asked_for_by_instance_key_and_type() {
        TaskResults results;
        int here = 0;
        int there = 0;
        results.add(&here, "key", smtpd::detail::task_result<string>(string("value")));
        CPPUNIT_ASSERT_EQUAL(string("value"), *smtpd::detail::result_of<string>(results.find(&here, "key")));
        CPPUNIT_ASSERT(results.find(&there, "key") == nullptr);
        CPPUNIT_ASSERT(results.find(&here, "other") == nullptr);
        CPPUNIT_ASSERT(!smtpd::detail::result_of<int>(results.find(&here, "key")));
        CPPUNIT_ASSERT(smtpd::detail::result_of<int>(nullptr).error().code == ErrorCode::not_found);
    }

private:
    /// Ends the next task and wakes the session.
    string end_one() {
        CPPUNIT_ASSERT(tasks_.run_one());
        return client_.session().has_all_answers() || client_.is_parked() ? client_.resume() : string();
    }
    const Result<int>& result(std::string_view key) const { return client_.hooks.answers.back().task<int>(key); }

    fakes::FakeTasks tasks_;
    SessionUnderTest client_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(SessionTasksTest);

}  // namespace
}  // namespace smtpd::engine
