/// zone_file_test.cc: master files, and the records of zone_resolver.h.
#include "net/zone_file.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::net {
namespace {

using std::string;

constexpr const char* master = R"($ORIGIN example.com.
$TTL 1h
@   3600 IN SOA ns.example.com. root.example.com. ( 1 2h ; serial
                 3 4 5 )
    IN   MX  10 mx
         MX  5  backup.example.net.
         TXT "v=spf1 mx " "-all"
mx  IN   A   192.0.2.1
    300 IN AAAA 2001:db8::1
key      TXT ( "v=DKIM1; p=MIIB"
               "IjANBg" )
odd      TXT "a\"b\\c\059\032d"
*.any    A   192.0.2.9
alias    CNAME mx
srv      SRV 0 0 25 mx
$ORIGIN 2.0.192.in-addr.arpa.
1        PTR mx.example.com.
)";

constexpr const char* simple = R"(
# a comment
mx.example       A      192.0.2.1
192.0.2.1        PTR    mx.example
example          MX     10 mx.example
example          TXT    v=spf1 mx -all
key.example      TXT    v=DKIM1; k=rsa; p=MIIB
  spaced.example TXT    "quoted; with a semicolon"
slow.example     TIMEOUT
half.example     TXT    TIMEOUT
broken.example   SERVFAIL
gone.example     NXDOMAIN
)";

class ZoneFileTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ZoneFileTest);
    CPPUNIT_TEST(master_files_are_read);
    CPPUNIT_TEST(simple_records_are_read);
    CPPUNIT_TEST(mistakes_are_named_with_their_line);
    CPPUNIT_TEST_SUITE_END();

    struct Row {
        DnsType type;
        const char* name;
        const char* expected;
    };

    template <std::size_t size>
    static void check(const char* text, const Row (&rows)[size]) {
        const auto zone = read_zone_file(text);
        CPPUNIT_ASSERT_MESSAGE(zone ? "" : zone.error().what, static_cast<bool>(zone));
        for (const auto& row : rows) {
            const auto answer = zone->answer(*DnsQuestion::make(row.type, row.name));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, string(row.expected), answer ? answer->to_string() : "nothing");
        }
    }

    void master_files_are_read() {
        const Row rows[] = {
            {DnsType::mx, "example.com", "found 5 backup.example.net 10 mx.example.com"},
            {DnsType::txt, "example.com", "found \"v=spf1 mx -all\""},
            {DnsType::a, "mx.example.com", "found 192.0.2.1"},
            {DnsType::aaaa, "mx.example.com", "found 2001:db8::1"},
            {DnsType::txt, "key.example.com", "found \"v=DKIM1; p=MIIBIjANBg\""},
            {DnsType::txt, "odd.example.com", "found \"a\\\"b\\\\c; d\""},
            {DnsType::a, "x.y.any.example.com", "found 192.0.2.9"},
            {DnsType::a, "alias.example.com", "found 192.0.2.1"},
            {DnsType::a, "srv.example.com", "no_data"},
            {DnsType::a, "none.example.com", "no_such_name"},
            {DnsType::ptr, "1.2.0.192.in-addr.arpa", "found mx.example.com"},
        };
        check(master, rows);
    }

    void simple_records_are_read() {
        const Row rows[] = {
            {DnsType::a, "mx.example", "found 192.0.2.1"},
            {DnsType::ptr, "1.2.0.192.in-addr.arpa", "found mx.example"},
            {DnsType::mx, "example", "found 10 mx.example"},
            {DnsType::txt, "example", "found \"v=spf1 mx -all\""},
            {DnsType::txt, "key.example", "found \"v=DKIM1; k=rsa; p=MIIB\""},
            {DnsType::txt, "spaced.example", "found \"quoted; with a semicolon\""},
            {DnsType::a, "slow.example", "nothing"},
            {DnsType::txt, "half.example", "nothing"},
            {DnsType::a, "half.example", "no_data"},
            {DnsType::a, "broken.example", "server_failure (the server says SERVFAIL)"},
            {DnsType::a, "gone.example", "no_such_name"},
        };
        check(simple, rows);
    }

    void mistakes_are_named_with_their_line() {
        const string too_long = "a TXT \"" + string(256, 'x') + "\" \"y\"";
        const struct {
            string text;
            const char* problem;
        } rows[] = {
            {"\na..b A 192.0.2.1", "line 2: \"a..b\" is no name"},
            {"a", "line 1: \"a\" has no type of records"},
            {"a IN 300", "line 1: \"a\" has no type of records"},
            {"a CH A 192.0.2.1", "line 1: only the class IN is known"},
            {"a FOO 1", "line 1: \"FOO\" is no type of records"},
            {"a A ::ffff:192.0.2.1 b", "line 1: \"::ffff:192.0.2.1 b\" is no data of type A"},
            {"a AAAA ::ffff:192.0.2.1", "line 1: \"::ffff:192.0.2.1\" is no data of type AAAA"},
            {"a MX 70000 b", "line 1: \"70000 b\" is no data of type MX"},
            {"a TXT", "line 1: \"\" is no data of type TXT"},
            {"a TXT \"b", "line 1: a quoted string has no end"},
            {"a TXT \"b\nc\"", "line 1: a quoted string does not end on its line"},
            {"a TXT \"\\256\"", "line 1: \"\\\" needs a character, or three digits up to 255"},
            {"a TXT ( \"b\"\n", "line 2: a \"(\" has no \")\""},
            {"a TXT \"b\" )", "line 1: there is a \")\" without \"(\""},
            {"$INCLUDE other", "line 1: \"$INCLUDE\" cannot be used here, only $ORIGIN and $TTL"},
            {"$ORIGIN", "line 1: $ORIGIN needs one name"},
        };
        for (const auto& row : rows) {
            const auto read = read_zone_file(row.text);
            CPPUNIT_ASSERT_MESSAGE(row.text, !read);
            CPPUNIT_ASSERT_EQUAL(string(row.problem), read.error().what);
        }
        CPPUNIT_ASSERT(!read_zone_file(too_long));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ZoneFileTest);

}  // namespace
}  // namespace smtpd::net
