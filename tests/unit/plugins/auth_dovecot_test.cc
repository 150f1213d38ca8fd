/// auth_dovecot_test.cc: Dovecot's auth protocol, with a daemon whose answers the test defines.
#include "fakes/line_server.h"
#include "fakes/local_daemon.h"
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <smtpd/base/base64.h>

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::LineServer;
using fakes::LocalDaemon;
using fakes::PluginUnderTest;
using namespace std::string_literals;

const std::string greeting =
    "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tXOAUTH2\nMECH\tOAUTHBEARER\nSPID\t1\nCUID\t2\nCOOKIE\tabc\nDONE\n";

/// A Dovecot that greets and gives one answer to a whole request.
class Dovecot {
public:
    explicit Dovecot(std::string answer)
        : daemon_(directory_.path("auth"), [answer = std::move(answer)](std::string_view request) {
              const bool is_whole = request.find("AUTH\t") != request.npos && request.ends_with('\n');
              return is_whole ? std::optional(answer) : std::nullopt;
          }) {}
    std::string options() const { return directory_.path("auth") + " tokens=yes timeout=2s"; }
    /// The line with AUTH.
    std::string request() const {
        const std::string all = daemon_.requests().at(0);
        return all.substr(all.find("AUTH\t"));
    }

private:
    fakes::TempDirectory directory_;
    LocalDaemon daemon_;
};

class AuthDovecotTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthDovecotTest);
    CPPUNIT_TEST(dovecots_answer_decides);
    CPPUNIT_TEST(dovecot_is_told_who_asks);
    CPPUNIT_TEST(tokens_are_handed_on);
    CPPUNIT_TEST(dovecot_may_change_the_name);
    CPPUNIT_TEST(a_dovecot_that_is_down_or_slow_cannot_say);
    CPPUNIT_TEST(one_connection_is_for_many_logins);
    CPPUNIT_TEST(a_connection_is_for_one_mechanism);
    CPPUNIT_TEST(a_dovecot_that_was_restarted_is_connected_to_again);
    CPPUNIT_TEST(the_second_dovecot_takes_over);
    CPPUNIT_TEST(a_dovecot_that_failed_is_left_alone);
    CPPUNIT_TEST(sockets_are_paths_or_hosts_with_ports);
    CPPUNIT_TEST_SUITE_END();

    /// A Dovecot's reply to a line, for LineServer: yes to every login.
    static std::string yes(std::string_view line) {
        if (line.starts_with("CPID\t")) return greeting.substr(0, greeting.size() - 1);
        if (!line.starts_with("AUTH\t")) return "";
        const auto id = line.substr(5, line.find('\t', 5) - 5);
        return format_text("OK\t{}\tuser=joe", id);
    }
    static Verdict bearer(PluginUnderTest& plugin) {
        Credentials credentials("XOAUTH2");
        credentials.set_user("joe");
        credentials.set_token("t0ken");
        return plugin.auth(HookId::auth_bearer, credentials).verdict;
    }

