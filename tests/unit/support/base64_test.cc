/// base64_test.cc: the vectors of RFC 4648, all lengths in both directions, and rejected texts.
#include "support/base64.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::support {
namespace {

class Base64Test : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(Base64Test);
    CPPUNIT_TEST(the_vectors_of_the_rfc_hold);
    CPPUNIT_TEST(all_octets_and_lengths_come_back);
    CPPUNIT_TEST(what_is_not_canonical_is_refused);
    CPPUNIT_TEST_SUITE_END();

public:
    void the_vectors_of_the_rfc_hold() {
        const std::pair<const char*, const char*> rows[] = {{"", ""},
                                                            {"f", "Zg=="},
                                                            {"fo", "Zm8="},
                                                            {"foo", "Zm9v"},
                                                            {"foob", "Zm9vYg=="},
                                                            {"fooba", "Zm9vYmE="},
                                                            {"foobar", "Zm9vYmFy"}};
        for (const auto& [octets, text] : rows) {
            CPPUNIT_ASSERT_EQUAL(std::string(text), base64(octets));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string(octets), from_base64(text).value());
        }
    }

    void all_octets_and_lengths_come_back() {
        std::string octets;
        for (int i = 0; i < 600; ++i) {
            CPPUNIT_ASSERT(from_base64(base64(octets)) == octets);
            octets += static_cast<char>(i * 37);
        }
    }

    void what_is_not_canonical_is_refused() {
        for (const std::string text :
             {"Z",    "Zg",    "Zg=",    "Zm8",  "Zg===", "=",    "==",   "====", "Z===", "Zg==Zg==", "Zm9v=",
              "Zm 9", " Zm9v", "Zm9v\n", "Zm9*", "Zm9-",  "Zm9_", "Zh==", "Zm9=", "Zg=A", "*",        "\xc3\xa9ZZ"})
            CPPUNIT_ASSERT_MESSAGE(text, !from_base64(text));
        CPPUNIT_ASSERT(!from_base64(std::string_view("Zm\0v", 4)));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(Base64Test);

}  // namespace
}  // namespace smtpd::support
