/// resolvable_fromhost_test.cc: senders whose domain can receive mail, cannot, or is unknown.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <smtpd/known_notes.h>

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

class ResolvableFromHostTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ResolvableFromHostTest);
    CPPUNIT_TEST(domains_are_judged_by_what_they_have);
    CPPUNIT_TEST(invalid_addresses_do_not_count);
    CPPUNIT_TEST(a_failing_dns_is_no_failure_of_the_sender);
    CPPUNIT_TEST(onerror_tempfail_says_what_is_wrong);
    CPPUNIT_TEST(reject_options_decide);
    CPPUNIT_TEST(karma_is_counted_once);
    CPPUNIT_TEST(relay_clients_are_not_judged);
    CPPUNIT_TEST(only_ten_exchangers_are_looked_at);
    CPPUNIT_TEST(a_wrong_list_is_a_mistake);
    CPPUNIT_TEST_SUITE_END();

    static void fill(PluginUnderTest& plugin) {
        plugin.dns({"good.test MX 10 mx.good.test",
                    "mx.good.test A 192.0.2.7",
                    "xn--bcher-kva.test MX 10 mx.good.test",
                    "six.test MX 10 mx.six.test",
                    "mx.six.test AAAA 2001:db8::7",
                    "plain.test A 192.0.2.8",
                    "plain6.test AAAA 2001:db8::8",
                    "null.test MX 0 .",
                    "empty.test MX 10 nothing.empty.test",
                    "bare.test TXT hello",
                    "number.test MX 10 192.0.2.9",
                    "inner.test MX 10 mx.inner.test",
                    "mx.inner.test A 10.0.0.1",
                    "inner6.test AAAA fc00::1",
                    "flat.test A 10.1.1.1",
                    "both.test MX 10 mx.inner.test",
                    "both.test MX 20 mx.good.test",
                    "second.test MX 10 many.test",
                    "many.test A 10.0.0.1",
                    "many.test A 192.0.2.7",
                    "numberinner.test MX 10 10.0.0.9",
                    "slow.test TIMEOUT",
                    "broken.test SERVFAIL",
                    "mxslow.test MX 10 slow.test",
                    "mixed.test MX 10 slow.test",
                    "mixed.test MX 20 mx.good.test",
                    "innerslow.test MX 10 mx.inner.test",
                    "innerslow.test MX 20 slow.test"});
    }
    static std::string found(PluginUnderTest& plugin) {
        const auto* note = plugin.transaction().notes().find(notes::resolvable_fromhost);
        return note ? note->domain + "=" + note->found : "none";
    }
    static constexpr const char* invalid = "10.0.0.0/8\nfc00::/7\n127.\n";

