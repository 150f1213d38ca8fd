/// rcpt_ok_test.cc: which recipients are in our domains.
#include "fakes/cdb_file.h"
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

class RcptOkTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RcptOkTest);
    CPPUNIT_TEST(our_domains_are_accepted_and_no_others);
    CPPUNIT_TEST(our_domains_have_two_forms);
    CPPUNIT_TEST(without_files_only_the_server_itself_is_ours);
    CPPUNIT_TEST(keys_of_the_database_are_accepted);
    CPPUNIT_TEST(relay_clients_may_write_to_anybody);
    CPPUNIT_TEST(being_whitelisted_gives_no_right_to_relay);
    CPPUNIT_TEST(the_files_are_read_again);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* denied = "deny 5.7.1 Relaying denied";

public:
    void our_domains_are_accepted_and_no_others() {
        PluginUnderTest plugin("rcpt_ok", "", {{"rcpthosts", "example.com\n.example.net\nlocalhost\n"}});
        const struct {
            const char* recipient;
            bool is_ours;
        } rows[] = {
            {"user@example.com", true},     {"user@EXAMPLE.Com", true},   {"user@sub.example.com", false},
            {"user@notexample.com", false}, {"user@a.example.net", true}, {"user@b.a.example.net", true},
            {"user@example.net", false},    {"user@localhost", true},     {"user@MX.example.com", true},
            {"user@example.org", false},    {"postmaster", true},         {"Postmaster", true},
            {"user@[192.0.2.25]", true},    {"user@[192.0.2.26]", false}, {"user@[IPv6:2001:db8::25]", false},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.recipient, std::string(row.is_ours ? "ok" : denied),
                                         shown(plugin.rcpt(row.recipient)));
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(plugin.rcpt("\"a@example.org\"@example.com")));
        CPPUNIT_ASSERT_EQUAL(std::string(denied), shown(plugin.rcpt("\"a@example.com\"@example.org")));
        plugin.connection().set_local("2001:db8::25");
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(plugin.rcpt("user@[IPv6:2001:DB8:0::25]")));
    }

    void our_domains_have_two_forms() {
        for (const char* listed : {"bücher.example", "xn--bcher-kva.example",
                                   "BU\xcc\x88"
                                   "CHER.example"})
            for (const char* sent :
                 {"u@bücher.example", "u@BÜCHER.example", "u@xn--bcher-kva.example", "u@bücher.example."}) {
                PluginUnderTest plugin("rcpt_ok", "", {{"rcpthosts", std::string(listed) + "\n"}});
                CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(listed) + " " + sent, std::string("ok"),
                                             shown(plugin.rcpt(sent)));
                CPPUNIT_ASSERT_EQUAL(std::string(denied), shown(plugin.rcpt("u@bucher.example")));
                CPPUNIT_ASSERT_EQUAL(std::string(denied), shown(plugin.rcpt("u@sub.bücher.example")));
            }
        for (const char* key : {"bücher.example", "xn--bcher-kva.example"}) {
            PluginUnderTest plugin("rcpt_ok", "", {{"morercpthosts.cdb", fakes::cdb_with_keys({key})}});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(key, std::string("ok"), shown(plugin.rcpt("u@BÜCHER.example")));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(key, std::string("ok"), shown(plugin.rcpt("u@xn--bcher-kva.example")));
        }
    }

    void without_files_only_the_server_itself_is_ours() {
        PluginUnderTest plugin("rcpt_ok");
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(plugin.rcpt("user@mx.example.com")));
        CPPUNIT_ASSERT_EQUAL(std::string(denied), shown(plugin.rcpt("user@example.com")));
        CPPUNIT_ASSERT(plugin.log().contains("fail: relaying denied to user@example.com"));
    }

    void keys_of_the_database_are_accepted() {
        PluginUnderTest plugin("rcpt_ok", "",
                               {{"morercpthosts.cdb", fakes::cdb_with_keys({"example.org", ".example.net"})}});
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(plugin.rcpt("user@Example.org")));
        CPPUNIT_ASSERT_EQUAL(std::string(denied), shown(plugin.rcpt("user@sub.example.org")));
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(plugin.rcpt("user@b.a.example.net")));
        CPPUNIT_ASSERT_EQUAL(std::string(denied), shown(plugin.rcpt("user@example.net")));
    }

    void relay_clients_may_write_to_anybody() {
        PluginUnderTest plugin("rcpt_ok");
        plugin.connection().set_relay_client(true);
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(plugin.rcpt("user@example.org")));
    }

    void being_whitelisted_gives_no_right_to_relay() {
        PluginUnderTest plugin("rcpt_ok");
        plugin.connection().set_whitelisted("a friend");
        plugin.transaction().set_whitelisted("a friend's address");
        CPPUNIT_ASSERT_EQUAL(std::string(denied), shown(plugin.rcpt("user@example.org")));
    }

    void the_files_are_read_again() {
        PluginUnderTest plugin("rcpt_ok");
        CPPUNIT_ASSERT_EQUAL(std::string(denied), shown(plugin.rcpt("user@example.com")));
        plugin.write_control("rcpthosts", "example.com\n");
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(plugin.rcpt("user@example.com")));
        plugin.write_control("morercpthosts.cdb", fakes::cdb_with_keys({"example.org"}));
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(plugin.rcpt("user@example.org")));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(RcptOkTest);

}  // namespace
}  // namespace smtpd
