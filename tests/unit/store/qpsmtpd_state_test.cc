/// qpsmtpd_state_test.cc: keys and values as qpsmtpd writes them.
#include "store/qpsmtpd_state.h"

#include "fakes/fake_clock.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd::store {
namespace {

using namespace std::chrono_literals;

class QpsmtpdStateTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(QpsmtpdStateTest);
    CPPUNIT_TEST(karma_is_read);
    CPPUNIT_TEST(greylisting_is_read);
    CPPUNIT_TEST(lifetimes_go_on_where_they_were);
    CPPUNIT_TEST(what_makes_no_sense_is_named);
    CPPUNIT_TEST_SUITE_END();

    Result<Imported<GreylistRecord>> greylist(std::string_view key, std::string_view value,
                                              SecondPart second = SecondPart::sender) {
        return read_greylist(key, value, second, clock_.wall());
    }

    void karma_is_read() {
        struct Row {
            const char *key, *value, *expected_key, *expected_value;
        };
        const Row rows[] = {{"3221225985", "1795199220:2:5:9", "192.0.2.1", "1795199220:2:5:9"},
                            {"3221225985", "0:0:0:1", "192.0.2.1", "0:0:0:1"},
                            {"3221225985", "0:0:7", "192.0.2.1", "0:0:7:0"},
                            {"3221225985", ":::", "192.0.2.1", "0:0:0:0"},
                            {"3221225985", "1795199220.5:1:0:3", "192.0.2.1", "1795199220:1:0:3"},
                            {"42540766411282592856903984951653826561", "0:0:1:1", "2001:db8::1", "0:0:1:1"},
                            {"340282366920938463463374607431768211455", "0:0:1:1",
                             "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "0:0:1:1"},
                            {"198.51.100.7", "0:0:1:1", "198.51.100.7", "0:0:1:1"}};
        for (const auto& row : rows) {
            const auto entry = read_karma(row.key, row.value);
            CPPUNIT_ASSERT_MESSAGE(row.key, entry);
            CPPUNIT_ASSERT_EQUAL(std::string(row.expected_key), entry->key);
            CPPUNIT_ASSERT_EQUAL(std::string(row.expected_value), StoreValue<KarmaRecord>::show(entry->record));
            CPPUNIT_ASSERT(entry->lifetime == karma_lifetime);
        }
    }

    void greylisting_is_read() {
        struct Row {
            const char* key;
            SecondPart second;
            const char* expected;
        };
        const Row rows[] = {{"3221225985", SecondPart::sender, "192.0.2.1"},
                            {"192.0.2.1", SecondPart::sender, "192.0.2.1"},
                            {"2001:db8::1", SecondPart::sender, "2001:db8::1"},
                            {"3221225985:Me@Example.NET", SecondPart::sender, "192.0.2.1 me@example.net"},
                            {"3221225985:you@example.com", SecondPart::recipient, "192.0.2.1 - you@example.com"},
                            {"3221225985:", SecondPart::sender, "192.0.2.1 <>"},
                            {"3221225985::you@example.com", SecondPart::sender, "192.0.2.1 <> you@example.com"},
                            {"3221225985:me@example.net:you@example.com", SecondPart::recipient,
                             "192.0.2.1 me@example.net you@example.com"}};
        for (const auto& row : rows) {
            const auto entry = greylist(row.key, "1795199220:1:2:3", row.second);
            CPPUNIT_ASSERT_MESSAGE(row.key, entry);
            CPPUNIT_ASSERT_EQUAL(std::string(row.expected), entry->key);
            CPPUNIT_ASSERT_EQUAL(std::string("1795199220:3:3"), StoreValue<GreylistRecord>::show(entry->record));
        }
    }

    void lifetimes_go_on_where_they_were() {
        CPPUNIT_ASSERT(greylist("1", "1795199220:1:0:0")->lifetime == greylist_lifetime);
        CPPUNIT_ASSERT(greylist("1", "1795195620:1:0:0")->lifetime == greylist_lifetime - 1h);
        CPPUNIT_ASSERT(greylist("1", "1795209999:1:0:0")->lifetime == greylist_lifetime);  // from the future
        CPPUNIT_ASSERT(greylist("1", "1792088820:1:0:0")->lifetime <= 0s);
        CPPUNIT_ASSERT(greylist("1", "0:1:0:0")->lifetime <= 0s);
    }

    void what_makes_no_sense_is_named() {
        for (const char* key : {"", "me@example.net", "x:me@example.net", "3221225985:a:b:c",
                                "340282366920938463463374607431768211456", "-1"}) {
            CPPUNIT_ASSERT_MESSAGE(key, !greylist(key, "1795199220:1:0:0"));
            CPPUNIT_ASSERT_MESSAGE(key, !read_karma(key, "0:0:0:0"));
        }
        for (const char* value : {"", "x", "1:2", "1:2:3:4:5", "1:-2:3:4", "99999999999999999:1:1:1", "1:a:1:1"}) {
            CPPUNIT_ASSERT_MESSAGE(value, !greylist("1", value));
            CPPUNIT_ASSERT_MESSAGE(value, !read_karma("1", value));
        }
        CPPUNIT_ASSERT_EQUAL(std::string("the key \"x\\x01\" is not understood"),
                             read_karma("x\x01", "0:0:0:0").error().what);
    }

    fakes::FakeClock clock_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(QpsmtpdStateTest);

}  // namespace
}  // namespace smtpd::store
