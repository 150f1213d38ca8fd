/// dry_run_test.cc: simulated sessions: how far they go, what they report, and which effects they must not have.
#include "dry_run/dry_run.h"
#include "fakes/plugin_world.h"

#include <cppunit/extensions/HelperMacros.h>

#include <memory>
#include <string>
#include <vector>

namespace {

using namespace smtpd;
using fakes::PluginWorld;
using std::string;

}  // namespace

class DryRunTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DryRunTest);
    CPPUNIT_TEST(a_session_goes_as_far_as_there_is_something_to_send);
    CPPUNIT_TEST(an_accepted_message_is_not_delivered);
    CPPUNIT_TEST(without_a_plugin_that_delivers_it_is_deferred_by_the_server);
    CPPUNIT_TEST(a_refusal_names_the_plugin_and_the_reason);
    CPPUNIT_TEST(a_deferred_refusal_names_the_complainer_and_where);
    CPPUNIT_TEST(a_deferred_refusal_that_nobody_carries_out_is_noted);
    CPPUNIT_TEST(the_first_refusal_decides);
    CPPUNIT_TEST(recipients_that_are_turned_away_are_named);
    CPPUNIT_TEST(lmtp_is_spoken_where_the_server_does);
    CPPUNIT_TEST(a_connection_can_be_refused);
    CPPUNIT_TEST(plugins_know_that_it_is_a_dry_run);
    CPPUNIT_TEST(waits_are_skipped_and_reported);
    CPPUNIT_TEST(a_zone_answers_for_the_dns);
    CPPUNIT_TEST(a_zone_that_is_none_is_an_error);
    CPPUNIT_TEST(who_comes_again_finds_the_time_moved);
    CPPUNIT_TEST(auth_is_played_and_no_password_shown);
    CPPUNIT_TEST(lines_of_the_log_stand_where_they_were_written);
    CPPUNIT_TEST(lines_of_a_message_are_sent_as_smtp_wants_them);
    CPPUNIT_TEST(octets_that_are_no_text_do_not_break_the_reports);
    CPPUNIT_TEST(chains_and_options_are_listed);
    CPPUNIT_TEST_SUITE_END();

    PluginWorld world_;
    engine::Settings settings_;
    dry_run::Request request_;

