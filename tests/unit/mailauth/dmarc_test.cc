/// dmarc_test.cc: records, tree walks and results of DMARC. (tests/integration/test_dmarc_suite.py plays foreign
/// cases.)
#include "fakes/temp_directory.h"
#include "fakes/zone_lookups.h"

#include <smtpd/base/format.h>
#include <smtpd/mailauth/dmarc.h>

#include <cppunit/extensions/HelperMacros.h>

#include <memory>
#include <string>
#include <vector>

namespace smtpd::mailauth {
namespace {

using std::string;

class DmarcTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DmarcTest);
    CPPUNIT_TEST(records_are_read);
    CPPUNIT_TEST(records_that_are_none);
    CPPUNIT_TEST(a_bad_policy_needs_an_address_for_reports);
    CPPUNIT_TEST(addresses_for_reports);
    CPPUNIT_TEST(only_what_passed_and_is_aligned_counts);
    CPPUNIT_TEST(policies_of_subdomains);
    CPPUNIT_TEST(an_alias_to_nowhere_exists);
    CPPUNIT_TEST(the_walk);
    CPPUNIT_TEST(the_walk_takes_one_round);
    CPPUNIT_TEST(trouble_is_not_absence);
    CPPUNIT_TEST(what_others_could_not_tell);
    CPPUNIT_TEST(many_signers_are_a_limit);
    CPPUNIT_TEST(rfc_7489);
    CPPUNIT_TEST(without_an_author);
    CPPUNIT_TEST(organizational_domains);
    CPPUNIT_TEST_SUITE_END();

    static string shown(const DmarcRecord& record) {
        const auto word = [](const std::optional<DmarcPolicy>& policy) {
            return policy ? string(dmarc_policy_name(*policy)) : string("-");
        };
        string out = format_text("p={} sp={} np={}", word(record.p), word(record.sp), word(record.np));
        if (record.adkim == DmarcAlignment::strict) out += " adkim=s";
        if (record.aspf == DmarcAlignment::strict) out += " aspf=s";
        if (record.psd != DmarcRecord::Psd::unknown) out += record.psd == DmarcRecord::Psd::yes ? " psd=y" : " psd=n";
        if (record.is_test) out += " t=y";
        if (record.pct != 100) out += format_text(" pct={}", record.pct);
        if (record.fo != "0") out += " fo=" + record.fo;
        for (const auto& uri : record.rua) out += " rua=" + uri;
        if (record.has_duplicate_tag) out += " duplicate";
        return record.is_usable ? out : out + " unusable";
    }

