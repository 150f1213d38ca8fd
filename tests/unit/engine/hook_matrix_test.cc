/// hook_matrix_test.cc: each hook × each verdict: the reply, whether the connection is closed, and whether the command
/// had its effect.
#include "fakes/session_under_test.h"
#include "support/strings.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace smtpd::engine {
namespace {

using fakes::codes;
using fakes::SessionUnderTest;

constexpr Verdict verdicts[] = {Verdict::ok,       Verdict::declined,        Verdict::deny,
                                Verdict::denysoft, Verdict::deny_disconnect, Verdict::denysoft_disconnect,
                                Verdict::done};

/// How to reach a hook.
struct Way {
    HookId hook;
    std::string before;   ///< sent first, while the hook gives no answer
    std::string trigger;  ///< makes the hook answer; "" if start() does
    std::string probe;    ///< sent next: its reply shows whether the trigger had an effect
};

const std::string hello = "EHLO client.example\r\n";
const std::string sender = hello + "MAIL FROM:<a@client.example>\r\n";
const std::string recipient = sender + "RCPT TO:<user@example.com>\r\n";
const std::string data = recipient + "DATA\r\n";
const std::string message = "Subject: x\r\n\r\ntext\r\n.\r\n";
const std::string new_mail = "MAIL FROM:<b@client.example>\r\n";

const Way ways[] = {
    {HookId::pre_connection, "", "", hello},
    {HookId::connect, "", "", hello},
    {HookId::helo_parse, "", "HELO client.example\r\n", new_mail},
    {HookId::ehlo_parse, "", hello, new_mail},
    {HookId::helo, "", "HELO client.example\r\n", new_mail},
    {HookId::ehlo, "", hello, new_mail},
    {HookId::auth_parse, hello, "AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n", "AUTH PLAIN\r\n"},
    {HookId::auth_plain, hello, "AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n", "AUTH PLAIN\r\n"},
    {HookId::auth_login, hello + "AUTH LOGIN am9l\r\n", "c2VjcmV0\r\n", "AUTH LOGIN\r\n"},
    {HookId::auth_cram_md5, hello + "AUTH CRAM-MD5\r\n", "am9lIDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm\r\n",
     "AUTH CRAM-MD5\r\n"},
    {HookId::auth_scram_sha_1, hello, "AUTH SCRAM-SHA-1 biwsbj1qb2Uscj1yYW5kb20=\r\n", "AUTH SCRAM-SHA-1\r\n"},
    {HookId::auth_scram_sha_256, hello, "AUTH SCRAM-SHA-256 biwsbj1qb2Uscj1yYW5kb20=\r\n", "AUTH SCRAM-SHA-256\r\n"},
    {HookId::auth_external, hello, "AUTH EXTERNAL am9l\r\n", "AUTH EXTERNAL\r\n"},
    {HookId::auth_bearer, hello, "AUTH XOAUTH2 dXNlcj1qb2UBYXV0aD1CZWFyZXIgdG9rZW4BAQ==\r\n", "AUTH XOAUTH2\r\n"},
    {HookId::auth, hello, "AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n", "AUTH PLAIN\r\n"},
    {HookId::auth_result, hello, "AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n", "AUTH PLAIN\r\n"},
    {HookId::mail_parse, hello, "MAIL FROM:<a@client.example>\r\n", "RCPT TO:<user@example.com>\r\n"},
    {HookId::mail_pre, hello, "MAIL FROM:<a@client.example>\r\n", "RCPT TO:<user@example.com>\r\n"},
    {HookId::mail, hello, "MAIL FROM:<a@client.example>\r\n", "RCPT TO:<user@example.com>\r\n"},
    {HookId::rcpt_parse, sender, "RCPT TO:<user@example.com>\r\n", "DATA\r\n"},
    {HookId::rcpt_pre, sender, "RCPT TO:<user@example.com>\r\n", "DATA\r\n"},
    {HookId::rcpt, sender, "RCPT TO:<user@example.com>\r\n", "DATA\r\n"},
    {HookId::data, recipient, "DATA\r\n", "RCPT TO:<user@example.com>\r\n.\r\n"},
    {HookId::data_chunk, data, message, new_mail},
    {HookId::data_headers_end, data, message, new_mail},
    {HookId::data_post_headers, data, message, new_mail},
    {HookId::received_line, data, message, new_mail},
    {HookId::data_post, data, message, new_mail},
    {HookId::data_post_rcpt, data, message, new_mail},
    {HookId::queue_pre, data, message, new_mail},
    {HookId::queue, data, message, new_mail},
    {HookId::queue_post, data, message, new_mail},
    {HookId::reset_transaction, recipient, "RSET\r\n", new_mail},
    {HookId::vrfy, sender, "VRFY user\r\n", "RCPT TO:<user@example.com>\r\n"},
    {HookId::noop, sender, "NOOP\r\n", "RCPT TO:<user@example.com>\r\n"},
    {HookId::help, sender, "HELP\r\n", "RCPT TO:<user@example.com>\r\n"},
    {HookId::unrecognized_command, sender, "WHAT IS THIS\r\n", "RCPT TO:<user@example.com>\r\n"},
    {HookId::quit, sender, "QUIT\r\n", "NOOP\r\n"},
    {HookId::disconnect, sender, "QUIT\r\n", "NOOP\r\n"},
    {HookId::post_connection, sender, "QUIT\r\n", "NOOP\r\n"},
};

/// The effect of each verdict, in the order of `verdicts`: the codes of the trigger and of the probe with "/" between;
/// "-" is silence, "closed" means that there is no session left to probe.
struct Cells {
    HookId hook;
    const char* cells[7];
};

// clang-format off
const Cells table[] = {
    // hook                        ok            declined      deny          denysoft      deny_disc.    denysoft_disc.
    // done
    {HookId::pre_connection,       {"220/250",    "220/250",    "550/closed", "451/closed", "550/closed", "451/closed", "220/250"}},
    {HookId::connect,              {"220/250",    "220/250",    "550/closed", "450/closed", "550/closed", "450/closed", "-/250"}},
    {HookId::helo_parse,           {"250/250",    "250/250",    "501/503",    "451/503",    "501/closed", "451/closed", "-/503"}},
    {HookId::ehlo_parse,           {"250/250",    "250/250",    "501/503",    "451/503",    "501/closed", "451/closed", "-/503"}},
    {HookId::helo,                 {"250/250",    "250/250",    "550/503",    "450/503",    "550/closed", "450/closed", "-/503"}},
    {HookId::ehlo,                 {"250/250",    "250/250",    "550/503",    "450/503",    "550/closed", "450/closed", "-/503"}},
    {HookId::auth_parse,           {"235/503",    "235/503",    "501/334",    "451/334",    "501/closed", "451/closed", "-/334"}},
    {HookId::auth_plain,           {"235/503",    "535/334",    "535/334",    "454/334",    "535/closed", "421/closed", "-/334"}},
    {HookId::auth_login,           {"235/503",    "535/334",    "535/334",    "454/334",    "535/closed", "421/closed", "-/334"}},
    {HookId::auth_cram_md5,        {"235/503",    "535/334",    "535/334",    "454/334",    "535/closed", "421/closed", "-/334"}},
    // of SCRAM's user nothing is told before the client has sent its proof
    {HookId::auth_scram_sha_1,     {"334/501",    "334/501",    "334/501",    "454/334",    "535/closed", "421/closed", "-/334"}},
    {HookId::auth_scram_sha_256,   {"334/501",    "334/501",    "334/501",    "454/334",    "535/closed", "421/closed", "-/334"}},
    {HookId::auth_external,        {"235/503",    "535/334",    "535/334",    "454/334",    "535/closed", "421/closed", "-/334"}},
    // the mechanism's own word for a refusal, which the client answers
    {HookId::auth_bearer,          {"235/503",    "334/535",    "334/535",    "454/334",    "535/closed", "421/closed", "-/334"}},
    {HookId::auth,                 {"235/503",    "535/334",    "535/334",    "454/334",    "535/closed", "421/closed", "-/334"}},
    {HookId::auth_result,          {"235/503",    "235/503",    "235/503",    "235/503",    "235/503",    "235/503",    "235/503"}},
    {HookId::mail_parse,           {"250/250",    "250/250",    "501/503",    "451/503",    "501/closed", "451/closed", "-/503"}},
    {HookId::mail_pre,             {"250/250",    "250/250",    "501/503",    "451/503",    "501/closed", "451/closed", "-/503"}},
    {HookId::mail,                 {"250/250",    "250/250",    "550/503",    "450/503",    "550/closed", "421/closed", "-/503"}},
    {HookId::rcpt_parse,           {"250/354",    "250/354",    "501/503",    "451/503",    "501/closed", "451/closed", "-/503"}},
    {HookId::rcpt_pre,             {"250/354",    "250/354",    "501/503",    "451/503",    "501/closed", "451/closed", "-/503"}},
    {HookId::rcpt,                 {"250/354",    "450/503",    "550/503",    "450/503",    "550/closed", "421/closed", "-/503"}},
    {HookId::data,                 {"354/250",    "354/250",    "554/503 500", "451/503 500", "554/closed", "451/closed", "-/503 500"}},
    {HookId::data_chunk,           {"250/250",    "250/250",    "250/250",    "250/250",    "250/250",    "250/250",    "250/250"}},
    {HookId::data_headers_end,     {"250/250",    "250/250",    "552/250",    "452/250",    "554/closed", "421/closed", "250/250"}},
    {HookId::data_post_headers,    {"250/250",    "250/250",    "552/250",    "452/250",    "552/closed", "452/closed", "-/250"}},
    {HookId::received_line,        {"250/250",    "250/250",    "250/250",    "250/250",    "250/250",    "250/250",    "250/250"}},
    {HookId::data_post,            {"250/250",    "250/250",    "552/250",    "452/250",    "552/closed", "452/closed", "-/250"}},
    {HookId::data_post_rcpt,       {"250/250",    "250/250",    "550/250",    "450/250",    "550/closed", "450/closed", "250/250"}},
    {HookId::queue_pre,            {"250/250",    "250/250",    "552/250",    "452/250",    "552/closed", "452/closed", "-/250"}},
    {HookId::queue,                {"250/250",    "451/250",    "552/250",    "452/250",    "451/250",    "451/250",    "-/250"}},
    {HookId::queue_post,           {"250/250",    "250/250",    "250/250",    "250/250",    "250/250",    "250/250",    "250/250"}},
    {HookId::reset_transaction,    {"250/250",    "250/250",    "250/250",    "250/250",    "250/250",    "250/250",    "250/250"}},
    {HookId::vrfy,                 {"250/250",    "252/250",    "554/250",    "252/250",    "252/250",    "252/250",    "-/250"}},
    {HookId::noop,                 {"250/250",    "250/250",    "500/250",    "250/250",    "500/closed", "250/250",    "-/250"}},
    {HookId::help,                 {"214/250",    "214/250",    "500/250",    "214/250",    "214/250",    "214/250",    "-/250"}},
    {HookId::unrecognized_command, {"500/250",    "500/250",    "500/250",    "500/250",    "521/closed", "500/250",    "-/250"}},
    {HookId::quit,                 {"221/closed", "221/closed", "221/closed", "221/closed", "221/closed", "221/closed", "-/closed"}},
    {HookId::disconnect,           {"221/closed", "221/closed", "221/closed", "221/closed", "221/closed", "221/closed", "221/closed"}},
    {HookId::post_connection,      {"221/closed", "221/closed", "221/closed", "221/closed", "221/closed", "221/closed", "221/closed"}},
};
// clang-format on

const Way& way_to(HookId hook) {
    for (const auto& way : ways)
        if (way.hook == hook) return way;
    throw std::logic_error("no way to that hook");
}

std::string name_of(HookId hook, Verdict verdict) {
    return std::string(hook_name(hook)) + " × " + std::string(verdict_name(verdict));
}

/// A session that has reached the hook; `output` is the result of the trigger.
struct Walk {
    explicit Walk(const Way& way, const Response& response) {
        client.hooks.accept_mail();
        const bool is_auth = way.hook >= HookId::auth_parse && way.hook <= HookId::auth_result;
        if (is_auth) {
            client.hooks.watch(way.hook);  // what nobody handles is not offered
            if (way.hook == HookId::auth_parse || way.hook == HookId::auth_result)
                client.hooks.respond(HookId::auth, ok());
            for (const auto& mechanism : auth_mechanisms) client.settings.auth_mechanisms.add(mechanism);
        }
        client.hooks.watch(HookId::reset_transaction);
        client.hooks.watch(HookId::disconnect);
        client.hooks.watch(HookId::post_connection);
        if (way.trigger.empty()) client.hooks.respond(way.hook, response);
        output = is_auth ? client.start_encrypted(fakes::tls_facts_with_certificate()) : client.start();
        if (way.trigger.empty()) return;
        client.feed(way.before);
        client.hooks.respond(way.hook, response);
        client.hooks.calls.clear();
        output = client.feed(way.trigger);
    }

