/// fcrdns_test.cc: clients with and without a name that leads back to them.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

class FcrdnsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FcrdnsTest);
    CPPUNIT_TEST(clients_are_confirmed_or_not);
    CPPUNIT_TEST(a_confirmed_name_becomes_the_clients);
    CPPUNIT_TEST(the_machine_itself_passes_unasked);
    CPPUNIT_TEST(reject_options_decide);
    CPPUNIT_TEST(onerror_decides_where_nobody_knows);
    CPPUNIT_TEST(immune_clients_are_not_looked_up);
    CPPUNIT_TEST(only_ten_names_are_looked_at);
    CPPUNIT_TEST(the_timeout_limits_the_wait);
    CPPUNIT_TEST_SUITE_END();

    static void fill(PluginUnderTest& plugin) {
        plugin.dns({"192.0.2.1 PTR good.test",    "good.test A 192.0.2.1",       "192.0.2.2 PTR bad.test",
                    "192.0.2.2 PTR two.test",     "two.test A 198.51.100.1",     "two.test A 192.0.2.2",
                    "192.0.2.3 PTR near.test",    "near.test A 192.0.2.99",      "192.0.2.4 PTR far.test",
                    "far.test A 198.51.100.4",    "192.0.2.5 PTR void.test",     "192.0.2.6 PTR localhost",
                    "192.0.2.7 PTR single",       "192.0.2.8 PTR a_b.test",      "192.0.2.9 TIMEOUT",
                    "192.0.2.10 PTR slow.test",   "slow.test TIMEOUT",           "192.0.2.11 PTR slow.test",
                    "192.0.2.11 PTR eleven.test", "eleven.test A 192.0.2.11",    "192.0.2.12 SERVFAIL",
                    "2001:db8::1 PTR six.test",   "six.test AAAA 2001:db8::1",   "six.test A 192.0.2.77",
                    "2001:db8::2 PTR near6.test", "near6.test AAAA 2001:db8::3", "2001:db8::4 PTR four.test",
                    "four.test A 192.0.2.4"});
    }

