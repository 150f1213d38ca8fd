/// auth_imap_test.cc: the client's side of IMAP's LOGIN, with a server that says what a test wants it to.
#include "fakes/local_daemon.h"
#include "fakes/plugin_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::LocalDaemon;
using fakes::PluginUnderTest;
using namespace std::string_literals;

const std::string hello = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n";

class AuthImapTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthImapTest);
    CPPUNIT_TEST(the_servers_answer_decides);
    CPPUNIT_TEST(the_greeting_decides_whether_it_is_told_the_password);
    CPPUNIT_TEST(names_and_passwords_arrive_as_they_are);
    CPPUNIT_TEST(a_server_that_takes_no_literals_cannot_say);
    CPPUNIT_TEST(a_server_that_is_down_or_slow_cannot_say);
    CPPUNIT_TEST(wrong_options_are_named);
    CPPUNIT_TEST_SUITE_END();

    static std::string at(const LocalDaemon& daemon, const std::string& more = "timeout=2s") { return "127.0.0.1 " + std::to_string(daemon.port()) + " " + more; }

public:
    void the_servers_answer_decides() {
        std::string chatter;
        for (int i = 0; i < 101; ++i) chatter += "* 1 EXISTS\r\n";
        const std::pair<std::string, Verdict> rows[] = {{"a OK logged in\r\n", Verdict::ok},
                                                        {"a ok\r\n", Verdict::ok},
                                                        {"* CAPABILITY IMAP4rev1\r\na OK [CAPABILITY IMAP4rev1] logged in\r\n", Verdict::ok},
                                                        {"a OK logged in\n", Verdict::ok},
                                                        {"a NO [AUTHENTICATIONFAILED] no\r\n", Verdict::deny},
                                                        {"a NO wrong\r\n", Verdict::deny},
                                                        {"a NO [\r\n", Verdict::deny},
                                                        {"a NO [EXPIRED] too old\r\n", Verdict::deny},
                                                        {"a NO [UNAVAILABLE] later\r\n", Verdict::denysoft},
                                                        {"a NO [unavailable] later\r\n", Verdict::denysoft},
                                                        {"a NO [LIMIT 10] many\r\n", Verdict::denysoft},
                                                        {"a NO [PRIVACYREQUIRED] TLS first\r\n", Verdict::denysoft},
                                                        {"a BAD what\r\n", Verdict::denysoft},
                                                        {"b OK logged in\r\n", Verdict::denysoft},
                                                        {"+ more\r\n", Verdict::denysoft},
                                                        {"* BYE gone\r\n", Verdict::denysoft},
                                                        {chatter + "a OK\r\n", Verdict::denysoft},
                                                        {std::string(9000, 'x') + "\r\n", Verdict::denysoft},
                                                        {LocalDaemon::hang_up, Verdict::denysoft}};
        for (const auto& [answer, verdict] : rows) {
            const LocalDaemon imap(LocalDaemon::Turns{{"", hello}, {"\r\n", answer}});
            PluginUnderTest plugin("auth/auth_imap", at(imap));
            CPPUNIT_ASSERT_MESSAGE(answer.substr(0, 60), plugin.auth_plain("joe", "secret").verdict == verdict);
            CPPUNIT_ASSERT_EQUAL("a LOGIN \"joe\" \"secret\"\r\n"s, imap.requests().at(0));
        }
        const LocalDaemon half(LocalDaemon::Turns{{"", hello}, {"\r\n", "a OK"}, {"", LocalDaemon::hang_up}});
        PluginUnderTest plugin("auth/auth_imap", at(half));
        CPPUNIT_ASSERT_MESSAGE("half an answer", plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
    }

    void the_greeting_decides_whether_it_is_told_the_password() {
        for (const auto* const greeting : {"* BYE full\r\n", "* PREAUTH you are known\r\n", "+OK POP3\r\n", "220 mx ESMTP\r\n", "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] TLS first\r\n"}) {
            const LocalDaemon imap(LocalDaemon::Turns{{"", greeting}, {"\r\n", "a OK\r\n"}});
            PluginUnderTest plugin("auth/auth_imap", at(imap));
            CPPUNIT_ASSERT_MESSAGE(greeting, plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
            CPPUNIT_ASSERT_MESSAGE(greeting, imap.requests().empty());
        }
    }

    void names_and_passwords_arrive_as_they_are() {
        const struct {
            std::string user, password;
            LocalDaemon::Turns turns;
            std::string request;
        } rows[] = {
            {"joe doe", "a\"b\\c {3}", {{"\r\n", "a OK\r\n"}}, "a LOGIN \"joe doe\" \"a\\\"b\\\\c {3}\"\r\n"},
            {"joe", "", {{"\r\n", "a OK\r\n"}}, "a LOGIN \"joe\" \"\"\r\n"},
            {"joe", "gr\xc3\xbcn", {{"{5}\r\n", "* OK still here\r\n+ go on\r\n"}, {"\r\n", "a OK\r\n"}}, "a LOGIN \"joe\" {5}\r\ngr\xc3\xbcn\r\n"},
            {"j\xc3\xb6", "secret", {{"{3}\r\n", "+ \r\n"}, {"\r\n", "a OK\r\n"}}, "a LOGIN {3}\r\nj\xc3\xb6 \"secret\"\r\n"},
            {"j\xc3\xb6", "\xc3\xbc", {{"{3}\r\n", "+\r\n"}, {"{2}\r\n", "+\r\n"}, {"\r\n", "a OK\r\n"}}, "a LOGIN {3}\r\nj\xc3\xb6 {2}\r\n\xc3\xbc\r\n"},
        };
        for (const auto& row : rows) {
            LocalDaemon::Turns turns{{"", hello}};
            turns.insert(turns.end(), row.turns.begin(), row.turns.end());
            const LocalDaemon imap(turns);
            PluginUnderTest plugin("auth/auth_imap", at(imap));
            CPPUNIT_ASSERT_MESSAGE(row.request, plugin.auth_plain(row.user, row.password).verdict == Verdict::ok);
            CPPUNIT_ASSERT_EQUAL(row.request, imap.requests().at(0));
        }
    }

    void a_server_that_takes_no_literals_cannot_say() {
        for (const auto* const answer : {"a NO\r\n", "a BAD what\r\n", "a OK\r\n"}) {
            const LocalDaemon imap(LocalDaemon::Turns{{"", hello}, {"{2}\r\n", answer}});
            PluginUnderTest plugin("auth/auth_imap", at(imap));
            CPPUNIT_ASSERT_MESSAGE(answer, plugin.auth_plain("joe", "\xc3\xbc").verdict == Verdict::denysoft);
            CPPUNIT_ASSERT_EQUAL("a LOGIN \"joe\" {2}\r\n"s, imap.requests().at(0));
        }
    }

    void a_server_that_is_down_or_slow_cannot_say() {
        PluginUnderTest down("auth/auth_imap", "/nonexistent/imap");
        CPPUNIT_ASSERT(down.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        const fakes::TempDirectory directory;
        const LocalDaemon silent(directory.path("imap"), LocalDaemon::Turns{{"", hello}});
        PluginUnderTest plugin("auth/auth_imap", directory.path("imap") + " timeout=200ms");
        CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        CPPUNIT_ASSERT_MESSAGE(plugin.log().last(), plugin.log().last().find("did not answer within 200 ms") != std::string::npos);
    }

    void wrong_options_are_named() {
        CPPUNIT_ASSERT(!PluginUnderTest("auth/auth_imap").is_usable());
        for (const auto& [host, problem] : {std::pair{"imap.example.com", "\"imap.example.com\" is neither an address nor a path"}, {"192.0.2.1", "192.0.2.1 is not on this machine"}}) {
            const std::string problems = PluginUnderTest("auth/auth_imap", host).problems();
            CPPUNIT_ASSERT_MESSAGE(problems, problems.find(problem) != std::string::npos);
        }
        for (const auto* const host : {"localhost", "::1", "127.0.0.2 1143", "/run/imap"}) CPPUNIT_ASSERT_MESSAGE(host, PluginUnderTest("auth/auth_imap", host).is_usable());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AuthImapTest);

}  // namespace
}  // namespace smtpd
