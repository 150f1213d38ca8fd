/// file_store_test.cc: what the store in a file is for: it survives, it stays within its size, and whatever is wrong with the file it goes on.
#include "support/file_descriptor.h"
#include "unit/store/store_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
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
    CPPUNIT_TEST_SUITE_END();

    std::string path() const { return kind_.directory.path("store"); }
    std::unique_ptr<Backend> started(Duration timeout = 5s) {
        auto backend = kind_.make(timeout);
        backend->start();
        return backend;
    }
    static std::optional<std::string> get(Backend& backend, std::string_view key) { return must(backend.get({"test", key}, soon())); }
    static void put(Backend& backend, std::string_view key, std::string_view value, Duration lifetime = 1h) {
        must(backend.put({"test", key}, value, lifetime, soon()));
    }
    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(kind_.directory.path())) names.push_back(entry.path().filename());
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
        if (sqlite3_prepare_v2(database, text, -1, &statement, nullptr) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
            value = std::string_view("ok") == reinterpret_cast<const char*>(sqlite3_column_text(statement, 0)) ? 1 : sqlite3_column_int64(statement, 0);
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

    /// Children count in the file, and say in a pipe what they were told; then they are killed in the middle of it.
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
                        if (::write(report[1], "?", 1) != 1 || !own->add({"test", "count"}, 1, 1h, {}, soon())) return false;
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
        CPPUNIT_ASSERT_MESSAGE(std::to_string(accepted) + " " + std::to_string(count) + " " + std::to_string(attempted), accepted <= count && count <= attempted);
        CPPUNIT_ASSERT_EQUAL(std::int64_t(1), ask("PRAGMA integrity_check"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), files_set_aside());
    }

    void what_was_opened_before_fork_is_not_used_after_it() {
        const auto backend = started();
        put(*backend, "key", "parent");
        CPPUNIT_ASSERT_EQUAL(0, wait_for(start_process([&] {
            const auto seen = backend->get({"test", "key"}, soon());
            return seen && *seen == std::optional<std::string>("parent") && backend->put({"test", "key"}, "child", 1h, soon());
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
            {"another version's", [&] { sql("PRAGMA application_id=1397576787; PRAGMA user_version=2; CREATE TABLE entries (a)"); }},
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
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(name, before, fs::file_size(kind_.directory.path(file)));  // it is kept as it was
        }
        CPPUNIT_ASSERT(kind_.events.damages.front().find("it was made by another version") != std::string::npos);
    }

    /// Octets all over a file are changed behind the store's back, in many ways: whatever it meets, it goes on, and new entries are kept.
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

    /// Without it another process may take itself for the last one when it ends, and empty the log under this one.
    void whoever_makes_the_file_keeps_the_lock_on_it() {
        const auto backend = started();
        put(*backend, "key", "value");
        const pid_t process = start_process([&] {
            const support::FileDescriptor file(::open(path().c_str(), O_RDWR | O_CLOEXEC));
            struct flock wanted {};
            wanted.l_type = F_WRLCK;
            wanted.l_whence = SEEK_SET;
            wanted.l_start = 0x40000002;  // the octets that SQLite locks, shared, for as long as a database with a log is open
            wanted.l_len = 510;
            return ::fcntl(file.get(), F_GETLK, &wanted) == 0 && wanted.l_type == F_RDLCK && wanted.l_pid == ::getppid();
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

    /// Where nobody calls tick(): under prefork and worker.
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

    /// As far as a process can be told so: no file may get larger than that.
    void a_full_disk_is_an_error_and_passes() {
        CPPUNIT_ASSERT_EQUAL(0, wait_for(start_process([&] {
            ::signal(SIGXFSZ, SIG_IGN);
            const auto backend = started();
            if (!backend->put({"test", "before"}, "x", 1h, soon())) return false;
            rlimit limit{};
            ::getrlimit(RLIMIT_FSIZE, &limit);
            const rlim_t before = limit.rlim_cur;
            limit.rlim_cur = 64 * 1024;
            ::setrlimit(RLIMIT_FSIZE, &limit);
            bool failed = false;
            for (int i = 0; i < 200 && !failed; ++i) failed = !backend->put({"test", std::to_string(i)}, std::string(1000, 'x'), 1h, soon());
            if (!failed || kind_.events.failures.size() != 1) return false;
            if (!backend->get({"test", "before"}, soon())) return false;  // what needs no room goes on
            limit.rlim_cur = before;
            ::setrlimit(RLIMIT_FSIZE, &limit);
            return backend->put({"test", "after"}, std::string(1000, 'x'), 1h, soon()) && kind_.events.recoveries.size() >= 1 && files_set_aside() == 0;
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

    FileKind kind_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(FileStoreTest);

}  // namespace
}  // namespace smtpd::store
