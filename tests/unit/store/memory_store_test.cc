/// memory_store_test.cc: the table in shared memory: with several processes, when it is full, and when a process dies
/// while it holds the mutex.
#include "unit/store/store_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <random>
#include <vector>

namespace smtpd::store {
namespace {

/// Lets a test do something while the table's mutex is held.
class OpenMemoryStore final : public MemoryStore {
public:
    using MemoryStore::MemoryStore;
    Result<void> while_locked(const std::function<void()>& body) {
        return change(
            {"test", "locked"}, [&](const auto&) { return body(), Change{}; }, soon());
    }
};

class MemoryStoreTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MemoryStoreTest);
    CPPUNIT_TEST(processes_share_the_table);
    CPPUNIT_TEST(when_it_is_full_the_soonest_to_expire_go);
    CPPUNIT_TEST(long_and_short_entries_share_the_room);
    CPPUNIT_TEST(chosen_keys_do_not_share_a_bucket);
    CPPUNIT_TEST(a_process_that_dies_with_the_mutex_loses_nothing);
    CPPUNIT_TEST(no_entry_is_lost_or_halved_by_kill_9);
    CPPUNIT_TEST(a_process_that_stands_still_with_the_mutex_holds_nobody_up_for_long);
    CPPUNIT_TEST(a_table_of_another_size_does_not_fit);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        table_ = MemoryStore::map(size);
        backend_ = made();
    }
    void tearDown() override {
        backend_.reset();
        MemoryStore::unmap(table_);
    }

