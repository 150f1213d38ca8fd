#include "support/waker.h"

#include <cppunit/extensions/HelperMacros.h>

#include <future>
#include <stdexcept>
#include <string>

namespace smtpd::support {

class WakerTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(WakerTest);
    CPPUNIT_TEST(tasks_run_at_their_time_in_order);
    CPPUNIT_TEST(a_task_that_throws_ends_nothing_but_itself);
    CPPUNIT_TEST(what_is_done_every_second_is_done_again_after_it_threw);
    CPPUNIT_TEST(what_was_not_due_is_dropped_by_the_end);
    CPPUNIT_TEST_SUITE_END();

    using Time = Waker::Time;
    using milliseconds = std::chrono::milliseconds;

    static Time in(milliseconds time) { return Time::clock::now() + time; }
    static constexpr std::chrono::seconds timeout{20};

    std::promise<std::string> told_;
    Waker waker_{1, [this](const std::exception_ptr& fault) {
                     try {
                         std::rethrow_exception(fault);
                     } catch (const std::exception& problem) { told_.set_value(problem.what()); }
                 }};

    void tasks_run_at_their_time_in_order() {
        std::string order;
        std::promise<Time> last;
        const Time due = in(milliseconds(60));
        waker_.at(due, [&] {
            order += 'c';
            last.set_value(Time::clock::now());
        });
        waker_.at(in(milliseconds(30)), [&] { order += 'b'; });
        waker_.at(Time::clock::now(), [&] { order += 'a'; });
        auto ended = last.get_future();
        CPPUNIT_ASSERT(ended.wait_for(timeout) == std::future_status::ready);
        CPPUNIT_ASSERT(ended.get() >= due);
        CPPUNIT_ASSERT_EQUAL(std::string("abc"), order);
    }

    void a_task_that_throws_ends_nothing_but_itself() {
        std::promise<void> next;
        waker_.at(Time::clock::now(), [] { throw std::runtime_error("a fault"); });
        waker_.at(Time::clock::now(), [&] { next.set_value(); });
        CPPUNIT_ASSERT(next.get_future().wait_for(timeout) == std::future_status::ready);
        CPPUNIT_ASSERT_EQUAL(std::string("a fault"), told_.get_future().get());
    }

    void what_is_done_every_second_is_done_again_after_it_threw() {
        int times = 0;
        std::promise<void> again;
        waker_.every_second([&] {
            if (++times == 1) throw std::runtime_error("once");
            if (times == 2) again.set_value();
        });
        CPPUNIT_ASSERT(again.get_future().wait_for(timeout) == std::future_status::ready);
        CPPUNIT_ASSERT_EQUAL(std::string("once"), told_.get_future().get());
        waker_.stop();  // or it would be done again, when this function has returned
    }

    void what_was_not_due_is_dropped_by_the_end() {
        bool has_run = false;
        waker_.at(in(milliseconds(200)), [&] { has_run = true; });
        waker_.stop();
        waker_.at(Time::clock::now(), [&] { has_run = true; });
        CPPUNIT_ASSERT(!has_run);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(WakerTest);

}  // namespace smtpd::support
