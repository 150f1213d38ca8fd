/// session_data_test.cc: the message from 354 to the final reply: where it ends, what the server keeps, adds and
/// refuses.
#include "engine/server_access.h"
#include "fakes/session_under_test.h"
#include "fakes/temp_directory.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace smtpd::engine {
namespace {

using fakes::codes;
using fakes::repeated;
using fakes::SessionUnderTest;
using namespace std::string_literals;

constexpr auto reject = smtp::BareNewline::reject;
constexpr auto normalize = smtp::BareNewline::normalize;
constexpr auto accept = smtp::BareNewline::accept;

/// A queued message without the Received field on top, which is three or four lines.
std::string without_received(const std::string& message) {
    CPPUNIT_ASSERT_EQUAL(std::string("Received: "), message.substr(0, 10));
    std::size_t end = message.find("\r\n") + 2;
    while (message[end] == '\t') end = message.find("\r\n", end) + 2;
    return message.substr(end);
}

class SessionDataTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionDataTest);
    CPPUNIT_TEST(a_message_is_queued_as_it_came);
    CPPUNIT_TEST(the_message_can_be_empty);
    CPPUNIT_TEST(no_stray_dot_ends_a_message_under_any_policy);
    CPPUNIT_TEST(a_true_end_is_one_whatever_stands_before_it);
    CPPUNIT_TEST(nothing_behind_a_message_with_a_bare_newline_is_a_command);
    CPPUNIT_TEST(normalize_mends_and_accept_keeps);
    CPPUNIT_TEST(exempt_clients_may_send_bare_newlines);
    CPPUNIT_TEST(the_defect_is_logged_with_its_place);
    CPPUNIT_TEST(commands_behind_the_message_are_answered);
    CPPUNIT_TEST(a_message_that_is_too_large_is_refused_at_its_end);
    CPPUNIT_TEST(the_limit_counts_the_message_as_it_is_kept);
    CPPUNIT_TEST(a_header_that_is_too_large_is_refused);
    CPPUNIT_TEST(sizes_are_judged_alike_however_the_message_is_cut);
    CPPUNIT_TEST(a_line_that_is_too_long_is_refused);
    CPPUNIT_TEST(a_full_disk_is_a_soft_refusal);
    CPPUNIT_TEST(hooks_see_the_message_in_their_order);
    CPPUNIT_TEST(the_last_command_is_forgotten_when_the_message_comes);
    CPPUNIT_TEST(chunks_are_the_message);
    CPPUNIT_TEST(the_header_is_complete_once_and_in_time);
    CPPUNIT_TEST(a_message_refused_at_its_header_is_dropped);
    CPPUNIT_TEST(hanging_up_at_the_header_drops_the_rest);
    CPPUNIT_TEST(the_first_reason_is_told);
    CPPUNIT_TEST(received_is_on_top);
    CPPUNIT_TEST(a_plugin_may_write_the_received_field);
    CPPUNIT_TEST(a_hostile_helo_adds_no_field);
    CPPUNIT_TEST(results_are_added_and_forged_ones_disowned);
    CPPUNIT_TEST(results_are_written_once_after_data_post);
    CPPUNIT_TEST(results_are_utf8_where_the_message_is);
    CPPUNIT_TEST(complaints_that_are_not_told_end_with_the_transaction);
    CPPUNIT_TEST(results_of_one_message_do_not_show_in_the_next);
    CPPUNIT_TEST(the_authserv_id_can_be_set_or_switched_off);
    CPPUNIT_TEST(a_message_answered_by_a_plugin_is_over);
    CPPUNIT_TEST(a_plugins_reply_carries_the_id_once);
    CPPUNIT_TEST(one_message_after_another);
    CPPUNIT_TEST(a_transaction_knows_its_message);
    CPPUNIT_TEST_SUITE_END();

