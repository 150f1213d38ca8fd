/// auth_pam_test.cc: PAM with services of the test: what each result leads to, and what modules see.
#include "fakes/plugin_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using namespace std::string_literals;

#ifdef HAVE_PAM_START_CONFDIR

class AuthPamTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthPamTest);
    CPPUNIT_TEST(pams_answer_decides);
    CPPUNIT_TEST(modules_are_told_who_asks);
    CPPUNIT_TEST(domains_are_taken_off);
    CPPUNIT_TEST(wrong_options_are_named);
    CPPUNIT_TEST_SUITE_END();

    fakes::TempDirectory directory_;
    std::string options(const std::string& service) const {
        directory_.write("pam/smtp", service);
        return "confdir=" + directory_.path("pam");
    }
    /// A service that a script decides; the script has the password in $password.
    std::string decided_by(const std::string& condition) const {
        const std::string script = directory_.write("script",
                                                    "#!/bin/sh\npassword=$(tr -d '\\0')\n" + condition + "\n");
        std::filesystem::permissions(script, std::filesystem::perms::owner_all);
        return "auth [success=done default=ignore] pam_exec.so quiet expose_authtok " + script +
               "\nauth requisite pam_deny.so\naccount required pam_permit.so\n";
    }

public:
    void pams_answer_decides() {
        const auto says = [](const std::string& words) {
            return "auth required pam_debug.so " + words + "\naccount required pam_debug.so " + words + "\n";
        };
        const std::pair<std::string, Verdict> rows[] = {
            {says("auth=success acct=success"), Verdict::ok},
            {says("auth=auth_err"), Verdict::deny},
            {says("auth=perm_denied"), Verdict::deny},
            {says("auth=maxtries"), Verdict::deny},
            {says("auth=cred_insufficient"), Verdict::deny},
            {says("auth=user_unknown"), Verdict::declined},
            {says("auth=authinfo_unavail"), Verdict::denysoft},
            {says("auth=service_err"), Verdict::denysoft},
            {says("auth=system_err"), Verdict::denysoft},
            {says("auth=buf_err"), Verdict::denysoft},
            {says("auth=conv_err"), Verdict::denysoft},
            {says("auth=abort"), Verdict::denysoft},
            {says("acct=acct_expired"), Verdict::deny},
            {says("acct=new_authtok_reqd"), Verdict::deny},
            {says("acct=user_unknown"), Verdict::declined},
            {says("acct=authinfo_unavail"), Verdict::denysoft},
            {"auth required pam_permit.so\naccount required pam_permit.so\n", Verdict::ok},
            {"auth required pam_permit.so\naccount required pam_deny.so\n", Verdict::deny},
            {"auth required pam_deny.so\naccount required pam_permit.so\n", Verdict::deny},
            {"auth required pam_no_such_module.so\naccount required pam_permit.so\n", Verdict::denysoft}};
        for (const auto& [service, verdict] : rows) {
            PluginUnderTest plugin("auth/auth_pam", options(service));
            const Response response = plugin.auth_plain("joe", "secret");
            CPPUNIT_ASSERT_MESSAGE(service + plugin.log().last(), response.verdict == verdict);
        }
    }

    void modules_are_told_who_asks() {
        PluginUnderTest plugin(
            "auth/auth_pam",
            options(decided_by(
                "[ \"$PAM_USER $password $PAM_RHOST $PAM_SERVICE\" = 'joe@example.com two  words 192.0.2.1 smtp' ]")));
        CPPUNIT_ASSERT(plugin.auth_plain("joe@example.com", "two  words").verdict == Verdict::ok);
        for (const auto& [user, password] :
             {std::pair{"joe@example.com", "two words"}, {"joe@example.com", ""}, {"joe", "two  words"}})
            CPPUNIT_ASSERT_MESSAGE(user, plugin.auth_plain(user, password).verdict == Verdict::deny);
    }

    void domains_are_taken_off() {
        PluginUnderTest plugin(
            "auth/auth_pam", options(decided_by("[ \"$PAM_USER\" = joe ]")) + " domain=example.com domain=example.net");
        for (const auto& [user, verdict] : {std::pair{"joe", Verdict::ok},
                                            {"joe@example.com", Verdict::ok},
                                            {"joe@EXAMPLE.net", Verdict::ok},
                                            {"joe@example.org", Verdict::deny},
                                            {"joe@sub.example.com", Verdict::deny},
                                            {"joe@", Verdict::deny},
                                            {"joe@example.com@example.com", Verdict::deny}})
            CPPUNIT_ASSERT_MESSAGE(user, plugin.auth_plain(user, "secret").verdict == verdict);
    }

    void wrong_options_are_named() {
        const std::string permit = options("auth required pam_permit.so\n");
        const std::pair<std::string, std::string> rows[] = {
            {permit + " service=imap", "there is no imap in "},
            {permit + " service=../pam/smtp", "service: \"../pam/smtp\" is not a name"},
            {"service=no-such-service-here", "PAM has no service no-such-service-here"}};
        for (const auto& [line, problem] : rows) {
            const std::string problems = PluginUnderTest("auth/auth_pam", line).problems();
            CPPUNIT_ASSERT_MESSAGE(line + ": " + problems, problems.find(problem) != std::string::npos);
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(AuthPamTest);

#elif !defined HAVE_PAM

class AuthPamTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthPamTest);
    CPPUNIT_TEST(without_the_library_configtest_says_so);
    CPPUNIT_TEST_SUITE_END();

public:
    void without_the_library_configtest_says_so() {
        const PluginUnderTest plugin("auth/auth_pam");
        CPPUNIT_ASSERT(plugin.problems().find("mod_smtpd was built without libpam") != std::string::npos);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(AuthPamTest);

#endif

}  // namespace
}  // namespace smtpd