    SessionUnderTest client;
    std::string output;
};

/// The hook answers once; it gives no answer to the probe, so the probe shows only the effect of the trigger.
std::string outcome(const Way& way, const Response& response) {
    Walk walk(way, response);
    if (walk.client.is_closed()) return (walk.output.empty() ? "-" : codes(walk.output)) + "/closed";
    const bool needed = way.hook == HookId::rcpt || way.hook == HookId::queue;
    walk.client.hooks.respond(way.hook, needed ? ok() : declined());
    return (walk.output.empty() ? "-" : codes(walk.output)) + "/" + codes(walk.client.feed(way.probe));
}

/// Every line of a reply has an enhanced code of the class of the reply code, except in greetings, 3xx and the replies
/// to HELO and EHLO.
bool has_status(std::string_view reply) {
    return reply.size() > 10 && reply[4] == reply[0] && reply[5] == '.' && support::is_digit(reply[6]) &&
           reply.find(' ', 5) != std::string_view::npos;
}

class HookMatrixTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HookMatrixTest);
    CPPUNIT_TEST(every_verdict_leads_to_what_the_table_says);
    CPPUNIT_TEST(the_table_covers_every_hook_of_the_dialogue);
    CPPUNIT_TEST(a_plugins_text_replaces_the_default);
    CPPUNIT_TEST(a_plugins_code_and_status_are_used_where_they_fit);
    CPPUNIT_TEST(a_code_that_contradicts_the_verdict_is_not_used);
    CPPUNIT_TEST(every_refusal_has_text_and_status);
    CPPUNIT_TEST(many_lines_of_text_become_one_reply);
    CPPUNIT_TEST(closing_runs_the_closing_hooks_once);
    CPPUNIT_TEST(refused_messages_are_not_queued);
    CPPUNIT_TEST(queue_post_follows_the_queue_hook_only);
    CPPUNIT_TEST(chains_stop_where_a_stage_is_refused);
    CPPUNIT_TEST_SUITE_END();

