/// session_parking_test.cc: sessions whose plugins wait for the clock or for the client's silence, while commands queue
/// up.
#include "fakes/session_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::engine {
namespace {

using fakes::codes;
using fakes::SessionUnderTest;

constexpr Duration second(1000);

class SessionParkingTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionParkingTest);
    CPPUNIT_TEST(a_delay_holds_the_greeting_back);
    CPPUNIT_TEST(a_delay_is_not_shortened_by_early_words);
    CPPUNIT_TEST(silence_ends_with_its_time);
    CPPUNIT_TEST(silence_ends_with_the_first_word);
    CPPUNIT_TEST(a_word_after_the_silence_is_not_early);
    CPPUNIT_TEST(the_longer_of_delay_and_silence_counts);
    CPPUNIT_TEST(what_was_already_there_breaks_the_silence_at_once);
    CPPUNIT_TEST(resuming_too_early_changes_nothing);
    CPPUNIT_TEST(every_stage_can_be_parked);
    CPPUNIT_TEST(a_stage_that_needs_no_wait_is_not_parked);
    CPPUNIT_TEST(pipelined_commands_wait_behind_a_parked_one);
    CPPUNIT_TEST(several_parked_commands_follow_each_other);
    CPPUNIT_TEST(message_stages_park_one_after_the_other);
    CPPUNIT_TEST(the_end_of_input_ends_the_wait);
    CPPUNIT_TEST(the_end_of_input_behind_parked_commands_answers_them);
    CPPUNIT_TEST(an_interruption_ends_a_parked_session);
    CPPUNIT_TEST(a_lost_connection_ends_a_parked_session);
    CPPUNIT_TEST(stop_soon_leaves_a_parked_session_its_answer);
    CPPUNIT_TEST(the_error_limit_holds_behind_a_wait);
    CPPUNIT_TEST(the_backlog_has_a_limit);
    CPPUNIT_TEST(handlers_cut_short_are_handed_on);
    CPPUNIT_TEST_SUITE_END();

