/// sender_login_test.cc: authenticated clients send under their own addresses.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

class SenderLoginTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SenderLoginTest);
    CPPUNIT_TEST(the_list_says_whose_an_address_is);
    CPPUNIT_TEST(subaddresses_are_their_owners);
    CPPUNIT_TEST(strangers_are_left_alone_unless_everybody_is_meant);
    CPPUNIT_TEST(the_refusal_names_both);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* list =
        "joe@example.com joe JOE@example.com\nsales@example.com joe ann\n@example.com postmaster\n@nobody.example\n"
        "@müller.example ann@müller.example\n";

public:
    void the_list_says_whose_an_address_is() {
        struct Row {
            const char *login, *sender;
            bool is_good;
            bool is_good_when_strict;
        };
        const Row rows[] = {{"joe", "joe@example.com", true, true},
                            {"Joe", "JOE@EXAMPLE.COM", true, true},
                            {"joe@example.com", "joe@example.com", true, true},
                            {"ann", "joe@example.com", false, false},
                            {"ann", "sales@example.com", true, true},
                            {"jo", "sales@example.com", false, false},
                            {"postmaster", "any@example.com", true, true},
                            {"joe", "any@example.com", false, false},
                            {"postmaster", "joe@example.com", false, false},
                            {"ann", "x@nobody.example", false, false},
                            {"joe", "x@elsewhere.example", true, false},
                            {"x@elsewhere.example", "X@elsewhere.example", true, true},
                            {"joe@bücher.example", "joe@xn--bcher-kva.example", true, true},
                            {"joe@xn--bcher-kva.example", "Joe@BÜCHER.example", true, true},
                            {"ann@xn--mller-kva.example", "sales@müller.example", true, true},
                            {"ann", "sales@xn--mller-kva.example", false, false},
                            {"joe", "", true, true}};
        for (const auto& row : rows)
            for (const bool strict : {false, true}) {
                PluginUnderTest plugin("sender_login", strict ? "unlisted=refuse" : "", {{"senderlogins", list}});
                plugin.connection().set_authenticated(row.login, "PLAIN");
                plugin.connection().set_relay_client(true);
                const bool is_good = plugin.mail(row.sender).verdict == Verdict::declined;
                CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(row.login) + " " + row.sender,
                                             strict ? row.is_good_when_strict : row.is_good, is_good);
            }
    }

    void subaddresses_are_their_owners() {
        const char* owners = "/^joe\\+news@/ ann\n/^x\\+/ xavier\njoe@example.com joe\n@example.com postmaster\n";
        struct Row {
            const char *login, *sender;
            bool is_good;  ///< with subaddress=+-
        };
        const Row rows[] = {{"joe", "joe@example.com", true},
                            {"joe", "joe+lists@example.com", true},
                            {"joe", "Joe-lists+x@EXAMPLE.com", true},
                            {"joe", "joe+news@example.com", false},  // the first line
                            {"ann", "joe+news@example.com", true},
                            {"ann", "joe+lists@example.com", false},
                            {"postmaster", "joe+lists@example.com", false},
                            {"postmaster", "ann+x@example.com", true},
                            {"xavier", "x+y@example.com", true},
                            {"joe", "+lists@example.com", false},
                            {"joe", "jo+e@example.com", false},
                            {"me@elsewhere.example", "me+tag@elsewhere.example", true},
                            {"me@elsewhere.example", "me@elsewhere.example", true},
                            {"me@elsewhere.example", "you+me@elsewhere.example", false},
                            {"me@elsewhere.example", "me+tag@other.example", false},
                            {"me+tag@elsewhere.example", "me+tag@elsewhere.example", true},
                            {"me+tag@elsewhere.example", "me@elsewhere.example", false}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("sender_login", "unlisted=refuse subaddress=+-", {{"senderlogins", owners}});
            plugin.connection().set_authenticated(row.login, "PLAIN");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(row.login) + " " + row.sender, row.is_good,
                                         plugin.mail(row.sender).verdict == Verdict::declined);
        }
        PluginUnderTest without("sender_login", "unlisted=refuse");
        without.connection().set_authenticated("me@elsewhere.example", "PLAIN");
        CPPUNIT_ASSERT(without.mail("me+tag@elsewhere.example").verdict == Verdict::deny);
        CPPUNIT_ASSERT(!PluginUnderTest("sender_login", "subaddress=@").is_usable());
    }

    void strangers_are_left_alone_unless_everybody_is_meant() {
        for (const bool everybody : {false, true}) {
            PluginUnderTest plugin("sender_login", everybody ? "everybody=yes unlisted=refuse" : "unlisted=refuse",
                                   {{"senderlogins", list}});
            CPPUNIT_ASSERT_EQUAL(everybody, plugin.mail("joe@example.com").verdict == Verdict::deny);
            CPPUNIT_ASSERT(plugin.mail("x@elsewhere.example").verdict == Verdict::declined);
            CPPUNIT_ASSERT(plugin.mail("").verdict == Verdict::declined);
        }
    }

    void the_refusal_names_both() {
        PluginUnderTest plugin("sender_login", "", {{"senderlogins", list}});
        plugin.connection().set_authenticated("ann", "PLAIN");
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.7.1 ann may not send as joe@example.com"),
                             shown(plugin.mail("joe@example.com")));
        CPPUNIT_ASSERT_EQUAL(std::string("fail: ann may not send as joe@example.com"), plugin.log().last());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SenderLoginTest);

}  // namespace
}  // namespace smtpd