public:
    void setUp() override {
        settings_.server_name = "mx.example.com";
        settings_.spool.threshold = ~std::uint64_t(0);
        request_.client = {fakes::FakeConnection::ip("192.0.2.1"), 4711};
        request_.helo = "client.example";
        request_.from = "a@example.net";
        request_.to = {"b@example.com"};
        request_.message = "Subject: x\n\ntext\n";
    }

    void a_session_goes_as_far_as_there_is_something_to_send() {
        accept();
        CPPUNIT_ASSERT_EQUAL(string("|EHLO client.example|MAIL FROM:<a@example.net> SIZE=20|RCPT "
                                    "TO:<b@example.com>|DATA|(message, 17 octets)|QUIT"),
                             commands(play().visits[0]));
        request_.message.reset();
        CPPUNIT_ASSERT_EQUAL(string("|EHLO client.example|MAIL FROM:<a@example.net>|RCPT TO:<b@example.com>|QUIT"),
                             commands(play().visits[0]));
        request_.to.clear();
        CPPUNIT_ASSERT_EQUAL(string("|EHLO client.example|MAIL FROM:<a@example.net>|QUIT"), commands(play().visits[0]));
        request_.from.reset();
        request_.helo.clear();
        CPPUNIT_ASSERT_EQUAL(string("|EHLO [192.0.2.1]|QUIT"), commands(play().visits[0]));
        request_.is_esmtp = false;
        request_.client_host = "host.example";
        CPPUNIT_ASSERT_EQUAL(string("|HELO host.example|QUIT"), commands(play().visits[0]));
    }

    void an_accepted_message_is_not_delivered() {
        accept();
        unsigned calls = 0;
        for (const char* name : {"deliver1", "deliver2"})
            world_.add(name, [&](Setup& setup) {
                setup.hooks.queue.deliver([&](const Delivery&) {
                    ++calls;
                    return delivered();
                });
                setup.hooks.queue_post.observe([&](const QueuePostHook&) { ++calls; });
            });
        const auto report = play();
        CPPUNIT_ASSERT(report.outcome() == dry_run::MailOutcome::accepted);
        CPPUNIT_ASSERT_EQUAL(0u, calls);
        const auto& message = report.visits[0].exchanges[5];
        CPPUNIT_ASSERT_EQUAL(string("plain:accept|plain:deliver1|plain:deliver2"), fakes::joined(message.deliverers));
        CPPUNIT_ASSERT_EQUAL(250, message.code);
        contains(to_text(report),
                 "(queue) would be asked to take it: plain:accept, then plain:deliver1, then plain:deliver2\n");
        contains(to_text(report), "\nOutcome: accepted\n");
    }

    void without_a_plugin_that_delivers_it_is_deferred_by_the_server() {
        world_.add("rcpt", [](Setup& setup) { setup.hooks.rcpt.add([](const RcptHook&) { return ok(); }); });
        const auto report = play();
        CPPUNIT_ASSERT(report.outcome() == dry_run::MailOutcome::deferred);
        contains(to_text(report), "Outcome: deferred at (message, 17 octets), by the server itself\n");
    }

    void a_refusal_names_the_plugin_and_the_reason() {
        world_.add_policy("p", "karma_fail=-2", [](Setup& setup) {
            setup.hooks.mail.decide([](const MailHook&) { return fail("the moon is full").reply("not today"); });
        });
        const auto report = play();
        CPPUNIT_ASSERT(report.outcome() == dry_run::MailOutcome::rejected);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), report.visits[0].decisive);
        const string text = to_text(report);
        contains(text,
                 "C: MAIL FROM:<a@example.net> SIZE=20\n     (mail) policy:p: fail: the moon is full -> deny 5.7.1 "
                 "\"not today\", karma -2 [");
        contains(text, "S: 550 5.7.1 not today\n     => rejected by policy:p: the moon is full\n");
        contains(to_json(report),
                 R"("cause":{"by":"policy:p","complaint":"","hook":"mail","reason":"the moon is full"})");
    }

    void a_deferred_refusal_names_the_complainer_and_where() {
        world_.add_policy("p", "reject=naughty", [](Setup& setup) {
            setup.hooks.connect.decide([](const ConnectHook&) { return fail("listed"); });
        });
        world_.add("n", [](Setup& setup) {
            setup.hooks.rcpt.add([](const RcptHook& hook) { return deny(hook.connection.complaints().front().text); });
        });
        const auto report = play();
        contains(to_text(report), "     => rejected by plain:n for policy:p, which complained at connect: listed\n");
        contains(to_json(report),
                 R"("cause":{"by":"plain:n","complaint":"policy:p","hook":"connect","reason":"listed"})");
    }

    void a_deferred_refusal_that_nobody_carries_out_is_noted() {
        accept();
        world_.add_policy("p", "reject=naughty", [](Setup& setup) {
            setup.hooks.connect.decide([](const ConnectHook&) { return fail("listed"); });
        });
        contains(to_text(play()),
                 "Note: policy:p failed this client, and the refusal was postponed, but no plugin carried it out.");
    }

    void the_first_refusal_decides() {
        accept();
        world_.add("r", [](Setup& setup) {
            setup.hooks.rcpt.add(Priority::first, [](const RcptHook& hook) {
                return hook.recipient.address().local_part() == "later"   ? denysoft()
                       : hook.recipient.address().local_part() == "never" ? deny()
                                                                          : declined();
            });
        });
        request_.to = {"b@example.com", "later@example.com", "never@example.com"};
        const auto report = play();
        CPPUNIT_ASSERT(report.outcome() == dry_run::MailOutcome::deferred);
        CPPUNIT_ASSERT_EQUAL(250, report.visits[0].exchanges[7].code);
        request_.to = {"never@example.com", "later@example.com"};
        CPPUNIT_ASSERT(play().outcome() == dry_run::MailOutcome::rejected);
    }

    void judge_recipients() {
        accept();
        world_.add_policy("p", "", [](Setup& setup) {
            setup.hooks.data_post_rcpt.decide([](const DataPostRcptHook& hook) {
                return hook.recipient.address().local_part() == "full"
                           ? fail("3 GB of 2").reply("Mailbox is full").status(EnhancedCode{5, 2, 2})
                           : pass();
            });
        });
        world_.add("q", [](Setup& setup) {
            setup.hooks.data_post.add([](DataPostHook& hook) {
                for (auto& recipient : hook.transaction.recipients())
                    if (recipient.address().local_part() == "later") hook.refuse(recipient, denysoft("Tomorrow"));
                return declined();
            });
        });
        request_.to = {"b@example.com", "full@example.com", "later@example.com"};
    }

    void recipients_that_are_turned_away_are_named() {
        judge_recipients();
        const auto report = play();
        CPPUNIT_ASSERT(report.outcome() == dry_run::MailOutcome::rejected);
        const string text = to_text(report);
        contains(text,
                 "     (data_post_rcpt) policy:p: fail: 3 GB of 2 -> deny 5.2.2 \"Mailbox is full\", for "
                 "<full@example.com> [");
        contains(text,
                 "     <full@example.com> is rejected by policy:p: 3 GB of 2 (\"550 Mailbox is full\")\n"
                 "     <later@example.com> is deferred by plain:q: Tomorrow (\"450 Tomorrow\")\n");
        contains(text, "Outcome: rejected at (message, 17 octets), by policy:p: 3 GB of 2\n");
        contains(
            to_json(report),
            R"("refused":[{"recipient":"<full@example.com>","outcome":"rejected","code":550,"reply":"Mailbox is full",)"
            R"("by":"policy:p","reason":"3 GB of 2"},{"recipient":"<later@example.com>","outcome":"deferred","code":450,)");
        settings_.mixed_results = engine::MixedResults::accept;
        contains(to_text(play()), "Outcome: deferred at (message, 17 octets), by plain:q: Tomorrow\n");
    }

    void lmtp_is_spoken_where_the_server_does() {
        settings_.protocol = engine::Protocol::lmtp;
        judge_recipients();
        const auto report = play();
        CPPUNIT_ASSERT(report.outcome() == dry_run::MailOutcome::accepted);  // by one recipient
        const auto& message = report.visits[0].exchanges[7];
        CPPUNIT_ASSERT_EQUAL(250, message.code);
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), message.replies.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), message.refused.size());
        contains(commands(report.visits[0]), "|LHLO client.example|");
        request_.to = {"full@example.com", "later@example.com"};
        CPPUNIT_ASSERT(play().outcome() == dry_run::MailOutcome::deferred);  // by the last reply
    }

    void a_connection_can_be_refused() {
        world_.add("r", [](Setup& setup) {
            setup.hooks.pre_connection.add([](const PreConnectionHook&) { return deny("go away"); });
        });
        const auto report = play();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), report.visits[0].exchanges.size());
        contains(to_text(report), "C: (connects)\n     (pre-connection) plain:r: deny \"go away\" [");
        contains(to_text(report), "Outcome: rejected at the connection, by plain:r: go away\n");
    }

    void plugins_know_that_it_is_a_dry_run() {
        bool setup_knows = false;
        bool hook_knows = false;
        unsigned lines = 0;
        world_.environment.is_dry_run = true;
        world_.add("p", [&](Setup& setup) {
            setup_knows = setup.is_dry_run();
            setup.hooks.connect.observe([&](const ConnectHook& hook) { hook_knows = hook.connection.is_dry_run(); });
            setup.hooks.logging.add(LogLevel::trace, [&](const LogLine&) { ++lines; });
        });
        play();
        CPPUNIT_ASSERT(setup_knows);
        CPPUNIT_ASSERT(hook_knows);
        world_.set->log().write({LogLevel::warning, {}, {}, {}, {}, "x", {}});
        CPPUNIT_ASSERT_EQUAL_MESSAGE("logging plugins get no lines", 0u, lines);
    }

    void waits_are_skipped_and_reported() {
        bool has_spoken = true;
        world_.add("p", [&](Setup& setup) {
            setup.hooks.connect
                .ask([](const ConnectHook&, Questions& questions) { questions.silence(std::chrono::seconds(30)); })
                .add([&](const ConnectHook&, const Answers& answers) {
                    has_spoken = answers.client_spoke();
                    return declined();
                });
        });
        const auto began = std::chrono::steady_clock::now();
        const auto report = play();
        CPPUNIT_ASSERT(std::chrono::steady_clock::now() - began < std::chrono::seconds(20));
        CPPUNIT_ASSERT(!has_spoken);
        CPPUNIT_ASSERT(report.visits[0].exchanges[0].waited == Duration(30'000));
        contains(to_text(report), "C: (connects)\n     waits 30 s\n");
    }

    void a_zone_answers_for_the_dns() {
        string answers_seen;
        world_.add("p", [&](Setup& setup) {
            setup.hooks.connect
                .ask([](const ConnectHook&, Questions& questions) {
                    questions.a("there.example");
                    questions.a("slow.example");
                })
                .add([&](const ConnectHook&, const Answers& answers) {
                    answers_seen = format_text("{} {}", answers.a("there.example").found(),
                                               answers.a("slow.example").failed());
                    return declined();
                });
        });
        request_.zone = "there.example A 192.0.2.7\nslow.example TIMEOUT\n";
        const auto report = play();
        CPPUNIT_ASSERT_EQUAL(string("true true"), answers_seen);
        CPPUNIT_ASSERT_MESSAGE("until the deadline", report.visits[0].exchanges[0].waited == Duration(60'000));
    }

    void a_zone_that_is_none_is_an_error() {
        request_.zone = "a.example A 192.0.2.7\nthere.example X\n";
        const auto report = try_to_play();
        CPPUNIT_ASSERT(!report);
        contains(report.error().what, "line 2");
    }

    void who_comes_again_finds_the_time_moved() {
        accept();
        std::vector<WallTime> times;
        world_.add("p", [&](Setup& setup) {
            setup.hooks.connect.observe([&](const ConnectHook& hook) { times.push_back(hook.clock().wall()); });
        });
        request_.again = {std::chrono::minutes(10)};
        const auto report = play();
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), report.visits.size());
        CPPUNIT_ASSERT(times.at(1) - times.at(0) >= std::chrono::minutes(10));
        CPPUNIT_ASSERT(times.at(1) - times.at(0) < std::chrono::minutes(11));
        contains(to_text(report), "--- the client comes again at ");
    }

    void auth_is_played_and_no_password_shown() {
        world_.add("auth", [](Setup& setup) {
            setup.hooks.auth.add(
                [](const AuthHook& hook) { return hook.user() == "me" && hook.proves("secret") ? ok() : deny(); });
        });
        accept();
        request_.user = "me";
        request_.password = "secret";
        request_.tls = "TLSv1.3";
        for (const char* mechanism : {"PLAIN", "LOGIN"}) {
            request_.mechanism = mechanism;
            const auto report = play();
            const string all = to_text(report) + to_json(report);
            CPPUNIT_ASSERT_MESSAGE(all, report.outcome() == dry_run::MailOutcome::accepted);
            contains(all, "S: 235 ");
            for (const char* secret : {"secret", "c2VjcmV0", "AG1lAHNlY3JldA=="})
                CPPUNIT_ASSERT_MESSAGE(all, all.find(secret) == string::npos);
        }
        request_.password = "wrong";
        const auto report = play();
        CPPUNIT_ASSERT(report.outcome() == dry_run::MailOutcome::rejected);
        contains(to_text(report), "by plain:auth\n");
    }

    void lines_of_the_log_stand_where_they_were_written() {
        world_.add("p", [](Setup& setup) {
            setup.hooks.mail.observe([](const MailHook& hook) {
                hook.log(LogLevel::warning, "hot");
                hook.log(LogLevel::info, "cold");
            });
        });
        const auto report = play();
        CPPUNIT_ASSERT_EQUAL(string("warning (mail) plain:p: hot"), fakes::joined(report.visits[0].exchanges[2].log));
        contains(to_text(report), "     log: warning (mail) plain:p: hot\n");
    }

    class Keeper final : public BodyStream {
    public:
        explicit Keeper(string& seen) : seen_(seen) {}
        void chunk(std::string_view octets) override { seen_ += octets; }

    private:
        string& seen_;
    };

    void lines_of_a_message_are_sent_as_smtp_wants_them() {
        string seen;
        accept();
        world_.add("p", [&](Setup& setup) {
            setup.hooks.data_chunk.stream([&](MessageHook&) { return std::make_shared<Keeper>(seen); });
        });
        request_.message = "Subject: \xc3\xa4\r\n\n.dot\n..\nno end";
        const auto report = play();
        CPPUNIT_ASSERT_EQUAL(string("Subject: \xc3\xa4\r\n\r\n.dot\r\n..\r\nno end\r\n"), seen);
        contains(commands(report.visits[0]), " BODY=8BITMIME");
        request_.message = "";
        CPPUNIT_ASSERT(play().outcome() == dry_run::MailOutcome::accepted);
    }

    void octets_that_are_no_text_do_not_break_the_reports() {
        world_.add_policy("p", "", [](Setup& setup) {
            setup.hooks.mail.decide(
                [](const MailHook&) { return fail("\xff\"\x01\xc3\xa4").reply("\xff \"quoted\"\x01"); });
        });
        const auto report = play();
        const string json = to_json(report);
        contains(json, "\"reason\":\"\\ufffd\\\"\\u0001\xc3\xa4\"");
        for (const char c : to_text(report)) CPPUNIT_ASSERT(c == '\n' || (c >= ' ' && c <= '~'));
    }

    void chains_and_options_are_listed() {
        world_.add_policy("p", "reject=no karma_fail=-2", [](Setup& setup) {
            setup.hooks.connect.ask([](const ConnectHook&, Questions&) {}).decide([](const ConnectHook&) {
                return pass();
            });
        });
        world_.add("o", [](Setup& setup) {
            setup.hooks.connect.observe(Priority::first, [](const ConnectHook&) {});
            setup.hooks.logging.add(LogLevel::info, [](const LogLine&) {});
        });
        world_.build();
        dry_run::DryRunClock clock;
        net::ZoneResolver dns;
        const dry_run::Server server{"mx:25", "httpd.conf line 1", {}, settings_, *world_.set, clock, dns};
        const string text = list_text(server);
        contains(text, "\nconnect\n  -1000  plain:o, observes\n      0  policy:p, may wait\n");
        contains(text, "\nlogging\n      0  plain:o, observes\n");
        contains(text,
                 "\npolicy:p  (test.conf line 1)\n  reject = no\n  karma_fail = -2\n\nplain:o  (test.conf line 2)\n");
        contains(list_json(server),
                 R"("connect":[{"plugin":"plain:o","priority":-1000,"handler":"observes","waits":false},)"
                 R"({"plugin":"policy:p","priority":0,"handler":"decides","waits":true}])");
        contains(list_json(server),
                 R"({"plugin":"policy:p","where":"test.conf line 1","options":{"reject":"no","karma_fail":"-2"}})");
    }

private:
    /// A plugin that accepts every recipient and takes the message.
    void accept() {
        world_.add("accept", [](Setup& setup) {
            setup.hooks.rcpt.add([](const RcptHook&) { return ok(); });
            setup.hooks.queue.deliver([](const Delivery&) { return delivered(); });
        });
    }
    Result<dry_run::Report> try_to_play() {
        world_.build();
        dry_run::DryRunClock clock;
        net::ZoneResolver dns;
        return dry_run::run(request_, {"mx:25",
                                       "httpd.conf line 1",
                                       {fakes::FakeConnection::ip("192.0.2.25"), 25},
                                       settings_,
                                       *world_.set,
                                       clock,
                                       dns});
    }
    dry_run::Report play() {
        auto report = try_to_play();
        CPPUNIT_ASSERT_MESSAGE(report ? "" : report.error().what, static_cast<bool>(report));
        return std::move(*report);
    }
    static string commands(const dry_run::Visit& visit) {
        string out;
        for (const auto& exchange : visit.exchanges)
            out += (&exchange == &visit.exchanges.front() ? "" : "|") + exchange.command;
        return out;
    }
    static void contains(const string& text, const string& part) {
        CPPUNIT_ASSERT_MESSAGE(part + "\nin\n" + text, text.find(part) != string::npos);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DryRunTest);