public:
    void clients_are_confirmed_or_not() {
        const struct {
            const char* client;
            const char* line;
            int karma;
            const char* result;
        } rows[] = {
            {"192.0.2.1", "pass: 192.0.2.1 is good.test", 1, "iprev=pass (good.test) policy.iprev=192.0.2.1"},
            {"192.0.2.2", "pass: 192.0.2.2 is two.test", 1, "iprev=pass (two.test) policy.iprev=192.0.2.2"},
            {"192.0.2.3", "pass: 192.0.2.3 is next to near.test", 0, "iprev=fail (near.test) policy.iprev=192.0.2.3"},
            {"192.0.2.4", "fail, tolerated: far.test has other addresses", -1,
             "iprev=fail (far.test) policy.iprev=192.0.2.4"},
            {"192.0.2.5", "fail, tolerated: void.test has no address", -1,
             "iprev=fail (void.test) policy.iprev=192.0.2.5"},
            {"192.0.2.6", "fail, tolerated: 192.0.2.6 is not localhost", -1, "iprev=fail policy.iprev=192.0.2.6"},
            {"192.0.2.7", "fail, tolerated: single is not a host name", -1, "iprev=fail policy.iprev=192.0.2.7"},
            {"192.0.2.8", "fail, tolerated: a_b.test is not a host name", -1, "iprev=fail policy.iprev=192.0.2.8"},
            {"192.0.2.9", "error: 192.0.2.9: no answer in time", 0, "iprev=temperror policy.iprev=192.0.2.9"},
            {"192.0.2.10", "error: slow.test: no answer in time", 0, "iprev=temperror policy.iprev=192.0.2.10"},
            {"192.0.2.11", "pass: 192.0.2.11 is eleven.test", 1, "iprev=pass (eleven.test) policy.iprev=192.0.2.11"},
            {"192.0.2.12", "error: 192.0.2.12: the server says SERVFAIL", 0, "iprev=temperror policy.iprev=192.0.2.12"},
            {"192.0.2.200", "fail, tolerated: the address has no name", -1, "iprev=permerror policy.iprev=192.0.2.200"},
            {"2001:db8::1", "pass: 2001:db8::1 is six.test", 1, "iprev=pass (six.test) policy.iprev=\"2001:db8::1\""},
            {"2001:db8::2", "pass: 2001:db8::2 is next to near6.test", 0,
             "iprev=fail (near6.test) policy.iprev=\"2001:db8::2\""},
            {"2001:db8::4", "fail, tolerated: four.test has no address", -1,
             "iprev=fail (four.test) policy.iprev=\"2001:db8::4\""},
        };
        PluginUnderTest plugin("fcrdns");
        fill(plugin);
        for (const auto& row : rows) {
            plugin.reconnect();
            plugin.connection().set_client(row.client);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.client, std::string("declined"), shown(plugin.connect()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.client, std::string(row.line), plugin.log().last());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.client, row.karma, plugin.connection().karma());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.client, std::size_t(1),
                                         plugin.connection().authentication_results().size());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.client, std::string(row.result),
                                         plugin.connection().authentication_results().begin()->to_string());
        }
    }

    void a_confirmed_name_becomes_the_clients() {
        PluginUnderTest plugin("fcrdns");
        fill(plugin);
        (void)plugin.connect();
        CPPUNIT_ASSERT_EQUAL(std::string("good.test"), plugin.connection().host());
        plugin.reconnect();
        plugin.connection().set_client("192.0.2.3");
        (void)plugin.connect();
        CPPUNIT_ASSERT_EQUAL(std::string(), plugin.connection().host());
    }

    void the_machine_itself_passes_unasked() {
        for (const char* client : {"127.0.0.1", "127.255.0.9", "::1"}) {
            PluginUnderTest plugin("fcrdns", "reject=yes");
            plugin.connection().set_client(client);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(client, std::string("declined"), shown(plugin.connect()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(client, 1, plugin.connection().karma());
            CPPUNIT_ASSERT_MESSAGE(client, plugin.questions().empty());
        }
    }

    void reject_options_decide() {
        const struct {
            const char* options;
            const char* answer;
        } rows[] = {
            {"", "declined"},
            {"reject=yes", "denysoft 4.7.25 Your address has no name that leads back to it"},
            {"reject=1 reject_type=perm", "deny 5.7.25 Your address has no name that leads back to it"},
            {"reject=naughty", "declined"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("fcrdns", row.options);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(row.answer), shown(plugin.connect()));
        }
    }

    void onerror_decides_where_nobody_knows() {
        PluginUnderTest plugin("fcrdns", "reject=yes");
        plugin.dns({"192.0.2.1 TIMEOUT"});
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.connect()));
        PluginUnderTest strict("fcrdns", "onerror=tempfail");
        strict.dns({"192.0.2.1 TIMEOUT"});
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 451 4.3.0 Local error in processing"), shown(strict.connect()));
    }

    void immune_clients_are_not_looked_up() {
        PluginUnderTest plugin("fcrdns");
        plugin.connection().set_whitelisted("a friend");
        (void)plugin.connect();
        CPPUNIT_ASSERT(plugin.questions().empty());
        CPPUNIT_ASSERT(plugin.connection().authentication_results().empty());
    }

    void only_ten_names_are_looked_at() {
        PluginUnderTest plugin("fcrdns");
        for (int i = 10; i < 40; ++i) plugin.dns({"192.0.2.1 PTR h" + std::to_string(i) + ".test"});
        (void)plugin.connect();
        CPPUNIT_ASSERT_EQUAL(std::size_t(11), plugin.questions().size());
    }

    void the_timeout_limits_the_wait() {
        const auto limit = [](const char* options) {
            PluginUnderTest plugin("fcrdns", options);
            ConnectHook hook(HookId::connect, plugin.connection());
            engine::Wait wait;
            plugin.plugins().ask(hook, wait);
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), wait.questions.size());
            return wait.questions.front().limit;
        };
        CPPUNIT_ASSERT(limit("") == std::chrono::seconds(5));
        CPPUNIT_ASSERT(limit("timeout=2") == std::chrono::seconds(2));
        CPPUNIT_ASSERT(limit("timeout=30 deadline=3s") == std::chrono::seconds(3));
        CPPUNIT_ASSERT(!PluginUnderTest("fcrdns", "timeout=0").is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(FcrdnsTest);

}  // namespace
}  // namespace smtpd
