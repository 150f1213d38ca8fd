/// spf_record_test.cc: the grammar of SPF records and of their macros.
#include "mailauth/spf_record.h"

#include <cppunit/extensions/HelperMacros.h>

#include <chrono>
#include <string>

namespace smtpd::mailauth {
namespace {

using std::string;

class SpfRecordTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SpfRecordTest);
    CPPUNIT_TEST(a_record_begins_with_its_version);
    CPPUNIT_TEST(what_the_grammar_takes);
    CPPUNIT_TEST(what_the_grammar_does_not_take);
    CPPUNIT_TEST(terms_keep_what_they_say);
    CPPUNIT_TEST(mapped_networks_are_no_ipv4_networks);
    CPPUNIT_TEST(macros_are_expanded);
    CPPUNIT_TEST(macros_that_are_wrong);
    CPPUNIT_TEST(long_names_lose_labels_from_the_left);
    CPPUNIT_TEST(expansions_have_a_limit);
    CPPUNIT_TEST(parsed_records_are_remembered);
    CPPUNIT_TEST(a_record_of_64_kb_is_parsed);
    CPPUNIT_TEST_SUITE_END();

    void a_record_begins_with_its_version() {
        for (const char* text : {"v=spf1", "v=spf1 ", "V=SPF1 -all", "v=spf1 x"})
            CPPUNIT_ASSERT_MESSAGE(text, SpfRecord::is_one(text));
        for (const char* text : {"v=spf10", "v=spf1\tall", " v=spf1", "v=spf2.0/pra", "v=spf", "", "v=spf1-all"})
            CPPUNIT_ASSERT_MESSAGE(text, !SpfRecord::is_one(text));
    }

    void what_the_grammar_takes() {
        for (const char* term : {"",
                                 " ",
                                 "all",
                                 "-ALL",
                                 "?All",
                                 "+a",
                                 "a/24",
                                 "a//64",
                                 "a/24//64",
                                 "a/0",
                                 "a/32//128",
                                 "a:b.example/24//64",
                                 "a:b.example.",
                                 "mx",
                                 "mx/8",
                                 "mx:b.example//0",
                                 "ptr",
                                 "ptr:b.example",
                                 "include:b.example",
                                 "exists:%{ir}.b.example",
                                 "exists:%{d}",
                                 "exists:a%%",
                                 "exists:a.%{l1r+-}",
                                 "ip4:192.0.2.1",
                                 "ip4:192.0.2.0/24",
                                 "ip4:192.0.2.0/0",
                                 "ip6:2001:db8::1",
                                 "ip6:2001:db8::/32",
                                 "ip6:::ffff:192.0.2.1",
                                 "redirect=b.example",
                                 "exp=%{d}",
                                 "unknown=",
                                 "unknown=any-%{s}-%%",
                                 "Un.kn-o_w4n=a:b/c=d",
                                 "all=x",
                                 "a=x",
                                 "a:b-c.example",
                                 "a:example.x-y",
                                 "a:1.example.x1",
                                 "a:_spf.example.com",
                                 "a:foo/bar.example",
                                 "a -all",
                                 "a   -all",
                                 "a:b.example exp=c.example redirect=d.example"}) {
            const auto record = SpfRecord::parse(string("v=spf1 ") + term);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(term, string(), record.problem);
        }
    }

