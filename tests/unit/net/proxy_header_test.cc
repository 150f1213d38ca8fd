/// proxy_header_test.cc: the PROXY protocol, versions 1 and 2, from good and broken proxies.
#include "net/proxy_header.h"

#include <cppunit/extensions/HelperMacros.h>

#include <cstdint>
#include <string>

namespace smtpd::net {
namespace {

using Status = ProxyHeader::Status;

std::string binary(std::uint8_t version_and_command, std::uint8_t family, const std::string& body, int length = -1) {
    const auto size = static_cast<std::size_t>(length < 0 ? static_cast<int>(body.size()) : length);
    std::string out("\r\n\r\n\0\r\nQUIT\n", 12);
    for (const std::size_t octet : {std::size_t{version_and_command}, std::size_t{family}, size >> 8, size & 0xff})
        out += static_cast<char>(octet);
    return out + body;
}

/// From 192.0.2.7 port 4660 to 198.51.100.1 port 25.
const std::string ipv4("\xc0\x00\x02\x07\xc6\x33\x64\x01\x12\x34\x00\x19", 12);
/// From 2001:db8::7 port 4660 to 2001:db8::1 port 25.
const std::string ipv6(
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x34\x00\x19", 36);

std::string shown(const Endpoint& endpoint) {
    return endpoint.address.to_string() + " " + std::to_string(endpoint.port);
}

class ProxyHeaderTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ProxyHeaderTest);
    CPPUNIT_TEST(both_versions_name_the_client);
    CPPUNIT_TEST(who_speaks_for_nobody_is_local);
    CPPUNIT_TEST(whatever_is_no_header_is_bad);
    CPPUNIT_TEST(it_may_come_in_pieces);
    CPPUNIT_TEST(nothing_behind_the_header_is_taken);
    CPPUNIT_TEST(what_is_not_whole_is_waited_for);
    CPPUNIT_TEST(the_longest_header_is_read);
    CPPUNIT_TEST_SUITE_END();

public:
    void both_versions_name_the_client() {
        const struct {
            const char* name;
            std::string header;
            const char* client;
            const char* local;
        } rows[] = {
            {"v1, IPv4", "PROXY TCP4 192.0.2.7 198.51.100.1 4660 25\r\n", "192.0.2.7 4660", "198.51.100.1 25"},
            {"v1, IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 4660 25\r\n", "2001:db8::7 4660", "2001:db8::1 25"},
            {"v1, mapped", "PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 4660 25\r\n", "192.0.2.7 4660",
             "198.51.100.1 25"},
            {"v1, extreme ports", "PROXY TCP4 192.0.2.7 198.51.100.1 65535 0\r\n", "192.0.2.7 65535", "198.51.100.1 0"},
            {"v2, IPv4", binary(0x21, 0x11, ipv4), "192.0.2.7 4660", "198.51.100.1 25"},
            {"v2, IPv6", binary(0x21, 0x21, ipv6), "2001:db8::7 4660", "2001:db8::1 25"},
            {"v2, extensions",
             binary(0x21, 0x11,
                    ipv4 + std::string("\x02\x00\x03"
                                       "abc"
                                       "\x04\x00\x00",
                                       9)),
             "192.0.2.7 4660", "198.51.100.1 25"},
        };
        for (const auto& row : rows) {
            ProxyHeader header;
            std::string_view octets = row.header;
            CPPUNIT_ASSERT_MESSAGE(row.name, header.feed(octets) == Status::proxied);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(row.client), shown(header.client()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(row.local), shown(header.local()));
        }
    }

    void who_speaks_for_nobody_is_local() {
        const std::pair<const char*, std::string> rows[] = {
            {"v1, unknown", "PROXY UNKNOWN\r\n"},
            {"v1, unknown with something", "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"},
            {"v2, a health check", binary(0x20, 0x00, "")},
            {"v2, a health check with addresses", binary(0x20, 0x11, ipv4)},
            {"v2, no family", binary(0x21, 0x00, "")},
            {"v2, a Unix socket", binary(0x21, 0x31, std::string(216, 'x'))},
        };
        for (const auto& [name, octets] : rows) {
            ProxyHeader header;
            std::string_view rest = octets;
            CPPUNIT_ASSERT_MESSAGE(name, header.feed(rest) == Status::local);
            CPPUNIT_ASSERT_MESSAGE(name, rest.empty());
        }
    }

