/// hosts_allow_test.cc: which hosts may connect, and how many times at once.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <smtpd/known_notes.h>

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

class HostsAllowTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HostsAllowTest);
    CPPUNIT_TEST(the_first_line_that_matches_counts);
    CPPUNIT_TEST(a_client_may_hold_so_many_connections);
    CPPUNIT_TEST(history_changes_how_many);
    CPPUNIT_TEST(mistakes_in_the_file_are_found_at_configtest);
    CPPUNIT_TEST_SUITE_END();

public:
    void the_first_line_that_matches_counts() {
        PluginUnderTest plugin("hosts_allow", "",
                               {{"hosts_allow",
                                 "192.0.2.7 OK\n"
                                 "192.0.2.8 declined\n"
                                 "192.0.2.0/24\tDENYSOFT   you are {} many\n"
                                 "2001:db8::/32 DENY not from there\n"
                                 "198.51.100.0/25 DENYHARD\n"
                                 "198.51.100.200 DENYSOFT_DISCONNECT later\n"
                                 "203.0.113.1/32 DENY_DISCONNECT\n"}});
        const struct {
            const char* client;
            const char* answer;
        } rows[] = {
            {"192.0.2.7", "ok"},
            {"192.0.2.8", "declined"},
            {"192.0.2.0", "denysoft you are {} many"},
            {"192.0.2.255", "denysoft you are {} many"},
            {"192.0.3.0", "declined"},
            {"::ffff:192.0.2.9", "denysoft you are {} many"},
            {"2001:db8:ffff::1", "deny not from there"},
            {"2001:db9::1", "declined"},
            {"198.51.100.127", "deny_disconnect"},
            {"198.51.100.128", "declined"},
            {"198.51.100.200", "denysoft_disconnect later"},
            {"203.0.113.1", "deny_disconnect"},
        };
        for (const auto& row : rows) {
            plugin.connection().set_client(row.client);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.client, std::string(row.answer), shown(plugin.pre_connection()));
        }
        CPPUNIT_ASSERT(
            plugin.log().contains("(pre_connection) hosts_allow: fail: 2001:db8:ffff::1 is in 2001:db8::/32") ||
            plugin.log().contains("(pre-connection) hosts_allow: fail: 2001:db8:ffff::1 is in 2001:db8::/32"));
    }

    void a_client_may_hold_so_many_connections() {
        const struct {
            const char* options;
            unsigned sessions;
            const char* answer;
        } rows[] = {
            {"", 1000, "ok"},
            {"max_per_client=3", 3, "ok"},
            {"max_per_client=3", 4, "denysoft 4.7.0 Sorry, too many connections from 192.0.2.1, try again later"},
            {"max_per_client=3", 0, "ok"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("hosts_allow", row.options, {{"hosts_allow", "192.0.2.0/24 OK\n"}});
            plugin.connection().set_sessions_of_client(row.sessions);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(row.answer), shown(plugin.pre_connection()));
        }
    }

    void history_changes_how_many() {
        const struct {
            long history;
            unsigned sessions;
            bool is_refused;
        } rows[] = {{6, 6, false}, {6, 7, true},   {5, 3, false}, {5, 4, true},
                    {0, 3, false}, {-1, 1, false}, {-1, 2, true}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("hosts_allow", "max_per_client=3");
            plugin.connection().notes().set(notes::karma_history, row.history);
            plugin.connection().set_sessions_of_client(row.sessions);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::to_string(row.history) + " " + std::to_string(row.sessions),
                                         row.is_refused, is_denial(plugin.pre_connection().verdict));
        }
    }

    void mistakes_in_the_file_are_found_at_configtest() {
        const struct {
            const char* line;
            const char* problem;
        } rows[] = {
            {"192.0.2.1\n", "hosts_allow:1: \"\" must be OK"},
            {"192.0.2.1 MAYBE\n", "hosts_allow:1: \"MAYBE\" must be OK"},
            {"# first\n192.0.2.300 OK\n", "hosts_allow:2: \"192.0.2.300\" is neither an IP address nor a network"},
        };
        for (const auto& row : rows) {
            const PluginUnderTest plugin("hosts_allow", "", {{"hosts_allow", row.line}});
            CPPUNIT_ASSERT_MESSAGE(plugin.problems(), plugin.problems().find(row.problem) != std::string::npos);
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(HostsAllowTest);

}  // namespace
}  // namespace smtpd
