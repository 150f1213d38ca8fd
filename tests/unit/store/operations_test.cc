/// operations_test.cc: the common behaviour of all back ends: each test runs with each of them.
#include "unit/store/store_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <limits>
#include <set>
#include <vector>

namespace smtpd::store {
namespace {

using Octets = std::optional<std::string>;

template <class Kind>
class OperationsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OperationsTest);
    CPPUNIT_TEST(what_was_put_is_there);
    CPPUNIT_TEST(keys_and_values_are_octets);
    CPPUNIT_TEST(namespaces_do_not_meet);
    CPPUNIT_TEST(entries_expire);
    CPPUNIT_TEST(put_replaces_value_and_lifetime);
    CPPUNIT_TEST(put_if_absent_leaves_what_is_there);
    CPPUNIT_TEST(what_has_expired_is_absent);
    CPPUNIT_TEST(add_counts_from_nothing);
    CPPUNIT_TEST(add_keeps_the_first_lifetime_unless_told_to_renew_it);
    CPPUNIT_TEST(add_refuses_what_is_no_number_or_gets_too_large);
    CPPUNIT_TEST(replace_compares);
    CPPUNIT_TEST(remove_says_whether_something_was_there);
    CPPUNIT_TEST(list_gives_all_entries_of_a_prefix);
    CPPUNIT_TEST(list_ends_under_changes);
    CPPUNIT_TEST(the_largest_entry_fits);
    CPPUNIT_TEST(no_increment_of_many_threads_is_lost);
    CPPUNIT_TEST(no_increment_of_many_processes_is_lost);
    CPPUNIT_TEST(of_many_who_put_if_absent_one_wins);
    CPPUNIT_TEST(no_compare_and_set_is_lost);
    CPPUNIT_TEST(it_does_nothing_before_start_and_after_stop);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        if (!Kind::is_available()) return;
        kind_ = std::make_unique<Kind>();
        backend_ = kind_->make();
        backend_->start();
    }
    void tearDown() override {
        backend_.reset();
        kind_.reset();
    }