    void whatever_is_no_header_is_bad() {
        const std::pair<const char*, std::string> rows[] = {
            {"SMTP", "EHLO x\r\n"},
            {"an empty line", "\r\n\r\nEHLO"},
            {"lower case", "proxy TCP4 192.0.2.7 198.51.100.1 4660 25\r\n"},
            {"another word", "PROXIES\r\n"},
            {"v1 without CR", "PROXY TCP4 192.0.2.7 198.51.100.1 4660 25\n"},
            {"v1 with nothing", "PROXY \r\n"},
            {"v1, another family", "PROXY TCP5 192.0.2.7 198.51.100.1 4660 25\r\n"},
            {"v1, UDP", "PROXY UDP4 192.0.2.7 198.51.100.1 4660 25\r\n"},
            {"v1, one word more", "PROXY TCP4 192.0.2.7 198.51.100.1 4660 25 1\r\n"},
            {"v1, one word less", "PROXY TCP4 192.0.2.7 198.51.100.1 4660\r\n"},
            {"v1, two blanks", "PROXY TCP4  192.0.2.7 198.51.100.1 4660 25\r\n"},
            {"v1, IPv6 as IPv4", "PROXY TCP4 2001:db8::7 2001:db8::1 4660 25\r\n"},
            {"v1, IPv4 as IPv6", "PROXY TCP6 192.0.2.7 198.51.100.1 4660 25\r\n"},
            {"v1, a name", "PROXY TCP4 localhost 198.51.100.1 4660 25\r\n"},
            {"v1, leading zero of an address", "PROXY TCP4 192.0.02.7 198.51.100.1 4660 25\r\n"},
            {"v1, a port too large", "PROXY TCP4 192.0.2.7 198.51.100.1 65536 25\r\n"},
            {"v1, a port with a zero", "PROXY TCP4 192.0.2.7 198.51.100.1 04660 25\r\n"},
            {"v1, no port", "PROXY TCP4 192.0.2.7 198.51.100.1  25\r\n"},
            {"v1, 108 octets", "PROXY UNKNOWN " + std::string(92, 'x') + "\r\n"},
            {"v1 without end", "PROXY TCP6 " + std::string(1000, '1')},
            {"v2, version 1", binary(0x11, 0x11, ipv4)},
            {"v2, another command", binary(0x22, 0x11, ipv4)},
            {"v2, another family", binary(0x21, 0x41, ipv4)},
            {"v2, UDP", binary(0x21, 0x12, ipv4)},
            {"v2, no length", binary(0x21, 0x11, "")},
            {"v2, 11 octets", binary(0x21, 0x11, ipv4.substr(0, 11))},
            {"v2, IPv4 as IPv6", binary(0x21, 0x21, ipv4)},
            {"v2, 35 octets", binary(0x21, 0x21, ipv6.substr(0, 35))},
            {"v2, an extension beyond the end", binary(0x21, 0x11,
                                                       ipv4 + std::string("\x02\x00\x04"
                                                                          "abc",
                                                                          6))},
            {"v2, an extension without length", binary(0x21, 0x11, ipv4 + std::string("\x02\x00", 2))},
        };
        for (const auto& [name, octets] : rows) {
            ProxyHeader header;
            std::string_view rest = octets;
            CPPUNIT_ASSERT_MESSAGE(name, header.feed(rest) == Status::bad);
            CPPUNIT_ASSERT_MESSAGE(name, !header.problem().empty());
        }
    }

    void it_may_come_in_pieces() {
        for (const std::string& octets :
             {std::string("PROXY TCP4 192.0.2.7 198.51.100.1 4660 25\r\n"), binary(0x21, 0x21, ipv6)}) {
            ProxyHeader header;
            for (std::size_t i = 0; i < octets.size(); ++i) {
                std::string_view piece = std::string_view(octets).substr(i, 1);
                CPPUNIT_ASSERT(header.feed(piece) == (i + 1 < octets.size() ? Status::need_more : Status::proxied));
                CPPUNIT_ASSERT(piece.empty());
            }
            CPPUNIT_ASSERT_EQUAL(std::uint16_t{4660}, header.client().port);
        }
    }

    void nothing_behind_the_header_is_taken() {
        for (const std::string& octets : {std::string("PROXY TCP4 192.0.2.7 198.51.100.1 4660 25\r\n"),
                                          binary(0x21, 0x11, ipv4), binary(0x20, 0, "")}) {
            ProxyHeader header;
            const std::string stream = octets + "EHLO client\r\n";
            std::string_view rest = stream;
            CPPUNIT_ASSERT(header.feed(rest) != Status::bad);
            CPPUNIT_ASSERT_EQUAL(std::string("EHLO client\r\n"), std::string(rest));
        }
    }

    void what_is_not_whole_is_waited_for() {
        for (const std::string& octets :
             {std::string("P"), std::string("PROXY TCP4 192.0.2.7 198.51.100.1 4660 25\r"), std::string("\r\n\r\n"),
              binary(0x21, 0x11, ipv4, 65535), binary(0x21, 0x11, "", 1)}) {
            ProxyHeader header;
            std::string_view rest = octets;
            CPPUNIT_ASSERT(header.feed(rest) == Status::need_more);
            rest = {};
            CPPUNIT_ASSERT(header.feed(rest) == Status::need_more);
        }
    }

    void the_longest_header_is_read() {
        const std::size_t value = 65535 - ipv4.size() - 3;
        std::string body = ipv4 + '\x05';
        body += static_cast<char>(value >> 8);
        body += static_cast<char>(value & 0xff);
        const std::string octets = binary(0x21, 0x11, body + std::string(value, 'x'));
        ProxyHeader header;
        std::string_view rest = octets;
        CPPUNIT_ASSERT(header.feed(rest) == Status::proxied);
        ProxyHeader text;
        const std::string longest = "PROXY UNKNOWN " + std::string(91, 'x') + "\r\n";
        CPPUNIT_ASSERT_EQUAL(std::size_t{107}, longest.size());
        rest = longest;
        CPPUNIT_ASSERT(text.feed(rest) == Status::local);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ProxyHeaderTest);

}  // namespace
}  // namespace smtpd::net
