/// session_chunks_test.cc: BDAT (RFC 3030): chunks of every kind, cut everywhere, refused everywhere, mixed with
/// everything.
#include "fakes/session_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace smtpd::engine {
namespace {

using namespace std::string_literals;
using fakes::codes;
using fakes::SessionUnderTest;

const std::string message = "Subject: x\r\n\r\nHello\r\n.\r\n..\r\nQUIT\r\n";

std::string bdat(std::string_view octets, bool last = false) {
    return "BDAT " + std::to_string(octets.size()) + (last ? " LAST" : "") + "\r\n" + std::string(octets);
}

std::string status(const std::string& output) { return output.substr(0, 9); }

class SessionChunksTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionChunksTest);
    CPPUNIT_TEST(a_message_comes_in_one_chunk);
    CPPUNIT_TEST(a_message_comes_in_chunks_of_any_size);
    CPPUNIT_TEST(a_pipelined_message_may_be_cut_anywhere);
    CPPUNIT_TEST(chunks_of_nothing_are_chunks);
    CPPUNIT_TEST(binary_is_kept_as_it_is);
    CPPUNIT_TEST(no_smuggling_form_is_special);
    CPPUNIT_TEST(bare_newlines_follow_the_policy);
    CPPUNIT_TEST(a_header_of_binary_is_text_all_the_same);
    CPPUNIT_TEST(lines_have_their_limit);
    CPPUNIT_TEST(a_message_that_is_too_large_is_swallowed);
    CPPUNIT_TEST(sizes_are_checked_before_anything_follows);
    CPPUNIT_TEST(chunks_out_of_order_are_swallowed);
    CPPUNIT_TEST(a_chunk_is_swallowed_where_there_is_no_chunking);
    CPPUNIT_TEST(chunks_and_data_do_not_mix);
    CPPUNIT_TEST(what_is_on_its_way_behind_a_refused_chunk_is_no_error);
    CPPUNIT_TEST(refused_chunks_do_not_go_on_forever);
    CPPUNIT_TEST(a_message_can_be_broken_off);
    CPPUNIT_TEST(the_end_of_the_connection_is_the_end_of_the_message);
    CPPUNIT_TEST(plugins_at_data_decide_about_the_first_chunk);
    CPPUNIT_TEST(a_parked_session_keeps_its_chunk);
    CPPUNIT_TEST(a_chunk_is_no_early_talk);
    CPPUNIT_TEST(plugins_see_octets_as_they_come);
    CPPUNIT_TEST(a_header_can_be_refused_with_its_chunk);
    CPPUNIT_TEST(a_line_of_bdat_that_is_refused_ends_the_session);
    CPPUNIT_TEST(progress_is_that_of_the_chunk);
    CPPUNIT_TEST(nothing_of_a_message_is_left_for_the_next);
    CPPUNIT_TEST(shapes_that_broke_other_servers);
    CPPUNIT_TEST_SUITE_END();

