/// address_test.cc: the arguments of SmtpStore.
#include "store/address.h"

#include "fakes/temp_directory.h"
#include "support/strings.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd::store {
namespace {

Result<Address> parsed(std::string_view text) {
    std::vector<std::string> words;
    for (const auto word : support::split_words(text)) words.emplace_back(word);
    return Address::parse(words, [](std::string_view path) {
        return path.starts_with('/') ? std::string(path) : "/root/" + std::string(path);
    });
}

class AddressTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AddressTest);
    CPPUNIT_TEST(files_have_a_path_and_a_size);
    CPPUNIT_TEST(memory_has_a_size);
    CPPUNIT_TEST(redis_has_a_place_and_options);
    CPPUNIT_TEST(mistakes_are_said_in_full);
    CPPUNIT_TEST(passwords_are_in_files_and_in_no_message);
    CPPUNIT_TEST(names_of_namespaces_are_plain);
    CPPUNIT_TEST_SUITE_END();

    void files_have_a_path_and_a_size() {
        const auto plain = parsed("file:/var/lib/smtpd/store");
        CPPUNIT_ASSERT(plain && plain->kind == Address::Kind::file);
        CPPUNIT_ASSERT_EQUAL(std::string("/var/lib/smtpd/store"), plain->path);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(256) * 1024 * 1024, plain->size);
        CPPUNIT_ASSERT_EQUAL(std::string("file:/var/lib/smtpd/store"), plain->to_string());
        const auto full = parsed("FILE:store size=10m timeout=2s");
        CPPUNIT_ASSERT_EQUAL(std::string("/root/store"), full->path);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(10) * 1024 * 1024, full->size);
        CPPUNIT_ASSERT(full->timeout == std::chrono::seconds(2));
    }

    void memory_has_a_size() {
        const auto one = parsed("memory:1m");
        CPPUNIT_ASSERT(one && one->kind == Address::Kind::memory);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1024) * 1024, one->size);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1024) * 1024, parsed("memory:1M timeout=50ms")->size);
    }

    void redis_has_a_place_and_options() {
        struct Row {
            const char* text;
            const char* shown;
            std::size_t addresses;
        };
        const Row rows[] = {{"redis:127.0.0.1", "redis:127.0.0.1:6379/0", 1},
                            {"redis:127.0.0.1:7000", "redis:127.0.0.1:7000/0", 1},
                            {"redis:127.0.0.1:7000/5", "redis:127.0.0.1:7000/5", 1},
                            {"redis:127.0.0.1/5", "redis:127.0.0.1:6379/5", 1},
                            {"redis:[::1]:7000/2", "redis:[::1]:7000/2", 1},
                            {"redis:[::1]", "redis:[::1]:6379/0", 1},
                            {"redis:/run/redis.sock database=4", "redis:/run/redis.sock", 0}};
        for (const auto& row : rows) {
            const auto address = parsed(row.text);
            CPPUNIT_ASSERT_MESSAGE(row.text, address && address->kind == Address::Kind::redis);
            CPPUNIT_ASSERT_EQUAL(std::string(row.shown), address->to_string());
            CPPUNIT_ASSERT_EQUAL(row.addresses, address->redis.server.addresses.size());
        }
        const auto full = parsed("redis:127.0.0.1 timeout=50ms prefix=mx connections=3");
        CPPUNIT_ASSERT(full->redis.timeout == std::chrono::milliseconds(50));
        CPPUNIT_ASSERT_EQUAL(std::string("mx"), full->redis.prefix);
        CPPUNIT_ASSERT_EQUAL(3u, full->redis.connections);
        CPPUNIT_ASSERT(parsed("redis:127.0.0.1 prefix=a")->identity() !=
                       parsed("redis:127.0.0.1 prefix=b")->identity());
    }

    void mistakes_are_said_in_full() {
        const char* forms = R"("file:/path", "redis:host:port/database", "redis:/path" or "memory:size")";
        const std::pair<const char*, std::string> rows[] = {
            {"", std::string(forms) + R"( is expected, not "")"},
            {"/var/lib/store", std::string(forms) + R"( is expected, not "/var/lib/store")"},
            {"dbm:/x", R"(there is no store of the kind "dbm"; )" + std::string(forms) + " is expected"},
            {"file:", R"("file:" needs a path)"},
            {"file:/var/lib/", R"("/var/lib/" is a directory, not a file)"},
            {"file:/x size=1k", R"(size takes the maximum size of the file, from 1m to 1024g, not "1k")"},
            {"file:/x size", R"("size" is not an option of the form name=value)"},
            {"file:/x prefix=a", R"(there is no option "prefix" for file: only size and timeout)"},
            {"file:/x timeout=0", R"(timeout takes a time from 1ms to 30s, not "0")"},
            {"file:/x timeout=1h", R"(timeout takes a time from 1ms to 30s, not "1h")"},
            {"memory:", R"("memory:" needs a size from 64k to 64g, not "")"},
            {"memory:1k", R"("memory:" needs a size from 64k to 64g, not "1k")"},
            {"memory:1m size=2m", R"(there is no option "size" for memory: only timeout)"},
            {"redis:", R"("redis:" needs host, host:port, host:port/database or the path of a socket, not "")"},
            {"redis:127.0.0.1:0",
             R"("redis:" needs host, host:port, host:port/database or the path of a socket, not "127.0.0.1:0")"},
            {"redis:127.0.0.1:x",
             R"("redis:" needs host, host:port, host:port/database or the path of a socket, not "127.0.0.1:x")"},
            {"redis:[::1", R"("redis:" needs host, host:port, host:port/database or the path of a socket, not "[::1")"},
            {"redis:127.0.0.1/x",
             R"("redis:" needs host, host:port, host:port/database or the path of a socket, not "127.0.0.1/x")"},
            {"redis:127.0.0.1 connections=0", R"(connections takes a number from 1 to 1000, not "0")"},
            {"redis:127.0.0.1 prefix=a:b", R"(prefix takes up to 64 letters, digits, "-", "_" and ".", not "a:b")"},
            {"redis:127.0.0.1 size=1m",
             R"(there is no option "size" for redis: only timeout, user, password-file, prefix, connections and database)"},
            {"redis:127.0.0.1 user=joe", "user needs a password-file"},
            {"redis:127.0.0.1 password-file=/nonexistent/file",
             "password-file: cannot open /nonexistent/file: No such file or directory"},
        };
        for (const auto& [text, expected] : rows) {
            const auto address = parsed(text);
            CPPUNIT_ASSERT_MESSAGE(text, !address);
            CPPUNIT_ASSERT_EQUAL(expected, address.error().what);
        }
        const auto nowhere = parsed("redis:no..host");
        CPPUNIT_ASSERT(!nowhere);
        CPPUNIT_ASSERT(nowhere.error().what.starts_with(R"(the host "no..host" has no address: )"));
    }

    void passwords_are_in_files_and_in_no_message() {
        const fakes::TempDirectory directory;
        const std::string file = directory.write("password", "hush-hush \nanother line\n");
        const auto address = parsed("redis:127.0.0.1 user=joe password-file=" + file);
        CPPUNIT_ASSERT(address);
        CPPUNIT_ASSERT_EQUAL(std::string("hush-hush"), address->redis.server.password);
        CPPUNIT_ASSERT(address->to_string().find("hush") == std::string::npos &&
                       address->identity().find("hush") == std::string::npos);
        CPPUNIT_ASSERT(!parsed("redis:127.0.0.1 password-file=" + directory.write("empty", "\n")));
    }

    void names_of_namespaces_are_plain() {
        for (const char* name : {"limit", "limit.2", "A_b-c", "x"}) CPPUNIT_ASSERT_MESSAGE(name, is_space_name(name));
        for (const char* name : {"", "a b", "a:b", "ä", "a/b"}) CPPUNIT_ASSERT_MESSAGE(name, !is_space_name(name));
        CPPUNIT_ASSERT(is_space_name(std::string(64, 'a')) && !is_space_name(std::string(65, 'a')));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(AddressTest);

}  // namespace
}  // namespace smtpd::store
