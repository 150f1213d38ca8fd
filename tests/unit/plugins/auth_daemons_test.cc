/// auth_daemons_test.cc: back ends with a small protocol: auth/auth_cvm_unix_local and auth/auth_vpopmaild.
#include "fakes/line_server.h"
#include "fakes/local_daemon.h"
#include "fakes/plugin_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::LocalDaemon;
using fakes::PluginUnderTest;
using namespace std::string_literals;

class AuthDaemonsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthDaemonsTest);
    CPPUNIT_TEST(the_cvms_first_octet_decides);
    CPPUNIT_TEST(the_cvm_is_told_the_domain);
    CPPUNIT_TEST(a_cvm_that_is_down_or_slow_cannot_say);
    CPPUNIT_TEST(vpopmailds_answer_decides);
    CPPUNIT_TEST(vpopmaild_gets_one_line);
    CPPUNIT_TEST(a_vpopmaild_that_is_down_or_slow_cannot_say);
    CPPUNIT_TEST(the_second_vpopmaild_takes_over);
    CPPUNIT_TEST(a_vpopmaild_that_failed_is_left_alone);
    CPPUNIT_TEST(vpopmailds_name_is_looked_up);
    CPPUNIT_TEST(wrong_options_are_named);
    CPPUNIT_TEST_SUITE_END();

    /// A daemon that answers as soon as a request ends with this text.
    static LocalDaemon::Response after(std::string end, std::string response) {
        return [end = std::move(end), response = std::move(response)](std::string_view request) {
            return request.ends_with(end) ? std::optional(response) : std::nullopt;
        };
    }
    static std::string vpopmaild(const LocalDaemon& daemon) {
        return "port=" + std::to_string(daemon.port()) + " timeout=2s";
    }

