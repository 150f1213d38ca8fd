/// client_socket_test.cc: a conversation with a back end ends in time, whatever the back end does.
#include <smtpd/backend/client_socket.h>
#include <smtpd/base/format.h>

#include "fakes/local_daemon.h"
#include "fakes/temp_directory.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::LocalDaemon;

constexpr Duration enough = std::chrono::seconds(20);

/// The result for comparisons: a value, or the code of the Error and its text.
std::string outcome(const Result<std::string>& result) {
    if (result) return *result;
    return (result.error().code == ErrorCode::timeout ? "timeout: " : "unavailable: ") + result.error().what;
}

class ClientSocketTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ClientSocketTest);
    CPPUNIT_TEST(a_local_daemon_is_talked_to);
    CPPUNIT_TEST(a_daemon_on_tcp_is_talked_to);
    CPPUNIT_TEST(a_peer_that_is_not_there_is_named);
    CPPUNIT_TEST(an_end_that_comes_too_early_is_told);
    CPPUNIT_TEST(more_than_the_limit_is_refused);
    CPPUNIT_TEST(the_time_is_for_the_whole_conversation);
    CPPUNIT_TEST(a_full_queue_is_waited_for_no_longer_than_that);
    CPPUNIT_TEST(a_peer_that_does_not_read_is_waited_for_no_longer_than_that);
    CPPUNIT_TEST_SUITE_END();

    fakes::TempDirectory directory_;
    std::string path() const { return directory_.path("socket"); }

    /// A listener that never accepts.
    FileDescriptor listener(int queue) const {
        FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path().copy(address.sun_path, sizeof address.sun_path - 1);
        CPPUNIT_ASSERT_EQUAL(0, bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
        CPPUNIT_ASSERT_EQUAL(0, listen(socket.get(), queue));
        return socket;
    }

public:
    void a_local_daemon_is_talked_to() {
        LocalDaemon daemon(path(), [](std::string_view request) {
            return request == "hello" ? std::optional<std::string>("good day") : std::nullopt;
        });
        auto client = ClientSocket::connect_local(path(), enough);
        CPPUNIT_ASSERT(client);
        CPPUNIT_ASSERT(client->send("hel"));
        CPPUNIT_ASSERT(client->send("lo"));
        CPPUNIT_ASSERT_EQUAL(std::string("good"), outcome(client->receive(4)));
        CPPUNIT_ASSERT_EQUAL(std::string(" day"), outcome(client->receive_all(100)));
    }

    void a_daemon_on_tcp_is_talked_to() {
        const std::string large(300'000, 'x');
        LocalDaemon daemon([&](std::string_view request) {
            return request.size() == large.size() ? std::optional(std::string(request)) : std::nullopt;
        });
        auto client = ClientSocket::connect_tcp(*IpAddress::parse("127.0.0.1"), daemon.port(), enough);
        CPPUNIT_ASSERT(client);
        CPPUNIT_ASSERT(client->send(large));
        CPPUNIT_ASSERT(outcome(client->receive_all(large.size())) == large);
    }

    void a_peer_that_is_not_there_is_named() {
        const auto nobody = ClientSocket::connect_local(path(), enough);
        CPPUNIT_ASSERT(!nobody && nobody.error().code == ErrorCode::unavailable);
        CPPUNIT_ASSERT_EQUAL("cannot connect to " + path() + ": No such file or directory", nobody.error().what);
        const auto too_long = ClientSocket::connect_local("/" + std::string(200, 'x'), enough);
        CPPUNIT_ASSERT(!too_long && too_long.error().code == ErrorCode::unavailable);
        std::uint16_t port = 0;
        {
            const LocalDaemon gone([](std::string_view) { return std::nullopt; });
            port = gone.port();
        }
        const auto refused = ClientSocket::connect_tcp(*IpAddress::parse("127.0.0.1"), port, enough);
        CPPUNIT_ASSERT(!refused && refused.error().code == ErrorCode::unavailable);
        CPPUNIT_ASSERT_EQUAL(format_text("cannot connect to 127.0.0.1:{}: Connection refused", port),
                             refused.error().what);
    }

    void an_end_that_comes_too_early_is_told() {
        LocalDaemon daemon(path(), [](std::string_view) { return std::string("four"); });
        auto client = ClientSocket::connect_local(path(), enough);
        CPPUNIT_ASSERT(client && client->send("x"));
        CPPUNIT_ASSERT_EQUAL("unavailable: " + path() + " closed after 4 of 5 octets", outcome(client->receive(5)));
    }

    void more_than_the_limit_is_refused() {
        LocalDaemon daemon(path(), [](std::string_view) { return std::string(101, 'x'); });
        auto client = ClientSocket::connect_local(path(), enough);
        CPPUNIT_ASSERT(client && client->send("x"));
        CPPUNIT_ASSERT_EQUAL("unavailable: " + path() + " sent more than 100 octets",
                             outcome(client->receive_all(100)));
    }

    void the_time_is_for_the_whole_conversation() {
        LocalDaemon daemon(path(), [](std::string_view) { return LocalDaemon::silence; });
        auto client = ClientSocket::connect_local(path(), Duration(60));
        CPPUNIT_ASSERT(client && client->send("x"));
        CPPUNIT_ASSERT_EQUAL("timeout: " + path() + " did not answer within 60 ms", outcome(client->receive(1)));
        CPPUNIT_ASSERT_EQUAL("timeout: " + path() + " did not answer within 60 ms", outcome(client->receive_all(1)));
    }

    void a_full_queue_is_waited_for_no_longer_than_that() {
        const FileDescriptor full = listener(0);
        std::vector<ClientSocket> waiting;
        for (int i = 0; i < 10; ++i) {
            auto client = ClientSocket::connect_local(path(), Duration(60));
            if (!client) {
                CPPUNIT_ASSERT_EQUAL(path() + " did not answer within 60 ms", client.error().what);
                return;
            }
            waiting.push_back(std::move(*client));
        }
        CPPUNIT_FAIL("the queue is never full");
    }

    void a_peer_that_does_not_read_is_waited_for_no_longer_than_that() {
        const FileDescriptor idle = listener(1);
        auto client = ClientSocket::connect_local(path(), Duration(60));
        CPPUNIT_ASSERT(client);
        const auto sent = client->send(std::string(4'000'000, 'x'));
        CPPUNIT_ASSERT(!sent && sent.error().code == ErrorCode::timeout);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ClientSocketTest);

}  // namespace
}  // namespace smtpd
