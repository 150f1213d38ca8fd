/// auth_test.cc: back ends of AUTH that need no daemon: auth/auth_flat_file, auth/auth_checkpassword, auth/authdeny.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"
#include "smtp/sasl.h"

#include <smtpd/auth/stored_password.h>
#include <smtpd/base/base64.h>

#include <cppunit/extensions/HelperMacros.h>

#include <ctime>

#include <sys/stat.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;
using namespace std::string_literals;

constexpr const char* flat_file = "auth/auth_flat_file";

/// joe@example.com: "secret" in every form. The crypt(3) and htpasswd forms come from openssl passwd -6, openssl passwd
/// -apr1 and htpasswd -s.
std::string scram_text(ScramHash hash, unsigned iterations = 5000) {
    const auto keys = ScramKeys::derive(hash, "secret", "salt", iterations);
    return (hash == ScramHash::sha1 ? "SCRAM-SHA-1$" : "SCRAM-SHA-256$") + std::to_string(iterations) + ":" +
           base64(keys.salt) + "$" + base64(keys.stored_key) + ":" + base64(keys.server_key);
}

class AuthTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthTest);
    CPPUNIT_TEST(users_of_the_flat_file_log_in);
    CPPUNIT_TEST(names_are_no_regular_expressions);
    CPPUNIT_TEST(each_form_of_password_serves_its_mechanisms);
    CPPUNIT_TEST(the_time_does_not_tell_who_exists);
    CPPUNIT_TEST(an_edited_file_counts_at_once);
    CPPUNIT_TEST(wrong_lines_are_named);
    CPPUNIT_TEST(blanks_behind_a_password_are_named);
    CPPUNIT_TEST(authdeny_refuses_what_nobody_decided);
    CPPUNIT_TEST(checkpassword_gets_user_and_password);
    CPPUNIT_TEST(what_checkpassword_ends_with_decides);
    CPPUNIT_TEST(a_checkpassword_that_hangs_is_killed);
    CPPUNIT_TEST(checkpassword_programs_must_exist);
    CPPUNIT_TEST_SUITE_END();

    /// The plugin's verdict for a client that knows `password`: "ok", "deny", "declined".
    static std::string with_mechanism(PluginUnderTest& plugin, HookId hook, const char* mechanism,
                                      const std::string& user, const std::string& password) {
        Credentials credentials(mechanism);
        credentials.set_user(user);
        if (hook == HookId::auth_cram_md5) {
            credentials.set_challenge("<1@mx>");
            credentials.set_response(smtp::hmac_md5(password, "<1@mx>"));
        } else if (hook == HookId::auth_plain) {
            credentials.set_password(password);
        }
        ScramRequest request{
            hook == HookId::auth_scram_sha_1 ? ScramHash::sha1 : ScramHash::sha256, "their salt", 4096, {}};
        AuthFindings findings;
        if (hook == HookId::auth_scram_sha_1 || hook == HookId::auth_scram_sha_256) findings.scram = &request;
        const Response response = plugin.run(AuthHook(hook, plugin.connection(), credentials, &findings));
        if (findings.scram && response.verdict == Verdict::ok)
            return request.keys.are_of(request.hash, password) ? "ok" : "deny";
        return std::string(verdict_name(response.verdict));
    }

    /// A program that is a shell script.
    static std::string script(PluginUnderTest& plugin, const std::string& text) {
        return script(plugin.directory(), text);
    }
    static std::string script(const fakes::TempDirectory& directory, const std::string& text) {
        const std::string path = directory.write("checkpw", "#!/bin/sh\n" + text);
        chmod(path.c_str(), 0755);
        return path;
    }