public:
    void a_delay_holds_the_greeting_back() {
        client_.hooks.wait(HookId::connect, second);
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.start());
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT(client_.session().is_parked());
        CPPUNIT_ASSERT(client_.session().wake_at() == client_.clock.now() + second);
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.wait(Duration(999)));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.hooks.count(HookId::connect));
        CPPUNIT_ASSERT_EQUAL(std::string("220"), codes(client_.wait(Duration(1))));
        CPPUNIT_ASSERT(client_.step == Step::need_input);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.count(HookId::connect));
        CPPUNIT_ASSERT(client_.hooks.answers.at(0).waited() == second);
        CPPUNIT_ASSERT(!client_.hooks.answers.at(0).client_spoke());
    }

    void a_delay_is_not_shortened_by_early_words() {
        client_.hooks.wait(HookId::connect, second);
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.say("EHLO x"));
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT_EQUAL(std::string("220 250"), codes(client_.wait(second)));
        CPPUNIT_ASSERT(!client_.hooks.answers.at(0).client_spoke());
    }

    void silence_ends_with_its_time() {
        client_.hooks.wait(HookId::connect, Duration(0), second);
        client_.start();
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT_EQUAL(std::string("220"), codes(client_.wait(second)));
        CPPUNIT_ASSERT(!client_.hooks.answers.at(0).client_spoke());
        CPPUNIT_ASSERT(client_.hooks.answers.at(0).waited() == second);
    }

    void silence_ends_with_the_first_word() {
        client_.hooks.wait(HookId::connect, Duration(0), second);
        client_.start();
        client_.wait(Duration(300));
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.feed(""));
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT_EQUAL(std::string("220 250"), codes(client_.say("EHLO x")));
        CPPUNIT_ASSERT(client_.hooks.answers.at(0).client_spoke());
        CPPUNIT_ASSERT(client_.hooks.answers.at(0).waited() == Duration(300));
    }

    void a_word_after_the_silence_is_not_early() {
        client_.hooks.wait(HookId::connect, 2 * second, second);
        client_.start();
        client_.wait(second);
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.say("EHLO x"));
        CPPUNIT_ASSERT_EQUAL(std::string("220 250"), codes(client_.wait(second)));
        CPPUNIT_ASSERT(!client_.hooks.answers.at(0).client_spoke());
    }

    void the_longer_of_delay_and_silence_counts() {
        client_.hooks.wait(HookId::connect, second, 3 * second);
        client_.start();
        CPPUNIT_ASSERT(client_.session().wake_at() == client_.clock.now() + 3 * second);
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.say("EHLO x"));
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT(client_.session().wake_at() == client_.clock.now() + second);
        CPPUNIT_ASSERT_EQUAL(std::string("220 250"), codes(client_.wait(second)));
        CPPUNIT_ASSERT(client_.hooks.answers.at(0).client_spoke());
    }

    void what_was_already_there_breaks_the_silence_at_once() {
        client_.hooks.accept_mail();
        client_.hooks.wait(HookId::data, Duration(0), second);
        client_.begin_transaction();
        CPPUNIT_ASSERT_EQUAL(std::string("354 250"), codes(client_.feed("DATA\r\ntext\r\n.\r\n")));
        CPPUNIT_ASSERT(client_.hooks.answers.at(client_.hooks.calls.size() - 2).client_spoke());
    }

    void resuming_too_early_changes_nothing() {
        client_.hooks.wait(HookId::connect, second);
        client_.start();
        for (int i = 0; i < 3; ++i) CPPUNIT_ASSERT(Step::park == client_.session().resume());
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.session().output());
        CPPUNIT_ASSERT_EQUAL(std::string("220"), codes(client_.wait(second)));
    }

    void every_stage_can_be_parked() {
        const struct {
            HookId hook;
            const char* before;
            const char* trigger;
            const char* reply;
        } rows[] = {
            {HookId::helo, "", "HELO x\r\n", "250"},
            {HookId::ehlo, "", "EHLO x\r\n", "250"},
            {HookId::auth_plain, "EHLO x\r\n", "AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n", "535"},
            {HookId::auth_login, "EHLO x\r\nAUTH LOGIN am9l\r\n", "c2VjcmV0\r\n", "535"},
            {HookId::auth_cram_md5, "EHLO x\r\nAUTH CRAM-MD5\r\n",
             "am9lIDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm\r\n", "535"},
            {HookId::auth_scram_sha_1, "EHLO x\r\n", "AUTH SCRAM-SHA-1 biwsbj1qb2Uscj1yYW5kb20=\r\n", "334"},
            {HookId::auth_scram_sha_256, "EHLO x\r\n", "AUTH SCRAM-SHA-256 biwsbj1qb2Uscj1yYW5kb20=\r\n", "334"},
            {HookId::auth_external, "EHLO x\r\n", "AUTH EXTERNAL am9l\r\n", "535"},
            {HookId::auth_bearer, "EHLO x\r\n", "AUTH XOAUTH2 dXNlcj1qb2UBYXV0aD1CZWFyZXIgdG9rZW4BAQ==\r\n", "334"},
            {HookId::auth, "EHLO x\r\n", "AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n", "535"},
            {HookId::mail, "EHLO x\r\n", "MAIL FROM:<a@b>\r\n", "250"},
            {HookId::rcpt, "EHLO x\r\nMAIL FROM:<a@b>\r\n", "RCPT TO:<c@d>\r\n", "250"},
            {HookId::data, "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n", "DATA\r\n", "354"},
            {HookId::data_post_headers, "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", ".\r\n", "250"},
            {HookId::data_post, "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", ".\r\n", "250"},
            {HookId::queue_pre, "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", ".\r\n", "250"},
            {HookId::queue, "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", ".\r\n", "250"},
            {HookId::vrfy, "", "VRFY x\r\n", "252"},
            {HookId::noop, "", "NOOP\r\n", "250"},
            {HookId::help, "", "HELP me\r\n", "214"},
            {HookId::unrecognized_command, "", "X y\r\n", "500"},
            {HookId::quit, "", "QUIT\r\n", "221"},
        };
        for (const auto& row : rows) {
            SessionUnderTest client;
            client.hooks.accept_mail();
            for (const auto& mechanism : auth_mechanisms) client.settings.auth_mechanisms.add(mechanism);
            client.hooks.wait(row.hook, second);
            client.start_encrypted(fakes::tls_facts_with_certificate());
            client.feed(row.before);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.trigger, std::string(), client.feed(row.trigger));
            CPPUNIT_ASSERT_MESSAGE(row.trigger, client.is_parked());
            CPPUNIT_ASSERT_MESSAGE(row.trigger, client.session().phase() == Phase::waiting);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.trigger, std::string(row.reply), codes(client.wait(second)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.trigger, std::size_t(1), client.hooks.count(row.hook));
            CPPUNIT_ASSERT_MESSAGE(row.trigger,
                                   client.step == (row.hook == HookId::quit ? Step::close : Step::need_input));
        }
    }

    void a_stage_that_needs_no_wait_is_not_parked() {
        client_.hooks.wait(HookId::connect, Duration(0));
        CPPUNIT_ASSERT_EQUAL(std::string("220"), codes(client_.start()));
        CPPUNIT_ASSERT(!client_.is_parked());
    }

    void pipelined_commands_wait_behind_a_parked_one() {
        client_.hooks.accept_mail();
        client_.hooks.wait(HookId::mail, second);
        client_.greet();
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(client_.feed("NOOP\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDA")));
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.hooks.count(HookId::rcpt));
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.feed("TA\r\ntext\r\n.\r"));
        CPPUNIT_ASSERT_EQUAL(std::string("250 250 354"), codes(client_.wait(second)));
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(client_.feed("\n")));
        CPPUNIT_ASSERT(client_.hooks.queued.at(0).find("\r\n\r\ntext\r\n") != std::string::npos);
    }

    void several_parked_commands_follow_each_other() {
        client_.hooks.wait(HookId::noop, second);
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.feed("NOOP\r\nNOOP\r\nHELP\r\nNOOP\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(client_.wait(second)));
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT_EQUAL(std::string("250 214"), codes(client_.wait(second)));
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(client_.wait(second)));
        CPPUNIT_ASSERT(client_.step == Step::need_input);
    }

    void message_stages_park_one_after_the_other() {
        client_.hooks.accept_mail();
        for (const auto hook : {HookId::data_post_headers, HookId::data_post, HookId::queue_pre, HookId::queue})
            client_.hooks.wait(hook, second);
        client_.begin_data();
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.feed("text\r\n.\r\nNOOP\r\n"));
        for (int i = 0; i < 3; ++i) {
            CPPUNIT_ASSERT(client_.is_parked());
            CPPUNIT_ASSERT_EQUAL(std::string(), client_.wait(second));
        }
        CPPUNIT_ASSERT_EQUAL(std::string("250 250"), codes(client_.wait(second)));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.queued.size());
    }

    void the_end_of_input_ends_the_wait() {
        client_.hooks.watch(HookId::disconnect);
        client_.hooks.wait(HookId::connect, Duration(0), second);
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string("220"), codes(client_.end_of_input()));
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT(!client_.hooks.answers.at(0).client_spoke());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.count(HookId::disconnect));
    }

    void the_end_of_input_behind_parked_commands_answers_them() {
        client_.hooks.accept_mail();
        client_.hooks.wait(HookId::mail, second);
        client_.hooks.wait(HookId::queue, second);
        client_.hooks.wait(HookId::noop, Duration(0), second);
        client_.greet();
        client_.feed("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\ntext\r\n.\r\nNOOP\r\nNOOP\r\nQUIT\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("250 250 354 250 250 250 221"), codes(client_.end_of_input()));
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.queued.size());
    }

    void an_interruption_ends_a_parked_session() {
        client_.hooks.accept_mail();
        client_.hooks.wait(HookId::queue, second);
        client_.hooks.watch(HookId::reset_transaction);
        client_.begin_data();
        client_.feed("text\r\n.\r\nNOOP\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("421"), codes(client_.interrupt(Interruption::shutting_down)));
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT(!client_.session().is_parked());
        CPPUNIT_ASSERT(client_.hooks.queued.empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.count(HookId::reset_transaction));
        CPPUNIT_ASSERT(Step::close == client_.session().resume());
    }

    void a_lost_connection_ends_a_parked_session() {
        client_.hooks.accept_mail();
        client_.hooks.wait(HookId::queue, second);
        client_.begin_data();
        client_.feed("text\r\n.\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.abandon());
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT(client_.hooks.queued.empty());
    }

    void stop_soon_leaves_a_parked_session_its_answer() {
        client_.hooks.accept_mail();
        client_.hooks.wait(HookId::queue, second);
        client_.begin_data();
        client_.feed("text\r\n.\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.stop_soon());
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT_EQUAL(std::string("250 421"), codes(client_.wait(second)));
        CPPUNIT_ASSERT(client_.is_closed());
    }

    void the_error_limit_holds_behind_a_wait() {
        client_.settings.max_errors = 2;
        client_.hooks.wait(HookId::unrecognized_command, second);
        client_.start();
        client_.feed("X\r\nX\r\nNOOP\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("500"), codes(client_.wait(second)));
        CPPUNIT_ASSERT_EQUAL(std::string("500 421"), codes(client_.wait(second)));
        CPPUNIT_ASSERT(client_.is_closed());
    }

    void the_backlog_has_a_limit() {
        client_.settings.max_input_backlog = 1000;
        client_.hooks.wait(HookId::connect, second);
        client_.start();
        client_.feed(std::string(999, 'x'));
        CPPUNIT_ASSERT(!client_.session().backlog_is_full());
        client_.feed("x");
        CPPUNIT_ASSERT(client_.session().backlog_is_full());
        client_.wait(second);
        CPPUNIT_ASSERT(!client_.session().backlog_is_full());
    }

    void handlers_cut_short_are_handed_on() {
        struct Runner final : HookRunner {
            bool has(HookId hook) const noexcept override { return hook == HookId::connect || hook == HookId::ehlo; }
            bool asks(HookId hook) const noexcept override { return has(hook); }
            void ask(HookContext& context, Wait& wait) noexcept override {
                if (context.hook == HookId::connect) wait.delay = second;
                wait.cut_short = context.hook == HookId::connect ? std::vector<std::uint16_t>{3, 5}
                                                                 : std::vector<std::uint16_t>{7};
            }
            Response run(HookContext&, ChainState& state) noexcept override {
                seen.push_back(state.wait.cut_short);
                return {};
            }
            std::vector<std::string> control_lines(std::string_view) noexcept override { return {}; }
            std::vector<std::vector<std::uint16_t>> seen;
        } runner;
        Session session(client_.settings, runner, client_.clock, client_.log, client_.peer);
        CPPUNIT_ASSERT(Step::park == session.start());
        client_.clock.advance(second);
        CPPUNIT_ASSERT(Step::need_input == session.resume());
        CPPUNIT_ASSERT(Step::need_input == session.feed("EHLO x\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), runner.seen.size());
        CPPUNIT_ASSERT(runner.seen[0] == std::vector<std::uint16_t>({3, 5}));
        CPPUNIT_ASSERT(runner.seen[1] == std::vector<std::uint16_t>({7}));
    }

private:
    SessionUnderTest client_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(SessionParkingTest);

}  // namespace
}  // namespace smtpd::engine
