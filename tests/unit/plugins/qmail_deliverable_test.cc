/// qmail_deliverable_test.cc: yes, no, and cannot tell.
#include "fakes/line_server.h"
#include "fakes/local_daemon.h"
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::LocalDaemon;
using fakes::PluginUnderTest;
using fakes::shown;

constexpr const char* no_mailbox = "deny 5.1.1 Sorry, no mailbox by that name";
constexpr const char* tempfail = "denysoft 451 4.3.0 Local error in processing";

std::string http(std::string_view code, std::string_view body) {
    return format_text("HTTP/1.0 {} x\r\nContent-Type: text/plain\r\n\r\n{}", code, body);
}

/// A qmail-deliverabled that gives every client the same answer.
LocalDaemon::Response says(const std::string& response) {
    return [response](std::string_view request) {
        return request.ends_with("\r\n\r\n") ? std::optional(response) : std::nullopt;
    };
}

class QmailDeliverableTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(QmailDeliverableTest);
    CPPUNIT_TEST(each_status_is_yes_no_or_unknown);
    CPPUNIT_TEST(a_list_takes_no_null_sender);
    CPPUNIT_TEST(the_question_is_one_of_http);
    CPPUNIT_TEST(what_is_no_status_is_an_error);
    CPPUNIT_TEST(a_server_that_is_not_there_is_an_error_and_left_alone_for_a_while);
    CPPUNIT_TEST(the_pause_grows);
    CPPUNIT_TEST(each_server_is_left_alone_by_itself);
    CPPUNIT_TEST(silence_takes_as_long_as_it_may);
    CPPUNIT_TEST(a_name_is_looked_up);
    CPPUNIT_TEST(routes_say_who_is_asked);
    CPPUNIT_TEST(routes_are_read_again);
    CPPUNIT_TEST(policy_options_apply);
    CPPUNIT_TEST(immune_clients_are_not_judged);
    CPPUNIT_TEST(mistakes_are_found_at_configtest);
    CPPUNIT_TEST_SUITE_END();

    static std::string at(const LocalDaemon& server, const std::string& others = {}) {
        return format_text("server=127.0.0.1:{} {}", server.port(), others);
    }

