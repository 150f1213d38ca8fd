/// auth_dovecot_test.cc: Dovecot's auth protocol with a daemon that says what a test wants it to.
#include "fakes/answer_text.h"
#include "fakes/local_daemon.h"
#include "fakes/plugin_under_test.h"

#include <smtpd/base64.h>

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::LocalDaemon;
using fakes::PluginUnderTest;
using namespace std::string_literals;

const std::string greeting = "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tXOAUTH2\nMECH\tOAUTHBEARER\nSPID\t1\nCUID\t2\nCOOKIE\tabc\nDONE\n";

/// A Dovecot that greets and gives one answer to a whole request.
class Dovecot {
public:
    explicit Dovecot(std::string answer) : daemon_(directory_.path("auth"), [answer = std::move(answer)](std::string_view request) {
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
    CPPUNIT_TEST_SUITE_END();

public:
    void dovecots_answer_decides() {
        const std::pair<std::string, Verdict> rows[] = {{greeting + "OK\t1\tuser=joe\n", Verdict::ok},
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
        CPPUNIT_ASSERT_EQUAL("AUTH\t1\tPLAIN\tservice=smtp\trip=192.0.2.1\trport=49152\tlip=192.0.2.25\tlport=25\tsecured\tresp=" + base64("\0joe\0sec\xc3\xbcret"s) + "\n",
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
        CPPUNIT_ASSERT(plugin.run(AuthHook(HookId::auth_plain, plugin.connection(), credentials, &findings)).verdict == Verdict::ok);
        CPPUNIT_ASSERT_EQUAL("joe@example.com"s, findings.login);
    }

    void a_dovecot_that_is_down_or_slow_cannot_say() {
        PluginUnderTest down("auth/auth_dovecot", "/nonexistent/auth");
        CPPUNIT_ASSERT(down.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        const Dovecot silent(LocalDaemon::silence);
        PluginUnderTest plugin("auth/auth_dovecot", silent.options() + " timeout=200ms");
        CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        CPPUNIT_ASSERT_MESSAGE(plugin.log().last(), plugin.log().last().find("did not answer within 200 ms") != std::string::npos);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AuthDovecotTest);

}  // namespace
}  // namespace smtpd
