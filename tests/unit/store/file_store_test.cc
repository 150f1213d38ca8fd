/// file_store_test.cc: the store in a file survives crashes, stays within its size, and continues after any damage to
/// the file.
#include "support/file_descriptor.h"
#include "unit/store/store_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace smtpd::store {
namespace {

namespace fs = std::filesystem;

class FileStoreTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FileStoreTest);
    CPPUNIT_TEST(entries_survive_the_process);
    CPPUNIT_TEST(no_accepted_increment_is_lost_by_kill_9);
    CPPUNIT_TEST(what_was_opened_before_fork_is_not_used_after_it);
    CPPUNIT_TEST(a_damaged_file_is_set_aside);
    CPPUNIT_TEST(damage_that_is_met_later_is_set_aside_too);
    CPPUNIT_TEST(processes_agree_about_a_file_that_was_set_aside);
    CPPUNIT_TEST(whoever_makes_the_file_keeps_the_lock_on_it);
    CPPUNIT_TEST(a_file_that_was_removed_is_made_anew);
    CPPUNIT_TEST(expired_entries_are_removed);
    CPPUNIT_TEST(work_removes_expired_entries_too);
    CPPUNIT_TEST(the_file_stays_within_its_size);
    CPPUNIT_TEST(a_full_disk_is_an_error_and_passes);
    CPPUNIT_TEST(who_holds_the_file_makes_others_wait_no_longer_than_they_may);
    CPPUNIT_TEST(a_folder_that_cannot_be_written_is_an_error_and_passes);
    CPPUNIT_TEST(the_file_is_for_its_owner_only);
    CPPUNIT_TEST(who_holds_the_store_works_there_alone);
    CPPUNIT_TEST(nobody_holds_what_is_not_open_yet);
    CPPUNIT_TEST(nobody_holds_it_while_another_program_changes_something);
    CPPUNIT_TEST(nobody_holds_it_while_another_process_has_its_turn);
    CPPUNIT_TEST(who_waits_is_served_when_it_is_let_go);
    CPPUNIT_TEST(what_fails_while_it_is_held_is_an_error_and_passes);
    CPPUNIT_TEST(a_long_log_is_left_to_who_may_wait);
    CPPUNIT_TEST(after_a_long_hold_there_is_none_for_a_while);
    CPPUNIT_TEST(threads_that_hold_and_threads_that_wait_lose_nothing);
    CPPUNIT_TEST_SUITE_END();

    std::string path() const { return kind_.directory.path("store"); }
    std::unique_ptr<Backend> started(Duration timeout = 5s) {
        auto backend = kind_.make(timeout);
        backend->start();
        return backend;
    }
    static std::optional<std::string> get(Backend& backend, std::string_view key) {
        return must(backend.get({"test", key}, soon()));
    }
    static void put(Backend& backend, std::string_view key, std::string_view value, Duration lifetime = 1h) {
        must(backend.put({"test", key}, value, lifetime, soon()));
    }
    /// Runs `body` in another thread; returns its result.
    template <class Body>
    static auto elsewhere(Body body) {
        std::optional<decltype(body())> result;
        std::thread([&] { result.emplace(body()); }).join();
        return std::move(*result);
    }
    /// On a busy machine a hold may take long, and then none is possible for a while.
    static void hold(Backend& backend) {
        const auto until = soon();
        while (!backend.lane()->try_hold()) {
            CPPUNIT_ASSERT(std::chrono::steady_clock::now() < until);
            std::this_thread::sleep_for(1ms);
        }
    }
    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(kind_.directory.path()))
            names.push_back(entry.path().filename());
        std::sort(names.begin(), names.end());
        return names;
    }
    std::size_t files_set_aside() const {
        const auto all = files();
        return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const std::string& name) {
            return name.find(".damaged-") != std::string::npos && !name.ends_with("-wal");
        }));
    }
    std::int64_t rows() const { return ask("SELECT count(*) FROM entries"); }
    std::int64_t ask(const char* text) const {
        sqlite3* database = nullptr;
        sqlite3_stmt* statement = nullptr;
        std::int64_t value = -1;
        sqlite3_open(path().c_str(), &database);
        if (sqlite3_prepare_v2(database, text, -1, &statement, nullptr) == SQLITE_OK &&
            sqlite3_step(statement) == SQLITE_ROW)
            value = std::string_view("ok") == reinterpret_cast<const char*>(sqlite3_column_text(statement, 0))
                        ? 1
                        : sqlite3_column_int64(statement, 0);
        sqlite3_finalize(statement);
        sqlite3_close(database);
        return value;
    }

    void entries_survive_the_process() {
        CPPUNIT_ASSERT_EQUAL(0, wait_for(start_process([&] {
                                 const auto own = started();
                                 return static_cast<bool>(own->put({"test", "key"}, "value", 1h, soon()));
                             })));
        CPPUNIT_ASSERT(get(*started(), "key") == std::optional<std::string>("value"));
    }

    /// Children count in the file, and report the results through a pipe; then the test kills them in the middle of it.
    void no_accepted_increment_is_lost_by_kill_9() {
        std::mt19937 random(11);
        std::int64_t accepted = 0;
        std::int64_t attempted = 0;
        for (int round = 0; round < 12; ++round) {
            std::vector<pid_t> processes;
            int report[2];
            CPPUNIT_ASSERT_EQUAL(0, ::pipe(report));
            for (int i = 0; i < 3; ++i)
                processes.push_back(start_process([&] {
                    const auto own = started();
                    for (;;) {
                        if (::write(report[1], "?", 1) != 1 || !own->add({"test", "count"}, 1, 1h, {}, soon()))
                            return false;
                        if (::write(report[1], "!", 1) != 1) return false;
                    }
                }));
            ::close(report[1]);
            std::this_thread::sleep_for(std::chrono::milliseconds(20 + random() % 60));
            for (const pid_t process : processes) ::kill(process, SIGKILL);
            for (const pid_t process : processes) CPPUNIT_ASSERT_EQUAL(128 + SIGKILL, wait_for(process));
            char octet = 0;
            while (::read(report[0], &octet, 1) == 1) (octet == '!' ? accepted : attempted)++;
            ::close(report[0]);
        }
        const std::int64_t count = must(started()->add({"test", "count"}, 0, 1h, {}, soon()));
        CPPUNIT_ASSERT(accepted > 100);
        CPPUNIT_ASSERT_MESSAGE(std::to_string(accepted) + " " + std::to_string(count) + " " + std::to_string(attempted),
                               accepted <= count && count <= attempted);
        CPPUNIT_ASSERT_EQUAL(std::int64_t(1), ask("PRAGMA integrity_check"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), files_set_aside());
    }

    void what_was_opened_before_fork_is_not_used_after_it() {
        const auto backend = started();
        put(*backend, "key", "parent");
        CPPUNIT_ASSERT_EQUAL(0, wait_for(start_process([&] {
                                 const auto seen = backend->get({"test", "key"}, soon());
                                 return seen && *seen == std::optional<std::string>("parent") &&
                                        backend->put({"test", "key"}, "child", 1h, soon());
                             })));
        CPPUNIT_ASSERT(get(*backend, "key") == std::optional<std::string>("child"));
        // The child's end has not taken the parent's locks away, or its log.
        put(*backend, "other", "parent");
        CPPUNIT_ASSERT(get(*started(), "other") == std::optional<std::string>("parent"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(1), ask("PRAGMA integrity_check"));
    }

    void a_damaged_file_is_set_aside() {
        const auto written = [this](const std::string& content) { kind_.directory.write("store", content); };
        const auto sql = [this](const std::string& text) {
            sqlite3* database = nullptr;
            sqlite3_open(path().c_str(), &database);
            sqlite3_exec(database, text.c_str(), nullptr, nullptr, nullptr);
            sqlite3_close(database);
        };
        const std::pair<const char*, std::function<void()>> ways[] = {
            {"a text", [&] { written("This is a letter.\n"); }},
            {"junk", [&] { written(std::string(20000, '\x5a')); }},
            {"a header alone", [&] { written(std::string("SQLite format 3\0", 16)); }},
            {"a header with junk", [&] { written(std::string("SQLite format 3\0", 16) + std::string(50000, 'x')); }},
            {"somebody else's database", [&] { sql("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)"); }},
            {"another version's",
             [&] { sql("PRAGMA application_id=1397576787; PRAGMA user_version=2; CREATE TABLE entries (a)"); }},
        };
        for (const auto& [name, make] : ways) {
            fs::remove_all(kind_.directory.path());
            fs::create_directory(kind_.directory.path());
            kind_.events.damages.clear();
            make();
            const auto before = fs::file_size(path());
            const auto backend = started();
            put(*backend, "key", "value");
            CPPUNIT_ASSERT_MESSAGE(name, get(*backend, "key") == std::optional<std::string>("value"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::size_t(1), files_set_aside());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::size_t(1), kind_.events.damages.size());
            CPPUNIT_ASSERT_MESSAGE(name, kind_.events.failures.empty());
            for (const auto& file : files())
                if (file.find(".damaged-") != std::string::npos && !file.ends_with("-wal"))
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(name, before, fs::file_size(kind_.directory.path(file)));  // it is
                                                                                                            // kept as
                                                                                                            // it was
        }
        CPPUNIT_ASSERT(kind_.events.damages.front().find("it was made by another version") != std::string::npos);
    }

    /// The test changes octets all over a file behind the store's back, in many ways: the store always goes on, and
    /// keeps new entries.
    void damage_that_is_met_later_is_set_aside_too() {
        std::size_t set_aside = 0;
        for (unsigned round = 0; round < 20; ++round) {
            fs::remove_all(kind_.directory.path());
            fs::create_directory(kind_.directory.path());
            {
                const auto backend = started();
                for (int i = 0; i < 400; ++i) put(*backend, "before" + std::to_string(i), std::string(100, 'x'));
            }
            ask("PRAGMA wal_checkpoint(TRUNCATE)");
            std::mt19937 random(round);
            const auto size = fs::file_size(path());
            if (round % 4 == 0) {
                fs::resize_file(path(), random() % size);
            } else {
                std::fstream file(path(), std::ios::binary | std::ios::in | std::ios::out);
                for (std::size_t n = 0; n < size / (round % 4 == 1 ? 20 : 2000); ++n) {
                    file.seekp(static_cast<std::streamoff>(100 + random() % (size - 100)));
                    file.put(static_cast<char>(random()));
                }
            }
            const auto backend = started();
            for (int i = 0; i < 400; ++i) {
                static_cast<void>(backend->get({"test", "before" + std::to_string(i)}, soon()));
                put(*backend, "after" + std::to_string(i), "value");
            }
            backend->tick();
            for (int i = 0; i < 400; ++i) put(*backend, "before" + std::to_string(i), "value");
            CPPUNIT_ASSERT(get(*backend, "before399") == std::optional<std::string>("value"));
            set_aside += files_set_aside();
        }
        CPPUNIT_ASSERT(set_aside >= 10);
    }

    void processes_agree_about_a_file_that_was_set_aside() {
        const auto first = started();
        put(*first, "key", "old");
        ask("PRAGMA wal_checkpoint(TRUNCATE)");
        kind_.directory.write("store", std::string(30000, 'x'));  // first has it open all the time
        std::vector<pid_t> processes;
        for (int i = 0; i < 5; ++i)
            processes.push_back(start_process([&] {
                const auto own = started();
                for (int n = 0; n < 50; ++n)
                    if (!own->add({"test", "count"}, 1, 1h, {}, soon())) return false;
                return true;
            }));
        for (const pid_t process : processes) CPPUNIT_ASSERT_EQUAL(0, wait_for(process));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), files_set_aside());
        first->tick();  // notices
        CPPUNIT_ASSERT_EQUAL(std::int64_t(250), must(first->add({"test", "count"}, 0, 1h, {}, soon())));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(1), ask("PRAGMA integrity_check"));
    }

    /// Otherwise another process could believe that it is the last one when it ends, and empty the log under this one.
    void whoever_makes_the_file_keeps_the_lock_on_it() {
        const auto backend = started();
        put(*backend, "key", "value");
        const pid_t process = start_process([&] {
            const support::FileDescriptor file(::open(path().c_str(), O_RDWR | O_CLOEXEC));
            struct flock wanted {};
            wanted.l_type = F_WRLCK;
            wanted.l_whence = SEEK_SET;
            wanted.l_start = 0x40000002;  // the octets that SQLite locks, shared, for as long as a database with a log
                                          // is open
            wanted.l_len = 510;
            return ::fcntl(file.get(), F_GETLK, &wanted) == 0 && wanted.l_type == F_RDLCK &&
                   wanted.l_pid == ::getppid();
        });
        CPPUNIT_ASSERT_EQUAL(0, wait_for(process));
    }

    void a_file_that_was_removed_is_made_anew() {
        const auto backend = started();
        put(*backend, "key", "value");
        for (const auto& name : files()) fs::remove(kind_.directory.path(name));
        backend->tick();
        CPPUNIT_ASSERT(get(*backend, "key") == std::nullopt);
        put(*backend, "key", "again");
        CPPUNIT_ASSERT(get(*started(), "key") == std::optional<std::string>("again"));
    }

    void expired_entries_are_removed() {
        const auto backend = started();
        for (int i = 0; i < 1000; ++i) put(*backend, std::to_string(i), "x", i % 2 == 0 ? 1min : 1h);
        kind_.pass(2min);
        for (int i = 0; i < 200 && rows() > 500; ++i) backend->tick();
        CPPUNIT_ASSERT_EQUAL(std::int64_t(500), rows());
        CPPUNIT_ASSERT(get(*backend, "1").has_value() && !get(*backend, "2").has_value());
    }

    /// Without calls of tick(): under prefork and worker.
    void work_removes_expired_entries_too() {
        const auto backend = started();
        for (int i = 0; i < 50; ++i) put(*backend, std::to_string(i), "x", 1min);
        kind_.pass(2min);
        std::this_thread::sleep_for(1100ms);
        put(*backend, "fresh", "x");
        CPPUNIT_ASSERT_EQUAL(std::int64_t(1), rows());
    }

    void the_file_stays_within_its_size() {
        const auto backend = started();
        const std::string value(300, 'v');
        put(*backend, "lives longest", "here", 24h * 1000);
        for (int i = 0; i < 15000; ++i) put(*backend, "key" + std::to_string(i), value, 1h + std::chrono::seconds(i));
        CPPUNIT_ASSERT(fs::file_size(path()) <= FileStore::least_size * 4);
        CPPUNIT_ASSERT(fs::file_size(path() + "-wal") <= 8 * 1024 * 1024);
        CPPUNIT_ASSERT(!get(*backend, "key0").has_value());
        CPPUNIT_ASSERT(get(*backend, "key14999").has_value() && get(*backend, "lives longest").has_value());
        CPPUNIT_ASSERT_MESSAGE(std::to_string(rows()), rows() > 5000 && rows() < 14000);
        CPPUNIT_ASSERT(kind_.events.failures.empty());
    }

    /// As far as a process can simulate it: no file may become larger than that.
    void a_full_disk_is_an_error_and_passes() {
        CPPUNIT_ASSERT_EQUAL(
            0, wait_for(start_process([&] {
                ::signal(SIGXFSZ, SIG_IGN);
                const auto backend = started();
                if (!backend->put({"test", "before"}, "x", 1h, soon())) return false;
                rlimit limit{};
                ::getrlimit(RLIMIT_FSIZE, &limit);
                const rlim_t before = limit.rlim_cur;
                limit.rlim_cur = 64 * 1024;
                ::setrlimit(RLIMIT_FSIZE, &limit);
                bool failed = false;
                for (int i = 0; i < 200 && !failed; ++i)
                    failed = !backend->put({"test", std::to_string(i)}, std::string(1000, 'x'), 1h, soon());
                if (!failed || kind_.events.failures.size() != 1) return false;
                if (kind_.events.failures[0].find("not an error") != std::string::npos) return false;
                if (!backend->get({"test", "before"}, soon())) return false;  // what needs no room goes on
                limit.rlim_cur = before;
                ::setrlimit(RLIMIT_FSIZE, &limit);
                return backend->put({"test", "after"}, std::string(1000, 'x'), 1h, soon()) &&
                       kind_.events.recoveries.size() >= 1 && files_set_aside() == 0;
            })));
    }

    void who_holds_the_file_makes_others_wait_no_longer_than_they_may() {
        const auto backend = started();
        put(*backend, "key", "value");
        sqlite3* other = nullptr;
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK, sqlite3_open(path().c_str(), &other));
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK, sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr));
        const auto began = std::chrono::steady_clock::now();
        const auto added = backend->add({"test", "count"}, 1, 1h, {}, soon(150ms));
        const auto took = std::chrono::steady_clock::now() - began;
        CPPUNIT_ASSERT(!added && added.error().code == ErrorCode::timeout);
        CPPUNIT_ASSERT(took >= 140ms && took < 2s);
        CPPUNIT_ASSERT(get(*backend, "key").has_value());  // readers do not wait
        sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
        sqlite3_close(other);
        CPPUNIT_ASSERT_EQUAL(std::int64_t(1), must(backend->add({"test", "count"}, 1, 1h, {}, soon())));
        CPPUNIT_ASSERT(kind_.events.failures.empty());
    }

    void a_folder_that_cannot_be_written_is_an_error_and_passes() {
        const std::string folder = kind_.directory.path("later");
        FileStore backend(folder + "/store", FileStore::default_size, 5s, kind_.clock, kind_.events);
        backend.start();
        for (int i = 0; i < 3; ++i) {
            const auto done = backend.put({"test", "key"}, "x", 1h, soon());
            CPPUNIT_ASSERT(!done);
            CPPUNIT_ASSERT_EQUAL("cannot open " + folder + ": No such file or directory", done.error().what);
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), kind_.events.failures.size());  // once, not three times
        fs::create_directory(folder);
        CPPUNIT_ASSERT(backend.put({"test", "key"}, "x", 1h, soon()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), kind_.events.recoveries.size());
    }

    void the_file_is_for_its_owner_only() {
        const auto backend = started();
        put(*backend, "key", "value");
        for (const auto& name : files()) {
            struct stat about {};
            CPPUNIT_ASSERT_EQUAL(0, ::stat(kind_.directory.path(name).c_str(), &about));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, mode_t(0600), mode_t(about.st_mode & 07777));
        }
        CPPUNIT_ASSERT(files().size() >= 2);
    }

    void who_holds_the_store_works_there_alone() {
        const auto backend = started();
        put(*backend, "key", "value");
        hold(*backend);
        CPPUNIT_ASSERT(!elsewhere([&] { return backend->lane()->try_hold(); }));
        const auto other = elsewhere([&] { return backend->get({"test", "key"}, soon(0ms)); });
        CPPUNIT_ASSERT(!other && other.error().code == ErrorCode::timeout);
        CPPUNIT_ASSERT(get(*backend, "key") == std::optional<std::string>("value"));
        for (std::int64_t i = 1; i <= 3; ++i)
            CPPUNIT_ASSERT_EQUAL(i, must(backend->add({"test", "count"}, 1, 1h, {}, soon())));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(2), rows());  // committed by now
        backend->lane()->let_go();
        CPPUNIT_ASSERT(elsewhere([&] {
            return static_cast<bool>(backend->add({"test", "count"}, 1, 1h, {}, soon()));
        }));
        hold(*backend);
        backend->lane()->let_go();
        CPPUNIT_ASSERT_EQUAL(std::int64_t(4), must(backend->add({"test", "count"}, 0, 1h, {}, soon())));
    }

    void nobody_holds_what_is_not_open_yet() {
        auto backend = kind_.make();
        CPPUNIT_ASSERT(!backend->lane()->try_hold());
        backend->start();
        CPPUNIT_ASSERT(!backend->lane()->try_hold());
        CPPUNIT_ASSERT(!get(*backend, "key"));
        CPPUNIT_ASSERT(backend->lane()->try_hold());
        backend->lane()->let_go();
        CPPUNIT_ASSERT_EQUAL(0, wait_for(start_process([&] { return !backend->lane()->try_hold(); })));
        backend->stop();
        CPPUNIT_ASSERT(!backend->lane()->try_hold());
    }

    void nobody_holds_it_while_another_program_changes_something() {
        const auto backend = started();
        put(*backend, "key", "value");
        sqlite3* other = nullptr;
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK, sqlite3_open(path().c_str(), &other));
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK, sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr));
        const auto began = std::chrono::steady_clock::now();
        for (int i = 0; i < 10; ++i) CPPUNIT_ASSERT(!backend->lane()->try_hold());
        CPPUNIT_ASSERT(std::chrono::steady_clock::now() - began < 1s);
        sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
        hold(*backend);
        CPPUNIT_ASSERT_EQUAL(SQLITE_BUSY, sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr));
        backend->lane()->let_go();
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK, sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr));
        sqlite3_close(other);
    }

    /// Both take turns, as processes of one server do.
    void nobody_holds_it_while_another_process_has_its_turn() {
        FileStore backend(path(), FileStore::default_size, 5s, kind_.clock, kind_.events);
        backend.share();
        int news[2];
        int orders[2];
        CPPUNIT_ASSERT(::pipe(news) == 0 && ::pipe(orders) == 0);
        char octet = 0;
        const auto told = [&octet](int pipe) { return ::read(pipe, &octet, 1) == 1; };
        const auto tell = [](int pipe) { return ::write(pipe, "!", 1) == 1; };
        const pid_t other = start_process([&] {
            ::close(orders[1]);
            backend.start();
            if (!backend.put({"test", "key"}, "value", 1h, soon()) || !tell(news[1]) || !told(orders[0])) return false;
            const bool holds = backend.lane()->try_hold();
            const bool is_good = holds && tell(news[1]) && !told(orders[0]);
            if (holds) backend.lane()->let_go();
            return is_good;
        });
        ::close(orders[0]);
        CPPUNIT_ASSERT(told(news[0]));
        backend.start();
        CPPUNIT_ASSERT(get(backend, "key").has_value());
        CPPUNIT_ASSERT(tell(orders[1]) && told(news[0]));
        CPPUNIT_ASSERT(!backend.lane()->try_hold());
        ::close(orders[1]);
        CPPUNIT_ASSERT_EQUAL(0, wait_for(other));
        hold(backend);
        backend.lane()->let_go();
        ::close(news[0]);
        ::close(news[1]);
    }

    void who_waits_is_served_when_it_is_let_go() {
        const auto backend = started();
        put(*backend, "key", "value");
        CPPUNIT_ASSERT(backend->lane()->try_hold());
        std::atomic<bool> is_done = false;
        std::thread other([&] { is_done = static_cast<bool>(backend->put({"test", "key"}, "other", 1h, soon())); });
        std::this_thread::sleep_for(5ms);
        CPPUNIT_ASSERT(!is_done);
        backend->lane()->let_go();
        other.join();
        CPPUNIT_ASSERT(is_done);
    }

    void what_fails_while_it_is_held_is_an_error_and_passes() {
        const auto backend = started();
        put(*backend, "key", "value");
        sqlite3* other = nullptr;
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK, sqlite3_open(path().c_str(), &other));
        CPPUNIT_ASSERT(backend->lane()->try_hold());
        put(*backend, "key", "committed");
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK, sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr,
                                                     nullptr));  // it slips in between two changes
        const auto refused = backend->put({"test", "key"}, "lost", 1h, soon(50ms));
        CPPUNIT_ASSERT(!refused && refused.error().code == ErrorCode::timeout);
        sqlite3_close(other);
        put(*backend, "other", "value");
        backend->lane()->let_go();
        CPPUNIT_ASSERT(get(*backend, "key") == std::optional<std::string>("committed"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t(2), rows());
    }

    void a_long_log_is_left_to_who_may_wait() {
        const auto backend = started();
        put(*backend, "key", "value");
        const auto log_size = [this] { return fs::file_size(path() + "-wal"); };
        const std::string large(3000, 'x');
        int held = 0;
        for (int i = 0; log_size() < 4120 * 1000; ++i) {  // 1000 pages, each with a header
            const bool holds = backend->lane()->try_hold();
            put(*backend, std::to_string(i % 100), large);
            if (!holds) continue;
            backend->lane()->let_go();
            ++held;
        }
        CPPUNIT_ASSERT(held > 0);
        std::this_thread::sleep_for(FileStore::rest);
        CPPUNIT_ASSERT(get(*backend, "key").has_value());
        CPPUNIT_ASSERT(!backend->lane()->try_hold());
        put(*backend, "key", "again");
        hold(*backend);
        backend->lane()->let_go();
        for (int i = 0; i < 3000; ++i) put(*backend, std::to_string(i % 100), large);
        CPPUNIT_ASSERT_MESSAGE(std::to_string(log_size()), log_size() < 5000 * 1000);
    }

    void after_a_long_hold_there_is_none_for_a_while() {
        const auto backend = started();
        put(*backend, "key", "value");
        CPPUNIT_ASSERT(backend->lane()->try_hold());
        std::this_thread::sleep_for(2 * FileStore::long_hold);
        backend->lane()->let_go();
        const auto since = std::chrono::steady_clock::now();
        CPPUNIT_ASSERT(!backend->lane()->try_hold());
        put(*backend, "key", "value");
        while (!backend->lane()->try_hold()) std::this_thread::sleep_for(10ms);
        CPPUNIT_ASSERT(std::chrono::steady_clock::now() - since >= FileStore::rest - 100ms);
        backend->lane()->let_go();
    }

    void threads_that_hold_and_threads_that_wait_lose_nothing() {
        const auto backend = started();
        put(*backend, "key", "value");
        std::atomic<int> held = 0;
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&, t] {
                for (int i = 0; i < 200; ++i) {
                    const bool holds = t % 2 == 0 && backend->lane()->try_hold();
                    const bool is_done = static_cast<bool>(backend->add({"test", "count"}, 1, 1h, {}, soon()));
                    if (holds) backend->lane()->let_go(), ++held;
                    if (!is_done) return;
                }
            });
        for (auto& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(std::int64_t(800), must(backend->add({"test", "count"}, 0, 1h, {}, soon())));
        CPPUNIT_ASSERT(held > 0);
    }

    FileKind kind_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(FileStoreTest);

}  // namespace
}  // namespace smtpd::store