private:
    static constexpr std::size_t size = 256 * 1024;

    std::unique_ptr<OpenMemoryStore> made() {
        auto backend = std::make_unique<OpenMemoryStore>(size, 5s, clock_);
        backend->attach(table_);
        backend->start();
        return backend;
    }
    std::optional<std::string> get(std::string_view key) { return must(backend_->get({"test", key}, soon())); }
    void put(std::string_view key, std::string_view value, Duration lifetime = 1h) {
        must(backend_->put({"test", key}, value, lifetime, soon()));
    }
    std::size_t count() {
        std::size_t all = 0;
        std::string from;
        do {
            const auto page = must(backend_->list({"test", ""}, 1000, from, soon()));
            all += page.entries.size();
            from = page.next;
        } while (!from.empty());
        return all;
    }

    void processes_share_the_table() {
        CPPUNIT_ASSERT_EQUAL(0, wait_for(start_process([&] {
                                 return static_cast<bool>(made()->put({"test", "key"}, "child", 1h, soon()));
                             })));
        CPPUNIT_ASSERT(get("key") == std::optional<std::string>("child"));
    }

    void when_it_is_full_the_soonest_to_expire_go() {
        std::vector<int> order(5000);
        for (int i = 0; i < 5000; ++i) order[static_cast<std::size_t>(i)] = i;
        std::shuffle(order.begin(), order.end(), std::mt19937(3));
        for (const int i : order) put(std::to_string(i), "x", 1h + std::chrono::seconds(i));
        const std::size_t kept = count();
        CPPUNIT_ASSERT(kept > 1000 && kept < 5000);
        // The last to expire are there, but for those that came when even later ones filled the table.
        for (int i = 5000 - static_cast<int>(kept) / 2; i < 5000; ++i)
            CPPUNIT_ASSERT_MESSAGE(std::to_string(i), get(std::to_string(i)).has_value());
        CPPUNIT_ASSERT(!get("0").has_value());
        put("0", "x", 1s);  // there is always room for one
        CPPUNIT_ASSERT(get("0").has_value());
    }

    void long_and_short_entries_share_the_room() {
        std::mt19937 random(5);
        std::map<std::string, std::string> expected;
        for (int i = 0; i < 20000; ++i) {
            const std::string key = "key" + std::to_string(random() % 300) + std::string(random() % 200, 'k');
            if (random() % 4 == 0) {
                must(backend_->remove({"test", key}, soon()));
                expected.erase(key);
            } else {
                const std::string value(random() % 300, static_cast<char>('a' + random() % 26));
                put(key, value);
                expected[key] = value;
            }
            if (i % 100 != 0) continue;
            for (const auto& [one, value] : expected) {
                const auto found = get(one);
                CPPUNIT_ASSERT(!found || *found == value);  // gone for want of room, or as it was put
            }
        }
        CPPUNIT_ASSERT(count() > 100);
    }

    /// Keys that share a bucket under FNV-1a, which the table used earlier: everyone can compute that.
    void chosen_keys_do_not_share_a_bucket() {
        const auto fnv = [](std::string_view text) {
            std::uint64_t hash = 0xcbf29ce484222325;
            for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
            return static_cast<std::uint32_t>(hash ^ (hash >> 32));
        };
        constexpr std::uint32_t mask = 2047;  // the table has as many buckets, or a few times less
        int chosen = 0;
        for (int i = 0; chosen < 500; ++i) {
            const std::string key = std::to_string(i);
            if ((fnv(std::string("test\0", 5) + key) & mask) != 0) continue;
            put(key, "x");
            ++chosen;
        }
        std::size_t longest = 0;
        std::size_t all = 0;
        std::string from;
        do {
            const auto page = must(backend_->list({"test", ""}, 1, from, soon()));  // ends behind the first bucket that
                                                                                    // has an entry
            longest = std::max(longest, page.entries.size());
            all += page.entries.size();
            from = page.next;
        } while (!from.empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t(500), all);
        CPPUNIT_ASSERT_MESSAGE(std::to_string(longest), longest <= 12);
    }

    void a_process_that_dies_with_the_mutex_loses_nothing() {
        for (int i = 0; i < 300; ++i) put(std::to_string(i), std::string(static_cast<std::size_t>(i), 'v'));
        CPPUNIT_ASSERT_EQUAL(
            7, wait_for(start_process([&] { return static_cast<bool>(made()->while_locked([] { ::_exit(7); })); })));
        for (int i = 0; i < 300; ++i)
            CPPUNIT_ASSERT_EQUAL(std::string(static_cast<std::size_t>(i), 'v'),
                                 get(std::to_string(i)).value_or("nothing"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(300), count());
        put("more", "x");
        CPPUNIT_ASSERT(get("more").has_value());
    }

    /// Like the test of the same name for files; with a value that is long enough to be half written.
    void no_entry_is_lost_or_halved_by_kill_9() {
        std::mt19937 random(17);
        std::int64_t accepted = 0;
        std::int64_t attempted = 0;
        for (int round = 0; round < 60; ++round) {
            int report[2];
            CPPUNIT_ASSERT_EQUAL(0, ::pipe(report));
            std::vector<pid_t> processes;
            for (int i = 0; i < 2; ++i)
                processes.push_back(start_process([&, i] {
                    const auto own = made();
                    for (int n = 0;; ++n) {
                        if (n % 64 == 0 && ::write(report[1], "?", 1) != 1) return false;
                        if (!own->add({"test", "count"}, 1, 1h, {}, soon())) return false;
                        if (!own->put({"test", "long" + std::to_string(n % 5)},
                                      std::string(1000, static_cast<char>('a' + n % 26)), 1h, soon()))
                            return false;
                        if (n % 64 == 63 && ::write(report[1], "!", 1) != 1) return false;
                    }
                    return i == 0;
                }));
            ::close(report[1]);
            std::this_thread::sleep_for(std::chrono::microseconds(2000 + random() % 8000));
            for (const pid_t process : processes) ::kill(process, SIGKILL);
            for (const pid_t process : processes) CPPUNIT_ASSERT_EQUAL(128 + SIGKILL, wait_for(process));
            char octet = 0;
            while (::read(report[0], &octet, 1) == 1) (octet == '!' ? accepted : attempted) += 64;
            ::close(report[0]);
            const std::int64_t count = must(backend_->add({"test", "count"}, 0, 1h, {}, soon()));
            CPPUNIT_ASSERT_MESSAGE(
                std::to_string(accepted) + " " + std::to_string(count) + " " + std::to_string(attempted),
                accepted <= count && count <= attempted);
            for (int n = 0; n < 5; ++n) {
                const auto value = get("long" + std::to_string(n));
                CPPUNIT_ASSERT(!value || *value == std::string(1000, value->front()));
            }
            CPPUNIT_ASSERT(this->count() <= 6);
        }
        CPPUNIT_ASSERT(accepted > 1000);
        for (int i = 0; i < 1500; ++i) put("all" + std::to_string(i), "x", 2h);  // no block has been lost
        CPPUNIT_ASSERT(get("all0").has_value());
    }

    void a_process_that_stands_still_with_the_mutex_holds_nobody_up_for_long() {
        int gate[2];
        CPPUNIT_ASSERT_EQUAL(0, ::pipe(gate));
        const pid_t process = start_process([&] {
            return static_cast<bool>(made()->while_locked([&] {
                if (::write(gate[1], "!", 1) == 1) ::pause();
            }));
        });
        char octet = 0;
        CPPUNIT_ASSERT_EQUAL(ssize_t(1), ::read(gate[0], &octet, 1));
        const auto began = std::chrono::steady_clock::now();
        const auto done = backend_->put({"test", "key"}, "x", 1h, soon(100ms));
        CPPUNIT_ASSERT(!done && done.error().code == ErrorCode::timeout);
        CPPUNIT_ASSERT(std::chrono::steady_clock::now() - began < 2s);
        ::kill(process, SIGKILL);
        wait_for(process);
        put("key", "x");
        ::close(gate[0]);
        ::close(gate[1]);
    }

    void a_table_of_another_size_does_not_fit() {
        CPPUNIT_ASSERT(MemoryStore::fits(table_, size));
        CPPUNIT_ASSERT(!MemoryStore::fits(table_, size * 2));
        CPPUNIT_ASSERT(!MemoryStore::fits(nullptr, size));
    }

    fakes::FakeClock clock_;
    void* table_ = nullptr;
    std::unique_ptr<OpenMemoryStore> backend_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(MemoryStoreTest);

}  // namespace
}  // namespace smtpd::store
