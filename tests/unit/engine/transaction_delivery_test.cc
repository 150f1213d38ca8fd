/// transaction_delivery_test.cc: a transaction as queue plugins see it, and what the engine makes of their results.
#include "engine/transaction_delivery.h"

#include "engine/recipient_results.h"
#include "engine/server_access.h"
#include "fakes/fake_clock.h"
#include "fakes/fake_log.h"
#include "fakes/fake_session.h"
#include "fakes/response_text.h"
#include "fakes/session_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::engine {
namespace {

using fakes::FakeConnection;
using fakes::FakeTransaction;
using fakes::SessionUnderTest;
using fakes::shown;

class TransactionDeliveryTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TransactionDeliveryTest);
    CPPUNIT_TEST(it_has_what_a_next_hop_needs);
    CPPUNIT_TEST(a_next_hop_is_told_of_the_client_or_of_whom_that_speaks_for);
    CPPUNIT_TEST(one_fate_for_all_is_an_answer);
    CPPUNIT_TEST(who_has_another_fate_is_set_apart);
    CPPUNIT_TEST(each_fate_is_kept_logged_and_in_the_history);
    CPPUNIT_TEST(what_is_declined_leaves_no_trace);
    CPPUNIT_TEST(each_recipient_is_told_what_was_said_about_it);
    CPPUNIT_TEST(observers_see_each_fate);
    CPPUNIT_TEST(the_log_says_who_delivered_and_where_to);
    CPPUNIT_TEST(fates_can_be_read);
    CPPUNIT_TEST(a_reply_becomes_a_fate);
    CPPUNIT_TEST_SUITE_END();

    fakes::FakeClock clock_;
    fakes::FakeLog log_;
    FakeConnection connection_{clock_, log_};
    FakeTransaction transaction_;

    void add(std::initializer_list<const char*> recipients) {
        std::uint32_t number = 0;
        for (const char* recipient : recipients) transaction_.add_recipient(recipient, ++number);
    }
    const Recipient& recipient(std::size_t index) { return transaction_.recipients().at(index); }
    std::string response_to(const DeliveryResult& result) {
        return shown(ResultSummary(result, transaction_.recipients()).response());
    }
    std::string set_apart(const DeliveryResult& result) {
        const ResultSummary summary(result, transaction_.recipients());
        std::string out;
        for (const auto& one : transaction_.recipients())
            if (summary.sets_apart(one)) out += one.address().local_part();
        return out;
    }

