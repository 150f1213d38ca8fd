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
    CPPUNIT_TEST_SUITE_END();

public:
    void encoded_octets_come_back() {
        const std::pair<const char*, const char*> rows[] = {
            {"", ""},     {"joe@example.com", "joe@example.com"}, {"e+3Dmc2@example.com", "e=mc2@example.com"},
            {"+2B", "+"}, {"a+20b+FF", "a b\xff"},                {"<>", "<>"}};
        for (const auto& [text, octets] : rows) CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string(octets), from_xtext(text).value());
        CPPUNIT_ASSERT_EQUAL(std::string(1, '\0'), from_xtext("+00").value());
    }

    void what_is_no_xtext_is_refused() {
        for (const char* text : {"+", "+2", "+2b", "+b0", "+G0", "a+", "a=b", "a b", "a\tb", "\x7f", "\xc3\xa9", "+ 2", "+-1"})
            CPPUNIT_ASSERT_MESSAGE(text, !from_xtext(text));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(XtextTest);

}  // namespace
}  // namespace smtpd::smtp