public:
    void the_cvms_first_octet_decides() {
        const std::pair<std::string, Verdict> rows[] = {{"\0facts"s, Verdict::ok},
                                                        {"d", Verdict::deny},
                                                        {"e", Verdict::denysoft},
                                                        {"\1", Verdict::denysoft},
                                                        {"", Verdict::denysoft}};
        for (const auto& [response, verdict] : rows) {
            const fakes::TempDirectory directory;
            const LocalDaemon cvm(directory.path("cvm"), after("\0\0"s, response));
            PluginUnderTest plugin("auth/auth_cvm_unix_local", "cvm_socket=" + directory.path("cvm") + " timeout=2s");
            CPPUNIT_ASSERT_MESSAGE(response, plugin.auth_plain("joe", "secret").verdict == verdict);
        }
    }

    void the_cvm_is_told_the_domain() {
        for (const auto& [user, request] : {std::pair{"joe@example.com", "\1joe\0example.com\0secret\0\0"s},
                                            {"joe", "\1joe\0localhost\0secret\0\0"s},
                                            {"a@b@c", "\1a@b\0c\0secret\0\0"s}}) {
            const fakes::TempDirectory directory;
            const LocalDaemon cvm(directory.path("cvm"), after("\0\0"s, "\0"s));
            PluginUnderTest plugin("auth/auth_cvm_unix_local", "cvm_socket=" + directory.path("cvm") + " timeout=2s");
            CPPUNIT_ASSERT(plugin.auth_plain(user, "secret").verdict == Verdict::ok);
            CPPUNIT_ASSERT_EQUAL(request, cvm.requests().at(0));
        }
    }

    void a_cvm_that_is_down_or_slow_cannot_say() {
        PluginUnderTest down("auth/auth_cvm_unix_local", "cvm_socket=/nonexistent/cvm");
        CPPUNIT_ASSERT(down.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        const fakes::TempDirectory directory;
        const LocalDaemon silent(directory.path("cvm"), after("\0\0"s, LocalDaemon::silence));
        PluginUnderTest plugin("auth/auth_cvm_unix_local", "cvm_socket=" + directory.path("cvm") + " timeout=200ms");
        CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
    }

    void vpopmailds_answer_decides() {
        const std::pair<std::string, Verdict> rows[] = {{"+OK hello\r\n+OK+\r\n", Verdict::ok},
                                                        {"+OK\r\n-ERR XXX Login failed\r\n", Verdict::declined},
                                                        {"+OK\r\nwhat?\r\n", Verdict::denysoft},
                                                        {"220 mx ESMTP\r\n+OK\r\n", Verdict::denysoft},
                                                        {"+OK\r\n", Verdict::denysoft},
                                                        {"+OK\r\n+OK", Verdict::denysoft},
                                                        {std::string(5000, '+') + "\r\n", Verdict::denysoft},
                                                        {"", Verdict::denysoft}};
        for (const auto& [response, verdict] : rows) {
            const LocalDaemon daemon(after("\n\r", response));
            PluginUnderTest plugin("auth/auth_vpopmaild", vpopmaild(daemon));
            CPPUNIT_ASSERT_MESSAGE(response.substr(0, 60),
                                   plugin.auth_plain("joe@example.com", "secret").verdict == verdict);
        }
    }

    void vpopmaild_gets_one_line() {
        const LocalDaemon daemon(after("\n\r", "+OK\r\n+OK\r\n"));
        PluginUnderTest plugin("auth/auth_vpopmaild", vpopmaild(daemon));
        for (const auto& [user, password] : {std::pair{"joe", "two words"}, {"joe doe", "secret"}})
            CPPUNIT_ASSERT(plugin.auth_plain(user, password).verdict == Verdict::declined);
        CPPUNIT_ASSERT(plugin.auth_plain("joe@example.com", "secret").verdict == Verdict::ok);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), daemon.requests().size());
        CPPUNIT_ASSERT_EQUAL("login joe@example.com secret\n\r"s, daemon.requests().at(0));
    }

    void a_vpopmaild_that_is_down_or_slow_cannot_say() {
        std::uint16_t port = 0;
        {
            const LocalDaemon daemon(after("\n\r", LocalDaemon::silence));
            port = daemon.port();
            PluginUnderTest plugin("auth/auth_vpopmaild", "port=" + std::to_string(port) + " timeout=200ms");
            CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        }
        PluginUnderTest down("auth/auth_vpopmaild", "port=" + std::to_string(port));
        CPPUNIT_ASSERT(down.auth_plain("joe", "secret").verdict == Verdict::denysoft);
    }

    void the_second_vpopmaild_takes_over() {
        const LocalDaemon odd(after("\n\r", "220 mx\r\n")), daemon(after("\n\r", "+OK\r\n+OK\r\n"));
        const fakes::LineServer silent;
        PluginUnderTest plugin("auth/auth_vpopmaild",
                               format_text("host=127.0.0.1:{} host={} host=127.0.0.1:{} host=127.0.0.1 {} timeout=2s",
                                           fakes::closed_port(), silent.name(), odd.port(), vpopmaild(daemon)));
        CPPUNIT_ASSERT_MESSAGE(plugin.log().to_string(), plugin.auth_plain("joe", "secret").verdict == Verdict::ok);
    }

    void a_vpopmaild_that_failed_is_left_alone() {
        const std::uint16_t port = fakes::closed_port();
        PluginUnderTest plugin("auth/auth_vpopmaild", format_text("port={}", port));
        for (int i = 0; i < 4; ++i) CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::denysoft);
        CPPUNIT_ASSERT_MESSAGE(plugin.log().last(),
                               plugin.log().last().starts_with(
                                   format_text("error: 127.0.0.1:{} failed and is not asked for another ", port)));
    }

    void vpopmailds_name_is_looked_up() {
        const LocalDaemon daemon(after("\n\r", "+OK\r\n+OK\r\n"));
        PluginUnderTest plugin("auth/auth_vpopmaild", "host=vpop.example.com " + vpopmaild(daemon));
        plugin.dns({"vpop.example.com A 127.0.0.1"});
        CPPUNIT_ASSERT(plugin.auth_plain("joe", "secret").verdict == Verdict::ok);
    }

    void wrong_options_are_named() {
        CPPUNIT_ASSERT(!PluginUnderTest("auth/auth_cvm_unix_local").is_usable());
        const std::string problems = PluginUnderTest("auth/auth_vpopmaild", "host=mail..example.com").problems();
        CPPUNIT_ASSERT_MESSAGE(
            problems, problems.find("this is neither a host nor an address nor a path: \"mail..example.com\"") !=
                          std::string::npos);
        for (const auto* const options :
             {"host=localhost", "host=mail.example.com", "host=127.0.0.1 host=[::1]:8989 balance=round-robin"})
            CPPUNIT_ASSERT_MESSAGE(options, PluginUnderTest("auth/auth_vpopmaild", options).is_usable());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AuthDaemonsTest);

}  // namespace
}  // namespace smtpd
