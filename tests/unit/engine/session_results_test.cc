/// session_results_test.cc: recipients with different fates: which get the message, which reply the client gets, and
/// what the log says.
#include "fakes/session_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <string_view>
#include <vector>

namespace smtpd::engine {
namespace {

using fakes::codes;
using fakes::SessionUnderTest;

constexpr std::string_view message = "Subject: x\r\n\r\ntext\r\n.\r\n";

/// The plugins reject recipients whose local part begins with r, defer those with d, and accept all others.
Response fate_of(const Recipient& recipient) {
    switch (recipient.address().local_part().front()) {
        case 'r': return deny("Mailbox is full").with_code(552).with_status({5, 2, 2});
        case 'd': return denysoft("Try tomorrow");
        default: return declined();
    }
}

/// The recipients that get the message, and the others: "a@x b@x | r@x 552 d@x 450".
std::string seen_by_queue(const Delivery& delivery) {
    std::string out, others;
    const auto add = [&](const Recipient& recipient) {
        if (!recipient.fate().is_refused()) out += recipient.address().to_string() + " ";
        else others += format_text(" {} {}", recipient.address(), recipient.fate().reply.code);
    };
    for (const auto& recipient : delivery.recipients()) add(recipient);
    for (const auto& recipient : delivery.refused_recipients()) add(recipient);
    return out + "|" + others;
}

/// The same decision by a queue plugin.
Fate fate_at_queue(const Recipient& recipient) {
    switch (recipient.address().local_part().front()) {
        case 'r':
            return rejected("Mailbox is full").with_code(552).with_status({5, 2, 2}).because("because of {}", "x");
        case 'd': return deferred("Try tomorrow").because("because of {}", "x");
        default: return {};
    }
}

/// A server whose plugins judge recipients at one of the hooks, and whose queue accepts everything.
class Judged : public SessionUnderTest {
public:
    explicit Judged(HookId where) {
        hooks.respond(HookId::rcpt, ok());
        hooks.on(HookId::queue, [this, where](HookContext& context) {
            const auto& delivery = static_cast<const Delivery&>(context);
            DeliveryResult result = rest_at_queue;
            for (const auto& recipient : delivery.recipients())
                if (const Fate own = fate_at_queue(recipient);
                    where == HookId::queue && own.kind != Fate::Kind::unknown)
                    result[recipient] = own;
            const Response response = fakes::conclude(context, std::move(result));
            queued.push_back(seen_by_queue(delivery));
            return response;
        });
        if (where == HookId::data_post_rcpt) {
            hooks.on(where,
                     [](HookContext& context) { return fate_of(static_cast<DataPostRcptHook&>(context).recipient); });
        } else if (where != HookId::queue) {
            hooks.on(where, [](HookContext& context) {
                refuse_all(static_cast<DataPostHook&>(context));
                return declined();
            });
        }
    }

    Fate rest_at_queue = delivered();  ///< of the recipients that the queue does not refuse
    std::vector<std::string> queued;   ///< what the queue saw

