/// naughty_test.cc: postponed refusals.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

class NaughtyTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(NaughtyTest);
    CPPUNIT_TEST(the_chosen_hook_and_data_post_refuse);
    CPPUNIT_TEST(clients_without_a_complaint_pass);
    CPPUNIT_TEST(the_first_complainer_decides_how);
    CPPUNIT_TEST(only_what_is_told_is_told);
    CPPUNIT_TEST(a_record_that_was_cleared_does_not_count);
    CPPUNIT_TEST(who_may_relay_by_then_is_forgiven);
    CPPUNIT_TEST(unknown_moments_are_a_mistake);
    CPPUNIT_TEST_SUITE_END();

    static void complain(PluginUnderTest& plugin, Verdict verdict = Verdict::declined) {
        plugin.connection().complain(
            {.plugin = "dnsbl", .verdict = verdict, .enhanced = {5, 7, 1}, .text = "listed by bl.example"});
    }

public:
    void the_chosen_hook_and_data_post_refuse() {
        const struct {
            const char* options;
            const char* hook;
        } rows[] = {{"", "rcpt"},
                    {"reject=connect", "connect"},
                    {"reject=mail", "mail"},
                    {"reject=rcpt", "rcpt"},
                    {"reject data", "data"},
                    {"reject=data_post", "data_post"}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("naughty", row.options);
            complain(plugin);
            const std::pair<std::string, Response> answers[] = {{"connect", plugin.connect()},
                                                                {"mail", plugin.mail("user@example.net")},
                                                                {"rcpt", plugin.rcpt("user@example.com")},
                                                                {"data", plugin.data()},
                                                                {"data_post", plugin.data_post("\r\n")}};
            for (const auto& [hook, response] : answers) {
                const bool refuses = hook == row.hook || hook == "data_post";
                CPPUNIT_ASSERT_EQUAL_MESSAGE(
                    std::string(row.options) + " at " + hook,
                    std::string(refuses ? "deny_disconnect 5.7.1 listed by bl.example" : "declined"), shown(response));
            }
            CPPUNIT_ASSERT(plugin.log().contains("naughty: fail: dnsbl complained"));
        }
    }

    void clients_without_a_complaint_pass() {
        PluginUnderTest plugin("naughty");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.rcpt("user@example.com")));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.data_post("\r\n")));
    }

    void the_first_complainer_decides_how() {
        const struct {
            const char* options;
            Verdict by_complainer;
            const char* verdict;
        } rows[] = {
            {"", Verdict::declined, "deny_disconnect"},
            {"reject_type=perm", Verdict::declined, "deny"},
            {"reject_type=temp", Verdict::declined, "denysoft"},
            {"reject_type=temp_disconnect", Verdict::declined, "denysoft_disconnect"},
            {"reject_type=perm", Verdict::denysoft, "denysoft"},
            {"reject_type=temp", Verdict::deny_disconnect, "deny_disconnect"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("naughty", row.options);
            complain(plugin, row.by_complainer);
            const auto response = plugin.rcpt("user@example.com");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(row.verdict),
                                         std::string(verdict_name(response.verdict)));
        }
    }

    void only_what_is_told_is_told() {
        PluginUnderTest plugin("naughty");
        plugin.connection().complain({.plugin = "badmailfrom",
                                      .verdict = Verdict::denysoft,
                                      .enhanced = {4, 1, 8},
                                      .text = "no mail from there"});
        plugin.connection().complain(
            {.plugin = "helo", .verdict = Verdict::deny, .enhanced = {5, 7, 1}, .text = "odd name", .is_told = false});
        plugin.connection().complain(
            {.plugin = "rcpt_map", .verdict = Verdict::deny_disconnect, .enhanced = {5, 1, 1}, .text = "no such user"});
        plugin.connection().complain(
            {.plugin = "helo", .verdict = Verdict::deny, .enhanced = {5, 7, 1}, .text = "odd name", .is_told = false});
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 4.1.8 no mail from there / no such user"),
                             shown(plugin.rcpt("user@example.com")));
        CPPUNIT_ASSERT_EQUAL(std::string("fail: badmailfrom complained, and later helo, rcpt_map"),
                             plugin.log().last());
    }

    void a_record_that_was_cleared_does_not_count() {
        PluginUnderTest plugin("naughty");
        complain(plugin);
        plugin.connection().forgive();
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.rcpt("user@example.com")));
    }

    void who_may_relay_by_then_is_forgiven() {
        for (const char* options : {"reject=mail", "reject=rcpt", "reject=data", "reject=data_post"}) {
            PluginUnderTest plugin("naughty", options);
            complain(plugin);
            plugin.connection().set_relay_client(true);
            for (const Response& response :
                 {plugin.mail("me@example.net"), plugin.rcpt("user@example.com"), plugin.data(), plugin.data_post()})
                CPPUNIT_ASSERT_EQUAL_MESSAGE(options, std::string("declined"), shown(response));
        }
    }

    void unknown_moments_are_a_mistake() {
        CPPUNIT_ASSERT(!PluginUnderTest("naughty", "reject=hook_queue_post").is_usable());
        CPPUNIT_ASSERT(!PluginUnderTest("naughty", "reject_type=maybe").is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(NaughtyTest);

}  // namespace
}  // namespace smtpd