public:
    void a_message_is_queued_as_it_came() {
        const std::string text = "Subject: x\r\nTo: y\r\n\r\none\r\n.two\r\n..\r\n\r\n\xff\x80\x01 \r\n";
        const std::string stuffed = "Subject: x\r\nTo: y\r\n\r\none\r\n..two\r\n...\r\n\r\n\xff\x80\x01 \r\n.\r\n";
        client_.hooks.accept_mail();
        client_.begin_data();
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0 Queued! session-1\r\n"), client_.feed(stuffed));
        CPPUNIT_ASSERT_EQUAL(text, without_received(client_.hooks.queued.at(0)));
    }

    void the_message_can_be_empty() {
        CPPUNIT_ASSERT_EQUAL(std::string("250"), sent(client_, ".\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string(), without_received(client_.hooks.queued.at(0)));
    }

    void no_stray_dot_ends_a_message_under_any_policy() {
        const std::string crlf = "\r\n", lf = "\n", cr = "\r", crcrlf = "\r\r\n", nul = "\0"s;
        const std::vector<std::string> stray = {
            lf + "." + lf,           cr + "." + cr,           cr + "." + lf,
            lf + "." + cr,           lf + "." + crlf,         crlf + "." + lf,
            cr + "." + crlf,         crlf + "." + cr + "x",   lf + "." + crcrlf,
            crlf + nul + "." + crlf, crlf + "." + crcrlf,     crcrlf + "." + crcrlf,
            crcrlf + "." + lf,       cr + "." + crcrlf,       lf + cr + "." + lf,
            crlf + "." + nul + crlf, crcrlf + "." + cr + "x", crlf + "." + cr + nul + lf};
        const std::vector<std::string> harmless = {crlf + " ." + crlf, crlf + ". " + crlf, crlf + ".." + crlf,
                                                   "\x85.\x85", "\\r\\n.\\r\\n"};
        for (const auto policy : {reject, normalize, accept})
            for (const std::size_t piece : {std::size_t(1) << 20, std::size_t(1), std::size_t(2), std::size_t(3)}) {
                for (const auto& form : stray) check_stray(policy, form, piece, policy == reject ? "554" : "250");
                for (const auto& form : harmless) check_stray(policy, form, piece, "250");
            }
    }

    void a_true_end_is_one_whatever_stands_before_it() {
        for (const std::string before : {"x\r", "x\n", "x\r\r", "\r\n.\n"}) {
            SessionUnderTest client;
            client.hooks.accept_mail();
            client.begin_data();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(before, std::string("554"), codes(client.feed(before + "\r\n.\r\nNOOP\r\n")));
        }
    }

    /// RFC 5321 2.3.8, and smuggling: the sender may not have seen an end where we have seen one.
    void nothing_behind_a_message_with_a_bare_newline_is_a_command() {
        const struct {
            const char* name;
            std::string text;
            std::string codes;
            bool is_closed;
            std::uint64_t max_size = 0;
        } rows[] = {{"CR CR LF in front of the end", "x\r\r\n.\r\n", "554", true},
                    {"LF", "x\ny\r\n.\r\n", "554", true},
                    {"in a message that is too large as well", repeated("x", 60) + "\r\r\n.\r\n", "552", true, 50},
                    {"too large and clean", repeated("x", 60) + "\r\n.\r\n", "552 250 250 503", false, 50},
                    {"NUL", "\0\r\n.\r\n"s, "554 250 250 503", false}};
        for (const auto policy : {reject, normalize, accept})
            for (const auto& row : rows)
                for (const std::size_t piece : {std::size_t(1) << 20, std::size_t(1), std::size_t(3)}) {
                    SessionUnderTest client;
                    client.settings.bare_newline = policy;
                    client.settings.max_message_size = row.max_size;
                    client.hooks.accept_mail();
                    client.begin_data();
                    const std::string text = row.text + "NOOP\r\nMAIL FROM:<evil@example.com>\r\nDATA\r\n";
                    std::string output;
                    for (std::size_t at = 0; at < text.size(); at += piece)
                        output += client.feed(text.substr(at, piece));
                    const bool is_strict = policy == reject;
                    const auto expected = is_strict ? row.codes
                                                    : (row.max_size != 0 ? "552"s : "250"s) + " 250 250 503";
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, expected, codes(output));
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, is_strict && row.is_closed, client.is_closed());
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, is_strict && row.is_closed,
                                                 client.log.contains("bare CR or LF in the message"));
                }
    }

    void normalize_mends_and_accept_keeps() {
        const std::string text = "Subject: x\r\n\r\na\nb\rc\r\r\nd\0e\n.\nf\r\n.\r\n"s;
        SessionUnderTest mends;
        mends.settings.bare_newline = normalize;
        CPPUNIT_ASSERT_EQUAL(std::string("250"), sent(mends, text));
        CPPUNIT_ASSERT_EQUAL(std::string("Subject: x\r\n\r\na\r\nb c \r\nd e\r\n.\r\nf\r\n"),
                             without_received(mends.hooks.queued.at(0)));
        SessionUnderTest keeps;
        keeps.settings.bare_newline = accept;
        CPPUNIT_ASSERT_EQUAL(std::string("250"), sent(keeps, text));
        CPPUNIT_ASSERT_EQUAL(text.substr(0, text.size() - 3), without_received(keeps.hooks.queued.at(0)));
        CPPUNIT_ASSERT_EQUAL(std::string("554"), sent(client_, text));
        CPPUNIT_ASSERT(client_.hooks.queued.empty());
    }

    void exempt_clients_may_send_bare_newlines() {
        client_.settings.bare_newline_exempt.push_back(*IpNetwork::parse("192.0.2.1"));
        CPPUNIT_ASSERT_EQUAL(std::string("250"), sent(client_, "a\nb\r\n.\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string("\r\na\nb\r\n"), without_received(client_.hooks.queued.at(0)));
        SessionUnderTest v6;
        v6.settings.bare_newline_exempt.push_back(*IpNetwork::parse("2001:db8::/32"));
        CPPUNIT_ASSERT_EQUAL(std::string("554"), sent(v6, "a\nb\r\n.\r\n"));
    }

    void the_defect_is_logged_with_its_place() {
        CPPUNIT_ASSERT_EQUAL(std::string("554"), sent(client_, "Subject: x\r\n\r\nline\n.\r\nMAIL\r\n.\r\n"));
        CPPUNIT_ASSERT(client_.log.contains("bare LF in the message at octet 18: \"\\r\\n\\r\\nline\\n.\\r\\nMAIL"));
        CPPUNIT_ASSERT(client_.log.contains("refused from=<sender@client.example> to=<user@example.com>"));
    }

    void commands_behind_the_message_are_answered() {
        client_.hooks.accept_mail();
        client_.begin_data();
        CPPUNIT_ASSERT_EQUAL(
            std::string("250 250 250 354 250 221"),
            codes(client_.feed("one\r\n.\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\ntwo\r\n.\r\nQUIT\r\n")));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), client_.hooks.queued.size());
    }

    void a_message_that_is_too_large_is_refused_at_its_end() {
        client_.settings.max_message_size = 1000;
        client_.hooks.accept_mail();
        client_.begin_data();
        for (int i = 0; i < 1000; ++i) CPPUNIT_ASSERT_EQUAL(std::string(), client_.feed("0123456789\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string("552 5.3.4 Message is too large session-1\r\n250 2.0.0 OK\r\n"),
                             client_.feed(".\r\nNOOP\r\n"));
        CPPUNIT_ASSERT(client_.hooks.queued.empty());
    }

    void the_limit_counts_the_message_as_it_is_kept() {
        const auto said = [](const std::string& text) {
            SessionUnderTest client;
            client.settings.max_message_size = 20;
            return sent(client, text);
        };
        CPPUNIT_ASSERT_EQUAL(std::string("250"), said("0123456789\r\n012345\r\n.\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string("552"), said("0123456789\r\n0123456\r\n.\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string("250"), said("0123456789\r\n..12345\r\n.\r\n"));
    }

    void a_header_that_is_too_large_is_refused() {
        client_.settings.spool.max_header_size = 100;
        CPPUNIT_ASSERT_EQUAL(std::string("552"),
                             sent(client_, "X: " + std::string(200, 'x') + "\r\n\r\ntext\r\n.\r\n"));
        SessionUnderTest body;
        body.settings.spool.max_header_size = 100;
        CPPUNIT_ASSERT_EQUAL(std::string("250"), sent(body, "X: y\r\n\r\n" + std::string(200, 'x') + "\r\n.\r\n"));
    }

    void sizes_are_judged_alike_however_the_message_is_cut() {
        const std::string text = "X: " + std::string(300, 'x') + "\r\n\r\n" + std::string(300, 'x') + "\r\n.\r\n";
        for (const std::uint64_t header_limit : {100, 400})
            for (const std::uint64_t limit : {50, 200, 350, 500, 1000}) {
                std::string first;
                for (const std::size_t piece :
                     {std::size_t(1) << 20, std::size_t(1), std::size_t(7), std::size_t(310)}) {
                    SessionUnderTest client;
                    client.settings.max_message_size = limit;
                    client.settings.spool.max_header_size = header_limit;
                    client.hooks.accept_mail();
                    client.hooks.respond(HookId::data_headers_end, deny("bad header"));
                    client.begin_data();
                    std::string output;
                    for (std::size_t at = 0; at < text.size(); at += piece)
                        output += client.feed(text.substr(at, piece));
                    if (first.empty()) first = output;
                    CPPUNIT_ASSERT_EQUAL(first, output);
                }
            }
    }

    void a_line_that_is_too_long_is_refused() {
        const auto said = [](const std::string& text) {
            SessionUnderTest client;
            client.settings.max_text_line = 998;
            return sent(client, text);
        };
        CPPUNIT_ASSERT_EQUAL(std::string("250"), said("X: y\r\n\r\n" + std::string(998, 'x') + "\r\n.\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string("554"), said("X: y\r\n\r\n" + std::string(999, 'x') + "\r\n.\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string("250"), said("X: y\r\n\r\n.." + std::string(997, 'x') + "\r\n.\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string("250"), sent(client_, "X: y\r\n\r\n" + std::string(99999, 'x') + "\r\n.\r\n"));
    }

    void a_full_disk_is_a_soft_refusal() {
        client_.settings.spool.directory = "/nowhere/at/all";
        client_.settings.spool.threshold = 10;
        CPPUNIT_ASSERT_EQUAL(std::string("451"),
                             sent(client_, "X: y\r\n\r\n" + std::string(200000, 'x') + "\r\n.\r\n"));
        CPPUNIT_ASSERT(client_.hooks.queued.empty());
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(client_.say("MAIL FROM:<a@b>")));

        const fakes::TempDirectory spool;
        SessionUnderTest spooling;
        spooling.settings.spool.directory = spool.path();
        spooling.settings.spool.threshold = 10;
        const std::string body = std::string(200000, 'x') + "\r\n";
        CPPUNIT_ASSERT_EQUAL(std::string("250"), sent(spooling, "X: y\r\n\r\n" + body + ".\r\n"));
        CPPUNIT_ASSERT_EQUAL("X: y\r\n\r\n" + body, without_received(spooling.hooks.queued.at(0)));
        CPPUNIT_ASSERT(spool.is_empty());
    }

    void hooks_see_the_message_in_their_order() {
        const auto order = {HookId::data,          HookId::data_headers_end, HookId::data_post_headers,
                            HookId::received_line, HookId::data_post,        HookId::queue_pre,
                            HookId::queue,         HookId::queue_post,       HookId::reset_transaction};
        client_.hooks.accept_mail();
        for (const auto hook : order) client_.hooks.watch(hook);
        client_.begin_data();
        client_.feed("Subject: x\r\n\r\ntext\r\n.\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("data data_headers_end data_post_headers received_line data_post queue_pre "
                                         "queue queue_post reset_transaction"),
                             client_.hooks.order_of(order));
    }

    void the_last_command_is_forgotten_when_the_message_comes() {
        std::string seen;
        for (const auto hook : {HookId::data, HookId::data_post})
            client_.hooks.on(hook, [&](HookContext& context) {
                seen += "[" + fakes::connection_of(context).last_line() + "]";
                return declined();
            });
        sent(client_, ".\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("[DATA][]"), seen);
    }

    void chunks_are_the_message() {
        for (const std::size_t piece : {std::size_t(1) << 20, std::size_t(1), std::size_t(5)}) {
            SessionUnderTest client;
            std::string seen;
            client.hooks.accept_mail();
            client.hooks.on(HookId::data_chunk, [&](HookContext& context) {
                seen += static_cast<fakes::ChunkContext&>(context).chunk;
                return declined();
            });
            client.begin_data();
            const std::string text = "Subject: x\r\n\r\n..dots\r\ntext\r\n.\r\n";
            for (std::size_t at = 0; at < text.size(); at += piece) client.feed(text.substr(at, piece));
            CPPUNIT_ASSERT_EQUAL(std::string("Subject: x\r\n\r\n.dots\r\ntext\r\n"), seen);
        }
    }

    void the_header_is_complete_once_and_in_time() {
        const struct {
            std::string first, rest, subject;
            std::size_t calls;  ///< before the rest arrived
        } rows[] = {{"Subject: x\r\n\r\n", "text\r\n.\r\n", "x", 1},
                    {"Subject: x\r\nTo: y\r\n", ".\r\n", "x", 0},
                    {"", ".\r\n", "-", 0},
                    {"\r\n", "text\r\n.\r\n", "-", 1},
                    {"no header here\r\n", ".\r\n", "-", 1},
                    {"Subject: x\r\n\r", "\ntext\r\n.\r\n", "x", 0}};
        for (const auto& row : rows) {
            SessionUnderTest client;
            client.hooks.accept_mail();
            std::string subject;
            client.hooks.on(HookId::data_headers_end, [&](HookContext& context) {
                subject = static_cast<MessageHook&>(context).message().headers().get("Subject").value_or("-");
                return declined();
            });
            client.begin_data();
            client.feed(row.first);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.first, row.calls, client.hooks.count(HookId::data_headers_end));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.first, std::string("250"), codes(client.feed(row.rest)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.first, std::size_t(1), client.hooks.count(HookId::data_headers_end));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.first, row.subject, subject);
        }
    }

    void a_message_refused_at_its_header_is_dropped() {
        client_.hooks.accept_mail();
        client_.hooks.respond(HookId::data_headers_end, deny("bad header"));
        client_.hooks.watch(HookId::data_post_headers);
        client_.begin_data();
        CPPUNIT_ASSERT_EQUAL(std::string(), client_.feed("Subject: x\r\n\r\n" + std::string(100000, 'x')));
        CPPUNIT_ASSERT_EQUAL(std::string("552 5.7.1 bad header session-1\r\n250 2.0.0 OK\r\n"),
                             client_.feed("\r\n.\r\nNOOP\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.hooks.count(HookId::data_post_headers));
    }

    void hanging_up_at_the_header_drops_the_rest() {
        for (const std::size_t piece : {std::size_t(1) << 20, std::size_t(1)}) {
            SessionUnderTest client;
            client.hooks.accept_mail();
            client.hooks.watch(HookId::reset_transaction);
            client.hooks.respond(HookId::data_headers_end, deny_disconnect("go away"));
            client.begin_data();
            const std::string text = "Subject: x\r\n\r\ntext\r\n.\r\nMAIL FROM:<a@b>\r\n";
            std::string output;
            for (std::size_t at = 0; at < text.size(); at += piece) output += client.feed(text.substr(at, piece));
            CPPUNIT_ASSERT_EQUAL(std::string("554 5.7.1 go away session-1\r\n"), output);
            CPPUNIT_ASSERT(client.is_closed());
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.hooks.count(HookId::reset_transaction));
            CPPUNIT_ASSERT(client.hooks.queued.empty());
        }
        SessionUnderTest at_end;
        at_end.hooks.accept_mail();
        at_end.hooks.respond(HookId::data_headers_end, denysoft_disconnect());
        at_end.begin_data();
        CPPUNIT_ASSERT_EQUAL(std::string("421"), codes(at_end.feed("Subject: x\r\n.\r\nNOOP\r\n")));
        CPPUNIT_ASSERT(at_end.is_closed());
    }

    void the_first_reason_is_told() {
        client_.hooks.accept_mail();
        client_.hooks.respond(HookId::data_headers_end, deny("bad header"));
        client_.settings.max_message_size = 100;
        client_.begin_data();
        CPPUNIT_ASSERT_EQUAL(std::string("552 5.7.1 bad header session-1\r\n"),
                             client_.feed("Subject: x\r\n\r\n" + std::string(1000, 'x') + "\n\r\n.\r\n"));
    }

    void received_is_on_top() {
        setenv("TZ", "UTC", 1);
        tzset();
        CPPUNIT_ASSERT_EQUAL(std::string("250"), sent(client_, "Subject: x\r\n\r\ntext\r\n.\r\n"));
        CPPUNIT_ASSERT_EQUAL(
            std::string("Received: from client.example (unknown [192.0.2.1])\r\n\tby mx.example.com (mod_smtpd) with "
                        "ESMTP id session-1\r\n"
                        "\tfor <user@example.com>;\r\n\tFri, 20 Nov 2026 18:27:00 +0000\r\nSubject: x\r\n\r\ntext\r\n"),
            client_.hooks.queued.at(0));
    }

    void a_plugin_may_write_the_received_field() {
        std::string seen;
        client_.hooks.on(HookId::received_line, [&](HookContext& context) {
            auto& hook = static_cast<ReceivedLineHook&>(context);
            seen = std::string(hook.protocol) + " " + hook.value.substr(0, 19);
            hook.value = "from nobody\n\tby us";
            return ok();
        });
        sent(client_, "Subject: x\r\n\r\n.\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("ESMTP from client.example"), seen);
        CPPUNIT_ASSERT_EQUAL(std::string("Received: from nobody\r\n\tby us\r\nSubject: x\r\n\r\n"),
                             client_.hooks.queued.at(0));

        SessionUnderTest declines;
        declines.hooks.on(HookId::received_line, [](HookContext& context) {
            static_cast<ReceivedLineHook&>(context).value = "nonsense";
            return declined();
        });
        sent(declines, "Subject: x\r\n\r\n.\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("Subject: x\r\n\r\n"), without_received(declines.hooks.queued.at(0)));
        CPPUNIT_ASSERT(declines.hooks.queued.at(0).find("nonsense") == std::string::npos);
    }

    void a_hostile_helo_adds_no_field() {
        client_.hooks.accept_mail();
        client_.start();
        client_.feed(
            "EHLO x)\rX-Evil:1\r\nEHLO a(b)c;d\\e\"f<g>\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: "
            "x\r\n\r\n.\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("Subject: x\r\n\r\n"), without_received(client_.hooks.queued.at(0)));
        CPPUNIT_ASSERT(client_.hooks.queued.at(0).find("Received: from a?b?c?d?e?f?g? (unknown [192.0.2.1])\r\n") == 0);
    }

    void results_are_added_and_forged_ones_disowned() {
        client_.hooks.on(HookId::data_post_headers, [](HookContext& context) {
            ServerAccess::results(*static_cast<SessionContext&>(context).transaction_or_null())
                .add({.method = "spf", .result = "fail", .properties = {{"smtp", "mailfrom", "client.example"}}});
            return declined();
        });
        sent(client_,
             "Authentication-Results: mx.example.com; spf=pass\r\nAuthentication-Results: mx.example.com; "
             "dkim=pass\r\nSubject: "
             "x\r\n\r\n.\r\n");
        const std::string& queued = client_.hooks.queued.at(0);
        CPPUNIT_ASSERT_EQUAL(
            std::size_t(0),
            queued.find(
                "Authentication-Results: mx.example.com;\r\n\tspf=fail smtp.mailfrom=client.example\r\nReceived: "));
        CPPUNIT_ASSERT(queued.find("\r\nOriginal-Authentication-Results: mx.example.com; spf=pass\r\n"
                                   "Original-Authentication-Results: mx.example.com; dkim=pass\r\nSubject: x\r\n") !=
                       std::string::npos);
    }

    /// A plugin that reads headers sees neither a forged field nor ours; plugins after data_post see ours, above the
    /// fields that plugins have added.
    void results_are_written_once_after_data_post() {
        std::string seen;
        const auto look = [&seen](HookContext& context) {
            const Headers& headers = static_cast<SessionContext&>(context).transaction_or_null()->message().headers();
            seen += std::string(hook_name(context.hook)) + ":";
            headers.for_each([&](const HeaderField& field) { seen += " " + std::string(field.name); });
            seen += headers.original().find("Authentication-Results: mx.example.com; spf=pass") == 0 ? " (original)\n"
                                                                                                     : "\n";
            return declined();
        };
        for (const auto hook : {HookId::data_headers_end, HookId::data_post_headers, HookId::queue_pre})
            client_.hooks.on(hook, look);
        client_.hooks.on(HookId::data_post, [&](HookContext& context) {
            (void)look(context);
            Transaction& transaction = *static_cast<SessionContext&>(context).transaction_or_null();
            transaction.message().headers().prepend("X-Spam", "No");
            ServerAccess::results(transaction).add({.method = "dmarc", .result = "none"});
            return declined();
        });
        client_.hooks.on(HookId::data_post_rcpt, [&](HookContext& context) {
            (void)look(context);
            CPPUNIT_ASSERT(
                ServerAccess::results(*static_cast<SessionContext&>(context).transaction_or_null()).is_closed());
            ServerAccess::results(*static_cast<SessionContext&>(context).transaction_or_null())
                .add({.method = "late", .result = "pass"});
            return declined();
        });
        sent(client_, "Authentication-Results: mx.example.com; spf=pass\r\nSubject: x\r\n\r\n.\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("data_headers_end: Original-Authentication-Results Subject (original)\n"
                                         "data_post_headers: Original-Authentication-Results Subject (original)\n"
                                         "data_post: Received Original-Authentication-Results Subject (original)\n"
                                         "data_post_rcpt: Authentication-Results X-Spam Received "
                                         "Original-Authentication-Results Subject (original)\n"
                                         "queue_pre: Authentication-Results X-Spam Received "
                                         "Original-Authentication-Results Subject (original)\n"),
                             seen);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0),
                             client_.hooks.queued.at(0).find(
                                 "Authentication-Results: mx.example.com;\r\n\tdmarc=none\r\nX-Spam: No\r\n"));
    }

    /// Only a message that needs SMTPUTF8 anyway gets UTF-8 in the field.
    void results_are_utf8_where_the_message_is() {
        const auto field = [](const char* subject, const char* parameters) {
            SessionUnderTest client;
            client.hooks.on(HookId::data_post, [](HookContext& context) {
                ServerAccess::results(*static_cast<SessionContext&>(context).transaction_or_null())
                    .add({.method = "spf",
                          .result = "pass",
                          .properties = {{"smtp", "mailfrom", "j\xc3\xb6rg@client.example"}}});
                return declined();
            });
            client.hooks.accept_mail();
            client.greet();
            client.feed(std::string("MAIL FROM:<a@b>") + parameters +
                        "\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: " + subject + "\r\n\r\n.\r\n");
            const std::string& queued = client.hooks.queued.at(0);
            return queued.substr(0, queued.find("\r\nReceived"));
        };
        const std::string start = "Authentication-Results: mx.example.com;\r\n\tspf=pass smtp.mailfrom=";
        CPPUNIT_ASSERT_EQUAL(start + "\"j?\?rg@client.example\"", field("x", ""));
        CPPUNIT_ASSERT_EQUAL(start + "\"j?\?rg@client.example\"", field("x", " SMTPUTF8"));
        CPPUNIT_ASSERT_EQUAL(start + "\"j\xc3\xb6rg@client.example\"", field("\xc3\xbc", " SMTPUTF8"));
    }

    /// A complaint about one transaction that the client was not told does not apply to the next.
    void complaints_that_are_not_told_end_with_the_transaction() {
        unsigned number = 0;
        client_.hooks.accept_mail();
        client_.hooks.on(HookId::mail, [&](HookContext& context) {
            fakes::connection_of(context).complain(
                {.plugin = "p" + std::to_string(++number), .subject = HookSubject::sender, .is_told = number == 1});
            return declined();
        });
        client_.greet();
        const auto names = [&] {
            std::string out;
            for (const auto& one : client_.session().complaints()) out += one.plugin + " ";
            return out;
        };
        client_.feed("MAIL FROM:<a@b>\r\nRSET\r\nMAIL FROM:<b@b>\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("p1 p2 "), names());
        client_.feed("RSET\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("p1 "), names());
    }

    void results_of_one_message_do_not_show_in_the_next() {
        bool first = true;
        client_.hooks.on(HookId::data_post_headers, [&](HookContext& context) {
            if (first)
                ServerAccess::results(*static_cast<SessionContext&>(context).transaction_or_null())
                    .add({.method = "spf", .result = "fail"});
            first = false;
            return declined();
        });
        sent(client_, ".\r\n");
        client_.feed("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\n");
        CPPUNIT_ASSERT(client_.hooks.queued.at(0).find("spf=fail") != std::string::npos);
        CPPUNIT_ASSERT(client_.hooks.queued.at(1).find("Authentication-Results") == std::string::npos);
    }

    void the_authserv_id_can_be_set_or_switched_off() {
        const auto queued = [](std::string id) {
            SessionUnderTest client;
            client.settings.authserv_id = std::move(id);
            client.hooks.on(HookId::data_post_headers, [](HookContext& context) {
                ServerAccess::results(*static_cast<SessionContext&>(context).transaction_or_null())
                    .add({.method = "spf", .result = "fail"});
                return declined();
            });
            sent(client, "Authentication-Results: mx.example.com; spf=pass\r\n\r\n.\r\n");
            return client.hooks.queued.at(0);
        };
        CPPUNIT_ASSERT_EQUAL(std::size_t(0),
                             queued("auth.example").find("Authentication-Results: auth.example;\r\n\tspf=fail\r\n"));
        CPPUNIT_ASSERT(queued("auth.example").find("\r\nAuthentication-Results: mx.example.com; spf=pass\r\n") !=
                       std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), queued("none").find("Received: "));
        CPPUNIT_ASSERT(queued("none").find("\r\nAuthentication-Results: mx.example.com; spf=pass\r\n") !=
                       std::string::npos);
    }

    void a_message_answered_by_a_plugin_is_over() {
        for (const auto hook : {HookId::data_post_headers, HookId::data_post, HookId::queue_pre, HookId::queue}) {
            SessionUnderTest client;
            client.hooks.accept_mail();
            client.hooks.watch(HookId::reset_transaction);
            client.hooks.on(hook, [](HookContext& context) {
                fakes::connection_of(context).send({250, {2, 6, 0}, "mine"});
                return Response(Verdict::done);
            });
            client.begin_data();
            CPPUNIT_ASSERT_EQUAL(std::string("250 2.6.0 mine\r\n503 5.5.1 Send MAIL first\r\n"),
                                 client.feed("text\r\n.\r\nDATA\r\n"));
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.hooks.count(HookId::reset_transaction));
        }
    }

    void a_plugins_reply_carries_the_id_once() {
        const auto said = [](Response response) {
            SessionUnderTest client;
            client.hooks.accept_mail();
            client.hooks.respond(HookId::queue, std::move(response));
            client.begin_data();
            return client.feed(".\r\n");
        };
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0 taken session-1\r\n"), said(ok("taken")));
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0 session-1 is mine\r\n"), said(ok("session-1 is mine")));
        CPPUNIT_ASSERT_EQUAL(std::string("250-2.0.0 one\r\n250 2.0.0 two session-1\r\n"), said(ok("one\ntwo\n")));
        CPPUNIT_ASSERT_EQUAL(std::string("552 5.2.3 too much session-1\r\n"),
                             said(deny("too much").with_status({5, 2, 3})));
    }

    void one_message_after_another() {
        client_.hooks.accept_mail();
        client_.greet();
        for (int i = 1; i <= 100; ++i) {
            const auto number = std::to_string(i);
            client_.feed("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
            CPPUNIT_ASSERT_EQUAL("250 2.0.0 Queued! session-" + number + "\r\n",
                                 client_.feed("Number: " + number + "\r\n\r\n.\r\n"));
            CPPUNIT_ASSERT_EQUAL("Number: " + number + "\r\n\r\n", without_received(client_.hooks.queued.back()));
        }
        CPPUNIT_ASSERT_EQUAL(100U, client_.session().messages());
    }

    void a_transaction_knows_its_message() {
        const message::SpoolSettings spool;
        MailTransaction transaction("x-1", spool);
        CPPUNIT_ASSERT_EQUAL(std::string("x-1"), transaction.id());
        CPPUNIT_ASSERT(transaction.stored().append("Subject: old\r\n\r\nbody"));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(20), static_cast<const Transaction&>(transaction).message().size());
        transaction.begin_message();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), transaction.message().size());
        CPPUNIT_ASSERT(transaction.message().headers().empty());
        CPPUNIT_ASSERT(!transaction.envelope().declared_size);
        transaction.envelope().declared_size = 5;
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(5), *transaction.envelope().declared_size);
    }

