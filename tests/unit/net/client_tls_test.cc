/// client_tls_test.cc: a conversation over TLS is with the right server only, and ends in time.
#include <smtpd/backend/client_socket.h>
#include <smtpd/base/format.h>

#include "fakes/local_daemon.h"
#include "fakes/temp_directory.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::LocalDaemon;
using namespace std::string_literals;
using Turns = LocalDaemon::Turns;

constexpr Duration enough = std::chrono::seconds(20);
constexpr const char* name = "imap.example.com";

class ClientTlsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ClientTlsTest);
    CPPUNIT_TEST(the_certificate_has_to_be_for_that_name);
    CPPUNIT_TEST(a_certificate_has_to_be_good);
    CPPUNIT_TEST(a_name_that_can_be_none_is_no_name);
    CPPUNIT_TEST(the_name_is_asked_for);
    CPPUNIT_TEST(a_certificate_may_vouch_for_itself);
    CPPUNIT_TEST(a_file_without_certificates_is_told);
    CPPUNIT_TEST(strangers_are_trusted_by_nobody);
    CPPUNIT_TEST(much_is_said_and_heard);
    CPPUNIT_TEST(tls_may_begin_later);
    CPPUNIT_TEST(what_comes_before_tls_is_no_part_of_it);
    CPPUNIT_TEST(what_is_no_tls_is_told);
    CPPUNIT_TEST(old_tls_is_refused);
    CPPUNIT_TEST(an_end_that_is_not_announced_is_told);
    CPPUNIT_TEST(the_end_is_announced);
    CPPUNIT_TEST(new_keys_are_given_and_new_handshakes_are_not);
    CPPUNIT_TEST(the_time_is_for_all_of_it);
    CPPUNIT_TEST(the_first_address_that_can_be_connected_to_is_taken);
    CPPUNIT_TEST_SUITE_END();

    fakes::TempDirectory directory_;
    fakes::Authority authority_;

    TlsTrust trust() const { return *TlsTrust::load(directory_.write("ca.pem", authority_.pem())); }
    fakes::TlsServerIdentity identity() const { return authority_.issue("DNS:imap.example.com,IP:127.0.0.1"); }
    static ClientSocket connected(const LocalDaemon& daemon, Duration time = enough) {
        auto client = ClientSocket::connect_tcp(*IpAddress::parse("127.0.0.1"), daemon.port(), time);
        CPPUNIT_ASSERT(client);
        return std::move(*client);
    }
    /// "" or the text of the Error, in which the port is "PORT".
    template <class T>
    static std::string problem(const Result<T>& result, const LocalDaemon& daemon,
                               ErrorCode code = ErrorCode::unavailable) {
        if (result) return "";
        CPPUNIT_ASSERT_MESSAGE(result.error().what, result.error().code == code);
        std::string text = result.error().what;
        const std::string peer = format_text("127.0.0.1:{}", daemon.port());
        const auto at = text.find(peer);
        return at == text.npos ? text : text.replace(at, peer.size(), "PEER");
    }
    /// The result of a handshake with a daemon that has this certificate.
    std::string handshake(const fakes::TlsServerIdentity& shown, const std::string& wanted) const {
        const LocalDaemon daemon(Turns{{"", LocalDaemon::handshake}, {"", "+"}}, shown);
        auto client = connected(daemon);
        const auto begun = client.start_tls(trust(), wanted);
        if (begun) CPPUNIT_ASSERT_EQUAL("+"s, *client.receive(1));
        return problem(begun, daemon);
    }

