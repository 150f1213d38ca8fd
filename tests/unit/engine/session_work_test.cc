/// session_work_test.cc: the work that a session leaves to threads that may wait: Step::work.
#include "fakes/session_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::engine {
namespace {

using fakes::codes;
using fakes::SessionUnderTest;
using std::string;

}  // namespace

class SessionWorkTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionWorkTest);
    CPPUNIT_TEST(a_chain_that_waits_is_work);
    CPPUNIT_TEST(without_workers_everything_is_done_at_once);
    CPPUNIT_TEST(what_comes_meanwhile_is_kept);
    CPPUNIT_TEST(a_chain_that_asks_first_is_work_afterwards);
    CPPUNIT_TEST(a_chain_without_a_place_in_time_is_given_up);
    CPPUNIT_TEST(what_has_no_deadline_is_not_given_up);
    CPPUNIT_TEST(a_new_connection);
    CPPUNIT_TEST(a_command_whose_own_hooks_wait);
    CPPUNIT_TEST(the_end_of_a_transaction);
    CPPUNIT_TEST(the_end_of_a_message);
    CPPUNIT_TEST(the_end_of_a_message_in_chunks);
    CPPUNIT_TEST(the_header_of_a_message);
    CPPUNIT_TEST(the_end_of_a_session);
    CPPUNIT_TEST(the_end_of_a_connection);
    CPPUNIT_TEST(a_line_of_auth);
    CPPUNIT_TEST(the_beginning_of_tls_in_a_transaction);
    CPPUNIT_TEST(an_interruption_takes_the_place_of_work);
    CPPUNIT_TEST(a_session_that_is_destroyed_does_its_work);
    CPPUNIT_TEST(any_hook_waits_where_settings_do);
    CPPUNIT_TEST(work_for_a_free_back_end_is_done_at_once);
    CPPUNIT_TEST(work_for_a_back_end_at_which_others_are_is_left);
    CPPUNIT_TEST(a_back_end_is_held_for_its_handlers_only);
    CPPUNIT_TEST(what_follows_at_once_is_done_likewise);
    CPPUNIT_TEST(what_waits_elsewhere_too_is_left);
    CPPUNIT_TEST(a_chain_goes_on_to_where_it_waits_elsewhere);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        client_.has_workers = true;
        client_.hooks.accept_mail();
    }

    void a_chain_that_waits_is_work() {
        client_.hooks.let_wait(HookId::queue);
        client_.begin_data();
        CPPUNIT_ASSERT_EQUAL(string(), client_.feed("Subject: x\r\n\r\nbody\r\n.\r\n"));
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.hooks.queued.size());
        CPPUNIT_ASSERT(&client_.session().work_lane() == &client_.hooks.lane_of_all);
        CPPUNIT_ASSERT(client_.session().work_deadline() == client_.clock.now() + std::chrono::minutes(1));
        CPPUNIT_ASSERT(Phase::waiting == client_.session().phase());
        CPPUNIT_ASSERT(!client_.session().is_parked());
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.work()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.queued.size());
        CPPUNIT_ASSERT(Step::need_input == client_.step);
    }

    void without_workers_everything_is_done_at_once() {
        client_.has_workers = false;
        for (const auto hook :
             {HookId::queue, HookId::reset_transaction, HookId::disconnect, HookId::pre_connection, HookId::mail_parse})
            client_.hooks.let_wait(hook);
        client_.begin_data();
        CPPUNIT_ASSERT_EQUAL(string("250 221"), codes(client_.feed("Subject: x\r\n\r\nbody\r\n.\r\nQUIT\r\n")));
        CPPUNIT_ASSERT(client_.is_closed());
    }

    void what_comes_meanwhile_is_kept() {
        client_.hooks.let_wait(HookId::mail);
        client_.greet();
        client_.say("MAIL FROM:<a@client.example>");
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT_EQUAL(string(), client_.say("RCPT TO:<user@example.com>"));
        CPPUNIT_ASSERT_EQUAL(string(), client_.say("DATA"));
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT_EQUAL(string("250 250 354"), codes(client_.work()));
    }

    void a_chain_that_asks_first_is_work_afterwards() {
        client_.hooks.look_up(HookId::rcpt, {{"a.example"}});
        client_.hooks.let_wait(HookId::rcpt);
        client_.begin_transaction();
        CPPUNIT_ASSERT(client_.is_parked());
        client_.names.add({"a.example A 192.0.2.1"});
        CPPUNIT_ASSERT_EQUAL(string(), client_.answers_come());
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.work()));
        CPPUNIT_ASSERT(client_.hooks.answers.back().a("a.example").found());
    }

    void a_chain_without_a_place_in_time_is_given_up() {
        client_.hooks.let_wait(HookId::rcpt);
        client_.begin_transaction();
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT_EQUAL(string("450"), codes(client_.give_up_work()));
        CPPUNIT_ASSERT(client_.hooks.late == std::vector<HookId>{HookId::rcpt});
        CPPUNIT_ASSERT(Step::need_input == client_.step);
        client_.say("RCPT TO:<user@example.com>");
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.work()));
    }

    void what_has_no_deadline_is_not_given_up() {
        client_.hooks.let_wait(HookId::disconnect);
        client_.greet();
        CPPUNIT_ASSERT_EQUAL(string("221"), codes(client_.say("QUIT")));
        CPPUNIT_ASSERT(client_.session().work_deadline() == MonotonicTime::max());
        CPPUNIT_ASSERT_EQUAL(string(), client_.give_up_work());
        CPPUNIT_ASSERT(client_.has_work());
    }

    void a_new_connection() {
        client_.hooks.let_wait(HookId::pre_connection);
        CPPUNIT_ASSERT_EQUAL(string(), client_.start());
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.hooks.count(HookId::pre_connection));
        CPPUNIT_ASSERT_EQUAL(string("220"), codes(client_.work()));
    }

    void a_command_whose_own_hooks_wait() {
        const struct {
            HookId hook;
            const char* command;
            const char* reply;
        } rows[] = {{HookId::ehlo_parse, "EHLO again.example", "250"},
                    {HookId::helo_parse, "HELO again.example", "250"},
                    {HookId::mail_parse, "MAIL FROM:<a@client.example>", "250"},
                    {HookId::mail_pre, "MAIL FROM:<a@client.example>", "250"}};
        for (const auto& row : rows) {
            SessionUnderTest client;
            client.has_workers = true;
            client.greet();
            client.hooks.let_wait(row.hook);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.command, string("250"), codes(client.say("NOOP")));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.command, string(), client.say(row.command));
            CPPUNIT_ASSERT_MESSAGE(row.command, client.has_work());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.command, std::size_t(0), client.hooks.count(row.hook));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.command, string(row.reply), codes(client.work()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.command, std::size_t(1), client.hooks.count(row.hook));
        }
    }

    void the_end_of_a_transaction() {
        client_.hooks.let_wait(HookId::reset_transaction);
        client_.greet();
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.say("RSET")));  // there is none
        for (const char* command : {"RSET", "EHLO again.example", "HELO again.example"}) {
            client_.say("MAIL FROM:<sender@client.example>");
            if (client_.has_work()) client_.work();
            const auto before = client_.hooks.count(HookId::reset_transaction);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(command, string(), client_.say(command));
            CPPUNIT_ASSERT_MESSAGE(command, client_.has_work());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(command, string("250"), codes(client_.work()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(command, before + 1, client_.hooks.count(HookId::reset_transaction));
        }
    }

    void the_end_of_a_message() {
        client_.hooks.let_wait(HookId::reset_transaction);
        client_.greet();
        client_.say("MAIL FROM:<sender@client.example>");
        if (client_.has_work()) client_.work();
        client_.say("RCPT TO:<user@example.com>");
        client_.say("DATA");
        if (client_.has_work()) client_.work();
        CPPUNIT_ASSERT_EQUAL(string(), client_.feed("Subject: x\r\n\r\nbody\r\n.\r\nNOOP\r\n"));
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT_EQUAL(string("250 250"), codes(client_.work()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.queued.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.count(HookId::reset_transaction));
    }

    void the_end_of_a_message_in_chunks() {
        client_.hooks.let_wait(HookId::queue_post);
        client_.begin_transaction();
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.feed("BDAT 14\r\nSubject: x\r\n\r\n")));
        CPPUNIT_ASSERT_EQUAL(string(), client_.feed("BDAT 6 LAST\r\nbody\r\nNOOP\r\n"));
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT_EQUAL(string("250 250"), codes(client_.work()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.queued.size());
    }

    void the_header_of_a_message() {
        client_.hooks.let_wait(HookId::data_headers_end);
        client_.begin_data();
        CPPUNIT_ASSERT_EQUAL(string(), client_.feed("Subject: x\r\n\r\nbody\r\n"));
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT_EQUAL(string(), client_.work());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.count(HookId::data_headers_end));
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.feed("more\r\n.\r\n")));
    }

    void the_end_of_a_session() {
        client_.hooks.let_wait(HookId::disconnect);
        client_.hooks.watch(HookId::post_connection);
        client_.greet();
        CPPUNIT_ASSERT_EQUAL(string("221"), codes(client_.say("QUIT")));
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT(!client_.session().is_over());
        CPPUNIT_ASSERT(Phase::closing == client_.session().phase());
        CPPUNIT_ASSERT_EQUAL(string(), client_.say("NOOP"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.hooks.count(HookId::disconnect));
        CPPUNIT_ASSERT_EQUAL(string(), client_.work());
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT(client_.session().is_over());
        CPPUNIT_ASSERT_EQUAL(string("disconnect post-connection"),
                             client_.hooks.order_of({HookId::disconnect, HookId::post_connection}));
    }

    void the_end_of_a_connection() {
        client_.hooks.let_wait(HookId::reset_transaction);
        client_.greet();
        client_.say("MAIL FROM:<sender@client.example>");
        if (client_.has_work()) client_.work();
        client_.abandon();
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT_EQUAL(string(), client_.work());
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.count(HookId::reset_transaction));
    }

    void a_line_of_auth() {
        client_.settings.auth_without_tls = true;
        client_.hooks.respond(HookId::auth_plain, deny("no"));
        client_.hooks.let_wait(HookId::auth_result);
        client_.greet();
        CPPUNIT_ASSERT_EQUAL(string(), client_.say("AUTH PLAIN"));
        CPPUNIT_ASSERT_EQUAL(string("334"), codes(client_.work()));
        CPPUNIT_ASSERT_EQUAL(string(), client_.say("AHVzZXIAc2VjcmV0"));
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT_EQUAL(string("535"), codes(client_.work()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.count(HookId::auth_result));
    }

    void the_beginning_of_tls_in_a_transaction() {
        client_.settings.start_tls = StartTls::on;
        client_.hooks.let_wait(HookId::reset_transaction);
        client_.greet();
        client_.say("MAIL FROM:<sender@client.example>");
        if (client_.has_work()) client_.work();
        client_.say("STARTTLS");
        if (client_.has_work()) CPPUNIT_ASSERT_EQUAL(string("220"), codes(client_.work()));
        CPPUNIT_ASSERT_EQUAL(string(), client_.shake_hands());
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT_EQUAL(string(), client_.work());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.count(HookId::reset_transaction));
        CPPUNIT_ASSERT_EQUAL(string("503"), codes(client_.say("RCPT TO:<user@example.com>")));
    }

    void an_interruption_takes_the_place_of_work() {
        client_.hooks.let_wait(HookId::rcpt);
        client_.begin_transaction();
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT_EQUAL(string("421"), codes(client_.interrupt(Interruption::session_timeout)));
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.hooks.count(HookId::rcpt));
    }

    void a_session_that_is_destroyed_does_its_work() {
        client_.hooks.let_wait(HookId::disconnect);
        client_.greet();
        client_.destroy();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.count(HookId::disconnect));
    }

    void any_hook_waits_where_settings_do() {
        client_.hooks.let_wait(HookId::config);
        client_.greet();
        if (client_.has_work()) client_.work();
        client_.hooks.calls.clear();
        for (const char* command : {"NOOP", "MAIL FROM:<a@client.example>"}) {
            client_.say(command);
            CPPUNIT_ASSERT_MESSAGE(command, client_.has_work());
            client_.work();
        }
    }

    void work_for_a_free_back_end_is_done_at_once() {
        auto& lane = client_.hooks.lane_of_all;
        for (const auto hook :
             {HookId::pre_connection, HookId::mail_parse, HookId::rcpt, HookId::queue, HookId::disconnect}) {
            client_.hooks.let_wait(hook);
            const auto handler = hook == HookId::rcpt ? smtpd::ok() : declined();
            if (hook != HookId::queue)
                client_.hooks.on(hook, [&lane, handler](HookContext&) {
                    CPPUNIT_ASSERT(lane.is_held);
                    return handler;
                });
        }
        const auto say = [&](const string& line) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(line, string(), line.empty() ? client_.start() : client_.say(line));
            CPPUNIT_ASSERT_MESSAGE(line, client_.has_work());
            const string replies = client_.try_work();
            CPPUNIT_ASSERT_MESSAGE(line, !client_.has_work() && !lane.is_held);
            return codes(replies);
        };
        CPPUNIT_ASSERT_EQUAL(string("220"), say(""));
        client_.say("EHLO client.example");
        CPPUNIT_ASSERT_EQUAL(string("250"), say("MAIL FROM:<a@client.example>"));
        CPPUNIT_ASSERT_EQUAL(string("250"), say("RCPT TO:<user@example.com>"));
        client_.say("DATA");
        CPPUNIT_ASSERT_EQUAL(string("250"), say("Subject: x\r\n\r\nbody\r\n."));
        CPPUNIT_ASSERT_EQUAL(string("221"), codes(client_.say("QUIT")));
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT_EQUAL(string(), client_.try_work());
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT_EQUAL(5U, lane.holds);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.queued.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.count(HookId::disconnect));
    }

    void work_for_a_back_end_at_which_others_are_is_left() {
        client_.hooks.lane_of_all.is_free = false;
        client_.hooks.let_wait(HookId::rcpt);
        client_.begin_transaction();
        CPPUNIT_ASSERT_EQUAL(string(), client_.try_work());
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT(!client_.session().try_work());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.hooks.count(HookId::rcpt));
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.work()));
        CPPUNIT_ASSERT_EQUAL(0U, client_.hooks.lane_of_all.holds);
    }

    void a_back_end_is_held_for_its_handlers_only() {
        auto& lane = client_.hooks.lane_of_all;
        client_.hooks.let_wait(HookId::pre_connection);
        client_.hooks.on(HookId::connect, [&](HookContext&) { return CPPUNIT_ASSERT(!lane.is_held), declined(); });
        client_.start();
        CPPUNIT_ASSERT_EQUAL(string("220"), codes(client_.try_work()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.count(HookId::connect));
        client_.hooks.let_wait(HookId::queue);
        client_.hooks.on(HookId::reset_transaction,
                         [&](HookContext&) { return CPPUNIT_ASSERT(!lane.is_held), declined(); });
        client_.say("EHLO client.example");
        client_.say("MAIL FROM:<sender@client.example>");
        client_.say("RCPT TO:<user@example.com>");
        client_.say("DATA");
        client_.feed("Subject: x\r\n\r\nbody\r\n.\r\n");
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.try_work()));
        client_.hooks.let_wait(HookId::reset_transaction);  // it may follow the chain, whatever comes of that
        client_.hooks.on(HookId::reset_transaction,
                         [&](HookContext&) { return CPPUNIT_ASSERT(lane.is_held), declined(); });
        client_.say("MAIL FROM:<sender@client.example>");
        client_.try_work();
        client_.say("RCPT TO:<user@example.com>");
        client_.say("DATA");
        if (client_.has_work()) client_.try_work();
        client_.feed("Subject: x\r\n\r\nbody\r\n.\r\n");
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.try_work()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), client_.hooks.count(HookId::reset_transaction));
        CPPUNIT_ASSERT(!lane.is_held);
    }

    void what_follows_at_once_is_done_likewise() {
        client_.hooks.let_wait(HookId::rcpt);
        client_.greet();
        client_.say("MAIL FROM:<sender@client.example>");
        CPPUNIT_ASSERT_EQUAL(
            string(),
            client_.feed(
                "RCPT TO:<user@example.com>\r\nRCPT TO:<b@example.com>\r\nRCPT TO:<c@example.com>\r\nNOOP\r\n"));
        CPPUNIT_ASSERT_EQUAL(string("250 250 250 250"), codes(client_.try_work()));
        CPPUNIT_ASSERT_EQUAL(3U, client_.hooks.lane_of_all.holds);
    }

    /// None of it begins, because it could not stop in the middle.
    void what_waits_elsewhere_too_is_left() {
        client_.hooks.let_wait(HookId::disconnect);
        client_.hooks.let_wait(HookId::post_connection);
        client_.hooks.elsewhere = HookSet{HookId::post_connection};
        client_.greet();
        client_.say("QUIT");
        CPPUNIT_ASSERT_EQUAL(string(), client_.try_work());
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.hooks.count(HookId::disconnect));
        client_.work();
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.count(HookId::post_connection));
    }

    void a_chain_goes_on_to_where_it_waits_elsewhere() {
        client_.hooks.let_wait(HookId::mail);
        client_.hooks.let_wait(HookId::rcpt);
        client_.hooks.elsewhere = HookSet{HookId::rcpt};
        client_.greet();
        client_.feed("MAIL FROM:<sender@client.example>\r\nRCPT TO:<user@example.com>\r\n");
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.try_work()));
        CPPUNIT_ASSERT(client_.has_work());
        CPPUNIT_ASSERT(&client_.session().work_lane() == &client_.hooks.other_lane);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.hooks.count(HookId::rcpt));
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.work()));
    }

private:
    SessionUnderTest client_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(SessionWorkTest);

}  // namespace smtpd::engine
