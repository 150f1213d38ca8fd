/// loadcheck_test.cc: the plugin defers clients while the load is high.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

class LoadCheckTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LoadCheckTest);
    CPPUNIT_TEST(above_the_limit_clients_are_refused_for_now);
    CPPUNIT_TEST(a_load_is_believed_for_a_while);
    CPPUNIT_TEST(a_load_that_cannot_be_read_is_an_error);
    CPPUNIT_TEST(the_systems_load_is_found);
    CPPUNIT_TEST(nobody_is_exempt);
    CPPUNIT_TEST(policy_options_apply);
    CPPUNIT_TEST(options_are_checked);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* busy = "denysoft 4.3.2 Server is too busy, try again later";

    fakes::TempDirectory directory_;
    std::string options(const std::string& others = {}) const {
        return "file=" + directory_.path("loadavg") + " " + others;
    }
    void set_load(std::string_view text) { directory_.write("loadavg", text); }

public:
    void above_the_limit_clients_are_refused_for_now() {
        const struct {
            const char* load;
            const char* options;
            const char* answer;
            const char* line;
        } rows[] = {
            {"0.50 9.99 9.99 1/200 4711\n", "", "declined", "pass: load 0.5"},
            {"7.00 1.00 1.00 1/200 4711\n", "", "declined", "pass: load 7"},
            {"7.01 1.00 1.00 1/200 4711\n", "", busy, "fail: load 7.01 is above 7"},
            {"3", "max_load=2.5", busy, "fail: load 3 is above 2.5"},
            {"3\n", "max_load 3", "declined", "pass: load 3"},
        };
        for (const auto& row : rows) {
            set_load(row.load);
            PluginUnderTest plugin("loadcheck", options(row.options));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.load, std::string(row.answer), shown(plugin.connect()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.load, std::string(row.line), plugin.log().last());
        }
    }

    void a_load_is_believed_for_a_while() {
        const struct {
            const char* options;
            Duration cache_time;
        } rows[] = {{"", std::chrono::seconds(10)}, {"cache_time=1min", std::chrono::minutes(1)}};
        for (const auto& row : rows) {
            set_load("1");
            PluginUnderTest plugin("loadcheck", options(row.options));
            CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.connect()));
            set_load("9");
            plugin.clock().advance(row.cache_time - Duration(1));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string("declined"), shown(plugin.connect()));
            plugin.clock().advance(Duration(1));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(busy), shown(plugin.connect()));
            set_load("1");
            CPPUNIT_ASSERT_EQUAL_MESSAGE("a high one, too", std::string(busy), shown(plugin.connect()));
        }
        set_load("1");
        PluginUnderTest never("loadcheck", options("cache_time=0"));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(never.connect()));
        set_load("9");
        CPPUNIT_ASSERT_EQUAL(std::string(busy), shown(never.connect()));
    }

    void a_load_that_cannot_be_read_is_an_error() {
        PluginUnderTest missing("loadcheck", options());
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(missing.connect()));
        CPPUNIT_ASSERT(missing.log().last().starts_with("error: cannot open " + directory_.path("loadavg")));
        for (const char* wrong : {"", "high\n", "1.0x 2 3\n"}) {
            set_load(wrong);
            PluginUnderTest plugin("loadcheck", options("onerror=tempfail"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(wrong, std::string("denysoft 451 4.3.0 Local error in processing"),
                                         shown(plugin.connect()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                wrong, "error: " + directory_.path("loadavg") + " does not begin with a number", plugin.log().last());
        }
    }

    void the_systems_load_is_found() {
        PluginUnderTest plugin("loadcheck", "max_load=100000");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.connect()));
        CPPUNIT_ASSERT_MESSAGE(plugin.log().last(), plugin.log().last().starts_with("pass: load "));
    }

    void nobody_is_exempt() {
        set_load("8");
        PluginUnderTest plugin("loadcheck", options());
        plugin.connection().set_relay_client(true);
        plugin.connection().set_whitelisted("a friend");
        CPPUNIT_ASSERT_EQUAL(std::string(busy), shown(plugin.connect()));
    }

    void policy_options_apply() {
        set_load("8");
        PluginUnderTest tolerant("loadcheck", options("reject=no"));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(tolerant.connect()));
        CPPUNIT_ASSERT_EQUAL(std::string("fail, tolerated: load 8 is above 7"), tolerant.log().last());
        PluginUnderTest strict("loadcheck", options("reject_type=perm"));
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.3.2 Server is too busy, try again later"), shown(strict.connect()));
    }

    void options_are_checked() {
        for (const char* wrong : {"max_load=-1", "max_load=high", "cache_time=2h", "uptime=/usr/bin/uptime"})
            CPPUNIT_ASSERT_MESSAGE(wrong, !PluginUnderTest("loadcheck", wrong).is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LoadCheckTest);

}  // namespace
}  // namespace smtpd