public:
    void every_verdict_leads_to_what_the_table_says() {
        for (const auto& row : table)
            for (std::size_t i = 0; i < std::size(verdicts); ++i)
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name_of(row.hook, verdicts[i]), std::string(row.cells[i]),
                                             outcome(way_to(row.hook), verdicts[i]));
    }

    void the_table_covers_every_hook_of_the_dialogue() {
        for (unsigned i = 0; i < static_cast<unsigned>(HookId::deny); ++i) {
            const auto hook = static_cast<HookId>(i);
            const auto rows = std::count_if(std::begin(table), std::end(table),
                                            [hook](const Cells& cells) { return cells.hook == hook; });
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(hook_name(hook)), std::ptrdiff_t(1), rows);
        }
    }

    void a_plugins_text_replaces_the_default() {
        for (const auto& row : table)
            for (const auto verdict : verdicts) {
                if (!is_denial(verdict)) continue;
                Walk walk(way_to(row.hook), Response(verdict, "words of a plugin"));
                const bool takes_text = walk.output.find("words of a plugin") != std::string::npos;
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name_of(row.hook, verdict) + ": " + walk.output,
                                             uses_text(row.hook, verdict), takes_text);
            }
    }

    void a_plugins_code_and_status_are_used_where_they_fit() {
        struct Row {
            HookId hook;
            Response response;
            const char* reply;
        };
        const Row rows[] = {
            {HookId::rcpt, Response(Verdict::deny, "gone").with_code(551).with_status({5, 1, 6}), "551 5.1.6 gone\r\n"},
            {HookId::rcpt, Response(Verdict::denysoft, "full").with_code(452).with_status({4, 2, 2}),
             "452 4.2.2 full\r\n"},
            {HookId::rcpt, Response(status::no_such_user), "550 5.1.1 No such user\r\n"},
            {HookId::rcpt, Response(status::mbox_full), "450 4.2.2 Mailbox full\r\n"},
            {HookId::rcpt, Response(Verdict::ok, "forwarded").with_code(251).with_status({2, 1, 5}),
             "251 2.1.5 forwarded\r\n"},
            {HookId::mail, Response(Verdict::deny_disconnect, "bye").with_code(521), "521 5.7.1 bye\r\n"},
            {HookId::connect, Response(Verdict::deny, "no mail here").with_code(554), "554 5.7.1 no mail here\r\n"},
            {HookId::connect, Response(Verdict::denysoft, "later").with_code(421).with_status({4, 3, 2}),
             "421 4.3.2 later\r\n"},
            {HookId::vrfy, Response(Verdict::ok, "<user@example.com>"), "250 2.1.5 <user@example.com>\r\n"},
            {HookId::noop, Response(Verdict::ok, "still here"), "250 2.0.0 still here\r\n"},
            {HookId::help, Response(Verdict::ok, "one\ntwo"), "214-2.0.0 one\r\n214 2.0.0 two\r\n"},
            {HookId::quit, Response(Verdict::ok, "a fortune"), "221 2.0.0 a fortune\r\n"},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL(std::string(row.reply), Walk(way_to(row.hook), row.response).output);
    }

    void a_code_that_contradicts_the_verdict_is_not_used() {
        const struct {
            HookId hook;
            Response response;
            const char* reply;
        } rows[] = {
            {HookId::rcpt, Response(Verdict::deny, "no").with_code(250), "550 5.7.1 no\r\n"},
            {HookId::rcpt, Response(Verdict::deny, "no").with_code(450), "550 5.7.1 no\r\n"},
            {HookId::rcpt, Response(Verdict::denysoft, "no").with_code(550), "450 4.7.1 no\r\n"},
            {HookId::rcpt, Response(Verdict::denysoft, "no").with_code(421), "450 4.7.1 no\r\n"},
            {HookId::rcpt, Response(Verdict::ok, "yes").with_code(354), "250 2.1.5 yes\r\n"},
            {HookId::rcpt, Response(Verdict::ok, "yes").with_code(550), "250 2.1.5 yes\r\n"},
            {HookId::rcpt, Response(Verdict::deny, "no").with_code(999), "550 5.7.1 no\r\n"},
            {HookId::rcpt, Response(Verdict::deny, "no").with_code(-1), "550 5.7.1 no\r\n"},
            {HookId::rcpt, Response(Verdict::deny, "no").with_status({2, 1, 5}), "550 5.1.5 no\r\n"},
            {HookId::data, Response(Verdict::ok, "yes").with_code(250), "354 Go ahead, end with <CRLF>.<CRLF>\r\n"},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL(std::string(row.reply), Walk(way_to(row.hook), row.response).output);
    }

    void every_refusal_has_text_and_status() {
        for (const auto& row : table)
            for (const auto verdict : verdicts) {
                const auto output = Walk(way_to(row.hook), verdict).output;
                const bool plain = output.empty() || output.substr(0, 3) == "220" || output.substr(0, 3) == "354" ||
                                   output.substr(0, 3) == "334" ||
                                   ((row.hook == HookId::helo_parse || row.hook == HookId::ehlo_parse ||
                                     row.hook == HookId::helo || row.hook == HookId::ehlo) &&
                                    output.substr(0, 3) == "250");
                if (!plain) CPPUNIT_ASSERT_MESSAGE(name_of(row.hook, verdict) + ": " + output, has_status(output));
            }
    }

    void many_lines_of_text_become_one_reply() {
        for (const auto hook : {HookId::ehlo, HookId::mail, HookId::rcpt, HookId::data, HookId::unrecognized_command})
            CPPUNIT_ASSERT_MESSAGE(
                std::string(hook_name(hook)),
                Walk(way_to(hook), deny("one\n\nthree\r\n")).output.find(" one\r\n") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::string("550-5.7.1 one\r\n550-5.7.1\r\n550 5.7.1 three\r\n"),
                             Walk(way_to(HookId::mail), deny("one\n\nthree\r\n")).output);
        CPPUNIT_ASSERT_EQUAL(std::string("552-5.7.1 one\r\n552 5.7.1 two session-1\r\n"),
                             Walk(way_to(HookId::data_post), deny("one\ntwo\n")).output);
    }

    void closing_runs_the_closing_hooks_once() {
        for (const auto& row : table)
            for (std::size_t i = 0; i < std::size(verdicts); ++i) {
                if (row.hook == HookId::disconnect || row.hook == HookId::post_connection) continue;
                Walk walk(way_to(row.hook), verdicts[i]);
                const std::size_t expected = walk.client.is_closed() ? 1 : 0;
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name_of(row.hook, verdicts[i]), expected,
                                             walk.client.hooks.count(HookId::disconnect));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name_of(row.hook, verdicts[i]), expected,
                                             walk.client.hooks.count(HookId::post_connection));
                walk.client.destroy();
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name_of(row.hook, verdicts[i]), std::size_t(1),
                                             walk.client.hooks.count(HookId::disconnect));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name_of(row.hook, verdicts[i]), std::size_t(1),
                                             walk.client.hooks.count(HookId::post_connection));
            }
    }

    void refused_messages_are_not_queued() {
        for (const auto hook :
             {HookId::data_headers_end, HookId::data_post_headers, HookId::data_post, HookId::queue_pre})
            for (const auto verdict : verdicts) {
                Walk walk(way_to(hook), verdict);
                const bool accepted = codes(walk.output) == "250";
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name_of(hook, verdict), std::size_t(accepted ? 1 : 0),
                                             walk.client.hooks.queued.size());
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name_of(hook, verdict), std::uint32_t(accepted ? 1 : 0),
                                             walk.client.session().messages());
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name_of(hook, verdict), std::size_t(1),
                                             walk.client.hooks.count(HookId::reset_transaction));
            }
    }

    void queue_post_follows_the_queue_hook_only() {
        const auto calls = [](HookId hook, Verdict verdict) {
            SessionUnderTest client;
            client.hooks.accept_mail();
            std::string told;
            client.hooks.on(HookId::queue_post, [&](HookContext& context) {
                told = static_cast<QueuePostHook&>(context).reply_text;
                return declined();
            });
            client.hooks.respond(hook, verdict);
            client.start();
            client.feed(data + message);
            return std::to_string(client.hooks.count(HookId::queue_post)) + " " + told;
        };
        CPPUNIT_ASSERT_EQUAL(std::string("1 Queued! session-1"), calls(HookId::queue, Verdict::ok));
        CPPUNIT_ASSERT_EQUAL(std::string("1 Queuing declined or disabled, try again later session-1"),
                             calls(HookId::queue, Verdict::declined));
        CPPUNIT_ASSERT_EQUAL(std::string("1 Message denied session-1"), calls(HookId::queue, Verdict::deny));
        CPPUNIT_ASSERT_EQUAL(std::string("0 "), calls(HookId::queue, Verdict::done));
        CPPUNIT_ASSERT_EQUAL(std::string("0 "), calls(HookId::data_post, Verdict::deny));
        CPPUNIT_ASSERT_EQUAL(std::string("0 "), calls(HookId::queue_pre, Verdict::denysoft));
        CPPUNIT_ASSERT_EQUAL(std::string("0 "), calls(HookId::data_headers_end, Verdict::deny));
    }

    void chains_stop_where_a_stage_is_refused() {
        constexpr HookId stages[] = {HookId::data_headers_end, HookId::data_post_headers, HookId::data_post,
                                     HookId::queue_pre, HookId::queue};
        for (std::size_t refused = 0; refused < std::size(stages); ++refused) {
            SessionUnderTest client;
            client.hooks.accept_mail();
            for (const auto stage : stages) client.hooks.respond(stage, ok());
            client.hooks.respond(stages[refused], deny());
            client.start();
            client.feed(data + message);
            for (std::size_t i = 0; i < std::size(stages); ++i)
                CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(hook_name(stages[i])), std::size_t(i <= refused ? 1 : 0),
                                             client.hooks.count(stages[i]));
        }
    }

private:
    /// Whether the reply has the plugin's text: not if no client sees the refusal, or if the engine uses its own text.
    static bool uses_text(HookId hook, Verdict verdict) {
        switch (hook) {
            case HookId::auth_scram_sha_1:
            case HookId::auth_scram_sha_256:
            case HookId::auth_bearer: return verdict != Verdict::deny;  // the text comes later, behind a challenge
            case HookId::auth_result:
            case HookId::data_chunk:
            case HookId::received_line:
            case HookId::queue_post:
            case HookId::reset_transaction:
            case HookId::disconnect:
            case HookId::post_connection: return false;
            case HookId::vrfy:
            case HookId::help: return verdict == Verdict::deny;
            case HookId::noop:
            case HookId::unrecognized_command: return verdict == Verdict::deny || verdict == Verdict::deny_disconnect;
            default: return true;
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(HookMatrixTest);

}  // namespace
}  // namespace smtpd::engine
