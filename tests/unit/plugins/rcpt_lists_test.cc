/// rcpt_lists_test.cc: rcpt_map and rcpt_regexp, which decide about recipients by a list.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

class RcptMapTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RcptMapTest);
    CPPUNIT_TEST(each_recipient_of_the_domain_gets_what_its_line_says);
    CPPUNIT_TEST(the_domain_has_two_forms);
    CPPUNIT_TEST(the_case_of_names_counts_where_the_server_says_so);
    CPPUNIT_TEST(who_is_not_in_the_map_gets_the_default);
    CPPUNIT_TEST(the_map_may_be_anywhere);
    CPPUNIT_TEST(a_changed_map_is_read_again_and_a_wrong_one_is_not_used);
    CPPUNIT_TEST(mistakes_are_found_at_configtest);
    CPPUNIT_TEST(policy_options_apply_to_refusals_and_nobody_is_exempt);
    CPPUNIT_TEST(what_is_said_is_logged);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* map =
        "# who exists\n"
        "me@example.org           OK\n"
        "You@Example.org\t\tdeclined\n"
        "\n"
        "info@example.org         DENY     User not found.\n"
        "gone@example.org DENY\n"
        "busy@example.org DENYSOFT   Mailbox is   being moved\n"
        "trap@example.org DENY_DISCONNECT Caught\n"
        "pit@example.org DENYSOFT_DISCONNECT Wait\n"
        "twice@example.org OK\n"
        "twice@example.org DENY Not any more\n"
        "\"a,b\"@example.org OK\n"
        "ghost@example.com DENY not mine\n";

    static std::string answer(const std::string& recipient, const std::string& options = {}) {
        PluginUnderTest plugin("rcpt_map", "domain=example.org file=map " + options, {{"map", map}});
        return shown(plugin.rcpt(recipient));
    }