    /// A message to these recipients at example.com; returns the reply to its end.
    std::string send(const std::vector<const char*>& recipients, const char* parameters = "") {
        if (session().greeted() == Greeted::no) greet();
        say(std::string("MAIL FROM:<s@client.example>") + parameters);
        for (const char* recipient : recipients) say(std::string("RCPT TO:<") + recipient + "@example.com>");
        say("DATA");
        return feed(message);
    }
    /// The one line about the message.
    std::string result_line() const {
        std::string out;
        for (const auto& line : log.lines())
            if (line.hook.empty() && (line.text.starts_with("accepted ") || line.text.starts_with("refused ")))
                out += line.text + "\n";
        return out;
    }

private:
    static void refuse_all(DataPostHook& hook) {
        for (auto& recipient : hook.transaction.recipients())
            if (const Response response = fate_of(recipient); response.verdict != Verdict::declined)
                hook.refuse(recipient, response, "because of {}", "x");
    }
};

/// The same server with LMTP.
class Lmtp final : public Judged {
public:
    explicit Lmtp(HookId where) : Judged(where) { settings.protocol = Protocol::lmtp; }
    void greet_lmtp() {
        start();
        say("LHLO client.example");
    }
    std::string send(const std::vector<const char*>& recipients) {
        if (session().greeted() == Greeted::no) greet_lmtp();
        return Judged::send(recipients);
    }
};

class SessionResultsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionResultsTest);
    CPPUNIT_TEST(the_queue_gets_those_whom_nobody_refused);
    CPPUNIT_TEST(nothing_is_queued_when_everybody_is_refused);
    CPPUNIT_TEST(one_reply_follows_the_rule);
    CPPUNIT_TEST(a_refusal_of_the_queue_counts_for_the_rest);
    CPPUNIT_TEST(one_by_one_takes_one_recipient);
    CPPUNIT_TEST(who_is_left_out_is_told_to_the_log);
    CPPUNIT_TEST(a_message_that_may_come_again_is_told_to_the_log);
    CPPUNIT_TEST(each_fate_is_in_one_line_of_the_log);
    CPPUNIT_TEST(the_history_has_each_refusal);
    CPPUNIT_TEST(a_reply_names_ten_recipients_at_most);
    CPPUNIT_TEST(what_plugins_made_of_a_recipient_is_not_told);
    CPPUNIT_TEST(replies_for_each_recipient_need_prdr);
    CPPUNIT_TEST(prdr_is_offered_where_somebody_judges_recipients);
    CPPUNIT_TEST(a_message_refused_as_a_whole_has_one_reply);
    CPPUNIT_TEST(the_last_chunk_has_replies_for_each_recipient);
    CPPUNIT_TEST(replies_are_those_of_rcpt_whatever_plugins_do_to_the_list);
    CPPUNIT_TEST(who_is_deferred_is_never_told_250);
    CPPUNIT_TEST(several_refusals_of_a_message_are_one_error);
    CPPUNIT_TEST(recipients_can_be_waited_for);
    CPPUNIT_TEST(many_recipients_are_judged);
    CPPUNIT_TEST(closing_comes_after_the_last_reply);
    CPPUNIT_TEST(a_faulty_refusal_defers);
    CPPUNIT_TEST(the_first_refusal_counts);
    CPPUNIT_TEST(lmtp_has_a_reply_for_each_recipient);
    CPPUNIT_TEST(lmtp_replies_to_each_when_the_message_is_refused_as_a_whole);
    CPPUNIT_TEST(lmtp_knows_no_rule_for_mixed_results);
    CPPUNIT_TEST(lmtp_answers_the_first_chunk_for_each_recipient_if_it_is_the_last);
    CPPUNIT_TEST(lmtp_breaks_off_with_one_reply);
    CPPUNIT_TEST(lmtp_is_in_the_received_field);
    CPPUNIT_TEST(lmtp_greetings_name_the_protocol);
    CPPUNIT_TEST(lhlo_is_not_smtp);
    CPPUNIT_TEST_SUITE_END();

public:
    void the_queue_gets_those_whom_nobody_refused() {
        for (const auto where : hooks_that_judge) {
            Judged server(where);
            server.settings.mixed_results = MixedResults::accept;
            CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0 Queued! session-1\r\n"), server.send({"a", "r", "b"}));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(hook_name(where)),
                                         std::string("a@example.com b@example.com | r@example.com 552"),
                                         server.queued.at(0));
        }
    }

    void nothing_is_queued_when_everybody_is_refused() {
        for (const auto rule : rules)
            for (const auto where : hooks_that_judge) {
                Judged server(where);
                server.settings.mixed_results = rule;
                CPPUNIT_ASSERT_EQUAL(std::string("552 5.2.2 Mailbox is full session-1\r\n"), server.send({"r"}));
                CPPUNIT_ASSERT_EQUAL(std::string("450 4.7.1 Try tomorrow session-2\r\n"), server.send({"d"}));
                CPPUNIT_ASSERT_EQUAL(0U, server.session().messages());
                if (where == HookId::queue) continue;
                CPPUNIT_ASSERT(server.queued.empty());
                CPPUNIT_ASSERT_EQUAL(std::size_t(0), server.hooks.count(HookId::queue));
            }
    }

    void one_reply_follows_the_rule() {
        struct Row {
            std::vector<const char*> recipients;
            const char *refuse, *accept;  ///< with split, too
        };
        const Row rows[] = {{{"a", "b"}, "250", "250"},      {{"r", "s"}, "552", "250"},
                            {{"a", "d"}, "450", "450"},      {{"a", "r"}, "552", "250"},
                            {{"a", "r", "d"}, "552", "450"}, {{"d", "r", "a"}, "552", "450"},
                            {{"r", "d"}, "552", "450"},      {{"r", "r2"}, "552", "552"}};
        for (const auto& row : rows)
            for (const auto rule : rules) {
                Judged server(HookId::data_post_rcpt);
                server.settings.mixed_results = rule;
                const std::string expected = rule == MixedResults::refuse ? row.refuse : row.accept;
                const auto reply = server.send(row.recipients);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(reply, expected, codes(reply));
                CPPUNIT_ASSERT_EQUAL_MESSAGE("what is refused is not queued", expected == "250",
                                             !server.queued.empty());
            }
    }

    void a_refusal_of_the_queue_counts_for_the_rest() {
        const std::pair<Fate, std::pair<const char*, const char*>> rows[] = {{rejected(), {"552", "552"}},
                                                                             {deferred(), {"552", "452"}}};
        for (const auto& [fate, expected] : rows)
            for (const auto rule : rules) {
                Judged server(HookId::queue);
                server.settings.mixed_results = rule;
                server.rest_at_queue = fate;
                CPPUNIT_ASSERT_EQUAL(std::string(rule == MixedResults::refuse ? expected.first : expected.second),
                                     codes(server.send({"a", "r"})));
                CPPUNIT_ASSERT_EQUAL(0U, server.session().messages());
            }
    }

    void one_by_one_takes_one_recipient() {
        Judged server(HookId::data_post_rcpt);
        server.settings.mixed_results = MixedResults::one_by_one;
        server.start();
        CPPUNIT_ASSERT(server.say("EHLO x").find("LIMITS RCPTMAX=1000") != std::string::npos);  // with PRDR
        server.say("MAIL FROM:<s@client.example>");
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.1.5"), server.say("RCPT TO:<a@example.com>").substr(0, 9));
        CPPUNIT_ASSERT_EQUAL(std::string("452 4.5.3"), server.say("RCPT TO:<b@example.com>").substr(0, 9));
        CPPUNIT_ASSERT_EQUAL(0U, server.session().errors());
        server.say("DATA");
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(server.feed(message)));
        CPPUNIT_ASSERT_EQUAL(std::string("353 250 250 250"), codes(server.send({"a", "b"}, " PRDR")));
        Judged plain(HookId::data_post_rcpt);
        plain.settings.mixed_results = MixedResults::one_by_one;
        plain.settings.extensions.set(Extension::prdr, false);
        plain.start();
        CPPUNIT_ASSERT(plain.say("EHLO x").find("LIMITS RCPTMAX=1\r\n") != std::string::npos);
    }

    void who_is_left_out_is_told_to_the_log() {
        Judged server(HookId::data_post_rcpt);
        server.settings.mixed_results = MixedResults::accept;
        server.send({"a", "r", "r2"});
        const std::vector<std::string> expected = {
            "SmtpMixedResults accept: <r@example.com> does not get the message, and its sender is not told",
            "SmtpMixedResults accept: <r2@example.com> does not get the message, and its sender is not told"};
        CPPUNIT_ASSERT(expected == server.log.texts(LogLevel::notice));
        Judged split(HookId::data_post_rcpt);
        split.settings.mixed_results = MixedResults::split;
        split.send({"a", "r"});
        CPPUNIT_ASSERT(split.log.texts(LogLevel::notice).empty());  // the queue tells the sender
    }

    void a_message_that_may_come_again_is_told_to_the_log() {
        Judged server(HookId::queue);
        CPPUNIT_ASSERT_EQUAL(std::string("552-5.2.2 Refused because of 1 of 2 recipients\r\n552 5.2.2 <r@example.com>: "
                                         "Mailbox is full session-1\r\n"),
                             server.send({"a", "r"}));
        CPPUNIT_ASSERT_EQUAL(
            std::size_t(1),
            server.log.count("SmtpMixedResults: <a@example.com> got the message, but the client is told \"552 "));
    }

    void each_fate_is_in_one_line_of_the_log() {
        Judged server(HookId::queue);
        server.hooks.judges = true;
        server.send({"a", "r", "d"}, " PRDR");
        CPPUNIT_ASSERT_EQUAL(
            std::string("accepted from=<s@client.example> to=<a@example.com> size=23 reply=\"250 Queued! session-1\" "
                        "rejected=<r@example.com> why=\"because of x\" told=\"552 Mailbox is full\" "
                        "deferred=<d@example.com> why=\"because of x\" told=\"450 Try tomorrow\"\n"),
            server.result_line());
    }

    void the_history_has_each_refusal() {
        Judged server(HookId::data_post);
        server.send({"a", "r", "d"});
        std::string told;
        for (const auto& entry : server.session().history().entries()) told += entry.to_string() + "\n";
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "(data_post) : deny 552 5.2.2 \"Mailbox is full\", for <r@example.com>\n"
                "(data_post) : denysoft 450 4.7.1 \"Try tomorrow\", for <d@example.com>\n"
                "replied 552 5.2.2 \"Refused because of 2 of 3 recipients\\x0a<r@example.com>: Mailbox is full\\x0a"
                "<d@example.com>: Try tomorrow session-1\"\n"),
            told);
    }

    void a_reply_names_ten_recipients_at_most() {
        Judged server(HookId::data_post_rcpt);
        const auto reply = server.send(
            {"a", "r01", "r02", "r03", "r04", "r05", "r06", "r07", "r08", "r09", "r10", "r11", "r12"});
        CPPUNIT_ASSERT(reply.starts_with(
            "552-5.2.2 Refused because of 12 of 13 recipients\r\n552-5.2.2 <r01@example.com>: Mailbox is full\r\n"));
        CPPUNIT_ASSERT(
            reply.ends_with("552-5.2.2 <r10@example.com>: Mailbox is full\r\n552 5.2.2 and 2 more session-1\r\n"));
    }

    void what_plugins_made_of_a_recipient_is_not_told() {
        Judged server(HookId::data_post_rcpt);
        server.hooks.on(HookId::rcpt, [](HookContext& context) {
            auto& recipient = static_cast<RcptHook&>(context).recipient;
            recipient.set_address(*Address::parse(recipient.address().local_part() + "@internal.example"));
            return ok();
        });
        CPPUNIT_ASSERT_EQUAL(std::string::npos, server.send({"a", "r"}).find("internal"));
        CPPUNIT_ASSERT_EQUAL(std::string::npos, server.send({"a", "r"}, " PRDR").find("internal"));
    }

    void replies_for_each_recipient_need_prdr() {
        for (const auto where : hooks_that_judge) {
            Judged server(where);
            server.hooks.judges = true;
            CPPUNIT_ASSERT_EQUAL(std::string("353 A reply for each recipient follows\r\n"
                                             "250 2.0.0 <a@example.com>: Queued! session-1\r\n"
                                             "552 5.2.2 <r@example.com>: Mailbox is full session-1\r\n"
                                             "450 4.7.1 <d@example.com>: Try tomorrow session-1\r\n"
                                             "250 2.0.0 Queued! session-1\r\n"),
                                 server.send({"a", "r", "d"}, " PRDR"));
            CPPUNIT_ASSERT_EQUAL(std::string("a@example.com | r@example.com 552 d@example.com 450"),
                                 server.queued.at(0));
            CPPUNIT_ASSERT_EQUAL(std::string("353 552 450 450"), codes(server.send({"r", "d"}, " PRDR")));
            CPPUNIT_ASSERT_EQUAL(std::string("353 552 550"), codes(server.send({"r"}, " PRDR")));
            CPPUNIT_ASSERT_EQUAL(std::string("353 250 250"), codes(server.send({"a"}, " prdr")));
            CPPUNIT_ASSERT_EQUAL(std::string("552"), codes(server.send({"a", "r", "d"})));
        }
    }

    void prdr_is_offered_where_somebody_judges_recipients() {
        SessionUnderTest client;
        client.start();
        CPPUNIT_ASSERT_EQUAL(std::string::npos, client.say("EHLO x").find("PRDR"));
        CPPUNIT_ASSERT_EQUAL(std::string("555"), codes(client.say("MAIL FROM:<a@b> PRDR")));
        client.hooks.watch(HookId::data_post_rcpt);
        CPPUNIT_ASSERT(client.say("EHLO x").find("250-PRDR\r\n") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(client.say("MAIL FROM:<a@b> PRDR")));
        SessionUnderTest old;
        old.hooks.watch(HookId::data_post_rcpt);
        old.start();
        old.say("HELO x");
        CPPUNIT_ASSERT_EQUAL(std::string("555"), codes(old.say("MAIL FROM:<a@b> PRDR")));
    }

    void a_message_refused_as_a_whole_has_one_reply() {
        for (const auto hook :
             {HookId::data_headers_end, HookId::data_post_headers, HookId::data_post, HookId::queue_pre}) {
            Judged server(HookId::data_post_rcpt);
            server.hooks.respond(hook, deny("No"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(hook_name(hook)), std::string("552 5.7.1 No session-1\r\n"),
                                         server.send({"a", "r"}, " PRDR"));
            CPPUNIT_ASSERT(server.queued.empty());
        }
    }

    void the_last_chunk_has_replies_for_each_recipient() {
        Judged server(HookId::data_post_rcpt);
        server.greet();
        server.feed("MAIL FROM:<s@client.example> PRDR\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<r@example.com>\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(server.feed("BDAT 3\r\nX: ")));
        CPPUNIT_ASSERT_EQUAL(std::string("353 250 552 250"), codes(server.feed("BDAT 5 LAST\r\ny\r\n\r\n")));
    }

    void replies_are_those_of_rcpt_whatever_plugins_do_to_the_list() {
        Judged server(HookId::data_post_rcpt);
        server.hooks.on(HookId::data_post, [](HookContext& context) {
            auto& recipients = static_cast<MessageHook&>(context).transaction.recipients();
            recipients.erase(recipients.begin());  // the first is thrown away
            recipients.push_back(recipients.front().with_address(*Address::parse("reader@example.com")));  // the second
                                                                                                           // becomes
                                                                                                           // two, of
                                                                                                           // which one
                                                                                                           // is refused
            recipients.emplace_back(*Address::parse("rarchive@example.com"), Parameters());                // nobody's
            return declined();
        });
        CPPUNIT_ASSERT_EQUAL(std::string("353 250 250 552 250"), codes(server.send({"a", "b", "r"}, " PRDR")));
        CPPUNIT_ASSERT_EQUAL(
            std::string("b@example.com | rarchive@example.com 552 reader@example.com 552 r@example.com 552"),
            server.queued.at(0));
        const std::vector<std::string> left_out = {
            "<rarchive@example.com> does not get the message, and its sender is not told",
            "<reader@example.com> does not get the message, and its sender is not told"};
        CPPUNIT_ASSERT(left_out == server.log.texts(LogLevel::notice));
    }

    /// One recipient has become several: otherwise the mail of a deferred one would be lost.
    void who_is_deferred_is_never_told_250() {
        Judged server(HookId::data_post_rcpt);
        server.hooks.on(HookId::data_post, [](HookContext& context) {
            auto& recipients = static_cast<MessageHook&>(context).transaction.recipients();
            for (const char* member :
                 {"r@internal.example", "a@internal.example", "d@internal.example", "d2@internal.example"})
                recipients.push_back(recipients.front().with_address(*Address::parse(member)));
            return declined();
        });
        CPPUNIT_ASSERT_EQUAL(std::string("353 450 250 250"), codes(server.send({"a", "b"}, " PRDR")));
        CPPUNIT_ASSERT_EQUAL(std::string("450"), codes(server.send({"a", "r"}, " PRDR")).substr(4, 3));
    }

    void several_refusals_of_a_message_are_one_error() {
        Judged server(HookId::data_post_rcpt);
        server.send({"r", "r2", "r3"}, " PRDR");
        CPPUNIT_ASSERT_EQUAL(1U, server.session().errors());
        server.send({"r", "d", "a"}, " PRDR");
        CPPUNIT_ASSERT_EQUAL(1U, server.session().errors());  // a message was accepted, which makes up for what was
                                                              // before
    }

    void recipients_can_be_waited_for() {
        Judged server(HookId::data_post_rcpt);
        server.hooks.wait(HookId::data_post_rcpt, Duration(100));
        CPPUNIT_ASSERT_EQUAL(std::string(), server.send({"a", "r", "b"}, " PRDR"));
        CPPUNIT_ASSERT(server.is_parked());
        CPPUNIT_ASSERT_EQUAL(std::string("353 250 552 250 250"), codes(server.skip_wait()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), server.hooks.count(HookId::data_post_rcpt));
    }

    void many_recipients_are_judged() {
        Judged server(HookId::data_post_rcpt);
        server.settings.max_recipients = 20000;
        server.greet();
        server.say("MAIL FROM:<s@client.example> PRDR");
        std::string commands, expected = "353";
        for (int i = 0; i < 10000; ++i) {
            commands += i % 2 == 0 ? "RCPT TO:<a@example.com>\r\n" : "RCPT TO:<r@example.com>\r\n";
            expected += i % 2 == 0 ? " 250" : " 552";
        }
        server.feed(commands);
        server.say("DATA");
        CPPUNIT_ASSERT(expected + " 250" == codes(server.feed(message)));
    }

    void closing_comes_after_the_last_reply() {
        Judged server(HookId::data_post_rcpt);
        server.hooks.on(HookId::data_post_rcpt, [](HookContext& context) {
            return static_cast<DataPostRcptHook&>(context).recipient.address().local_part() == "r"
                       ? denysoft_disconnect("Away").with_code(421)
                       : declined();
        });
        CPPUNIT_ASSERT_EQUAL(std::string("353 450 250 250"), codes(server.send({"r", "a"}, " PRDR")));  // 421 would be
                                                                                                        // the end
        CPPUNIT_ASSERT(server.is_closed());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), server.queued.size());
    }

    void a_faulty_refusal_defers() {
        Judged server(HookId::data_post_rcpt);
        server.hooks.on(HookId::data_post, [](HookContext& context) {
            auto& hook = static_cast<DataPostHook&>(context);
            hook.refuse(hook.transaction.recipients().front(), ok("Fine"));
            return declined();
        });
        CPPUNIT_ASSERT_EQUAL(std::string("450 4.7.1 Fine session-1\r\n"), server.send({"a"}));
    }

    void the_first_refusal_counts() {
        Judged server(HookId::data_post_rcpt);
        server.hooks.on(HookId::data_post, [](HookContext& context) {
            auto& hook = static_cast<DataPostHook&>(context);
            hook.refuse(hook.transaction.recipients().front(), deny("First"));
            hook.refuse(hook.transaction.recipients().front(), denysoft("Second"));
            return declined();
        });
        CPPUNIT_ASSERT_EQUAL(std::string("550 5.7.1 First session-1\r\n"), server.send({"a"}));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), server.log.count("Second"));
    }

    void lmtp_has_a_reply_for_each_recipient() {
        for (const auto where : hooks_that_judge) {
            Lmtp server(where);
            CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0 <a@example.com>: Queued! session-1\r\n"
                                             "552 5.2.2 <r@example.com>: Mailbox is full session-1\r\n"
                                             "450 4.7.1 <d@example.com>: Try tomorrow session-1\r\n"),
                                 server.send({"a", "r", "d"}));
            CPPUNIT_ASSERT_EQUAL(std::string("a@example.com | r@example.com 552 d@example.com 450"),
                                 server.queued.at(0));
            CPPUNIT_ASSERT_EQUAL(1U, server.session().messages());
            CPPUNIT_ASSERT_EQUAL(std::string("552 552"), codes(server.send({"r", "r2"})));
            CPPUNIT_ASSERT_EQUAL(std::string("250 250"), codes(server.send({"a", "a"})));  // the same twice is two
            CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(server.send({"a"})));
            CPPUNIT_ASSERT(server.result_line().starts_with(
                "accepted from=<s@client.example> to=<a@example.com> size=23 reply=\"250 "));
        }
    }

    void lmtp_replies_to_each_when_the_message_is_refused_as_a_whole() {
        for (const auto hook : {HookId::data_headers_end, HookId::data_post_headers, HookId::data_post,
                                HookId::queue_pre, HookId::queue}) {
            Lmtp server(HookId::data_post_rcpt);
            server.hooks.respond(hook, deny("No"));
            const std::string second = hook == HookId::queue_pre || hook == HookId::queue
                                           ? "552 5.2.2 <r@example.com>: Mailbox is full"
                                           : "552 5.7.1 <r@example.com>: No";
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(hook_name(hook)),
                                         "552 5.7.1 <a@example.com>: No session-1\r\n" + second + " session-1\r\n",
                                         server.send({"a", "r"}));
            CPPUNIT_ASSERT_EQUAL(1U, server.session().errors());
        }
        Lmtp strict(HookId::data_post_rcpt);
        strict.greet_lmtp();
        strict.feed("MAIL FROM:<a@b>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("554 554"), codes(strict.feed("bare\nnewline\r\n.\r\nNOOP\r\n")));
        CPPUNIT_ASSERT(strict.is_closed());
        Lmtp refused(HookId::data_post_rcpt);
        refused.greet_lmtp();
        refused.feed("MAIL FROM:<a@b>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n");
        refused.hooks.respond(HookId::data, deny("No"));
        CPPUNIT_ASSERT_EQUAL(std::string("554 5.7.1 No\r\n"), refused.say("DATA"));  // not the message's reply, but the
                                                                                     // command's
    }

    void lmtp_knows_no_rule_for_mixed_results() {
        for (const auto rule : {MixedResults::refuse, MixedResults::accept, MixedResults::one_by_one}) {
            Lmtp server(HookId::data_post_rcpt);
            server.settings.mixed_results = rule;
            CPPUNIT_ASSERT_EQUAL(std::string("250 552 450"), codes(server.send({"a", "r", "d"})));
            CPPUNIT_ASSERT(server.log.texts(LogLevel::notice).empty());
        }
    }

    void lmtp_answers_the_first_chunk_for_each_recipient_if_it_is_the_last() {
        Lmtp server(HookId::data_post_rcpt);
        server.greet_lmtp();
        server.feed("MAIL FROM:<a@b>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<r@example.com>\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("250 552"), codes(server.feed("BDAT 6 LAST\r\nX: y\r\n")));
        server.hooks.respond(HookId::data, deny("No"));
        server.feed("MAIL FROM:<a@b>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<r@example.com>\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("554 5.7.1 No\r\n554 5.7.1 No\r\n"), server.feed("BDAT 6 LAST\r\nX: y\r\n"));
        server.feed("MAIL FROM:<a@b>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<r@example.com>\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("554 5.7.1 No\r\n"), server.feed("BDAT 6\r\nX: y\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string("503"), codes(server.feed("BDAT 2 LAST\r\n\r\n")));  // on its way, for a
                                                                                              // transaction that is
                                                                                              // over
    }

    void lmtp_breaks_off_with_one_reply() {
        Lmtp server(HookId::data_post_rcpt);
        server.hooks.respond(HookId::data_headers_end, denysoft_disconnect("Away"));
        server.greet_lmtp();
        server.feed("MAIL FROM:<a@b>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("421 4.7.1 Away session-1\r\n"), server.feed("X: y\r\n\r\n"));
        CPPUNIT_ASSERT(server.is_closed());
    }

    void lmtp_is_in_the_received_field() {
        const std::pair<const char*, const char*> rows[] = {{"", " with LMTP id "}, {"TLSv1.3", " with LMTPS id "}};
        for (const auto& [tls, expected] : rows) {
            SessionUnderTest client;
            client.settings.protocol = Protocol::lmtp;
            client.peer.tls_protocol = tls;
            client.hooks.accept_mail();
            client.start();
            client.feed("LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\n");
            CPPUNIT_ASSERT_MESSAGE(client.hooks.queued.at(0),
                                   client.hooks.queued.at(0).find(expected) != std::string::npos);
        }
    }

    void lmtp_greetings_name_the_protocol() {
        const std::pair<const char*, const char*> rows[] = {
            {"", "220 mx.example.com LMTP mod_smtpd ready session\r\n"},
            {"mx.example.com", "220 mx.example.com LMTP session\r\n"},
            {"mx.example.com LMTP here", "220 mx.example.com LMTP here session\r\n"}};
        for (const auto& [greeting, expected] : rows) {
            SessionUnderTest client;
            client.settings.protocol = Protocol::lmtp;
            client.settings.greeting = greeting;
            CPPUNIT_ASSERT_EQUAL(std::string(expected), client.start());
        }
    }

    void lhlo_is_not_smtp() {
        SessionUnderTest client;
        client.start();
        CPPUNIT_ASSERT_EQUAL(std::string("502 5.5.1"), client.say("LHLO client.example").substr(0, 9));
        CPPUNIT_ASSERT(client.session().greeted() == Greeted::no);
    }

private:
    static constexpr HookId hooks_that_judge[] = {HookId::data_post_headers, HookId::data_post, HookId::data_post_rcpt,
                                                  HookId::queue_pre, HookId::queue};
    static constexpr MixedResults rules[] = {MixedResults::refuse, MixedResults::accept, MixedResults::split};
};

CPPUNIT_TEST_SUITE_REGISTRATION(SessionResultsTest);

}  // namespace
}  // namespace smtpd::engine
