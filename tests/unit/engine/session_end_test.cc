/// session_end_test.cc: all the ways in which a session can end, and the hooks that run then.
#include "fakes/session_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <utility>

namespace smtpd::engine {
namespace {

using fakes::codes;
using fakes::repeated;
using fakes::SessionUnderTest;

constexpr auto ends = {HookId::disconnect, HookId::reset_transaction, HookId::post_connection};

void watch_ends(SessionUnderTest& client) {
    for (const auto hook : ends) client.hooks.watch(hook);
}

class SessionEndTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionEndTest);
    CPPUNIT_TEST(too_many_errors_end_the_session);
    CPPUNIT_TEST(the_end_of_input_ends_the_session);
    CPPUNIT_TEST(the_end_of_input_behind_commands_lets_them_be_answered);
    CPPUNIT_TEST(the_end_of_input_within_a_message_queues_nothing);
    CPPUNIT_TEST(a_lost_connection_ends_the_session_at_once);
    CPPUNIT_TEST(an_interruption_says_why);
    CPPUNIT_TEST(an_interruption_before_the_start_asks_no_plugin);
    CPPUNIT_TEST(stop_soon_ends_an_idle_session_at_once);
    CPPUNIT_TEST(stop_soon_lets_a_transaction_finish);
    CPPUNIT_TEST(stop_soon_waits_for_the_rest_of_a_line);
    CPPUNIT_TEST(nothing_happens_after_the_end);
    CPPUNIT_TEST(a_session_that_is_dropped_still_ends_properly);
    CPPUNIT_TEST(a_session_that_never_began_has_no_end);
    CPPUNIT_TEST(reset_transaction_fires_exactly_where_a_transaction_ends);
    CPPUNIT_TEST(the_closing_hooks_run_in_order);
    CPPUNIT_TEST_SUITE_END();

public:
    void too_many_errors_end_the_session() {
        client_.settings.max_errors = 3;
        watch_ends(client_);
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string("500 500"), codes(client_.feed("X\r\nY\r\n")));
        CPPUNIT_ASSERT_EQUAL(
            std::string("500 5.5.1 Unrecognized command\r\n421 4.7.0 Too many errors, closing connection\r\n"),
            client_.feed("Z\r\nNOOP\r\n"));
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT(
            client_.log.contains("the server ends the session: reply=\"421 Too many errors, closing connection\""));
        CPPUNIT_ASSERT_EQUAL(std::string("disconnect post-connection"), client_.hooks.order_of(ends));
    }

    void the_end_of_input_ends_the_session() {
        watch_ends(client_);
        client_.hooks.accept_mail();
        client_.begin_transaction();
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.end_of_input());
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT_EQUAL(std::string("disconnect reset_transaction post-connection"), client_.hooks.order_of(ends));
    }

    void the_end_of_input_behind_commands_lets_them_be_answered() {
        client_.settings.max_junk_commands = 100000;
        client_.start();
        auto& session = client_.session();
        CPPUNIT_ASSERT(Step::more == session.feed(repeated("NOOP\r\n", 3000)));
        CPPUNIT_ASSERT(Step::more == session.end_of_input());
        std::string output = std::exchange(session.output(), {});
        CPPUNIT_ASSERT(Step::close == session.resume());
        CPPUNIT_ASSERT_EQUAL(repeated("250 2.0.0 OK\r\n", 3000), output + session.output());
    }

    void the_end_of_input_within_a_message_queues_nothing() {
        for (const std::string text :
             {"", "Subject: x\r\n", "Subject: x\r\n\r\ntext\r\n", "text\r\n.", "text\r\n.\r", ".", "\r\n.\n"}) {
            SessionUnderTest client;
            client.hooks.accept_mail();
            watch_ends(client);
            client.begin_data();
            client.feed(text);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                text, std::string("451 4.4.2 Connection ended inside the message; nothing was accepted\r\n"),
                client.end_of_input());
            CPPUNIT_ASSERT_MESSAGE(text, client.is_closed());
            CPPUNIT_ASSERT_MESSAGE(text, client.hooks.queued.empty());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string("disconnect reset_transaction post-connection"),
                                         client.hooks.order_of(ends));
        }
    }

    void a_lost_connection_ends_the_session_at_once() {
        client_.settings.max_junk_commands = 100000;
        client_.hooks.accept_mail();
        watch_ends(client_);
        client_.hooks.watch(HookId::noop);
        client_.begin_transaction();
        CPPUNIT_ASSERT(Step::more == client_.session().feed(repeated("NOOP\r\n", 3000)));
        const auto answered = client_.hooks.count(HookId::noop);
        client_.session().output().clear();
        CPPUNIT_ASSERT(Step::close == client_.session().abandon());
        CPPUNIT_ASSERT(Step::close == client_.session().resume());
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.session().output());
        CPPUNIT_ASSERT_EQUAL(answered, client_.hooks.count(HookId::noop));
        CPPUNIT_ASSERT_EQUAL(std::string("disconnect reset_transaction post-connection"), client_.hooks.order_of(ends));
    }

    void an_interruption_says_why() {
        const struct {
            Interruption why;
            const char* status;
        } rows[] = {{Interruption::idle_timeout, "421 4.4.2 Timeout"},
                    {Interruption::session_timeout, "421 4.4.2 Session took"},
                    {Interruption::too_slow, "421 4.4.2 Data arrives"},
                    {Interruption::shutting_down, "421 4.3.2 Server is"},
                    {Interruption::overloaded, "421 4.3.2 Too many"},
                    {Interruption::too_many_sessions, "421 4.7.0 Too many"},
                    {Interruption::internal_error, "421 4.3.0 Internal error"}};
        for (const auto& row : rows) {
            SessionUnderTest client;
            client.hooks.accept_mail();
            watch_ends(client);
            client.begin_data();
            client.feed("Subject: x\r\n");
            const auto output = client.interrupt(row.why);
            CPPUNIT_ASSERT_EQUAL(std::string(row.status), output.substr(0, std::string_view(row.status).size()));
            CPPUNIT_ASSERT(client.is_closed());
            CPPUNIT_ASSERT_EQUAL(std::string("disconnect reset_transaction post-connection"),
                                 client.hooks.order_of(ends));
            CPPUNIT_ASSERT_EQUAL(std::string(), client.interrupt(row.why));
        }
    }

    void an_interruption_before_the_start_asks_no_plugin() {
        watch_ends(client_);
        CPPUNIT_ASSERT_EQUAL(std::string("421"), codes(client_.interrupt(Interruption::overloaded)));
        CPPUNIT_ASSERT(client_.is_closed());
        client_.destroy();
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.hooks.order_of(ends));
    }

    void stop_soon_ends_an_idle_session_at_once() {
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string("421 4.3.2 Server is stopping or restarting, try again\r\n"),
                             client_.stop_soon());
        CPPUNIT_ASSERT(client_.is_closed());
    }

    void stop_soon_lets_a_transaction_finish() {
        client_.hooks.accept_mail();
        client_.begin_data();
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.stop_soon());
        CPPUNIT_ASSERT(client_.step == Step::need_input);
        CPPUNIT_ASSERT_EQUAL(std::string("250 421"), codes(client_.feed("text\r\n.\r\n")));
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.queued.size());

        SessionUnderTest pipelining;
        pipelining.hooks.accept_mail();
        pipelining.begin_data();
        pipelining.stop_soon();
        CPPUNIT_ASSERT_EQUAL(std::string("250 421"),
                             codes(pipelining.feed("text\r\n.\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")));
    }

    void stop_soon_waits_for_the_rest_of_a_line() {
        client_.greet();
        client_.feed("MAIL FROM:<a@");
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.stop_soon());
        CPPUNIT_ASSERT_EQUAL(std::string("421"), codes(client_.feed("b>\r\n")));
        CPPUNIT_ASSERT(client_.is_closed());
    }

    void nothing_happens_after_the_end() {
        client_.hooks.accept_mail();
        watch_ends(client_);
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string("221"), codes(client_.feed("QUIT\r\nNOOP\r\nEHLO x\r\n")));
        CPPUNIT_ASSERT(Step::close == client_.session().feed("NOOP\r\n"));
        CPPUNIT_ASSERT(Step::close == client_.session().resume());
        CPPUNIT_ASSERT(Step::close == client_.session().end_of_input());
        CPPUNIT_ASSERT(Step::close == client_.session().interrupt(Interruption::idle_timeout));
        CPPUNIT_ASSERT(Step::close == client_.session().stop_soon());
        CPPUNIT_ASSERT(client_.session().is_over());
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.session().output());
        CPPUNIT_ASSERT_EQUAL(std::string("disconnect post-connection"), client_.hooks.order_of(ends));
    }

    void a_session_that_is_dropped_still_ends_properly() {
        watch_ends(client_);
        client_.hooks.accept_mail();
        client_.begin_data();
        client_.destroy();
        CPPUNIT_ASSERT_EQUAL(std::string("disconnect reset_transaction post-connection"), client_.hooks.order_of(ends));
        CPPUNIT_ASSERT(client_.hooks.queued.empty());
    }

    void a_session_that_never_began_has_no_end() {
        watch_ends(client_);
        client_.session();
        client_.destroy();
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.hooks.order_of(ends));
        CPPUNIT_ASSERT(client_.log.lines().empty());
    }

    void reset_transaction_fires_exactly_where_a_transaction_ends() {
        const struct {
            const char* name;
            std::string commands;
            std::size_t resets;
        } rows[] = {
            {"nothing was begun", "EHLO x\r\nRSET\r\nRSET\r\nNOOP\r\nQUIT\r\n", 0},
            {"RSET", "EHLO x\r\nMAIL FROM:<a@b>\r\nRSET\r\n", 1},
            {"RSET twice", "EHLO x\r\nMAIL FROM:<a@b>\r\nRSET\r\nRSET\r\n", 1},
            {"second EHLO", "EHLO x\r\nMAIL FROM:<a@b>\r\nEHLO x\r\n", 1},
            {"HELO after EHLO", "EHLO x\r\nMAIL FROM:<a@b>\r\nHELO x\r\n", 1},
            {"EHLO without its argument", "EHLO x\r\nMAIL FROM:<a@b>\r\nEHLO\r\n", 0},
            {"nested MAIL", "EHLO x\r\nMAIL FROM:<a@b>\r\nMAIL FROM:<c@d>\r\n", 0},
            {"MAIL with a wrong address", "EHLO x\r\nMAIL FROM:<a@>\r\n", 0},
            {"RCPT with a wrong address", "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@>\r\n", 0},
            {"DATA without recipients", "EHLO x\r\nMAIL FROM:<a@b>\r\nDATA\r\n", 0},
            {"message", "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\n", 1},
            {"two messages",
             "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\nMAIL FROM:<a@b>\r\nRCPT "
             "TO:<c@d>\r\nDATA\r\n.\r\n",
             2},
            {"bare LF", "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\ny\r\n.\r\n", 1},
            {"too large",
             "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n" + std::string(200, 'x') + "\r\n.\r\n", 1},
            {"QUIT", "EHLO x\r\nMAIL FROM:<a@b>\r\nQUIT\r\n", 1},
            {"QUIT after a message", "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\nQUIT\r\n", 1},
            {"VRFY", "EHLO x\r\nMAIL FROM:<a@b>\r\nVRFY x\r\n", 0},
            {"HTTP", "EHLO x\r\nMAIL FROM:<a@b>\r\nGET / HTTP/1.1\r\n", 1},
        };
        for (const auto& row : rows) {
            SessionUnderTest client;
            client.settings.max_message_size = 100;
            client.hooks.accept_mail();
            watch_ends(client);
            client.start();
            client.feed(row.commands);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, row.resets, client.hooks.count(HookId::reset_transaction));
        }
    }

    void the_closing_hooks_run_in_order() {
        watch_ends(client_);
        client_.hooks.accept_mail();
        bool has_transaction = false;
        client_.hooks.on(HookId::reset_transaction, [&](HookContext& context) {
            has_transaction = static_cast<SessionContext&>(context).transaction_or_null() &&
                              static_cast<SessionContext&>(context).transaction_or_null()->id() == "session-1";
            return declined();
        });
        client_.begin_transaction();
        client_.say("QUIT");
        CPPUNIT_ASSERT_EQUAL(std::string("disconnect reset_transaction post-connection"), client_.hooks.order_of(ends));
        CPPUNIT_ASSERT(has_transaction);
    }

private:
    SessionUnderTest client_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(SessionEndTest);

}  // namespace
}  // namespace smtpd::engine
