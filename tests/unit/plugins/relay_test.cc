/// relay_test.cc: which clients may relay.
#include "fakes/cdb_file.h"
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

class RelayTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RelayTest);
    CPPUNIT_TEST(nobody_relays_without_a_list);
    CPPUNIT_TEST(listed_clients_relay);
    CPPUNIT_TEST(forbidden_clients_do_not_relay);
    CPPUNIT_TEST(keys_of_the_database_relay);
    CPPUNIT_TEST(only_refuses_everybody_else);
    CPPUNIT_TEST(it_has_no_say_about_recipients_otherwise);
    CPPUNIT_TEST(mistakes_in_the_files_are_found_at_configtest);
    CPPUNIT_TEST_SUITE_END();

    static bool relays(PluginUnderTest& plugin, const char* client) {
        plugin.reconnect();
        plugin.connection().set_client(client);
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.pre_connection()));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.connect()));
        return plugin.connection().is_relay_client();
    }

public:
    void nobody_relays_without_a_list() {
        PluginUnderTest plugin("relay");
        for (const char* client : {"192.0.2.1", "127.0.0.1", "::1", "2001:db8::1"})
            CPPUNIT_ASSERT_MESSAGE(client, !relays(plugin, client));
    }

    void listed_clients_relay() {
        const struct {
            const char* entry;
            const char* client;
            bool relays;
        } rows[] = {
            {"127.0.0.1", "127.0.0.1", true},
            {"127.0.0.1", "127.0.0.2", false},
            {"::1", "::1", true},
            {"192.0.", "192.0.1.1", true},
            {"192.0.1.0/24", "192.0.1.1", true},
            {"192.0.0.0/24", "192.0.1.1", false},
            {"192.0.1.0/24", "192.0.1.0", true},
            {"192.0.1.0/24", "192.0.1.255", true},
            {"192.0.1.0/24", "192.0.2.0", false},
            {"192.0.2.7/32", "192.0.2.7", true},
            {"192.0.2.7/32", "192.0.2.8", false},
            {"192.0.2.7/24", "192.0.2.200", true},
            {"192.0.2.1", "192.0.2.10", false},
            {"10.", "10.255.0.1", true},
            {"10.", "100.0.0.1", false},
            {"2001:DB8::1/32", "2001:db8:f::", true},
            {"2001:db8::/128", "2001:db8::", true},
            {"2001:db8::/128", "2001:db8::1", false},
            {"2001:0DB8", "2001:db8:1::1", true},
            {"2001:0DB8", "2001:db9::1", false},
            {"2001:DB8::A", "2001:db8::a", true},
            {"fdda:b13d:e431:ae06::/64", "fdda:b13d:e431:ae06:a1::", true},
            {"192.0.2.0/24", "::ffff:192.0.2.3", true},
            {"# 192.0.2.1", "192.0.2.1", false},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("relay", "", {{"relayclients", std::string(row.entry) + "\n"}});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(row.entry) + " and " + row.client, row.relays,
                                         relays(plugin, row.client));
        }
    }

    void forbidden_clients_do_not_relay() {
        PluginUnderTest plugin("relay", "",
                               {{"relayclients", "192.0.0.0/16\n"}, {"norelayclients", "192.0.99.5\n192.0.98.\n"}});
        CPPUNIT_ASSERT(!relays(plugin, "192.0.99.5"));
        CPPUNIT_ASSERT(!relays(plugin, "192.0.98.1"));
        CPPUNIT_ASSERT(relays(plugin, "192.0.99.7"));
        // A right that was given before is taken away.
        plugin.reconnect();
        plugin.connection().set_client("192.0.99.5");
        plugin.connection().set_relay_client(true);
        (void)plugin.pre_connection();
        CPPUNIT_ASSERT(!plugin.connection().is_relay_client());
    }

    void keys_of_the_database_relay() {
        const auto database = fakes::cdb_with_keys({"192.0.2.7", "198.51.", "2001:db8::7", "2001:0db8:0001:"});
        PluginUnderTest plugin("relay", "", {{"morerelayclients.cdb", database}});
        const struct {
            const char* client;
            bool relays;
        } rows[] = {{"192.0.2.7", true},   {"192.0.2.8", false},   {"198.51.100.1", true},  {"198.5.1.1", false},
                    {"2001:db8::7", true}, {"2001:db8::8", false}, {"2001:db8:1::8", true}, {"2001:db8:10::8", false}};
        for (const auto& row : rows) CPPUNIT_ASSERT_EQUAL_MESSAGE(row.client, row.relays, relays(plugin, row.client));
    }

    void only_refuses_everybody_else() {
        PluginUnderTest plugin("relay", "only 1", {{"relayclients", "192.0.2.7\n"}});
        CPPUNIT_ASSERT(!relays(plugin, "192.0.2.1"));
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.7.1 Relaying denied"), shown(plugin.rcpt("user@mx.example.com")));
        CPPUNIT_ASSERT(relays(plugin, "192.0.2.7"));
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(plugin.rcpt("user@example.org")));
    }

    void it_has_no_say_about_recipients_otherwise() {
        PluginUnderTest plugin("relay", "only=0", {{"relayclients", "192.0.2.7\n"}});
        CPPUNIT_ASSERT(relays(plugin, "192.0.2.7"));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.rcpt("user@example.org")));
    }

    void mistakes_in_the_files_are_found_at_configtest() {
        const PluginUnderTest number("relay", "", {{"relayclients", "192.0.2\n"}}),
            word("relay", "", {{"norelayclients", "everybody\n"}});
        CPPUNIT_ASSERT(!number.is_usable() && number.problems().find("relayclients:1") != std::string::npos);
        CPPUNIT_ASSERT(!word.is_usable() && word.problems().find("norelayclients:1") != std::string::npos);
        CPPUNIT_ASSERT(!PluginUnderTest("relay", "", {{"morerelayclients.cdb", "no cdb"}}).is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(RelayTest);

}  // namespace
}  // namespace smtpd
