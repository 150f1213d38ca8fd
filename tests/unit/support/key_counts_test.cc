/// key_counts_test.cc: counts by key, with many keys that come and go, and keys with colliding places.
#include "support/key_counts.h"
#include "support/keyed_hash.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace smtpd::support {
namespace {

class KeyCountsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(KeyCountsTest);
    CPPUNIT_TEST(it_counts_like_a_map);
    CPPUNIT_TEST(hundreds_of_thousands_of_clients_that_are_gone_cost_nothing);
    CPPUNIT_TEST(keys_for_one_place_are_found_after_others_went);
    CPPUNIT_TEST(a_search_ends_when_all_slots_are_used);
    CPPUNIT_TEST(what_was_not_added_can_be_removed_without_harm);
    CPPUNIT_TEST(clear_leaves_nothing);
    CPPUNIT_TEST_SUITE_END();

public:
    void it_counts_like_a_map() {
        std::vector<KeyCounts::Slot> slots(64);
        KeyCounts counts(slots);
        std::map<std::uint64_t, std::uint32_t> expected;
        std::mt19937_64 random(7);
        for (int i = 0; i < 50000; ++i) {
            // Thirty keys, most of which want one of three places, over the end of the slots too.
            const std::uint64_t number = random() % 30 + 1;
            const std::uint64_t key = number << 8 | (number % 4 == 0 ? number : 61 + number % 3);
            if (random() % 2 == 0 && expected.contains(key)) {
                counts.remove(key);
                if (--expected[key] == 0) expected.erase(key);
            } else if (expected[key] < 3) {
                counts.add(key);
                ++expected[key];
            }
            for (std::uint64_t n = 1; n <= 30; ++n) {
                const std::uint64_t one = n << 8 | (n % 4 == 0 ? n : 61 + n % 3);
                const auto known = expected.find(one);
                CPPUNIT_ASSERT_EQUAL(known == expected.end() ? 0U : known->second, counts.count(one));
            }
        }
        for (const auto& [key, count] : expected)
            for (std::uint32_t i = 0; i < count; ++i) counts.remove(key);
        CPPUNIT_ASSERT(std::ranges::all_of(slots, [](const auto& slot) { return slot.key == 0 && slot.count == 0; }));
    }

    /// Like the session tables: a thousand simultaneous sessions, each of another client.
    void hundreds_of_thousands_of_clients_that_are_gone_cost_nothing() {
        std::vector<KeyCounts::Slot> slots(4096);
        KeyCounts counts(slots);
        const HashKey hash_key{1, 2};
        const auto key = [&](int client) { return KeyedHash(hash_key).add(std::to_string(client)).value(); };
        std::deque<std::uint64_t> sessions;
        std::size_t most = 0;
        for (int client = 0; client < 300'000; ++client) {
            const std::uint64_t one = key(client);
            most = std::max(most, counts.probes(one));
            counts.add(one);
            sessions.push_back(one);
            if (sessions.size() < 1000) continue;
            counts.remove(sessions.front());
            sessions.pop_front();
        }
        CPPUNIT_ASSERT_MESSAGE(std::to_string(most), most < 30);
        CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t(999),
                             std::ranges::count_if(slots, [](const auto& slot) { return slot.key != 0; }));
    }

    void keys_for_one_place_are_found_after_others_went() {
        for (std::uint64_t first = 0; first < 8; ++first)
            for (std::uint64_t gone = 1; gone <= 5; ++gone) {
                std::vector<KeyCounts::Slot> slots(8);
                KeyCounts counts(slots);
                for (std::uint64_t i = 1; i <= 5; ++i) counts.add(i << 3 | first);
                counts.remove(gone << 3 | first);
                for (std::uint64_t i = 1; i <= 5; ++i)
                    CPPUNIT_ASSERT_EQUAL(i == gone ? 0U : 1U, counts.count(i << 3 | first));
                CPPUNIT_ASSERT_EQUAL(std::size_t(5), counts.probes(9 << 3 | first));
            }
    }

    void a_search_ends_when_all_slots_are_used() {
        std::vector<KeyCounts::Slot> slots(4);
        KeyCounts counts(slots);
        for (std::uint64_t key = 1; key <= 4; ++key) counts.add(key);
        CPPUNIT_ASSERT_EQUAL(std::size_t(4), counts.probes(9));
        counts.remove(2);
        for (std::uint64_t key = 1; key <= 4; ++key) CPPUNIT_ASSERT_EQUAL(key == 2 ? 0U : 1U, counts.count(key));
    }

    void what_was_not_added_can_be_removed_without_harm() {
        std::vector<KeyCounts::Slot> slots(8);
        KeyCounts counts(slots);
        counts.add(9);
        counts.remove(1);
        CPPUNIT_ASSERT_EQUAL(1U, counts.count(9));
    }

    void clear_leaves_nothing() {
        std::vector<KeyCounts::Slot> slots(8);
        KeyCounts counts(slots);
        counts.add(9);
        counts.clear();
        CPPUNIT_ASSERT_EQUAL(0U, counts.count(9));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(KeyCountsTest);

}  // namespace
}  // namespace smtpd::support
