/// overlay_store_test.cc: a store for dry runs shows what is in the real one and never changes it.
#include "unit/store/store_fixture.h"

#include "store/overlay_store.h"

#include <cppunit/extensions/HelperMacros.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include <sqlite3.h>
#include <sys/stat.h>

namespace smtpd::store {
namespace {

namespace fs = std::filesystem;

class OverlayStoreTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OverlayStoreTest);
    CPPUNIT_TEST(what_is_there_is_seen);
    CPPUNIT_TEST(what_is_written_is_seen_and_forgotten);
    CPPUNIT_TEST(entries_expire_by_the_clock_of_a_dry_run);
    CPPUNIT_TEST(a_listing_has_both);
    CPPUNIT_TEST(a_file_that_is_in_use_is_read);
    CPPUNIT_TEST(nothing_in_the_folder_is_changed);
    CPPUNIT_TEST(where_no_file_is_nothing_is_made);
    CPPUNIT_TEST(what_is_no_store_is_told_once_and_empty);
    CPPUNIT_TEST(who_may_not_read_it_is_told);
    CPPUNIT_TEST(memory_of_another_process_is_told);
    CPPUNIT_TEST(a_redis_is_read_and_not_written);
    CPPUNIT_TEST(a_redis_that_is_not_there_is_told_and_empty);
    CPPUNIT_TEST_SUITE_END();

    FileKind kind_;
    fakes::FakeStoreEvents events_;

    std::string path() const { return kind_.directory.path("store"); }
    /// An entry of the server.
    void put(std::string_view key, std::string_view value, Duration lifetime = 1h) {
        auto backend = kind_.make();
        backend->start();
        must(backend->put({"test", key}, value, lifetime, soon()));
        backend->stop();
    }
    std::shared_ptr<Backend> overlay(const std::vector<std::string>& words) {
        const auto address = Address::parse(words, [](std::string_view path) { return std::string(path); });
        if (!address) CPPUNIT_FAIL(address.error().what);
        return make_overlay(*address, kind_.clock, events_);
    }
    std::shared_ptr<Backend> overlay() { return overlay({"file:" + path()}); }
    static std::string get(Backend& backend, std::string_view key) {
        return must(backend.get({"test", key}, soon())).value_or("-");
    }
    static std::string keys(const Backend::Page& page) {
        std::string out;
        for (const auto& entry : page.entries) out += entry.key + "=" + entry.value + " ";
        return out;
    }
    /// Names, contents and modification times of all files.
    std::map<std::string, std::string> folder() const {
        std::map<std::string, std::string> out;
        for (const auto& entry : fs::directory_iterator(kind_.directory.path())) {
            std::ifstream file(entry.path(), std::ios::binary);
            struct stat about {};
            ::stat(entry.path().c_str(), &about);
            out[entry.path().filename()] = std::string(std::istreambuf_iterator<char>(file), {}) +
                                           std::to_string(about.st_mtim.tv_sec) + "." +
                                           std::to_string(about.st_mtim.tv_nsec) + " " + std::to_string(about.st_mode);
        }
        return out;
    }

public:
    void what_is_there_is_seen() {
        put("a", "1");
        put("b", "2");
        const auto store = overlay();
        CPPUNIT_ASSERT_EQUAL(std::string("1"), get(*store, "a"));
        CPPUNIT_ASSERT_EQUAL(std::string("-"), get(*store, "c"));
        CPPUNIT_ASSERT_EQUAL(std::string("-"), must(store->get({"other", "a"}, soon())).value_or("-"));
        CPPUNIT_ASSERT(!must(store->put_if_absent({"test", "a"}, "x", 1h, soon())).value_or("").empty());
        CPPUNIT_ASSERT_EQUAL(std::int64_t(7), must(store->add({"test", "b"}, 5, 1h, {}, soon())));
        CPPUNIT_ASSERT(events_.failures.empty());
    }

    void what_is_written_is_seen_and_forgotten() {
        put("a", "1");
        put("b", "2");
        const auto store = overlay();
        must(store->put({"test", "a"}, "changed", 1h, soon()));
        must(store->put({"test", "c"}, "new", 1h, soon()));
        CPPUNIT_ASSERT(must(store->remove({"test", "b"}, soon())));
        CPPUNIT_ASSERT(!must(store->remove({"test", "b"}, soon())));
        CPPUNIT_ASSERT(must(store->replace({"test", "c"}, "new", "newer", 1h, soon())));
        CPPUNIT_ASSERT_EQUAL(std::string("changed - newer"),
                             get(*store, "a") + " " + get(*store, "b") + " " + get(*store, "c"));
        const auto another = overlay();
        CPPUNIT_ASSERT_EQUAL(std::string("1 2 -"),
                             get(*another, "a") + " " + get(*another, "b") + " " + get(*another, "c"));
    }