public:
    void each_recipient_of_the_domain_gets_what_its_line_says() {
        const struct {
            const char* recipient;
            const char* answer;
        } rows[] = {
            {"me@example.org", "ok"},
            {"ME@EXAMPLE.ORG", "ok"},
            {"you@example.org", "declined"},
            {"info@example.org", "deny 5.1.1 User not found."},
            {"gone@example.org", "deny 5.1.1 No such user"},
            {"busy@example.org", "denysoft 4.1.1 Mailbox is   being moved"},
            {"trap@example.org", "deny_disconnect 5.1.1 Caught"},
            {"pit@example.org", "denysoft_disconnect 4.1.1 Wait"},
            {"twice@example.org", "deny 5.1.1 Not any more"},
            {"\"a,b\"@example.org", "ok"},
            {"nobody@example.org", "deny 5.1.1 No such user"},
            {"me@sub.example.org", "declined"},
            {"ghost@example.com", "declined"},
            {"postmaster", "declined"},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.recipient, std::string(row.answer), answer(row.recipient));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("the domain of the option in another case", std::string("ok"),
                                     answer("me@example.org", "domain=EXAMPLE.Org"));
    }

    void the_domain_has_two_forms() {
        for (const char* domain : {"bücher.example", "xn--bcher-kva.example", "BÜCHER.example"})
            for (const char* listed : {"me@bücher.example", "Me@xn--bcher-kva.example"})
                for (const char* sent : {"me@bücher.example", "me@Bücher.example", "me@xn--bcher-kva.example"}) {
                    PluginUnderTest plugin("rcpt_map", std::string("file=map domain=") + domain,
                                           {{"map", std::string(listed) + " OK\n"}});
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(domain) + " " + listed + " " + sent, std::string("ok"),
                                                 shown(plugin.rcpt(sent)));
                    CPPUNIT_ASSERT_EQUAL(std::string("deny 5.1.1 No such user"),
                                         shown(plugin.rcpt("x@bücher.example")));
                }
    }

    void the_case_of_names_counts_where_the_server_says_so() {
        PluginUnderTest plugin("rcpt_map", "domain=example.org file=map",
                               {{"map", "Bob@example.org OK\nPostmaster@example.org OK\n"}}, LocalPartCase::sensitive);
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(plugin.rcpt("Bob@Example.org")));
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.1.1 No such user"), shown(plugin.rcpt("bob@example.org")));
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(plugin.rcpt("POSTMASTER@example.org")));
    }

    void who_is_not_in_the_map_gets_the_default() {
        const struct {
            const char* options;
            const char* answer;
        } rows[] = {
            {"", "deny 5.1.1 No such user"},
            {"default=DENY", "deny 5.1.1 No such user"},
            {"default=DENY=User_not_found", "deny 5.1.1 User not found"},
            {"default DENYSOFT=a=b", "denysoft 4.1.1 a=b"},
            {"default=denysoft_disconnect=go_away", "denysoft_disconnect 4.1.1 go away"},
            {"default=OK", "ok"},
            {"default=DECLINED", "declined"},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(row.answer),
                                         answer("nobody@example.org", row.options));
    }

    void the_map_may_be_anywhere() {
        fakes::TempDirectory elsewhere;
        elsewhere.write("users", "me@example.org OK\n");
        PluginUnderTest plugin("rcpt_map", "domain example.org file " + elsewhere.path("users"));
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(plugin.rcpt("me@example.org")));
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.1.1 No such user"), shown(plugin.rcpt("you@example.org")));
    }

    void a_changed_map_is_read_again_and_a_wrong_one_is_not_used() {
        PluginUnderTest plugin("rcpt_map", "domain=example.org file=map", {{"map", "me@example.org OK\n"}});
        plugin.write_control("map", "you@example.org OK\n");
        CPPUNIT_ASSERT_EQUAL(std::string("deny"), std::string(verdict_name(plugin.rcpt("me@example.org").verdict)));
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(plugin.rcpt("you@example.org")));
        for (const char* wrong : {"", "# nothing\n", "you@example.org MAYBE\n"}) {
            plugin.log().clear();
            plugin.write_control("map", wrong);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(wrong, std::string("ok"), shown(plugin.rcpt("you@example.org")));
            if (*wrong != '#')  // which is as empty as before: that was said
                CPPUNIT_ASSERT_MESSAGE(wrong, plugin.log().contains("the previous content stays in use"));
        }
        plugin.remove_control("map");
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(plugin.rcpt("you@example.org")));
    }

    void mistakes_are_found_at_configtest() {
        const struct {
            const char* options;
            const char* map;
            const char* problem;
        } rows[] = {
            {"domain=example.org", "me@example.org OK\n", "file"},
            {"file=map", "me@example.org OK\n", "domain"},
            {"domain=example.org file=map", "", "map has no addresses, or does not exist"},
            {"domain=example.org file=other", "me@example.org OK\n", "other has no addresses, or does not exist"},
            {"domain=example.org file=/no/such/map", "", "/no/such/map has no addresses, or does not exist"},
            {"domain=example.org file=map", "# x\nme@example.org\n", "map:2: \"\" must be OK, DECLINED"},
            {"domain=example.org file=map", "me@example.org MAYBE\n", "map:1: \"MAYBE\" must be OK"},
            {"domain=example.org file=map", "me OK\n", "map:1: \"me\" is not an address"},
            {"domain=example.org file=map default=NO", "me@example.org OK\n", "default=\"NO\" must begin with OK"},
            {"domain=example.org file=map default==x", "me@example.org OK\n", "default=\"=x\" must begin with OK"},
        };
        for (const auto& row : rows) {
            const PluginUnderTest plugin("rcpt_map", row.options, {{"map", row.map}});
            CPPUNIT_ASSERT_MESSAGE(row.problem + (": " + plugin.problems()),
                                   !plugin.is_usable() || !plugin.problems().empty());
            CPPUNIT_ASSERT_MESSAGE(row.problem + (": " + plugin.problems()),
                                   plugin.problems().find(row.problem) != std::string::npos);
        }
    }

    void policy_options_apply_to_refusals_and_nobody_is_exempt() {
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), answer("info@example.org", "reject=no"));
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), answer("me@example.org", "reject=no"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("the line says it", std::string("deny 5.1.1 User not found."),
                                     answer("info@example.org", "reject_type=temp"));

        PluginUnderTest plugin("rcpt_map", "domain=example.org file=map", {{"map", map}});
        plugin.connection().set_relay_client(true);
        plugin.connection().set_whitelisted("a friend");
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.1.1 No such user"), shown(plugin.rcpt("nobody@example.org")));

        PluginUnderTest deferring("rcpt_map", "domain=example.org file=map reject=naughty", {{"map", map}});
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(deferring.rcpt("trap@example.org")));
        CPPUNIT_ASSERT(deferring.connection().complaints().front().verdict == Verdict::deny_disconnect);
    }

    void what_is_said_is_logged() {
        PluginUnderTest plugin("rcpt_map", "domain=example.org file=map", {{"map", map}});
        (void)plugin.rcpt("me@example.org");
        CPPUNIT_ASSERT_EQUAL(std::string("pass: me@example.org is OK"), plugin.log().last());
        (void)plugin.rcpt("Info@example.org");
        CPPUNIT_ASSERT_EQUAL(std::string("fail: Info@example.org is deny for info@example.org"), plugin.log().last());
        (void)plugin.rcpt("nobody@example.org");
        CPPUNIT_ASSERT_EQUAL(std::string("fail: nobody@example.org is deny for default"), plugin.log().last());
        (void)plugin.rcpt("nobody@example.com");
        CPPUNIT_ASSERT_EQUAL(std::string("skip: not in example.org"), plugin.log().last());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(RcptMapTest);

class RcptRegexpTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RcptRegexpTest);
    CPPUNIT_TEST(the_first_line_that_matches_decides);
    CPPUNIT_TEST(without_a_file_nothing_is_said);
    CPPUNIT_TEST(a_changed_file_is_read_again_and_a_wrong_one_is_not_used);
    CPPUNIT_TEST(mistakes_are_found_at_configtest);
    CPPUNIT_TEST(policy_options_apply_to_refusals_and_nobody_is_exempt);
    CPPUNIT_TEST(what_is_said_is_logged);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* list =
        "# first match\n"
        "me@Example.org           OK       Accepting mail\n"
        "/^user\\d+\\@example\\.org$/  OK\n"
        "/^(abuse|postmaster)@/   DECLINED\n"
        "info@example.com         DENY     User not found.\n"
        "/^unused\\@.*/            DENY\n"
        "/@slow\\.example$/\tDENYSOFT\tCome back later\n"
        "/^trap@/ DENY_DISCONNECT Caught\n"
        "/^pit@/ DENYSOFT_DISCONNECT\n"
        "/^.*@closed\\.example$/ DENY Closed\n";

    static std::string answer(const std::string& recipient, const std::string& options = {}) {
        PluginUnderTest plugin("rcpt_regexp", options, {{"rcpt_regexp", list}});
        return shown(plugin.rcpt(recipient));
    }

