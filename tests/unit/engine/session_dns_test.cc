/// session_dns_test.cc: sessions whose plugins ask the DNS: parked until the answers arrive, or not at all.
#include "fakes/session_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::engine {
namespace {

using fakes::codes;
using fakes::SessionUnderTest;
using std::string;

constexpr Duration second(1000);

class SessionDnsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionDnsTest);
    CPPUNIT_TEST(a_stage_waits_for_its_answers);
    CPPUNIT_TEST(answers_at_hand_do_not_park);
    CPPUNIT_TEST(a_stage_waits_for_the_last_answer);
    CPPUNIT_TEST(handlers_are_asked_again_until_they_ask_nothing_new);
    CPPUNIT_TEST(parts_of_the_questions_are_waited_for_by_themselves);
    CPPUNIT_TEST(rounds_with_answers_at_hand_do_not_park);
    CPPUNIT_TEST(each_stage_has_answers_of_its_own);
    CPPUNIT_TEST(what_is_not_answered_in_time_has_timed_out);
    CPPUNIT_TEST(each_question_has_its_own_limit);
    CPPUNIT_TEST(a_round_that_begins_too_late_is_not_asked);
    CPPUNIT_TEST(answers_and_the_clock_are_both_waited_for);
    CPPUNIT_TEST(silence_is_kept_while_answers_come);
    CPPUNIT_TEST(pipelined_commands_wait_behind_the_answers);
    CPPUNIT_TEST(the_end_of_input_does_not_shorten_the_wait_for_answers);
    CPPUNIT_TEST(a_client_that_leaves_before_its_greeting_is_not_waited_for);
    CPPUNIT_TEST(a_lost_connection_cancels_the_questions);
    CPPUNIT_TEST(an_interruption_cancels_the_questions);
    CPPUNIT_TEST(without_a_resolver_every_question_fails);
    CPPUNIT_TEST(answers_are_logged_at_debug);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        client_.names.add(
            {"a.example A 192.0.2.1", "b.example A 192.0.2.2", "slow.example TIMEOUT", "broken.example SERVFAIL"});
    }

    void a_stage_waits_for_its_answers() {
        client_.hooks.look_up(HookId::connect, {{"a.example"}});
        CPPUNIT_ASSERT_EQUAL(string(), client_.start());
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT(client_.session().phase() == Phase::waiting);
        CPPUNIT_ASSERT(client_.session().wake_at() == client_.clock.now() + 60 * second);
        client_.clock.advance(Duration(300));
        CPPUNIT_ASSERT_EQUAL(string("220"), codes(client_.answers_come()));
        CPPUNIT_ASSERT_EQUAL(string("192.0.2.1"), answers().a("a.example").addresses().at(0).to_string());
        CPPUNIT_ASSERT(answers().waited() == Duration(300));
        CPPUNIT_ASSERT(!answers().client_spoke());
        CPPUNIT_ASSERT_EQUAL(1U, client_.names.calls);
    }

    void answers_at_hand_do_not_park() {
        client_.names.at_once = true;
        client_.hooks.look_up(HookId::connect, {{"a.example", "broken.example", "nobody.example"}});
        CPPUNIT_ASSERT_EQUAL(string("220"), codes(client_.start()));
        CPPUNIT_ASSERT(answers().a("a.example").found());
        CPPUNIT_ASSERT(answers().a("broken.example").failed());
        CPPUNIT_ASSERT(answers().a("nobody.example").status() == DnsStatus::no_such_name);
        CPPUNIT_ASSERT(answers().waited() == Duration(0));
    }

    void a_stage_waits_for_the_last_answer() {
        client_.hooks.look_up(HookId::connect, {{"a.example", "b.example"}});
        client_.start();
        CPPUNIT_ASSERT_EQUAL(string(), client_.answers_come("a.example"));
        CPPUNIT_ASSERT(Step::park == client_.session().resume());
        CPPUNIT_ASSERT_EQUAL(string("220"), codes(client_.answers_come("b.example")));
        CPPUNIT_ASSERT(answers().a("a.example").found() && answers().a("b.example").found());
    }

    void handlers_are_asked_again_until_they_ask_nothing_new() {
        client_.hooks.look_up(HookId::connect, {{"a.example"}, {"b.example"}, {"nobody.example"}});
        client_.start();
        CPPUNIT_ASSERT_EQUAL(string(), client_.answers_come());
        CPPUNIT_ASSERT_EQUAL(string(), client_.answers_come());
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT_EQUAL(string("220"), codes(client_.answers_come()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(4), client_.hooks.asked);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.count(HookId::connect));
        CPPUNIT_ASSERT(answers().a("a.example").found() && answers().a("b.example").found() &&
                       answers().a("nobody.example").is_absent());
    }

    void rounds_with_answers_at_hand_do_not_park() {
        client_.names.at_once = true;
        client_.hooks.look_up(HookId::connect, {{"a.example"}, {"b.example"}});
        CPPUNIT_ASSERT_EQUAL(string("220"), codes(client_.start()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), client_.hooks.asked);
        CPPUNIT_ASSERT(answers().a("b.example").found());
    }

    void each_stage_has_answers_of_its_own() {
        client_.names.at_once = true;
        client_.hooks.look_up(HookId::connect, {{"a.example"}});
        client_.hooks.look_up(HookId::ehlo, {{"b.example"}});
        client_.greet();
        CPPUNIT_ASSERT(answers().a("b.example").found());
        CPPUNIT_ASSERT(answers().a("a.example").status() == DnsStatus::not_asked);
    }

    void what_is_not_answered_in_time_has_timed_out() {
        client_.hooks.look_up(HookId::connect, {{"a.example", "slow.example"}}, 5 * second);
        client_.start();
        client_.names.give();
        CPPUNIT_ASSERT_EQUAL(string(), client_.wait(Duration(4999)));
        CPPUNIT_ASSERT_EQUAL(string("220"), codes(client_.wait(Duration(1))));
        CPPUNIT_ASSERT(answers().a("a.example").found());
        CPPUNIT_ASSERT(answers().a("slow.example").status() == DnsStatus::timed_out);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.names.waiting());
    }

    void parts_of_the_questions_are_waited_for_by_themselves() {
        struct Runner final : HookRunner {
            bool has(HookId hook) const noexcept override { return hook == HookId::connect; }
            bool asks(HookId hook) const noexcept override { return has(hook); }
            void ask(HookContext& context, Wait& wait) noexcept override {
                wait.batch_sizes.clear();
                if (wait.rounds++ == 0) {
                    for (const char* name : {"a.example", "b.example", "slow.example"}) put(wait, name, 9 * second);
                    wait.batch_sizes = {2};  // the third is beyond
                } else if (wait.rounds == 2) {
                    knew_slow = context.answers().a("slow.example").status() != DnsStatus::not_asked;
                    put(wait, "nobody.example", 4 * second);
                }
            }
            static void put(Wait& wait, const char* name, Duration limit) {
                wait.questions.push_back({*DnsQuestion::make(DnsType::a, name), limit});
            }
            Response run(HookContext& context, ChainState&) noexcept override {
                seen = context.answers();
                return {};
            }
            std::vector<string> control_lines(std::string_view) noexcept override { return {}; }
            Answers seen;
            bool knew_slow = true;
        } runner;
        Session session(client_.settings, runner, client_.clock, client_.log, client_.peer, {.names = &client_.names});
        CPPUNIT_ASSERT(Step::park == session.start());
        const auto began = client_.clock.now();
        client_.names.give("a.example");
        CPPUNIT_ASSERT(Step::park == session.resume());
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), client_.names.asked.size());
        client_.names.give("b.example");
        CPPUNIT_ASSERT(session.awaits_answers() && !session.has_all_answers());
        CPPUNIT_ASSERT(Step::park == session.resume());
        CPPUNIT_ASSERT_EQUAL(string("nobody.example A"), client_.names.asked.back());
        CPPUNIT_ASSERT(!runner.knew_slow);
        CPPUNIT_ASSERT(session.wake_at() == began + 4 * second);  // the sooner of the two that are left
        client_.names.give("nobody.example");
        CPPUNIT_ASSERT(Step::park == session.resume());
        CPPUNIT_ASSERT(session.wake_at() == began + 9 * second);
        client_.clock.advance(9 * second);
        CPPUNIT_ASSERT(Step::need_input == session.resume());
        CPPUNIT_ASSERT(!session.awaits_answers());
        CPPUNIT_ASSERT(runner.seen.a("b.example").found() && runner.seen.a("nobody.example").is_absent());
        CPPUNIT_ASSERT(runner.seen.a("slow.example").status() == DnsStatus::timed_out);
    }

    void each_question_has_its_own_limit() {
        struct Runner final : HookRunner {
            bool has(HookId hook) const noexcept override { return hook == HookId::connect; }
            bool asks(HookId hook) const noexcept override { return has(hook); }
            void ask(HookContext&, Wait& wait) noexcept override {
                if (wait.rounds++ > 0) return;
                wait.questions.push_back({*DnsQuestion::make(DnsType::a, "a.example"), 50 * second});
                wait.questions.push_back({*DnsQuestion::make(DnsType::a, "slow.example"), 5 * second});
            }
            Response run(HookContext& context, ChainState&) noexcept override {
                seen = context.answers();
                return {};
            }
            std::vector<string> control_lines(std::string_view) noexcept override { return {}; }
            Answers seen;
        } runner;
        Session session(client_.settings, runner, client_.clock, client_.log, client_.peer, {.names = &client_.names});
        CPPUNIT_ASSERT(Step::park == session.start());
        CPPUNIT_ASSERT(session.wake_at() == client_.clock.now() + 5 * second);
        client_.clock.advance(5 * second);
        CPPUNIT_ASSERT(Step::park == session.resume());
        CPPUNIT_ASSERT(session.wake_at() == client_.clock.now() + 45 * second);
        client_.names.give("a.example");
        CPPUNIT_ASSERT(Step::need_input == session.resume());
        CPPUNIT_ASSERT(runner.seen.a("a.example").found());
        CPPUNIT_ASSERT(runner.seen.a("slow.example").status() == DnsStatus::timed_out);
    }

    void a_round_that_begins_too_late_is_not_asked() {
        client_.hooks.look_up(HookId::connect, {{"slow.example"}, {"a.example"}}, 5 * second);
        client_.start();
        CPPUNIT_ASSERT_EQUAL(string("220"), codes(client_.wait(5 * second)));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.names.asked.size());
        CPPUNIT_ASSERT(answers().a("a.example").status() == DnsStatus::timed_out);
    }

    void answers_and_the_clock_are_both_waited_for() {
        client_.hooks.wait(HookId::connect, second);
        client_.hooks.look_up(HookId::connect, {{"a.example"}});
        client_.start();
        CPPUNIT_ASSERT_EQUAL(string(), client_.answers_come());
        CPPUNIT_ASSERT(client_.session().wake_at() == client_.clock.now() + second);
        CPPUNIT_ASSERT_EQUAL(string("220"), codes(client_.wait(second)));

        SessionUnderTest late;
        late.names.add({"a.example A 192.0.2.1"});
        late.hooks.wait(HookId::connect, second);
        late.hooks.look_up(HookId::connect, {{"a.example"}});
        late.start();
        CPPUNIT_ASSERT_EQUAL(string(), late.wait(2 * second));
        CPPUNIT_ASSERT_EQUAL(string("220"), codes(late.answers_come()));
    }

    void silence_is_kept_while_answers_come() {
        client_.hooks.wait(HookId::connect, Duration(0), second);
        client_.hooks.look_up(HookId::connect, {{"a.example"}});
        client_.start();
        CPPUNIT_ASSERT_EQUAL(string(), client_.say("EHLO x"));
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT_EQUAL(string("220 250"), codes(client_.answers_come()));
        CPPUNIT_ASSERT(client_.hooks.answers.at(0).client_spoke());
    }

    void pipelined_commands_wait_behind_the_answers() {
        client_.hooks.accept_mail();
        client_.hooks.look_up(HookId::mail, {{"a.example"}});
        client_.hooks.look_up(HookId::rcpt, {{"b.example"}});
        client_.greet();
        CPPUNIT_ASSERT_EQUAL(string(), client_.feed("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n"));
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.answers_come()));
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.answers_come()));
        CPPUNIT_ASSERT_EQUAL(string("250 354"), codes(client_.answers_come()));
    }

    /// Otherwise a client could send everything, close, and get its mail accepted unseen.
    void the_end_of_input_does_not_shorten_the_wait_for_answers() {
        client_.hooks.accept_mail();
        client_.hooks.look_up(HookId::queue, {{"a.example"}});
        client_.begin_data();
        CPPUNIT_ASSERT_EQUAL(string(), client_.feed("text\r\n.\r\nQUIT\r\n"));
        CPPUNIT_ASSERT_EQUAL(string(), client_.end_of_input());
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT(client_.session().is_at_end_of_input());
        CPPUNIT_ASSERT_EQUAL(string("250 221"), codes(client_.answers_come()));
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.queued.size());
    }

    void a_client_that_leaves_before_its_greeting_is_not_waited_for() {
        client_.hooks.watch(HookId::disconnect);
        client_.hooks.look_up(HookId::connect, {{"a.example"}});
        client_.start();
        CPPUNIT_ASSERT_EQUAL(string(), client_.end_of_input());
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.hooks.count(HookId::connect));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.count(HookId::disconnect));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.names.waiting());
    }

    void a_lost_connection_cancels_the_questions() {
        client_.hooks.accept_mail();
        client_.hooks.look_up(HookId::queue, {{"a.example"}});
        client_.begin_data();
        client_.feed("text\r\n.\r\n");
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.names.waiting());
        client_.abandon();
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.names.waiting());
        client_.names.give();
        CPPUNIT_ASSERT_EQUAL(0U, client_.names.calls);
        CPPUNIT_ASSERT(client_.hooks.queued.empty());
    }

    void an_interruption_cancels_the_questions() {
        client_.hooks.look_up(HookId::connect, {{"a.example"}});
        client_.start();
        CPPUNIT_ASSERT_EQUAL(string("421"), codes(client_.interrupt(Interruption::shutting_down)));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.names.waiting());
    }

    void without_a_resolver_every_question_fails() {
        fakes::FakeHookRunner hooks;
        hooks.look_up(HookId::connect, {{"a.example"}});
        Session session(client_.settings, hooks, client_.clock, client_.log, client_.peer);
        CPPUNIT_ASSERT(Step::need_input == session.start());
        CPPUNIT_ASSERT_EQUAL(string("server_failure (this server has no resolver)"),
                             hooks.answers.at(0).a("a.example").to_string());
    }

    void answers_are_logged_at_debug() {
        client_.names.at_once = true;
        client_.hooks.look_up(HookId::connect, {{"a.example", "broken.example"}});
        client_.start();
        const auto lines = client_.log.texts(LogLevel::debug);
        CPPUNIT_ASSERT(std::find(lines.begin(), lines.end(), "dns a.example A: found 192.0.2.1") != lines.end());
        CPPUNIT_ASSERT(std::find(lines.begin(), lines.end(),
                                 "dns broken.example A: server_failure (the server says SERVFAIL)") != lines.end());
    }

private:
    /// Of the last call of a handler.
    const Answers& answers() const { return client_.hooks.answers.back(); }

    SessionUnderTest client_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(SessionDnsTest);

}  // namespace
}  // namespace smtpd::engine