    void entries_expire_by_the_clock_of_a_dry_run() {
        put("short", "1", 1min);
        put("long", "1", 1h);
        put("count", "1", 2min);
        const auto store = overlay();
        must(store->put({"test", "own"}, "x", 1min, soon()));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(2), must(store->add({"test", "count"}, 1, 1h, {}, soon())));
        kind_.clock.advance(90s);
        CPPUNIT_ASSERT_EQUAL(std::string("- 1 - 2"), get(*store, "short") + " " + get(*store, "long") + " " +
                                                         get(*store, "own") + " " + get(*store, "count"));
        kind_.clock.advance(60s);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("an addition keeps the lifetime", std::string("-"), get(*store, "count"));
    }

    void a_listing_has_both() {
        put("a1", "1");
        put("a2", "2");
        put("b1", "3");
        const auto store = overlay();
        must(store->put({"test", "a3"}, "4", 1h, soon()));
        must(store->put({"test", "a1"}, "5", 1h, soon()));
        must(store->remove({"test", "a2"}, soon()));
        must(store->put({"other", "a4"}, "6", 1h, soon()));
        CPPUNIT_ASSERT_EQUAL(std::string("a1=5 a3=4 "), keys(must(store->list({"test", "a"}, 100, {}, soon()))));
        CPPUNIT_ASSERT_EQUAL(std::string("b1=3 a1=5 a3=4 "), keys(must(store->list({"test", ""}, 100, {}, soon()))));
    }

    void a_file_that_is_in_use_is_read() {
        auto server = kind_.make();
        server->start();
        must(server->put({"test", "a"}, "1", 1h, soon()));
        const auto store = overlay();
        CPPUNIT_ASSERT_EQUAL(std::string("1"), get(*store, "a"));
        must(server->put({"test", "b"}, "2", 1h, soon()));
        CPPUNIT_ASSERT_EQUAL(std::string("2"), get(*store, "b"));
        CPPUNIT_ASSERT(events_.failures.empty());
    }

    void nothing_in_the_folder_is_changed() {
        put("a", "1");
        const auto before = folder();
        {
            const auto store = overlay();
            CPPUNIT_ASSERT_EQUAL(std::string("1"), get(*store, "a"));
            must(store->put({"test", "a"}, "2", 1h, soon()));
            must(store->list({"test", ""}, 10, {}, soon()));
        }
        CPPUNIT_ASSERT(folder() == before);
        fs::remove(path() + "-wal");  // as after a copy of the file alone
        fs::remove(path() + "-shm");
        const auto alone = folder();
        get(*overlay(), "a");
        CPPUNIT_ASSERT(folder() == alone);
    }

    void where_no_file_is_nothing_is_made() {
        const auto store = overlay();
        CPPUNIT_ASSERT_EQUAL(std::string("-"), get(*store, "a"));
        must(store->put({"test", "a"}, "1", 1h, soon()));
        CPPUNIT_ASSERT_EQUAL(std::string("1"), get(*store, "a"));
        CPPUNIT_ASSERT(folder().empty());
        CPPUNIT_ASSERT(events_.failures.empty());
    }

    void what_is_no_store_is_told_once_and_empty() {
        std::ofstream(path()) << std::string(10'000, 'x');
        const auto before = folder();
        const auto store = overlay();
        CPPUNIT_ASSERT_EQUAL(std::string("-"), get(*store, "a"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(1), must(store->add({"test", "a"}, 1, 1h, {}, soon())));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), events_.failures.size());
        CPPUNIT_ASSERT_MESSAGE(events_.failures[0],
                               events_.failures[0].find(path() + " cannot be read: ") != std::string::npos &&
                                   events_.failures[0].ends_with("; it is treated as empty"));
        CPPUNIT_ASSERT(folder() == before);
    }

    void who_may_not_read_it_is_told() {
        if (::geteuid() == 0) return;  // who may read everything
        put("a", "1");
        ::chmod(path().c_str(), 0);
        CPPUNIT_ASSERT_EQUAL(std::string("-"), get(*overlay(), "a"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), events_.failures.size());
    }

    void memory_of_another_process_is_told() {
        const auto store = overlay({"memory:1m"});
        CPPUNIT_ASSERT_EQUAL(std::string("-"), get(*store, "a"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), events_.failures.size());
        must(store->put({"test", "a"}, "1", 1h, soon()));
        CPPUNIT_ASSERT_EQUAL(std::string("1"), get(*store, "a"));
    }

    void a_redis_is_read_and_not_written() {
        if (!RedisKind::is_available()) return;
        RedisKind redis;
        auto server = redis.make();
        server->start();
        must(server->put({"test", "a"}, "1", 1h, soon()));
        const auto store = overlay({"redis:" + redis.redis.path()});
        CPPUNIT_ASSERT_EQUAL(std::string("1"), get(*store, "a"));
        must(store->put({"test", "a"}, "2", 1h, soon()));
        must(store->put({"test", "b"}, "2", 1h, soon()));
        CPPUNIT_ASSERT_EQUAL(std::string("1 -"), get(*server, "a") + " " + get(*server, "b"));
        CPPUNIT_ASSERT(events_.failures.empty());
    }

    void a_redis_that_is_not_there_is_told_and_empty() {
        const auto store = overlay({"redis:" + kind_.directory.path("no.socket")});
        CPPUNIT_ASSERT_EQUAL(std::string("-"), get(*store, "a"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), events_.failures.size());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(OverlayStoreTest);

}  // namespace
}  // namespace smtpd::store
