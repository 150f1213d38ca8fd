/// helo_test.cc: names in HELO and EHLO, by policy.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <smtpd/known_notes.h>

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

class HeloTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HeloTest);
    CPPUNIT_TEST(names_are_judged_by_policy);
    CPPUNIT_TEST(listed_names_are_refused);
    CPPUNIT_TEST(localhost_may_say_so);
    CPPUNIT_TEST(what_belongs_together);
    CPPUNIT_TEST(a_client_without_a_name);
    CPPUNIT_TEST(a_failing_dns_refuses_nobody);
    CPPUNIT_TEST(reject_options_decide);
    CPPUNIT_TEST(karma_follows);
    CPPUNIT_TEST(a_whitelisted_name_is_not_judged);
    CPPUNIT_TEST(messages_get_the_name);
    CPPUNIT_TEST(mistakes_are_named);
    CPPUNIT_TEST_SUITE_END();

    static void fill(PluginUnderTest& plugin) {
        plugin.dns({"192.0.2.1 PTR mx.good.test", "mx.good.test A 192.0.2.1", "other.test A 198.51.100.1",
                    "six.test AAAA 2001:db8::1", "www.good.test A 198.51.100.2"});
    }
    static std::string noted(PluginUnderTest& plugin, const NoteKey<bool>& key) {
        const auto* note = plugin.connection().notes().find(key);
        return !note ? "none" : *note ? "yes" : "no";
    }