private:
    /// A message with that form in it, followed by what an attacker would want to be a second message: it is one
    /// message, or none.
    static void check_stray(smtp::BareNewline policy, const std::string& form, std::size_t piece,
                            const std::string& expected) {
        SessionUnderTest client;
        client.settings.bare_newline = policy;
        client.hooks.accept_mail();
        client.begin_data();
        const std::string text = "Subject: x\r\n\r\nbefore" + form +
                                 "MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nSubject: "
                                 "smuggled\r\n\r\nx\r\n.\r\n";
        std::string output;
        for (std::size_t at = 0; at < text.size(); at += piece) output += client.feed(text.substr(at, piece));
        const std::string name = quoted(form) + " under policy " + std::to_string(static_cast<int>(policy)) + " by " +
                                 std::to_string(piece);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(name, expected, codes(output));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::size_t(expected == "250" ? 1 : 0), client.hooks.queued.size());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::size_t(1), client.hooks.count(HookId::rcpt));
        if (expected == "250")
            CPPUNIT_ASSERT_MESSAGE(name,
                                   client.hooks.queued[0].find("RCPT TO:<victim@example.com>") != std::string::npos);
    }

    /// The codes of the replies after that message.
    static std::string sent(SessionUnderTest& client, const std::string& text) {
        client.hooks.accept_mail();
        client.begin_data();
        return codes(client.feed(text));
    }

    SessionUnderTest client_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(SessionDataTest);

}  // namespace
}  // namespace smtpd::engine