public:
    void a_message_comes_in_one_chunk() {
        begin();
        const auto reply = client_.feed(bdat(message, true));
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0 Queued! session-1\r\n"), reply);
        CPPUNIT_ASSERT_EQUAL(message, queued());
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(client_.say("NOOP")));
    }

    void a_message_comes_in_chunks_of_any_size() {
        for (std::size_t size = 1; size <= message.size(); ++size) {
            SessionUnderTest client;
            begin(client);
            for (std::size_t at = 0; at < message.size(); at += size) {
                const auto piece = message.substr(at, size);
                const bool last = at + size >= message.size();
                const auto reply = client.feed(bdat(piece, last));
                CPPUNIT_ASSERT_EQUAL(last ? "250 2.0.0 Queued! session-1\r\n"
                                          : "250 2.0.0 " + std::to_string(piece.size()) + " octets received\r\n",
                                     reply);
            }
            CPPUNIT_ASSERT_EQUAL(message, without_received(client.hooks.queued.at(0)));
        }
    }

    void a_pipelined_message_may_be_cut_anywhere() {
        const auto all = "MAIL FROM:<a@b> SIZE=9\r\nRCPT TO:<c@d>\r\n" + bdat(message.substr(0, 7)) +
                         bdat(message.substr(7, 6)) + bdat("") + bdat(message.substr(13), true) +
                         "MAIL FROM:<e@f>\r\nRCPT TO:<g@h>\r\n" + bdat(message, true) + "QUIT\r\n";
        for (std::size_t cut = 0; cut <= all.size(); ++cut) {
            SessionUnderTest client;
            client.hooks.accept_mail();
            client.greet();
            auto replies = client.feed(all.substr(0, cut));
            replies += client.feed(all.substr(cut));
            CPPUNIT_ASSERT_EQUAL(std::string("250 250 250 250 250 250 250 250 250 221"), codes(replies));
            CPPUNIT_ASSERT_EQUAL(std::size_t(2), client.hooks.queued.size());
            for (const auto& text : client.hooks.queued) CPPUNIT_ASSERT_EQUAL(message, without_received(text));
        }
    }

    void chunks_of_nothing_are_chunks() {
        begin();
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0 0 octets received\r\n"), client_.say("BDAT 0"));
        CPPUNIT_ASSERT_EQUAL(std::string("250 250"), codes(client_.feed(bdat(message) + "BDAT 0 LAST\r\n")));
        CPPUNIT_ASSERT_EQUAL(message, queued());
        SessionUnderTest empty;
        begin(empty);
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(empty.say("BDAT 0 LAST")));
        CPPUNIT_ASSERT_EQUAL(std::string(), without_received(empty.hooks.queued.at(0)));
        SessionUnderTest endless;  // they lead nowhere
        endless.settings.max_junk_commands = 10;
        endless.settings.max_errors = 5;
        begin(endless);
        for (int i = 0; i < 13; ++i) CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(endless.say("BDAT 0")));
        CPPUNIT_ASSERT_EQUAL(std::string("250 421"), codes(endless.say("BDAT 0")));
    }

    void binary_is_kept_as_it_is() {
        std::string body = "MIME-Version: 1.0\r\n\r\n";
        for (int i = 0; i < 3 * 256; ++i) body += static_cast<char>(i * 7 % 256);
        body += "\r\n.\r\n\n.\n\r.\r\0\n\r\r\n"s + std::string(5000, '.') + "\r";
        for (const auto policy : {smtp::BareNewline::reject, smtp::BareNewline::normalize, smtp::BareNewline::accept})
            for (const std::size_t size : {1U, 2U, 100U, 100000U}) {
                SessionUnderTest client;
                client.settings.bare_newline = policy;
                client.settings.max_text_line = 998;
                client.hooks.accept_mail();
                client.greet();
                client.feed("MAIL FROM:<a@b> BODY=BINARYMIME\r\nRCPT TO:<c@d>\r\n");
                std::string replies;
                for (std::size_t at = 0; at < body.size(); at += size)
                    replies = client.feed(bdat(body.substr(at, size), at + size >= body.size()));
                CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(replies));
                CPPUNIT_ASSERT(body == without_received(client.hooks.queued.at(0)));
            }
    }

    /// SMTP smuggling through BDAT (CVE-2023-51764 and similar): no sequence in a chunk begins a command or ends a
    /// message.
    void no_smuggling_form_is_special() {
        const std::vector<std::string> forms = {
            "\n.\n",     "\r.\r",          "\r.\n",        "\n.\r",       "\n.\r\n",       "\r\n.\n",
            "\r.\r\n",   "\r\n.\r",        "\r\n\0.\r\n"s, "\r\n.\r\r\n", "\r\r\n.\r\r\n", "\n.\r\r\n",
            "\r\n.\r\n", "\r\n\0.\r\r\n"s, "\r\n.\0\r\n"s, "\n\n.\r\n",   "\r\n\n.\n",     "\r\n\r\n.\r\n"};
        for (const auto& form : forms) {
            const auto smuggler = "Subject: x\r\n\r\nx" + form +
                                  "MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.org>\r\n" + bdat("x", true) +
                                  "\r\n";
            for (const auto policy :
                 {smtp::BareNewline::reject, smtp::BareNewline::normalize, smtp::BareNewline::accept})
                for (std::size_t cut = 0; cut <= smuggler.size(); ++cut) {
                    SessionUnderTest client;
                    client.settings.bare_newline = policy;
                    client.hooks.watch(HookId::mail);
                    begin(client);
                    const auto replies = client.feed(bdat(smuggler.substr(0, cut)) + bdat(smuggler.substr(cut), true));
                    CPPUNIT_ASSERT(client.hooks.queued.size() <= 1 && client.hooks.count(HookId::mail) == 1);
                    const bool is_refused = policy == smtp::BareNewline::reject && form != "\r\n.\r\n" &&
                                            form != "\r\n\r\n.\r\n";
                    CPPUNIT_ASSERT_EQUAL(is_refused, client.hooks.queued.empty());
                    if (policy == smtp::BareNewline::accept)
                        CPPUNIT_ASSERT(smuggler == without_received(client.hooks.queued.at(0)));
                    const bool is_closed_early = client.is_closed() && codes(replies) == "554";
                    CPPUNIT_ASSERT(is_refused || !client.is_closed());
                    CPPUNIT_ASSERT_EQUAL(std::size_t(is_closed_early ? 1 : 2),
                                         replies.empty() ? 0 : (codes(replies).size() + 1) / 4);
                }
        }
    }

    void bare_newlines_follow_the_policy() {
        const struct {
            const char* name;
            std::string body;
            const char* reply;
            std::string normalized;
        } rows[] = {
            {"clean", "a\r\nb\r\n", "250 2.0.0", "a\r\nb\r\n"}, {"no line end", "a", "250 2.0.0", "a"},
            {"bare LF", "a\nb\r\n", "554 5.6.0", "a\r\nb\r\n"}, {"bare CR", "a\rb\r\n", "554 5.6.0", "a b\r\n"},
            {"NUL", "a\0b\r\n"s, "554 5.6.0", "a b\r\n"},       {"a CR at the very end", "a\r", "554 5.6.0", "a "},
            {"CR CR LF", "a\r\r\n", "554 5.6.0", "a \r\n"}};
        for (const auto& row : rows)
            for (const auto policy :
                 {smtp::BareNewline::reject, smtp::BareNewline::normalize, smtp::BareNewline::accept})
                for (const std::size_t size : {1U, 3U, 100U}) {
                    SessionUnderTest client;
                    client.settings.bare_newline = policy;
                    begin(client);
                    std::string last;
                    const auto text = "A: b\r\n\r\n" + row.body;
                    for (std::size_t at = 0; at < text.size(); at += size) {
                        last = client.feed(bdat(text.substr(at, size), at + size >= text.size()));
                        if (last[0] == '5') break;
                    }
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(
                        row.name, policy == smtp::BareNewline::reject ? std::string(row.reply) : "250 2.0.0"s,
                        status(last));
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, last[0] == '5' && row.name != "NUL"s, client.is_closed());
                    if (last[0] == '5') continue;
                    const auto& expected = policy == smtp::BareNewline::normalize ? row.normalized : row.body;
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, "A: b\r\n\r\n" + expected,
                                                 without_received(client.hooks.queued.at(0)));
                }
    }

    void a_header_of_binary_is_text_all_the_same() {
        const std::pair<std::string, bool> rows[] = {{"A: b\r\n\r\n\n\r\0"s, true},
                                                     {"A: b\nC: d\r\n\r\nx", false},
                                                     {"A: b\r\n\nx", false},
                                                     {"A: \rb\r\n\r\nx", false},
                                                     {"A: \0b\r\n\r\nx"s, false},
                                                     {"A: b\r\n", true},
                                                     {"A: b\r", false}};
        for (const auto& [text, is_good] : rows)
            for (const auto policy :
                 {smtp::BareNewline::reject, smtp::BareNewline::normalize, smtp::BareNewline::accept}) {
                SessionUnderTest client;
                client.settings.bare_newline = policy;
                client.hooks.accept_mail();
                client.greet();
                client.feed("MAIL FROM:<a@b> BODY=BINARYMIME\r\nRCPT TO:<c@d>\r\n");
                const bool is_taken = is_good || policy == smtp::BareNewline::accept;
                CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string(is_taken ? "250 2.0.0" : "554 5.6.0"),
                                             status(client.feed(bdat(text, true))));
                const bool has_newline = text.find('\0') == text.npos;
                CPPUNIT_ASSERT_EQUAL_MESSAGE(text, !is_taken && has_newline && policy == smtp::BareNewline::reject,
                                             client.is_closed());
            }
    }

    void lines_have_their_limit() {
        client_.settings.max_text_line = 1000;
        begin();
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(client_.feed(bdat("A: b\r\n\r\n" + std::string(600, 'x')))));
        CPPUNIT_ASSERT_EQUAL(std::string("250"),
                             codes(client_.feed(bdat(std::string(400, 'x') + "\r\n" + std::string(600, 'x')))));
        CPPUNIT_ASSERT_EQUAL(std::string("554 5.6.0"),
                             status(client_.feed(bdat(std::string(401, 'x') + "\r\n", true))));
    }

    void a_message_that_is_too_large_is_swallowed() {
        const std::string text = "A: b\r\n\r\n" + std::string(92, 'x');
        for (const std::size_t size : {1U, 7U, 100U, 200U}) {
            SessionUnderTest client;
            client.settings.max_message_size = 100;
            client.settings.max_errors = 3;
            begin(client);
            std::string replies;
            for (std::size_t at = 0; at < text.size(); at += size)
                replies = client.feed(bdat(text.substr(at, size), at + size >= text.size()));
            CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0"), status(replies));
            client.feed("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
            const auto large = text + std::string(5000, 'y');
            std::string all;  // pipelined, as a client does that does not wait
            for (std::size_t at = 0; at < 1000; at += 100) all += bdat(large.substr(at, 100), at == 900);
            replies = client.feed(all + "NOOP\r\n");
            CPPUNIT_ASSERT_EQUAL(std::string("250 552 503 503 503 503 503 503 503 503 250"), codes(replies));
            CPPUNIT_ASSERT_EQUAL(1U, client.session().errors());
        }
        SessionUnderTest at_once;
        at_once.settings.max_message_size = 100;
        begin(at_once);
        CPPUNIT_ASSERT_EQUAL(std::string(), at_once.feed("BDAT 1000000 LAST\r\n" + std::string(999999, 'x')));
        CPPUNIT_ASSERT_EQUAL(std::string("552 5.3.4"), status(at_once.feed("x")));
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(at_once.say("NOOP")));
    }

    /// The end of the chunk is unknown, so the server ignores everything after it.
    void sizes_are_checked_before_anything_follows() {
        for (const char* argument : {"", "x", "-1", "1x", "1 LAST x", "LAST", "1LAST", "18446744073709551616",
                                     "18446744073709551617 LAST", "99999999999999999999999999999999 LAST"}) {
            SessionUnderTest client;
            begin(client);
            const auto reply = client.feed("BDAT " + std::string(argument) + "\r\nMAIL FROM:<evil@example.com>\r\n");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(argument, std::string("501 5.5.4"), status(reply));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(argument, std::string("501"), codes(reply));
            CPPUNIT_ASSERT_MESSAGE(argument, client.is_closed());
        }
        for (const char* size : {"18446744073709551615", "9223372036854775808", "4294967296"}) {  // nobody lives to see
                                                                                                  // the end of it
            SessionUnderTest client;
            client.settings.max_message_size = 1000;
            begin(client);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                size, std::string(),
                client.feed("BDAT " + std::string(size) + " LAST\r\n" + std::string(100000, 'x') + "\r\nQUIT\r\n"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(size, std::string("451 4.4.2"), status(client.end_of_input()));
        }
    }

    void chunks_out_of_order_are_swallowed() {
        const auto trap = bdat("MAIL FROM:<evil@example.com>\r\n", true);
        client_.hooks.on(HookId::rcpt, [](HookContext& context) {
            return static_cast<RcptHook&>(context).recipient.address().local_part() == "no" ? deny() : ok();
        });
        client_.hooks.respond(HookId::queue, ok());
        client_.start();
        const std::pair<std::string, const char*> rows[] = {{trap, "503 5.5.1"},
                                                            {"HELO x\r\n", "250 mx.ex"},
                                                            {trap, "503 5.5.1"},
                                                            {"MAIL FROM:<a@b>\r\n", "250 2.1.0"},
                                                            {"RCPT TO:<c@d>\r\n", "250 2.1.5"},
                                                            {trap, "503 5.5.1"},
                                                            {"EHLO x\r\n", "250-mx.ex"},
                                                            {trap, "503 5.5.1"},
                                                            {"MAIL FROM:<a@b>\r\n", "250 2.1.0"},
                                                            {trap, "503 5.5.1"},
                                                            {"RCPT TO:<no@d>\r\n", "550 5.7.1"},
                                                            {trap, "503 5.5.1"},
                                                            {"RCPT TO:<c@d>\r\n", "250 2.1.5"},
                                                            {bdat("A: b\r\n"), "250 2.0.0"},
                                                            {"BDAT 0 LAST\r\n", "250 2.0.0"},
                                                            {trap, "503 5.5.1"}};
        for (const auto& [input, reply] : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(input, std::string(reply), status(client_.feed(input)));
    }

    void a_chunk_is_swallowed_where_there_is_no_chunking() {
        client_.settings.extensions.set(Extension::chunking, false);
        begin();
        CPPUNIT_ASSERT_EQUAL(std::string("502 250"), codes(client_.feed(bdat("QUIT\r\n", true) + "NOOP\r\n")));
        CPPUNIT_ASSERT_EQUAL(std::string("502"), codes(client_.say("BDAT 0 LAST")));
    }

    void chunks_and_data_do_not_mix() {
        begin();
        client_.feed(bdat(message.substr(0, 10)));
        for (const char* command : {"DATA", "RCPT TO:<e@f>", "MAIL FROM:<a@b>"})
            CPPUNIT_ASSERT_EQUAL(std::string("503 5.5.1"), status(client_.say(command)));
        for (const char* command : {"NOOP", "VRFY x", "HELP"})
            CPPUNIT_ASSERT_MESSAGE(command, client_.say(command)[0] == '2');
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(client_.feed(bdat(message.substr(10), true))));
        CPPUNIT_ASSERT_EQUAL(message, queued());
        SessionUnderTest binary;
        binary.hooks.accept_mail();
        binary.greet();
        binary.feed("MAIL FROM:<a@b> BODY=BINARYMIME\r\nRCPT TO:<c@d>\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("503 5.5.1"), status(binary.say("DATA")));
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(binary.feed(bdat(message, true))));
    }

    void what_is_on_its_way_behind_a_refused_chunk_is_no_error() {
        client_.hooks.respond(HookId::data, deny("no"));
        begin();
        CPPUNIT_ASSERT_EQUAL(std::string("554 503 503 503"),
                             codes(client_.feed(bdat("a") + bdat("b") + bdat("") + bdat("c", true))));
        CPPUNIT_ASSERT_EQUAL(1U, client_.session().errors());
        CPPUNIT_ASSERT_EQUAL(std::string("503"), codes(client_.feed(bdat("d", true))));  // that was the last one
        CPPUNIT_ASSERT_EQUAL(2U, client_.session().errors());
    }

    void refused_chunks_do_not_go_on_forever() {
        client_.settings.max_junk_commands = 10;
        client_.settings.max_errors = 5;
        client_.hooks.respond(HookId::data, deny("no"));
        begin();
        std::string all;
        for (int i = 0; i < 100; ++i) all += bdat("a");
        const auto replies = codes(client_.feed(all));
        CPPUNIT_ASSERT_EQUAL(std::string("503 421"), replies.substr(replies.size() - 7));
        CPPUNIT_ASSERT(client_.is_closed());
    }

    void a_message_can_be_broken_off() {
        for (const char* command : {"RSET", "EHLO y", "HELO y", "QUIT"}) {
            SessionUnderTest client;
            client.hooks.watch(HookId::reset_transaction);
            begin(client);
            client.feed(bdat(message));
            CPPUNIT_ASSERT_MESSAGE(command, client.say(command)[0] == '2');
            CPPUNIT_ASSERT_EQUAL_MESSAGE(command, std::size_t(1), client.hooks.count(HookId::reset_transaction));
            CPPUNIT_ASSERT_MESSAGE(command, client.hooks.queued.empty());
            if (client.is_closed()) continue;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(command, std::string("503"), codes(client.feed(bdat(message, true))));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(command, std::string("250"), codes(client.say("MAIL FROM:<a@b>")));
        }
    }

    void the_end_of_the_connection_is_the_end_of_the_message() {
        const auto all = bdat(message.substr(0, 9)) + bdat(message.substr(9), true);
        for (std::size_t cut = 0; cut < all.size(); ++cut)
            for (const bool is_abandoned : {false, true}) {
                SessionUnderTest client;
                client.hooks.watch(HookId::reset_transaction);
                client.hooks.watch(HookId::disconnect);
                begin(client);
                client.feed(all.substr(0, cut));
                is_abandoned ? client.abandon() : client.end_of_input();
                CPPUNIT_ASSERT(client.is_closed() && client.hooks.queued.empty());
                CPPUNIT_ASSERT_EQUAL(std::string("disconnect reset_transaction"),
                                     client.hooks.order_of({HookId::reset_transaction, HookId::disconnect}));
                CPPUNIT_ASSERT_EQUAL(std::string(), client.feed("NOOP\r\n"));
            }
    }

    void plugins_at_data_decide_about_the_first_chunk() {
        const struct {
            const char* name;
            Response response;
            const char* replies;
            bool is_closed;
        } rows[] = {{"declined", declined(), "250 250 250", false},
                    {"ok", ok(), "250 250 250", false},
                    {"deny", deny("no"), "554 503 250", false},
                    {"denysoft", denysoft("later"), "451 503 250", false},
                    {"deny_disconnect", Response(Verdict::deny_disconnect), "554", true},
                    {"denysoft_disconnect", Response(Verdict::denysoft_disconnect), "451", true}};
        for (const auto& row : rows) {
            SessionUnderTest client;
            client.hooks.respond(HookId::data, row.response);
            begin(client);
            const auto replies = codes(client.feed(bdat(message) + bdat("", true) + "NOOP\r\n"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(row.replies), replies);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, row.is_closed, client.is_closed());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::size_t(1), client.hooks.count(HookId::data));
        }
        SessionUnderTest client;  // a plugin that has answered by itself
        client.hooks.on(HookId::data, [](HookContext& context) {
            fakes::connection_of(context).send({550, {5, 7, 1}, "mine"});
            return Response(Verdict::done);
        });
        begin(client);
        CPPUNIT_ASSERT_EQUAL(std::string("550 250"), codes(client.feed(bdat("QUIT\r\n", true) + "NOOP\r\n")));
    }

    void a_parked_session_keeps_its_chunk() {
        for (const HookId hook : {HookId::data, HookId::data_post_headers, HookId::data_post, HookId::queue_pre}) {
            SessionUnderTest client;
            client.hooks.wait(hook, Duration(1000));
            begin(client);
            auto replies = client.feed(bdat(message.substr(0, 5)));
            replies += client.skip_wait();
            replies += client.feed(bdat(message.substr(5, 6)) + bdat(message.substr(11), true) + "NOOP\r\n");
            replies += client.skip_wait();
            CPPUNIT_ASSERT_EQUAL(std::string("250 250 250 250"), codes(replies));
            CPPUNIT_ASSERT_EQUAL(message, without_received(client.hooks.queued.at(0)));
        }
    }

    /// earlytalker at DATA waits for silence, which a client with BDAT cannot keep.
    void a_chunk_is_no_early_talk() {
        bool spoke = true;
        std::size_t unread = 1;
        client_.hooks.wait(HookId::data, Duration(0), Duration(1000));
        client_.hooks.on(HookId::data, [&](HookContext& context) {
            spoke = context.answers().client_spoke();
            unread = fakes::connection_of(context).unread();
            return declined();
        });
        begin();
        CPPUNIT_ASSERT_EQUAL(std::string("250 250"),
                             codes(client_.feed(bdat(message, true) + "NOOP\r\n") + client_.skip_wait()));
        CPPUNIT_ASSERT(!spoke);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), unread);
    }

    void plugins_see_octets_as_they_come() {
        std::string seen;
        unsigned ends_of_header = 0;
        client_.hooks.on(HookId::data_chunk, [&](HookContext& context) {
            seen += static_cast<fakes::ChunkContext&>(context).chunk;
            return declined();
        });
        client_.hooks.on(HookId::data_headers_end, [&](HookContext&) {
            ++ends_of_header;
            CPPUNIT_ASSERT(seen.find("\r\n\r\n") != std::string::npos);
            return declined();
        });
        client_.hooks.on(HookId::received_line, [&](HookContext& context) {
            CPPUNIT_ASSERT_EQUAL(std::string_view("ESMTP"), static_cast<ReceivedLineHook&>(context).protocol);
            return declined();
        });
        begin();
        client_.feed(bdat(message.substr(0, 12)) + bdat(message.substr(12, 3)) + bdat(message.substr(15), true));
        CPPUNIT_ASSERT_EQUAL(message, seen);
        CPPUNIT_ASSERT_EQUAL(1U, ends_of_header);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.hooks.count(HookId::received_line));
    }

    void a_header_can_be_refused_with_its_chunk() {
        client_.hooks.respond(HookId::data_headers_end, deny("no"));
        begin();
        CPPUNIT_ASSERT_EQUAL(std::string("250 552 503 250"),
                             codes(client_.feed(bdat(message.substr(0, 5)) + bdat(message.substr(5, 10)) +
                                                bdat("x", true) + "NOOP\r\n")));
        SessionUnderTest client;
        client.hooks.respond(HookId::data_headers_end, Response(Verdict::deny_disconnect));
        begin(client);
        CPPUNIT_ASSERT_EQUAL(std::string("554"), codes(client.feed("BDAT 1000 LAST\r\n" + message)));
        CPPUNIT_ASSERT(client.is_closed());
    }

    void a_line_of_bdat_that_is_refused_ends_the_session() {
        begin();
        for (const std::string& line :
             {"BDAT 6 LAST\nQUIT\r\n"s, "BDAT 6\r LAST\r\nQUIT\r\n"s, "BDAT 6 LAST\0\r\nQUIT\r\n"s}) {
            SessionUnderTest client;
            begin(client);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(line, std::string("500"), codes(client.feed(line)));
            CPPUNIT_ASSERT_MESSAGE(line, client.is_closed());
        }
    }

    void progress_is_that_of_the_chunk() {
        begin();
        client_.clock.advance(Duration(5000));
        client_.feed("BDAT 10\r\nabcd");
        const auto progress = client_.session().progress();
        CPPUNIT_ASSERT(progress.receiving && client_.session().phase() == Phase::receiving);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(4), progress.octets);
        CPPUNIT_ASSERT(progress.since == client_.clock.now());
        client_.feed("efghij");
        CPPUNIT_ASSERT(!client_.session().progress().receiving && client_.session().phase() == Phase::transaction);
    }

    void nothing_of_a_message_is_left_for_the_next() {
        begin();
        client_.feed(bdat("A: 1\r\n\r\nfirst \r"));  // a CR that waits for its LF
        client_.say("RSET");
        client_.feed("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(client_.feed(bdat("B: 2\r\n\r\nsecond\r\n", true))));
        CPPUNIT_ASSERT_EQUAL(std::string("B: 2\r\n\r\nsecond\r\n"), queued());
        client_.feed("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(client_.feed("C: 3\r\n\r\nthird\r\n.\r\n")));
        CPPUNIT_ASSERT_EQUAL(std::string("C: 3\r\n\r\nthird\r\n"), without_received(client_.hooks.queued.at(1)));
    }

    /// CVE-2017-16943: a chunk that is refused in the middle of a header line, then a command of the wrong kind.
    /// CVE-2017-16944: a dot that ends a chunk where the reader of DATA looks for its end. CVE-2020-28022: parameters
    /// without names. CVE-2026-45185: octets behind the end of a broken-off chunk.
    void shapes_that_broke_other_servers() {
        const std::string long_line(70000, 'x');
        const std::vector<std::string> shapes = {
            "BDAT 1\r\n" + long_line + "\r\n",
            "BDAT 42\r\n" + long_line.substr(0, 42) + "\x01\x02\r\nDATA\r\nBDAT 4294967297\r\nx",
            bdat(".\r\n", true) + "BDAT 1 LAST\r\n.",
            bdat(".") + bdat("\r\n") + "BDAT 0 LAST\r\n",
            bdat("\r") + bdat("\n") + bdat(".") + bdat("\r\n", true),
            "BDAT 10\r\nBDAT 10\r\nBDAT 10\r\nBDAT 10\r\nBDAT 10 LAST\r\nBDAT 10\r\n",
            bdat("A:") + "RSET\r\nRSET\r\nBDAT 5 LAST\r\nabcdeBDAT 5 LAST\r\nabcde",
            bdat("A: " + long_line) + "EHLO x\r\n" + bdat("B", true) +
                "MAIL FROM:<a@b> =\r\nMAIL FROM:<a@b> = = =\r\nMAIL FROM:<a@b> \r\n",
            bdat("A: b\r\n\r\n") + "MAIL FROM:<" + long_line + ">\r\n" + bdat("x", true),
        };
        for (const auto& shape : shapes)
            for (const std::size_t size : {1U, 5U, 1000000U}) {
                SessionUnderTest client;
                client.settings.spool.max_header_size = 1000;
                begin(client);
                for (std::size_t at = 0; at < shape.size(); at += size) {
                    const auto part = shape.substr(at, size);
                    const std::vector<char> exact(part.begin(), part.end());  // so that a sanitizer sees its ends
                    client.feed({exact.data(), exact.size()});
                }
                client.end_of_input();
                CPPUNIT_ASSERT(client.is_closed());
                client.feed("MAIL FROM:<evil@example.com>\r\n");
                CPPUNIT_ASSERT(client.hooks.queued.size() <= 2);
            }
    }

private:
    static void begin(SessionUnderTest& client) {
        client.hooks.accept_mail();
        client.greet();
        client.feed("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
    }
    void begin() { begin(client_); }

    static std::string without_received(const std::string& text) {
        std::size_t end = text.find("\r\n") + 2;
        while (text.substr(end, 1) == "\t") end = text.find("\r\n", end) + 2;
        return text.substr(end);
    }
    std::string queued() { return without_received(client_.hooks.queued.at(0)); }

    SessionUnderTest client_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(SessionChunksTest);

}  // namespace
}  // namespace smtpd::engine
