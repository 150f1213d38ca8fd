/// counters_test.cc: count_unrecognized_commands and noop_counter.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

class CountUnrecognizedCommandsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CountUnrecognizedCommandsTest);
    CPPUNIT_TEST(the_last_one_allowed_ends_the_session);
    CPPUNIT_TEST(the_count_belongs_to_the_connection);
    CPPUNIT_TEST(the_number_is_checked);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* refusal = "deny_disconnect 5.5.1 Closing connection, too many unrecognized commands";

public:
    void the_last_one_allowed_ends_the_session() {
        const struct {
            const char* options;
            int allowed;
        } rows[] = {{"", 3}, {"2", 1}, {"max=1", 0}, {"max 5", 4}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("count_unrecognized_commands", row.options);
            for (int i = 0; i < row.allowed; ++i)
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string("declined"),
                                             shown(plugin.unrecognized_command("GET", "/ HTTP/1.1")));
            for (int i = 0; i < 2; ++i)
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(refusal),
                                             shown(plugin.unrecognized_command("Host:", "example.com")));
        }
    }

    void the_count_belongs_to_the_connection() {
        PluginUnderTest plugin("count_unrecognized_commands", "2");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.unrecognized_command("FOO")));
        plugin.reconnect();
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.unrecognized_command("FOO")));
        CPPUNIT_ASSERT_EQUAL(std::string(refusal), shown(plugin.unrecognized_command("FOO")));
    }

    void the_number_is_checked() {
        for (const char* options : {"0", "max=-1", "many", "4 5"})
            CPPUNIT_ASSERT_MESSAGE(options, !PluginUnderTest("count_unrecognized_commands", options).is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(CountUnrecognizedCommandsTest);

class NoopCounterTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(NoopCounterTest);
    CPPUNIT_TEST(too_many_noops_in_a_row_end_the_session);
    CPPUNIT_TEST(every_other_command_begins_anew);
    CPPUNIT_TEST(the_count_belongs_to_the_connection);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* refusal = "deny_disconnect 5.5.1 Stop wasting my time, too many consecutive NOOPs";

public:
    void too_many_noops_in_a_row_end_the_session() {
        PluginUnderTest plugin("noop_counter");
        for (const char* expected : {"declined", "declined", refusal, refusal})
            CPPUNIT_ASSERT_EQUAL(std::string(expected), shown(plugin.noop()));
        PluginUnderTest patient("noop_counter", "5");
        for (int i = 0; i < 4; ++i) CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(patient.noop()));
        CPPUNIT_ASSERT_EQUAL(std::string(refusal), shown(patient.noop()));
    }

    void every_other_command_begins_anew() {
        const struct {
            const char* name;
            std::function<Response(PluginUnderTest&)> call;
        } rows[] = {
            {"helo", [](auto& plugin) { return plugin.helo("client"); }},
            {"ehlo", [](auto& plugin) { return plugin.ehlo("client"); }},
            {"mail", [](auto& plugin) { return plugin.mail("user@example.net"); }},
            {"rcpt", [](auto& plugin) { return plugin.rcpt("user@example.com"); }},
            {"data", [](auto& plugin) { return plugin.data(); }},
            {"reset_transaction", [](auto& plugin) { return plugin.reset_transaction(); }},
            {"vrfy", [](auto& plugin) { return plugin.vrfy("user"); }},
            {"help", [](auto& plugin) { return plugin.help(); }},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("noop_counter", "2");
            CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.noop()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string("declined"), shown(row.call(plugin)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string("declined"), shown(plugin.noop()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(refusal), shown(plugin.noop()));
        }
    }

    void the_count_belongs_to_the_connection() {
        PluginUnderTest plugin("noop_counter", "2");
        (void)plugin.noop();
        plugin.reconnect();
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.noop()));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(NoopCounterTest);

}  // namespace
}  // namespace smtpd
