#include "engine/message_pipeline.h"
#include "engine/server_access.h"

#include <cppunit/extensions/HelperMacros.h>

#include <functional>
#include <string>

namespace smtpd::engine {
namespace {

using Kind = MessagePipeline::Result::Kind;
using namespace std::string_literals;

/// A transaction with recipients a@example.com, b@example.com …, and its pipeline.
struct Message {
    explicit Message(unsigned recipients, const MessagePipeline::Rules& rules = {})
        : transaction("t-1", spool), pipeline(transaction, rules) {
        for (char name = 'a'; recipients-- > 0; ++name) {
            const auto path = "<"s + name + "@example.com>";
            transaction.add_recipient(path, Recipient(*Address::parse_path(path, {}), {}));
        }
    }

    /// Answers questions by hook and recipient, and returns the course: "data_post_headers data_post … = judged 250
    /// queued".
    std::string run(const std::function<Response(HookId, std::size_t)>& response) {
        std::string out;
        for (;;) {
            const auto next = pipeline.next();
            if (const auto* const result = std::get_if<MessagePipeline::Result>(&next))
                return out + "= " + text(*result);
            const auto& ask = std::get<MessagePipeline::Ask>(next);
            CPPUNIT_ASSERT(pipeline.is_asking());
            using Field = MessagePipeline::Field;
            const bool is_behind = ask.hook != HookId::data_post_headers && ask.hook != HookId::data_post;
            const auto field = ask.hook == HookId::data_post                    ? Field::received
                               : is_behind && !std::exchange(has_results, true) ? Field::authentication_results
                                                                                : Field::none;
            CPPUNIT_ASSERT_MESSAGE(std::string(hook_name(ask.hook)), field == ask.field);
            out += std::string(hook_name(ask.hook)) + " ";
            pipeline.answered(response(ask.hook, pipeline.recipient()), {});
            CPPUNIT_ASSERT(!pipeline.is_asking());
        }
    }
    static std::string text(const MessagePipeline::Result& result) {
        const std::string kind = result.kind == Kind::answered  ? "answered"
                                 : result.kind == Kind::refused ? "refused"
                                                                : "judged";
        return kind + " " + std::to_string(result.reply.code) + (result.was_at_queue ? " at-queue" : "") +
               (result.is_queued ? " queued" : "") + (result.disconnects ? " closes" : "");
    }

    message::SpoolSettings spool;
    MailTransaction transaction;
    MessagePipeline pipeline;
    bool has_results = false;  ///< the pipeline has asked for the field Authentication-Results
};

/// Gives this answer at the hook, none elsewhere, and ok at the queue.
std::function<Response(HookId, std::size_t)> at(HookId where, Verdict verdict) {
    return [=](HookId hook, std::size_t) {
        return hook == where ? Response(verdict) : hook == HookId::queue ? ok() : declined();
    };
}

const std::string two_judged = "data_post_headers data_post data_post_rcpt data_post_rcpt queue_pre ";

class MessagePipelineTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MessagePipelineTest);
    CPPUNIT_TEST(stages_come_in_order_and_the_queue_decides);
    CPPUNIT_TEST(recipients_are_judged_one_by_one_where_somebody_does);
    CPPUNIT_TEST(a_denial_ends_it_at_its_stage);
    CPPUNIT_TEST(a_plugin_that_has_answered_ends_it);
    CPPUNIT_TEST(without_recipients_nothing_is_queued);
    CPPUNIT_TEST(nothing_is_queued_where_the_one_reply_is_a_refusal);
    CPPUNIT_TEST(where_each_has_a_reply_the_rest_is_queued);
    CPPUNIT_TEST(closing_waits_for_the_last_recipient);
    CPPUNIT_TEST(recipients_that_plugins_remove_or_add_do_not_disturb);
    CPPUNIT_TEST(another_priority_is_told);
    CPPUNIT_TEST_SUITE_END();

public:
    void stages_come_in_order_and_the_queue_decides() {
        const std::pair<Verdict, const char*> rows[] = {{Verdict::ok, "judged 250 at-queue queued"},
                                                        {Verdict::declined, "judged 451 at-queue"},
                                                        {Verdict::deny, "judged 552 at-queue"},
                                                        {Verdict::denysoft, "judged 452 at-queue"},
                                                        {Verdict::done, "answered 0 at-queue"}};
        for (const auto& [verdict, expected] : rows)
            CPPUNIT_ASSERT_EQUAL("data_post_headers data_post queue_pre queue = "s + expected,
                                 Message(2).run(at(HookId::queue, verdict)));
    }

