/// zone_resolver_test.cc: the list of records that tests use as a DNS.
#include "net/zone_resolver.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::net {
namespace {

using std::string;

constexpr const char* zone = R"(
# a comment
mx.example        A      192.0.2.1
MX.Example.       aaaa   2001:db8::1
192.0.2.1         PTR    mx.example
2001:db8::1       PTR    mx.example.
example           MX     20 backup.example
example           MX     10 mx.example
nomail.example    MX     0 .
example           TXT    "v=spf1 mx -all"
plain.example     TXT    two words # no comment
example           NS     ns.example
www.example       CNAME  alias.example
alias.example     CNAME  mx.example
loop.example      CNAME  loop.example
slow.example      TIMEOUT
broken.example    SERVFAIL
half.example      A      192.0.2.7
half.example      TXT    TIMEOUT
half.example      MX     SERVFAIL
halves.example    SERVFAIL
halves.example    A      192.0.2.8
*.wild.example    TXT    "any"
*.wild.example    CNAME  mx.example
a.b.wild.example  A      192.0.2.3
quoted.example    TXT    "TIMEOUT"
gone.example      NXDOMAIN
below.gone.example A     192.0.2.9
)";

class ZoneResolverTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ZoneResolverTest);
    CPPUNIT_TEST(questions_have_their_answers);
    CPPUNIT_TEST(what_times_out_leaves_the_lookup_open);
    CPPUNIT_TEST(mistakes_are_named_with_their_line);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        const auto read = zone_.read(zone);
        CPPUNIT_ASSERT_MESSAGE(read ? "" : read.error().what, static_cast<bool>(read));
    }

    void questions_have_their_answers() {
        const struct {
            DnsType type;
            const char* name;
            const char* expected;
        } rows[] = {
            {DnsType::a, "mx.example", "found 192.0.2.1"},
            {DnsType::aaaa, "mx.example", "found 2001:db8::1"},
            {DnsType::ptr, "1.2.0.192.in-addr.arpa", "found mx.example"},
            {DnsType::ptr, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
             "found mx.example"},
            {DnsType::mx, "example", "found 10 mx.example 20 backup.example"},
            {DnsType::mx, "nomail.example", "found 0 ."},
            {DnsType::txt, "example", "found \"v=spf1 mx -all\""},
            {DnsType::txt, "plain.example", "found \"two words # no comment\""},
            {DnsType::ns, "example", "found ns.example"},
            {DnsType::a, "www.example", "found 192.0.2.1"},
            {DnsType::cname, "www.example", "found alias.example"},
            {DnsType::mx, "www.example", "no_data"},
            {DnsType::a, "loop.example",
             "server_failure (the server's reply cannot be used: its chain of aliases (CNAME) does not end)"},
            {DnsType::a, "broken.example", "server_failure (the server says SERVFAIL)"},
            {DnsType::a, "half.example", "found 192.0.2.7"},
            {DnsType::mx, "half.example", "server_failure (the server says SERVFAIL)"},
            {DnsType::aaaa, "half.example", "no_data"},
            {DnsType::a, "halves.example", "found 192.0.2.8"},
            {DnsType::mx, "halves.example", "server_failure (the server says SERVFAIL)"},
            {DnsType::txt, "one.wild.example", "found \"any\""},
            {DnsType::txt, "one.more.wild.example", "found \"any\""},
            {DnsType::a, "one.wild.example", "found 192.0.2.1"},
            {DnsType::txt, "wild.example", "no_data"},
            {DnsType::txt, "b.wild.example", "no_data"},
            {DnsType::txt, "c.b.wild.example", "no_such_name"},
            {DnsType::txt, "quoted.example", "found \"TIMEOUT\""},
            {DnsType::a, "gone.example", "no_such_name"},
            {DnsType::a, "below.gone.example", "found 192.0.2.9"},
            {DnsType::txt, "mx.example", "no_data"},
            {DnsType::a, "2.0.192.in-addr.arpa", "no_data"},
            {DnsType::a, "nobody.example", "no_such_name"},
            {DnsType::a, "ample", "no_such_name"},
        };
        for (const auto& row : rows) {
            const auto lookup = zone_.start({*DnsQuestion::make(row.type, row.name)},
                                            [] { CPPUNIT_FAIL("called, though complete"); });
            CPPUNIT_ASSERT_MESSAGE(row.name, lookup->is_complete());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, string(row.expected), lookup->answer(0)->to_string());
        }
    }

    void what_times_out_leaves_the_lookup_open() {
        const auto lookup = zone_.start(
            {*DnsQuestion::make(DnsType::a, "mx.example"), *DnsQuestion::make(DnsType::a, "slow.example")}, [] {});
        CPPUNIT_ASSERT(!lookup->is_complete());
        CPPUNIT_ASSERT(lookup->answer(0).has_value());
        CPPUNIT_ASSERT(!lookup->answer(1).has_value());
    }

    void mistakes_are_named_with_their_line() {
        const struct {
            const char* text;
            const char* problem;
        } rows[] = {
            {"\na..b A 192.0.2.1", "line 2: \"a..b\" is not a valid name"},
            {"a.example", "line 1: \"\" is neither a record type nor TIMEOUT, SERVFAIL or NXDOMAIN"},
            {"a.example SRV 1", "line 1: \"SRV\" is neither a record type nor TIMEOUT, SERVFAIL or NXDOMAIN"},
            {"a.example A 2001:db8::1", "line 1: \"2001:db8::1\" is not valid data of type A"},
            {"a.example AAAA 192.0.2.1", "line 1: \"192.0.2.1\" is not valid data of type AAAA"},
            {"a.example MX mx.example", "line 1: \"mx.example\" is not valid data of type MX"},
            {"a.example MX 70000 mx.example", "line 1: \"70000 mx.example\" is not valid data of type MX"},
            {"a.example MX 10", "line 1: \"10\" is not valid data of type MX"},
            {"a.example PTR", "line 1: \"\" is not valid data of type PTR"},
        };
        for (const auto& row : rows) {
            ZoneResolver resolver;
            const auto read = resolver.read(row.text);
            CPPUNIT_ASSERT_MESSAGE(row.text, !read);
            CPPUNIT_ASSERT_EQUAL(string(row.problem), read.error().what);
        }
    }

private:
    ZoneResolver zone_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(ZoneResolverTest);

}  // namespace
}  // namespace smtpd::net
