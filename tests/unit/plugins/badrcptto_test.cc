/// badrcptto_test.cc: recipients on a list.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

class BadRcptToTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BadRcptToTest);
    CPPUNIT_TEST(listed_recipients_are_refused);
    CPPUNIT_TEST(reject_options_decide_about_the_refusal);
    CPPUNIT_TEST(immune_clients_are_not_judged);
    CPPUNIT_TEST(a_listed_recipient_costs_karma);
    CPPUNIT_TEST(the_file_is_read_again);
    CPPUNIT_TEST(mistakes_in_the_file_are_found_at_configtest);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* list =
        "bad@example.com\n"
        "gone@example.com She left the company\n"
        "@bad.example.com\n"
        "/^\\S+%\\S+@/ no {} percent hack here\n";

public:
    void listed_recipients_are_refused() {
        PluginUnderTest plugin("badrcptto", "", {{"badrcptto", list}});
        const struct {
            const char* recipient;
            const char* answer;
        } rows[] = {
            {"user@example.com", "declined"},
            {"bad@example.com", "deny 5.1.1 mail to bad@example.com is not accepted here"},
            {"BAD@Example.COM", "deny 5.1.1 mail to BAD@Example.COM is not accepted here"},
            {"gone@example.com", "deny 5.1.1 She left the company"},
            {"any@bad.example.com", "deny 5.1.1 mail to any@bad.example.com is not accepted here"},
            {"any@worse.bad.example.com", "declined"},
            {"a%b.example@example.com", "deny 5.1.1 no {} percent hack here"},
            {"postmaster", "declined"},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.recipient, std::string(row.answer), shown(plugin.rcpt(row.recipient)));
        CPPUNIT_ASSERT(
            plugin.log().contains("(rcpt) badrcptto: fail: any@bad.example.com is listed as @bad.example.com"));
    }

    void reject_options_decide_about_the_refusal() {
        const struct {
            const char* options;
            const char* answer;
        } rows[] = {
            {"reject=no", "declined"},
            {"reject_type=temp", "denysoft 4.1.1 mail to bad@example.com is not accepted here"},
            {"reject_type=disconnect", "deny_disconnect 5.1.1 mail to bad@example.com is not accepted here"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("badrcptto", row.options, {{"badrcptto", list}});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(row.answer), shown(plugin.rcpt("bad@example.com")));
        }
        PluginUnderTest plugin("badrcptto", "reject=naughty", {{"badrcptto", list}});
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.rcpt("bad@example.com")));
        CPPUNIT_ASSERT(plugin.connection().is_naughty());
    }

    void immune_clients_are_not_judged() {
        PluginUnderTest plugin("badrcptto", "", {{"badrcptto", list}});
        plugin.connection().set_relay_client(true);
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.rcpt("bad@example.com")));
    }

    void a_listed_recipient_costs_karma() {
        PluginUnderTest plugin("badrcptto", "", {{"badrcptto", list}});
        (void)plugin.rcpt("user@example.com");
        CPPUNIT_ASSERT_EQUAL(0, plugin.connection().karma());
        (void)plugin.rcpt("bad@example.com");
        CPPUNIT_ASSERT_EQUAL(-2, plugin.connection().karma());
    }

    void the_file_is_read_again() {
        PluginUnderTest plugin("badrcptto");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.rcpt("bad@example.com")));
        plugin.write_control("badrcptto", list);
        CPPUNIT_ASSERT_EQUAL(std::string("deny"), shown(plugin.rcpt("bad@example.com")).substr(0, 4));
    }

    void mistakes_in_the_file_are_found_at_configtest() {
        const PluginUnderTest plugin("badrcptto", "", {{"badrcptto", "good@example.com\n/(/\n"}});
        CPPUNIT_ASSERT(!plugin.is_usable());
        CPPUNIT_ASSERT(plugin.problems().find("badrcptto:2") != std::string::npos);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(BadRcptToTest);

}  // namespace
}  // namespace smtpd
