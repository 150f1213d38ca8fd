/// xtext_test.cc: RFC 3461 section 4.
#include "smtp/xtext.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::smtp {
namespace {

class XtextTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(XtextTest);
    CPPUNIT_TEST(encoded_octets_come_back);
    CPPUNIT_TEST(what_is_no_xtext_is_refused);
    CPPUNIT_TEST(utf8_addresses_come_back);
    CPPUNIT_TEST(what_is_no_utf8_address_is_refused);
    CPPUNIT_TEST_SUITE_END();

public:
    void encoded_octets_come_back() {
        const std::pair<const char*, const char*> rows[] = {{"", ""},
                                                            {"joe@example.com", "joe@example.com"},
                                                            {"e+3Dmc2@example.com", "e=mc2@example.com"},
                                                            {"+2B", "+"},
                                                            {"a+20b+FF", "a b\xff"},
                                                            {"<>", "<>"}};
        for (const auto& [text, octets] : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string(octets), from_xtext(text).value());
        CPPUNIT_ASSERT_EQUAL(std::string(1, '\0'), from_xtext("+00").value());
    }

    void what_is_no_xtext_is_refused() {
        for (const char* text :
             {"+", "+2", "+2b", "+b0", "+G0", "a+", "a=b", "a b", "a\tb", "\x7f", "\xc3\xa9", "+ 2", "+-1"})
            CPPUNIT_ASSERT_MESSAGE(text, !from_xtext(text));
    }

    void utf8_addresses_come_back() {
        const std::pair<const char*, const char*> rows[] = {
            {"joe@example.com", "joe@example.com"},
            {R"(jos\x{E9}@example.com)", "jos\xc3\xa9@example.com"},
            {R"(\x{5C}\x{2B}\x{3D}\x{20})", "\\+= "},
            {R"(\x{20AC}\x{1F4E7}\x{10FFFF})", "\xe2\x82\xac\xf0\x9f\x93\xa7\xf4\x8f\xbf\xbf"},
            {R"(\x{7FF}\x{800}\x{FFFF})", "\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"}};
        for (const auto& [text, octets] : rows) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string(octets), from_utf8_xtext(text, false).value_or("none"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string(octets), from_utf8_xtext(text, true).value_or("none"));
        }
        CPPUNIT_ASSERT_EQUAL(std::string("\xc3\xa9"), from_utf8_xtext("\xc3\xa9", true).value_or("none"));
    }

    void what_is_no_utf8_address_is_refused() {
        for (const char* text :
             {"+2B",     "a=b",     "a b",         "\\",        "\\x",          "\\x{",    "\\x{}",   "\\x{E}",
              "\\x{E9",  "\\x{e9}", "\\x{110000}", "\\x{D800}", "\\x{1234567}", "\\x{00}", "\\x{1F}", "\\x{7F}",
              "\\x{85}", "\\u00E9", "\\\\",        "\xc3",      "\xc0\x80",     "\x7f",    "\x01"})
            for (const bool raw : {false, true}) CPPUNIT_ASSERT_MESSAGE(text, !from_utf8_xtext(text, raw));
        CPPUNIT_ASSERT(!from_utf8_xtext("\xc3\xa9", false));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(XtextTest);

}  // namespace
}  // namespace smtpd::smtp
