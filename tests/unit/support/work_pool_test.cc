#include "support/work_pool.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace smtpd::support {

class WorkPoolTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(WorkPoolTest);
    CPPUNIT_TEST(work_runs_in_another_thread);
    CPPUNIT_TEST(work_that_throws_ends_nothing_but_itself);
    CPPUNIT_TEST(threads_are_started_when_there_is_work_and_end_without_any);
    CPPUNIT_TEST(a_lane_that_hangs_leaves_threads_to_the_others);
    CPPUNIT_TEST(lanes_take_turns);
    CPPUNIT_TEST(a_lane_without_places_of_its_own_has_half_the_threads);
    CPPUNIT_TEST(work_that_has_not_begun_can_be_taken_back);
    CPPUNIT_TEST(a_place_can_be_taken_only_if_nobody_waits_for_it);
    CPPUNIT_TEST(what_was_not_begun_is_dropped_at_the_end);
    CPPUNIT_TEST_SUITE_END();

    static constexpr std::chrono::seconds timeout{20};

    /// Work that has begun and runs until it is released.
    class Stuck {
    public:
        WorkPool::Task task() {
            return [this] {
                begun_.fetch_add(1);
                released_.wait();
            };
        }
        void await_begun(unsigned count) const {
            for (unsigned tries = 0; begun_.load() < count && tries < 20000; ++tries)
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            CPPUNIT_ASSERT(begun_.load() >= count);
        }
        unsigned begun() const { return begun_.load(); }
        void release() {
            if (!std::exchange(is_released_, true)) release_.set_value();
        }

    private:
        bool is_released_ = false;
        std::promise<void> release_;
        std::shared_future<void> released_{release_.get_future()};
        std::atomic<unsigned> begun_{0};
    };

    /// Releases the tasks before the pool waits for them, even if an assertion fails.
    class ReleaseAtEnd {
    public:
        explicit ReleaseAtEnd(Stuck& stuck) : stuck_(stuck) {}
        ~ReleaseAtEnd() { stuck_.release(); }

    private:
        Stuck& stuck_;
    };

    std::promise<std::string> told_;
    WorkPool::Report report() {
        return [this](const std::exception_ptr& fault) {
            try {
                std::rethrow_exception(fault);
            } catch (const std::exception& problem) { told_.set_value(problem.what()); }
        };
    }
    template <class T>
    static void await(std::future<T>& future) {
        CPPUNIT_ASSERT(future.wait_for(timeout) == std::future_status::ready);
    }

    void work_runs_in_another_thread() {
        Lane lane("a");
        WorkPool pool(2, report());
        std::promise<std::thread::id> who;
        pool.submit(lane, [&] { who.set_value(std::this_thread::get_id()); });
        auto done = who.get_future();
        await(done);
        CPPUNIT_ASSERT(done.get() != std::this_thread::get_id());
    }

    void work_that_throws_ends_nothing_but_itself() {
        Lane lane("a");
        WorkPool pool(1, report());
        std::promise<void> next;
        pool.submit(lane, [] { throw std::runtime_error("a fault"); });
        pool.submit(lane, [&] { next.set_value(); });
        auto done = next.get_future();
        await(done);
        CPPUNIT_ASSERT_EQUAL(std::string("a fault"), told_.get_future().get());
    }

    void threads_are_started_when_there_is_work_and_end_without_any() {
        Stuck stuck;  // outlives the pool, whose threads use it
        Lane lane("a", 8);
        WorkPool pool(8, report(), std::chrono::milliseconds(20));
        const ReleaseAtEnd release(stuck);
        CPPUNIT_ASSERT_EQUAL(0U, pool.load().threads);
        for (int i = 0; i < 3; ++i) pool.submit(lane, stuck.task());
        stuck.await_begun(3);
        CPPUNIT_ASSERT_EQUAL(3U, pool.load().busy);
        stuck.release();
        for (unsigned tries = 0; pool.load().threads > 0 && tries < 20000; ++tries)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        CPPUNIT_ASSERT_EQUAL(0U, pool.load().threads);
        std::promise<void> again;
        pool.submit(lane, [&] { again.set_value(); });
        auto done = again.get_future();
        await(done);
    }

    void a_lane_that_hangs_leaves_threads_to_the_others() {
        Stuck stuck;  // outlives the pool, whose threads use it
        Lane silent("silent", 2);
        Lane other("other", 4);
        WorkPool pool(4, report());
        const ReleaseAtEnd release(stuck);
        for (int i = 0; i < 10; ++i) pool.submit(silent, stuck.task());
        stuck.await_begun(2);
        for (int i = 0; i < 10; ++i) {
            std::promise<void> answered;
            pool.submit(other, [&] { answered.set_value(); });
            auto done = answered.get_future();
            await(done);
        }
        CPPUNIT_ASSERT_EQUAL(2U, stuck.begun());
        CPPUNIT_ASSERT_EQUAL(std::size_t(8), pool.load().waiting);
        stuck.release();
        stuck.await_begun(10);
    }

    void lanes_take_turns() {
        Stuck stuck;  // outlives the pool, whose threads use it
        std::string order;
        std::promise<void> end;
        Lane busy("busy", 1);
        Lane many("many", 1);
        Lane few("few", 1);
        WorkPool pool(1, report());
        const ReleaseAtEnd release(stuck);
        pool.submit(busy, stuck.task());
        stuck.await_begun(1);
        for (int i = 0; i < 3; ++i) pool.submit(many, [&] { order += 'm'; });
        pool.submit(few, [&] { order += 'f'; });
        pool.submit(many, [&] { end.set_value(); });
        stuck.release();
        auto done = end.get_future();
        await(done);
        CPPUNIT_ASSERT_EQUAL(std::string("mfmm"), order);
    }

    void a_lane_without_places_of_its_own_has_half_the_threads() {
        Stuck stuck;  // outlives the pool, whose threads use it
        Lane lane("a");
        Lane rest("b");
        WorkPool pool(6, report());
        const ReleaseAtEnd release(stuck);
        for (int i = 0; i < 6; ++i) pool.submit(lane, stuck.task());
        stuck.await_begun(3);
        std::promise<void> answered;
        pool.submit(rest, [&] { answered.set_value(); });
        auto done = answered.get_future();
        await(done);
        CPPUNIT_ASSERT_EQUAL(3U, stuck.begun());
        stuck.release();
        stuck.await_begun(6);
    }

    void work_that_has_not_begun_can_be_taken_back() {
        Stuck stuck;  // outlives the pool, whose threads use it
        Lane lane("a", 1);
        WorkPool pool(2, report());
        const ReleaseAtEnd release(stuck);
        const auto first = pool.submit(lane, stuck.task());
        stuck.await_begun(1);
        std::atomic<bool> ran{false};
        const auto second = pool.submit(lane, [&] { ran = true; });
        std::promise<void> end;
        pool.submit(lane, [&] { end.set_value(); });
        CPPUNIT_ASSERT(!pool.cancel(first));
        CPPUNIT_ASSERT(pool.cancel(second));
        CPPUNIT_ASSERT(!pool.cancel(second));
        CPPUNIT_ASSERT(!pool.cancel(WorkPool::Ticket()));
        stuck.release();
        auto done = end.get_future();
        await(done);
        CPPUNIT_ASSERT(!ran);
    }

    void a_place_can_be_taken_only_if_nobody_waits_for_it() {
        Lane lane("a", 2);
        WorkPool pool(2, report());
        CPPUNIT_ASSERT(pool.try_enter(lane));
        CPPUNIT_ASSERT(pool.try_enter(lane));
        CPPUNIT_ASSERT(!pool.try_enter(lane));
        std::promise<void> ran;
        pool.submit(lane, [&] { ran.set_value(); });
        auto done = ran.get_future();
        CPPUNIT_ASSERT(done.wait_for(std::chrono::milliseconds(30)) == std::future_status::timeout);
        pool.leave(lane);
        await(done);
        pool.leave(lane);
    }

    void what_was_not_begun_is_dropped_at_the_end() {
        Stuck stuck;  // outlives the pool, whose threads use it
        Lane lane("a", 1);
        std::atomic<bool> ran{false};
        WorkPool pool(1, report());
        const ReleaseAtEnd release(stuck);
        pool.submit(lane, stuck.task());
        stuck.await_begun(1);
        pool.submit(lane, [&] { ran = true; });
        std::thread ending([&] { pool.stop(); });
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        stuck.release();
        ending.join();
        CPPUNIT_ASSERT(!ran);
        pool.submit(lane, [&] { ran = true; });
        CPPUNIT_ASSERT(!ran);
        CPPUNIT_ASSERT_EQUAL(0U, pool.load().threads);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(WorkPoolTest);

}  // namespace smtpd::support