public:
    void users_of_the_flat_file_log_in() {
        PluginUnderTest plugin(flat_file, "",
                               {{"flat_auth_pw",
                                 "# comment\ngood@example.com:good_pass\nother@example.com:a:b c\n"
                                 "joe@xn--bcher-kva.example:book\n"}});
        const std::pair<std::pair<const char*, const char*>, const char*> rows[] = {
            {{"good@example.com", "good_pass"}, "ok"},
            {{"GOOD@Example.com", "good_pass"}, "ok"},
            {{"good@example.com", "bad_pass"}, "deny"},
            {{"good@example.com", "GOOD_PASS"}, "deny"},
            {{"other@example.com", "a:b c"}, "ok"},
            {{"other@example.com", "a"}, "deny"},
            {{"Joe@BÜCHER.example", "book"}, "ok"},
            {{"joe@bucher.example", "book"}, "declined"},
            {{"nobody@example.com", "good_pass"}, "declined"},
            {{"good", "good_pass"}, "declined"}};
        for (const auto& [client, expected] : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                client.first, std::string(expected),
                std::string(verdict_name(plugin.auth_plain(client.first, client.second).verdict)));
    }

    void names_are_no_regular_expressions() {
        PluginUnderTest plugin(flat_file, "", {{"flat_auth_pw", "a.b@example.com:secret\n"}});
        for (const char* user : {"axb@example.com", ".*@example.com", "a.b@example.com:", "@", "b@example.com"})
            CPPUNIT_ASSERT_MESSAGE(user, plugin.auth_plain(user, "secret").verdict == Verdict::declined);
        CPPUNIT_ASSERT(plugin.auth_plain("a.b@example.com", "secret").verdict == Verdict::ok);
    }

    void each_form_of_password_serves_its_mechanisms() {
        struct Row {
            std::string stored;
            const char *plain, *cram, *sha1, *sha256;
        };
        const Row rows[] = {{"secret", "ok", "ok", "ok", "ok"},
                            {"{PLAIN}secret", "ok", "ok", "ok", "ok"},
                            {"{CRYPT}$6$saltsalt$"
                             "TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1",
                             "ok", "declined", "declined", "declined"},
                            {"$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0", "ok", "declined", "declined", "declined"},
                            {"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "ok", "declined", "declined", "declined"},
                            {scram_text(ScramHash::sha1), "ok", "declined", "ok", "declined"},
                            {scram_text(ScramHash::sha256), "ok", "declined", "declined", "ok"}};
        for (const auto& row : rows) {
            PluginUnderTest plugin(flat_file, "", {{"flat_auth_pw", "joe@example.com:" + row.stored + "\n"}});
            const auto with = [&](HookId hook, const char* mechanism, const char* password) {
                return with_mechanism(plugin, hook, mechanism, "joe@example.com", password);
            };
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.stored, std::string(row.plain),
                                         with(HookId::auth_plain, "PLAIN", "secret"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.stored, "deny"s, with(HookId::auth_plain, "PLAIN", "wrong"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.stored, std::string(row.cram),
                                         with(HookId::auth_cram_md5, "CRAM-MD5", "secret"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.stored, std::string(row.sha1),
                                         with(HookId::auth_scram_sha_1, "SCRAM-SHA-1", "secret"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.stored, std::string(row.sha256),
                                         with(HookId::auth_scram_sha_256, "SCRAM-SHA-256", "secret"));
            if (row.sha256 == "ok"s)
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.stored, "deny"s,
                                             with(HookId::auth_scram_sha_256, "SCRAM-SHA-256", "wrong"));
        }
    }

    /// Measured in CPU time, which does not depend on other programs. A check takes some milliseconds here; reading the
    /// file takes microseconds.
    void the_time_does_not_tell_who_exists() {
        PluginUnderTest plugin(flat_file, "",
                               {{"flat_auth_pw", "joe@example.com:" + scram_text(ScramHash::sha256, 20'000) +
                                                     "\nann@example.com:clear\n"}});
        const auto cost = [&](const char* user) {
            const auto began = std::clock();
            CPPUNIT_ASSERT_MESSAGE(user, plugin.auth_plain(user, "wrong").verdict != Verdict::ok);
            return std::clock() - began;
        };
        const auto known = cost("joe@example.com");
        CPPUNIT_ASSERT(cost("nobody@example.com") > known / 3);
        CPPUNIT_ASSERT(cost("ann@example.com") > known / 3);
        CPPUNIT_ASSERT(plugin.auth_plain("ann@example.com", "clear").verdict == Verdict::ok);
        CPPUNIT_ASSERT(plugin.auth_plain("nobody@example.com", "secret").verdict == Verdict::declined);  // which is
                                                                                                         // right, but
                                                                                                         // not for that
                                                                                                         // user
    }

    void an_edited_file_counts_at_once() {
        PluginUnderTest plugin(flat_file, "", {{"flat_auth_pw", "joe@example.com:old\n"}});
        plugin.write_control("flat_auth_pw", "joe@example.com:new\n");
        CPPUNIT_ASSERT(plugin.auth_plain("joe@example.com", "new").verdict == Verdict::ok);
        plugin.remove_control("flat_auth_pw");
        CPPUNIT_ASSERT_MESSAGE("it may come back at once",
                               plugin.auth_plain("joe@example.com", "new").verdict == Verdict::ok);
        plugin.clock().advance(std::chrono::seconds(15));
        CPPUNIT_ASSERT(plugin.auth_plain("joe@example.com", "new").verdict == Verdict::declined);
    }

    void wrong_lines_are_named() {
        for (const auto& [text, problem] : {std::pair{"joe:secret", "expected user@domain:password"},
                                            {"joe@example.com", "expected user@domain:password"},
                                            {"joe@example.com:", "joe@example.com has no password"},
                                            {"joe@a:1\nJOE@a:2", "JOE@a is listed twice"}}) {
            PluginUnderTest plugin(flat_file, "", {{"flat_auth_pw", text + "\n"s}});
            CPPUNIT_ASSERT_MESSAGE(text, !plugin.is_usable());
            CPPUNIT_ASSERT_MESSAGE(plugin.problems(), plugin.problems().find(problem) != std::string::npos);
        }
    }

    /// A password with blanks at its end would never match, and the reason would be invisible.
    void blanks_behind_a_password_are_named() {
        const std::string advice = ": blanks follow the password of joe@example.com and are not part of it; ";
        for (const char* line : {"joe@example.com:secret ", "joe@example.com:secret\t", "joe@example.com:se cret  \t ",
                                 "joe@example.com:{PLAIN}secret ", "joe@example.com:secret \r"}) {
            PluginUnderTest plugin(flat_file, "", {{"flat_auth_pw", "ann@example.com:x\n"s + line + "\n"}});
            CPPUNIT_ASSERT_MESSAGE(line, !plugin.is_usable());
            CPPUNIT_ASSERT_MESSAGE(plugin.problems(),
                                   plugin.problems().find("flat_auth_pw:2" + advice) != std::string::npos);
        }
        for (const char* line : {"joe@example.com:secret\r", "  joe@example.com:secret", "joe@example.com: se cret",
                                 "joe@example.com:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ= "})
            CPPUNIT_ASSERT_MESSAGE(line, PluginUnderTest(flat_file, "", {{"flat_auth_pw", line + "\n"s}}).is_usable());
        PluginUnderTest spaced(flat_file, "", {{"flat_auth_pw", "joe@example.com: se cret\n"}});
        CPPUNIT_ASSERT_EQUAL("ok"s, shown(spaced.auth_plain("joe@example.com", " se cret")));
    }

    void authdeny_refuses_what_nobody_decided() {
        PluginUnderTest plugin("auth/authdeny");
        CPPUNIT_ASSERT_EQUAL("deny"s, shown(plugin.auth_plain("joe", "secret")));
    }

    void checkpassword_gets_user_and_password() {
        const fakes::TempDirectory directory;
        const std::string program = script(directory, "cat <&3 | tr '\\0' '|' > " + directory.path("seen") +
                                                          "\necho \"$1 $TCPREMOTEIP\" >> " + directory.path("seen"));
        PluginUnderTest plugin("auth/auth_checkpassword", "checkpw=" + program + " true=/bin/true");
        CPPUNIT_ASSERT(plugin.auth_plain("joe doe", "sec ret;$(id)").verdict == Verdict::ok);
        CPPUNIT_ASSERT_EQUAL("joe doe|sec ret;$(id)|Y123456|/bin/true 192.0.2.1\n"s,
                             read_file(directory.path("seen"), 1000).operator*());
        CPPUNIT_ASSERT(plugin.auth_plain("joe", std::string(600, 'x')).verdict == Verdict::declined);
    }

    void what_checkpassword_ends_with_decides() {
        const std::pair<const char*, Verdict> rows[] = {
            {"exit 0", Verdict::ok},         {"exit 1", Verdict::declined},     {"exit 2", Verdict::denysoft},
            {"exit 111", Verdict::denysoft}, {"kill -9 $$", Verdict::denysoft}, {"exec \"$@\"", Verdict::ok}};
        for (const auto& [text, verdict] : rows) {
            const fakes::TempDirectory directory;
            PluginUnderTest plugin("auth/auth_checkpassword", "",
                                   {{"smtpauth-checkpassword", script(directory, text) + " /bin/true\n"}});
            CPPUNIT_ASSERT_MESSAGE(text, plugin.auth_plain("joe", "secret").verdict == verdict);
        }
    }

    void a_checkpassword_that_hangs_is_killed() {
        const fakes::TempDirectory directory;
        PluginUnderTest plugin("auth/auth_checkpassword",
                               "checkpw=" + script(directory, "exec sleep 60") + " true=/bin/true timeout=200ms");
        const auto before = std::chrono::steady_clock::now();
        CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        CPPUNIT_ASSERT(std::chrono::steady_clock::now() - before < std::chrono::seconds(30));
        CPPUNIT_ASSERT_EQUAL("error: the program did not end in time"s, plugin.log().last());
    }

    void checkpassword_programs_must_exist() {
        for (const char* options :
             {"", "checkpw=/nonexistent/checkpw true=/bin/true", "checkpw=/bin/true", "checkpw=true true=/bin/true",
              "checkpw=/bin/true true=/bin/true sudo=/nonexistent/sudo",
              "checkpw=/bin/true true=/bin/true sudo_user=joe"})
            CPPUNIT_ASSERT_MESSAGE(options, !PluginUnderTest("auth/auth_checkpassword", options).is_usable());
        PluginUnderTest plugin("auth/auth_checkpassword", "checkpw=/bin/true true=/bin/true");
        CPPUNIT_ASSERT_EQUAL(""s, plugin.problems());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AuthTest);

}  // namespace
}  // namespace smtpd
