/// session_tls_test.cc: STARTTLS beyond what a transcript shows: what must not follow it, what the server forgets, and
/// how handshakes fail.
#include "engine/server_access.h"
#include "fakes/session_under_test.h"

#include <smtpd/known_notes.h>

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::engine {
namespace {

using fakes::codes;
using fakes::SessionUnderTest;

const NoteKey<int> kept_note{"session_tls_test.kept"};

class SessionTlsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionTlsTest);
    CPPUNIT_TEST(it_is_announced_where_it_can_work_only);
    CPPUNIT_TEST(without_the_switch_it_is_an_unknown_command);
    CPPUNIT_TEST(a_server_that_cannot_now_says_so_and_goes_on);
    CPPUNIT_TEST(nothing_is_done_before_all_is_ready);
    CPPUNIT_TEST(octets_behind_it_end_the_session);
    CPPUNIT_TEST(octets_that_come_before_the_answer_end_the_session);
    CPPUNIT_TEST(octets_during_the_handshake_end_the_session);
    CPPUNIT_TEST(a_parked_command_does_not_hide_octets_behind_it);
    CPPUNIT_TEST(what_the_client_said_of_itself_is_forgotten);
    CPPUNIT_TEST(what_is_known_by_other_means_is_kept);
    CPPUNIT_TEST(who_authenticated_in_the_clear_has_to_do_it_again);
    CPPUNIT_TEST(the_transaction_ends_with_its_hook);
    CPPUNIT_TEST(what_was_agreed_upon_is_known_and_logged);
    CPPUNIT_TEST(outside_text_in_the_log_is_quoted);
    CPPUNIT_TEST(a_failed_handshake_ends_the_session_with_one_line);
    CPPUNIT_TEST(an_end_during_the_handshake_says_nothing_in_the_clear);
    CPPUNIT_TEST(a_stopping_server_waits_for_the_handshake);
    CPPUNIT_TEST(tls_from_the_first_octet_comes_before_the_hooks);
    CPPUNIT_TEST(a_failed_handshake_from_the_first_octet_asks_no_plugin);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        client_.settings.start_tls = StartTls::on;
        client_.log.set_level(LogLevel::info);
    }

    void it_is_announced_where_it_can_work_only() {
        struct Row {
            const char* name;
            StartTls mode;
            bool can_start, is_encrypted, announced;
        };
        const Row rows[] = {{"off", StartTls::off, true, false, false},
                            {"on", StartTls::on, true, false, true},
                            {"required", StartTls::required, true, false, true},
                            {"cannot", StartTls::on, false, false, false},
                            {"cannot, required", StartTls::required, false, false, false},
                            {"encrypted", StartTls::on, true, true, false}};
        for (const auto& row : rows) {
            SessionUnderTest client;
            client.settings.start_tls = row.mode;
            client.tls.can_start = row.can_start;
            if (row.is_encrypted) client.peer.tls_protocol = "TLSv1.3";
            client.start();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, row.announced,
                                         client.say("EHLO x").find("STARTTLS\r\n") != std::string::npos);
            client.say("HELO x");
        }
    }

    void without_the_switch_it_is_an_unknown_command() {
        client_.settings.start_tls = StartTls::off;
        client_.greet();
        CPPUNIT_ASSERT_EQUAL(std::string("502"), codes(client_.say("STARTTLS")));
        CPPUNIT_ASSERT_EQUAL(0U, client_.tls.prepared);
    }

    void a_server_that_cannot_now_says_so_and_goes_on() {
        client_.greet();
        client_.tls.answer = TlsStart::unavailable;
        CPPUNIT_ASSERT_EQUAL(std::string("454 4.7.0 TLS is not available now, try again later\r\n"),
                             client_.say("STARTTLS"));
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(client_.say("MAIL FROM:<a@b.example>")));
        client_.tls.answer = TlsStart::ready;
        CPPUNIT_ASSERT_EQUAL(std::string("220"), codes(client_.say("STARTTLS")));
    }

    void nothing_is_done_before_all_is_ready() {
        client_.greet();
        client_.say("STARTTLS x");
        client_.feed("STARTTLS");
        CPPUNIT_ASSERT_EQUAL(0U, client_.tls.prepared);
        client_.feed("\r\n");
        CPPUNIT_ASSERT_EQUAL(1U, client_.tls.prepared);
        CPPUNIT_ASSERT(client_.step == Step::start_tls);
        CPPUNIT_ASSERT(client_.session().phase() == Phase::handshake);
        CPPUNIT_ASSERT(client_.session().resume() == Step::start_tls);
    }

    void octets_behind_it_end_the_session() {
        for (const char* behind : {"EHLO x\r\n", "\r\n", "N", "\x16\x03\x01", "RSET\r\nMAIL FROM:<a@b>\r\n"}) {
            SessionUnderTest client;
            client.settings.start_tls = StartTls::on;
            client.log.set_level(LogLevel::info);
            client.greet();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                behind,
                std::string("554 5.5.1 Nothing may follow STARTTLS before the handshake, closing connection\r\n"),
                client.feed(std::string("STARTTLS\r\n") + behind));
            CPPUNIT_ASSERT(client.is_closed());
            CPPUNIT_ASSERT_EQUAL(0U, client.tls.prepared);
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.log.count("octets after STARTTLS"));
        }
    }

    void octets_that_come_before_the_answer_end_the_session() {
        client_.greet();
        client_.tls.answer = TlsStart::early_octets;
        CPPUNIT_ASSERT_EQUAL(std::string("554"), codes(client_.say("STARTTLS")));
        CPPUNIT_ASSERT(client_.is_closed());
    }

    void octets_during_the_handshake_end_the_session() {
        client_.greet();
        client_.say("STARTTLS");
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.say("EHLO x"));
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.log.count("octets after STARTTLS"));
    }

    void a_parked_command_does_not_hide_octets_behind_it() {
        client_.hooks.wait(HookId::noop, Duration(1000));
        client_.greet();
        client_.feed("NOOP\r\nSTARTTLS\r\nEHLO injected\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("250 554"), codes(client_.skip_wait()));
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT_EQUAL(std::string("client.example"), client_.session().hello_host());
    }

    void what_the_client_said_of_itself_is_forgotten() {
        client_.hooks.on(HookId::ehlo, [](HookContext& context) {
            auto& connection = fakes::connection_of(context);
            connection.adjust_karma(-3);
            connection.complain({.plugin = "helo", .verdict = Verdict::deny, .text = "a bad name"});
            connection.set_whitelisted("by its name");
            connection.notes().set(notes::helo_forward_match, true);
            connection.notes().set(notes::whitelisthelo, std::string("client.example"));
            ServerAccess::results(connection).add({.method = "iprev", .result = "pass"});
            return declined();
        });
        client_.greet();
        auto& session = client_.session();
        CPPUNIT_ASSERT(session.is_naughty() && session.karma() == -3);
        client_.say("STARTTLS");
        client_.shake_hands();
        CPPUNIT_ASSERT(session.greeted() == Greeted::no);
        CPPUNIT_ASSERT_EQUAL(std::string(), session.hello_host());
        CPPUNIT_ASSERT(!session.is_naughty());
        CPPUNIT_ASSERT_EQUAL(0, session.karma());
        CPPUNIT_ASSERT_EQUAL(std::string(), session.whitelisted());
        CPPUNIT_ASSERT(session.authentication_results().empty());
        CPPUNIT_ASSERT(!session.notes().find(notes::helo_forward_match) && !session.notes().find(notes::whitelisthelo));
        client_.say("EHLO again.example");
        CPPUNIT_ASSERT_EQUAL(-3, session.karma());
        CPPUNIT_ASSERT_EQUAL(std::string("again.example"), session.hello_host());
    }

    void what_is_known_by_other_means_is_kept() {
        client_.hooks.on(HookId::connect, [](HookContext& context) {
            auto& connection = fakes::connection_of(context);
            connection.set_relay_client(true);
            connection.adjust_karma(5);
            connection.complain({.plugin = "dnsbl", .verdict = Verdict::deny, .text = "listed"});
            connection.set_whitelisted("by its address");
            connection.notes().set(kept_note, 7);
            ServerAccess::results(connection).add({.method = "iprev", .result = "pass"});
            return declined();
        });
        client_.greet();
        client_.say("WHAT");
        client_.say("STARTTLS");
        client_.shake_hands();
        const auto& session = client_.session();
        CPPUNIT_ASSERT(session.is_relay_client());
        CPPUNIT_ASSERT_EQUAL(5, session.karma());
        CPPUNIT_ASSERT_EQUAL(std::string("dnsbl"), session.complaints().at(0).plugin);
        CPPUNIT_ASSERT_EQUAL(std::string("by its address"), session.whitelisted());
        CPPUNIT_ASSERT_EQUAL(7, *session.notes().find(kept_note));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.session().authentication_results().size());
        CPPUNIT_ASSERT_EQUAL(1U, session.errors());
        CPPUNIT_ASSERT_EQUAL(3U, session.commands());
    }

    void who_authenticated_in_the_clear_has_to_do_it_again() {
        client_.settings.auth_without_tls = true;
        client_.hooks.respond(HookId::auth, ok());
        client_.hooks.on(HookId::connect, [](HookContext& context) {
            fakes::connection_of(context).complain({.plugin = "dnsbl", .verdict = Verdict::deny, .text = "listed"});
            return declined();
        });
        client_.greet();
        CPPUNIT_ASSERT_EQUAL(std::string("235"), codes(client_.say("AUTH PLAIN AGEAYg==")));
        CPPUNIT_ASSERT(client_.session().is_relay_client() && !client_.session().is_naughty());
        client_.say("STARTTLS");
        client_.shake_hands();
        const auto& session = client_.session();
        CPPUNIT_ASSERT(!session.is_authenticated() && !session.is_relay_client() && session.is_naughty());
        CPPUNIT_ASSERT_EQUAL(std::string(), session.auth_mechanism());
        CPPUNIT_ASSERT_EQUAL(std::string("503"), codes(client_.say("AUTH PLAIN AGEAYg==")));
        client_.say("EHLO client.example");
        CPPUNIT_ASSERT_EQUAL(std::string("235"), codes(client_.say("AUTH PLAIN AGEAYg==")));
    }

    void the_transaction_ends_with_its_hook() {
        client_.hooks.accept_mail();
        client_.hooks.watch(HookId::reset_transaction);
        client_.begin_transaction();
        const auto before = client_.hooks.count(HookId::reset_transaction);
        client_.say("STARTTLS");
        client_.shake_hands();
        CPPUNIT_ASSERT_EQUAL(before + 1, client_.hooks.count(HookId::reset_transaction));
        CPPUNIT_ASSERT_EQUAL(std::string("503"), codes(client_.say("DATA")));
    }

    void what_was_agreed_upon_is_known_and_logged() {
        client_.greet();
        client_.say("STARTTLS");
        client_.shake_hands(facts());
        const Tls& tls = client_.session().tls();
        CPPUNIT_ASSERT_EQUAL(std::string("mx.example.com"), tls.server_name);
        CPPUNIT_ASSERT(client_.session().is_tls() && tls.is_resumed && tls.key_bits == 128 &&
                       tls.certificate->is_verified);
        CPPUNIT_ASSERT(*client_.session().notes().find(notes::tls_enabled));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1),
                             client_.log.count("tls protocol=TLSv1.2 cipher=ECDHE-RSA-AES128-GCM-SHA256 bits=128 "
                                               "resumed sni=\"mx.example.com\" verified "
                                               "certificate=\"CN=client.example\" issuer=\"CN=Authority\""));
    }

    void outside_text_in_the_log_is_quoted() {
        Tls tls = facts();
        tls.server_name = "a\"b\r\n[x] accepted\\";
        auto shown = std::make_shared<ClientCertificate>();
        shown->subject = std::string("CN=a\0b\n", 7);
        shown->problem = "expired\x1b";
        tls.certificate = shown;
        client_.greet();
        client_.say("STARTTLS");
        client_.shake_hands(std::move(tls));
        for (const auto& line : client_.log.lines())
            for (const char c : line.text) CPPUNIT_ASSERT_MESSAGE(line.text, c >= ' ' && c <= '~');
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.log.count(" unverified certificate="));
    }

    void a_failed_handshake_ends_the_session_with_one_line() {
        client_.hooks.watch(HookId::disconnect);
        client_.greet();
        client_.say("STARTTLS");
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.fail_handshake());
        CPPUNIT_ASSERT(client_.is_closed() && client_.session().phase() == Phase::closing);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.log.count("tls handshake failed: a reason"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.count(HookId::disconnect));
    }

    void an_end_during_the_handshake_says_nothing_in_the_clear() {
        for (unsigned i = 0; i < 3; ++i) {
            SessionUnderTest client;
            client.settings.start_tls = StartTls::on;
            client.log.set_level(LogLevel::info);
            client.greet();
            client.say("STARTTLS");
            const auto said = i == 0   ? client.interrupt(Interruption::idle_timeout)
                              : i == 1 ? client.interrupt(Interruption::shutting_down)
                                       : client.end_of_input();
            CPPUNIT_ASSERT_EQUAL(std::string(), said);
            CPPUNIT_ASSERT(client.is_closed());
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.log.count("tls handshake failed: "));
        }
    }

    void a_stopping_server_waits_for_the_handshake() {
        client_.greet();
        client_.say("STARTTLS");
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.stop_soon());
        CPPUNIT_ASSERT(client_.step == Step::start_tls);
        CPPUNIT_ASSERT_EQUAL(std::string("421"), codes(client_.shake_hands()));
        CPPUNIT_ASSERT(client_.is_closed());
    }

    void tls_from_the_first_octet_comes_before_the_hooks() {
        std::string seen;
        client_.hooks.on(HookId::pre_connection, [&](HookContext& context) {
            seen = fakes::connection_of(context).tls_protocol();
            return declined();
        });
        CPPUNIT_ASSERT(client_.session().expect_tls() == Step::start_tls);
        CPPUNIT_ASSERT_EQUAL(std::string("220"), codes(client_.shake_hands()));
        CPPUNIT_ASSERT_EQUAL(std::string("TLSv1.3"), seen);
        CPPUNIT_ASSERT_EQUAL(std::string("250 503"), codes(client_.say("EHLO x") + client_.say("STARTTLS")));
    }

    void a_failed_handshake_from_the_first_octet_asks_no_plugin() {
        for (const auto hook : {HookId::pre_connection, HookId::connect, HookId::disconnect, HookId::post_connection})
            client_.hooks.watch(hook);
        client_.session().expect_tls();
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.fail_handshake());
        CPPUNIT_ASSERT(client_.is_closed());
        for (const auto hook : {HookId::pre_connection, HookId::connect, HookId::disconnect, HookId::post_connection})
            CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.hooks.count(hook));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.log.count("tls handshake failed"));
    }

private:
    static Tls facts() {
        Tls tls{"TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", 128, true, "mx.example.com", nullptr};
        auto shown = std::make_shared<ClientCertificate>();
        shown->subject = "CN=client.example";
        shown->issuer = "CN=Authority";
        shown->is_verified = true;
        tls.certificate = std::move(shown);
        return tls;
    }

    SessionUnderTest client_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(SessionTlsTest);

}  // namespace
}  // namespace smtpd::engine