    void what_the_grammar_does_not_take() {
        for (const char* term : {"all:",
                                 "all/8",
                                 "all:b.example",
                                 "-",
                                 "+",
                                 "--all",
                                 "-:b.example",
                                 "foo",
                                 "foo:b.example",
                                 "a:",
                                 "a:example",
                                 "a:b.example:8080",
                                 "a/",
                                 "a/33",
                                 "a/024",
                                 "a/24/64",
                                 "a//129",
                                 "a///64",
                                 "a//064",
                                 "a/-1",
                                 "a/24//",
                                 "a/999",
                                 "a:b.example/",
                                 "a:b.123",
                                 "a:b.-x",
                                 "a:b.x-",
                                 "a:.",
                                 "a:..",
                                 "mx:",
                                 "mx:example/24",
                                 "ptr:",
                                 "ptr/8",
                                 "ptr:b.example/8",
                                 "include",
                                 "include:",
                                 "include:b",
                                 "include/8",
                                 "include:b.example/24",
                                 "exists",
                                 "exists:",
                                 "exists:%",
                                 "exists:%{",
                                 "exists:%{x}.b.example",
                                 "exists:%{c}.b.example",
                                 "exists:%{r}.b.example",
                                 "exists:%{t}.b.example",
                                 "exists:%{i0}.b.example",
                                 "exists:%{i!}.b.example",
                                 "exists:%{}.b.example",
                                 "exists:%{ir1}.b.example",
                                 "exists:%(ir).b.example",
                                 "ip4",
                                 "ip4:",
                                 "ip4:192.0.2",
                                 "ip4:192.0.2.256",
                                 "ip4:192.0.02.1",
                                 "ip4:192.0.2.1/33",
                                 "ip4:192.0.2.1/024",
                                 "ip4:192.0.2.1//32",
                                 "ip4:192.0.2.1/",
                                 "ip4:2001:db8::1",
                                 "ip4:192.0.2.1:25",
                                 "ip4/192.0.2.1",
                                 "ip6",
                                 "ip6:192.0.2.1",
                                 "ip6:2001:db8::/129",
                                 "ip6:2001:db8::/032",
                                 "ip6:2001:db8::g",
                                 "ip6:[2001:db8::1]",
                                 "ip6:2001:db8::1%eth0",
                                 "redirect=",
                                 "redirect=b",
                                 "redirect=b.example redirect=c.example",
                                 "exp=",
                                 "exp=b.example exp=b.example",
                                 "-redirect=b.example",
                                 "+x=y",
                                 "4x=y",
                                 "=y",
                                 "x=%",
                                 "x=%{z}",
                                 "x=a\tb",
                                 "a\tall",
                                 "a\xc3\xa4.example",
                                 "a:\x7f.example",
                                 "a,all",
                                 "exists:%{d"}) {
            const auto record = SpfRecord::parse(string("v=spf1 ip4:192.0.2.1 ") + term + " -all");
            CPPUNIT_ASSERT_MESSAGE(term, !record.problem.empty());
            for (const char c : record.problem) CPPUNIT_ASSERT_MESSAGE(term, c >= ' ' && c <= '~');
        }
    }

