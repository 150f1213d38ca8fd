/// tarpit_test.cc: which clients wait, where and how long.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

class TarpitTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TarpitTest);
    CPPUNIT_TEST(reasons_add_up);
    CPPUNIT_TEST(it_waits_where_it_is_told_to);
    CPPUNIT_TEST(a_session_waits_so_long_in_all);
    CPPUNIT_TEST(instances_count_apart);
    CPPUNIT_TEST(the_exempt_do_not_wait);
    CPPUNIT_TEST(longer_than_the_deadline_is_an_overrun);
    CPPUNIT_TEST(wrong_options_are_named);
    CPPUNIT_TEST_SUITE_END();

public:
    void reasons_add_up() {
        const struct {
            const char* options;
            unsigned errors;
            int karma;
            bool is_naughty;
            Duration wait;
        } rows[] = {
            {"", 0, 0, false, 0s},
            {"", 1, 0, false, 0s},
            {"", 2, 0, false, 1s},
            {"", 9, -5, true, 8s},
            {"", 100, 0, false, 20s},
            {"errors=0 per_error=500ms", 3, 0, false, 1500ms},
            {"per_error=0 per_karma=2s", 9, -3, false, 6s},
            {"per_karma=2s", 0, 3, false, 0s},
            {"naughty=7s", 0, 0, true, 7s},
            {"naughty=7s", 0, 0, false, 0s},
            {"always=3s", 0, 0, false, 3s},
            {"always=3s naughty=7s per_karma=1s", 3, -4, true, 16s},
            {"always=30s max=10s", 0, 0, false, 10s},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("tarpit", row.options);
            plugin.connection().set_counts(200, row.errors, 0);
            plugin.connection().set_karma(row.karma);
            if (row.is_naughty)
                plugin.connection().complain({.plugin = "other", .verdict = Verdict::deny, .text = "no"});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string("declined"), shown(plugin.mail("me@example.net")));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, row.wait.count(), plugin.waited_for().delay.count());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, row.wait.count() > 0, plugin.log().contains("delayed by"));
        }
    }

    void it_waits_where_it_is_told_to() {
        const struct {
            const char* name;
            Response (*run)(PluginUnderTest&);
        } places[] = {
            {"connect", [](PluginUnderTest& p) { return p.connect(); }},
            {"helo", [](PluginUnderTest& p) { return p.helo("me.example"); }},
            {"helo", [](PluginUnderTest& p) { return p.ehlo("me.example"); }},
            {"mail", [](PluginUnderTest& p) { return p.mail("me@example.net"); }},
            {"rcpt", [](PluginUnderTest& p) { return p.rcpt("you@example.com"); }},
            {"data", [](PluginUnderTest& p) { return p.data(); }},
            {"data_post", [](PluginUnderTest& p) { return p.data_post(); }},
        };
        for (const auto& asked : places) {
            PluginUnderTest everywhere("tarpit", "always=1s");
            (void)asked.run(everywhere);
            CPPUNIT_ASSERT_MESSAGE(asked.name, everywhere.waited_for().delay == 1s);
            for (const auto& place : places) {
                PluginUnderTest plugin("tarpit", std::string("always=1s at=") + asked.name);
                (void)place.run(plugin);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(asked.name) + " " + place.name,
                                             std::string(asked.name) == place.name, plugin.waited_for().delay == 1s);
            }
        }
        PluginUnderTest two("tarpit", "always=1s at=mail at=rcpt");
        (void)two.mail("me@example.net");
        CPPUNIT_ASSERT(two.waited_for().delay == 1s);
        (void)two.rcpt("you@example.com");
        CPPUNIT_ASSERT(two.waited_for().delay == 1s);
    }

    void a_session_waits_so_long_in_all() {
        PluginUnderTest plugin("tarpit", "always=4s total=10s");
        for (const Duration wait : {Duration(4s), Duration(4s), Duration(2s), Duration(0s), Duration(0s)}) {
            (void)plugin.rcpt("you@example.com");
            CPPUNIT_ASSERT_EQUAL(wait.count(), plugin.waited_for().delay.count());
        }
        plugin.reconnect();
        (void)plugin.rcpt("you@example.com");
        CPPUNIT_ASSERT(plugin.waited_for().delay == 4s);
    }

    void instances_count_apart() {
        PluginUnderTest first("tarpit:first", "always=4s total=5s");
        PluginUnderTest second("tarpit:second", "always=4s total=5s");
        (void)first.connect();
        (void)second.run(ConnectionContext(HookId::connect, first.connection()));
        CPPUNIT_ASSERT(second.waited_for().delay == 4s);
        (void)first.connect();
        CPPUNIT_ASSERT(first.waited_for().delay == 1s);
    }

    void the_exempt_do_not_wait() {
        for (const auto exempt : {+[](PluginUnderTest& p) { p.connection().set_relay_client(true); },
                                  +[](PluginUnderTest& p) { p.connection().set_whitelisted("list"); },
                                  +[](PluginUnderTest& p) { p.transaction().set_whitelisted("list"); }}) {
            PluginUnderTest plugin("tarpit", "always=1s");
            exempt(plugin);
            (void)plugin.mail("me@example.net");
            CPPUNIT_ASSERT(!plugin.waited_for().needed());
        }
    }

    void longer_than_the_deadline_is_an_overrun() {
        PluginUnderTest plugin("tarpit", "always=90s max=90s");
        (void)plugin.connect();
        CPPUNIT_ASSERT(plugin.log().contains("overrun: it asks for a wait of"));
        PluginUnderTest patient("tarpit", "always=90s max=90s deadline=2min");
        (void)patient.connect();
        CPPUNIT_ASSERT(patient.waited_for().delay == 90s);
        CPPUNIT_ASSERT(!patient.log().contains("overrun"));
    }

    void wrong_options_are_named() {
        for (const char* options : {"at=quit", "max=6min", "per_error=soon", "errors=-1", "total=3h"})
            CPPUNIT_ASSERT_MESSAGE(options, !PluginUnderTest("tarpit", options).is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(TarpitTest);

}  // namespace
}  // namespace smtpd
