/// domain_test.cc: the spellings of a domain, and its canonical form.
#include <smtpd/base/domain.h>

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd {
namespace {

class DomainTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DomainTest);
    CPPUNIT_TEST(every_spelling_has_the_same_ascii_form);
    CPPUNIT_TEST(what_is_no_idna_label_stays_as_it_is);
    CPPUNIT_TEST(the_unicode_form_is_the_same_for_every_spelling);
    CPPUNIT_TEST(printable_text_is_ascii);
    CPPUNIT_TEST_SUITE_END();

public:
    void every_spelling_has_the_same_ascii_form() {
        const std::pair<const char*, const char*> rows[] = {
            {"example.com", "example.com"},
            {"Example.COM.", "example.com"},
            {"a_b.example", "a_b.example"},
            {"[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]"},
            {".Example.com", ".example.com"},
            {"", ""},
            {".", "."},
            {"b\xc3\xbc"
             "cher.example",
             "xn--bcher-kva.example"},
            {"B\xc3\x9c"
             "CHER.example.",
             "xn--bcher-kva.example"},
            {"bu\xcc\x88"
             "cher.example",
             "xn--bcher-kva.example"},
            {"BU\xcc\x88"
             "CHER.EXAMPLE",
             "xn--bcher-kva.example"},
            {"XN--Bcher-KVA.example", "xn--bcher-kva.example"},
            {".b\xc3\xbc"
             "cher.example",
             ".xn--bcher-kva.example"},
            {"x.\xc3\xbc.y", "x.xn--tda.y"},
            {"_x_\xc3\xbc.y", "xn--_x_-joa.y"},
            {"stra\xc3\x9f"
             "e.example",
             "xn--strae-oqa.example"},
            {"\xe4\xb8\xad\xe5\x9b\xbd.\xe4\xb8\xad\xe5\x9b\xbd", "xn--fiqs8s.xn--fiqs8s"},
            {"\xef\xac\x81.example", "fi.example"}};  // the ligature fi
        for (const auto& [domain, ascii] : rows) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(domain, std::string(ascii), ascii_domain(domain));
            CPPUNIT_ASSERT_MESSAGE(domain, is_same_domain(domain, ascii) && is_same_domain(ascii, domain));
            CPPUNIT_ASSERT_MESSAGE(domain, is_idna_domain(domain));
        }
        CPPUNIT_ASSERT(!is_same_domain("b\xc3\xbc.example", "bu.example"));
        CPPUNIT_ASSERT(!is_same_domain("a.example", "b.example"));
    }

    void what_is_no_idna_label_stays_as_it_is() {
        for (const std::string domain : {"m\xdcller-pc", "i\xe2\x9d\xa4.example", "x\xe2\x84\x80y.example",
                                         "-\xc3\xbc.example", "ab--\xc3\xbc.example", "\xcc\x88u.example",
                                         "a\xe2\x80\x8d"
                                         "b.example",
                                         "x\xe2\x80\xa4y.example", "x\xef\xbc\xa0y.example", "\xc2\xad.example"}) {
            CPPUNIT_ASSERT_EQUAL(domain, ascii_domain(domain));
            CPPUNIT_ASSERT_MESSAGE(domain, !is_idna_domain(domain) && is_same_domain(domain, domain));
        }
        CPPUNIT_ASSERT_EQUAL(std::string("i\xe2\x9d\xa4.xn--tda.example"),
                             ascii_domain("I\xe2\x9d\xa4.\xc3\x9c.Example"));
        using namespace std::string_literals;
        CPPUNIT_ASSERT(!is_idna_domain("\xc3\xbc\0x"s));
        CPPUNIT_ASSERT(!is_idna_domain(std::string(70, 'a') + "\xc3\xbc"));
    }

    void the_unicode_form_is_the_same_for_every_spelling() {
        for (const char* domain : {"xn--bcher-kva.Example",
                                   "B\xc3\x9c"
                                   "CHER.example.",
                                   "bu\xcc\x88"
                                   "cher.example"})
            CPPUNIT_ASSERT_EQUAL(std::string("b\xc3\xbc"
                                             "cher.example"),
                                 unicode_domain(domain));
        CPPUNIT_ASSERT_EQUAL(std::string("example.com"), unicode_domain("Example.COM"));
        CPPUNIT_ASSERT_EQUAL(std::string("xn--\xc3\xa4.example"), unicode_domain("xn--\xc3\xa4.example"));
        CPPUNIT_ASSERT_EQUAL(std::string("xn--0.example"), unicode_domain("xn--0.example"));  // no punycode
    }

    void printable_text_is_ascii() {
        CPPUNIT_ASSERT_EQUAL(std::string("MX.Example.com."), printable_domain("MX.Example.com."));
        CPPUNIT_ASSERT_EQUAL(std::string("xn--mller-pc-65a"), printable_domain("M\xc3\x9cLLER-PC"));
        CPPUNIT_ASSERT_EQUAL(std::string("M?LLER-PC"), printable_domain("M\xdcLLER-PC"));
        CPPUNIT_ASSERT_EQUAL(std::string("a?b?"), printable_domain("a\nb\x7f"));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DomainTest);

}  // namespace
}  // namespace smtpd
