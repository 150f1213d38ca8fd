#include "httpd/pace.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd::httpd {

class PaceTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PaceTest);
    CPPUNIT_TEST(one_long_wait_is_chance);
    CPPUNIT_TEST(two_in_a_short_while_are_not);
    CPPUNIT_TEST(two_far_apart_are_chance);
    CPPUNIT_TEST(it_gets_quick_again);
    CPPUNIT_TEST_SUITE_END();

    static constexpr auto receiving = engine::Phase::receiving;
    static constexpr std::chrono::microseconds quick{20};
    static constexpr std::chrono::milliseconds slow{1};
    Pace pace_;

    void note(int times, std::chrono::steady_clock::duration took) {
        for (int i = 0; i < times; ++i) pace_.note(receiving, took);
    }

    void one_long_wait_is_chance() {
        note(1, slow);
        CPPUNIT_ASSERT(!pace_.is_slow(receiving));
    }
    void two_in_a_short_while_are_not() {
        note(1, slow);
        note(3, quick);
        note(1, slow);
        CPPUNIT_ASSERT(pace_.is_slow(receiving));
        CPPUNIT_ASSERT(!pace_.is_slow(engine::Phase::command));
    }
    void two_far_apart_are_chance() {
        note(1, slow);
        note(8, quick);
        note(1, slow);
        CPPUNIT_ASSERT(!pace_.is_slow(receiving));
    }
    void it_gets_quick_again() {
        note(2, slow);
        note(31, quick);
        CPPUNIT_ASSERT(pace_.is_slow(receiving));
        note(1, quick);
        CPPUNIT_ASSERT(!pace_.is_slow(receiving));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(PaceTest);

}  // namespace smtpd::httpd
