/// sasl_test.cc: the mechanisms: octets in, challenges or credentials out.
#include "smtp/sasl.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace smtpd::smtp {
namespace {

using Status = SaslMechanism::Status;
using namespace std::string_literals;

/// "complete", or "challenge Password:".
std::string shown(const SaslMechanism::Step& step) {
    switch (step.status) {
        case Status::challenge: return "challenge " + step.challenge;
        case Status::complete: return "complete";
        case Status::lookup: return "lookup";
        case Status::proved: return "proved";
        case Status::malformed: return "malformed";
        case Status::refused: return "refused";
    }
    return "?";
}

class SaslTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SaslTest);
    CPPUNIT_TEST(names_are_read_in_any_case);
    CPPUNIT_TEST(plain_takes_user_and_password);
    CPPUNIT_TEST(plain_refuses_what_nobody_can_be);
    CPPUNIT_TEST(login_asks_twice);
    CPPUNIT_TEST(login_tells_nothing_before_the_password);
    CPPUNIT_TEST(the_example_of_rfc_2195_holds);
    CPPUNIT_TEST(cram_md5_reads_digests_strictly);
    CPPUNIT_TEST(users_are_utf8_without_control_characters);
    CPPUNIT_TEST(the_vectors_of_rfc_2202_hold);
    CPPUNIT_TEST(passwords_are_proved_with_every_mechanism);
    CPPUNIT_TEST_SUITE_END();

