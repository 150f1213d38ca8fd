/// policy_test.cc: what the host makes of findings: verdicts, log lines, karma, counters, complaints,
/// Authentication-Results.
#include "fakes/plugin_world.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

#include <functional>
#include <string>
#include <vector>

namespace {

using namespace smtpd;
using smtpd::fakes::PluginWorld;
using smtpd::fakes::spelled_out;
using std::string;

}  // namespace

class PolicyTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PolicyTest);
    CPPUNIT_TEST(outcomes_become_answers_and_lines);
    CPPUNIT_TEST(a_deferred_failure_is_a_complaint);
    CPPUNIT_TEST(after_a_complaint_plugins_judge_but_do_not_reply);
    CPPUNIT_TEST(within_a_chain_the_first_complaint_is_told_and_the_second_is_not);
    CPPUNIT_TEST(what_exempts_nobody_replies_after_a_complaint);
    CPPUNIT_TEST(after_a_complaint_no_recipient_is_turned_away);
    CPPUNIT_TEST(karma_comes_from_the_finding_or_the_options);
    CPPUNIT_TEST(every_outcome_is_counted);
    CPPUNIT_TEST(authentication_results_go_to_the_transaction_or_the_connection);
    CPPUNIT_TEST(immune_clients_are_skipped_with_the_reason);
    CPPUNIT_TEST(an_exempt_recipient_is_skipped_alone);
    CPPUNIT_TEST(a_policy_that_does_not_exempt_judges_everybody);
    CPPUNIT_TEST(a_verdict_of_a_policy_plugin_is_not_subject_to_reject);
    CPPUNIT_TEST(a_constructor_may_change_its_policy);
    CPPUNIT_TEST(lines_cost_nothing_where_the_level_is_off);
    CPPUNIT_TEST_SUITE_END();

    using Judge = std::function<Finding()>;

    /// A policy at RCPT with that finding.
    static void add(PluginWorld& world, const string& label, std::string_view options, Judge judge) {
        world.add_policy(label, options, [judge = std::move(judge)](Setup& setup) {
            setup.hooks.rcpt.decide([judge](const RcptHook&) { return judge(); });
        });
    }