    void recipients_are_judged_one_by_one_where_somebody_does() {
        std::string judged;
        const auto response = [&](HookId hook, std::size_t recipient) {
            if (hook == HookId::data_post_rcpt) judged += std::to_string(recipient);
            return hook == HookId::queue ? ok() : declined();
        };
        CPPUNIT_ASSERT_EQUAL(
            "data_post_headers data_post data_post_rcpt data_post_rcpt data_post_rcpt queue_pre queue "
            "= judged 250 at-queue queued"s,
            Message(3, {.judges_recipients = true}).run(response));
        CPPUNIT_ASSERT_EQUAL("012"s, judged);
    }

    void a_denial_ends_it_at_its_stage() {
        const std::pair<HookId, const char*> stages[] = {{HookId::data_post_headers, "data_post_headers"},
                                                         {HookId::data_post, "data_post_headers data_post"},
                                                         {HookId::queue_pre, "data_post_headers data_post queue_pre"}};
        for (const auto& [hook, asked] : stages) {
            CPPUNIT_ASSERT_EQUAL(asked + " = refused 552"s, Message(1).run(at(hook, Verdict::deny)));
            CPPUNIT_ASSERT_EQUAL(asked + " = refused 452 closes"s,
                                 Message(1).run(at(hook, Verdict::denysoft_disconnect)));
        }
    }

    void a_plugin_that_has_answered_ends_it() {
        CPPUNIT_ASSERT_EQUAL("data_post_headers = answered 0"s,
                             Message(1).run(at(HookId::data_post_headers, Verdict::done)));
    }

    void without_recipients_nothing_is_queued() {
        Message all(2, {.judges_recipients = true});
        CPPUNIT_ASSERT_EQUAL("data_post_headers data_post data_post_rcpt data_post_rcpt = judged 250"s,
                             all.run(at(HookId::data_post_rcpt, Verdict::deny)));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), all.transaction.refused_recipients().size());
        Message by_message(1);
        CPPUNIT_ASSERT_EQUAL("data_post_headers = judged 250"s, by_message.run([&](HookId, std::size_t) {
            ServerAccess::set_fate(by_message.transaction.recipients()[0], rejected("no"));
            return declined();
        }));
    }

    void nothing_is_queued_where_the_one_reply_is_a_refusal() {
        CPPUNIT_ASSERT_EQUAL(two_judged + "= judged 250",
                             Message(2, {.judges_recipients = true}).run(against_first(Verdict::deny)));
        CPPUNIT_ASSERT_EQUAL(two_judged + "queue = judged 250 at-queue queued",
                             Message(2, {.mixed_results = MixedResults::accept, .judges_recipients = true})
                                 .run(against_first(Verdict::deny)));
    }

    void where_each_has_a_reply_the_rest_is_queued() {
        Message lmtp(2, {.is_lmtp = true, .judges_recipients = true}), prdr(2, {.judges_recipients = true});
        prdr.transaction.set_prdr();
        for (auto* const message : {&lmtp, &prdr}) {
            CPPUNIT_ASSERT_EQUAL(two_judged + "queue = judged 250 at-queue queued",
                                 message->run(against_first(Verdict::deny)));
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), message->transaction.recipients().size());
        }
    }

    void closing_waits_for_the_last_recipient() {
        Message message(2, {.is_lmtp = true, .judges_recipients = true});
        CPPUNIT_ASSERT_EQUAL(two_judged + "queue = judged 250 at-queue queued closes",
                             message.run(against_first(Verdict::deny_disconnect)));
    }

    void recipients_that_plugins_remove_or_add_do_not_disturb() {
        Message message(3, {.judges_recipients = true});
        unsigned calls = 0;
        const auto trace = message.run([&](HookId hook, std::size_t) {
            auto& recipients = message.transaction.recipients();
            if (hook == HookId::data_post_rcpt && ++calls == 1)
                recipients.erase(recipients.begin() + 1, recipients.end());
            return hook == HookId::queue ? ok() : hook == HookId::data_post_rcpt && calls > 1 ? deny() : declined();
        });
        CPPUNIT_ASSERT_EQUAL("data_post_headers data_post data_post_rcpt queue_pre queue = judged 250 at-queue queued"s,
                             trace);
    }

    void another_priority_is_told() {
        Message message(1, {.tells_priority = true});
        message.transaction.set_priority(3);
        CPPUNIT_ASSERT_EQUAL("data_post_headers data_post queue_pre queue = judged 250 at-queue queued"s,
                             message.run(at(HookId::queue, Verdict::ok)));
        CPPUNIT_ASSERT_EQUAL("3 is the priority of this message"s,
                             std::get<MessagePipeline::Result>(message.pipeline.next()).reply.text);
    }

private:
    static std::function<Response(HookId, std::size_t)> against_first(Verdict verdict) {
        return [=](HookId hook, std::size_t recipient) {
            if (hook == HookId::queue) return ok();
            return hook == HookId::data_post_rcpt && recipient == 0 ? Response(verdict) : declined();
        };
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(MessagePipelineTest);

}  // namespace
}  // namespace smtpd::engine
