/// dmarc_report_test.cc: aggregate reports as text. (tests/integration/test_dmarc_report.py checks them with xmllint.)
#include "mailauth/dmarc_report.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::mailauth {
namespace {

using std::string;

class DmarcReportTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DmarcReportTest);
    CPPUNIT_TEST(the_document);
    CPPUNIT_TEST(the_document_of_rfc_7489);
    CPPUNIT_TEST(foreign_text_is_escaped);
    CPPUNIT_TEST(names_are_the_same_each_time);
    CPPUNIT_TEST(only_so_many_signatures);
    CPPUNIT_TEST(the_mail);
    CPPUNIT_TEST_SUITE_END();

    static DmarcReport report() {
        DmarcReport report;
        report.org_name = "Receiver & Sons";
        report.email = "postmaster@receiver.example";
        report.day = std::chrono::sys_days(std::chrono::year(2026) / 11 / 30);
        report.policy_domain = "example.com";
        report.record = *DmarcRecord::parse("v=DMARC1; p=reject; np=none; adkim=s; rua=mailto:r@example.com");
        DmarcReportRow row;
        row.source_ip = "192.0.2.1";
        row.count = 3;
        row.is_dkim_aligned = true;
        row.header_from = "mail.example.com";
        row.envelope_from = "bounce.example.com";
        row.dkim = {{"example.net", "a", "fail"}, {"example.com", "s1", "pass"}, {"x.example", "b", "bogus"}};
        row.spf = DmarcReportRow::Spf{"bounce.example.com", "softfail"};
        report.rows.push_back(row);
        return report;
    }

    static void has(const string& text, const string& part) {
        CPPUNIT_ASSERT_MESSAGE(part + "\n" + text, text.find(part) != string::npos);
    }
    static void lacks(const string& text, const string& part) {
        CPPUNIT_ASSERT_MESSAGE(part + "\n" + text, text.find(part) == string::npos);
    }

    void the_document() {
        const string xml = report().xml("mx.receiver.example");
        has(xml, "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n  <version>1.0</version>");
        has(xml, "<org_name>Receiver &amp; Sons</org_name>");
        has(xml, "<report_id>20261130.example.com@mx.receiver.example</report_id>");
        has(xml, "<begin>1795996800</begin>\n      <end>1796083199</end>");
        has(xml, "<discovery_method>treewalk</discovery_method>");
        has(xml,
            "<adkim>s</adkim>\n    <aspf>r</aspf>\n    <p>reject</p>\n    <np>none</np>\n    <testing>n</testing>");
        has(xml, "<source_ip>192.0.2.1</source_ip>\n      <count>3</count>");
        has(xml, "<disposition>pass</disposition>\n        <dkim>pass</dkim>\n        <spf>fail</spf>");
        has(xml,
            "<envelope_from>bounce.example.com</envelope_from>\n      <header_from>mail.example.com</header_from>");
        has(xml,
            "<dkim>\n        <domain>example.com</domain>\n        <selector>s1</selector>\n        "
            "<result>pass</result>\n      </dkim>\n      <dkim>\n        <domain>example.net</domain>");
        has(xml, "<scope>mfrom</scope>\n        <result>softfail</result>");
        lacks(xml, "bogus");
        lacks(xml, "<pct>");
        lacks(xml, "<sp>");
    }

    void the_document_of_rfc_7489() {
        DmarcReport old = report();
        old.rfc = DmarcRfc::rfc7489;
        old.record = *DmarcRecord::parse("v=DMARC1; p=reject; pct=20; rua=mailto:r@example.com", DmarcRfc::rfc7489);
        old.rows[0].spf.reset();
        old.rows[0].reason = "sampled_out";
        old.rows[0].envelope_from.clear();
        const string xml = old.xml("mx.receiver.example");
        has(xml, "<feedback>\n");
        has(xml, "<p>reject</p>\n    <sp>reject</sp>\n    <pct>20</pct>");
        has(xml, "<disposition>none</disposition>");
        has(xml, "<type>sampled_out</type>");
        has(xml, "<envelope_from></envelope_from>");
        has(xml,
            "<spf>\n        <domain>mail.example.com</domain>\n        <scope>mfrom</scope>\n        "
            "<result>none</result>");
        lacks(xml, "discovery_method");
        old.rfc = DmarcRfc::rfc9989;
        has(old.xml("x"), "<type>other</type>\n          <comment>sampled_out</comment>");
        lacks(old.xml("x"), "<envelope_from>");
    }

    void foreign_text_is_escaped() {
        DmarcReport hostile = report();
        hostile.rows[0].header_from = "a<b>&\"'\x01\xff\xef\xbf\xbf\xc3\xa4";
        has(hostile.xml("x"), "<header_from>a&lt;b&gt;&amp;&quot;&apos;???\xc3\xa4</header_from>");
        hostile.policy_domain = "ev!l/\"\\@x";
        CPPUNIT_ASSERT_EQUAL(string("x!ev_l____x!1795996800!1796083199.xml.gz"), hostile.file_name("x"));
    }

    void names_are_the_same_each_time() {
        CPPUNIT_ASSERT_EQUAL(string("20261130.example.com@mx.example"), report().id("mx.example"));
        CPPUNIT_ASSERT_EQUAL(string("mx.example!example.com!1795996800!1796083199.xml.gz"),
                             report().file_name("mx.example"));
        CPPUNIT_ASSERT_EQUAL(report().xml("mx.example"), report().xml("mx.example"));
    }

    void only_so_many_signatures() {
        DmarcReport many = report();
        many.rows[0].dkim.assign(300, {"a.example", "s", "fail"});
        many.rows[0].dkim.push_back({"passed.example", "s", "pass"});
        const string xml = many.xml("x");
        std::size_t count = 0;
        for (auto at = xml.find("<selector>"); at != string::npos; at = xml.find("<selector>", at + 1)) ++count;
        CPPUNIT_ASSERT_EQUAL(max_reported_signatures, count);
        has(xml, "passed.example");
    }

    void the_mail() {
        const DmarcReportMail mail{"dmarc@reports.receiver.example", "r@example.com", "receiver.example",
                                   std::chrono::sys_days(std::chrono::year(2026) / 12 / 1)};
        const string text = report_mail(mail, report(), string(100, 'x'));
        has(text, "From: dmarc@reports.receiver.example\r\nTo: r@example.com\r\nDate: ");
        has(text,
            "Subject: Report Domain: example.com\r\n Submitter: receiver.example\r\n Report-ID: "
            "<20261130.example.com@receiver.example>\r\n");
        has(text, "Auto-Submitted: auto-generated\r\n");
        has(text, "Content-Type: application/gzip\r\n");
        has(text, "filename=\"receiver.example!example.com!1795996800!1796083199.xml.gz\"\r\n");
        has(text, "\r\n\r\neHh4eHh4");
        for (auto at = text.find('\n'); at != string::npos; at = text.find('\n', at + 1))
            CPPUNIT_ASSERT_EQUAL('\r', text[at - 1]);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DmarcReportTest);

}  // namespace
}  // namespace smtpd::mailauth
