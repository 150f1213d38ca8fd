/// saslprep_test.cc: the normal form of names and passwords.
#include "smtp/saslprep.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::smtp {
namespace {

using namespace std::string_literals;

class SaslprepTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SaslprepTest);
    CPPUNIT_TEST(ascii_stays_as_it_is);
    CPPUNIT_TEST(what_must_not_be_there_is_refused);
    CPPUNIT_TEST(passwords_older_than_utf8_stay_as_they_are);
#ifdef HAVE_STRINGPREP
    CPPUNIT_TEST(the_examples_of_rfc_4013_hold);
    CPPUNIT_TEST(the_longest_expansion_fits);
#endif
    CPPUNIT_TEST_SUITE_END();

public:
    void ascii_stays_as_it_is() {
        for (const auto& text : {"user"s, "USER"s, "a b~!\"=,"s, ""s})
            CPPUNIT_ASSERT_EQUAL(text, saslprep(text).value());
    }

    void what_must_not_be_there_is_refused() {
        for (const auto& text : {"a\x07"s, "a\0b"s, "a\x7f"s, "a\xc2\x85"s, "a\xff"s, "\xc3"s, "\xed\xa0\x80"s})
            CPPUNIT_ASSERT_MESSAGE(text, !saslprep(text));
    }

    void passwords_older_than_utf8_stay_as_they_are() {
        CPPUNIT_ASSERT_EQUAL("gr\xfc\xdf"s, prepared_password("gr\xfc\xdf"));
        CPPUNIT_ASSERT_EQUAL("secret"s, prepared_password("secret"));
    }

#ifdef HAVE_STRINGPREP
    void the_examples_of_rfc_4013_hold() {
        CPPUNIT_ASSERT_EQUAL("IX"s, saslprep("I\xc2\xadX").value());
        CPPUNIT_ASSERT_EQUAL("a"s, saslprep("\xc2\xaa").value());
        CPPUNIT_ASSERT_EQUAL("IX"s, saslprep("\xe2\x85\xa8").value());
        CPPUNIT_ASSERT(!saslprep("\xd8\xa7\x31"));
        CPPUNIT_ASSERT_EQUAL("a b"s, saslprep("a\xc2\xa0"
                                              "b")
                                         .value());
        CPPUNIT_ASSERT_EQUAL("\xc3\xbc"s, saslprep("u\xcc\x88").value());
    }

    void the_longest_expansion_fits() {
        std::string text;
        for (int i = 0; i < 100; ++i) text += "\xef\xb7\xba";  // U+FDFA
        const auto prepared = saslprep(text);
        CPPUNIT_ASSERT(prepared && prepared->size() > text.size() * 5);
    }
#endif
};

CPPUNIT_TEST_SUITE_REGISTRATION(SaslprepTest);

}  // namespace
}  // namespace smtpd::smtp
