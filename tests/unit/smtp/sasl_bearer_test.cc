/// sasl_bearer_test.cc: XOAUTH2, OAUTHBEARER and EXTERNAL: the token in a response, and its user.
#include "smtp/sasl.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::smtp {
namespace {

using Status = SaslMechanism::Status;
using namespace std::string_literals;

/// "joe token", "malformed" or "refused"; "^" is the separator.
std::string outcome(const char* mechanism, std::string octets) {
    for (char& c : octets)
        if (c == '^') c = '\x01';
    const auto sasl = make_sasl(mechanism, "nonce", "mx");
    const auto step = sasl->take(octets);
    if (step.status == Status::malformed) return "malformed";
    if (step.status == Status::refused) return "refused";
    CPPUNIT_ASSERT(step.status == Status::complete);
    return sasl->credentials().user() + " " + sasl->credentials().token().reveal();
}

class SaslBearerTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SaslBearerTest);
    CPPUNIT_TEST(the_example_of_rfc_7628_holds);
    CPPUNIT_TEST(oauthbearer_is_read_strictly);
    CPPUNIT_TEST(xoauth2_is_read_strictly);
    CPPUNIT_TEST(a_refusal_has_a_word_of_its_own);
    CPPUNIT_TEST(external_names_whom_the_client_wants_to_be);
    CPPUNIT_TEST_SUITE_END();

public:
    void the_example_of_rfc_7628_holds() {
        const std::string token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
        CPPUNIT_ASSERT_EQUAL(
            "user@example.com " + token,
            outcome("OAUTHBEARER",
                    "n,a=user@example.com,^host=server.example.com^port=143^auth=Bearer " + token + "^^"));
        CPPUNIT_ASSERT_EQUAL(""s, make_sasl("OAUTHBEARER", "nonce", "mx")->first_challenge());
    }

    void oauthbearer_is_read_strictly() {
        const std::pair<std::string, const char*> rows[] = {{"n,,^auth=Bearer t^^", " t"},
                                                            {"y,a=j=2Coe,^auth=bearer t^^", "j,oe t"},
                                                            {"n,a=joe,^auth=Bearer t^later=x^^", "joe t"},
                                                            {"n,a=joe,^auth=^^", "refused"},
                                                            {"n,a=joe,^auth=Basic dDp0^^", "refused"},
                                                            {"n,a=joe,^auth=Bearer ^^", "refused"},
                                                            {"n,a=joe,^auth=Bearer a b^^", "refused"},
                                                            {"n,a=joe,^auth=Bearer ==^^", "refused"},
                                                            {"n,a=joe,^auth=Bearer t\"^^", "refused"},
                                                            {"n,a=jo\re,^auth=Bearer t^^", "refused"},
                                                            {"p=tls-exporter,a=joe,^auth=Bearer t^^", "refused"},
                                                            {"", "malformed"},
                                                            {"^", "malformed"},
                                                            {"n,a=joe,", "malformed"},
                                                            {"n,a=joe^auth=Bearer t^^", "malformed"},
                                                            {"n,a=joe,x^auth=Bearer t^^", "malformed"},
                                                            {"n,a=joe,^^", "malformed"},
                                                            {"n,a=joe,^auth=Bearer t^", "malformed"},
                                                            {"n,a=joe,^auth=Bearer t", "malformed"},
                                                            {"n,a=joe,^auth=Bearer t^^x", "malformed"},
                                                            {"n,a=joe,^auth=Bearer t^auth=Bearer u^^", "malformed"},
                                                            {"n,a=joe,^=x^auth=Bearer t^^", "malformed"},
                                                            {"n,a=joe,^p1=x^auth=Bearer t^^", "malformed"},
                                                            {"n,a=joe,^auth=Bearer \0t^^"s, "malformed"},
                                                            {"n,a=joe,^host=x^^", "malformed"}};
        for (const auto& [octets, result] : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(octets, std::string(result), outcome("OAUTHBEARER", octets));
    }

    void xoauth2_is_read_strictly() {
        const std::pair<std::string, const char*> rows[] = {
            {"user=someuser@example.com^auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg^^",
             "someuser@example.com ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"},
            {"user=^auth=Bearer t^^", "refused"},
            {"user=jo\xff^auth=Bearer t^^", "refused"},
            {"user=joe^auth=t^^", "refused"},
            {"user=joe^auth=Bearer t^", "malformed"},
            {"user=joe^^", "malformed"},
            {"user=joe", "malformed"},
            {"auth=Bearer t^user=joe^^", "malformed"},
            {"n,a=joe,^auth=Bearer t^^", "malformed"},
            {"", "malformed"}};
        for (const auto& [octets, result] : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(octets, std::string(result), outcome("XOAUTH2", octets));
    }

    void a_refusal_has_a_word_of_its_own() {
        CPPUNIT_ASSERT_EQUAL(std::string_view(R"({"status":"invalid_token"})"),
                             make_sasl("OAUTHBEARER", "nonce", "mx")->refusal());
        CPPUNIT_ASSERT_EQUAL(std::string_view(R"({"status":"401","schemes":"bearer","scope":""})"),
                             make_sasl("XOAUTH2", "nonce", "mx")->refusal());
        for (const char* name : {"PLAIN", "SCRAM-SHA-1", "EXTERNAL"})
            CPPUNIT_ASSERT(make_sasl(name, "nonce", "mx")->refusal().empty());
    }

    void external_names_whom_the_client_wants_to_be() {
        const std::pair<std::string, const char*> rows[] = {
            {"", " "}, {"joe", "joe "}, {"j\0oe"s, "malformed"}, {"j\noe", "refused"}, {"j\xff", "refused"}};
        for (const auto& [octets, result] : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(octets, std::string(result), outcome("EXTERNAL", octets));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SaslBearerTest);

}  // namespace
}  // namespace smtpd::smtp
