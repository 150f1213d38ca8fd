/// circuit_breaker_test.cc: when a server that has failed is asked again.
#include "net/circuit_breaker.h"
#include "fakes/fake_clock.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd::net {
namespace {

using Admission = CircuitBreaker::Admission;
using State = CircuitBreaker::State;
using namespace std::chrono_literals;

class CircuitBreakerTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CircuitBreakerTest);
    CPPUNIT_TEST(it_opens_after_failures_in_a_row);
    CPPUNIT_TEST(behind_the_pause_one_may_try);
    CPPUNIT_TEST(pauses_grow_up_to_the_longest);
    CPPUNIT_TEST(pauses_differ);
    CPPUNIT_TEST(an_undecided_probe_closes_it_for_one_failure);
    CPPUNIT_TEST(a_probe_that_was_not_made_is_the_next_ones);
    CPPUNIT_TEST(calls_from_before_it_opened_do_not_prolong_the_pause);
    CPPUNIT_TEST_SUITE_END();

    fakes::FakeClock clock_;
    CircuitBreaker breaker_{{.failures = 3, .first_pause = 10s, .longest_pause = 35s}};

    bool fail(Admission admission = Admission::normal, std::uint64_t random = 0) {
        return breaker_.failed(admission, clock_.now(), random);
    }
    void open() {
        for (int i = 0; i < 3; ++i) (void)fail();
    }
    Duration pause() const { return std::chrono::ceil<Duration>(*breaker_.open_until() - clock_.now()); }
    State state() const { return breaker_.state(clock_.now()); }

public:
    void it_opens_after_failures_in_a_row() {
        CPPUNIT_ASSERT(!fail() && !fail());
        breaker_.succeeded();
        CPPUNIT_ASSERT(!fail() && !fail());
        CPPUNIT_ASSERT(state() == State::closed && breaker_.admit(clock_.now()) == Admission::normal);
        CPPUNIT_ASSERT(fail());
        CPPUNIT_ASSERT(state() == State::open && !breaker_.admit(clock_.now()));
        CPPUNIT_ASSERT_EQUAL(10'000L, static_cast<long>(pause().count()));
    }

    void behind_the_pause_one_may_try() {
        open();
        clock_.advance(9'999ms);
        CPPUNIT_ASSERT(!breaker_.admit(clock_.now()));
        clock_.advance(1ms);
        CPPUNIT_ASSERT(state() == State::half_open);
        CPPUNIT_ASSERT(breaker_.admit(clock_.now()) == Admission::probe);
        CPPUNIT_ASSERT(!breaker_.is_admitting(clock_.now()) && !breaker_.admit(clock_.now()));
        breaker_.succeeded();
        CPPUNIT_ASSERT(state() == State::closed && !breaker_.has_opened());
        CPPUNIT_ASSERT(breaker_.admit(clock_.now()) == Admission::normal);
    }

    void pauses_grow_up_to_the_longest() {
        open();
        for (const auto expected : {20s, 35s, 35s}) {
            clock_.advance(pause());
            CPPUNIT_ASSERT(breaker_.admit(clock_.now()) == Admission::probe);
            CPPUNIT_ASSERT(!fail(Admission::probe));
            CPPUNIT_ASSERT_EQUAL(static_cast<long>(Duration(expected).count()), static_cast<long>(pause().count()));
        }
        breaker_.succeeded();
        open();
        CPPUNIT_ASSERT_EQUAL(10'000L, static_cast<long>(pause().count()));
    }

    void pauses_differ() {
        for (const auto& [random, expected] :
             {std::pair{0UL, 10'000L}, {1UL, 9'999L}, {2'500UL, 7'500L}, {2'501UL, 10'000L}}) {
            breaker_.succeeded();
            (void)fail();
            (void)fail();
            (void)fail(Admission::normal, random);
            CPPUNIT_ASSERT_EQUAL(expected, static_cast<long>(pause().count()));
        }
    }

    void an_undecided_probe_closes_it_for_one_failure() {
        open();
        clock_.advance(10s);
        CPPUNIT_ASSERT(breaker_.admit(clock_.now()) == Admission::probe);
        breaker_.undecided(Admission::probe);
        CPPUNIT_ASSERT(state() == State::closed && breaker_.has_opened());
        breaker_.undecided(Admission::normal);
        CPPUNIT_ASSERT(fail());
        CPPUNIT_ASSERT_EQUAL(20'000L, static_cast<long>(pause().count()));
    }

    void a_probe_that_was_not_made_is_the_next_ones() {
        open();
        clock_.advance(10s);
        CPPUNIT_ASSERT(breaker_.admit(clock_.now()) == Admission::probe);
        breaker_.withdrawn(Admission::probe);
        CPPUNIT_ASSERT(state() == State::half_open);
        CPPUNIT_ASSERT(breaker_.admit(clock_.now()) == Admission::probe);
    }

    void calls_from_before_it_opened_do_not_prolong_the_pause() {
        open();
        clock_.advance(1s);
        CPPUNIT_ASSERT(!fail());
        CPPUNIT_ASSERT_EQUAL(9'000L, static_cast<long>(pause().count()));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(CircuitBreakerTest);

}  // namespace
}  // namespace smtpd::net
