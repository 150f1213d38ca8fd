/// auth_ldap_bind_test.cc: which names and filters the plugin sends to a directory, and what the answers lead to. The
/// directory has fixed answers.
#include "fakes/line_server.h"
#include "fakes/local_daemon.h"
#include "fakes/plugin_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::LocalDaemon;
using fakes::PluginUnderTest;
using namespace std::string_literals;

#ifdef HAVE_LDAP

/// An element of BER with less than 128 octets.
std::string element(int tag, const std::string& content) {
    return std::string(1, static_cast<char>(tag)) + static_cast<char>(content.size()) + content;
}
/// LDAPMessage (RFC 4511 4.1.1).
std::string message(int id, int operation, const std::string& content) {
    return element(0x30, element(2, std::string(1, static_cast<char>(id))) + element(operation, content));
}
std::string result(int code) {
    return element(0x0a, std::string(1, static_cast<char>(code))) + element(4, "") + element(4, "");
}
std::string bind_answer(int id, int code) { return message(id, 0x61, result(code)); }
std::string entry(int id, const std::string& name) { return message(id, 0x64, element(4, name) + element(0x30, "")); }
std::string search_answer(int id, int code) { return message(id, 0x65, result(code)); }

const std::string asked = "1.1";  ///< the end of a search: no attributes

class AuthLdapBindTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthLdapBindTest);
    CPPUNIT_TEST(the_answer_to_the_bind_decides);
    CPPUNIT_TEST(the_answer_to_the_search_decides);
    CPPUNIT_TEST(names_are_escaped);
    CPPUNIT_TEST(filters_are_escaped);
    CPPUNIT_TEST(an_empty_password_is_never_sent);
    CPPUNIT_TEST(the_search_may_need_a_login_of_its_own);
    CPPUNIT_TEST(qpsmtpds_control_file_is_read);
    CPPUNIT_TEST(a_directory_that_is_down_or_slow_cannot_say);
    CPPUNIT_TEST(the_second_directory_takes_over);
    CPPUNIT_TEST(a_directory_that_failed_is_left_alone);
    CPPUNIT_TEST(clients_cannot_bring_that_about);
    CPPUNIT_TEST(a_directorys_name_is_looked_up);
    CPPUNIT_TEST(tls_that_does_not_come_is_not_waited_for_longer);
    CPPUNIT_TEST(wrong_options_are_named);
    CPPUNIT_TEST_SUITE_END();

    static std::string at(const LocalDaemon& daemon, const std::string& more) {
        return "ldap://127.0.0.1:" + std::to_string(daemon.port()) + " timeout=2s " + more;
    }
    static bool has(const std::string& octets, const std::string& part) {
        return octets.find(part) != std::string::npos;
    }