    void records_are_read() {
        const struct {
            const char* text;
            const char* shown;
        } rows[] = {
            {"v=DMARC1; p=reject", "p=reject sp=- np=-"},
            {"v=DMARC1;p=Quarantine;SP=NONE;np=reject;", "p=quarantine sp=none np=reject"},
            {"V\t= DMARC1 ; p = none ;adkim=s; aspf=S;; t=Y; psd=n", "p=none sp=- np=- adkim=s aspf=s psd=n t=y"},
            {"v=DMARC1; p=none; adkim=strict; t=maybe; psd=x; fo=9; pct=7", "p=none sp=- np=-"},
            {"v=DMARC1; p=none; p=reject", "p=none sp=- np=- duplicate"},
            {"v=DMARC1; junk; x=y; p=reject; p", "p=reject sp=- np=-"},
            {"v=DMARC1; p=none; fo= 1 : D; rua=mailto:a@b.example!10m, mailto:c@d.example",
             "p=none sp=- np=- fo=1:d rua=mailto:a@b.example rua=mailto:c@d.example"},
        };
        for (const auto& row : rows) {
            const auto record = DmarcRecord::parse(row.text);
            CPPUNIT_ASSERT_MESSAGE(row.text, record.has_value());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.text, string(row.shown), shown(*record));
            CPPUNIT_ASSERT_EQUAL(string(row.text), record->text);
        }
        const auto old = DmarcRecord::parse("v=DMARC1; p=reject; np=none; psd=y; t=y; pct=7", DmarcRfc::rfc7489);
        CPPUNIT_ASSERT_EQUAL(string("p=reject sp=- np=- pct=7"), shown(*old));
        CPPUNIT_ASSERT_EQUAL(100U, DmarcRecord::parse("v=DMARC1; p=none; pct=101", DmarcRfc::rfc7489)->pct);
    }

    void records_that_are_none() {
        for (const char* text : {"", "v=DMARC1x; p=none", "v=dmarc1; p=none", "p=none; v=DMARC1", " v=DMARC1; p=none",
                                 "v=DMARC1 p=none", "v=spf1 -all", ";v=DMARC1", "v=DMARC1,p=none"})
            CPPUNIT_ASSERT_MESSAGE(text, !DmarcRecord::parse(text));
    }

    void a_bad_policy_needs_an_address_for_reports() {
        CPPUNIT_ASSERT_EQUAL(string("p=none sp=- np=- unusable"), shown(*DmarcRecord::parse("v=DMARC1")));
        CPPUNIT_ASSERT_EQUAL(string("p=none sp=- np=- unusable"),
                             shown(*DmarcRecord::parse("v=DMARC1; p=reject; sp=maybe")));
        CPPUNIT_ASSERT_EQUAL(string("p=none sp=- np=- rua=mailto:a@b.example"),
                             shown(*DmarcRecord::parse("v=DMARC1; p=reject; np=x; sp=reject; rua=mailto:a@b.example")));
        CPPUNIT_ASSERT_EQUAL(string("p=reject sp=- np=-"),
                             shown(*DmarcRecord::parse("v=DMARC1; p=reject; np=x", DmarcRfc::rfc7489)));
    }

    void addresses_for_reports() {
        const auto uris = [](const string& value) {
            string out;
            const auto record = DmarcRecord::parse("v=DMARC1; p=none; rua=" + value);
            for (const auto& uri : record->rua) out += uri + " ";
            return out;
        };
        CPPUNIT_ASSERT_EQUAL(string("mailto:a@b.example "), uris("mailto:a@b.example"));
        CPPUNIT_ASSERT_EQUAL(string("https://b.example/r "), uris("not a uri,https://b.example/r, a@b.example"));
        CPPUNIT_ASSERT_EQUAL(string(), uris("mailto:,mailto:a@,mailto:@b,:x,1a:b,https:"));
        CPPUNIT_ASSERT_EQUAL(string("MAILTO:a@b.example "), uris("MAILTO:a@b.example!1!2"));
        string many;
        for (int i = 0; i < 100; ++i) many += "mailto:a@b.example,";
        CPPUNIT_ASSERT_EQUAL(max_report_uris, DmarcRecord::parse("v=DMARC1; p=none; rua=" + many)->rua.size());
    }

    struct Row {
        const char* zone;
        const char* author;
        const char* spf;  ///< "domain:result domain:result"
        const char* dkim;
        const char* shown;  ///< result policy disposition org_domain policy_domain, "S" and "D" if aligned
    };

    static std::vector<DmarcIdentifier> identifiers(string text) {
        std::vector<DmarcIdentifier> out;
        for (text += " "; text.size() > 1; text.erase(0, text.find(' ') + 1)) {
            const auto colon = text.find(':');
            out.push_back({text.substr(0, colon), text.substr(colon + 1, text.find(' ') - colon - 1)});
        }
        return out;
    }

    static string shown(const DmarcResult& result) {
        const auto or_dash = [](const string& text) { return text.empty() ? string("-") : text; };
        string out = format_text("{} {} {} {} {}", dmarc_outcome_name(result.outcome),
                                 result.policy ? dmarc_policy_name(*result.policy) : "-",
                                 dmarc_policy_name(result.disposition), or_dash(result.org_domain),
                                 or_dash(result.policy_domain));
        if (result.is_spf_aligned) out += " S";
        if (result.is_dkim_aligned) out += " D";
        return out;
    }

    static DmarcResult evaluate(const Row& row, const DmarcSettings& settings = {}) {
        fakes::ZoneLookups lookups(row.zone);
        const DmarcMessage message{row.author, identifiers(row.spf), identifiers(row.dkim)};
        return lookups.run([&](Lookups& known) { return evaluate_dmarc(message, settings, known); });
    }

    template <class Rows>
    static void check(const Rows& rows, const DmarcSettings& settings = {}) {
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(format_text("{}\n{} | {} | {}", row.zone, row.author, row.spf, row.dkim),
                                         string(row.shown), shown(evaluate(row, settings)));
    }

    static constexpr const char* strict = "_dmarc.example.com TXT v=DMARC1; p=reject; adkim=s; aspf=s";
    static constexpr const char* relaxed = "_dmarc.example.com TXT v=DMARC1; p=reject";

    void only_what_passed_and_is_aligned_counts() {
        const Row rows[] = {
            {relaxed, "example.com", "", "", "fail reject reject example.com example.com"},
            {relaxed, "example.com", "example.com:pass", "", "pass reject none example.com example.com S"},
            {relaxed, "example.com", "", "example.com:fail x.example:pass EXAMPLE.com.:pass",
             "pass reject none example.com example.com D"},
            {relaxed, "example.com", "example.com:softfail", "example.com:neutral",
             "fail reject reject example.com example.com"},
            {relaxed, "a.example.com", "b.example.com:pass", "example.com:pass",
             "pass reject none example.com example.com S D"},
            {relaxed, "example.com", "badexample.com:pass", "example.net:pass",
             "fail reject reject example.com example.com"},
            {strict, "a.example.com", "example.com:pass", "b.a.example.com:pass",
             "fail reject reject example.com example.com"},
            {strict, "a.example.com", "a.example.com:pass", "", "pass reject none example.com example.com S"},
            {"", "example.com", "example.com:pass", "", "none - none example.com -"},
            {"_dmarc.xn--bcher-kva.example TXT v=DMARC1; p=reject",
             "b\xc3\xbc"
             "cher.example",
             "",
             "B\xc3\x9c"
             "CHER.example:pass",
             "pass reject none xn--bcher-kva.example xn--bcher-kva.example D"},
        };
        check(rows);
    }

    void policies_of_subdomains() {
        constexpr const char* zone =
            "_dmarc.example.com TXT v=DMARC1; p=reject; sp=quarantine; np=none\n"
            "here.example.com MX 10 mx.example\nbelow.empty.example.com A 192.0.2.1\n";
        const Row rows[] = {
            {zone, "example.com", "", "", "fail reject reject example.com example.com"},
            {zone, "here.example.com", "", "", "fail quarantine quarantine example.com example.com"},
            {zone, "empty.example.com", "", "", "fail quarantine quarantine example.com example.com"},
            {zone, "gone.example.com", "", "", "fail none none example.com example.com"},
            {"_dmarc.example.com TXT v=DMARC1; p=none; sp=reject; t=y", "a.example.com", "", "",
             "fail quarantine quarantine example.com example.com"},
            {"_dmarc.example.com TXT v=DMARC1; p=reject\n_dmarc.a.example.com TXT v=DMARC1; p=quarantine; sp=reject",
             "a.example.com", "", "example.com:pass", "pass quarantine none example.com a.example.com D"},
            {"_dmarc.example.com TXT v=DMARC1; p=reject\n_dmarc.a.example.com TXT v=DMARC1; p=bogus", "a.example.com",
             "", "", "none - none example.com -"},
        };
        check(rows);
    }

    void an_alias_to_nowhere_exists() {
        const Row row{
            "_dmarc.example.com TXT v=DMARC1; p=reject; sp=quarantine; np=none\n"
            "alias.example.com CNAME nowhere.example\n",
            "alias.example.com", "", "", "fail quarantine quarantine example.com example.com"};
        check(std::vector<Row>{row});
    }

    void the_walk() {
        const Row rows[] = {
            // The record of a domain in between does not apply.
            {"_dmarc.m.example.com TXT v=DMARC1; p=none\n_dmarc.example.com TXT v=DMARC1; p=quarantine",
             "a.m.example.com", "", "", "fail quarantine quarantine example.com example.com"},
            {"_dmarc.m.example.com TXT v=DMARC1; p=none; psd=n\n_dmarc.example.com TXT v=DMARC1; p=quarantine",
             "a.m.example.com", "", "example.com:pass", "fail none none m.example.com m.example.com"},
            {"_dmarc.bank.example TXT v=DMARC1; p=reject; psd=y", "a.giant.bank.example", "", "mega.bank.example:pass",
             "fail reject reject giant.bank.example bank.example"},
            {"_dmarc.bank.example TXT v=DMARC1; p=reject; psd=y", "a.giant.bank.example", "",
             "b.giant.bank.example:pass", "pass reject none giant.bank.example bank.example D"},
            {"_dmarc.bank.example TXT v=DMARC1; p=reject; psd=y", "bank.example", "", "giant.bank.example:pass",
             "fail reject reject bank.example bank.example"},
            // The signer has an organizational domain of its own.
            {"_dmarc.example.com TXT v=DMARC1; p=reject\n_dmarc.m.example.com TXT v=DMARC1; p=none; psd=n",
             "example.com", "", "m.example.com:pass", "fail reject reject example.com example.com"},
            {"_dmarc.example.com TXT v=DMARC1; p=reject\n_dmarc.example.com TXT v=DMARC1; p=none", "example.com", "",
             "", "none - none example.com -"},
            {"_dmarc.a.example.com TXT v=DMARC1; p=reject\n_dmarc.a.example.com TXT v=DMARC1; p=none\n"
             "_dmarc.example.com TXT v=DMARC1; p=quarantine",
             "a.example.com", "", "", "fail quarantine quarantine example.com example.com"},
            // A name of 8 labels below one of 9 is not asked for.
            {"_dmarc.2.3.4.5.6.7.b.example TXT v=DMARC1; p=none; psd=n\n_dmarc.b.example TXT v=DMARC1; p=reject",
             "1.2.3.4.5.6.7.b.example", "", "", "fail reject reject b.example b.example"},
            {"_dmarc.3.4.5.6.7.b.example TXT v=DMARC1; p=none; psd=n\n_dmarc.b.example TXT v=DMARC1; p=reject",
             "1.2.3.4.5.6.7.b.example", "", "", "fail none none 3.4.5.6.7.b.example 3.4.5.6.7.b.example"},
        };
        check(rows);
        CPPUNIT_ASSERT_EQUAL(string("_dmarc.example.com has several records"), evaluate(rows[6]).reason);
    }

    void the_walk_takes_one_round() {
        fakes::ZoneLookups lookups(relaxed);
        const DmarcMessage message{"a.b.c.d.e.f.g.h.i.example.com", {}, {{"example.com", "pass"}}};
        const auto result = lookups.run([&](Lookups& known) { return evaluate_dmarc(message, {}, known); });
        CPPUNIT_ASSERT_EQUAL(1, lookups.rounds());
        CPPUNIT_ASSERT_EQUAL(max_walk_queries, lookups.asked().size());
        CPPUNIT_ASSERT_EQUAL(max_walk_queries, result.queries);
        CPPUNIT_ASSERT(result.outcome == DmarcOutcome::pass);

        fakes::ZoneLookups two(relaxed);
        const DmarcMessage below{"example.com", {{"b.example.com", "pass"}}, {{"a.example.com", "pass"}}};
        static_cast<void>(two.run([&](Lookups& known) { return evaluate_dmarc(below, {}, known); }));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("both walks leave together", 2, two.rounds());

        fakes::ZoneLookups early(relaxed);
        static_cast<void>(early.run([&](Lookups& known) {
            prepare_dmarc("example.com", {}, known);
            return known.txt("_dmarc.com").status() == DnsStatus::not_asked ? std::optional<int>() : 1;
        }));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, early.asked().size());
    }

    void trouble_is_not_absence() {
        const Row rows[] = {
            {"_dmarc.example.com TIMEOUT", "example.com", "", "example.com:pass", "temperror - none - -"},
            {"_dmarc.example.com SERVFAIL", "a.example.com", "", "", "temperror - none - -"},
            // Above the record that ends the walk nothing matters.
            {"_dmarc.example.com TXT v=DMARC1; p=reject; psd=n\n_dmarc.com TIMEOUT", "a.example.com", "", "",
             "fail reject reject example.com example.com"},
            // With the author's own record, only what could be aligned matters.
            {"_dmarc.a.example.com TXT v=DMARC1; p=reject\n_dmarc.example.com TIMEOUT", "a.example.com", "",
             "x.example:pass", "fail reject reject - a.example.com"},
            {"_dmarc.a.example.com TXT v=DMARC1; p=reject\n_dmarc.example.com TIMEOUT", "a.example.com", "",
             "a.example.com:pass", "pass reject none - a.example.com D"},
            {"_dmarc.a.example.com TXT v=DMARC1; p=reject\n_dmarc.example.com TIMEOUT", "a.example.com", "",
             "example.com:pass", "temperror reject none - a.example.com"},
            {"_dmarc.example.com TXT v=DMARC1; p=reject\n_dmarc.m.example.com TIMEOUT", "example.com", "",
             "m.example.com:pass", "temperror reject none example.com example.com"},
            {"_dmarc.example.com TXT v=DMARC1; p=reject\n_dmarc.m.example.com TIMEOUT", "example.com",
             "example.com:pass", "m.example.com:pass", "pass reject none example.com example.com S"},
            {"_dmarc.example.com TXT v=DMARC1; p=reject; np=none\na.example.com TIMEOUT", "a.example.com", "", "",
             "temperror - none example.com example.com"},
        };
        check(rows);
        CPPUNIT_ASSERT_EQUAL(string("_dmarc.example.com: no answer in time"), evaluate(rows[0]).reason);
        CPPUNIT_ASSERT_EQUAL(string("_dmarc.m.example.com: no answer in time"), evaluate(rows[6]).reason);
    }

    void what_others_could_not_tell() {
        const Row rows[] = {
            {relaxed, "example.com", "a.example.com:temperror", "", "temperror reject none example.com example.com"},
            {relaxed, "example.com", "", "example.com:temperror", "temperror reject none example.com example.com"},
            {relaxed, "example.com", "", "example.net:temperror", "fail reject reject example.com example.com"},
            {relaxed, "example.com", "example.com:pass", "example.com:temperror",
             "pass reject none example.com example.com S"},
            {strict, "a.example.com", "example.com:temperror", "", "fail reject reject example.com example.com"},
        };
        check(rows);
    }

    void many_signers_are_a_limit() {
        string dkim;
        for (std::size_t i = 0; i < max_identifier_walks + 5; ++i)
            dkim += format_text("{}s{}.example.com:pass", i == 0 ? "" : " ", i);
        string zone = relaxed;
        for (std::size_t i = 0; i < max_identifier_walks; ++i)
            zone += format_text("\n_dmarc.s{}.example.com TXT v=DMARC1; p=none; psd=n", i);
        const auto result = evaluate({zone.c_str(), "example.com", "", dkim.c_str(), ""});
        CPPUNIT_ASSERT_EQUAL(string("fail reject reject example.com example.com"), shown(result));
        CPPUNIT_ASSERT(result.has_limit);
        CPPUNIT_ASSERT(!evaluate({relaxed, "example.com", "", "s1.example.com:pass", ""}).has_limit);
    }

    void rfc_7489() {
        if (!PublicSuffixes::is_supported()) return;
        const fakes::TempDirectory directory;
        const auto list = PublicSuffixes::load(directory.write("list", "com\nuk\nco.uk\n"));
        CPPUNIT_ASSERT(list);
        DmarcSettings settings{.rfc = DmarcRfc::rfc7489, .suffixes = list->get()};
        const Row rows[] = {
            {"_dmarc.m.example.com TXT v=DMARC1; p=none\n_dmarc.example.com TXT v=DMARC1; p=reject; np=none",
             "a.m.example.com", "", "", "fail reject reject example.com example.com"},
            {"_dmarc.shop.co.uk TXT v=DMARC1; p=reject; t=y", "a.shop.co.uk", "", "b.shop.co.uk:pass",
             "pass reject none shop.co.uk shop.co.uk D"},
            {"_dmarc.co.uk TXT v=DMARC1; p=reject", "co.uk", "", "", "fail reject reject co.uk co.uk"},
            {"_dmarc.a.example.com TXT v=DMARC1; p=reject\n_dmarc.a.example.com TXT v=DMARC1; p=none\n"
             "_dmarc.example.com TXT v=DMARC1; p=quarantine",
             "a.example.com", "", "", "none - none example.com -"},
            {"_dmarc.a.example.com TIMEOUT\n_dmarc.example.com TXT v=DMARC1; p=reject", "a.example.com", "", "",
             "temperror - none example.com -"},
        };
        check(rows, settings);

        const Row half{"_dmarc.example.com TXT v=DMARC1; p=reject; pct=50", "example.com", "", "", ""};
        settings.sample = 49;
        CPPUNIT_ASSERT_EQUAL(string("fail reject reject example.com example.com"), shown(evaluate(half, settings)));
        settings.sample = 50;
        const auto out = evaluate(half, settings);
        CPPUNIT_ASSERT_EQUAL(string("fail reject quarantine example.com example.com"), shown(out));
        CPPUNIT_ASSERT(out.is_sampled_out);

        settings.suffixes = nullptr;
        CPPUNIT_ASSERT(evaluate(half, settings).outcome == DmarcOutcome::permerror);
    }

    void without_an_author() {
        const auto result = evaluate({relaxed, "", "", "example.com:pass", ""});
        CPPUNIT_ASSERT(result.outcome == DmarcOutcome::permerror);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, result.queries);
    }

    void organizational_domains() {
        const auto of = [](const char* zone, const char* domain) {
            fakes::ZoneLookups lookups(zone);
            return lookups.run([&](Lookups& known) { return organizational_domain(domain, {}, known); });
        };
        CPPUNIT_ASSERT_EQUAL(string("example.com"), of(relaxed, "A.b.Example.com.").domain);
        CPPUNIT_ASSERT_EQUAL(string("example.com"), of(relaxed, "a.b.example.com").record);
        CPPUNIT_ASSERT_EQUAL(string("a.b.example.com"), of("", "a.b.example.com").domain);
        const auto unknown = of("_dmarc.example.com TIMEOUT", "a.example.com");
        CPPUNIT_ASSERT_EQUAL(string(), unknown.domain);
        CPPUNIT_ASSERT_EQUAL(string("_dmarc.example.com: no answer in time"), unknown.reason);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DmarcTest);

}  // namespace
}  // namespace smtpd::mailauth