public:
    void one_connection_is_for_many_logins() {
        LineServer dovecot(yes);
        PluginUnderTest plugin("auth/auth_dovecot", dovecot.name());
        for (const auto* const user : {"joe", "ann", "joe"})
            CPPUNIT_ASSERT_MESSAGE(plugin.log().to_string(), plugin.auth_plain(user, "secret").verdict == Verdict::ok);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), dovecot.connections());
        const auto lines = dovecot.lines();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("one greeting, three questions", std::size_t(5), lines.size());
        for (unsigned i = 1; i <= 3; ++i) CPPUNIT_ASSERT(lines[1 + i].starts_with(format_text("AUTH\t{}\tPLAIN\t", i)));
        CPPUNIT_ASSERT(lines[3].ends_with("resp=" + base64("\0ann\0secret"s)));
    }

    void a_connection_is_for_one_mechanism() {
        LineServer dovecot(yes);
        PluginUnderTest plugin("auth/auth_dovecot", dovecot.name() + " tokens=yes");
        for (int i = 0; i < 2; ++i) {
            CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::ok);
            CPPUNIT_ASSERT(bearer(plugin) == Verdict::ok);
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), dovecot.connections());
    }

    void a_dovecot_that_was_restarted_is_connected_to_again() {
        unsigned asked = 0;
        LineServer dovecot([&](std::string_view line) {
            return line.starts_with("AUTH") && ++asked == 3 ? LineServer::closes : yes(line);
        });
        PluginUnderTest plugin("auth/auth_dovecot", dovecot.name());
        CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::ok);
        dovecot.hang_up();
        CPPUNIT_ASSERT_MESSAGE("it was closed before", plugin.auth_plain("joe", "secret").verdict == Verdict::ok);
        CPPUNIT_ASSERT_MESSAGE("it is closed when it is asked",
                               plugin.auth_plain("joe", "secret").verdict == Verdict::ok);
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), dovecot.connections());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), plugin.log().count("error"));
    }

    void the_second_dovecot_takes_over() {
        LineServer silent, foreign([](std::string_view) { return ""s; }, "220 this is SMTP"), dovecot(yes);
        PluginUnderTest plugin("auth/auth_dovecot", format_text("/nonexistent/auth {} {} {} timeout=1s", silent.name(),
                                                                foreign.name(), dovecot.name()));
        CPPUNIT_ASSERT_MESSAGE(plugin.log().to_string(), plugin.auth_plain("joe", "secret").verdict == Verdict::ok);
        PluginUnderTest in_turn("auth/auth_dovecot", format_text("{} {} balance=round-robin", dovecot.name(),
                                                                 "localhost:" + std::to_string(dovecot.port())));
        for (int i = 0; i < 2; ++i) CPPUNIT_ASSERT(in_turn.auth_plain("joe", "secret").verdict == Verdict::ok);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("each has a connection of its own", std::size_t(3), dovecot.connections());
    }

    void a_dovecot_that_failed_is_left_alone() {
        const std::uint16_t port = fakes::closed_port();
        PluginUnderTest plugin("auth/auth_dovecot", format_text("127.0.0.1:{}", port));
        for (int i = 0; i < 3; ++i) CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        LineServer dovecot(yes, {}, port);
        CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), dovecot.connections());
        plugin.clock().advance(std::chrono::seconds(5));
        CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::ok);
    }

    void sockets_are_paths_or_hosts_with_ports() {
        const std::pair<std::string, const char*> rows[] = {{"auth", "DIRECTORY/auth"},
                                                            {"run/auth", "DIRECTORY/run/auth"},
                                                            {"/nonexistent/auth", "/nonexistent/auth"},
                                                            {"unix:/nonexistent/auth", "/nonexistent/auth"}};
        for (const auto& [option, path] : rows) {
            PluginUnderTest plugin("auth/auth_dovecot", option);
            CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
            std::string expected = path;
            if (expected.starts_with("DIRECTORY/")) expected = plugin.directory().path(expected.substr(10));
            CPPUNIT_ASSERT_EQUAL("error: cannot connect to " + expected + ": No such file or directory",
                                 plugin.log().last());
        }
        PluginUnderTest named("auth/auth_dovecot", "dovecot.example.com:12345");
        (void)named.auth_plain("joe", "secret");
        CPPUNIT_ASSERT(named.questions() ==
                       (std::vector<std::string>{"dovecot.example.com A", "dovecot.example.com AAAA"}));
        CPPUNIT_ASSERT(!PluginUnderTest("auth/auth_dovecot", "dovecot:port").is_usable());
    }

    void dovecots_answer_decides() {
        const std::pair<std::string, Verdict> rows[] = {
            {greeting + "OK\t1\tuser=joe\n", Verdict::ok},
            {greeting + "FAIL\t1\tuser=joe\n", Verdict::deny},
            {greeting + "FAIL\t1\n", Verdict::deny},
            {greeting + "FAIL\t1\tuser=joe\ttemp\n", Verdict::denysoft},
            {greeting + "FAIL\t1\tuser=joe\tcode=temp_fail\n", Verdict::denysoft},
            {greeting + "FAIL\t1\tuser=temp\tcode=user_disabled\n", Verdict::deny},
            {greeting + "OK\t2\tuser=joe\n", Verdict::denysoft},
            {greeting + "OK", Verdict::denysoft},
            {greeting + "OK\t1", Verdict::denysoft},
            {greeting + "CONT\t1\t\n", Verdict::denysoft},
            {greeting + "WHAT\t1\n", Verdict::denysoft},
            {greeting, Verdict::denysoft},
            {"VERSION\t2\t0\nMECH\tPLAIN\nDONE\nOK\t1\n", Verdict::denysoft},
            {"MECH\tPLAIN\nDONE\nOK\t1\n", Verdict::denysoft},
            {"VERSION\t1\t2\nMECH\tLOGIN\nDONE\nOK\t1\n", Verdict::denysoft},
            {"220 this is SMTP\r\n", Verdict::denysoft},
            {std::string(20000, 'x') + "\n", Verdict::denysoft},
            {"", Verdict::denysoft}};
        for (const auto& [answer, verdict] : rows) {
            const Dovecot dovecot(answer);
            PluginUnderTest plugin("auth/auth_dovecot", dovecot.options());
            CPPUNIT_ASSERT_MESSAGE(answer.substr(0, 200), plugin.auth_plain("joe", "secret").verdict == verdict);
        }
    }

    void dovecot_is_told_who_asks() {
        const Dovecot dovecot(greeting + "OK\t1\tuser=joe\n");
        PluginUnderTest plugin("auth/auth_dovecot", dovecot.options());
        plugin.connection().set_tls("TLSv1.3", "x");
        (void)plugin.auth_plain("joe", "sec\xc3\xbcret");
        CPPUNIT_ASSERT_EQUAL(
            "AUTH\t1\tPLAIN\tservice=smtp\trip=192.0.2.1\trport=49152\tlip=192.0.2.25\tlport=25\tsecured\tresp=" +
                base64("\0joe\0sec\xc3\xbcret"s) + "\n",
            dovecot.request());
    }

    void tokens_are_handed_on() {
        const std::pair<std::pair<const char*, const char*>, std::string> rows[] = {
            {{"XOAUTH2", "joe"}, "user=joe\1auth=Bearer t0ken\1\1"},
            {{"OAUTHBEARER", "j,o=e"}, "n,a=j=2Co=3De,\1auth=Bearer t0ken\1\1"},
            {{"OAUTHBEARER", ""}, "n,,\1auth=Bearer t0ken\1\1"}};
        for (const auto& [client, response] : rows) {
            const Dovecot dovecot(greeting + "CONT\t1\teyJ9\nFAIL\t1\n");
            PluginUnderTest plugin("auth/auth_dovecot", dovecot.options());
            Credentials credentials(client.first);
            if (*client.second) credentials.set_user(client.second);
            credentials.set_token("t0ken");
            CPPUNIT_ASSERT(plugin.auth(HookId::auth_bearer, credentials).verdict == Verdict::deny);
            CPPUNIT_ASSERT_MESSAGE(response, dovecot.request().find("resp=" + base64(response)) != std::string::npos);
        }
    }

    void dovecot_may_change_the_name() {
        const Dovecot dovecot(greeting + "OK\t1\tuser=joe@example.com\tresp=x\n");
        PluginUnderTest plugin("auth/auth_dovecot", dovecot.options());
        Credentials credentials("PLAIN");
        credentials.set_user("JOE");
        credentials.set_password("secret");
        AuthFindings findings{nullptr, "JOE"};
        CPPUNIT_ASSERT(plugin.run(AuthHook(HookId::auth_plain, plugin.connection(), credentials, &findings)).verdict ==
                       Verdict::ok);
        CPPUNIT_ASSERT_EQUAL("joe@example.com"s, findings.login);
    }

    void a_dovecot_that_is_down_or_slow_cannot_say() {
        PluginUnderTest down("auth/auth_dovecot", "/nonexistent/auth");
        CPPUNIT_ASSERT(down.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        const Dovecot silent(LocalDaemon::silence);
        PluginUnderTest plugin("auth/auth_dovecot", silent.options() + " timeout=200ms");
        CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        CPPUNIT_ASSERT_MESSAGE(plugin.log().last(),
                               plugin.log().last().find("did not answer within 200 ms") != std::string::npos);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AuthDovecotTest);

}  // namespace
}  // namespace smtpd