public:
    void it_has_what_a_next_hop_needs() {
        add({"a@example.com"});
        transaction_.set_sender(FakeTransaction::address("s@example.net"));
        transaction_.envelope().requires_tls = true;
        transaction_.set_message("Subject: x\r\n\r\n");
        connection_.set_host("client.example");
        connection_.set_greeted(Greeted::ehlo, "hello.example");
        connection_.set_tls("TLSv1.3", "TLS_AES_256_GCM_SHA384");
        connection_.set_authenticated("joe", "PLAIN");
        const TransactionDelivery delivery(connection_, transaction_);
        CPPUNIT_ASSERT_EQUAL(transaction_.id(), std::string(delivery.id()));
        CPPUNIT_ASSERT(&delivery.envelope() == &transaction_.envelope() &&
                       &delivery.recipients() == &transaction_.recipients());
        CPPUNIT_ASSERT(&delivery.message() == &transaction_.message() && delivery.refused_recipients().empty() &&
                       !delivery.is_dry_run());
        const Origin& origin = delivery.origin();
        CPPUNIT_ASSERT_EQUAL(
            std::string("192.0.2.1 49152 client.example hello.example ESMTPSA joe PLAIN TLSv1.3"),
            format_text("{} {} {} {} {} {} {} {}", origin.address, origin.port, origin.host, origin.hello_host,
                        origin.protocol, origin.auth_user, origin.auth_mechanism, origin.tls.protocol));
        CPPUNIT_ASSERT(origin.is_authenticated() && !origin.forwarded);
        CPPUNIT_ASSERT(!delivery.replies_to_each());
        transaction_.set_prdr();
        CPPUNIT_ASSERT(TransactionDelivery(connection_, transaction_).replies_to_each());
        transaction_.set_prdr(false);
        connection_.set_lmtp();
        CPPUNIT_ASSERT(TransactionDelivery(connection_, transaction_).replies_to_each());
    }

    void a_next_hop_is_told_of_the_client_or_of_whom_that_speaks_for() {
        const auto told = [&](const Forwarded& about) {
            return format_text("{} {} {} {} {} {}", about.name, about.address, about.port, about.protocol, about.helo,
                               about.ident);
        };
        SessionUnderTest client;
        std::string seen;
        client.hooks.respond(HookId::rcpt, ok());
        client.hooks.on(HookId::queue, [&](HookContext& context) {
            seen = told(static_cast<const Delivery&>(context).to_forward());
            return fakes::conclude(context, delivered());
        });
        client.begin_data();
        client.say(".");
        CPPUNIT_ASSERT_EQUAL(std::string(" 192.0.2.1 49152 ESMTP client.example session-1"), seen);
        Envelope envelope;
        fakes::FakeLog log;
        Origin origin;
        origin.address = FakeConnection::ip("192.0.2.1");
        origin.forwarded = Forwarded{.name = "far.example",
                                     .address = FakeConnection::ip("198.51.100.7"),
                                     .port = 99,
                                     .protocol = "SMTP",
                                     .helo = "h",
                                     .ident = "Q1"};
        const Delivery delivery({.id = "x",
                                 .envelope = envelope,
                                 .recipients = transaction_.recipients(),
                                 .message = transaction_.message(),
                                 .origin = origin},
                                clock_, log);
        CPPUNIT_ASSERT_EQUAL(std::string("far.example 198.51.100.7 99 SMTP h Q1"), told(delivery.to_forward()));
    }

    void one_fate_for_all_is_an_answer() {
        add({"a@x", "b@x"});
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), response_to(delivered()));
        CPPUNIT_ASSERT_EQUAL(std::string("ok as 7"), response_to(delivered("as {}", 7)));
        CPPUNIT_ASSERT_EQUAL(std::string("deny 550 5.1.1 Who?"),
                             response_to(rejected("Who?").with_code(550).with_status({5, 1, 1})));
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 4.2.2 Mailbox full"), response_to(status::mbox_full));
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.2.2 Mailbox full"),
                             response_to(rejected(status::mbox_full).with_status({5, 2, 2})));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), response_to(not_mine()));
        CPPUNIT_ASSERT_EQUAL(std::string(), set_apart(delivered()) + set_apart(deferred()) + set_apart(rejected()));
        FakeTransaction nobody;  // plugins have removed them all
        CPPUNIT_ASSERT(ResultSummary(delivered(), nobody.recipients()).response().verdict == Verdict::ok);
    }

    void who_has_another_fate_is_set_apart() {
        add({"a@x", "b@x", "c@x"});
        DeliveryResult some = delivered("for {}", "all");
        some[recipient(1)] = deferred();
        CPPUNIT_ASSERT_EQUAL(std::string("ok for all, b"), response_to(some) + ", " + set_apart(some));
        DeliveryResult one = deferred("not yet");
        one[recipient(2)] = delivered("as c");
        CPPUNIT_ASSERT_EQUAL(std::string("ok as c, ab"), response_to(one) + ", " + set_apart(one));
        one[recipient(0)] = delivered("as a");
        CPPUNIT_ASSERT_EQUAL(std::string("ok, b"), response_to(one) + ", " + set_apart(one));  // they have no text in
                                                                                               // common
        DeliveryResult none = deferred("not yet");
        none[recipient(0)] = rejected("never");
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft not yet, a"), response_to(none) + ", " + set_apart(none));
        none[recipient(1)] = none[recipient(2)] = rejected("never");
        CPPUNIT_ASSERT_EQUAL(std::string("deny, abc"), response_to(none) + ", " + set_apart(none));
        none[recipient(1)] = deferred("later");
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft, abc"), response_to(none) + ", " + set_apart(none));
    }

    void each_fate_is_kept_logged_and_in_the_history() {
        add({"a@x", "b@x", "c@x"});
        TransactionDelivery delivery(connection_, transaction_);
        DeliveryResult result = delivered("as 7");
        result[recipient(1)] =
            rejected("No such user").with_code(550).with_status({5, 1, 1}).according_to("mx.example.net");
        result[recipient(2)] = deferred("Later").because("the disk is {}", "full").according_to("mx.example.net");
        (void)fakes::conclude(delivery, result);
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "(queue) rejected <b@x>: mx.example.net\n(queue) deferred <c@x>: mx.example.net: the disk is full\n"),
            log_.to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("as 7"), recipient(0).fate().reply.text);
        CPPUNIT_ASSERT(recipient(0).fate().is_delivered() && recipient(1).fate().is_rejected());
        const Fate& rejected = recipient(1).fate();
        CPPUNIT_ASSERT_EQUAL(std::string("550 5.1.1 No such user mx.example.net"),
                             format_text("{} {} {} {}", rejected.reply.code, rejected.reply.enhanced,
                                         rejected.reply.text, rejected.why()));
        CPPUNIT_ASSERT(recipient(2).fate().is_deferred());
        std::string told;
        for (const auto& entry : connection_.history().entries()) told += entry.to_string() + "\n";
        CPPUNIT_ASSERT_EQUAL(std::string("(queue) : deny 550 5.1.1 \"No such user\", for <b@x>\n(queue) : denysoft 450 "
                                         "4.7.1 \"Later\", for <c@x>\n"),
                             told);
        log_.clear();
        FakeTransaction other;
        other.add_recipient("a@x");
        TransactionDelivery failing(connection_, other);
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 451 Now"),
                             shown(fakes::conclude(failing, deferred("Now").with_code(451).because("it is night"))));
        CPPUNIT_ASSERT_EQUAL(std::string("(queue) deferred: it is night\n"), log_.to_string());
        CPPUNIT_ASSERT(other.recipients()[0].fate().kind == Fate::Kind::unknown);
    }

    void what_is_declined_leaves_no_trace() {
        add({"a@x"});
        TransactionDelivery delivery(connection_, transaction_);
        CPPUNIT_ASSERT(ServerAccess::result(delivery).is_declined());
        (void)fakes::conclude(delivery, not_mine());
        CPPUNIT_ASSERT(ServerAccess::result(delivery).is_declined());
        CPPUNIT_ASSERT(recipient(0).fate().kind == Fate::Kind::unknown && log_.lines().empty());
    }

    void each_recipient_is_told_what_was_said_about_it() {
        SessionUnderTest client;
        client.settings.protocol = Protocol::lmtp;
        client.hooks.respond(HookId::rcpt, ok());
        client.hooks.on(HookId::queue, [](HookContext& context) {
            const auto& recipients = static_cast<const Delivery&>(context).recipients();
            DeliveryResult result = delivered();
            result[recipients[0]] = replied({250, {2, 0, 0}, "Ok: queued as 4XYZ"}, "mx.example.net");
            result[recipients[1]] = replied({550, {5, 1, 1}, "No such user"}, "mx.example.net");
            result[recipients[2]] = replied({421, {4, 3, 2}, "Going down"}, "mx.example.net");
            return fakes::conclude(context, std::move(result));
        });
        client.start();
        client.feed(
            "LHLO x\r\nMAIL FROM:<s@x>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nRCPT "
            "TO:<d@x>\r\nDATA\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0 <a@x>: Ok: queued as 4XYZ session-1\r\n"
                                         "550 5.1.1 <b@x>: No such user session-1\r\n"
                                         "450 4.3.2 <c@x>: Going down session-1\r\n"
                                         "250 2.0.0 <d@x>: Queued! session-1\r\n"),
                             client.say("."));
    }

    void the_log_says_who_delivered_and_where_to() {
        add({"a@x", "b@x"});
        const auto set = [&](std::size_t index, Fate fate, const char* plugin = "queue/x") {
            fate.plugin = plugin;
            ServerAccess::set_fate(static_cast<Transaction&>(transaction_).recipients().at(index), std::move(fate));
        };
        CPPUNIT_ASSERT_EQUAL(std::string(" to=<a@x>,<b@x>"), recipients_text(transaction_));
        CPPUNIT_ASSERT_EQUAL(std::string(), delivered_text(transaction_));
        set(0, delivered());
        set(1, delivered());
        CPPUNIT_ASSERT_EQUAL(std::string(" by=queue/x"), delivered_text(transaction_));
        set(0, delivered().in("/in/new/1"));
        set(1, delivered().in("/in/new/1"));
        CPPUNIT_ASSERT_EQUAL(std::string(" by=queue/x in=\"/in/new/1\""), delivered_text(transaction_));
        set(1, replied({250, {2, 0, 0}, "Ok"}, "mx.example.net"));
        CPPUNIT_ASSERT_EQUAL(std::string(" by=queue/x in=\"/in/new/1,mx.example.net\""), delivered_text(transaction_));
        set(0, delivered().in("a\"\n\xff"));
        CPPUNIT_ASSERT_EQUAL(std::string(" by=queue/x in=\"a\\\"\\x0a\\xff,mx.example.net\""),
                             delivered_text(transaction_));
        set(1, deferred("later"));
        CPPUNIT_ASSERT_EQUAL(std::string(" by=queue/x in=\"a\\\"\\x0a\\xff\""), delivered_text(transaction_));
    }

    void observers_see_each_fate() {
        SessionUnderTest client;
        client.settings.mixed_results = MixedResults::accept;
        client.hooks.respond(HookId::rcpt, ok());
        client.hooks.on(HookId::queue, [](HookContext& context) {
            DeliveryResult result = delivered("as 1");
            result[static_cast<const Delivery&>(context).recipients()[1]] = rejected("Full");
            return fakes::conclude(context, std::move(result));
        });
        std::string seen;
        client.hooks.on(HookId::queue_post, [&](HookContext& context) {
            const auto& hook = static_cast<QueuePostHook&>(context);
            for (const auto& one : hook.transaction.recipients())
                seen += one.address().to_string() + " " + one.fate().to_string() + "\n";
            for (const auto& one : hook.transaction.refused_recipients())
                seen += one.address().to_string() + " " + one.fate().reply.text + "\n";
            seen += hook.reply_text;
            return declined();
        });
        client.greet();
        client.feed("MAIL FROM:<s@x>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n");
        client.say(".");
        CPPUNIT_ASSERT_EQUAL(std::string("a@x delivered as 1\nb@x Full\nas 1 session-1"), seen);
    }

    void fates_can_be_read() {
        CPPUNIT_ASSERT_EQUAL(std::string("unknown"), Fate().to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("delivered as 7"), delivered("as {}", 7).to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("deferred 4.2.2 Mailbox full"), Fate(status::mbox_full).to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("rejected 550 5.1.1 No such user (mx)"),
                             replied({550, {5, 1, 1}, "No such user"}, "mx").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("impossible"), Fate(static_cast<Fate::Kind>(9), "").to_string());
    }

    void a_reply_becomes_a_fate() {
        const std::pair<int, const char*> rows[] = {
            {250, "delivered 250"}, {251, "delivered 251"}, {450, "deferred 450"}, {421, "deferred 421"},
            {550, "rejected 550"},  {354, "deferred"},      {0, "deferred"}};
        for (const auto& [code, expected] : rows)
            CPPUNIT_ASSERT_EQUAL(std::string(expected), replied({code, {}, ""}, "").to_string());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(TransactionDeliveryTest);

}  // namespace
}  // namespace smtpd::engine
