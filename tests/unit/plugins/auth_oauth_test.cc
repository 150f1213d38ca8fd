/// auth_oauth_test.cc: what answers about a token lead to, what the plugin asks, and what it caches.
#include "fakes/local_daemon.h"
#include "fakes/plugin_under_test.h"

#include <smtpd/base/base64.h>

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::LocalDaemon;
using fakes::PluginUnderTest;
using namespace std::string_literals;

#if defined(HAVE_CURL) && defined(HAVE_JANSSON)

std::string http(const std::string& body, const std::string& status = "200 OK") {
    return "HTTP/1.1 " + status +
           "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\nConnection: close\r\n\r\n" + body;
}

/// An authorization server that gives one answer to every question.
class Server {
public:
    explicit Server(std::string answer)
        : daemon_([answer = std::move(answer)](std::string_view request) {
              return request.ends_with("&token_type_hint=access_token") ? std::optional(answer) : std::nullopt;
          }) {}
    std::string url() const { return "http://127.0.0.1:" + std::to_string(daemon_.port()) + "/introspect"; }
    std::string options() const { return url() + " timeout=5s"; }
    std::vector<std::string> requests() const { return daemon_.requests(); }

private:
    LocalDaemon daemon_;
};

/// The login for that token, or the verdict.
std::string login(PluginUnderTest& plugin, const std::string& user = "", const std::string& token = "t0ken") {
    Credentials credentials("OAUTHBEARER");
    credentials.set_user(user);
    credentials.set_token(token);
    AuthFindings findings{nullptr, user};
    const Response answer = plugin.run(AuthHook(HookId::auth_bearer, plugin.connection(), credentials, &findings));
    return answer.verdict == Verdict::ok         ? findings.login
           : answer.verdict == Verdict::deny     ? "(deny)"
           : answer.verdict == Verdict::denysoft ? "(denysoft)"
                                                 : "(declined)";
}

class AuthOauthTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthOauthTest);
    CPPUNIT_TEST(the_answer_decides);
    CPPUNIT_TEST(what_is_no_answer_decides_nothing);
    CPPUNIT_TEST(the_server_is_asked_as_rfc_7662_has_it);
    CPPUNIT_TEST(the_login_has_to_be_that_of_the_token);
    CPPUNIT_TEST(answers_are_remembered_for_a_while);
    CPPUNIT_TEST(what_is_not_good_is_not_remembered);
    CPPUNIT_TEST(a_server_that_is_down_or_slow_cannot_say);
    CPPUNIT_TEST(a_store_that_is_down_does_no_harm);
    CPPUNIT_TEST(wrong_options_are_named);
    CPPUNIT_TEST_SUITE_END();

    static std::int64_t now(PluginUnderTest& plugin) {
        return std::chrono::duration_cast<std::chrono::seconds>(plugin.clock().wall().time_since_epoch()).count();
    }