public:
    void names_are_read_in_any_case() {
        for (const char* name : {"PLAIN", "plain", "Login", "CRAM-md5"})
            CPPUNIT_ASSERT_MESSAGE(name, make_sasl(name, "1", "mx"));
        for (const char* name : {"", "PLAI", "PLAINS", "CRAM_MD5", "SCRAM-SHA-512", "SCRAM-SHA-1-"})
            CPPUNIT_ASSERT_MESSAGE(name, !make_sasl(name, "1", "mx"));
        CPPUNIT_ASSERT_EQUAL(std::string_view("CRAM-MD5"), make_sasl("cram-md5", "1", "mx")->credentials().mechanism());
    }

    void plain_takes_user_and_password() {
        for (const auto& octets : {"\0joe\0pass word"s, "joe\0joe\0pass word"s}) {
            const auto plain = make_sasl("PLAIN", "", "");
            CPPUNIT_ASSERT(!plain->begins_with_challenge());
            CPPUNIT_ASSERT_EQUAL(std::string(), plain->first_challenge());
            CPPUNIT_ASSERT_EQUAL(std::string("complete"), shown(plain->take(octets)));
            CPPUNIT_ASSERT_EQUAL(std::string("joe"), plain->credentials().user());
            CPPUNIT_ASSERT_EQUAL(std::string("pass word"), plain->credentials().password()->reveal());
        }
    }

    void plain_refuses_what_nobody_can_be() {
        const std::pair<std::string, const char*> rows[] = {{"", "malformed"},
                                                            {"joe", "malformed"},
                                                            {"joe\0secret"s, "malformed"},
                                                            {"\0joe\0sec\0ret"s, "malformed"},
                                                            {"\0\0\0"s, "malformed"},
                                                            {"\0\0secret"s, "refused"},
                                                            {"\0joe\0"s, "refused"},
                                                            {"\0\0"s, "refused"},
                                                            {"jim\0joe\0secret"s, "refused"},
                                                            {"JOE\0joe\0secret"s, "refused"},
                                                            {"joe\0\0secret"s, "refused"},
                                                            {"\0jo\re\0secret"s, "refused"},
                                                            {"\0jo\xff\0secret"s, "refused"},
                                                            {"\0joe\0sec\tret"s, "refused"}};
        for (const auto& [octets, result] : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(octets, std::string(result), shown(make_sasl("PLAIN", "", "")->take(octets)));
    }

    void login_asks_twice() {
        const auto login = make_sasl("LOGIN", "", "");
        CPPUNIT_ASSERT_EQUAL(std::string("Username:"), login->first_challenge());
        CPPUNIT_ASSERT_EQUAL(std::string("challenge Password:"), shown(login->take("joe")));
        CPPUNIT_ASSERT_EQUAL(std::string("complete"), shown(login->take("secret")));
        CPPUNIT_ASSERT_EQUAL(std::string("joe"), login->credentials().user());
        CPPUNIT_ASSERT_EQUAL(std::string("secret"), login->credentials().password()->reveal());
    }

    void login_tells_nothing_before_the_password() {
        for (const auto& user : {""s, "jo\xff"s, "j\noe"s}) {
            const auto login = make_sasl("LOGIN", "", "");
            CPPUNIT_ASSERT_EQUAL(std::string("challenge Password:"), shown(login->take(user)));
            CPPUNIT_ASSERT_EQUAL(std::string("refused"), shown(login->take("secret")));
        }
        CPPUNIT_ASSERT_EQUAL(std::string("malformed"), shown(make_sasl("LOGIN", "", "")->take("j\0oe"s)));
        const auto login = make_sasl("LOGIN", "", "");
        (void)login->take("joe");
        CPPUNIT_ASSERT_EQUAL(std::string("refused"), shown(login->take("")));
    }

    void the_example_of_rfc_2195_holds() {
        const auto cram = make_sasl("CRAM-MD5", "1896.697170952", "postoffice.reston.mci.net");
        CPPUNIT_ASSERT(cram->begins_with_challenge());
        CPPUNIT_ASSERT_EQUAL(std::string("<1896.697170952@postoffice.reston.mci.net>"), cram->first_challenge());
        CPPUNIT_ASSERT_EQUAL(std::string("complete"), shown(cram->take("tim b913a602c7eda7a495b4e6e7334d3890")));
        const auto& credentials = cram->credentials();
        CPPUNIT_ASSERT_EQUAL(std::string("tim"), credentials.user());
        CPPUNIT_ASSERT(credentials.password() == nullptr);
        CPPUNIT_ASSERT(credentials.proves("tanstaaftanstaaf"));
        CPPUNIT_ASSERT(!credentials.proves("tanstaaftanstaa"));
        CPPUNIT_ASSERT(!credentials.proves(""));
    }

    void cram_md5_reads_digests_strictly() {
        const std::pair<std::string, const char*> rows[] = {{"tim B913A602C7EDA7A495B4E6E7334D3890", "complete"},
                                                            {"tim tam b913a602c7eda7a495b4e6e7334d3890", "complete"},
                                                            {"b913a602c7eda7a495b4e6e7334d3890", "malformed"},
                                                            {"tim", "malformed"},
                                                            {"tim ", "malformed"},
                                                            {"", "malformed"},
                                                            {"tim b913a602c7eda7a495b4e6e7334d389", "malformed"},
                                                            {"tim b913a602c7eda7a495b4e6e7334d38900", "malformed"},
                                                            {"tim b913a602c7eda7a495b4e6e7334d389g", "malformed"},
                                                            {" b913a602c7eda7a495b4e6e7334d3890", "refused"}};
        for (const auto& [octets, result] : rows) {
            const auto cram = make_sasl("CRAM-MD5", "1896.697170952", "postoffice.reston.mci.net");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(octets, std::string(result), shown(cram->take(octets)));
            if (result == std::string("complete"))
                CPPUNIT_ASSERT_MESSAGE(octets, cram->credentials().proves("tanstaaftanstaaf"));
        }
    }

    void users_are_utf8_without_control_characters() {
        const std::pair<std::string, const char*> rows[] = {{"j\xc3\xb6s", "complete"},
                                                            {"joe doe", "complete"},
                                                            {std::string(max_user_octets, 'u'), "complete"},
                                                            {std::string(max_user_octets + 1, 'u'), "refused"},
                                                            {"j\xc3", "refused"},
                                                            {"\xed\xa0\x80", "refused"},
                                                            {"\xc0\xaf", "refused"},
                                                            {"j\x01", "refused"},
                                                            {"j\x7f", "refused"},
                                                            {"j\n", "refused"}};
        for (const auto& [user, result] : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(user, std::string(result),
                                         shown(make_sasl("PLAIN", "", "")->take("\0"s + user + "\0secret"s)));
    }

    void the_vectors_of_rfc_2202_hold() {
        CPPUNIT_ASSERT_EQUAL(std::string("9294727a3638bb1c13f48ef8158bfc9d"),
                             hmac_md5(std::string(16, '\x0b'), "Hi There"));
        CPPUNIT_ASSERT_EQUAL(std::string("750c783e6ab0b503eaa86e310a5db738"),
                             hmac_md5("Jefe", "what do ya want for nothing?"));
        CPPUNIT_ASSERT_EQUAL(std::string("6f630fad67cda0ee1fb1f562db3aa53e"),
                             hmac_md5(std::string(80, '\xaa'),
                                      "Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data"));
        CPPUNIT_ASSERT_EQUAL(std::string("74e6f7298a9c2d168935f58c001bad88"), hmac_md5({}, {}));
    }

    void passwords_are_proved_with_every_mechanism() {
        Credentials plain("PLAIN");
        CPPUNIT_ASSERT(!plain.proves(""));
        plain.set_password("secret");
        CPPUNIT_ASSERT(plain.proves("secret"));
        CPPUNIT_ASSERT(!plain.proves("secre"));
        CPPUNIT_ASSERT(!plain.proves(""));
        plain.set_password("gr\xfc\xdf");
        CPPUNIT_ASSERT(plain.proves("gr\xfc\xdf"));
        Credentials cram("CRAM-MD5");
        cram.set_challenge("<1@mx>");
        CPPUNIT_ASSERT(!cram.proves("secret"));
        cram.set_response(hmac_md5("secret", "<1@mx>"));
        CPPUNIT_ASSERT(cram.proves("secret"));
        CPPUNIT_ASSERT(!cram.proves("Secret"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SaslTest);

}  // namespace
}  // namespace smtpd::smtp
