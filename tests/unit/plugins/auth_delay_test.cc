/// auth_delay_test.cc: clients that guess passwords wait longer each time.
#include "fakes/plugin_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using std::chrono::minutes, std::chrono::seconds;

class AuthDelayTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthDelayTest);
    CPPUNIT_TEST(each_refusal_doubles_the_delay);
    CPPUNIT_TEST(other_connections_of_the_client_wait_too);
    CPPUNIT_TEST(a_name_that_is_tried_from_everywhere_waits);
    CPPUNIT_TEST(only_refusals_count);
    CPPUNIT_TEST(refusals_are_forgotten);
    CPPUNIT_TEST(every_mechanism_waits);
    CPPUNIT_TEST(a_store_that_fails_delays_nobody);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* name = "auth/auth_delay";

    /// The delay that the plugin requests at AUTH.
    static long delay(PluginUnderTest& plugin, const char* user = "joe", HookId hook = HookId::auth_plain) {
        Credentials credentials("PLAIN");
        credentials.set_user(user);
        CPPUNIT_ASSERT(plugin.auth(hook, credentials).verdict == Verdict::declined);
        return static_cast<long>(plugin.waited_for().delay.count());
    }

public:
    void each_refusal_doubles_the_delay() {
        PluginUnderTest plugin(name, "first=1s max=10s");
        for (const long expected : {0L, 1000L, 2000L, 4000L, 8000L, 10000L, 10000L}) {
            CPPUNIT_ASSERT_EQUAL(expected, delay(plugin));
            plugin.auth_result("joe", 535);
        }
        for (int i = 0; i < 100; ++i) plugin.auth_result("joe", 535);
        CPPUNIT_ASSERT_EQUAL(10000L, delay(plugin));
        CPPUNIT_ASSERT_EQUAL(std::string("pass: delayed by 10s"), plugin.log().last());
    }

    void other_connections_of_the_client_wait_too() {
        PluginUnderTest plugin(name, "ipv4_prefix=24");
        plugin.auth_result("joe", 535);
        plugin.reconnect();
        plugin.connection().set_client("192.0.2.200");
        CPPUNIT_ASSERT_EQUAL(1000L, delay(plugin, "ann"));
        plugin.connection().set_client("192.0.3.1");
        CPPUNIT_ASSERT_EQUAL(0L, delay(plugin, "ann"));
        plugin.connection().set_client("2001:db8::1");
        plugin.auth_result("jim", 535);
        plugin.connection().set_client("2001:db8::ffff");
        CPPUNIT_ASSERT_EQUAL(1000L, delay(plugin, "ann"));
        plugin.connection().set_client("2001:db8:0:1::1");
        CPPUNIT_ASSERT_EQUAL(0L, delay(plugin, "ann"));
    }

    void a_name_that_is_tried_from_everywhere_waits() {
        for (const bool by_login : {true, false}) {
            PluginUnderTest plugin(name, by_login ? "" : "by_login=no");
            for (const char* address : {"192.0.2.1", "198.51.100.1", "203.0.113.1"}) {
                plugin.connection().set_client(address);
                plugin.auth_result("Joe", 535);
            }
            plugin.connection().set_client("192.0.2.99");
            CPPUNIT_ASSERT_EQUAL(by_login ? 4000L : 0L, delay(plugin, "joe"));
            CPPUNIT_ASSERT_EQUAL(0L, delay(plugin, "ann"));
        }
    }

    void only_refusals_count() {
        PluginUnderTest plugin(name);
        for (const int code : {235, 454, 421}) plugin.auth_result("joe", code);
        CPPUNIT_ASSERT_EQUAL(0L, delay(plugin));
        for (const int code : {501, 500, 535}) plugin.auth_result("", code);
        CPPUNIT_ASSERT_EQUAL(4000L, delay(plugin));
    }

    void refusals_are_forgotten() {
        PluginUnderTest plugin(name, "time=10min");
        plugin.auth_result("joe", 535);
        plugin.clock().advance(minutes(11));
        CPPUNIT_ASSERT_EQUAL(0L, delay(plugin));
    }

    void every_mechanism_waits() {
        PluginUnderTest plugin(name);
        plugin.auth_result("joe", 535);
        for (const auto hook : {HookId::auth_plain, HookId::auth_login, HookId::auth_cram_md5, HookId::auth_scram_sha_1,
                                HookId::auth_scram_sha_256, HookId::auth_external, HookId::auth_bearer})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(hook_name(hook)), 1000L, delay(plugin, "joe", hook));
        CPPUNIT_ASSERT_EQUAL(0L, delay(plugin, "joe", HookId::auth));
    }

    void a_store_that_fails_delays_nobody() {
        PluginUnderTest plugin(name);
        plugin.auth_result("joe", 535);
        plugin.store().break_down();
        plugin.auth_result("joe", 535);
        CPPUNIT_ASSERT_EQUAL(0L, delay(plugin));
        CPPUNIT_ASSERT_MESSAGE(plugin.log().to_string(), plugin.log().contains("error: store:"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AuthDelayTest);

}  // namespace
}  // namespace smtpd