public:
    void the_certificate_has_to_be_for_that_name() {
        const std::string no = "PEER has no valid certificate for ";
        const std::string host_no = ": hostname mismatch", address_no = ": IP address mismatch";
        const std::tuple<const char*, std::string, std::string> rows[] = {
            {"DNS:imap.example.com", "imap.example.com", ""},
            {"DNS:imap.example.com", "IMAP.example.COM", ""},
            {"DNS:mail.example.com,DNS:imap.example.com", "imap.example.com", ""},
            {"DNS:*.example.com", "imap.example.com", ""},
            {"IP:127.0.0.1", "127.0.0.1", ""},
            {"IP:2001:db8::1", "2001:db8::1", ""},
            {"DNS:mail.example.com", "imap.example.com", no + name + host_no},
            {"DNS:example.com", "imap.example.com", no + name + host_no},
            {"DNS:*.com", "imap.example.com", no + name + host_no},
            {"DNS:im*.example.com", "imap.example.com", no + name + host_no},
            {"IP:127.0.0.1", "imap.example.com", no + name + host_no},
            {"DNS:127.0.0.1", "127.0.0.1", no + "127.0.0.1" + address_no},
            {"IP:127.0.0.2", "127.0.0.1", no + "127.0.0.1" + address_no},
            {"email:imap@example.com", "imap.example.com", no + name + host_no},
        };
        for (const auto& [names, wanted, expected] : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(format_text("{} for {}", names, wanted), expected,
                                         handshake(authority_.issue(names), wanted));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("a common name", no + name + host_no,
                                     handshake(authority_.issue("", {.common_name = name}), name));
    }

    void a_certificate_has_to_be_good() {
        const std::string names = "DNS:imap.example.com";
        const std::pair<fakes::TlsServerIdentity, const char*> rows[] = {
            {authority_.issue(names, {.from = -7200, .until = -3600}), "certificate has expired"},
            {authority_.issue(names, {.from = 3600, .until = 7200}), "certificate is not yet valid"},
            {authority_.issue(names, {.usage = "clientAuth"}), "unsuitable certificate purpose"},
            {fakes::Authority("Somebody Else").issue(names), "unable to get local issuer certificate"},
            {fakes::Authority().issue(names), "certificate signature failure"},
        };
        for (const auto& [shown, expected] : rows) {
            const std::string told = handshake(shown, name);
            CPPUNIT_ASSERT_MESSAGE(
                expected + " in "s + told,
                told.starts_with("PEER has no valid certificate for imap.example.com: ") && told.ends_with(expected));
        }
    }

    void a_name_that_can_be_none_is_no_name() {
        // To OpenSSL the first is any name, and the second any that ends in it.
        for (const auto& wanted : {""s, ".example.com"s, "imap.example.com\0.evil.example"s, "imap..example.com"s}) {
            const LocalDaemon daemon(Turns{{"", LocalDaemon::handshake}}, identity());
            auto client = connected(daemon);
            CPPUNIT_ASSERT_EQUAL("TLS with PEER cannot begin: out of memory, or \"" + wanted + "\" is not a valid name",
                                 problem(client.start_tls(trust(), wanted), daemon));
        }
    }

    void the_name_is_asked_for() {
        for (const auto& [wanted, asked] : {std::pair{"imap.example.com", "imap.example.com"}, {"127.0.0.1", ""}}) {
            const LocalDaemon daemon(Turns{{"", LocalDaemon::handshake}, {"", "+"}}, identity());
            auto client = connected(daemon);
            CPPUNIT_ASSERT(client.start_tls(trust(), wanted) && client.receive(1));
            CPPUNIT_ASSERT_MESSAGE(wanted, daemon.names() == std::vector<std::string>{asked});
        }
    }

    void a_certificate_may_vouch_for_itself() {
        const auto shown = identity();
        const auto itself = TlsTrust::load(directory_.write("itself.pem", shown.pem()));
        CPPUNIT_ASSERT(itself);
        for (const auto& [served, expected] :
             {std::pair{shown, ""},
              {identity(),
               "PEER has no valid certificate for imap.example.com: unable to get local issuer certificate"}}) {
            const LocalDaemon daemon(Turns{{"", LocalDaemon::handshake}}, served);
            CPPUNIT_ASSERT_EQUAL(std::string(expected), problem(connected(daemon).start_tls(*itself, name), daemon));
        }
    }

    void a_file_without_certificates_is_told() {
        const auto missing = TlsTrust::load(directory_.path("missing"));
        CPPUNIT_ASSERT(!missing);
        CPPUNIT_ASSERT_EQUAL(
            "cannot read certificates from " + directory_.path("missing") + ": No such file or directory",
            missing.error().what);
        const auto empty = TlsTrust::load(directory_.write("empty", "no certificate\n"));
        CPPUNIT_ASSERT(!empty);
        CPPUNIT_ASSERT_EQUAL(
            "cannot read certificates from " + directory_.path("empty") + ": no certificate or crl found",
            empty.error().what);
    }

    void strangers_are_trusted_by_nobody() {
        const auto system = TlsTrust::load("");
        CPPUNIT_ASSERT(system);
        const LocalDaemon daemon(Turns{{"", LocalDaemon::handshake}}, identity());
        const std::string told = problem(connected(daemon).start_tls(*system, name), daemon);
        CPPUNIT_ASSERT_MESSAGE(told, told.starts_with("PEER has no valid certificate for imap.example.com: "));
    }

    void much_is_said_and_heard() {
        const std::string large(300'000, 'x');
        for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
            auto shown = identity();
            shown.newest_version = version;
            const LocalDaemon daemon(
                Turns{
                    {"", LocalDaemon::handshake}, {"end", large + "line\r\n" + large}, {"", LocalDaemon::say_goodbye}},
                shown);
            auto client = connected(daemon);
            CPPUNIT_ASSERT(client.start_tls(trust(), name));
            CPPUNIT_ASSERT(client.send("") && client.send(large) && client.send("end"));
            CPPUNIT_ASSERT(*client.receive(large.size()) == large);
            CPPUNIT_ASSERT_EQUAL("line"s, *client.receive_line(100));
            CPPUNIT_ASSERT(*client.receive_all(large.size()) == large);
            CPPUNIT_ASSERT(daemon.requests().at(0) == large + "end");
        }
    }

    void tls_may_begin_later() {
        const LocalDaemon daemon(
            Turns{{"", "hello\r\n"}, {"tls\r\n", "yes\r\n"}, {"", LocalDaemon::handshake}, {"secret\r\n", "good\r\n"}},
            identity());
        auto client = connected(daemon);
        CPPUNIT_ASSERT_EQUAL("hello"s, *client.receive_line(100));
        CPPUNIT_ASSERT(client.send("tls\r\n"));
        CPPUNIT_ASSERT_EQUAL("yes"s, *client.receive_line(100));
        CPPUNIT_ASSERT(client.start_tls(trust(), name));
        ClientSocket moved = std::move(client);
        CPPUNIT_ASSERT(moved.send("secret\r\n"));
        CPPUNIT_ASSERT_EQUAL("good"s, *moved.receive_line(100));
    }

    void what_comes_before_tls_is_no_part_of_it() {
        const LocalDaemon daemon(Turns{{"", "yes\r\ngood\r\n"}, {"", LocalDaemon::handshake}}, identity());
        auto client = connected(daemon);
        CPPUNIT_ASSERT_EQUAL("yes"s, *client.receive_line(100));
        CPPUNIT_ASSERT_EQUAL("PEER sent something before TLS began"s, problem(client.start_tls(trust(), name), daemon));
        CPPUNIT_ASSERT(daemon.names().empty());
    }

    void what_is_no_tls_is_told() {
        const LocalDaemon plain(Turns{{"", "* OK ready\r\n"}});
        CPPUNIT_ASSERT_EQUAL("TLS with PEER fails: wrong version number"s,
                             problem(connected(plain).start_tls(trust(), name), plain));
        const LocalDaemon gone([](std::string_view) { return std::string(); });
        CPPUNIT_ASSERT_EQUAL("PEER closed in the middle of TLS"s,
                             problem(connected(gone).start_tls(trust(), name), gone));
    }

    void old_tls_is_refused() {
        auto old = identity();
        old.newest_version = TLS1_1_VERSION;
        const std::string told = handshake(old, name);
        CPPUNIT_ASSERT_MESSAGE(told,
                               told.starts_with("TLS with PEER fails: ") && told.find("protocol version") != told.npos);
    }

    void an_end_that_is_not_announced_is_told() {
        const LocalDaemon cut(Turns{{"", LocalDaemon::handshake}, {"x", "half"}, {"", LocalDaemon::hang_up}},
                              identity());
        auto client = connected(cut);
        CPPUNIT_ASSERT(client.start_tls(trust(), name) && client.send("x"));
        CPPUNIT_ASSERT_EQUAL("PEER closed in the middle of TLS"s, problem(client.receive_all(100), cut));

        const LocalDaemon whole(Turns{{"", LocalDaemon::handshake}, {"x", "half"}, {"", LocalDaemon::say_goodbye}},
                                identity());
        auto other = connected(whole);
        CPPUNIT_ASSERT(other.start_tls(trust(), name) && other.send("x"));
        CPPUNIT_ASSERT_EQUAL("half"s, *other.receive_all(100));
        auto third = connected(whole);
        CPPUNIT_ASSERT(third.start_tls(trust(), name) && third.send("x"));
        CPPUNIT_ASSERT_EQUAL("PEER closed after 4 of 5 octets"s, problem(third.receive(5), whole));
    }

    void the_end_is_announced() {
        const FileDescriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        CPPUNIT_ASSERT_EQUAL(0, bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size));
        CPPUNIT_ASSERT_EQUAL(0, listen(listener.get(), 1));
        CPPUNIT_ASSERT_EQUAL(0, getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size));
        for (const bool only_finishes : {false, true}) {
            std::string heard;
            bool is_announced = false;
            std::thread server([&] {
                const FileDescriptor socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
                fakes::TlsServerEnd end(identity(), socket.get(), [](int) { return true; });
                if (end.handshake())
                    while (end.receive(heard)) {}
                is_announced = end.is_ended();
            });
            {
                auto client = ClientSocket::connect_tcp(*IpAddress::parse("127.0.0.1"), ntohs(address.sin_port),
                                                        enough);
                const bool is_sent = client && client->start_tls(trust(), name) && client->send("x") &&
                                     (!only_finishes || client->finish_sending());
                if (only_finishes) server.join();
                CPPUNIT_ASSERT(is_sent);
            }
            if (!only_finishes) server.join();
            CPPUNIT_ASSERT_EQUAL("x"s, heard);
            CPPUNIT_ASSERT(is_announced);
        }
    }

    void new_keys_are_given_and_new_handshakes_are_not() {
        const Turns turns{
            {"", LocalDaemon::handshake}, {"x", LocalDaemon::new_handshake}, {"", "later"}, {"y", "last"}};
        const LocalDaemon keys(turns, identity());
        auto client = connected(keys);
        CPPUNIT_ASSERT(client.start_tls(trust(), name) && client.send("x"));
        CPPUNIT_ASSERT_EQUAL("later"s, *client.receive(5));
        CPPUNIT_ASSERT(client.send("y"));
        CPPUNIT_ASSERT_EQUAL("last"s, *client.receive(4));

        auto old = identity();
        old.newest_version = TLS1_2_VERSION;
        const LocalDaemon renegotiates(turns, old);
        auto other = connected(renegotiates);
        CPPUNIT_ASSERT(other.start_tls(trust(), name) && other.send("x"));
        (void)other.receive(5);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("one handshake, and no second one", std::size_t(1), renegotiates.names().size());
        CPPUNIT_ASSERT(renegotiates.requests().empty());
    }

    void the_time_is_for_all_of_it() {
        constexpr Duration little{300};
        const std::string late = "PEER did not answer within 300 ms";
        const LocalDaemon silent([](std::string_view) { return LocalDaemon::silence; });
        CPPUNIT_ASSERT_EQUAL_MESSAGE(
            "the handshake", late,
            problem(connected(silent, little).start_tls(trust(), name), silent, ErrorCode::timeout));

        const LocalDaemon quiet(Turns{{"", LocalDaemon::handshake}}, identity());
        auto waiting = connected(quiet, little);
        CPPUNIT_ASSERT(waiting.start_tls(trust(), name));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("reading", late, problem(waiting.receive(1), quiet, ErrorCode::timeout));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("reading a line", late,
                                     problem(waiting.receive_line(100), quiet, ErrorCode::timeout));
    }

    void the_first_address_that_can_be_connected_to_is_taken() {
        const LocalDaemon daemon(Turns{{"", "+"}});
        const IpAddress here = *IpAddress::parse("127.0.0.1"), nobody = *IpAddress::parse("127.9.9.9");
        for (const auto& addresses : {std::vector{here}, {nobody, here}, {here, nobody}}) {
            auto client = ClientSocket::connect_tcp(addresses, daemon.port(), enough);
            CPPUNIT_ASSERT(client);
            CPPUNIT_ASSERT_EQUAL("+"s, *client->receive(1));
        }
        const auto none = ClientSocket::connect_tcp({nobody, nobody}, daemon.port(), enough);
        CPPUNIT_ASSERT(!none);
        CPPUNIT_ASSERT_EQUAL(format_text("cannot connect to 127.9.9.9:{}: Connection refused", daemon.port()),
                             none.error().what);
        const auto nowhere = ClientSocket::connect_tcp(std::vector<IpAddress>(), daemon.port(), enough);
        CPPUNIT_ASSERT(!nowhere);
        CPPUNIT_ASSERT_EQUAL("there is no address to connect to"s, nowhere.error().what);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ClientTlsTest);

}  // namespace
}  // namespace smtpd