public:
    void names_are_judged_by_policy() {
        const struct {
            const char* host;
            const char* lenient;
            const char* rfc;
            const char* strict;
        } rows[] = {
            {"mx.good.test", "", "", ""},
            {"MX.Good.Test", "", "", ""},
            {"mx.good.test.", "", "", ""},
            {"www.good.test", "", "", ""},
            {"localhost", "You are not localhost", "You are not localhost", "You are not localhost"},
            {"[192.0.2.1]", "", "", "Address literals are valid, but not welcome here"},
            {"[192.0.2.2]", "Your address is not [192.0.2.2]", "Your address is not [192.0.2.2]",
             "Your address is not [192.0.2.2]"},
            {"[IPv6:2001:db8::1]", "Your address is not [ipv6:2001:db8::1]", "Your address is not [ipv6:2001:db8::1]",
             "Your address is not [ipv6:2001:db8::1]"},
            {"[nonsense]", "Your address is not [nonsense]", "Your address is not [nonsense]",
             "Your address is not [nonsense]"},
            {"1.0.0.0", "An address without brackets is not a name", "An address without brackets is not a name",
             "An address without brackets is not a name"},
            {"2001:db8::1", "An address without brackets is not a name", "An address without brackets is not a name",
             "An address without brackets is not a name"},
            {"single", "", "Your name is not fully qualified", "Your name is not fully qualified"},
            {"a_b.test", "", "Your name has characters that host names must not have",
             "Your name has characters that host names must not have"},
            {"m\xc3\xbcller.test", "", "Your name has characters that host names must not have",
             "Your name has characters that host names must not have"},
            {"[M\xdcLLER]", "Your address is not [m?ller]", "Your address is not [m?ller]",
             "Your address is not [m?ller]"},
            {"M\xdcLLER-PC", "", "Your name is not fully qualified", "Your name is not fully qualified"},
            {"gone.test", "", "gone.test has no address in the DNS", "gone.test has no address in the DNS"},
            {"other.test", "", "", "other.test and 192.0.2.1 do not belong together in the DNS"},
            {"six.test", "", "", "six.test and 192.0.2.1 do not belong together in the DNS"},
        };
        for (const auto& row : rows) {
            const std::pair<const char*, const char*> expected[] = {
                {"", row.lenient}, {"policy=rfc", row.rfc}, {"policy strict", row.strict}};
            for (const auto& [options, text] : expected) {
                PluginUnderTest plugin("helo", options);
                fill(plugin);
                const std::string answer = *text ? std::string("deny_disconnect 5.7.1 ") + text : "declined";
                CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(row.host) + " " + options, answer,
                                             shown(plugin.ehlo(row.host)));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(row.host) + " " + options, answer,
                                             shown(plugin.helo(row.host)));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.host, !*options, plugin.questions().empty());
            }
        }
    }

    void listed_names_are_refused() {
        PluginUnderTest plugin("helo", "",
                               {{"badhelo",
                                 "yahoo.com\nya.oo\\.com$ one of those\n^[A-Z]+\\.Caps$\n!\\. say your whole name\n"
                                 "PC.Bücher.example\nx\\.müller\\. a bookseller\n"}});
        const struct {
            const char* host;
            const char* answer;
        } rows[] = {
            {"yahoo.com", "I do not believe that you are yahoo.com"},
            {"YAHOO.com", "I do not believe that you are yahoo.com"},
            {"mail.yaXoo.com", "one of those"},
            {"abc.caps", "I do not believe that you are abc.caps"},
            {"single", "say your whole name"},
            {"mail.yahoo.com.test", ""},
            {"yahoo.com.test", ""},
            {"YAHOO.com.", "I do not believe that you are yahoo.com"},
            {"pc.bücher.example", "I do not believe that you are pc.xn--bcher-kva.example"},
            {"PC.BÜCHER.example", "I do not believe that you are pc.xn--bcher-kva.example"},
            {"pc.xn--bcher-kva.example", "I do not believe that you are pc.xn--bcher-kva.example"},
            {"x.müller.example", "a bookseller"},
            {"x.xn--mller-kva.example", "a bookseller"},
            {"M\xdcLLER.example", ""},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.host,
                                         *row.answer ? std::string("deny_disconnect 5.7.1 ") + row.answer : "declined",
                                         shown(plugin.ehlo(row.host)));
    }

    void localhost_may_say_so() {
        for (const char* client : {"127.0.0.1", "127.0.0.9", "::1"}) {
            PluginUnderTest plugin("helo");
            plugin.connection().set_client(client);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(client, std::string("declined"), shown(plugin.ehlo("localhost")));
        }
    }

    void what_belongs_together() {
        const struct {
            const char* client;
            const char* forward;
            const char* reverse;
            const char* expected;  ///< forward and reverse match
        } rows[] = {
            {"192.0.2.1", "mx0.example.com A 192.0.2.2", "192.0.2.1 PTR mx1.example.com", "yes yes"},
            {"192.0.2.1", "mx0.example.com A 192.0.1.1", "192.0.2.1 PTR mx1.example.com", "no yes"},
            {"192.0.2.1", "mx0.example.com A 192.0.2.1", "192.0.2.1 PTR mx0.example.net", "yes no"},
            {"2001:db8::1", "mx0.example.com AAAA 2001:db8::2", "2001:db8::1 PTR mx0.example.com", "yes yes"},
            {"2001:db8::1", "mx0.example.com AAAA 2001:db7::1", "2001:db8::1 PTR com", "no no"},
            {"2001:db8::1", "mx0.example.com A 192.0.2.1", "2001:db8::1 PTR example.com", "no yes"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("helo", "policy=strict");
            plugin.connection().set_client(row.client);
            plugin.dns({row.forward, row.reverse});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.expected, std::string(row.expected) == "no no",
                                         is_denial(plugin.ehlo("mx0.example.com").verdict));
            CPPUNIT_ASSERT_EQUAL(std::string(row.expected), noted(plugin, notes::helo_forward_match) + " " +
                                                                noted(plugin, notes::helo_reverse_match));
        }
    }

    void a_client_without_a_name() {
        PluginUnderTest plugin("helo", "policy=rfc");
        plugin.dns({"mx.good.test A 192.0.2.9"});
        CPPUNIT_ASSERT_EQUAL(std::string("deny_disconnect 5.7.1 There is no name for 192.0.2.1 in the DNS"),
                             shown(plugin.ehlo("mx.good.test")));
        CPPUNIT_ASSERT_EQUAL(std::string("yes"), noted(plugin, notes::helo_forward_match));
        CPPUNIT_ASSERT_EQUAL(std::string("none"), noted(plugin, notes::helo_reverse_match));
    }

    void a_failing_dns_refuses_nobody() {
        const struct {
            const char* options;
            const char* records[3];
            const char* line;
        } rows[] = {
            {"policy=rfc",
             {"a.test TIMEOUT", "192.0.2.1 PTR b.test", "x.test A 1.2.3.4"},
             "error: a.test: no answer in time"},
            {"policy=rfc",
             {"a.test A 192.0.2.1", "192.0.2.1 SERVFAIL", "x.test A 1.2.3.4"},
             "error: 192.0.2.1: the server says SERVFAIL"},
            {"policy=strict",
             {"a.test A 198.51.100.1", "192.0.2.1 TIMEOUT", "x.test A 1.2.3.4"},
             "error: 192.0.2.1: no answer in time"},
            {"policy=strict",
             {"a.test TIMEOUT", "192.0.2.1 PTR b.test.org", "x.test A 1.2.3.4"},
             "error: a.test: no answer in time"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("helo", row.options);
            plugin.dns({row.records[0], row.records[1], row.records[2]});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.line, std::string("declined"), shown(plugin.ehlo("a.test")));
            CPPUNIT_ASSERT_EQUAL(std::string(row.line), plugin.log().last());
            CPPUNIT_ASSERT_EQUAL(0, plugin.connection().karma());
            PluginUnderTest careful("helo", std::string(row.options) + " onerror=tempfail");
            careful.dns({row.records[0], row.records[1], row.records[2]});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.line,
                                         std::string("denysoft 451 4.4.3 Temporary address resolution failure"),
                                         shown(careful.ehlo("a.test")));
        }
        PluginUnderTest plugin("helo", "policy=rfc");  // what is certain is certain
        plugin.dns({"a.test TIMEOUT"});
        CPPUNIT_ASSERT_EQUAL(std::string("deny_disconnect 5.7.1 There is no name for 192.0.2.1 in the DNS"),
                             shown(plugin.ehlo("a.test")));
    }

    void reject_options_decide() {
        const struct {
            const char* options;
            const char* verdict;
        } rows[] = {{"", "deny_disconnect"},
                    {"reject_type=perm", "deny"},
                    {"reject_type=temp", "denysoft"},
                    {"reject=0", "declined"},
                    {"reject naughty", "declined"}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("helo", row.options);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(row.verdict),
                                         std::string(verdict_name(plugin.ehlo("localhost").verdict)));
        }
    }

    void karma_follows() {
        PluginUnderTest plugin("helo", "policy=strict");
        fill(plugin);
        (void)plugin.ehlo("mx.good.test");
        CPPUNIT_ASSERT_EQUAL(1, plugin.connection().karma());
        (void)plugin.ehlo("www.good.test");
        CPPUNIT_ASSERT_EQUAL(1, plugin.connection().karma());
        (void)plugin.ehlo("localhost");
        CPPUNIT_ASSERT_EQUAL(0, plugin.connection().karma());
    }

    void a_whitelisted_name_is_not_judged() {
        PluginUnderTest plugin("helo", "policy=strict");
        plugin.connection().notes().set(notes::whitelisthelo, std::string("localhost"));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.ehlo("localhost")));
        CPPUNIT_ASSERT(plugin.questions().empty());
        CPPUNIT_ASSERT_EQUAL(std::string("deny_disconnect"), shown(plugin.ehlo("single")).substr(0, 15));
        PluginUnderTest relay("helo");
        relay.connection().set_relay_client(true);
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(relay.ehlo("localhost")));
    }

    void messages_get_the_name() {
        PluginUnderTest plugin("helo");
        (void)plugin.ehlo("mx\xe4.good.test");
        (void)plugin.data_post("X-HELO: forged\r\nSubject: x\r\nX-Helo: again\r\n\r\nbody\r\n");
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), plugin.transaction().message().headers().count("X-HELO"));
        CPPUNIT_ASSERT_EQUAL(std::string("mx?.good.test"),
                             plugin.transaction().message().headers().get("X-HELO").value());
    }

    void mistakes_are_named() {
        CPPUNIT_ASSERT(
            PluginUnderTest("helo", "", {{"badhelo", "good.test\n(oops\n"}}).problems().find("badhelo:2: ") !=
            std::string::npos);
        CPPUNIT_ASSERT(PluginUnderTest("helo", "policy=severe").problems().find("one of lenient, rfc, strict") !=
                       std::string::npos);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(HeloTest);

}  // namespace
}  // namespace smtpd