public:
    void the_first_line_that_matches_decides() {
        const struct {
            const char* recipient;
            const char* answer;
        } rows[] = {
            {"me@example.org", "ok"},
            {"ME@EXAMPLE.ORG", "ok"},
            {"not.me@example.org", "declined"},
            {"user12@example.org", "ok"},
            {"User12@Example.Org", "ok"},
            {"user@example.org", "declined"},
            {"user12@example.org.example.com", "declined"},
            {"abuse@closed.example", "declined"},
            {"info@example.com", "deny 5.7.1 User not found."},
            {"unused@example.com", "deny 5.7.1"},
            {"x@slow.example", "denysoft 4.7.1 Come back later"},
            {"trap@example.com", "deny_disconnect 5.7.1 Caught"},
            {"pit@example.com", "denysoft_disconnect 4.7.1"},
            {"x@closed.example", "deny 5.7.1 Closed"},
            {"x@example.com", "declined"},
            {"postmaster", "declined"},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.recipient, std::string(row.answer), answer(row.recipient));
    }

    void without_a_file_nothing_is_said() {
        PluginUnderTest plugin("rcpt_regexp");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.rcpt("me@example.org")));
    }

    void a_changed_file_is_read_again_and_a_wrong_one_is_not_used() {
        PluginUnderTest plugin("rcpt_regexp");
        plugin.write_control("rcpt_regexp", "/^me@/ DENY no\n");
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.7.1 no"), shown(plugin.rcpt("me@example.org")));
        plugin.write_control("rcpt_regexp", "/^me@/\n");
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.7.1 no"), shown(plugin.rcpt("me@example.org")));
        CPPUNIT_ASSERT(plugin.log().contains("rcpt_regexp:1: \"\" must be OK"));
    }

    void mistakes_are_found_at_configtest() {
        const struct {
            const char* file;
            const char* problem;
        } rows[] = {
            {"# x\n/^me@/\n", "rcpt_regexp:2: \"\" must be OK, DECLINED"},
            {"me@example.org YES\n", "rcpt_regexp:1: \"YES\" must be OK"},
            {"/a(*/ DENY\n", "rcpt_regexp:1: regular expression a(*: "},
            {"/^me@ DENY\n", "rcpt_regexp:1: \"/^me@\" is neither an address nor a /regular expression/"},
            {"me DENY\n", "rcpt_regexp:1: \"me\" is neither an address nor a /regular expression/"},
        };
        for (const auto& row : rows) {
            const PluginUnderTest plugin("rcpt_regexp", "", {{"rcpt_regexp", row.file}});
            CPPUNIT_ASSERT_MESSAGE(row.problem + (": " + plugin.problems()),
                                   plugin.problems().find(row.problem) != std::string::npos);
        }
    }

    void policy_options_apply_to_refusals_and_nobody_is_exempt() {
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), answer("info@example.com", "reject=no"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("the line says it", std::string("denysoft 4.7.1 Come back later"),
                                     answer("x@slow.example", "reject_type=disconnect"));
        PluginUnderTest plugin("rcpt_regexp", "", {{"rcpt_regexp", list}});
        plugin.connection().set_relay_client(true);
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.7.1 Closed"), shown(plugin.rcpt("x@closed.example")));
    }

    void what_is_said_is_logged() {
        PluginUnderTest plugin("rcpt_regexp", "", {{"rcpt_regexp", list}});
        (void)plugin.rcpt("user1@example.org");
        CPPUNIT_ASSERT_EQUAL(std::string("pass: user1@example.org is OK as /^user\\\\d+\\\\@example\\\\.org$/"),
                             plugin.log().last());
        (void)plugin.rcpt("x@slow.example");
        CPPUNIT_ASSERT_EQUAL(std::string("fail: x@slow.example is denysoft as /@slow\\\\.example$/"),
                             plugin.log().last());
        (void)plugin.rcpt("x@example.com");
        CPPUNIT_ASSERT_EQUAL(std::string("pass"), plugin.log().last());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(RcptRegexpTest);

}  // namespace
}  // namespace smtpd
