/// auth_certificate_test.cc: a client's logins from its certificate: names in it, names in the list, and hostile names.
#include "fakes/certificates.h"
#include "fakes/fake_tls.h"
#include "fakes/plugin_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using namespace std::string_literals;

const std::string fingerprint(64, 'a');

/// A certificate with these common names, an e-mail address in the subject, and these in the subjectAltName, in PEM.
/// The plugin does not check the signature.
std::string certificate(const std::vector<std::string>& common_names, const std::vector<std::string>& emails) {
    const fakes::Key key = fakes::make_key();
    const fakes::X509Certificate made = fakes::begin_certificate(key.get());
    for (const auto& name : common_names) fakes::add_to_subject(made.get(), "CN", MBSTRING_UTF8, name);
    fakes::add_to_subject(made.get(), "emailAddress", MBSTRING_ASC, "subject@example.com");
    const std::unique_ptr<GENERAL_NAMES, void (*)(GENERAL_NAMES*)> names(GENERAL_NAMES_new(), GENERAL_NAMES_free);
    for (const auto& email : emails) {
        ASN1_IA5STRING* const text = ASN1_IA5STRING_new();
        ASN1_STRING_set(text, email.data(), static_cast<int>(email.size()));
        GENERAL_NAME* const name = GENERAL_NAME_new();
        GENERAL_NAME_set0_value(name, GEN_EMAIL, text);
        sk_GENERAL_NAME_push(names.get(), name);
    }
    if (!emails.empty()) X509_add1_ext_i2d(made.get(), NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT);
    fakes::sign(made.get(), key.get());
    return fakes::pem_of(made.get());
}

Tls shown(std::string subject, std::string pem, bool is_verified = true) {
    Tls facts = fakes::tls_facts_with_certificate(is_verified);
    ClientCertificate own = *facts.certificate;
    own.subject = std::move(subject);
    own.fingerprint = fingerprint;
    own.pem = std::move(pem);
    facts.certificate = std::make_shared<const ClientCertificate>(std::move(own));
    return facts;
}

/// The login of a client that says `user`; "-" if the plugin leaves it to others.
std::string login(PluginUnderTest& plugin, const std::string& user) {
    Credentials credentials("EXTERNAL");
    credentials.set_user(user);
    AuthFindings findings{nullptr, user};
    const Response response = plugin.run(AuthHook(HookId::auth_external, plugin.connection(), credentials, &findings));
    if (response.verdict == Verdict::declined) return "-";
    CPPUNIT_ASSERT(response.verdict == Verdict::ok);
    return findings.login;
}

class AuthCertificateTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthCertificateTest);
    CPPUNIT_TEST(the_certificate_says_who_it_is);
    CPPUNIT_TEST(the_list_comes_before_what_is_in_the_certificate);
    CPPUNIT_TEST(what_is_not_verified_says_nothing);
    CPPUNIT_TEST(mistakes_in_the_list_are_named);
    CPPUNIT_TEST_SUITE_END();

