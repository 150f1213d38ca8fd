/// server_address_test.cc: the syntax of server addresses, and the file of hosts.
#include "net/hosts_file.h"

#include <smtpd/backend/server_address.h>

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using namespace std::string_literals;

class ServerAddressTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ServerAddressTest);
    CPPUNIT_TEST(each_form_is_read);
    CPPUNIT_TEST(mistakes_are_named);
    CPPUNIT_TEST(what_needs_no_question_is_known);
    CPPUNIT_TEST(the_usual_port_is_for_those_without);
    CPPUNIT_TEST(hosts_are_read_as_the_system_does);
    CPPUNIT_TEST_SUITE_END();

public:
    void each_form_is_read() {
        const struct {
            const char *text, *shown, *path, *host;
            unsigned port;
        } rows[] = {
            {"mail.example.com", "mail.example.com", "", "mail.example.com", 0},
            {"MAIL.example.com.:143", "mail.example.com:143", "", "mail.example.com", 143},
            {"mail_1:65535", "mail_1:65535", "", "mail_1", 65535},
            {"192.0.2.1", "192.0.2.1", "", "192.0.2.1", 0},
            {"192.0.2.1:25", "192.0.2.1:25", "", "192.0.2.1", 25},
            {"2001:db8::1", "2001:db8::1", "", "2001:db8::1", 0},
            {"[2001:db8::1]", "2001:db8::1", "", "2001:db8::1", 0},
            {"[2001:db8::1]:143", "[2001:db8::1]:143", "", "2001:db8::1", 143},
            {"localhost:143", "localhost:143", "", "localhost", 143},
            {"/run/daemon.sock", "/run/daemon.sock", "/run/daemon.sock", "", 0},
            {"unix:/run/daemon:1", "/run/daemon:1", "/run/daemon:1", "", 0},
            {"run/daemon", "run/daemon", "run/daemon", "", 0},
        };
        for (const auto& row : rows) {
            const auto read = ServerAddress::parse(row.text);
            CPPUNIT_ASSERT_MESSAGE(row.text, read);
            CPPUNIT_ASSERT_EQUAL(std::string(row.shown), read->to_string());
            CPPUNIT_ASSERT_EQUAL(std::string(row.path), read->path());
            CPPUNIT_ASSERT_EQUAL(std::string(row.host), read->host());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.text, row.port, static_cast<unsigned>(read->port()));
            CPPUNIT_ASSERT_MESSAGE(row.text, *ServerAddress::parse(read->to_string()) == *read);
        }
    }

    void mistakes_are_named() {
        for (const auto& [text, problem] : {std::pair{"", "this is neither a host nor an address nor a path: \"\""},
                                            {"two words", "this is neither"},
                                            {".example.com", "this is neither"},
                                            {"a..b:1", "this is neither"},
                                            {"mail:", "the port is not a number from 1 to 65535: \"mail:\""},
                                            {"mail:0", "the port is not"},
                                            {"mail:65536", "the port is not"},
                                            {"mail:imap", "the port is not"},
                                            {"mail:-1", "the port is not"},
                                            {"mail:1:2", "this is neither"},
                                            {"[mail]:1", "the text in brackets is not an address: \"[mail]:1\""},
                                            {"[::1", "this is neither"},
                                            {":143", "this is neither"},
                                            {"unix:", "no path follows: \"unix:\""}}) {
            const auto read = ServerAddress::parse(text);
            CPPUNIT_ASSERT_MESSAGE(text, !read);
            CPPUNIT_ASSERT_MESSAGE(read.error().what, read.error().what.starts_with(problem));
        }
        ServerAddress value;
        CPPUNIT_ASSERT_EQUAL(
            "a server: host, host:port, [IPv6 address]:port, /path or unix:/path (the port is not a number from 1 to 65535: \"a:b\")"s,
            OptionType<ServerAddress>::read("a:b", value));
        CPPUNIT_ASSERT(ServerAddress::tcp("no name", 1) == ServerAddress());
    }

    void what_needs_no_question_is_known() {
        const std::tuple<const char*, const char*, bool> rows[] = {{"localhost", "127.0.0.1", true},
                                                                   {"LocalHost:1", "127.0.0.1", true},
                                                                   {"127.0.0.9", "127.0.0.9", true},
                                                                   {"[::1]:1", "::1", true},
                                                                   {"192.0.2.1", "192.0.2.1", false},
                                                                   {"mail.example.com", "", false},
                                                                   {"/run/x", "", true}};
        for (const auto& [text, address, is_here] : rows) {
            const auto read = ServerAddress::parse(text);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string(address),
                                         read->address() ? read->address()->to_string() : "");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, is_here, read->is_on_this_machine());
        }
    }

    void the_usual_port_is_for_those_without() {
        for (const auto& [text, shown] :
             {std::pair{"mail", "mail:143"}, {"mail:1", "mail:1"}, {"::1", "[::1]:143"}, {"/run/x", "/run/x"}})
            CPPUNIT_ASSERT_EQUAL(std::string(shown), ServerAddress::parse(text)->with_default_port(143).to_string());
    }

    void hosts_are_read_as_the_system_does() {
        const auto hosts = net::parse_hosts(
            "127.0.0.1\tlocalhost # no other\n\n#192.0.2.9 mail\n192.0.2.1 Mail.example.com mail\n2001:db8::1 "
            "mail\n192.0.2.1 mail\nnonsense mail\nfe80::1%lo mail\n192.0.2.2");
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), hosts.size());
        CPPUNIT_ASSERT(hosts.at("mail") ==
                       (std::vector<IpAddress>{*IpAddress::parse("192.0.2.1"), *IpAddress::parse("2001:db8::1")}));
        CPPUNIT_ASSERT(hosts.at("mail.example.com") == std::vector<IpAddress>{*IpAddress::parse("192.0.2.1")});
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ServerAddressTest);

}  // namespace
}  // namespace smtpd