private:
    /// Without its server program, a back end cannot be tested; the test reports this.
    bool is_skipped() const {
        if (!backend_) std::cout << "skipped: " << Kind::name << " is not installed" << std::endl;
        return !backend_;
    }
    Octets get(std::string_view key) { return must(backend_->get({"test", key}, soon())); }
    void put(std::string_view key, std::string_view value, Duration lifetime = 1h) {
        must(backend_->put({"test", key}, value, lifetime, soon()));
    }
    std::int64_t add(std::string_view key, std::int64_t amount, Duration lifetime = 1h, AddOptions options = {}) {
        return must(backend_->add({"test", key}, amount, lifetime, options, soon()));
    }
    std::vector<StoreEntry<std::string>> entries(const Item& prefix, std::size_t count) {
        std::vector<StoreEntry<std::string>> out;
        std::string from;
        do {
            auto page = must(backend_->list(prefix, count, from, soon()));
            std::move(page.entries.begin(), page.entries.end(), std::back_inserter(out));
            from = page.next;
        } while (!from.empty());
        return out;
    }
    std::vector<std::string> keys(std::string_view prefix, std::size_t count) {
        std::vector<std::string> out;
        for (auto& entry : entries({"test", prefix}, count)) out.push_back(std::move(entry.key));
        return out;
    }

    void what_was_put_is_there() {
        if (is_skipped()) return;
        CPPUNIT_ASSERT(get("key") == Octets());
        put("key", "value");
        CPPUNIT_ASSERT(get("key") == Octets("value"));
        const auto other = kind_->make();
        other->start();
        CPPUNIT_ASSERT(must(other->get({"test", "key"}, soon())) == Octets("value"));
    }

    void keys_and_values_are_octets() {
        if (is_skipped()) return;
        std::string all;
        for (int octet = 0; octet < 256; ++octet) all += static_cast<char>(octet);
        const std::string odd[] = {all,      std::string(1, '\0'),       "*?[a]\\", " ", "a\r\nb",
                                   "$5\r\n", "'; DROP TABLE entries; --"};
        for (const auto& octets : odd) put(octets, octets);
        put("empty", "");
        for (const auto& octets : odd) CPPUNIT_ASSERT_EQUAL(octets, get(octets).value_or("nothing"));
        CPPUNIT_ASSERT(get("empty") == Octets(""));
        auto found = keys({}, 100);
        CPPUNIT_ASSERT_EQUAL(std::size_t(8), std::set<std::string>(found.begin(), found.end()).size());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), keys("*?[", 100).size());
    }

    void namespaces_do_not_meet() {
        if (is_skipped()) return;
        must(backend_->put({"a", "bc"}, "1", 1h, soon()));
        must(backend_->put({"ab", "c"}, "2", 1h, soon()));
        CPPUNIT_ASSERT(must(backend_->get({"a", "bc"}, soon())) == Octets("1"));
        CPPUNIT_ASSERT(must(backend_->get({"ab", "c"}, soon())) == Octets("2"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), entries({"a", ""}, 10).size());
    }

    void entries_expire() {
        if (is_skipped()) return;
        put("short", "x", 60ms);
        put("long", "x", 1h);
        CPPUNIT_ASSERT(get("short").has_value());
        kind_->pass(60ms);
        CPPUNIT_ASSERT(!get("short").has_value());
        CPPUNIT_ASSERT(get("long").has_value());
        const auto all = entries({"test", ""}, 10);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), all.size());
        CPPUNIT_ASSERT(all.front().left > 50min && all.front().left <= 1h);
    }

    void put_replaces_value_and_lifetime() {
        if (is_skipped()) return;
        put("key", "first", 60ms);
        put("key", "second, and longer", 1h);
        kind_->pass(60ms);
        CPPUNIT_ASSERT(get("key") == Octets("second, and longer"));
        put("key", "third", 60ms);
        kind_->pass(60ms);
        CPPUNIT_ASSERT(get("key") == Octets());
    }

    void put_if_absent_leaves_what_is_there() {
        if (is_skipped()) return;
        CPPUNIT_ASSERT(must(backend_->put_if_absent({"test", "key"}, "first", 60ms, soon())) == Octets());
        CPPUNIT_ASSERT(must(backend_->put_if_absent({"test", "key"}, "second", 1h, soon())) == Octets("first"));
        CPPUNIT_ASSERT(get("key") == Octets("first"));
        kind_->pass(60ms);  // the second one has not made it live longer
        CPPUNIT_ASSERT(get("key") == Octets());
    }

    void what_has_expired_is_absent() {
        if (is_skipped()) return;
        for (const char* key : {"absent", "replace", "remove", "add"}) put(key, "7", 40ms);
        kind_->pass(40ms);
        CPPUNIT_ASSERT(must(backend_->put_if_absent({"test", "absent"}, "new", 1h, soon())) == Octets());
        CPPUNIT_ASSERT(get("absent") == Octets("new"));
        CPPUNIT_ASSERT(!must(backend_->replace({"test", "replace"}, "7", "8", 1h, soon())));
        CPPUNIT_ASSERT(must(backend_->replace({"test", "replace"}, {}, "8", 1h, soon())));
        CPPUNIT_ASSERT(!must(backend_->remove({"test", "remove"}, soon())));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(1), add("add", 1));
    }

    void add_counts_from_nothing() {
        if (is_skipped()) return;
        CPPUNIT_ASSERT_EQUAL(std::int64_t(1), add("count", 1));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(8), add("count", 7));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(-2), add("count", -10));
        CPPUNIT_ASSERT(get("count") == Octets("-2"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(105), add("other", 5, 1h, {.initial = 100}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(110), add("other", 5, 1h, {.initial = 100}));
        const std::int64_t large = std::numeric_limits<std::int64_t>::max() - 5;  // more than a double can hold
        CPPUNIT_ASSERT_EQUAL(large, add("large", large));
        CPPUNIT_ASSERT_EQUAL(large + 3, add("large", 3));
    }

    void add_keeps_the_first_lifetime_unless_told_to_renew_it() {
        if (is_skipped()) return;
        add("window", 1, 80ms);
        add("renewed", 1, 80ms);
        kind_->pass(50ms);
        CPPUNIT_ASSERT_EQUAL(std::int64_t(2), add("window", 1, 80ms));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(2), add("renewed", 1, 10s, {.renews = true}));
        kind_->pass(40ms);
        CPPUNIT_ASSERT_EQUAL(std::int64_t(1), add("window", 1, 80ms));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(3), add("renewed", 1, 10s, {.renews = true}));
    }

    void add_refuses_what_is_no_number_or_gets_too_large() {
        if (is_skipped()) return;
        put("text", "three");
        const auto no_number = backend_->add({"test", "text"}, 1, 1h, {}, soon());
        CPPUNIT_ASSERT(!no_number);
        CPPUNIT_ASSERT_EQUAL(std::string("the entry of \"text\" in test is not a number"), no_number.error().what);
        CPPUNIT_ASSERT(get("text") == Octets("three"));
        const std::int64_t most = std::numeric_limits<std::int64_t>::max();
        add("most", most);
        const auto too_large = backend_->add({"test", "most"}, 1, 1h, {}, soon());
        CPPUNIT_ASSERT(!too_large);
        CPPUNIT_ASSERT_EQUAL(std::string("the number in the entry of \"most\" in test would get too large"),
                             too_large.error().what);
        CPPUNIT_ASSERT_EQUAL(most, add("most", 0));
        CPPUNIT_ASSERT(!backend_->add({"test", "fresh"}, 1, 1h, {.initial = most}, soon()));
        CPPUNIT_ASSERT(get("fresh") == Octets());
        add("still", 1);  // an error about one entry is none of the back end
    }

    void replace_compares() {
        if (is_skipped()) return;
        CPPUNIT_ASSERT(!must(backend_->replace({"test", "key"}, "old", "new", 1h, soon())));
        CPPUNIT_ASSERT(get("key") == Octets());
        CPPUNIT_ASSERT(must(backend_->replace({"test", "key"}, {}, "old", 1h, soon())));
        CPPUNIT_ASSERT(!must(backend_->replace({"test", "key"}, {}, "again", 1h, soon())));
        CPPUNIT_ASSERT(!must(backend_->replace({"test", "key"}, "older", "new", 1h, soon())));
        CPPUNIT_ASSERT(must(backend_->replace({"test", "key"}, "old", "", 1h, soon())));
        CPPUNIT_ASSERT(must(backend_->replace({"test", "key"}, "", "new", 60ms, soon())));
        CPPUNIT_ASSERT(get("key") == Octets("new"));
        kind_->pass(60ms);
        CPPUNIT_ASSERT(get("key") == Octets());
    }

    void remove_says_whether_something_was_there() {
        if (is_skipped()) return;
        put("key", "value");
        CPPUNIT_ASSERT(must(backend_->remove({"test", "key"}, soon())));
        CPPUNIT_ASSERT(!must(backend_->remove({"test", "key"}, soon())));
        CPPUNIT_ASSERT(get("key") == Octets());
    }

    void list_gives_all_entries_of_a_prefix() {
        if (is_skipped()) return;
        std::set<std::string> expected;
        for (int i = 0; i < 300; ++i) {
            const std::string key = "192.0.2." + std::to_string(i);
            put(key, std::to_string(i));
            put("198.51.100." + std::to_string(i), "x");
            expected.insert(key);
        }
        for (const std::size_t count : {1, 7, 100, 1000}) {
            const auto found = keys("192.0.2.", count);
            CPPUNIT_ASSERT(std::set<std::string>(found.begin(), found.end()) == expected);
        }
        CPPUNIT_ASSERT(keys("203.", 10).empty());
    }

    void list_ends_under_changes() {
        if (is_skipped()) return;
        for (int i = 0; i < 200; ++i) put("stays" + std::to_string(i), "x");
        std::set<std::string> seen;
        std::string from;
        int pages = 0;
        do {
            auto page = must(backend_->list({"test", "stays"}, 10, from, soon()));
            for (const auto& entry : page.entries) seen.insert(entry.key);
            from = page.next;
            put("moves" + std::to_string(pages), "x");
            must(backend_->remove({"test", "moves" + std::to_string(pages - 3)}, soon()));
        } while (!from.empty() && ++pages < 10000);
        CPPUNIT_ASSERT(from.empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t(200), seen.size());
    }

    void the_largest_entry_fits() {
        if (is_skipped()) return;
        const std::string key(max_store_key, 'k');
        const std::string space(max_store_name, 's');
        for (const std::size_t size :
             {std::size_t(0), std::size_t(1), std::size_t(89), std::size_t(90), std::size_t(91), max_store_value}) {
            const std::string value(size, 'v');
            must(backend_->put({space, key}, value, max_store_lifetime, soon()));
            CPPUNIT_ASSERT(must(backend_->get({space, key}, soon())) == Octets(value));
        }
    }

    void no_increment_of_many_threads_is_lost() {
        if (is_skipped()) return;
        std::vector<std::thread> threads;
        std::atomic<int> errors{0};
        for (int i = 0; i < 16; ++i)
            threads.emplace_back([&] {
                for (int n = 0; n < 100; ++n) errors += !backend_->add({"test", "shared"}, 1, 1h, {}, soon(30s));
            });
        for (auto& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(0, errors.load());
        CPPUNIT_ASSERT_EQUAL(std::int64_t(1600), add("shared", 0));
    }

    void no_increment_of_many_processes_is_lost() {
        if (is_skipped()) return;
        std::vector<pid_t> processes;
        for (int i = 0; i < 6; ++i)
            processes.push_back(start_process([&] {
                const auto own = kind_->make();
                own->start();
                for (int n = 0; n < 150; ++n)
                    if (!own->add({"test", "shared"}, 1, 1h, {}, soon(30s))) return false;
                return true;
            }));
        for (const pid_t process : processes) CPPUNIT_ASSERT_EQUAL(0, wait_for(process));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(900), add("shared", 0));
    }

    void of_many_who_put_if_absent_one_wins() {
        if (is_skipped()) return;
        for (int round = 0; round < 10; ++round) {
            const std::string key = std::to_string(round);
            std::atomic<int> winners{0};
            std::vector<std::thread> threads;
            for (int i = 0; i < 8; ++i)
                threads.emplace_back([&, i] {
                    const auto found = backend_->put_if_absent({"test", key}, std::to_string(i), 1h, soon());
                    winners += found && !found->has_value();
                });
            for (auto& thread : threads) thread.join();
            CPPUNIT_ASSERT_EQUAL(1, winners.load());
        }
    }

    void no_compare_and_set_is_lost() {
        if (is_skipped()) return;
        std::vector<std::thread> threads;
        std::atomic<int> done{0};
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                for (int n = 0; n < 25;) {
                    const auto old = backend_->get({"test", "shared"}, soon());
                    if (!old) return;
                    const std::string next = std::to_string(std::stoi(old->value_or("0")) + 1);
                    const auto expected = *old ? std::optional<std::string_view>(**old) : std::nullopt;
                    const auto replaced = backend_->replace({"test", "shared"}, expected, next, 1h, soon());
                    if (!replaced) return;
                    n += *replaced;
                    done += *replaced;
                }
            });
        for (auto& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(100, done.load());
        CPPUNIT_ASSERT(get("shared") == Octets("100"));
    }

    void it_does_nothing_before_start_and_after_stop() {
        if (is_skipped()) return;
        const auto other = kind_->make();
        if (std::string_view(Kind::name) != "memory") {  // whose table is there from the beginning
            CPPUNIT_ASSERT(!other->get({"test", "key"}, soon()));
            CPPUNIT_ASSERT(!other->add({"test", "key"}, 1, 1h, {}, soon()));
        }
        other->start();
        CPPUNIT_ASSERT(other->put({"test", "key"}, "x", 1h, soon()));
        other->stop();
        if (std::string_view(Kind::name) != "memory") CPPUNIT_ASSERT(!other->put({"test", "key"}, "y", 1h, soon()));
        CPPUNIT_ASSERT(get("key") == Octets("x"));
    }

    std::unique_ptr<Kind> kind_;
    std::unique_ptr<Backend> backend_;
};

using FileOperations = OperationsTest<FileKind>;
using MemoryOperations = OperationsTest<MemoryKind>;
using RedisOperations = OperationsTest<RedisKind>;
CPPUNIT_TEST_SUITE_REGISTRATION(FileOperations);
CPPUNIT_TEST_SUITE_REGISTRATION(MemoryOperations);
CPPUNIT_TEST_SUITE_REGISTRATION(RedisOperations);

}  // namespace
}  // namespace smtpd::store