public:
    void the_certificate_says_who_it_is() {
        const std::string subject = "CN=Joe Doe,O=Example";
        const std::string usual = certificate({"Joe Doe"}, {"Joe@example.com", "sales@example.com"});
        const struct {
            const char* name;
            const char* options;
            std::string pem, user, login;
        } rows[] = {
            {"the first address", "", usual, "", "Joe@example.com"},
            {"the address that is asked for", "", usual, "sales@example.com", "sales@example.com"},
            {"in another case", "", usual, "joe@EXAMPLE.com", "Joe@example.com"},
            {"somebody else", "", usual, "ann@example.com", "-"},
            {"the common name is no address", "", usual, "Joe Doe", "-"},
            {"an address that only the subject has", "", usual, "subject@example.com", "-"},
            {"no address", "", certificate({"joe@example.com"}, {}), "", "-"},
            {"a NUL in an address", "", certificate({"x"}, {"joe@example.com\0.evil.example"s}), "", "-"},
            {"a NUL in an address, asked for", "", certificate({"x"}, {"joe@example.com\0.evil.example"s}),
             "joe@example.com", "-"},
            {"the next one, where the first cannot be", "", certificate({"x"}, {"a\nb@example.com", "joe@example.com"}),
             "", "joe@example.com"},
            {"the common name", "login=cn", usual, "", "Joe Doe"},
            {"one of two", "cn", certificate({"joe", "j\xc3\xb6"}, {}), "j\xc3\xb6", "j\xc3\xb6"},
            {"no common name", "login=cn", certificate({}, {"joe@example.com"}), "", "-"},
            {"the subject", "login=subject", usual, "", subject},
            {"the subject asked for", "login=subject", usual, subject, subject},
            {"only what is listed", "login=listed", usual, "joe@example.com", "-"},
            {"no certificate at all", "", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "", "-"},
            {"nothing", "", "", "", "-"}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("auth/auth_certificate", row.options);
            plugin.connection().set_tls(shown(subject, row.pem));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, row.login, login(plugin, row.user));
        }
    }

    void the_list_comes_before_what_is_in_the_certificate() {
        const std::string list = "# who\njoe CN=Joe Doe,O=Example\nsales   CN=Joe Doe,O=Example\nprinter " +
                                 std::string(64, 'A') + "\n";
        const std::tuple<const char*, std::string, std::string, std::string> rows[] = {
            {"by fingerprint", "CN=Nobody", "", "printer"},
            {"the fingerprint before the subject", "CN=Joe Doe,O=Example", "joe", "-"},
        };
        for (const auto& [name, subject, user, expected] : rows) {
            PluginUnderTest plugin("auth/auth_certificate", "", {{"certificate_logins", list}});
            plugin.connection().set_tls(shown(subject, certificate({"x"}, {"joe@example.com"})));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, expected, login(plugin, user));
        }
        PluginUnderTest plugin("auth/auth_certificate", "listed",
                               {{"certificate_logins", list.substr(0, list.find("printer"))}});
        plugin.connection().set_tls(shown("CN=Joe Doe,O=Example", certificate({"x"}, {"joe@example.com"})));
        for (const auto& [user, expected] : {std::pair{""s, "joe"s}, {"sales", "sales"}, {"joe@example.com", "-"}})
            CPPUNIT_ASSERT_EQUAL(expected, login(plugin, user));
        plugin.connection().set_tls(shown("CN=Joe Doe", certificate({"x"}, {"joe@example.com"})));
        CPPUNIT_ASSERT_EQUAL("-"s, login(plugin, ""));
    }

    void what_is_not_verified_says_nothing() {
        PluginUnderTest plugin("auth/auth_certificate", "subject");
        CPPUNIT_ASSERT_EQUAL("-"s, login(plugin, ""));
        plugin.connection().set_tls(fakes::tls_facts());
        CPPUNIT_ASSERT_EQUAL("-"s, login(plugin, ""));
        plugin.connection().set_tls(shown("CN=joe", "", false));
        CPPUNIT_ASSERT_EQUAL("-"s, login(plugin, ""));
        plugin.connection().set_tls(shown("CN=joe", "", true));
        CPPUNIT_ASSERT_EQUAL("CN=joe"s, login(plugin, ""));
    }

    void mistakes_in_the_list_are_named() {
        for (const char* line : {"joe", "joe Joe Doe", "joe 0123456789abcdef"}) {
            const std::string problems = PluginUnderTest("auth/auth_certificate", "",
                                                         {{"certificate_logins", "# one\n"s + line + "\n"}})
                                             .problems();
            CPPUNIT_ASSERT_MESSAGE(
                problems, problems.find("certificate_logins:2: expected a login, then a subject or a fingerprint") !=
                              std::string::npos);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AuthCertificateTest);

}  // namespace
}  // namespace smtpd
