/// session_proxy_test.cc: XCLIENT gives the session another client, the server notes XFORWARD, and only trusted proxies
/// may use either.
#include "engine/server_access.h"
#include "fakes/session_under_test.h"

#include <smtpd/notes.h>

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace smtpd::engine {
namespace {

using fakes::codes;
using fakes::SessionUnderTest;

const NoteKey<int> finding{"test.finding"};

class SessionProxyTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionProxyTest);
    CPPUNIT_TEST(only_trusted_proxies_are_offered_it);
    CPPUNIT_TEST(others_are_refused);
    CPPUNIT_TEST(where_nobody_is_trusted_the_commands_are_not_implemented);
    CPPUNIT_TEST(xclient_begins_a_session_of_the_client);
    CPPUNIT_TEST(what_was_found_out_about_the_one_before_is_forgotten);
    CPPUNIT_TEST(it_may_come_again_from_the_same_proxy);
    CPPUNIT_TEST(not_in_a_transaction);
    CPPUNIT_TEST(mistakes_change_nothing);
    CPPUNIT_TEST(an_unknown_address_is_the_proxys);
    CPPUNIT_TEST(login_is_an_authentication);
    CPPUNIT_TEST(a_login_in_the_clear_gives_no_rights_behind_starttls);
    CPPUNIT_TEST(plugins_may_refuse_the_client);
    CPPUNIT_TEST(a_client_with_too_many_sessions_is_turned_away);
    CPPUNIT_TEST(what_is_pipelined_behind_it_is_the_clients);
    CPPUNIT_TEST(the_exemption_for_bare_newlines_is_the_clients);
    CPPUNIT_TEST(xforward_holds_for_one_message);
    CPPUNIT_TEST(xforward_is_forgotten_where_the_proxy_begins_anew);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        client_.settings.trusted_proxies = {*IpNetwork::parse("192.0.2.0/24")};
        client_.log.set_level(LogLevel::info);
        client_.hooks.accept_mail();
        client_.hooks.on(HookId::connect, [this](HookContext& context) {
            clients_.push_back(fakes::connection_of(context).address().to_string() + " " +
                               fakes::connection_of(context).hello_host());
            return connect_;
        });
    }

    void only_trusted_proxies_are_offered_it() {
        client_.start();
        CPPUNIT_ASSERT(
            client_.say("EHLO proxy").find("\r\n250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n") !=
            std::string::npos);
        SessionUnderTest stranger;
        stranger.settings.trusted_proxies = {*IpNetwork::parse("198.51.100.1")};
        stranger.start();
        CPPUNIT_ASSERT(stranger.say("EHLO stranger").find("XCLIENT") == std::string::npos);
    }

    void others_are_refused() {
        client_.peer.client.address = *IpAddress::parse("198.51.100.1");
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string("550 5.7.0 Only for trusted proxies\r\n"),
                             client_.say("XCLIENT ADDR=10.0.0.1"));
        CPPUNIT_ASSERT_EQUAL(std::string("550 5.7.0 Only for trusted proxies\r\n"),
                             client_.say("XFORWARD ADDR=10.0.0.1"));
        CPPUNIT_ASSERT_EQUAL(std::string("198.51.100.1"), client_.session().address().to_string());
        CPPUNIT_ASSERT(!client_.session().forwarded());
    }

    void where_nobody_is_trusted_the_commands_are_not_implemented() {
        client_.settings.trusted_proxies.clear();
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string("502"), codes(client_.say("XCLIENT ADDR=10.0.0.1")));
        CPPUNIT_ASSERT_EQUAL(std::string("502"), codes(client_.say("XFORWARD ADDR=10.0.0.1")));
    }

    void xclient_begins_a_session_of_the_client() {
        client_.start();
        client_.say("EHLO proxy");
        const std::string greeting = client_.say(
            "XCLIENT NAME=host.example ADDR=203.0.113.7 PORT=4660 HELO=hello.example DESTADDR=198.51.100.9 "
            "DESTPORT=2525");
        CPPUNIT_ASSERT_EQUAL(std::string("220 mx.example.com ESMTP mod_smtpd ready session\r\n"), greeting);
        const auto& session = client_.session();
        CPPUNIT_ASSERT_EQUAL(std::string("203.0.113.7"), session.address().to_string());
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{4660}, session.port());
        CPPUNIT_ASSERT_EQUAL(std::string("host.example"), session.host());
        CPPUNIT_ASSERT_EQUAL(std::string("198.51.100.9"), session.local().address.to_string());
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{2525}, session.local().port);
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.1"), session.introduced_by().to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.1 "), clients_.at(0));
        CPPUNIT_ASSERT_EQUAL(std::string("203.0.113.7 hello.example"), clients_.at(1));
        CPPUNIT_ASSERT_EQUAL(std::string("203.0.113.7"), client_.clients.clients.at(0).address.to_string());
        CPPUNIT_ASSERT(session.greeted() == Greeted::no);
        CPPUNIT_ASSERT_EQUAL(std::string("503"), codes(client_.say("MAIL FROM:<a@example.net>")));
        client_.say("EHLO real.example");
        CPPUNIT_ASSERT_EQUAL(std::string("real.example"), session.hello_host());
        client_.say("MAIL FROM:<a@example.net>");
        client_.say("RCPT TO:<b@example.com>");
        client_.say("DATA");
        client_.feed("Subject: x\r\n\r\n.\r\n");
        CPPUNIT_ASSERT(client_.hooks.queued.at(0).find("203.0.113.7") != std::string::npos);
        CPPUNIT_ASSERT(client_.hooks.queued.at(0).find("192.0.2.1") == std::string::npos);
    }

    void what_was_found_out_about_the_one_before_is_forgotten() {
        client_.hooks.watch(HookId::disconnect);
        client_.start();
        client_.say("EHLO proxy");
        client_.say("NONSENSE");
        auto& session = client_.session();
        session.notes().set(finding, 7);
        session.set_relay_client(true);
        session.set_whitelisted("one of ours");
        session.adjust_karma(5);
        session.complain({.plugin = "test", .verdict = Verdict::deny, .enhanced = {5, 7, 1}, .text = "no"});
        ServerAccess::results(session).add({.method = "iprev", .result = "pass"});
        client_.say("XCLIENT ADDR=203.0.113.7");
        CPPUNIT_ASSERT(session.notes().find(finding) == nullptr);
        CPPUNIT_ASSERT(!session.is_relay_client());
        CPPUNIT_ASSERT(session.whitelisted().empty());
        CPPUNIT_ASSERT_EQUAL(0, session.karma());
        CPPUNIT_ASSERT(!session.is_naughty());
        CPPUNIT_ASSERT(session.authentication_results().empty());
        CPPUNIT_ASSERT_EQUAL(0u, session.errors());
        CPPUNIT_ASSERT(session.host().empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, client_.hooks.count(HookId::disconnect));  // of the proxy's own session
        client_.say("QUIT");
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, client_.hooks.count(HookId::disconnect));
    }

    void it_may_come_again_from_the_same_proxy() {
        client_.start();
        client_.say("XCLIENT ADDR=203.0.113.7");
        CPPUNIT_ASSERT_EQUAL(std::string("220"), codes(client_.say("XCLIENT ADDR=IPV6:2001:db8::7 LOGIN=joe")));
        CPPUNIT_ASSERT_EQUAL(std::string("220"), codes(client_.say("XCLIENT NAME=x.example")));
        CPPUNIT_ASSERT_EQUAL(std::string("2001:db8::7"), client_.session().address().to_string());
        CPPUNIT_ASSERT(!client_.session().is_authenticated());
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.1"), client_.session().introduced_by().to_string());
    }

    void not_in_a_transaction() {
        client_.begin_transaction();
        for (const char* command : {"XCLIENT ADDR=203.0.113.7", "XFORWARD ADDR=203.0.113.7"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(command, std::string("503"), codes(client_.say(command)));
        client_.say("RSET");
        CPPUNIT_ASSERT_EQUAL(std::string("220"), codes(client_.say("XCLIENT ADDR=203.0.113.7")));
    }

    void mistakes_change_nothing() {
        client_.start();
        client_.say("EHLO proxy");
        for (const char* command :
             {"XCLIENT", "XCLIENT ADDR=x", "XCLIENT ADDR=203.0.113.7 WHAT=x", "XFORWARD ADDR=x", "XFORWARD LOGIN=x"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(command, std::string("501"), codes(client_.say(command)));
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.1"), client_.session().address().to_string());
        CPPUNIT_ASSERT(client_.session().greeted() == Greeted::ehlo);
        CPPUNIT_ASSERT(!client_.session().forwarded());
    }

    void an_unknown_address_is_the_proxys() {
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string("220"),
                             codes(client_.say("XCLIENT NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] PORT=[UNAVAILABLE]")));
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.1"), client_.session().address().to_string());
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{0}, client_.session().port());
    }

    void login_is_an_authentication() {
        client_.start();
        client_.say("XCLIENT ADDR=203.0.113.7 LOGIN=joe+40example.com");
        CPPUNIT_ASSERT_EQUAL(std::string("joe@example.com"), client_.session().auth_user());
        CPPUNIT_ASSERT_EQUAL(std::string("XCLIENT"), client_.session().auth_mechanism());
        CPPUNIT_ASSERT(client_.session().is_relay_client());
    }

    void a_login_in_the_clear_gives_no_rights_behind_starttls() {
        for (const bool greets : {true, false}) {
            SessionUnderTest proxy;
            proxy.settings = client_.settings;
            proxy.settings.start_tls = StartTls::on;
            proxy.start();
            proxy.say("XCLIENT ADDR=203.0.113.7 LOGIN=joe");
            if (greets) proxy.say("EHLO client.example");
            CPPUNIT_ASSERT(proxy.session().is_relay_client());
            proxy.say("STARTTLS");
            proxy.shake_hands();
            CPPUNIT_ASSERT(!proxy.session().is_authenticated() && !proxy.session().is_relay_client());
        }
    }

    void plugins_may_refuse_the_client() {
        client_.start();
        connect_ = deny("not you");
        CPPUNIT_ASSERT_EQUAL(std::string("550 5.7.1 not you\r\n"), client_.say("XCLIENT ADDR=203.0.113.7"));
        CPPUNIT_ASSERT(client_.is_closed());
    }

    void a_client_with_too_many_sessions_is_turned_away() {
        client_.start();
        client_.clients.sessions.reset();
        CPPUNIT_ASSERT_EQUAL(std::string("421"), codes(client_.say("XCLIENT ADDR=203.0.113.7")));
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, clients_.size());
    }

    void what_is_pipelined_behind_it_is_the_clients() {
        client_.hooks.wait(HookId::connect, std::chrono::seconds(1));
        client_.start();
        client_.skip_wait();
        CPPUNIT_ASSERT_EQUAL(std::string(),
                             client_.feed("XCLIENT ADDR=203.0.113.7\r\nEHLO x\r\nMAIL FROM:<a@example.net>\r\n"));
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT_EQUAL(std::string("220 250 250"), codes(client_.skip_wait()));
    }

    void the_exemption_for_bare_newlines_is_the_clients() {
        client_.settings.bare_newline_exempt = {*IpNetwork::parse("203.0.113.0/24")};
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string("500"), codes(client_.feed("NOOP x\ry\r\n")));
        client_.say("XCLIENT ADDR=203.0.113.7");
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(client_.feed("NOOP\n")));
    }

    void xforward_holds_for_one_message() {
        client_.greet();
        CPPUNIT_ASSERT_EQUAL(std::string("250"),
                             codes(client_.say("XFORWARD NAME=host.example ADDR=203.0.113.7 PORT=4660")));
        CPPUNIT_ASSERT_EQUAL(std::string("250"),
                             codes(client_.say("XFORWARD HELO=hello.example PROTO=ESMTP IDENT=4B0F8 SOURCE=LOCAL")));
        const auto& forwarded = client_.session().forwarded();
        CPPUNIT_ASSERT_EQUAL(std::string("host.example"), forwarded->name);
        CPPUNIT_ASSERT_EQUAL(std::string("203.0.113.7"), forwarded->address.to_string());
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{4660}, forwarded->port);
        CPPUNIT_ASSERT_EQUAL(std::string("hello.example"), forwarded->helo);
        CPPUNIT_ASSERT_EQUAL(std::string("ESMTP"), forwarded->protocol);
        CPPUNIT_ASSERT_EQUAL(std::string("4B0F8"), forwarded->ident);
        CPPUNIT_ASSERT(forwarded->is_local);
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.1"), client_.session().address().to_string());
        client_.say("MAIL FROM:<a@example.net>");
        CPPUNIT_ASSERT(forwarded.has_value());
        client_.say("RSET");
        CPPUNIT_ASSERT(!forwarded);
    }

    void xforward_is_forgotten_where_the_proxy_begins_anew() {
        client_.settings.start_tls = StartTls::on;
        client_.greet();
        for (const char* command : {"RSET", "EHLO proxy.example", "HELO proxy.example", "STARTTLS"}) {
            client_.say("XFORWARD NAME=host.example ADDR=203.0.113.7");
            CPPUNIT_ASSERT_MESSAGE(command, client_.session().forwarded());
            client_.say(command);
            if (client_.step == Step::start_tls) client_.shake_hands();
            CPPUNIT_ASSERT_MESSAGE(command, !client_.session().forwarded());
        }
    }

private:
    SessionUnderTest client_;
    std::vector<std::string> clients_;
    Response connect_ = declined();
};

CPPUNIT_TEST_SUITE_REGISTRATION(SessionProxyTest);

}  // namespace
}  // namespace smtpd::engine
