/// session_test.cc: a session's life: greeting, ids, input in pieces, output in portions, limits, counters and log
/// lines.
#include "fakes/session_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace smtpd::engine {
namespace {

using fakes::codes;
using fakes::repeated;
using fakes::SessionUnderTest;
using namespace std::string_literals;

class SessionTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionTest);
    CPPUNIT_TEST(the_greeting_names_server_software_and_session);
    CPPUNIT_TEST(the_greeting_is_the_sites_own_where_it_has_one);
    CPPUNIT_TEST(ehlo_lists_what_there_is);
    CPPUNIT_TEST(a_dns_name_that_is_none_is_not_shown);
    CPPUNIT_TEST(ids_are_in_greeting_reply_field_and_log);
    CPPUNIT_TEST(replies_to_a_pipelined_group_leave_together);
    CPPUNIT_TEST(output_comes_in_portions);
    CPPUNIT_TEST(input_during_a_portion_keeps_its_place);
    CPPUNIT_TEST(command_lines_have_a_limit);
    CPPUNIT_TEST(a_line_that_never_ends_ends_the_session);
    CPPUNIT_TEST(a_very_long_line_ends_the_session_however_it_comes);
    CPPUNIT_TEST(bare_newlines_in_commands_follow_the_policy);
    CPPUNIT_TEST(nothing_behind_a_bare_lf_is_a_command);
    CPPUNIT_TEST(nul_in_a_command_is_refused);
    CPPUNIT_TEST(other_protocols_are_sent_away);
    CPPUNIT_TEST(an_accepted_message_clears_the_error_count);
    CPPUNIT_TEST(a_limit_of_zero_is_none);
    CPPUNIT_TEST(idle_commands_become_errors_after_a_while);
    CPPUNIT_TEST(a_hundred_thousand_commands_are_survived);
    CPPUNIT_TEST(plugins_can_send_replies_themselves);
    CPPUNIT_TEST(config_asks_the_hook_before_the_file);
    CPPUNIT_TEST(unread_counts_what_came_early);
    CPPUNIT_TEST(counters_count);
    CPPUNIT_TEST(phases_follow_the_dialogue);
    CPPUNIT_TEST(progress_is_told_while_receiving);
    CPPUNIT_TEST(passwords_are_not_logged);
    CPPUNIT_TEST(messages_are_not_logged);
    CPPUNIT_TEST(octets_from_outside_are_escaped_in_the_log);
    CPPUNIT_TEST_SUITE_END();

