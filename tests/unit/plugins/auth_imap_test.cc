/// auth_imap_test.cc: the client's side of IMAP's LOGIN, with a server whose answers the test defines.
#include "fakes/line_server.h"
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
    CPPUNIT_TEST(the_password_goes_through_tls);
    CPPUNIT_TEST(a_server_without_a_good_certificate_is_told_nothing);
    CPPUNIT_TEST(what_comes_before_tls_does_not_count);
    CPPUNIT_TEST(the_servers_name_is_looked_up);
    CPPUNIT_TEST(the_second_server_takes_over);
    CPPUNIT_TEST(each_server_has_a_certificate_of_its_own);
    CPPUNIT_TEST(a_silent_server_leaves_time_to_the_next);
    CPPUNIT_TEST(a_server_that_failed_is_left_alone);
    CPPUNIT_TEST(clients_cannot_bring_that_about);
    CPPUNIT_TEST(each_login_has_its_own_connection);
    CPPUNIT_TEST(wrong_options_are_named);
    CPPUNIT_TEST_SUITE_END();

    fakes::TempDirectory directory_;
    fakes::Authority authority_;
    const fakes::TlsServerIdentity identity_ = authority_.issue("DNS:imap.example.com,DNS:localhost,IP:127.0.0.1");

    std::string over_tls(const LocalDaemon& daemon, const std::string& tls, const std::string& host = "127.0.0.1") {
        return format_text("{} {} timeout=2s tls={} ca_file={}", host, daemon.port(), tls,
                           directory_.write("ca.pem", authority_.pem()));
    }
    /// The replies of a server with STARTTLS until it gets the password.
    static LocalDaemon::Turns starttls(LocalDaemon::Turns behind) {
        LocalDaemon::Turns turns{{"", "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n"},
                                 {"s STARTTLS\r\n", "* OK wait\r\ns OK now\r\n"},
                                 {"", LocalDaemon::handshake}};
        turns.insert(turns.end(), behind.begin(), behind.end());
        return turns;
    }

    static std::string at(const LocalDaemon& daemon, const std::string& more = "timeout=2s") {
        return "127.0.0.1 " + std::to_string(daemon.port()) + " " + more;
    }

