/// stores_test.cc: which namespace is kept where, and which calls do not reach a back end.
#include "store/stores.h"

#include "fakes/fake_clock.h"
#include "fakes/fake_store.h"
#include "unit/store/store_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <sys/file.h>

namespace smtpd::store {
namespace {

Place place(const std::string& space, std::vector<std::string> words, const std::string& where = {}) {
    return {space, must(Address::parse(words, {})), where};
}

class StoresTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(StoresTest);
    CPPUNIT_TEST(a_namespace_is_kept_where_its_last_line_says);
    CPPUNIT_TEST(back_ends_nobody_uses_are_not_made);
    CPPUNIT_TEST(servers_share_what_has_the_same_address);
    CPPUNIT_TEST(one_file_has_one_size);
    CPPUNIT_TEST(tables_in_memory_are_shared_by_namespace);
    CPPUNIT_TEST(what_is_too_large_or_empty_is_refused);
    CPPUNIT_TEST(lifetimes_have_an_end);
    CPPUNIT_TEST(without_time_nothing_is_done);
    CPPUNIT_TEST_SUITE_END();

    std::string file(const std::string& name) const { return "file:" + directory_.path(name); }
    static Store<> open(Stores& stores, std::string_view name) { return Store<>(*must(stores.space(name))); }

    void a_namespace_is_kept_where_its_last_line_says() {
        Stores stores(backends_, {place("", {file("default")}), place("limit", {"memory:1m"}),
                                  place("karma", {file("karma")}), place("karma", {file("later")})});
        for (const char* name : {"limit", "karma", "greylist"}) must(stores.space(name));
        std::vector<std::string> used;
        for (const auto& entry : backends_.all()) used.push_back(entry.place.address.to_string());
        CPPUNIT_ASSERT(used == std::vector<std::string>({"memory:1m", file("later"), file("default")}));
        CPPUNIT_ASSERT(stores.uses("karma") && !stores.uses("other"));
    }

    void back_ends_nobody_uses_are_not_made() {
        Stores stores(backends_, {place("", {file("default")}), place("limit", {"memory:1m"})});
        CPPUNIT_ASSERT(backends_.all().empty());
    }

    void servers_share_what_has_the_same_address() {
        Stores one(backends_, {place("", {file("default")})});
        Stores two(backends_, {place("", {file("default")})});
        Stores three(backends_, {place("", {file("other")})});
        const auto first = open(one, "karma"), second = open(two, "karma"), third = open(three, "karma");
        backends_.start();
        must(first.put("key", "value", 1h));
        CPPUNIT_ASSERT(must(second.get("key")).has_value() && !must(third.get("key")).has_value());
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), backends_.all().size());
    }

    void one_file_has_one_size() {
        Stores one(backends_, {place("", {file("default")}, "httpd.conf line 3")});
        Stores two(backends_, {place("", {file("default"), "size=2m"}, "httpd.conf line 9")});
        must(one.space("karma"));
        const auto refused = two.space("karma");
        CPPUNIT_ASSERT(!refused);
        CPPUNIT_ASSERT_EQUAL(file("default") + " already has other options from httpd.conf line 3",
                             refused.error().what);
    }

    void tables_in_memory_are_shared_by_namespace() {
        Stores one(backends_, {place("", {"memory:1m"}), place("limit", {"memory:1m"})});
        Stores two(backends_, {place("", {file("x")}), place("limit", {"memory:1m"})});
        const auto limit = open(one, "limit"), same = open(two, "limit"), other = open(one, "karma");
        backends_.start();
        must(limit.put("key", "value", 1h));
        CPPUNIT_ASSERT(must(same.get("key")).has_value() && !must(other.get("key")).has_value());
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), backends_.all().size());
    }

    void what_is_too_large_or_empty_is_refused() {
        Stores stores(backends_, {place("", {"memory:1m"})});
        const auto store = open(stores, "test");
        backends_.start();
        CPPUNIT_ASSERT_EQUAL(std::string("an entry of test has no key"), store.put("", "x", 1h).error().what);
        CPPUNIT_ASSERT(!store.get("") && !store.remove(""));
        CPPUNIT_ASSERT_EQUAL(std::string("a key in test has 1025 octets; the limit is 1024"),
                             store.get(std::string(1025, 'k')).error().what);
        CPPUNIT_ASSERT_EQUAL(std::string("a value in test has 4097 octets; the limit is 4096"),
                             store.put("k", std::string(4097, 'v'), 1h).error().what);
        CPPUNIT_ASSERT_EQUAL(std::string("an entry of test would have no lifetime"),
                             store.put("k", "v", 0s).error().what);
        CPPUNIT_ASSERT(!store.put_if_absent("k", "v", -1s));
        must(store.put(std::string(1024, 'k'), std::string(4096, 'v'), 1h));
        CPPUNIT_ASSERT_EQUAL(std::string("\"a%20b\" is not a valid namespace of the store"),
                             stores.space("a b").error().what);
        CPPUNIT_ASSERT(must(store.list(std::string(2000, 'k'))).entries.empty());
    }

    void lifetimes_have_an_end() {
        Stores stores(backends_, {place("", {"memory:1m"})});
        const auto store = open(stores, "test");
        backends_.start();
        must(store.put("key", "value", Duration::max()));
        CPPUNIT_ASSERT(must(store.get("key")).has_value());
        std::string from;
        do {
            const auto page = must(store.list({}, 1000, from));
            for (const auto& entry : page.entries) CPPUNIT_ASSERT(entry.left == max_store_lifetime);
            from = page.next;
        } while (!from.empty());
    }

    void without_time_nothing_is_done() {
        Stores stores(backends_, {place("", {file("default")})});
        const auto store = open(stores, "test");
        backends_.start();
        // Somebody else is at the file: what has time left waits for that, what has none does not.
        const int folder = ::open(directory_.path().c_str(), O_RDONLY | O_CLOEXEC);
        CPPUNIT_ASSERT_EQUAL(0, ::flock(folder, LOCK_EX));
        const auto timed = [&](Duration timeout) {
            const auto began = std::chrono::steady_clock::now();
            const auto done = store.within(timeout).put("key", "value", 1h);
            CPPUNIT_ASSERT(!done && done.error().code == ErrorCode::timeout);
            return std::chrono::steady_clock::now() - began;
        };
        CPPUNIT_ASSERT(timed(-5s) < 80ms);
        CPPUNIT_ASSERT(timed(100ms) >= 100ms);
        CPPUNIT_ASSERT(timed(Duration::max()) < 5s);  // the back end's own time-out
        ::close(folder);
        must(store.put("key", "value", 1h));
    }

    fakes::TempDirectory directory_;
    fakes::FakeClock clock_;
    fakes::FakeStoreEvents events_;
    Backends backends_{clock_, events_};
};
CPPUNIT_TEST_SUITE_REGISTRATION(StoresTest);

}  // namespace
}  // namespace smtpd::store