public:
    void the_greeting_names_server_software_and_session() {
        CPPUNIT_ASSERT_EQUAL(std::string("220 mx.example.com ESMTP mod_smtpd ready session\r\n"), client_.start());
        CPPUNIT_ASSERT(client_.step == Step::need_input);
    }

    void the_greeting_is_the_sites_own_where_it_has_one() {
        const auto greeting = [](std::string setting, std::vector<std::string> file) {
            SessionUnderTest client;
            client.settings.greeting = std::move(setting);
            if (!file.empty()) client.hooks.control["smtpgreeting"] = std::move(file);
            return client.start();
        };
        CPPUNIT_ASSERT_EQUAL(std::string("220 Hello there ESMTP session\r\n"), greeting("", {"Hello there ESMTP"}));
        CPPUNIT_ASSERT_EQUAL(std::string("220 Hello there ESMTP session\r\n"),
                             greeting("", {"Hello there", "second line"}));
        CPPUNIT_ASSERT_EQUAL(std::string("220 mx ESMTP no spam session\r\n"),
                             greeting("mx ESMTP no spam", {"Hello there"}));
    }

    void ehlo_lists_what_there_is() {
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string("250-mx.example.com Hi there "
                                         "[192.0.2.1]\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n"
                                         "250-SMTPUTF8\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-LIMITS "
                                         "RCPTMAX=1000\r\n250-HELP\r\n250 SIZE\r\n"),
                             client_.say("EHLO client.example"));
        CPPUNIT_ASSERT_EQUAL(std::string("250 mx.example.com Hi there [192.0.2.1]\r\n"),
                             client_.say("HELO client.example"));

        SessionUnderTest other;
        other.peer.host = "host.client.example";
        other.settings.max_message_size = 1000;
        other.hooks.on(HookId::ehlo, [](HookContext& context) {
            fakes::connection_of(context).add_capability("XCLIENT NAME ADDR");
            return declined();
        });
        other.start();
        const std::string expected =
            "250-mx.example.com Hi host.client.example "
            "[192.0.2.1]\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n"
            "250-SMTPUTF8\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-LIMITS RCPTMAX=1000\r\n250-HELP\r\n250-SIZE "
            "1000\r\n250 XCLIENT NAME ADDR\r\n";
        CPPUNIT_ASSERT_EQUAL(expected, other.say("EHLO client.example"));
        CPPUNIT_ASSERT_EQUAL(expected, other.say("EHLO client.example"));
    }

    void a_dns_name_that_is_none_is_not_shown() {
        const std::vector<std::string> names = {"evil\nXCLIENT", "a b", "a\r", "<a>", std::string(256, 'x'), "\x80"};
        for (const auto& name : names) {
            SessionUnderTest client;
            client.peer.host = name;
            client.start();
            CPPUNIT_ASSERT_MESSAGE(name, client.say("EHLO x").find("Hi there [") != std::string::npos);
        }
    }

    void ids_are_in_greeting_reply_field_and_log() {
        client_.peer.id = "k3f9a2";
        client_.hooks.accept_mail();
        CPPUNIT_ASSERT(client_.start().find(" k3f9a2\r\n") != std::string::npos);
        client_.feed("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0 Queued! k3f9a2-1\r\n"), client_.feed("\r\n.\r\n"));
        client_.feed("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0 Queued! k3f9a2-2\r\n"), client_.feed("\r\n.\r\n"));
        CPPUNIT_ASSERT(client_.hooks.queued.at(0).find(" id k3f9a2-1\r\n") != std::string::npos);
        CPPUNIT_ASSERT(client_.hooks.queued.at(1).find(" id k3f9a2-2\r\n") != std::string::npos);
        bool of_first = false;
        for (const auto& line : client_.log.lines()) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(line.text, std::string("k3f9a2"), line.session);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(line.text, std::string("192.0.2.1"), line.client);
            if (line.text.find("accepted") == 0 && line.transaction == "k3f9a2-1") of_first = true;
        }
        CPPUNIT_ASSERT(of_first);
        CPPUNIT_ASSERT(client_.log.contains("connect from 192.0.2.1 port 49152"));
        CPPUNIT_ASSERT(client_.log.contains("accepted from=<a@b> to=<c@d> size=5 reply=\"250 Queued! k3f9a2-1\""));
    }

    void replies_to_a_pipelined_group_leave_together() {
        client_.hooks.accept_mail();
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string("250 250 250 550 354"), [&] {
            client_.hooks.on(HookId::rcpt, [](HookContext& context) {
                return static_cast<RcptHook&>(context).recipient.address().local_part() == "no" ? deny() : ok();
            });
            CPPUNIT_ASSERT(
                Step::need_input ==
                client_.session().feed("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<no@d>\r\nDATA\r\n"));
            return codes(std::exchange(client_.session().output(), {}));
        }());
    }

    void output_comes_in_portions() {
        client_.settings.max_junk_commands = 100000;
        client_.start();
        Step step = client_.session().feed(repeated("NOOP\r\n", 10000));
        std::size_t replies = 0, portions = 0;
        for (;;) {
            std::string& output = client_.session().output();
            CPPUNIT_ASSERT(output.size() < 34 * 1024);
            replies += static_cast<std::size_t>(std::count(output.begin(), output.end(), '\n'));
            ++portions;
            output.clear();
            if (step != Step::more) break;
            step = client_.session().resume();
        }
        CPPUNIT_ASSERT(step == Step::need_input);
        CPPUNIT_ASSERT_EQUAL(std::size_t(10000), replies);
        CPPUNIT_ASSERT(portions > 3);
    }

    void input_during_a_portion_keeps_its_place() {
        client_.settings.max_junk_commands = 100000;
        client_.start();
        auto& session = client_.session();
        CPPUNIT_ASSERT(Step::more == session.feed(repeated("NOOP\r\n", 3000) + "HEL"));
        CPPUNIT_ASSERT(Step::more == session.feed("P\r\n"));
        std::string output = std::exchange(session.output(), {});
        CPPUNIT_ASSERT(Step::need_input == session.resume());
        output += session.output();
        CPPUNIT_ASSERT_EQUAL(repeated("250 2.0.0 OK\r\n", 3000), output.substr(0, 3000 * 14));
        CPPUNIT_ASSERT_EQUAL(std::string("214"), codes(output.substr(3000 * 14)));
    }

    void command_lines_have_a_limit() {
        client_.settings.max_command_line = 512;
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0 OK\r\n"), client_.say("NOOP " + std::string(505, 'x')));
        CPPUNIT_ASSERT_EQUAL(std::string("500 5.5.2 Line too long\r\n"), client_.say("NOOP " + std::string(506, 'x')));
        CPPUNIT_ASSERT_EQUAL(std::string("500 5.5.2 Line too long\r\n250 2.0.0 OK\r\n"),
                             client_.feed("NOOP " + std::string(100000, 'x') + "\r\nNOOP\r\n"));
    }

    void a_line_that_never_ends_ends_the_session() {
        client_.start();
        std::string output;
        std::size_t octets = 0;
        for (; !client_.is_closed() && octets < 10'000'000; octets += 1000)
            output += client_.feed(std::string(1000, 'x'));
        CPPUNIT_ASSERT_EQUAL(std::string("421 4.7.0 Line is much too long, closing connection\r\n"), output);
        CPPUNIT_ASSERT(octets < 300'000);
    }

    void a_very_long_line_ends_the_session_however_it_comes() {
        const std::string longest(256 * 1024, 'x');
        for (const std::size_t piece : {std::size_t(1) << 30, std::size_t(4096), longest.size(), longest.size() + 1}) {
            const auto said = [piece](const std::string& text) {
                SessionUnderTest client;
                client.start();
                std::string output;
                for (std::size_t at = 0; at < text.size(); at += piece) output += client.feed(text.substr(at, piece));
                return output + (client.is_closed() ? "closed" : "open");
            };
            CPPUNIT_ASSERT_EQUAL(std::string("500 5.5.2 Line too long\r\n250 2.0.0 OK\r\nopen"),
                                 said(longest.substr(1) + "\r\nNOOP\r\n"));
            CPPUNIT_ASSERT_EQUAL(std::string("421 4.7.0 Line is much too long, closing connection\r\nclosed"),
                                 said(longest + "\r\nNOOP\r\n"));
        }
    }

    void bare_newlines_in_commands_follow_the_policy() {
        const auto said = [](smtp::BareNewline policy, std::string_view text) {
            SessionUnderTest client;
            client.settings.bare_newline = policy;
            client.start();
            return codes(client.feed(text));
        };
        for (const std::string text : {"NOOP x\ry\r\nNOOP\r\n", "NOOP\r\r\nNOOP\r\n"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string("500 250"), said(smtp::BareNewline::reject, text));
        CPPUNIT_ASSERT_EQUAL(std::string("250 250"), said(smtp::BareNewline::accept, "NOOP\nNOOP\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string("250 250"), said(smtp::BareNewline::normalize, "NOOP\nNOOP\r\n"));

        SessionUnderTest exempt;
        exempt.settings.bare_newline_exempt.push_back(*IpNetwork::parse("192.0.2.0/24"));
        exempt.start();
        CPPUNIT_ASSERT_EQUAL(std::string("250"), codes(exempt.feed("NOOP\n")));
        SessionUnderTest other;
        other.settings.bare_newline_exempt.push_back(*IpNetwork::parse("192.0.3.0/24"));
        other.start();
        CPPUNIT_ASSERT_EQUAL(std::string("500"), codes(other.feed("NOOP\n")));
    }

    /// A client that passes on foreign text (for example an address with a LF in it) believes that it has sent one
    /// command.
    void nothing_behind_a_bare_lf_is_a_command() {
        const std::string too_long(3000, 'x');
        for (const std::string& line : {"NOOP"s, ""s, "MAIL FROM:<a@b>"s, "NOOP\rNOOP"s, "NOOP\0"s, "NOOP " + too_long,
                                        "AUTH PLAIN"s, "STARTTLS"s, "WHAT"s})
            for (const std::size_t piece : {std::size_t{1}, std::size_t{1000000}}) {
                SessionUnderTest client;
                client.start();
                client.say("EHLO client.example");
                const std::string text = line + "\nRSET\r\nNOOP\r\n";
                std::string output;
                for (std::size_t at = 0; at < text.size(); at += piece) output += client.feed(text.substr(at, piece));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(line, "500 5.5.2 Lines end with CRLF; a CR or LF alone is refused\r\n"s,
                                             output);
                CPPUNIT_ASSERT_MESSAGE(line, client.is_closed());
                CPPUNIT_ASSERT_MESSAGE(line, client.log.contains("a command ends in a bare LF: the session ends"));
            }
    }

    void nul_in_a_command_is_refused() {
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string("500 5.5.2 NUL in a command is refused\r\n250 2.0.0 OK\r\n"),
                             client_.feed("NOOP\0x\r\nNOOP\r\n"s));
    }

    void other_protocols_are_sent_away() {
        const std::vector<std::string> texts = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                                "post /x HTTP/1.0\r\n",
                                                "CONNECT mx:25 HTTP/1.1\r\n",
                                                "PRI * HTTP/2.0\r\n",
                                                "OPTIONS * RTSP/1.0\r\n",
                                                "\x16\x03\x01\x02\x00\x01"s,
                                                "\x16",
                                                "\x16\x03"};
        for (const auto& text : texts) {
            SessionUnderTest client;
            client.hooks.watch(HookId::unrecognized_command);
            client.start();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string("554 5.5.1 This is an SMTP server, closing connection\r\n"),
                                         client.feed(text));
            CPPUNIT_ASSERT_MESSAGE(text, client.is_closed());
            CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.hooks.count(HookId::unrecognized_command));
        }
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string("500"), codes(client_.say("GET")));
        client_.say("EHLO x");
        CPPUNIT_ASSERT_EQUAL(std::string("554"), codes(client_.say("POST / HTTP/1.1")));
    }

    void an_accepted_message_clears_the_error_count() {
        client_.settings.max_errors = 3;
        client_.hooks.accept_mail();
        client_.begin_transaction();
        client_.feed("X\r\nX\r\nDATA\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("250 500 500"), codes(client_.feed(".\r\nX\r\nX\r\n")));
        CPPUNIT_ASSERT_EQUAL(std::string("500 421"), codes(client_.feed("X\r\n")));
    }

    void a_limit_of_zero_is_none() {
        client_.settings.max_errors = 0;
        client_.start();
        CPPUNIT_ASSERT_EQUAL(repeated("500 5.5.1 Unrecognized command\r\n", 3000),
                             client_.feed(repeated("X\r\n", 3000)));
        CPPUNIT_ASSERT(!client_.is_closed());
    }

    void idle_commands_become_errors_after_a_while() {
        for (const std::string command : {"NOOP", "RSET", "VRFY x", "HELP", "EHLO x", "HELO x"}) {
            SessionUnderTest client;
            client.settings.max_junk_commands = 5;
            client.settings.max_errors = 2;
            client.start();
            client.feed(repeated(command + "\r\n", 6));
            CPPUNIT_ASSERT_MESSAGE(command, !client.is_closed());
            const auto last = codes(client.say(command));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(command, std::string(" 421"), last.substr(last.size() - 4));
            CPPUNIT_ASSERT_MESSAGE(command, client.is_closed());
        }
        SessionUnderTest sender;
        sender.settings.max_junk_commands = 2;
        sender.settings.max_errors = 1;
        sender.hooks.accept_mail();
        sender.start();
        for (int i = 0; i < 20; ++i) {
            const std::string said = codes(
                sender.feed("RSET\r\nEHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\n"));
            CPPUNIT_ASSERT_EQUAL(std::string("250 250 250 250 354 250"), said);
        }
    }

    void a_hundred_thousand_commands_are_survived() {
        client_.settings.max_errors = 0;
        client_.log.set_level(LogLevel::warning);
        client_.start();
        const auto output = client_.feed(repeated("NOOP\r\nX\r\nMAIL FROM:<a@b>\r\nVRFY\r\n", 25000));
        CPPUNIT_ASSERT_EQUAL(100000L, static_cast<long>(std::count(output.begin(), output.end(), '\n')));
        CPPUNIT_ASSERT_EQUAL(100000U, client_.session().commands());
    }

    void plugins_can_send_replies_themselves() {
        client_.settings.max_errors = 1;
        client_.hooks.on(HookId::noop, [](HookContext& context) {
            fakes::connection_of(context).send({250, {2, 0, 0}, "one\ntwo"});
            return Response(Verdict::done);
        });
        client_.hooks.on(HookId::help, [](HookContext& context) {
            fakes::connection_of(context).send({502, {5, 5, 1}, "no help"});
            return Response(Verdict::done);
        });
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string("250-2.0.0 one\r\n250 2.0.0 two\r\n"), client_.say("NOOP"));
        CPPUNIT_ASSERT_EQUAL(std::string("502 421"), codes(client_.say("HELP")));
    }

    void config_asks_the_hook_before_the_file() {
        auto& session = client_.session();
        client_.hooks.control["name"] = {"from the file"};
        CPPUNIT_ASSERT_EQUAL(std::string("from the file"), session.config("name").at(0));
        CPPUNIT_ASSERT_EQUAL(std::string("from the file"), session.config("name", Address()).at(0));
        CPPUNIT_ASSERT(session.config("other").empty());
        client_.hooks.on(HookId::config, [](HookContext& context) {
            auto& hook = static_cast<ConfigHook&>(context);
            if (hook.name != "name" || hook.user) return declined();
            hook.values = {"from the hook", "twice"};
            return ok();
        });
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), session.config("name").size());
        CPPUNIT_ASSERT_EQUAL(std::string("from the hook"), session.config("name", Address()).at(0));
        client_.hooks.on(HookId::user_config, [](HookContext& context) {
            auto& hook = static_cast<ConfigHook&>(context);
            if (hook.user->local_part() != "a") return declined();
            hook.values = {"of " + hook.user->to_string()};
            return ok();
        });
        CPPUNIT_ASSERT_EQUAL(std::string("of a@b"), session.config("name", Address::from_parts("a", "b")).at(0));
        CPPUNIT_ASSERT_EQUAL(std::string("from the hook"), session.config("name", Address::from_parts("c", "d")).at(0));
        client_.hooks.respond(HookId::user_config, ok());
        CPPUNIT_ASSERT(session.config("name", Address::from_parts("c", "d")).empty());
    }

    void unread_counts_what_came_early() {
        std::vector<std::size_t> seen;
        client_.hooks.on(HookId::noop, [&](HookContext& context) {
            seen.push_back(fakes::connection_of(context).unread());
            return declined();
        });
        client_.start();
        client_.feed("NOOP\r\nNOOP\r\nNO");
        client_.feed("OP\r\n");
        CPPUNIT_ASSERT(seen == std::vector<std::size_t>({8, 2, 0}));
    }

    void counters_count() {
        client_.hooks.accept_mail();
        client_.begin_data();
        client_.feed(".\r\nX\r\n");
        CPPUNIT_ASSERT_EQUAL(5U, client_.session().commands());
        CPPUNIT_ASSERT_EQUAL(1U, client_.session().errors());
        CPPUNIT_ASSERT_EQUAL(1U, client_.session().messages());
        CPPUNIT_ASSERT_EQUAL(std::string("X"), client_.session().last_line());
        client_.say("NOOP");
        CPPUNIT_ASSERT(smtp::Verb::noop == client_.session().last_command());
        client_.say("QUIT");
        CPPUNIT_ASSERT(client_.log.contains("disconnect after 7 commands, 1 messages, 1 errors"));
    }

    void phases_follow_the_dialogue() {
        client_.hooks.accept_mail();
        client_.hooks.wait(HookId::connect, Duration(1000));
        const auto phase = [&] { return std::string(phase_name(client_.session().phase())); };
        CPPUNIT_ASSERT_EQUAL(std::string("connecting"), phase());
        client_.start();
        CPPUNIT_ASSERT_EQUAL(std::string("waiting"), phase());
        client_.skip_wait();
        CPPUNIT_ASSERT_EQUAL(std::string("greeting"), phase());
        client_.say("EHLO x");
        CPPUNIT_ASSERT_EQUAL(std::string("command"), phase());
        client_.say("MAIL FROM:<a@b>");
        CPPUNIT_ASSERT_EQUAL(std::string("transaction"), phase());
        client_.say("RCPT TO:<a@b>");
        client_.say("DATA");
        CPPUNIT_ASSERT_EQUAL(std::string("receiving"), phase());
        client_.say(".");
        CPPUNIT_ASSERT_EQUAL(std::string("command"), phase());
        client_.say("QUIT");
        CPPUNIT_ASSERT_EQUAL(std::string("closing"), phase());
    }

    void progress_is_told_while_receiving() {
        client_.hooks.accept_mail();
        client_.begin_transaction();
        CPPUNIT_ASSERT(!client_.session().progress().receiving);
        client_.clock.advance(std::chrono::seconds(5));
        client_.say("DATA");
        const auto began = client_.clock.now();
        client_.clock.advance(std::chrono::seconds(5));
        client_.feed("12345");
        CPPUNIT_ASSERT(client_.session().progress().receiving);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(5), client_.session().progress().octets);
        CPPUNIT_ASSERT(client_.session().progress().since == began);
        client_.feed("\r\n.\r\n");
        CPPUNIT_ASSERT(!client_.session().progress().receiving);
    }

    void passwords_are_not_logged() {
        client_.start();
        client_.feed(
            "AUTH PLAIN AHVzZXIAc2VjcmV0\r\nauth plain AHVzZXIAc2VjcmV0\r\n AUTH PLAIN AHVzZXIAc2VjcmV0\r\nAUTH\tPLAIN "
            "AHVzZXIAc2VjcmV0\r\n");
        CPPUNIT_ASSERT(client_.log.contains("<<< AUTH (the rest is not shown)"));
        CPPUNIT_ASSERT(!client_.log.contains("c2VjcmV0"));
    }

    void messages_are_not_logged() {
        client_.hooks.accept_mail();
        client_.begin_data();
        client_.feed("Subject: private\r\n\r\nsecret words\r\n.\r\n");
        CPPUNIT_ASSERT(!client_.log.contains("private"));
        CPPUNIT_ASSERT(!client_.log.contains("secret"));
    }

    void octets_from_outside_are_escaped_in_the_log() {
        client_.hooks.accept_mail();
        client_.settings.bare_newline = smtp::BareNewline::accept;
        client_.start();
        client_.feed(
            "EHLO \x1b[31m\r\nNOOP a\rb\r\nX\x7f\x80\xff\r\nEHLO x\r\nMAIL FROM:<\"a\\\x01\"@b>\r\nMAIL FROM:<\"a "
            "b\"@c>\r\nRCPT "
            "TO:<\"\\\"\"@d>\r\n");
        client_.feed("DATA\r\na\nb\0\x1b\r\n.\r\n"s);
        client_.say("QUIT");
        for (const auto& line : client_.log.lines())
            for (const char c : line.text) CPPUNIT_ASSERT_MESSAGE(line.text, c >= ' ' && c < 0x7f);
        CPPUNIT_ASSERT(client_.log.contains("<<< EHLO \\x1b[31m"));
    }

private:
    SessionUnderTest client_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(SessionTest);

}  // namespace
}  // namespace smtpd::engine
