/// public_suffixes_test.cc: lists of public suffixes. (The tests of publicsuffix.org are in
/// tests/integration/test_dmarc_suite.py.)
#include "fakes/temp_directory.h"

#include <smtpd/mailauth/public_suffixes.h>

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::mailauth {
namespace {

using std::string;

class PublicSuffixesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PublicSuffixesTest);
    CPPUNIT_TEST(a_list_is_read);
    CPPUNIT_TEST(a_file_that_is_none_is_an_error);
    CPPUNIT_TEST_SUITE_END();

    void a_list_is_read() {
        if (!PublicSuffixes::is_supported()) {
            CPPUNIT_ASSERT(!PublicSuffixes::of_system());
            CPPUNIT_ASSERT(!PublicSuffixes::load("/x"));
            return;
        }
        const fakes::TempDirectory directory;
        const string path = directory.write("list", "// of this test\ncom\nuk\nco.uk\n*.ck\n!www.ck\nxn--p1ai\n");
        const auto loaded = PublicSuffixes::load(path);
        CPPUNIT_ASSERT(loaded);
        const PublicSuffixes& list = **loaded;
        const struct {
            const char* domain;
            const char* registrable;
            const char* organizational;
        } rows[] = {
            {"example.com", "example.com", "example.com"},
            {"a.b.Example.COM", "example.com", "example.com"},
            {"a.shop.co.uk", "shop.co.uk", "shop.co.uk"},
            {"co.uk", "", "co.uk"},
            {"a.b.c.ck", "b.c.ck", "b.c.ck"},
            {"b.www.ck", "www.ck", "www.ck"},
            {"a.unlisted", "a.unlisted", "a.unlisted"},
            {"unlisted", "", "unlisted"},
            {"", "", ""},
            {".com", "", ".com"},
            {"x\xc3\xa4.com", "x\xc3\xa4.com", "x\xc3\xa4.com"},
        };
        for (const auto& row : rows) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.domain, string(row.registrable), list.registrable_domain(row.domain));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.domain, string(row.organizational),
                                         list.organizational_domain(row.domain));
        }
        const auto system = PublicSuffixes::of_system();
        CPPUNIT_ASSERT(system);
        CPPUNIT_ASSERT_EQUAL(string("example.co.uk"), (*system)->registrable_domain("www.example.co.uk"));
    }

    void a_file_that_is_none_is_an_error() {
        const auto missing = PublicSuffixes::load("/nonexistent/list");
        CPPUNIT_ASSERT(!missing);
        CPPUNIT_ASSERT(missing.error().code == ErrorCode::config);
        const fakes::TempDirectory directory;
        CPPUNIT_ASSERT(!PublicSuffixes::load(directory.write("empty", "// nothing\n")));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PublicSuffixesTest);

}  // namespace
}  // namespace smtpd::mailauth
