/// ip_test.cc: reading and printing of IP addresses and networks.
#include <smtpd/base/ip.h>

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd {
namespace {

struct Text {
    const char* in;
    const char* out;  // nullptr: refused
};

class IpTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(IpTest);
    CPPUNIT_TEST(four_decimal_parts_make_an_ipv4_address);
    CPPUNIT_TEST(every_form_of_rfc_4291_is_read_and_printed_as_rfc_5952_says);
    CPPUNIT_TEST(mapped_addresses_are_ipv4);
    CPPUNIT_TEST(loopback_is_known);
    CPPUNIT_TEST(prefix_clears_the_other_bits);
    CPPUNIT_TEST(literals_are_printed_for_smtp);
    CPPUNIT_TEST(reversed_names_are_those_of_dns_lists);
    CPPUNIT_TEST(the_unspecified_address_equals_only_itself);
    CPPUNIT_TEST(networks_are_read_and_their_host_bits_cleared);
    CPPUNIT_TEST(networks_contain_what_begins_with_their_bits);
    CPPUNIT_TEST_SUITE_END();

    template <class T, std::size_t N>
    static void check(const Text (&table)[N]) {
        for (const auto& row : table) {
            const auto value = T::parse(row.in);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.in, row.out != nullptr, value.has_value());
            if (value) CPPUNIT_ASSERT_EQUAL_MESSAGE(row.in, std::string(row.out), value->to_string());
        }
    }

public:
    void four_decimal_parts_make_an_ipv4_address() {
        // clang-format off
        static constexpr Text table[] = {
            {"192.0.2.1", "192.0.2.1"}, {"0.0.0.0", "0.0.0.0"},     {"255.255.255.255", "255.255.255.255"},
            {"1.0.0.0", "1.0.0.0"},     {"1.2.3.4", "1.2.3.4"},     {"254.254.254.254", "254.254.254.254"},
            {"1.2.3.256", nullptr},     {"256.1.1.1", nullptr},     {"1.2.3", nullptr},
            {"1.2.3.4.5", nullptr},     {"01.2.3.4", nullptr},      {"1.2.3.04", nullptr},
            {"1.2.3.", nullptr},        {".1.2.3", nullptr},        {"1..2.3", nullptr},
            {"", nullptr},              {"1", nullptr},             {"0x1.2.3.4", nullptr},
            {"1.2.3.4 ", nullptr},      {" 1.2.3.4", nullptr},      {"1.2.3.-4", nullptr},
            {"1.2.3.+4", nullptr},      {"1.2.3.1000", nullptr},    {"1.2.3.4.", nullptr},
            {"a.b.c.d", nullptr},       {"3232235777", nullptr},
        };
        // clang-format on
        check<IpAddress>(table);
        CPPUNIT_ASSERT(!IpAddress::parse(std::string_view("1.2.3.4\0", 8)));
        CPPUNIT_ASSERT(IpAddress::parse("1.2.3.4")->is_v4());
    }

    void every_form_of_rfc_4291_is_read_and_printed_as_rfc_5952_says() {
        static constexpr Text table[] = {
            {"::", "::"},
            {"::1", "::1"},
            {"1::", "1::"},
            {"2001:db8::1", "2001:db8::1"},
            {"2001:0DB8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
            {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},     // the first of two equal runs
            {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},           // the longer run
            {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // one zero group is not shortened
            {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
            {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
            {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
            {"0:0:0:0:0:0:0:0", "::"},
            {"1:0:0:0:0:0:0:0", "1::"},
            {"FE80::ABCD", "fe80::abcd"},
            {"::1.2.3.4", "::102:304"},
            {"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
            {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
            {"2607:f060:b008:feed::127.0.0.1", "2607:f060:b008:feed::7f00:1"},
            {":", nullptr},
            {":::", nullptr},
            {"::::", nullptr},
            {"1:2:3:4:5:6:7", nullptr},
            {"1:2:3:4:5:6:7:8:9", nullptr},
            {"1:2:3:4:5:6:7:8::", nullptr},
            {"::1:2:3:4:5:6:7:8", nullptr},
            {"1:2:3:4::5:6:7:8", nullptr},
            {"1::2::3", nullptr},
            {"12345::", nullptr},
            {"g::", nullptr},
            {"1:", nullptr},
            {":1", nullptr},
            {"1::2:", nullptr},
            {":1::2", nullptr},
            {"1.2.3.4::", nullptr},
            {"1.2.3.4::1.2.3.4", nullptr},
            {"::1.2.3", nullptr},
            {"::1.2.3.4.5", nullptr},
            {"::1.2.3.256", nullptr},
            {"::01.2.3.4", nullptr},
            {"::1.2.3.4:1", nullptr},
            {"1:2:3:4:5:6:7:1.2.3.4", nullptr},
            {"1:2:3:4:5:1.2.3.4", nullptr},
            {"1:2:3:4:5:6::1.2.3.4", nullptr},
            {"fe80::1%eth0", nullptr},
            {"[::1]", nullptr},
            {"::1/128", nullptr},
            {"::-1", nullptr},
            {"::+1", nullptr},
            {"::0x1", nullptr},
            {" ::1", nullptr},
            {"::1 ", nullptr},
        };
        check<IpAddress>(table);
        CPPUNIT_ASSERT(IpAddress::parse("::")->is_v6());
    }

    void mapped_addresses_are_ipv4() {
        for (const char* text : {"::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:192.0.2.1"}) {
            CPPUNIT_ASSERT_MESSAGE(text, IpAddress::parse(text) == IpAddress::parse("192.0.2.1"));
        }
        CPPUNIT_ASSERT(IpAddress::v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1}) ==
                       IpAddress::v4({10, 0, 0, 1}));
        CPPUNIT_ASSERT(IpAddress::parse("::fffe:192.0.2.1")->is_v6());
    }

    void loopback_is_known() {
        for (const char* text : {"127.0.0.1", "127.0.0.2", "127.255.255.255", "::1", "::ffff:127.0.0.1"})
            CPPUNIT_ASSERT_MESSAGE(text, IpAddress::parse(text)->is_loopback());
        for (const char* text : {"128.0.0.1", "126.255.255.255", "::2", "::", "::7f00:1", "7f00::1"})
            CPPUNIT_ASSERT_MESSAGE(text, !IpAddress::parse(text)->is_loopback());
        CPPUNIT_ASSERT(!IpAddress().is_loopback());
    }

    void prefix_clears_the_other_bits() {
        const auto cut = [](const char* text, unsigned bits) {
            return IpAddress::parse(text)->prefix(bits).to_string();
        };
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.0"), cut("192.0.2.255", 24));
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.128"), cut("192.0.2.255", 25));
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.254"), cut("192.0.2.255", 31));
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.255"), cut("192.0.2.255", 32));
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.255"), cut("192.0.2.255", 99));
        CPPUNIT_ASSERT_EQUAL(std::string("0.0.0.0"), cut("192.0.2.255", 0));
        CPPUNIT_ASSERT_EQUAL(std::string("2001:db8:1:2::"), cut("2001:db8:1:2:3:4:5:6", 64));
        CPPUNIT_ASSERT_EQUAL(std::string("2001:db8:1:2:3:4:5:6"), cut("2001:db8:1:2:3:4:5:6", 128));
        CPPUNIT_ASSERT_EQUAL(std::string("2001:da0::"), cut("2001:dbf:1:2:3:4:5:6", 27));
    }

    void literals_are_printed_for_smtp() {
        CPPUNIT_ASSERT_EQUAL(std::string("[192.0.2.1]"), IpAddress::parse("192.0.2.1")->literal());
        CPPUNIT_ASSERT_EQUAL(std::string("[IPv6:2001:db8::1]"), IpAddress::parse("2001:DB8::1")->literal());
        CPPUNIT_ASSERT_EQUAL(std::string(), IpAddress().literal());
    }

    void reversed_names_are_those_of_dns_lists() {
        CPPUNIT_ASSERT_EQUAL(std::string("1.2.0.192"), IpAddress::parse("192.0.2.1")->reversed());
        CPPUNIT_ASSERT_EQUAL(std::string("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"),
                             IpAddress::parse("2001:db8::1")->reversed());
        CPPUNIT_ASSERT_EQUAL(std::string(), IpAddress().reversed());
    }

    void the_unspecified_address_equals_only_itself() {
        CPPUNIT_ASSERT(IpAddress() == IpAddress());
        CPPUNIT_ASSERT(IpAddress() != *IpAddress::parse("0.0.0.0"));
        CPPUNIT_ASSERT(IpAddress() != *IpAddress::parse("::"));
        CPPUNIT_ASSERT(*IpAddress::parse("0.0.0.0") != *IpAddress::parse("::"));
        CPPUNIT_ASSERT(IpAddress().is_unspecified() && IpAddress().bits() == 0);
        CPPUNIT_ASSERT_EQUAL(std::string(), IpAddress().to_string());
    }

    void networks_are_read_and_their_host_bits_cleared() {
        static constexpr Text table[] = {
            {"192.0.2.0/24", "192.0.2.0/24"},
            {"192.0.2.77/24", "192.0.2.0/24"},
            {"192.0.2.77", "192.0.2.77"},
            {"192.0.2.77/32", "192.0.2.77"},
            {"0.0.0.0/0", "0.0.0.0/0"},
            {"2001:db8::1/32", "2001:db8::/32"},
            {"2001:db8::1/128", "2001:db8::1"},
            {"::/0", "::/0"},
            {"::ffff:192.0.2.77/120", "192.0.2.0/24"},
            {"::ffff:192.0.2.77/96", "0.0.0.0/0"},
            {"::ffff:192.0.2.77/95", nullptr},
            {"192.0.2.0/33", nullptr},
            {"2001:db8::/129", nullptr},
            {"192.0.2.0/", nullptr},
            {"192.0.2.0/024", nullptr},
            {"192.0.2.0/-1", nullptr},
            {"192.0.2.0/+1", nullptr},
            {"192.0.2.0/255.255.255.0", nullptr},
            {"192.0.2.0/24/24", nullptr},
            {"192.0.2/24", nullptr},
            {"/24", nullptr},
            {"", nullptr},
        };
        check<IpNetwork>(table);
        CPPUNIT_ASSERT_EQUAL(32U, IpNetwork(*IpAddress::parse("1.2.3.4"), 200).bits());
    }

    void networks_contain_what_begins_with_their_bits() {
        const auto contains = [](const char* network, const char* address) {
            return IpNetwork::parse(network)->contains(*IpAddress::parse(address));
        };
        CPPUNIT_ASSERT(contains("192.0.2.0/24", "192.0.2.255"));
        CPPUNIT_ASSERT(contains("192.0.2.0/24", "::ffff:192.0.2.1"));
        CPPUNIT_ASSERT(!contains("192.0.2.0/24", "192.0.3.0"));
        CPPUNIT_ASSERT(contains("192.0.2.1", "192.0.2.1"));
        CPPUNIT_ASSERT(!contains("192.0.2.1", "192.0.2.2"));
        CPPUNIT_ASSERT(contains("0.0.0.0/0", "255.1.2.3"));
        CPPUNIT_ASSERT(!contains("0.0.0.0/0", "::1"));
        CPPUNIT_ASSERT(!contains("::/0", "1.2.3.4"));
        CPPUNIT_ASSERT(contains("2001:db8::/33", "2001:db8:7fff::1"));
        CPPUNIT_ASSERT(!contains("2001:db8::/33", "2001:db8:8000::1"));
        CPPUNIT_ASSERT(!IpNetwork::parse("::/0")->contains(IpAddress()));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(IpTest);

}  // namespace
}  // namespace smtpd
