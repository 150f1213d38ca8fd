/// client_attributes_test.cc: the arguments of XCLIENT and XFORWARD from Postfix, nginx and mistaken clients.
#include "smtp/client_attributes.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::smtp {
namespace {

constexpr auto xclient = AttributeCommand::xclient;
constexpr auto xforward = AttributeCommand::xforward;

ClientAttributes good(AttributeCommand command, std::string_view rest) {
    const auto parsed = parse_client_attributes(command, rest);
    const auto* const attributes = std::get_if<ClientAttributes>(&parsed);
    CPPUNIT_ASSERT_MESSAGE(std::string(rest), attributes != nullptr);
    return *attributes;
}

class ClientAttributesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ClientAttributesTest);
    CPPUNIT_TEST(xclient_names_a_client);
    CPPUNIT_TEST(xforward_names_a_message_too);
    CPPUNIT_TEST(what_is_not_known_is_said);
    CPPUNIT_TEST(values_are_xtext);
    CPPUNIT_TEST(mistakes_are_501);
    CPPUNIT_TEST(the_capability_names_what_is_understood);
    CPPUNIT_TEST_SUITE_END();

public:
    void xclient_names_a_client() {
        const auto client = good(xclient,
                                 "name=spike.example.org ADDR=168.100.189.2 Port=4660 PROTO=esmtp HELO=spike  "
                                 "LOGIN=joe DESTADDR=198.51.100.1 "
                                 "DESTPORT=587");
        CPPUNIT_ASSERT_EQUAL(std::string("spike.example.org"), client.name.value());
        CPPUNIT_ASSERT_EQUAL(std::string("168.100.189.2"), client.address.value().to_string());
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{4660}, client.port.value());
        CPPUNIT_ASSERT_EQUAL(std::string("ESMTP"), client.protocol.value());
        CPPUNIT_ASSERT_EQUAL(std::string("spike"), client.helo.value());
        CPPUNIT_ASSERT_EQUAL(std::string("joe"), client.login.value());
        CPPUNIT_ASSERT_EQUAL(std::string("198.51.100.1"), client.destination.value().to_string());
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{587}, client.destination_port.value());
        CPPUNIT_ASSERT_EQUAL(std::string("2001:db8::7"),
                             good(xclient, "ADDR=ipv6:2001:db8::7").address.value().to_string());
        CPPUNIT_ASSERT(!good(xclient, "PORT=1").address);
    }

    void xforward_names_a_message_too() {
        const auto message = good(
            xforward, "NAME=a.example ADDR=192.0.2.7 PORT=4 HELO=b.example PROTO=SMTP IDENT=4B0F8+2Ex SOURCE=local");
        CPPUNIT_ASSERT_EQUAL(std::string("4B0F8.x"), message.ident.value());
        CPPUNIT_ASSERT_EQUAL(std::string("LOCAL"), message.source.value());
    }

    void what_is_not_known_is_said() {
        const auto client = good(
            xclient, "NAME=[UNAVAILABLE] ADDR=[unavailable] PORT=[TEMPUNAVAIL] HELO=[UNAVAILABLE] LOGIN=[UNAVAILABLE]");
        CPPUNIT_ASSERT(client.name.value().empty());
        CPPUNIT_ASSERT(client.address.value().is_unspecified());
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{0}, client.port.value());
        CPPUNIT_ASSERT(client.helo.value().empty());
        CPPUNIT_ASSERT(client.login.value().empty());
        CPPUNIT_ASSERT(!client.protocol);
    }

    void values_are_xtext() {
        CPPUNIT_ASSERT_EQUAL(std::string("a b=c"), good(xclient, "LOGIN=a+20b+3Dc").login.value());
        CPPUNIT_ASSERT_EQUAL(std::string("j\xc3\xbcrgen"), good(xclient, "LOGIN=j+C3+BCrgen").login.value());
    }

    void mistakes_are_501() {
        const struct {
            AttributeCommand command;
            std::string rest;
        } rows[] = {
            {xclient, ""},
            {xclient, "NAME"},
            {xclient, "NAME="},
            {xclient, "NAME=a b"},
            {xclient, "=a"},
            {xclient, "NAME=a NAME=b"},
            {xclient, "NAME=[UNAVAILABLE] NAME=b"},
            {xclient, "NAME=a+20b"},
            {xclient, "NAME=a/b"},
            {xclient, "NAME=" + std::string(256, 'a')},
            {xclient, "ADDR=example.org"},
            {xclient, "ADDR=192.0.2.256"},
            {xclient, "ADDR=2001:db8::7"},
            {xclient, "ADDR=IPV6:192.0.2.1"},
            {xclient, "ADDR=IPV6:"},
            {xclient, "ADDR="},
            {xclient, "PORT=0"},
            {xclient, "PORT=65536"},
            {xclient, "PORT=-1"},
            {xclient, "PROTO=LMTP"},
            {xclient, "HELO=a+0Ab"},
            {xclient, "HELO=a+00"},
            {xclient, "LOGIN=a+7Fb"},
            {xclient, "LOGIN=a+2"},
            {xclient, "LOGIN=j+FCrgen"},
            {xclient, "LOGIN="},
            {xclient, "IDENT=a"},
            {xclient, "SOURCE=LOCAL"},
            {xclient, "OTHER=a"},
            {xforward, "LOGIN=a"},
            {xforward, "DESTADDR=192.0.2.1"},
            {xforward, "SOURCE=ELSEWHERE"},
            {xforward, ""},
            {xforward, "NAME"},
            {xforward, "NAME="},
            {xforward, "=a"},
            {xforward, "NAME=a NAME=b"},
            {xforward, "NAME=a b"},
            {xforward, "NAME=" + std::string(256, 'a')},
            {xforward, "ADDR=192.0.2.1x"},
            {xforward, "PORT=25x"},
            {xforward, "PORT=99999999999999999999"},
            {xforward, "HELO=a+0D+0Ab"},
            {xforward, "IDENT=a+00"},
            {xforward, "OTHER=a"},
        };
        for (const auto& row : rows) {
            const auto parsed = parse_client_attributes(row.command, row.rest);
            const auto* const reply = std::get_if<Reply>(&parsed);
            CPPUNIT_ASSERT_MESSAGE(row.rest, reply != nullptr);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.rest, 501, static_cast<int>(reply->code));
        }
    }

    void the_capability_names_what_is_understood() {
        for (const auto command : {xclient, xforward}) {
            std::string_view names = capability_of(command);
            names.remove_prefix(names.find(' ') + 1);
            while (!names.empty()) {
                const auto name = names.substr(0, names.find(' '));
                names.remove_prefix(std::min(names.size(), name.size() + 1));
                CPPUNIT_ASSERT_NO_THROW(good(command, std::string(name) + "=[UNAVAILABLE]"));
            }
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ClientAttributesTest);

}  // namespace
}  // namespace smtpd::smtp