public:
    void the_answer_to_the_bind_decides() {
        const std::pair<std::string, Verdict> rows[] = {{bind_answer(1, 0), Verdict::ok},
                                                        {bind_answer(1, 49), Verdict::deny},
                                                        {bind_answer(1, 48), Verdict::deny},
                                                        {bind_answer(1, 32), Verdict::deny},
                                                        {bind_answer(1, 51), Verdict::denysoft},
                                                        {bind_answer(1, 52), Verdict::denysoft},
                                                        {bind_answer(1, 53), Verdict::denysoft},
                                                        {bind_answer(1, 1), Verdict::denysoft},
                                                        {bind_answer(1, 13), Verdict::denysoft},
                                                        {bind_answer(1, 10), Verdict::denysoft},
                                                        {"HTTP/1.1 400 Bad Request\r\n\r\n", Verdict::denysoft},
                                                        {search_answer(1, 0), Verdict::denysoft},
                                                        {LocalDaemon::hang_up, Verdict::denysoft}};
        for (const auto& [answer, verdict] : rows) {
            const LocalDaemon directory(LocalDaemon::Turns{{"secret", answer}, {"", LocalDaemon::hang_up}});
            PluginUnderTest plugin("auth/auth_ldap_bind", at(directory, "dn=uid=%u,dc=example"));
            const Response said = plugin.auth_plain("joe@example.com", "secret");
            CPPUNIT_ASSERT_MESSAGE(quoted(answer) + ": " + plugin.log().last(), said.verdict == verdict);
        }
    }

    void the_answer_to_the_search_decides() {
        const std::string joe = entry(1, "uid=joe,dc=example");
        const std::pair<std::string, Verdict> rows[] = {{joe + search_answer(1, 0), Verdict::ok},
                                                        {search_answer(1, 0), Verdict::declined},
                                                        {joe + joe + search_answer(1, 0), Verdict::denysoft},
                                                        {joe + joe + search_answer(1, 4), Verdict::denysoft},
                                                        {joe + search_answer(1, 3), Verdict::denysoft},
                                                        {entry(1, "") + search_answer(1, 0), Verdict::denysoft},
                                                        {search_answer(1, 32), Verdict::denysoft},
                                                        {search_answer(1, 50), Verdict::denysoft},
                                                        {search_answer(1, 10), Verdict::denysoft},
                                                        {LocalDaemon::hang_up, Verdict::denysoft}};
        for (const auto& [answer, verdict] : rows) {
            const LocalDaemon directory(LocalDaemon::Turns{{asked, answer}, {"secret", bind_answer(2, 0)}});
            PluginUnderTest plugin("auth/auth_ldap_bind", at(directory, "base=dc=example"));
            const Response said = plugin.auth_plain("joe@example.com", "secret");
            CPPUNIT_ASSERT_MESSAGE(quoted(answer) + ": " + plugin.log().last(), said.verdict == verdict);
            if (verdict == Verdict::ok)
                CPPUNIT_ASSERT(
                    has(directory.requests().at(0), element(4, "uid=joe,dc=example") + element(0x80, "secret")));
        }
    }

    void names_are_escaped() {
        const std::pair<std::string, std::string> rows[] = {
            {"joe", "uid=joe,dc=example"},
            {"joe@example.com", "uid=joe,dc=example"},
            {"joe,dc=evil@example.com", "uid=joe\\2cdc\\3devil,dc=example"},
            {"a+b\"c\\d<e>f;g", "uid=a\\2bb\\22c\\5cd\\3ce\\3ef\\3bg,dc=example"},
            {" joe ", "uid=\\20joe\\20,dc=example"},
            {" ", "uid=\\20,dc=example"},
            {"#joe # doe", "uid=\\23joe # doe,dc=example"},
            {"j\xc3\xb6", "uid=j\xc3\xb6,dc=example"}};
        for (const auto& [login, name] : rows) {
            const LocalDaemon directory(LocalDaemon::Turns{{"secret", bind_answer(1, 0)}});
            PluginUnderTest plugin("auth/auth_ldap_bind", at(directory, "dn=uid=%u,dc=example"));
            CPPUNIT_ASSERT_MESSAGE(login, plugin.auth_plain(login, "secret").verdict == Verdict::ok);
            CPPUNIT_ASSERT_MESSAGE(name + " in " + smtpd::quoted(directory.requests().at(0)),
                                   has(directory.requests().at(0), element(4, name) + element(0x80, "secret")));
        }
        const LocalDaemon directory(LocalDaemon::Turns{{"secret", bind_answer(1, 0)}});
        PluginUnderTest plugin("auth/auth_ldap_bind", at(directory, "dn=mail=%l,dc=%d,x=%%"));
        CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::declined);
        CPPUNIT_ASSERT(plugin.auth_plain("joe@example.com", "secret").verdict == Verdict::ok);
        CPPUNIT_ASSERT(has(directory.requests().at(0), element(4, "mail=joe@example.com,dc=example.com,x=%")));
    }

    void filters_are_escaped() {
        // libldap turns the text of a filter into (attribute, value); the value has to arrive as the client wrote it,
        // and to stay one.
        for (const auto* const login : {"joe", "*", "j*e", "joe)(uid=*", "a\\2ab", "(", "\\", "j\xc3\xb6"}) {
            const LocalDaemon directory(LocalDaemon::Turns{{asked, search_answer(1, 0)}});
            PluginUnderTest plugin("auth/auth_ldap_bind", at(directory, "base=dc=example attribute=cn"));
            CPPUNIT_ASSERT_MESSAGE(login, plugin.auth_plain(login, "secret").verdict == Verdict::declined);
            constexpr int equality_match = 0xa3;
            CPPUNIT_ASSERT_MESSAGE(
                login, has(directory.requests().at(0), element(equality_match, element(4, "cn") + element(4, login))));
        }
        const LocalDaemon directory(LocalDaemon::Turns{{asked, search_answer(1, 0)}});
        PluginUnderTest plugin("auth/auth_ldap_bind",
                               at(directory, "base=dc=example \"filter=(&(objectClass=person)(mail=%l))\""));
        CPPUNIT_ASSERT(plugin.auth_plain("joe@example.com", "secret").verdict == Verdict::declined);
        CPPUNIT_ASSERT(has(directory.requests().at(0), element(4, "mail") + element(4, "joe@example.com")));
    }

    void an_empty_password_is_never_sent() {
        PluginUnderTest plugin("auth/auth_ldap_bind", "ldap://127.0.0.1:1 dn=uid=%u");
        CPPUNIT_ASSERT(plugin.auth_plain("joe", "").verdict == Verdict::deny);
    }

    void the_search_may_need_a_login_of_its_own() {
        const fakes::TempDirectory files;
        const std::string options = "base=dc=example bind_dn=cn=search bind_password_file=" +
                                    files.write("password", "hidden\nnot this\n");
        const LocalDaemon directory(LocalDaemon::Turns{{"hidden", bind_answer(1, 0)},
                                                       {asked, entry(2, "uid=joe") + search_answer(2, 0)},
                                                       {"secret", bind_answer(3, 49)}});
        PluginUnderTest plugin("auth/auth_ldap_bind", at(directory, options));
        CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::deny);
        CPPUNIT_ASSERT(has(directory.requests().at(0), element(4, "cn=search") + element(0x80, "hidden")));
        const LocalDaemon changed(LocalDaemon::Turns{{"hidden", bind_answer(1, 49)}});
        PluginUnderTest refused("auth/auth_ldap_bind", at(changed, options));
        CPPUNIT_ASSERT(refused.auth_plain("joe", "secret").verdict == Verdict::denysoft);
    }

    void qpsmtpds_control_file_is_read() {
        const LocalDaemon directory(
            LocalDaemon::Turns{{asked, entry(1, "cn=joe") + search_answer(1, 0)}, {"secret", bind_answer(2, 0)}});
        const std::string file = "ldap_base dc=example\nldap_host 127.0.0.1\nldap_port " +
                                 std::to_string(directory.port()) + "\nldap_timeout 2\nldap_auth_filter_attr cn\n";
        PluginUnderTest plugin("auth/auth_ldap_bind", "", {{"ldap", file}});
        CPPUNIT_ASSERT_MESSAGE(plugin.problems(),
                               plugin.auth_plain("joe@example.com", "secret").verdict == Verdict::ok);
        CPPUNIT_ASSERT(has(directory.requests().at(0), element(4, "dc=example")) &&
                       has(directory.requests().at(0), element(4, "cn") + element(4, "joe")));
    }

    void a_directory_that_is_down_or_slow_cannot_say() {
        std::uint16_t port = 0;
        {
            const LocalDaemon silent(LocalDaemon::Turns{{asked, ""}});
            port = silent.port();
            PluginUnderTest plugin("auth/auth_ldap_bind",
                                   "ldap://127.0.0.1:" + std::to_string(port) + " base=dc=example timeout=200ms");
            CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
            CPPUNIT_ASSERT_EQUAL("error: the directory did not answer within 200 ms"s, plugin.log().last());
        }
        PluginUnderTest down("auth/auth_ldap_bind", "ldap://127.0.0.1:" + std::to_string(port) + " base=dc=example");
        CPPUNIT_ASSERT(down.auth_plain("joe", "secret").verdict == Verdict::denysoft);
    }

    void the_second_directory_takes_over() {
        const LocalDaemon::Turns turns{{asked, entry(1, "cn=joe") + search_answer(1, 0)},
                                       {"secret", bind_answer(2, 0)}};
        const LocalDaemon directory(turns), odd(LocalDaemon::Turns{{asked, "HTTP/1.1 400 Bad Request\r\n\r\n"}});
        const fakes::LineServer silent;
        const auto with_port = [](std::string text, std::uint16_t port) {
            return text.replace(text.find("PORT"), 4, std::to_string(port));
        };
        const auto login = [&](const std::string& uris, const std::string& more) {
            PluginUnderTest plugin("auth/auth_ldap_bind",
                                   with_port(uris, directory.port()) + " base=dc=example timeout=2s " + more);
            const Response said = plugin.auth_plain("joe", "secret");
            CPPUNIT_ASSERT_MESSAGE(plugin.problems() + plugin.log().to_string(), said.verdict == Verdict::ok);
        };
        login(format_text("ldap://127.0.0.1:{} ldap://127.0.0.1:{}", fakes::closed_port(), "PORT"), "");
        login("ldap://" + silent.name() + " uri=ldap://127.0.0.1:PORT/", "");
        login(format_text("\"ldap://127.0.0.1:{}, ldap://127.0.0.1:{}\"", odd.port(), "PORT"), "");
        login("ldapi://%2fnonexistent%2fldapi ldap://localhost:PORT", "");
        login(format_text("ldaps://{} ldap://localhost:{}", silent.name(), "PORT"), "");
        login("ldap://127.0.0.1:PORT ldap://127.0.0.1:1", "balance=round-robin");
    }

    void a_directory_that_failed_is_left_alone() {
        const std::uint16_t port = fakes::closed_port();
        PluginUnderTest plugin("auth/auth_ldap_bind", format_text("ldap://127.0.0.1:{} dn=cn=%u", port));
        for (int i = 0; i < 3; ++i) {
            CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
            CPPUNIT_ASSERT(
                has(plugin.log().last(), format_text("error: the directory cannot be asked: Can't contact LDAP server "
                                                     "(cannot connect to 127.0.0.1:{}: Connection refused)",
                                                     port)));
        }
        CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        CPPUNIT_ASSERT_MESSAGE(plugin.log().last(),
                               plugin.log().last().starts_with(
                                   format_text("error: 127.0.0.1:{} failed and is not asked for another ", port)));
    }

    void clients_cannot_bring_that_about() {
        const std::pair<const char*, LocalDaemon::Turns> rows[] = {
            {"dn=cn=%u", {{"secret", bind_answer(1, 51)}}},
            {"dn=cn=%u", {{"secret", LocalDaemon::hang_up}}},
            {"dn=cn=%u", {{"never", ""}}},
            {"base=dc=x", {{asked, search_answer(1, 50)}}},
            {"base=dc=x", {{asked, entry(1, "cn=joe") + entry(1, "cn=joe") + search_answer(1, 0)}}}};
        for (const auto& [options, turns] : rows) {
            const LocalDaemon directory(turns);
            PluginUnderTest plugin("auth/auth_ldap_bind",
                                   format_text("ldap://127.0.0.1:{} timeout=200ms {}", directory.port(), options));
            for (int i = 0; i < 4; ++i) {
                CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
                CPPUNIT_ASSERT_MESSAGE(plugin.log().last(), !has(plugin.log().last(), "is not asked"));
            }
        }
    }

    void a_directorys_name_is_looked_up() {
        const LocalDaemon directory(LocalDaemon::Turns{{"secret", bind_answer(1, 0)}});
        PluginUnderTest plugin("auth/auth_ldap_bind",
                               format_text("ldap://ldap.example.com:{} timeout=2s dn=cn=%u", directory.port()));
        plugin.dns({"ldap.example.com A 127.0.0.1"});
        CPPUNIT_ASSERT_MESSAGE(plugin.log().to_string(), plugin.auth_plain("joe", "secret").verdict == Verdict::ok);
        CPPUNIT_ASSERT(plugin.questions() == (std::vector<std::string>{"ldap.example.com A", "ldap.example.com AAAA"}));
        PluginUnderTest unknown("auth/auth_ldap_bind", "ldap://nowhere.example.com dn=cn=%u");
        CPPUNIT_ASSERT(unknown.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        CPPUNIT_ASSERT_EQUAL("error: no address of nowhere.example.com in the DNS: no such name"s,
                             unknown.log().last());
    }

    void tls_that_does_not_come_is_not_waited_for_longer() {
        const std::string started = message(1, 0x78, result(0));
        const std::tuple<const char*, const char*, LocalDaemon::Turns> rows[] = {
            {"a silent ldaps", "ldaps", {{"never", ""}}},
            {"StartTLS without an answer", "ldap", {{"never", ""}}},
            {"StartTLS without a handshake", "ldap", {{"1.3.6.1.4.1.1466.20037", started}}},
            {"StartTLS refused", "ldap", {{"1.3.6.1.4.1.1466.20037", message(1, 0x78, result(2))}}}};
        for (const auto& [name, scheme, turns] : rows) {
            const LocalDaemon directory(turns);
            PluginUnderTest plugin("auth/auth_ldap_bind", scheme + "://127.0.0.1:"s + std::to_string(directory.port()) +
                                                              " base=dc=x timeout=300ms" +
                                                              (scheme == "ldap"s ? " starttls=yes" : ""));
            const auto begun = std::chrono::steady_clock::now();
            CPPUNIT_ASSERT_MESSAGE(name, plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
            CPPUNIT_ASSERT_MESSAGE(name, std::chrono::steady_clock::now() - begun < std::chrono::seconds(10));
        }
    }

    void wrong_options_are_named() {
        const fakes::TempDirectory files;
        const std::tuple<const char*, std::string, const char*> rows[] = {
            {"", "", "set base or dn; the control file ldap has no ldap_base either"},
            {"", "ldap_base dc=example\nldap_prot 389\n", "ldap:2: "},
            {"http://127.0.0.1/ base=dc=x", "",
             "uri: \"http://127.0.0.1/\" is not a valid ldap://, ldaps:// or ldapi:// URI"},
            {"base=dc=x \"filter=(uid=joe)\"", "", "filter: it contains neither %u nor %l"},
            {"base=dc=x \"filter=(uid=%n%u)\"", "", "filter: only %u, %d, %l and %% are allowed"},
            {"dn=uid=%u%", "", "dn: only %u"},
            {"dn=dc=%d", "", "dn: it contains neither %u nor %l"},
            {"dn=uid=%u filter=(uid=%u)", "", "dn and filter exclude each other"},
            {"base=dc=x attribute=u)(*", "", "attribute: \"u)(*\" is not the name of an attribute"},
            {"base=dc=x ldaps://127.0.0.1 starttls=yes", "", "starttls needs a uri with ldap://"},
            {"base=dc=x ldap://127.0.0.1 uri=ldaps://127.0.0.1 starttls=yes", "", "starttls needs a uri with ldap://"},
            {"base=dc=x \"ldap://127.0.0.1 http://127.0.0.1\"", "",
             "uri: \"ldap://127.0.0.1 http://127.0.0.1\" is not a valid ldap://, ldaps:// or ldapi:// URI"},
            {"base=dc=x ldap://..", "", "uri: \"ldap://..\" is not a valid ldap://, ldaps:// or ldapi:// URI"},
            {"base=dc=x bind_dn=cn=search", "", "bind_dn and bind_password_file go together"},
            {"base=dc=x bind_dn=cn=search bind_password_file=/nonexistent", "",
             "bind_password_file: cannot open /nonexistent"},
        };
        for (const auto& [options, file, problem] : rows) {
            const std::string problems = PluginUnderTest("auth/auth_ldap_bind", options, {{"ldap", file}}).problems();
            CPPUNIT_ASSERT_MESSAGE(options + ": "s + problems, has(problems, problem));
        }
        for (const auto* const options :
             {"base=dc=x", "ldapi:/// dn=uid=%u,dc=x", "ldaps://ldap.example.com:1636/ base=dc=x"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(options, ""s, PluginUnderTest("auth/auth_ldap_bind", options).problems());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(AuthLdapBindTest);

#else

class AuthLdapBindTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthLdapBindTest);
    CPPUNIT_TEST(without_the_library_configtest_says_so);
    CPPUNIT_TEST_SUITE_END();

public:
    void without_the_library_configtest_says_so() {
        const PluginUnderTest plugin("auth/auth_ldap_bind");
        CPPUNIT_ASSERT(plugin.problems().find("mod_smtpd was built without libldap") != std::string::npos);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(AuthLdapBindTest);

#endif

}  // namespace
}  // namespace smtpd