public:
    void the_answer_decides() {
        const std::tuple<const char*, const char*, const char*> rows[] = {
            {R"({"active":true,"username":"joe"})", "", "joe"},
            {" {\n\t\"username\" : \"joe\" , \"active\" : true }\r\n ", "", "joe"},
            {R"({"active":false})", "", "(declined)"},
            {R"({"active":false,"username":"joe"})", "", "(declined)"},
            {R"({"active":true})", "", "(deny)"},
            {R"({"active":true,"username":""})", "", "(deny)"},
            {R"({"active":true,"username":7})", "", "(deny)"},
            {R"({"active":true,"username":["joe","ann"]})", "", "(deny)"},
            {R"({"active":true,"username":"joe","exp":1})", "", "(deny)"},
            {R"({"active":true,"username":"joe","exp":9e15})", "", "joe"},
            {R"({"active":true,"username":"joe","exp":99999999999999999999})", "", "joe"},
            {R"({"active":true,"username":"j\u00f6\ud83d\ude00\"\\\/"})", "", "j\xc3\xb6\xf0\x9f\x98\x80\"\\/"},
            {R"({"active":true,"sub":"1","email":"joe@example.com"})", "username=email username=sub",
             "joe@example.com"},
            {R"({"active":true,"sub":"1","username":"joe"})", "username=email username=sub", "1"},
            {R"({"active":true,"username":"joe","scope":"openid smtp"})", "scope=smtp", "joe"},
            {R"({"active":true,"username":"joe","scope":"openid smtp"})", "scope=smtp scope=openid", "joe"},
            {R"({"active":true,"username":"joe","scope":"openid smtp"})", "scope=smtp scope=imap", "(deny)"},
            {R"({"active":true,"username":"joe","scope":"smtps"})", "scope=smtp", "(deny)"},
            {R"({"active":true,"username":"joe"})", "scope=smtp", "(deny)"},
            {R"({"active":true,"username":"joe","aud":"mail"})", "audience=mail", "joe"},
            {R"({"active":true,"username":"joe","aud":["web",1,{"x":[]},"mail"]})", "audience=smtp audience=mail",
             "joe"},
            {R"({"active":true,"username":"joe","aud":["web"]})", "audience=mail", "(deny)"},
            {R"({"active":true,"username":"joe"})", "audience=mail", "(deny)"},
            {R"({"active":true,"username":"joe","more":{"active":false,"list":[[],{}],"n":-1.5e3,"x":null}})", "",
             "joe"},
        };
        for (const auto& [body, options, expected] : rows) {
            const Server server(http(body));
            PluginUnderTest plugin("auth/auth_oauth", server.options() + " " + options);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(body, std::string(expected), login(plugin));
        }
    }

    void what_is_no_answer_decides_nothing() {
        const std::string good = R"({"active":true,"username":"joe"})";
        std::vector<std::string> answers = {http(good, "401 Unauthorized"),
                                            http(good, "500 Internal Server Error"),
                                            http(good, "302 Found"),
                                            http(good, "204 No Content"),
                                            "220 mx ESMTP\r\n",
                                            "",
                                            http(good).substr(0, http(good).size() - 1),
                                            http(good + std::string(70'000, ' '))};
        for (const auto* const body : {"",
                                       "true",
                                       "[]",
                                       "{}",
                                       "{",
                                       "active",
                                       R"({"active":"true"})",
                                       R"({"active":1})",
                                       R"({"active":null})",
                                       R"({"active":true}x)",
                                       R"({"active":true,})",
                                       R"({"active":tru})",
                                       R"({"active":false,"active":true,"username":"joe"})",
                                       R"({"active":true "username":"joe"})",
                                       R"({"active":true,"x":"\x"})",
                                       R"({"active":true,"x":"\ud800"})",
                                       R"({"active":true,"x":"\udc00"})",
                                       R"({"active":true,"x":"\u12g4"})",
                                       "{\"active\":true,\"x\":\"\n\"}",
                                       R"({"active":true,"x":1-})",
                                       R"({"active":true,"x":[1 2]})",
                                       R"({"active":true,"x":"abc)",
                                       R"({"active":true,"username":"joe\u0000"})",
                                       "{\"active\":true,\"username\":\"j\xf6\"}",
                                       R"({"active":true,"exp":1e999})",
                                       R"({"active":true,"username":"joe","x":{"y":1,"y":2}})"})
            answers.push_back(http(body));
        answers.push_back(http(R"({"active":true,"x":)" + std::string(5000, '[') + std::string(5000, ']') + "}"));
        for (const auto& answer : answers) {
            const Server server(answer);
            PluginUnderTest plugin("auth/auth_oauth", server.options());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(answer.substr(0, 300), "(denysoft)"s, login(plugin));
        }
    }

    void the_server_is_asked_as_rfc_7662_has_it() {
        const fakes::TempDirectory files;
        for (const char* client : {"mail server\nsec:ret&\n", "mail server\r\nsec:ret&\r\n", "mail server\nsec:ret&"}) {
            const Server server(http(R"({"active":true,"username":"joe"})"));
            PluginUnderTest plugin("auth/auth_oauth",
                                   server.options() + " client_file=" + files.write("client", client));
            CPPUNIT_ASSERT_EQUAL("joe"s, login(plugin, "", "a+b/c=&token=x~"));
            const std::string request = server.requests().at(0);
            for (const auto& part :
                 {"POST /introspect HTTP/1.1\r\n"s, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"s,
                  "\r\nAccept: application/json\r\n"s,
                  "\r\nAuthorization: Basic " + base64("mail%20server:sec%3Aret%26") + "\r\n",
                  "\r\n\r\ntoken=a%2Bb%2Fc%3D%26token%3Dx~&token_type_hint=access_token"s})
                CPPUNIT_ASSERT_MESSAGE(part + " in " + request, request.find(part) != std::string::npos);
        }
    }

    void the_login_has_to_be_that_of_the_token() {
        const Server server(http(R"({"active":true,"username":"Joe@example.com"})"));
        PluginUnderTest plugin("auth/auth_oauth", server.options());
        for (int remembered = 0; remembered < 2; ++remembered) {
            CPPUNIT_ASSERT_EQUAL("(deny)"s, login(plugin, "ann@example.com"));
            CPPUNIT_ASSERT_EQUAL("Joe@example.com"s, login(plugin, "joe@EXAMPLE.com"));
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), server.requests().size());
    }

    void answers_are_remembered_for_a_while() {
        const Server server(http(R"({"active":true,"username":"joe","scope":"smtp"})"));
        PluginUnderTest plugin("auth/auth_oauth", server.options() + " cache=1min");
        const auto asked = [&](std::size_t times) {
            CPPUNIT_ASSERT_EQUAL("joe"s, login(plugin));
            CPPUNIT_ASSERT_EQUAL(times, server.requests().size());
        };
        asked(1);
        plugin.clock().advance(std::chrono::seconds(59));
        asked(1);
        plugin.clock().advance(std::chrono::seconds(2));
        asked(2);
        CPPUNIT_ASSERT_EQUAL("joe"s, login(plugin, "", "another"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), server.requests().size());

        PluginUnderTest shortly("auth/auth_oauth", "http://127.0.0.1:1/ cache=1h");
        const Server expires(
            http("{\"active\":true,\"username\":\"joe\",\"exp\":" + std::to_string(now(shortly) + 10) + "}"));
        PluginUnderTest other("auth/auth_oauth", expires.options() + " cache=1h");
        for (const auto& [seconds, expected] : {std::pair{0, "joe"}, {9, "joe"}, {2, "(deny)"}}) {
            other.clock().advance(std::chrono::seconds(seconds));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::to_string(seconds), std::string(expected), login(other));
        }
        PluginUnderTest never("auth/auth_oauth", server.options() + " cache=0s");
        for (int i = 0; i < 2; ++i) (void)login(never);
        CPPUNIT_ASSERT_EQUAL(std::size_t(5), server.requests().size());
    }

    void what_is_not_good_is_not_remembered() {
        for (const auto* const body :
             {R"({"active":false})", R"({"active":true,"username":"joe","scope":"imap"})", "{}"}) {
            const Server server(http(body));
            PluginUnderTest plugin("auth/auth_oauth", server.options() + " scope=smtp");
            for (int i = 0; i < 2; ++i) (void)login(plugin);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(body, std::size_t(2), server.requests().size());
        }
    }

    void a_server_that_is_down_or_slow_cannot_say() {
        PluginUnderTest down("auth/auth_oauth", "http://127.0.0.1:1/");
        CPPUNIT_ASSERT_EQUAL("(denysoft)"s, login(down));
        const Server silent(LocalDaemon::silence);
        for (const auto* const scheme : {"http", "https"}) {
            const std::string url = scheme + silent.url().substr(4);
            PluginUnderTest plugin("auth/auth_oauth", url + " timeout=200ms");
            const auto begun = std::chrono::steady_clock::now();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(url, "(denysoft)"s, login(plugin));
            CPPUNIT_ASSERT_MESSAGE(url, std::chrono::steady_clock::now() - begun < std::chrono::seconds(10));
        }
    }

    void a_store_that_is_down_does_no_harm() {
        const Server server(http(R"({"active":true,"username":"joe"})"));
        PluginUnderTest plugin("auth/auth_oauth", server.options());
        plugin.store().break_down();
        CPPUNIT_ASSERT_EQUAL("joe"s, login(plugin));
        CPPUNIT_ASSERT_EQUAL("joe"s, login(plugin));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), server.requests().size());
    }

    void wrong_options_are_named() {
        const fakes::TempDirectory files;
        const std::pair<std::string, const char*> rows[] = {
            {"login.example.com", "endpoint: \"login.example.com\" is not an https:// URL"},
            {"ftp://127.0.0.1/x", "is not an https:// URL"},
            {"http://login.example.com/", "endpoint: login.example.com is not on this machine"},
            {"http://192.0.2.1/", "endpoint: 192.0.2.1 is not on this machine"},
            {"http://[2001:db8::1]/", "endpoint: [2001:db8::1] is not on this machine"},
            {"https://127.0.0.1/ client_file=/nonexistent", "client_file: cannot open /nonexistent"},
            {"https://127.0.0.1/ client_file=" + files.write("client", "only a name\n"),
             "needs two lines, a name and a secret"},
        };
        for (const auto& [options, problem] : rows) {
            const std::string problems = PluginUnderTest("auth/auth_oauth", options).problems();
            CPPUNIT_ASSERT_MESSAGE(options + ": " + problems, problems.find(problem) != std::string::npos);
        }
        for (const auto* const url : {"http://localhost:81/x?y=z", "http://[::1]/", "http://127.0.0.1/",
                                      "https://login.example.com/introspect"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(url, ""s, PluginUnderTest("auth/auth_oauth", url).problems());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(AuthOauthTest);

#else

class AuthOauthTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthOauthTest);
    CPPUNIT_TEST(without_the_libraries_configtest_says_so);
    CPPUNIT_TEST_SUITE_END();

public:
    void without_the_libraries_configtest_says_so() {
        const PluginUnderTest plugin("auth/auth_oauth", "https://login.example.com/introspect");
        CPPUNIT_ASSERT(plugin.problems().find("mod_smtpd was built without libcurl or jansson") != std::string::npos);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(AuthOauthTest);

#endif

}  // namespace
}  // namespace smtpd