public:
    void each_status_is_yes_no_or_unknown() {
        const struct {
            int status;
            const char* answer;
            const char* line;
            int karma;
        } rows[] = {
            {0x00, no_mailbox, "fail: a@example.com does not exist", -1},
            {0x11, tempfail, "error: cannot tell about a@example.com: no permission to look", 0},
            {0x12, "declined", "pass: a@example.com: a command in dot-qmail", 0},
            {0x13, "declined", "pass: a@example.com: bouncesaying with a program", 0},
            {0x14, "declined", "pass: a@example.com: mailing list", 0},
            {0x21, tempfail, "error: cannot tell about a@example.com: others may write to its folder", 0},
            {0x22, tempfail, "error: cannot tell about a@example.com: its folder is sticky", 0},
            {0x2f, tempfail, "error: cannot tell about a@example.com: the server cannot ask", 0},
            {0xf1, "declined", "pass: a@example.com: normal delivery", 0},
            {0xf2, "declined", "pass: a@example.com: vpopmail directory", 0},
            {0xf3, "declined", "pass: a@example.com: vpopmail alias", 0},
            {0xf4, "declined", "pass: a@example.com: vpopmail catch-all", 0},
            {0xf5, "declined", "pass: a@example.com: vpopmail user", 0},
            {0xf6, "declined", "pass: a@example.com: vpopmail extension", 0},
            {0xfe, tempfail, "error: cannot tell about a@example.com: status 254", 0},
            {0xff, "declined", "skip: a@example.com is not local there", 0},
            {0x99, tempfail, "error: cannot tell about a@example.com: status 153", 0},
        };
        for (const auto& row : rows) {
            const LocalDaemon server(says(http("200", std::to_string(row.status) + "\n")));
            PluginUnderTest plugin("qmail_deliverable", at(server, "onerror=tempfail"));
            (void)plugin.mail("sender@example.net");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.line, std::string(row.answer), shown(plugin.rcpt("a@example.com")));
            CPPUNIT_ASSERT_EQUAL(std::string(row.line), plugin.log().last());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.line, row.karma, plugin.connection().karma());
            if (row.answer != std::string(tempfail)) continue;
            PluginUnderTest lenient("qmail_deliverable", at(server));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.line, std::string("declined"), shown(lenient.rcpt("a@example.com")));
        }
    }

    void a_list_takes_no_null_sender() {
        const LocalDaemon server(says(http("200", "20")));
        PluginUnderTest plugin("qmail_deliverable", at(server));
        (void)plugin.mail("");
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.7.1 mailing lists do not accept null senders"),
                             shown(plugin.rcpt("list@example.com")));
        CPPUNIT_ASSERT_EQUAL(-1, plugin.connection().karma());
        (void)plugin.mail("sender@example.net");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.rcpt("list@example.com")));
    }

    void the_question_is_one_of_http() {
        const LocalDaemon server(says(http("200", "241")));
        PluginUnderTest plugin("qmail_deliverable", at(server));
        (void)plugin.rcpt("a+b=c~d%e@Example.com");
        (void)plugin.rcpt("\"x y&z\"@example.com");
        const std::string expected = format_text(
            "GET /qd1/deliverable?a%2Bb%3Dc~d%25e%40example.com HTTP/1.0\r\nHost: 127.0.0.1:{}\r\nConnection: "
            "close\r\n\r\n",
            server.port());
        CPPUNIT_ASSERT_EQUAL(expected, server.requests().at(0));
        CPPUNIT_ASSERT(
            server.requests().at(1).starts_with("GET /qd1/deliverable?%22x%20y%26z%22%40example.com HTTP/1.0\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.rcpt("postmaster")));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("without a domain nothing is asked", std::size_t(2), server.requests().size());
    }

    void what_is_no_status_is_an_error() {
        const struct {
            std::string response;
            const char* line;
        } rows[] = {
            {http("204", ""), "error: 127.0.0.1: the server does not know"},
            {http("403", "0"), "error: 127.0.0.1: the server refuses to answer (403)"},
            {http("500", "0"), "error: 127.0.0.1: the server answers 500"},
            {http("404", ""), "error: 127.0.0.1: the server answers 404"},
            {http("200", ""), "error: 127.0.0.1: the server's answer is not a status: "},
            {http("200", "0 or so"), "error: 127.0.0.1: the server's answer is not a status: 0 or so"},
            {http("200", "-1"), "error: 127.0.0.1: the server's answer is not a status: -1"},
            {http("200", "99999999999"), "error: 127.0.0.1: the server's answer is not a status: 99999999999"},
            {"HTTP/1.0 200 OK\r\n0", "error: 127.0.0.1: the server's answer is not a status: "},
            {"HTTP/1.0\r\n", "error: 127.0.0.1: the server does not speak HTTP"},
            {"220 mail.example.com ESMTP\r\n", "error: 127.0.0.1: the server does not speak HTTP"},
            {"", "error: 127.0.0.1: the server does not speak HTTP"},
        };
        for (const auto& row : rows) {
            const LocalDaemon server(says(row.response));
            PluginUnderTest plugin("qmail_deliverable", at(server, "onerror=tempfail"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.line, std::string(tempfail), shown(plugin.rcpt("a@example.com")));
            CPPUNIT_ASSERT_EQUAL(std::string(row.line), plugin.log().last());
        }
        const LocalDaemon chatty(says(http("200", std::string(100'000, '0'))));
        PluginUnderTest plugin("qmail_deliverable", at(chatty));
        (void)plugin.rcpt("a@example.com");
        CPPUNIT_ASSERT_MESSAGE(plugin.log().last(), plugin.log().last().ends_with("sent more than 65536 octets"));
    }

    void a_server_that_is_not_there_is_an_error_and_left_alone_for_a_while() {
        std::uint16_t port = 0;
        {
            const LocalDaemon gone(says(""));
            port = gone.port();
        }
        PluginUnderTest plugin("qmail_deliverable", format_text("server=localhost:{} onerror=tempfail", port));
        const std::string refused = format_text("error: cannot connect to 127.0.0.1:{}: Connection refused", port);
        CPPUNIT_ASSERT_EQUAL(std::string(tempfail), shown(plugin.rcpt("a@example.com")));
        CPPUNIT_ASSERT_EQUAL(refused, plugin.log().last());
        CPPUNIT_ASSERT_EQUAL(std::string(tempfail), shown(plugin.rcpt("a@example.com")));
        CPPUNIT_ASSERT_EQUAL(std::string("error: localhost did not answer a moment ago"), plugin.log().last());
        plugin.clock().advance(std::chrono::seconds(10));
        (void)plugin.rcpt("a@example.com");
        CPPUNIT_ASSERT_EQUAL(refused, plugin.log().last());
    }

    void the_pause_grows() {
        PluginUnderTest plugin("qmail_deliverable", format_text("server=localhost:{}", fakes::closed_port()));
        (void)plugin.rcpt("a@example.com");
        for (const auto seconds : {10, 20, 40}) {
            const std::chrono::milliseconds pause = std::chrono::seconds(seconds);
            const auto shortest = pause * 3 / 4;
            plugin.clock().advance(shortest - std::chrono::milliseconds(1));
            (void)plugin.rcpt("a@example.com");
            CPPUNIT_ASSERT_EQUAL(std::string("error: localhost did not answer a moment ago"), plugin.log().last());
            plugin.clock().advance(pause - shortest + std::chrono::milliseconds(1));
            (void)plugin.rcpt("a@example.com");
            CPPUNIT_ASSERT_MESSAGE(plugin.log().last(), plugin.log().last().ends_with("Connection refused"));
        }
    }

    void each_server_is_left_alone_by_itself() {
        const LocalDaemon server(says(http("200", "0")));
        PluginUnderTest plugin("qmail_deliverable", format_text("server=smtproutes:{}", server.port()),
                               {{"smtproutes", "example.com:127.0.0.1\nexample.net:127.0.0.99\n"}});
        const auto ask = [&](const char* recipient) {
            (void)plugin.rcpt(recipient);
            return plugin.log().last();
        };
        CPPUNIT_ASSERT_EQUAL(format_text("error: cannot connect to 127.0.0.99:{}: Connection refused", server.port()),
                             ask("a@example.net"));
        CPPUNIT_ASSERT_EQUAL(std::string("error: 127.0.0.99 did not answer a moment ago"), ask("a@example.net"));
        CPPUNIT_ASSERT_EQUAL(std::string("fail: a@example.com does not exist"), ask("a@example.com"));
    }

    void silence_takes_as_long_as_it_may() {
        const LocalDaemon server([](std::string_view) { return LocalDaemon::silence; });
        PluginUnderTest plugin("qmail_deliverable", at(server, "timeout=50ms"));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.rcpt("a@example.com")));
        CPPUNIT_ASSERT_EQUAL(format_text("error: 127.0.0.1:{} did not answer within 50 ms", server.port()),
                             plugin.log().last());
        CPPUNIT_ASSERT_EQUAL(0, plugin.connection().karma());
    }

    void a_name_is_looked_up() {
        const LocalDaemon server(says(http("200", "0")));
        PluginUnderTest plugin("qmail_deliverable", format_text("server=mail.example.com:{}", server.port()));
        plugin.dns({"mail.example.com A 127.0.0.1", "slow.example.com TIMEOUT"});
        CPPUNIT_ASSERT_EQUAL(std::string(no_mailbox), shown(plugin.rcpt("a@example.com")));
        PluginUnderTest slow("qmail_deliverable", "server=slow.example.com:8998 onerror=tempfail");
        slow.dns({"slow.example.com TIMEOUT"});
        CPPUNIT_ASSERT_EQUAL(std::string(tempfail), shown(slow.rcpt("a@example.com")));
        CPPUNIT_ASSERT_MESSAGE(slow.log().last(),
                               slow.log().last().starts_with("error: the server slow.example.com has no address: "));
        PluginUnderTest unknown("qmail_deliverable", "server=nowhere.example.com:8998");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(unknown.rcpt("a@example.com")));
        CPPUNIT_ASSERT_MESSAGE(unknown.log().last(), unknown.log().last().starts_with(
                                                         "error: the server nowhere.example.com has no address: "));
    }

    void routes_say_who_is_asked() {
        const char* routes =
            "# domain:host\n"
            "example.com:mail.example.com\n"
            "Example.org:[127.0.0.1]:25\n"
            ".example.net:127.0.0.1:2525\n"
            "direct.example.net:\n";
        const struct {
            const char* fallback;
            const char* routes;
            const char* recipient;
            bool is_asked;
        } rows[] = {
            {"", routes, "a@example.com", true},
            {"", routes, "a@EXAMPLE.ORG", true},
            {"", routes, "a@sub.example.com", false},
            {"", routes, "a@a.b.example.net", true},
            {"", routes, "a@example.net", false},
            {"", routes, "a@direct.example.net", false},
            {"", routes, "a@elsewhere.example", false},
            {"127.0.0.1:", routes, "a@elsewhere.example", true},
            {"localhost:", routes, "a@direct.example.net", true},
            {"", ":127.0.0.1\n", "a@elsewhere.example", true},
            {"", "", "a@example.com", false},
            {"", "bücher.example:127.0.0.1\n", "a@xn--bcher-kva.example", true},
            {"", ".xn--bcher-kva.example:127.0.0.1\n", "a@mx.BÜCHER.example", true},
        };
        for (const auto& row : rows) {
            const LocalDaemon server(says(http("200", "0")));
            PluginUnderTest plugin("qmail_deliverable",
                                   format_text("server smtproutes:{}{}", row.fallback, server.port()),
                                   {{"smtproutes", row.routes}});
            plugin.dns({"mail.example.com A 127.0.0.1"});
            const std::string what = std::string(row.fallback) + " " + row.recipient;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, std::string(row.is_asked ? no_mailbox : "declined"),
                                         shown(plugin.rcpt(row.recipient)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, std::size_t(row.is_asked), server.requests().size());
            if (!row.is_asked)
                CPPUNIT_ASSERT(plugin.log().last().starts_with("skip: there is no server to ask about "));
        }
    }

    void routes_are_read_again() {
        const LocalDaemon server(says(http("200", "0")));
        PluginUnderTest plugin("qmail_deliverable", format_text("server=smtproutes:{}", server.port()));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.rcpt("a@example.com")));
        plugin.write_control("smtproutes", "example.com:127.0.0.1\n");
        CPPUNIT_ASSERT_EQUAL(std::string(no_mailbox), shown(plugin.rcpt("a@example.com")));
    }

    void policy_options_apply() {
        const LocalDaemon server(says(http("200", "0")));
        PluginUnderTest tolerant("qmail_deliverable", at(server, "reject=0"));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(tolerant.rcpt("a@example.com")));
        CPPUNIT_ASSERT_EQUAL(std::string("fail, tolerated: a@example.com does not exist"), tolerant.log().last());
        PluginUnderTest deferring("qmail_deliverable", at(server, "reject=naughty"));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(deferring.rcpt("a@example.com")));
        CPPUNIT_ASSERT(deferring.connection().is_naughty());
    }

    void immune_clients_are_not_judged() {
        const LocalDaemon server(says(http("200", "0")));
        PluginUnderTest plugin("qmail_deliverable", at(server));
        plugin.connection().set_relay_client(true);
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.rcpt("a@example.com")));
        CPPUNIT_ASSERT(server.requests().empty());
    }

    void mistakes_are_found_at_configtest() {
        for (const char* wrong :
             {"server=127.0.0.1", "server=:8998", "server=127.0.0.1:0", "server=127.0.0.1:70000",
              "server=127.0.0.1:http", "server=smtproutes:", "server=smtproutes:host", "timeout=0", "vpopmail_ext=1"})
            CPPUNIT_ASSERT_MESSAGE(wrong, !PluginUnderTest("qmail_deliverable", wrong).is_usable());
        for (const char* right : {"", "server=[::1]:8998", "server=mail.example.com:1", "server=smtproutes:8998",
                                  "server=smtproutes:[::1]:8998"})
            CPPUNIT_ASSERT_MESSAGE(right, PluginUnderTest("qmail_deliverable", right).is_usable());
        const PluginUnderTest bad_routes("qmail_deliverable", "server=smtproutes:8998",
                                         {{"smtproutes", "example.com\n"}});
        CPPUNIT_ASSERT_MESSAGE(
            bad_routes.problems(),
            bad_routes.problems().find("smtproutes:1: \"example.com\" is not of the form domain:host") !=
                std::string::npos);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(QmailDeliverableTest);

}  // namespace
}  // namespace smtpd
