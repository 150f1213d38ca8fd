/// dmarc_destinations_test.cc: who may get reports.
#include "mailauth/dmarc_destinations.h"

#include "fakes/zone_lookups.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::mailauth {
namespace {

using std::string;

class DmarcDestinationsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DmarcDestinationsTest);
    CPPUNIT_TEST(others_have_to_agree);
    CPPUNIT_TEST(trouble_means_later);
    CPPUNIT_TEST(addresses);
    CPPUNIT_TEST_SUITE_END();

    static DmarcDestinations find(const string& zone, const string& domain, const string& rua) {
        fakes::ZoneLookups lookups(zone);
        const auto record = DmarcRecord::parse("v=DMARC1; p=none; rua=" + rua);
        return lookups.run([&](Lookups& known) { return report_destinations(domain, record->rua, {}, known); });
    }
    static string uris(const string& zone, const string& domain, const string& rua) {
        string out;
        for (const auto& uri : find(zone, domain, rua).uris) out += (out.empty() ? "" : " ") + uri;
        return out;
    }

    void others_have_to_agree() {
        const string agreed = "example.com._report._dmarc.example.net TXT ";
        const string wanted = "mailto:r@example.net";
        CPPUNIT_ASSERT_EQUAL(string("mailto:r@example.com"), uris("", "example.com", "mailto:r@example.com"));
        CPPUNIT_ASSERT_EQUAL(string("mailto:r@m.example.com"),
                             uris("_dmarc.example.com TXT v=DMARC1; p=none", "example.com", "mailto:r@m.example.com"));
        CPPUNIT_ASSERT_EQUAL(string(), uris("", "example.com", wanted));
        CPPUNIT_ASSERT_EQUAL(wanted, uris(agreed + "v=DMARC1", "example.com", wanted));
        CPPUNIT_ASSERT_EQUAL(wanted, uris(agreed + "hello\n" + agreed + "v=DMARC1;", "example.com", wanted));
        CPPUNIT_ASSERT_EQUAL(string(), uris(agreed + "v=spf1 -all", "example.com", wanted));
        CPPUNIT_ASSERT_EQUAL(string("mailto:x@example.net"),
                             uris(agreed + "v=DMARC1; rua=mailto:x@example.net", "example.com", wanted));
        CPPUNIT_ASSERT_EQUAL(string(), uris(agreed + "v=DMARC1; rua=mailto:x@victim.example", "example.com", wanted));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("the record's own name is asked for", string(),
                                     uris(agreed + "v=DMARC1", "m.example.com", wanted));
        CPPUNIT_ASSERT_EQUAL(string("mailto:a@example.com"),
                             uris("", "example.com", "mailto:a@example.com," + wanted + ",https://example.com/r"));
    }

    void trouble_means_later() {
        const auto found = find("example.com._report._dmarc.example.net TIMEOUT", "example.com",
                                "mailto:r@example.net,https://example.com/");
        CPPUNIT_ASSERT(found.uris.empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, found.refused.size());
        CPPUNIT_ASSERT(found.refused[0].may_change);
        CPPUNIT_ASSERT(!found.refused[1].may_change);
        const string label(63, 'a');
        const auto too_long = find("", label + "." + label + "." + label + ".com", "mailto:r@" + label + ".net");
        CPPUNIT_ASSERT_EQUAL(string("the name that would have to be asked for is too long"),
                             too_long.refused.at(0).reason);
    }

    void addresses() {
        CPPUNIT_ASSERT_EQUAL(string("a+b@example.com"), mail_address_of("MailTo:a%2Bb@example.com?subject=x"));
        for (const char* uri : {"https://example.com", "mailto:", "mailto:a", "mailto:a@b@c", "mailto:a%0d@example.com",
                                "mailto:a%4", "mailto:a b@example.com", "mailto:a@example.com,b@example.com"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(uri, string(), mail_address_of(uri));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DmarcDestinationsTest);

}  // namespace
}  // namespace smtpd::mailauth
