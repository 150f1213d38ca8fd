/// dns_cache_test.cc: how long the cache keeps answers, and how many.
#include "net/dns_cache.h"
#include "fakes/failing_memory.h"
#include "fakes/fake_clock.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::net {
namespace {

using std::chrono::seconds;

DnsQuestion question(const std::string& name, DnsType type = DnsType::a) { return *DnsQuestion::make(type, name); }

DnsAnswer found(seconds ttl, std::size_t texts = 0) {
    auto records = std::make_shared<DnsRecords>();
    records->texts.assign(texts, std::string(100, 'x'));
    return DnsAnswer(DnsStatus::found, ttl, records);
}

class DnsCacheTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DnsCacheTest);
    CPPUNIT_TEST(answers_are_kept_as_long_as_they_hold);
    CPPUNIT_TEST(an_answer_from_the_cache_is_older);
    CPPUNIT_TEST(types_are_told_apart);
    CPPUNIT_TEST(a_newer_answer_takes_the_place_of_the_older);
    CPPUNIT_TEST(the_room_has_a_limit_and_the_least_used_goes_first);
    CPPUNIT_TEST(a_huge_answer_is_not_kept);
    CPPUNIT_TEST(no_room_keeps_nothing);
    CPPUNIT_TEST(where_memory_runs_out_it_stays_whole);
    CPPUNIT_TEST_SUITE_END();

public:
    void where_memory_runs_out_it_stays_whole() {
        for (std::size_t nth = 0, done = 0; done == 0; ++nth) {
            fakes::FakeClock clock;
            DnsCache cache(clock, 2000);
            const auto one = question("a-name-that-needs-an-allocation.example");
            const auto answer = found(seconds(300));
            fakes::FailingMemory memory(nth);
            try {
                cache.put(one, answer);
            } catch (const std::bad_alloc&) {}
            memory.stop();
            done = memory.has_failed() ? 0 : 1;
            CPPUNIT_ASSERT_EQUAL(done, cache.size());
            CPPUNIT_ASSERT_EQUAL(done == 1, cache.octets() > 0);
            DnsCache other(clock, 2000);
            for (int i = 0; i < 20; ++i)  // pushes out whatever there is
                for (DnsCache* each : {&cache, &other}) each->put(question(std::to_string(i) + ".example"), answer);
            CPPUNIT_ASSERT(!cache.find(one));
            CPPUNIT_ASSERT_EQUAL(other.size(), cache.size());
            CPPUNIT_ASSERT_EQUAL(other.octets(), cache.octets());
        }
    }

    void answers_are_kept_as_long_as_they_hold() {
        const struct {
            const char* what;
            DnsAnswer answer;
            long kept;
        } rows[] = {
            {"found", found(seconds(300)), 300},
            {"found, for no time", found(seconds(0)), 1},
            {"found, for ever", found(seconds(0x7fffffff)), 86400},
            {"no such name", DnsAnswer(DnsStatus::no_such_name, seconds(300)), 300},
            {"no data", DnsAnswer(DnsStatus::no_data, seconds(300)), 300},
            {"no such name, for ever", DnsAnswer(DnsStatus::no_such_name, seconds(0x7fffffff)), 3600},
            {"no such name, nobody says how long", DnsAnswer(DnsStatus::no_such_name, seconds(0)), 0},
            {"failure", DnsAnswer(DnsStatus::server_failure, seconds(300)), 1},
            {"time-out", DnsAnswer(DnsStatus::timed_out, seconds(300)), 1},
        };
        for (const auto& row : rows) {
            fakes::FakeClock clock;
            DnsCache cache(clock, 100000);
            cache.put(question("a.example"), row.answer);
            clock.advance(seconds(row.kept) - std::chrono::milliseconds(1));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.what, row.kept > 0, cache.find(question("a.example")).has_value());
            clock.advance(std::chrono::milliseconds(1));
            CPPUNIT_ASSERT_MESSAGE(row.what, !cache.find(question("a.example")));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.what, std::size_t(0), cache.size());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.what, std::size_t(0), cache.octets());
        }
    }

    void an_answer_from_the_cache_is_older() {
        cache_.put(question("a.example"), found(seconds(300)));
        clock_.advance(seconds(100));
        CPPUNIT_ASSERT(cache_.find(question("a.example"))->ttl() == seconds(200));
        CPPUNIT_ASSERT(cache_.find(question("a.example"))->found());
    }

    void types_are_told_apart() {
        cache_.put(question("a.example"), found(seconds(300)));
        CPPUNIT_ASSERT(!cache_.find(question("a.example", DnsType::aaaa)));
        CPPUNIT_ASSERT(!cache_.find(question("b.example")));
    }

    void a_newer_answer_takes_the_place_of_the_older() {
        cache_.put(question("a.example"), found(seconds(300), 5));
        const auto before = cache_.octets();
        cache_.put(question("a.example"), DnsAnswer(DnsStatus::no_data, seconds(300)));
        CPPUNIT_ASSERT(cache_.find(question("a.example"))->status() == DnsStatus::no_data);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), cache_.size());
        CPPUNIT_ASSERT(cache_.octets() < before);
    }

    void the_room_has_a_limit_and_the_least_used_goes_first() {
        for (int i = 0; i < 10; ++i) cache_.put(question("name" + std::to_string(i)), found(seconds(300), 10));
        const auto names = cache_.size();
        for (int i = 10; i < 1000; ++i) {
            CPPUNIT_ASSERT(cache_.find(question("name0")));
            cache_.put(question("name" + std::to_string(i)), found(seconds(300), 10));
            CPPUNIT_ASSERT(cache_.octets() <= 20000);
        }
        CPPUNIT_ASSERT(cache_.find(question("name0")));
        CPPUNIT_ASSERT(cache_.find(question("name999")));
        CPPUNIT_ASSERT(!cache_.find(question("name1")));
        CPPUNIT_ASSERT(cache_.size() >= names && cache_.size() < 20);
    }

    void a_huge_answer_is_not_kept() {
        cache_.put(question("a.example"), found(seconds(300), 1));
        cache_.put(question("huge.example"), found(seconds(300), 60));
        CPPUNIT_ASSERT(!cache_.find(question("huge.example")));
        CPPUNIT_ASSERT(cache_.find(question("a.example")));
    }

    void no_room_keeps_nothing() {
        DnsCache cache(clock_, 0);
        cache.put(question("a.example"), found(seconds(300)));
        CPPUNIT_ASSERT(!cache.find(question("a.example")));
    }

private:
    fakes::FakeClock clock_;
    DnsCache cache_{clock_, 20000};
};
CPPUNIT_TEST_SUITE_REGISTRATION(DnsCacheTest);

}  // namespace
}  // namespace smtpd::net