public:
    void domains_are_judged_by_what_they_have() {
        const struct {
            const char* sender;
            const char* answer;
            const char* note;
        } rows[] = {
            {"", "declined", "=null"},
            {"me@good.test", "declined", "good.test=mx"},
            {"me@GOOD.test", "declined", "GOOD.test=mx"},
            {"me@six.test", "declined", "six.test=mx"},
            {"me@plain.test", "declined", "plain.test=a"},
            {"me@plain6.test", "declined", "plain6.test=a"},
            {"me@number.test", "declined", "number.test=mx"},
            {"me@mixed.test", "declined", "mixed.test=mx"},
            {"me@[192.0.2.1]", "declined", "[192.0.2.1]=ip"},
            {"me@[IPv6:2001:db8::1]", "declined", "[IPv6:2001:db8::1]=ip"},
            {"me@bücher.test", "declined", "bücher.test=mx"},
            {"me@BÜCHER.test", "declined", "BÜCHER.test=mx"},
            {"me@xn--bcher-kva.test", "declined", "xn--bcher-kva.test=mx"},
            {"me@müller.test",
             "denysoft 4.1.8 xn--mller-kva.test does not resolve: it needs an MX with an address, or an address",
             "müller.test="},
            {"me@null.test", "denysoft 4.7.27 null.test accepts no mail, so mail from it is not accepted either",
             "null.test="},
            {"me@gone.test", "denysoft 4.1.8 gone.test does not resolve: it needs an MX with an address, or an address",
             "gone.test="},
            {"me@bare.test", "denysoft 4.1.8 bare.test does not resolve: it needs an MX with an address, or an address",
             "bare.test="},
            {"me@empty.test",
             "denysoft 4.1.8 empty.test does not resolve: it needs an MX with an address, or an address",
             "empty.test="},
        };
        PluginUnderTest plugin("resolvable_fromhost");
        fill(plugin);
        for (const auto& row : rows) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.sender, std::string(row.answer), shown(plugin.mail(row.sender)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.sender, std::string(row.note), found(plugin));
        }
    }

    void invalid_addresses_do_not_count() {
        const struct {
            const char* sender;
            bool is_refused;
        } rows[] = {
            {"me@good.test", false},       {"me@inner.test", true}, {"me@inner6.test", true},
            {"me@flat.test", true},        {"me@both.test", false}, {"me@second.test", false},
            {"me@numberinner.test", true}, {"me@[10.0.0.1]", true}, {"me@[192.0.2.1]", false},
            {"me@[127.0.0.1]", true},
        };
        PluginUnderTest plugin("resolvable_fromhost", "", {{"invalid_resolvable_fromhost", invalid}});
        fill(plugin);
        for (const auto& row : rows) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.sender, std::string(row.is_refused ? "denysoft" : "declined"),
                                         shown(plugin.mail(row.sender)).substr(0, 8));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.sender, row.is_refused, found(plugin).ends_with("="));
        }
    }

    void a_failing_dns_is_no_failure_of_the_sender() {
        PluginUnderTest plugin("resolvable_fromhost", "", {{"invalid_resolvable_fromhost", invalid}});
        fill(plugin);
        for (const char* sender : {"me@slow.test", "me@broken.test", "me@mxslow.test", "me@innerslow.test"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(sender, std::string("declined"), shown(plugin.mail(sender)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(sender, std::string("error: "), plugin.log().last().substr(0, 7));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(sender, std::string("none"), found(plugin));
        }
        CPPUNIT_ASSERT_EQUAL(0, plugin.connection().karma());
    }

    void onerror_tempfail_says_what_is_wrong() {
        PluginUnderTest plugin("resolvable_fromhost", "onerror=tempfail");
        fill(plugin);
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 451 4.4.3 Temporary address resolution failure"),
                             shown(plugin.mail("me@slow.test")));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.mail("me@good.test")));
    }

    void reject_options_decide() {
        const struct {
            const char* options;
            const char* verdict;
        } rows[] = {{"reject=0", "declined"},
                    {"reject_type=perm", "deny"},
                    {"reject_type=soft", "denysoft"},
                    {"reject=naughty", "declined"},
                    {"reject 1 reject_type hard", "deny"}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("resolvable_fromhost", row.options);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(row.verdict),
                                         std::string(verdict_name(plugin.mail("me@gone.test").verdict)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(row.options) == "reject=naughty",
                                         plugin.connection().is_naughty());
        }
    }

    void karma_is_counted_once() {
        const struct {
            const char* sender;
            int karma;
        } rows[] = {{"me@good.test", 0},
                    {"me@plain.test", -1},
                    {"me@gone.test", -1},
                    {"me@null.test", -1},
                    {"me@inner.test", -1},
                    {"me@[192.0.2.1]", -1},
                    {"", 0}};
        PluginUnderTest plugin("resolvable_fromhost", "", {{"invalid_resolvable_fromhost", invalid}});
        fill(plugin);
        for (const auto& row : rows) {
            plugin.connection().set_karma(0);
            (void)plugin.mail(row.sender);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.sender, row.karma, plugin.connection().karma());
        }
    }

    void relay_clients_are_not_judged() {
        PluginUnderTest plugin("resolvable_fromhost");
        plugin.connection().set_relay_client(true);
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.mail("me@gone.test")));
        CPPUNIT_ASSERT(plugin.questions().empty());
    }

    void only_ten_exchangers_are_looked_at() {
        PluginUnderTest plugin("resolvable_fromhost");
        for (int i = 10; i < 40; ++i)
            plugin.dns({"wide.test MX " + std::to_string(i) + " mx" + std::to_string(i) + ".wide.test"});
        plugin.dns({"mx20.wide.test A 192.0.2.1"});
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft"), shown(plugin.mail("me@wide.test")).substr(0, 8));
        CPPUNIT_ASSERT_EQUAL(std::size_t(21), plugin.questions().size());
    }

    void a_wrong_list_is_a_mistake() {
        CPPUNIT_ASSERT(PluginUnderTest("resolvable_fromhost", "", {{"invalid_resolvable_fromhost", "10.0.0.0/33\n"}})
                           .problems()
                           .find("invalid_resolvable_fromhost:1: ") != std::string::npos);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ResolvableFromHostTest);

}  // namespace
}  // namespace smtpd