public:
    void the_servers_answer_decides() {
        std::string chatter;
        for (int i = 0; i < 101; ++i) chatter += "* 1 EXISTS\r\n";
        const std::pair<std::string, Verdict> rows[] = {
            {"a OK logged in\r\n", Verdict::ok},
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
        for (const auto* const greeting :
             {"* BYE full\r\n", "* PREAUTH you are known\r\n", "+OK POP3\r\n", "220 mx ESMTP\r\n",
              "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] TLS first\r\n"}) {
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
            {"joe",
             "gr\xc3\xbcn",
             {{"{5}\r\n", "* OK still here\r\n+ go on\r\n"}, {"\r\n", "a OK\r\n"}},
             "a LOGIN \"joe\" {5}\r\ngr\xc3\xbcn\r\n"},
            {"j\xc3\xb6",
             "secret",
             {{"{3}\r\n", "+ \r\n"}, {"\r\n", "a OK\r\n"}},
             "a LOGIN {3}\r\nj\xc3\xb6 \"secret\"\r\n"},
            {"j\xc3\xb6",
             "\xc3\xbc",
             {{"{3}\r\n", "+\r\n"}, {"{2}\r\n", "+\r\n"}, {"\r\n", "a OK\r\n"}},
             "a LOGIN {3}\r\nj\xc3\xb6 {2}\r\n\xc3\xbc\r\n"},
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
        const LocalDaemon silent(directory_.path("imap"), LocalDaemon::Turns{{"", hello}});
        PluginUnderTest plugin("auth/auth_imap", directory_.path("imap") + " timeout=200ms");
        CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        CPPUNIT_ASSERT_MESSAGE(plugin.log().last(),
                               plugin.log().last().find("did not answer within 200 ms") != std::string::npos);
    }

    void the_password_goes_through_tls() {
        const LocalDaemon::Turn capability{"c CAPABILITY\r\n", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nc OK\r\n"};
        for (const auto& [answer, verdict] :
             {std::pair{"a OK in\r\n", Verdict::ok}, {"a NO [AUTHENTICATIONFAILED] no\r\n", Verdict::deny}}) {
            const LocalDaemon imaps(LocalDaemon::Turns{{"", LocalDaemon::handshake}, {"", hello}, {"\r\n", answer}},
                                    identity_);
            PluginUnderTest first("auth/auth_imap", over_tls(imaps, "imaps"));
            CPPUNIT_ASSERT_MESSAGE(answer, first.auth_plain("joe", "secret").verdict == verdict);
            CPPUNIT_ASSERT_EQUAL("a LOGIN \"joe\" \"secret\"\r\n"s, imaps.requests().at(0));

            const LocalDaemon later(starttls({capability, {"\r\n", answer}}), identity_);
            PluginUnderTest second("auth/auth_imap", over_tls(later, "starttls", "localhost"));
            CPPUNIT_ASSERT_MESSAGE(answer, second.auth_plain("joe", "secret").verdict == verdict);
            CPPUNIT_ASSERT_EQUAL("s STARTTLS\r\nc CAPABILITY\r\na LOGIN \"joe\" \"secret\"\r\n"s,
                                 later.requests().at(0));
            CPPUNIT_ASSERT_EQUAL("localhost"s, later.names().at(0));
        }
    }

    void a_server_without_a_good_certificate_is_told_nothing() {
        const auto another = authority_.issue("DNS:mail.example.com");
        for (const auto* const tls : {"imaps", "starttls"}) {
            const LocalDaemon imap(
                tls == "imaps"s ? LocalDaemon::Turns{{"", LocalDaemon::handshake}, {"", hello}, {"\r\n", "a OK\r\n"}}
                                : starttls({{"\r\n", "c OK\r\n"}}),
                another);
            PluginUnderTest plugin("auth/auth_imap", over_tls(imap, tls));
            CPPUNIT_ASSERT_MESSAGE(tls, plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
            CPPUNIT_ASSERT_EQUAL(
                format_text("error: 127.0.0.1:{} has no valid certificate for 127.0.0.1: IP address mismatch",
                            imap.port()),
                plugin.log().last());
            CPPUNIT_ASSERT_MESSAGE(tls, imap.requests().empty());
        }
    }

    void what_comes_before_tls_does_not_count() {
        const std::string offers = "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n";
        const struct {
            const char* name;
            LocalDaemon::Turns turns;
            const char* complaint;
        } rows[] = {
            {"an answer for later",
             {{"", offers}, {"\r\n", "s OK now\r\na OK in\r\n"}, {"", LocalDaemon::handshake}},
             "sent something before TLS began"},
            {"half a line for later",
             {{"", offers}, {"\r\n", "s OK now\r\n*"}, {"", LocalDaemon::handshake}},
             "sent something before TLS began"},
            {"no", {{"", offers}, {"\r\n", "s NO not here\r\n"}}, "does not begin TLS"},
            {"what is that", {{"", offers}, {"\r\n", "s BAD what\r\n"}}, "does not begin TLS"},
            {"logged in already", {{"", "* PREAUTH you are known\r\n"}}, "does not greet with OK"},
            {"no passwords", starttls({{"\r\n", "* CAPABILITY IMAP4rev1 LOGINDISABLED\r\nc OK\r\n"}}),
             "does not accept passwords (LOGINDISABLED)"},
            {"no capabilities", starttls({{"\r\n", "c BAD what\r\n"}}), "does not understand CAPABILITY"},
        };
        for (const auto& row : rows) {
            const LocalDaemon imap(row.turns, identity_);
            PluginUnderTest plugin("auth/auth_imap", over_tls(imap, "starttls"));
            CPPUNIT_ASSERT_MESSAGE(row.name, plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
            CPPUNIT_ASSERT_MESSAGE(row.name + ": "s + plugin.log().last(),
                                   plugin.log().last().ends_with(row.complaint));
            for (const auto& request : imap.requests())
                CPPUNIT_ASSERT_MESSAGE(row.name, request.find("LOGIN") == std::string::npos);
        }
    }

    void the_servers_name_is_looked_up() {
        const LocalDaemon imap(LocalDaemon::Turns{{"", LocalDaemon::handshake}, {"", hello}, {"\r\n", "a OK\r\n"}},
                               identity_);
        const auto login = [&](std::initializer_list<std::string_view> records) {
            PluginUnderTest plugin("auth/auth_imap", over_tls(imap, "imaps", "IMAP.example.com."));
            plugin.dns(records);
            const auto verdict = plugin.auth_plain("joe", "secret").verdict;
            CPPUNIT_ASSERT(plugin.questions() ==
                           (std::vector<std::string>{"imap.example.com A", "imap.example.com AAAA"}));
            return verdict == Verdict::ok         ? "ok"
                   : verdict == Verdict::denysoft ? plugin.log().last()
                                                  : "another verdict";
        };
        CPPUNIT_ASSERT_EQUAL("ok"s, login({"imap.example.com A 127.0.0.1"}));
        CPPUNIT_ASSERT_EQUAL("ok"s, login({"imap.example.com A 127.9.9.9", "imap.example.com A 127.0.0.1",
                                           "imap.example.com AAAA ::1"}));
        CPPUNIT_ASSERT_EQUAL("imap.example.com"s, imap.names().at(1));
        CPPUNIT_ASSERT_EQUAL("error: no address of imap.example.com in the DNS: no such name"s, login({}));
        CPPUNIT_ASSERT_EQUAL("error: no address of imap.example.com in the DNS: no answer in time"s,
                             login({"imap.example.com TIMEOUT"}));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), imap.names().size());
    }

    void the_second_server_takes_over() {
        const LocalDaemon imap(LocalDaemon::Turns{{"", hello}, {"\r\n", "a OK\r\n"}}),
            full(LocalDaemon::Turns{{"", "* BYE full\r\n"}});
        PluginUnderTest plugin("auth/auth_imap",
                               format_text("host=127.0.0.1:{} host=127.0.0.1:{} host=127.0.0.1 port={} timeout=2s",
                                           fakes::closed_port(), full.port(), imap.port()));
        CPPUNIT_ASSERT_MESSAGE(plugin.log().to_string(), plugin.auth_plain("joe", "secret").verdict == Verdict::ok);
        const std::uint16_t one = fakes::closed_port(), other = fakes::closed_port();
        PluginUnderTest down("auth/auth_imap", format_text("host=127.0.0.1:{} host=localhost:{}", one, other));
        CPPUNIT_ASSERT(down.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        CPPUNIT_ASSERT_EQUAL(format_text("error: cannot connect to 127.0.0.1:{}: Connection refused; cannot connect to "
                                         "127.0.0.1:{}: Connection refused",
                                         one, other),
                             down.log().last());
    }

    void each_server_has_a_certificate_of_its_own() {
        const LocalDaemon::Turns turns{{"", LocalDaemon::handshake}, {"", hello}, {"\r\n", "a OK\r\n"}};
        const LocalDaemon first(turns, authority_.issue("DNS:imap2.example.com")),
            second(turns, authority_.issue("DNS:imap2.example.com"));
        PluginUnderTest plugin(
            "auth/auth_imap",
            format_text("host=imap1.example.com:{} host=imap2.example.com:{} timeout=2s tls=imaps ca_file={}",
                        first.port(), second.port(), directory_.write("ca.pem", authority_.pem())));
        plugin.dns({"imap1.example.com A 127.0.0.1", "imap2.example.com A 127.0.0.1"});
        CPPUNIT_ASSERT_MESSAGE(plugin.log().to_string(), plugin.auth_plain("joe", "secret").verdict == Verdict::ok);
        CPPUNIT_ASSERT(first.requests().empty() && second.requests().size() == 1);
        CPPUNIT_ASSERT_EQUAL("imap1.example.com"s, first.names().at(0));
        CPPUNIT_ASSERT_EQUAL("imap2.example.com"s, second.names().at(0));
    }

    void a_silent_server_leaves_time_to_the_next() {
        const fakes::LineServer silent;
        const LocalDaemon imap(LocalDaemon::Turns{{"", hello}, {"\r\n", "a OK\r\n"}});
        PluginUnderTest plugin("auth/auth_imap",
                               format_text("host={} host=127.0.0.1:{} timeout=1s", silent.name(), imap.port()));
        CPPUNIT_ASSERT_MESSAGE(plugin.log().to_string(), plugin.auth_plain("joe", "secret").verdict == Verdict::ok);
    }

    void a_server_that_failed_is_left_alone() {
        const std::uint16_t port = fakes::closed_port();
        PluginUnderTest plugin("auth/auth_imap", format_text("127.0.0.1 {}", port));
        for (int i = 0; i < 3; ++i) CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        fakes::LineServer returned([](std::string_view) { return "a OK"s; }, "* OK ready", port);
        CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        CPPUNIT_ASSERT_MESSAGE(plugin.log().last(),
                               plugin.log().last().starts_with(
                                   format_text("error: 127.0.0.1:{} failed and is not asked for another ", port)));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), returned.connections());
        plugin.clock().advance(std::chrono::seconds(5));
        CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::ok);
    }

    void clients_cannot_bring_that_about() {
        for (const auto& answer :
             {"a NO wrong"s, "a NO [LIMIT] slow down"s, "* BYE too many"s, fakes::LineServer::closes, ""s}) {
            fakes::LineServer imap([&](std::string_view) { return answer; }, "* OK ready");
            PluginUnderTest plugin("auth/auth_imap", imap.name() + " timeout=200ms");
            for (int i = 0; i < 4; ++i) CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict != Verdict::ok);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(answer, std::size_t(4), imap.connections());
        }
    }

    void each_login_has_its_own_connection() {
        fakes::LineServer imap([](std::string_view) { return "a OK"s; }, "* OK ready");
        PluginUnderTest plugin("auth/auth_imap", imap.name());
        for (const auto* const user : {"joe", "joe", "ann"})
            CPPUNIT_ASSERT(plugin.auth_plain(user, "secret").verdict == Verdict::ok);
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), imap.connections());
    }

    void wrong_options_are_named() {
        CPPUNIT_ASSERT(!PluginUnderTest("auth/auth_imap").is_usable());
        const std::pair<std::string, const char*> rows[] = {
            {"imap.example.com",
             "imap.example.com is not on this machine, and passwords would go there in the clear: set tls=imaps or "
             "tls=starttls"},
            {"192.0.2.1", "192.0.2.1 is not on this machine"},
            {"imap.example.com:imaps tls=imaps",
             "option \"host\": \"imap.example.com:imaps\" is not allowed; it must be a server"},
            {"[imap]", "the text in brackets is not an address: \"[imap]\""},
            {".example.com tls=imaps", "this is neither a host nor an address nor a path: \".example.com\""},
            {"host=localhost host=192.0.2.1:143", "192.0.2.1:143 is not on this machine"},
            {"host=localhost host=/run/imap tls=imaps", "tls: /run/imap is a local socket"},
            {"/run/imap tls=imaps", "tls: /run/imap is a local socket"},
            {"localhost tls=imaps ca_file=/nonexistent",
             "ca_file: cannot read certificates from /nonexistent: No such file or directory"},
            {"localhost ca_file=/nonexistent",
             "ca_file needs tls=starttls or tls=imaps: without TLS, the server shows no certificate"},
            {"localhost tls=yes", "off, starttls, imaps"},
        };
        for (const auto& [options, problem] : rows) {
            const std::string problems = PluginUnderTest("auth/auth_imap", options).problems();
            CPPUNIT_ASSERT_MESSAGE(options + ": " + problems, problems.find(problem) != std::string::npos);
        }
        for (const auto* const host :
             {"localhost", "::1", "127.0.0.2 1143", "/run/imap", "localhost tls=starttls", "imap.example.com tls=imaps",
              "192.0.2.1 1143 tls=starttls", "imap.example.com:993 tls=imaps", "[::1]", "[::1]:1143", "unix:/run/imap",
              "host=localhost host=[::1] balance=round-robin"})
            CPPUNIT_ASSERT_MESSAGE(host, PluginUnderTest("auth/auth_imap", host).is_usable());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AuthImapTest);

}  // namespace
}  // namespace smtpd