    void terms_keep_what_they_say() {
        const auto record = SpfRecord::parse(
            "v=spf1 ?a:B.Example./24//64 ~mx -ip4:192.0.2.77/24 redirect=%{d}.x.example");
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, record.terms.size());
        const SpfTerm& a = record.terms[0];
        CPPUNIT_ASSERT(a.kind == SpfTerm::Kind::a && a.result == SpfResult::neutral);
        CPPUNIT_ASSERT_EQUAL(24, int{a.bits4});
        CPPUNIT_ASSERT_EQUAL(64, int{a.bits6});
        CPPUNIT_ASSERT_EQUAL(string("B.Example."), a.domain->literal());
        CPPUNIT_ASSERT_EQUAL(string("?a:B.Example./24//64"), a.text);
        const SpfTerm& mx = record.terms[1];
        CPPUNIT_ASSERT(mx.kind == SpfTerm::Kind::mx && mx.result == SpfResult::softfail && !mx.domain);
        CPPUNIT_ASSERT_EQUAL(32, int{mx.bits4});
        CPPUNIT_ASSERT_EQUAL(128, int{mx.bits6});
        CPPUNIT_ASSERT_EQUAL(string("192.0.2.0/24"), record.terms[2].network->to_string());
        CPPUNIT_ASSERT(record.redirect && !record.redirect->is_literal() && !record.explanation);
    }

    void mapped_networks_are_no_ipv4_networks() {
        const auto first = [](const char* term) { return SpfRecord::parse(string("v=spf1 ") + term).terms.at(0); };
        CPPUNIT_ASSERT(!first("ip6:::ffff:192.0.2.1").network);
        CPPUNIT_ASSERT(!first("ip6:::ffff:192.0.2.0/120").network);
        CPPUNIT_ASSERT_EQUAL(string("::/0"), first("ip6:::ffff:192.0.2.0/0").network->to_string());
        CPPUNIT_ASSERT(first("ip6:::ffff:192.0.2.0/90").network->contains(*IpAddress::parse("::ffc0:1:2")));
    }

    static string expand(const char* macros, SpfMacroString::Kind kind, const SpfRequest& request) {
        const auto parsed = SpfMacroString::parse(macros, kind);
        CPPUNIT_ASSERT_MESSAGE(macros, parsed.has_value());
        return parsed->expand(
            {request, "email.example.com", "mx.example.org", "us.example", WallTime(std::chrono::seconds(7))});
    }

    /// The examples of RFC 7208 7.4, and others.
    void macros_are_expanded() {
        const auto request = SpfRequest::mail_from(*IpAddress::parse("192.0.2.3"), "helo.example", "strong-bad",
                                                   "email.example.com");
        const struct {
            const char* macros;
            const char* expected;
        } rows[] = {
            {"%{s}", "strong-bad@email.example.com"},
            {"%{o}", "email.example.com"},
            {"%{d}", "email.example.com"},
            {"%{d4}", "email.example.com"},
            {"%{d3}", "email.example.com"},
            {"%{d2}", "example.com"},
            {"%{d1}", "com"},
            {"%{dr}", "com.example.email"},
            {"%{d2r}", "example.email"},
            {"%{l}", "strong-bad"},
            {"%{l-}", "strong.bad"},
            {"%{lr}", "strong-bad"},
            {"%{lr-}", "bad.strong"},
            {"%{l1r-}", "strong"},
            {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
            {"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
            {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
            {"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
            {"%{h}.%{p}", "helo.example.mx.example.org"},
            {"%{S}", "strong-bad%40email.example.com"},
            {"%{d99999999999999999999}", "email.example.com"},
            {"a%%b%_c%-d", "a%b c%20d"},
            {"%{c} %{r} %{t}", "192.0.2.3 us.example 7"},
            {"plain text", "plain text"},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.macros, string(row.expected),
                                         expand(row.macros, SpfMacroString::Kind::explanation, request));
        const auto v6 = SpfRequest::mail_from(*IpAddress::parse("2001:db8::cb01"), "", "a.b.c", "email.example.com");
        CPPUNIT_ASSERT_EQUAL(
            string("1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com"),
            expand("%{ir}.%{v}._spf.%{d2}", SpfMacroString::Kind::domain, v6));
        CPPUNIT_ASSERT_EQUAL(string("2001:db8::cb01"), expand("%{c}", SpfMacroString::Kind::explanation, v6));
        CPPUNIT_ASSERT_EQUAL(string("b.a"), expand("%{l2r}", SpfMacroString::Kind::modifier, v6));
    }

    void macros_that_are_wrong() {
        for (const char* text : {"%", "%a", "%{", "%{}", "%{d", "%{d0}", "%{q}", "%{d1x}", "%{dr1}", "% {d}", "a\x80"})
            CPPUNIT_ASSERT_MESSAGE(text, !SpfMacroString::parse(text, SpfMacroString::Kind::explanation));
        CPPUNIT_ASSERT(!SpfMacroString::parse("a b", SpfMacroString::Kind::modifier));
        CPPUNIT_ASSERT(!SpfMacroString::parse("", SpfMacroString::Kind::domain));
    }

    void long_names_lose_labels_from_the_left() {
        const string label(49, 'x');
        const string tail = label + "." + label + "." + label + "." + label + "." + label;  // 249 octets
        CPPUNIT_ASSERT_EQUAL(tail, spf_fitting_name("abcd." + tail + "."));
        CPPUNIT_ASSERT_EQUAL("abc." + tail, spf_fitting_name("abc." + tail));
        CPPUNIT_ASSERT_EQUAL("abc." + tail, spf_fitting_name("y.abc." + tail));
        const string one(300, 'x');
        CPPUNIT_ASSERT_EQUAL(one, spf_fitting_name(one));
    }

    void expansions_have_a_limit() {
        const auto request = SpfRequest::mail_from(*IpAddress::parse("192.0.2.3"), "", string(900, 'l'), "b.example");
        string macros;
        for (int i = 0; i < 10000; ++i) macros += "%{s}";
        CPPUNIT_ASSERT_EQUAL(SpfMacroString::max_expanded,
                             expand(macros.c_str(), SpfMacroString::Kind::explanation, request).size());
    }

    void parsed_records_are_remembered() {
        SpfRecordCache cache;
        const auto first = cache.get("v=spf1 a -all");
        CPPUNIT_ASSERT(first == cache.get("v=spf1 a -all"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, first->terms.size());
        const string large = "v=spf1 x=" + string(SpfRecordCache::max_text, 'x');
        CPPUNIT_ASSERT(cache.get(large) != cache.get(large));
        for (std::size_t i = 0; i < 3 * SpfRecordCache::places; ++i) {
            const string text = "v=spf1 ip4:192.0.2.1 x=" + std::to_string(i);
            CPPUNIT_ASSERT_EQUAL(text, cache.get(text)->text);
        }
    }

    void a_record_of_64_kb_is_parsed() {
        string text = "v=spf1";
        while (text.size() < 65500) text += " a";
        CPPUNIT_ASSERT_EQUAL(string(), SpfRecord::parse(text).problem);
        CPPUNIT_ASSERT(SpfRecord::parse(text + " b").problem.find("\"b\"") == 0);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SpfRecordTest);

}  // namespace
}  // namespace smtpd::mailauth