public:
    void outcomes_become_answers_and_lines() {
        const struct {
            const char* options;
            Judge judge;
            const char* answer;
            const char* line;
        } rows[] = {
            {"", [] { return pass(); }, "declined 0 0.0.0 ", "pass"},
            {"", [] { return pass("not {}", "listed"); }, "declined 0 0.0.0 ", "pass: not listed"},
            {"", [] { return skip("no sender"); }, "declined 0 0.0.0 ", "skip: no sender"},
            {"", [] { return fail("listed"); }, "deny 0 5.7.1 ", "fail: listed"},
            {"reject=yes", [] { return fail("listed").reply("go away"); }, "deny 0 5.7.1 go away", "fail: listed"},
            {"", [] { return fail("full").status(status::mbox_full); }, "deny 0 5.2.2 Mailbox full", "fail: full"},
            {"",
             [] {
                 return fail("x").status(EnhancedCode{5, 1, 8}).reply("y");
             },
             "deny 0 5.1.8 y", "fail: x"},
            {"", [] { return fail("x").code(550); }, "deny 550 5.7.1 ", "fail: x"},
            {"reject_type=temp", [] { return fail("x").code(550); }, "denysoft 450 4.7.1 ", "fail: x"},
            {"", [] { return fail("x").code(550).tolerated(); }, "declined 0 0.0.0 ", "fail, tolerated: x"},
            {"reject=naughty", [] { return fail("x").tolerated(); }, "declined 0 0.0.0 ", "fail, tolerated: x"},
            {"", [] { return error("x").code(550); }, "declined 0 0.0.0 ", "error: x"},
            {"reject_type=temp", [] { return fail("x").reply("later"); }, "denysoft 0 4.7.1 later", "fail: x"},
            {"reject_type=disconnect", [] { return fail("x"); }, "deny_disconnect 0 5.7.1 ", "fail: x"},
            {"reject_type=temp_disconnect", [] { return fail("x").status(status::no_such_user); },
             "denysoft_disconnect 0 4.1.1 No such user", "fail: x"},
            {"", [] { return fail("x").soft(true); }, "denysoft 0 4.7.1 ", "fail: x"},
            {"reject_type=temp", [] { return fail("x").soft(false); }, "deny 0 5.7.1 ", "fail: x"},
            {"reject_type=disconnect", [] { return fail("x").soft(true); }, "denysoft_disconnect 0 4.7.1 ", "fail: x"},
            {"", [] { return fail("x").refusal(Verdict::denysoft_disconnect); }, "denysoft_disconnect 0 4.7.1 ",
             "fail: x"},
            {"reject_type=temp_disconnect",
             [] { return fail("x").refusal(Verdict::deny).status(status::no_such_user); }, "deny 0 5.1.1 No such user",
             "fail: x"},
            {"", [] { return fail("x").refusal(Verdict::ok); }, "deny 0 5.7.1 ", "fail: x"},
            {"reject=no", [] { return fail("x").refusal(Verdict::deny_disconnect); }, "declined 0 0.0.0 ",
             "fail, tolerated: x"},
            {"reject=no", [] { return fail("listed"); }, "declined 0 0.0.0 ", "fail, tolerated: listed"},
            {"reject=naughty", [] { return fail("listed"); }, "declined 0 0.0.0 ", "fail, NAUGHTY: listed"},
            {"", [] { return error("time-out"); }, "declined 0 0.0.0 ", "error: time-out"},
            {"onerror=tempfail", [] { return error("time-out"); }, "denysoft 451 4.3.0 Local error in processing",
             "error: time-out"},
            {"onerror=tempfail", [] { return error("time-out").status(status::temp_resolver_failed); },
             "denysoft 451 4.4.3 Temporary address resolution failure", "error: time-out"},
            {"onerror=tempfail",
             [] {
                 return error("time-out").status(EnhancedCode{5, 4, 3}).reply("not now");
             },
             "denysoft 451 4.4.3 not now", "error: time-out"},
            {"", [] { return error("time-out").status(status::temp_resolver_failed); }, "declined 0 0.0.0 ",
             "error: time-out"},
        };
        for (const auto& row : rows) {
            PluginWorld world;
            add(world, "p", row.options, row.judge);
            world.build();
            const string what = string(row.options) + " " + row.line;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, string(row.answer), spelled_out(world.rcpt()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, string("(rcpt) policy:p: ") + row.line + "\n", world.log.to_string());
            const bool is_pass = string(row.line).starts_with("pass");
            CPPUNIT_ASSERT_MESSAGE(what, world.log.lines()[0].level == (is_pass ? LogLevel::debug : LogLevel::info));
        }
    }

    /// "policy:a connect client temp_disconnect 4.7.25 "text" (reason)", with "silent" if the client is not told.
    static string shown_complaints(const PluginWorld& world) {
        string out;
        for (const auto& one : world.connection->complaints())
            out += (out.empty() ? "" : "; ") +
                   format_text("{} {} {} {} {} \"{}\" ({}){}{}", one.plugin, hook_name(one.hook),
                               subject_name(one.subject), verdict_name(one.verdict), one.enhanced.to_string(), one.text,
                               one.reason, one.recipient.empty() ? "" : " " + one.recipient,
                               one.is_told ? "" : " silent");
        return out;
    }

    void a_deferred_failure_is_a_complaint() {
        PluginWorld world;
        world.add_policy("a", "reject=naughty reject_type=temp_disconnect", [](Setup& setup) {
            setup.hooks.connect.decide([](const ConnectHook&) {
                return fail("one").reply("first text").status(EnhancedCode{5, 7, 25});
            });
        });
        world.build();
        CPPUNIT_ASSERT(world.connect().verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(string("policy:a connect client denysoft_disconnect 4.7.25 \"first text\" (one)"),
                             shown_complaints(world));

        PluginWorld silent;
        add(silent, "a", "reject=naughty", [] { return fail("spamhaus says so"); });
        silent.build();
        CPPUNIT_ASSERT(silent.rcpt().verdict == Verdict::declined);
        const Complaint& only = silent.connection->complaints().at(0);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("the reason is for the log only", string("Refused by the policy of this site"),
                                     only.text);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("no reject_type was given: the plugin that refuses later decides",
                                     std::string_view("declined"), verdict_name(only.verdict));
    }

    /// After the first complaint, no answer of a plugin is a reply, and all answers count.
    void after_a_complaint_plugins_judge_but_do_not_reply() {
        const struct {
            const char* options;
            Judge judge;
            const char* line;
            int karma;
            const char* complaint;
        } rows[] = {
            {"", [] { return pass("fine").karma(2); }, "pass: fine", 2, ""},
            {"", [] { return fail("bad").karma(-3); }, "fail, NAUGHTY: bad", -3,
             "; policy:p rcpt recipient declined 5.7.1 \"Refused by the policy of this site\" (bad) <user@example.com> "
             "silent"},
            {"reject_type=temp", [] { return fail("bad").reply("not you"); }, "fail, NAUGHTY: bad", 0,
             "; policy:p rcpt recipient denysoft 4.7.1 \"not you\" (bad) <user@example.com> silent"},
            {"reject=naughty", [] { return fail("bad").reply("not you"); }, "fail, NAUGHTY: bad", 0,
             "; policy:p rcpt recipient declined 5.7.1 \"not you\" (bad) <user@example.com> silent"},
            {"reject=no", [] { return fail("bad"); }, "fail, tolerated: bad", 0, ""},
            {"", [] { return skip("not for you"); }, "skip: not for you", 0, ""},
            {"onerror=tempfail", [] { return error("time-out"); }, "error: time-out", 0, ""},
            {"", []() -> Finding { throw std::runtime_error("oops"); }, "plugin fault: oops", 0, ""},
            {"onerror=tempfail", []() -> Finding { throw DeadlinePassed(); }, "error: deadline passed", 0, ""},
        };
        for (const auto& row : rows) {
            PluginWorld world;
            add(world, "p", row.options, row.judge);
            world.build();
            world.connection->complain(
                {.plugin = "dnsbl", .verdict = Verdict::deny, .enhanced = {5, 7, 1}, .text = "listed"});
            Recipient recipient(fakes::FakeTransaction::address("user@example.com"), {});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                row.line, string("declined 0 0.0.0 "),
                spelled_out(world.run(RcptHook(*world.connection, *world.transaction, recipient))));
            CPPUNIT_ASSERT_MESSAGE(
                row.line + world.log.to_string(),
                world.log.to_string().find(string("(rcpt) policy:p: ") + row.line + "\n") != string::npos);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.line, row.karma, world.connection->karma());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.line,
                                         string("dnsbl pre-connection client deny 5.7.1 \"listed\" ()") + row.complaint,
                                         shown_complaints(world));
        }
    }

    void within_a_chain_the_first_complaint_is_told_and_the_second_is_not() {
        PluginWorld world;
        world.add_policy("a", "reject=naughty", [](Setup& setup) {
            setup.hooks.connect.decide([](const ConnectHook&) { return fail("one"); });
        });
        world.add_policy(
            "b", "", [](Setup& setup) { setup.hooks.connect.decide([](const ConnectHook&) { return fail("two"); }); });
        world.add_policy("c", "reject=naughty", [](Setup& setup) {
            setup.policy().exempts_immune = false;
            setup.hooks.connect.decide([](const ConnectHook&) { return fail("three"); });
        });
        world.build();
        CPPUNIT_ASSERT(world.connect().verdict == Verdict::declined);
        string told;
        for (const auto& one : world.connection->complaints()) told += one.reason + (one.is_told ? "+ " : " ");
        CPPUNIT_ASSERT_EQUAL(string("one+ two three+ "), told);
    }

    void what_exempts_nobody_replies_after_a_complaint() {
        PluginWorld world;
        world.add_policy("p", {}, [](Setup& setup) {
            setup.policy().exempts_immune = false;
            setup.hooks.rcpt.decide([](const RcptHook&) { return fail("asked").reply("no"); });
        });
        world.build();
        world.connection->complain({.plugin = "dnsbl", .text = "listed"});
        CPPUNIT_ASSERT_EQUAL(string("deny 0 5.7.1 no"), spelled_out(world.rcpt()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), world.connection->complaints().size());
    }

    void after_a_complaint_no_recipient_is_turned_away() {
        PluginWorld world;
        world.add_policy("p", {}, [](Setup& setup) {
            setup.hooks.data_post.decide([](DataPostHook& hook) {
                hook.refuse(hook.transaction.recipients().at(0), deny("not here").with_status({5, 1, 1}), "no mailbox");
                return pass();
            });
        });
        world.build();
        world.transaction->add_recipient("user@example.com");
        world.connection->complain({.plugin = "dnsbl", .text = "listed"});
        CPPUNIT_ASSERT(world.run(DataPostHook(HookId::data_post, *world.connection, *world.transaction)).verdict ==
                       Verdict::declined);
        CPPUNIT_ASSERT(world.transaction->refused_recipients().empty());
        const Complaint& about = world.connection->complaints().at(1);
        CPPUNIT_ASSERT(about.subject == HookSubject::recipient && !about.is_told && about.verdict == Verdict::deny);
        CPPUNIT_ASSERT_EQUAL(string("policy:p <user@example.com> 5.1.1 not here (no mailbox)"),
                             format_text("{} {} {} {} ({})", about.plugin, about.recipient, about.enhanced.to_string(),
                                         about.text, about.reason));
    }

    void karma_comes_from_the_finding_or_the_options() {
        const struct {
            const char* options;
            Judge judge;
            int karma;
        } rows[] = {{"", [] { return fail("x"); }, 0},
                    {"karma_fail=-2", [] { return fail("x"); }, -2},
                    {"karma_fail=-2 reject=no", [] { return fail("x"); }, -2},
                    {"karma_fail=-2", [] { return fail("x").karma(-5); }, -5},
                    {"karma_fail=-2", [] { return fail("x").karma(0); }, 0},
                    {"karma_fail=-2 karma_pass=3", [] { return pass(); }, 3},
                    {"karma_pass=3", [] { return pass().karma(1); }, 1},
                    {"karma_fail=-2 karma_pass=3", [] { return skip("x"); }, 0},
                    {"karma_fail=-2 karma_pass=3", [] { return error("x"); }, 0},
                    {"", [] { return error("x").karma(-1); }, -1}};
        for (const auto& row : rows) {
            PluginWorld world;
            add(world, "p", row.options, row.judge);
            world.build();
            world.connection->set_karma(10);
            static_cast<void>(world.rcpt());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, 10 + row.karma, world.connection->karma());
        }
    }

    void every_outcome_is_counted() {
        PluginWorld world;
        int call = 0;
        add(world, "p", "reject=no", [&call]() -> Finding {
            switch (call++ % 4) {
                case 0: return pass();
                case 1: return fail("x");
                case 2: return skip("x");
                default: return error("x");
            }
        });
        world.build();
        for (int i = 0; i < 10; ++i) CPPUNIT_ASSERT(world.rcpt().verdict == Verdict::declined);
        world.connection->set_relay_client(true);
        CPPUNIT_ASSERT(world.rcpt().verdict == Verdict::declined);
        const auto& counters = world.counters();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), counters.pass.load());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), counters.fail.load());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), counters.skip.load());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), counters.error.load());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), counters.fault.load());
    }

    void authentication_results_go_to_the_transaction_or_the_connection() {
        PluginWorld world;
        world.add_policy("p", {}, [](Setup& setup) {
            setup.hooks.connect.decide(
                [](const ConnectHook&) { return pass().authentication_result({.method = "iprev", .result = "pass"}); });
            setup.hooks.rcpt.decide(
                [](const RcptHook&) { return fail("x").authentication_result({.method = "spf", .result = "fail"}); });
        });
        world.build();
        static_cast<void>(world.connect());
        static_cast<void>(world.rcpt());
        CPPUNIT_ASSERT_EQUAL(string("iprev=pass"), world.connection->authentication_results().begin()->to_string());
        CPPUNIT_ASSERT_EQUAL(string("spf=fail"), world.transaction->authentication_results().begin()->to_string());
    }

    void immune_clients_are_skipped_with_the_reason() {
        const struct {
            const char* line;
            std::function<void(PluginWorld&)> prepare;
        } rows[] = {{"skip: relay client", [](PluginWorld& world) { world.connection->set_relay_client(true); }},
                    {"skip: whitelisted host: a friend",
                     [](PluginWorld& world) { world.connection->set_whitelisted("a friend"); }},
                    {"skip: whitelisted sender: a customer",
                     [](PluginWorld& world) { world.transaction->set_whitelisted("a customer"); }}};
        for (const auto& row : rows) {
            PluginWorld world;
            add(world, "p", {}, [] { return fail("asked"); });
            world.build();
            row.prepare(world);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.line, string("declined 0 0.0.0 "), spelled_out(world.rcpt()));
            CPPUNIT_ASSERT_EQUAL(string("(rcpt) policy:p: ") + row.line + "\n", world.log.to_string());
            CPPUNIT_ASSERT(world.log.lines()[0].level == LogLevel::info);
        }
    }

    void an_exempt_recipient_is_skipped_alone() {
        PluginWorld world;
        add(world, "p", {}, [] { return fail("asked"); });
        world.build();
        Recipient recipient(fakes::FakeTransaction::address("user@example.com"), {});
        recipient.set_whitelisted("our own");
        CPPUNIT_ASSERT_EQUAL(string("declined 0 0.0.0 "),
                             spelled_out(world.run(RcptHook(*world.connection, *world.transaction, recipient))));
        CPPUNIT_ASSERT_EQUAL(string("(rcpt) policy:p: skip: whitelisted recipient: our own\n"), world.log.to_string());
        CPPUNIT_ASSERT(is_denial(world.rcpt().verdict));
    }

    void a_policy_that_does_not_exempt_judges_everybody() {
        PluginWorld world;
        world.add_policy("p", {}, [](Setup& setup) {
            setup.policy().exempts_immune = false;
            setup.hooks.rcpt.decide([](const RcptHook&) { return fail("asked"); });
        });
        world.build();
        world.connection->set_relay_client(true);
        CPPUNIT_ASSERT(world.rcpt().verdict == Verdict::deny);
    }

    void a_verdict_of_a_policy_plugin_is_not_subject_to_reject() {
        PluginWorld world;
        world.add_policy("p", "reject=no",
                         [](Setup& setup) { setup.hooks.rcpt.add([](const RcptHook&) { return deny("no"); }); });
        world.build();
        world.connection->set_relay_client(true);
        CPPUNIT_ASSERT_EQUAL(string("deny 0 0.0.0 no"), spelled_out(world.rcpt()));
    }

    void a_constructor_may_change_its_policy() {
        PluginWorld world;
        world.add_policy("p", "reject=no", [](Setup& setup) {
            setup.policy().reject = PolicyDefaults::Reject::yes;
            setup.policy().reject_type = Verdict::denysoft;
            setup.hooks.rcpt.decide([](const RcptHook&) { return fail("x"); });
        });
        world.build();
        CPPUNIT_ASSERT_EQUAL(string("denysoft 0 4.7.1 "), spelled_out(world.rcpt()));
    }

    void lines_cost_nothing_where_the_level_is_off() {
        PluginWorld world;
        add(world, "p", "karma_fail=-1 reject=no", [] { return fail("x"); });
        world.build();
        world.log.set_level(LogLevel::notice);
        static_cast<void>(world.rcpt());
        CPPUNIT_ASSERT_EQUAL(string(), world.log.to_string());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), world.counters().fail.load());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PolicyTest);
