/// session_commands_test.cc: each command: when it is legal, which arguments it accepts, and what it changes.
#include "fakes/session_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace smtpd::engine {
namespace {

using fakes::SessionUnderTest;

/// The first line of the output, without its text: "501 5.5.4".
std::string status(std::string_view output) {
    const auto end = output.find_first_of(" -");
    if (end == std::string_view::npos) return std::string(output);
    const auto rest = output.substr(end + 1);
    const auto blank = rest.find_first_of(" \r");
    const bool has_status = rest.size() > 2 && rest[1] == '.' && blank != std::string_view::npos;
    return std::string(output.substr(0, end)) + (has_status ? " " + std::string(rest.substr(0, blank)) : "");
}

struct Row {
    const char* command;
    const char* reply;
};

class SessionCommandsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionCommandsTest);
    CPPUNIT_TEST(commands_come_in_their_order);
    CPPUNIT_TEST(verbs_are_read_in_any_case);
    CPPUNIT_TEST(arguments_are_taken_where_they_belong);
    CPPUNIT_TEST(a_hello_of_any_length_does_no_harm);
    CPPUNIT_TEST(a_second_hello_resets);
    CPPUNIT_TEST(a_refused_second_hello_changes_nothing);
    CPPUNIT_TEST(hello_hands_its_words_on);
    CPPUNIT_TEST(mail_takes_addresses_and_refuses_others);
    CPPUNIT_TEST(mail_parameters_are_judged);
    CPPUNIT_TEST(size_is_compared_with_the_limit);
    CPPUNIT_TEST(databytes_is_the_limit_where_there_is_no_other);
    CPPUNIT_TEST(unknown_parameters_can_be_ignored);
    CPPUNIT_TEST(mail_facts_reach_the_plugins);
    CPPUNIT_TEST(parse_hooks_rewrite_the_argument);
    CPPUNIT_TEST(pre_hooks_rewrite_the_path);
    CPPUNIT_TEST(a_plugin_may_replace_sender_and_recipient);
    CPPUNIT_TEST(rcpt_takes_addresses_and_refuses_others);
    CPPUNIT_TEST(without_a_plugin_no_recipient_is_accepted);
    CPPUNIT_TEST(recipients_have_a_limit);
    CPPUNIT_TEST(surplus_recipients_do_not_cost_the_session);
    CPPUNIT_TEST(a_refused_mail_leaves_no_transaction);
    CPPUNIT_TEST(known_but_missing_commands_say_502);
    CPPUNIT_TEST(plugins_may_answer_commands_of_their_own);
    CPPUNIT_TEST(refusals_are_logged);
    CPPUNIT_TEST_SUITE_END();

public:
    void commands_come_in_their_order() {
        check({{"MAIL FROM:<a@b>", "503 5.5.1"},
               {"RCPT TO:<a@b>", "503 5.5.1"},
               {"DATA", "503 5.5.1"},
               {"RSET", "250 2.0.0"},
               {"NOOP", "250 2.0.0"},
               {"VRFY x", "252 2.5.2"},
               {"HELP", "214 2.0.0"},
               {"EHLO x", "250"},
               {"RCPT TO:<a@b>", "503 5.5.1"},
               {"DATA", "503 5.5.1"},
               {"MAIL FROM:<a@b>", "250 2.1.0"},
               {"MAIL FROM:<a@b>", "503 5.5.1"},
               {"DATA", "503 5.5.1"},
               {"RCPT TO:<a@b>", "250 2.1.5"},
               {"MAIL FROM:<a@b>", "503 5.5.1"},
               {"RSET", "250 2.0.0"},
               {"RCPT TO:<a@b>", "503 5.5.1"},
               {"MAIL FROM:<a@b>", "250 2.1.0"},
               {"RCPT TO:<a@b>", "250 2.1.5"},
               {"DATA", "354"},
               {".", "250 2.0.0"},
               {"DATA", "503 5.5.1"},
               {"RCPT TO:<a@b>", "503 5.5.1"}});
    }

    void verbs_are_read_in_any_case() {
        check({{"ehlo x", "250"},
               {"mAiL fRoM:<a@b>", "250 2.1.0"},
               {"rcpt to:<a@b>", "250 2.1.5"},
               {"rset", "250 2.0.0"},
               {"noop", "250 2.0.0"},
               {"Quit", "221 2.0.0"}});
    }

    void arguments_are_taken_where_they_belong() {
        const std::string long_hello = "EHLO " + std::string(256, 'x');
        check({{"HELO", "501 5.5.4"},
               {"EHLO", "501 5.5.4"},
               {"EHLO \x01", "501 5.5.4"},
               {"EHLO \x80", "250"},
               {"EHLO M\xc3\x9cLLER-PC", "250"},
               {"HELO M\xdcLLER-PC", "250"},
               {long_hello.c_str(), "501 5.5.4"},
               {"HELO x y z", "250"},
               {"EHLO   x  ", "250"},
               {"NOOP anything at all", "250 2.0.0"},
               {"HELP MAIL", "214 2.0.0"},
               {"VRFY", "501 5.5.4"},
               {"RSET now", "501 5.5.4"},
               {"MAIL FROM:<a@b>", "250 2.1.0"},
               {"RSET now", "501 5.5.4"},
               {"RCPT TO:<a@b>", "250 2.1.5"},
               {"DATA now", "501 5.5.4"},
               {"DATA  ", "354"},
               {".", "250 2.0.0"},
               {"", "500 5.5.1"},
               {" NOOP", "500 5.5.1"},
               {"NOOPNOOPNOOPNOOP", "500 5.5.1"},
               {"NOOP\x01", "500 5.5.1"},
               {"QUIT now", "501 5.5.4"},
               {"QUIT ", "221 2.0.0"}});
    }

    /// Too long for a name, for the command, for any line; and one that never ends.
    void a_hello_of_any_length_does_no_harm() {
        for (const std::string verb : {"HELO ", "EHLO "})
            for (const std::size_t length :
                 {254U, 255U, 256U, 505U, 506U, 998U, 1000U, 2041U, 2042U, 4096U, 65535U, 65536U, 200000U})
                for (const std::size_t piece : {std::size_t{3000}, std::size_t{1000000}}) {
                    SessionUnderTest client;
                    client.start();
                    const std::string name(length, 'x');
                    const std::string line = verb + name + "\r\nNOOP\r\n";
                    std::string output;
                    for (std::size_t at = 0; at < line.size(); at += piece)
                        output += client.feed(std::string(line, at, piece));  // memory of its own
                    const auto what = verb + std::to_string(length);
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(what,
                                                 std::string(length <= 255        ? "250 250"
                                                             : length + 7 <= 2048 ? "501 250"
                                                                                  : "500 250"),
                                                 fakes::codes(output));
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(what, length <= 255 ? name : std::string(),
                                                 std::string(client.session().hello_host()));
                }
        SessionUnderTest endless;
        endless.start();
        std::string output;
        for (int i = 0; i < 1000 && !endless.is_closed(); ++i) output += endless.feed(std::string(1000, 'x'));
        CPPUNIT_ASSERT_EQUAL(std::string("421 4.7.0 Line is much too long, closing connection\r\n"), output);
        CPPUNIT_ASSERT(endless.is_closed());
        CPPUNIT_ASSERT(endless.log.contains("the server ends the session: reply=\"421 Line is much too long"));
    }

    void a_second_hello_resets() {
        check({{"EHLO x", "250"},
               {"MAIL FROM:<a@b>", "250 2.1.0"},
               {"EHLO y", "250"},
               {"RCPT TO:<a@b>", "503 5.5.1"},
               {"MAIL FROM:<a@b>", "250 2.1.0"},
               {"HELO z", "250"},
               {"DATA", "503 5.5.1"}});
        CPPUNIT_ASSERT(Greeted::helo == client_.session().greeted());
        CPPUNIT_ASSERT_EQUAL(std::string("z"), client_.session().hello_host());
    }

    void a_refused_second_hello_changes_nothing() {
        check({{"HELO x", "250"}, {"MAIL FROM:<a@b>", "250 2.1.0"}});
        client_.hooks.respond(HookId::ehlo, deny());
        check_more({{"EHLO y", "550 5.7.1"}, {"EHLO", "501 5.5.4"}, {"RCPT TO:<a@b>", "250 2.1.5"}});
        CPPUNIT_ASSERT(Greeted::helo == client_.session().greeted());
        CPPUNIT_ASSERT_EQUAL(std::string("x"), client_.session().hello_host());
    }

    void hello_hands_its_words_on() {
        std::string seen;
        const auto look = [&](HookContext& context) {
            const auto& hook = static_cast<HelloHook&>(context);
            seen += std::string(hook.is_esmtp() ? "E" : "H") + "[" + std::string(hook.host) + "][" +
                    std::string(hook.rest) + "]";
            CPPUNIT_ASSERT(fakes::connection_of(context).greeted() == Greeted::no);
            return declined();
        };
        client_.hooks.on(HookId::helo, look);
        client_.start();
        client_.say("HELO \t host.example  and more  ");
        client_.hooks.on(HookId::helo, [](HookContext&) { return declined(); });
        client_.hooks.on(HookId::ehlo, [&](HookContext& context) {
            const auto& hook = static_cast<HelloHook&>(context);
            seen += std::string(hook.is_esmtp() ? "E" : "H") + "[" + std::string(hook.host) + "][" +
                    std::string(hook.rest) + "]";
            return declined();
        });
        client_.say("EHLO [192.0.2.1]");
        CPPUNIT_ASSERT_EQUAL(std::string("H[host.example][and more]E[[192.0.2.1]][]"), seen);
    }

    void mail_takes_addresses_and_refuses_others() {
        const Row rows[] = {{"MAIL FROM:<a@b>", "250 2.1.0"},
                            {"MAIL FROM: <a@b>", "250 2.1.0"},
                            {"MAIL FROM:<>", "250 2.1.0"},
                            {"MAIL FROM:<\"a b\"@c>", "250 2.1.0"},
                            {"MAIL FROM:<a@[192.0.2.1]>", "250 2.1.0"},
                            {"MAIL FROM:<@r,@s:a@b>", "250 2.1.0"},
                            {"MAIL", "501 5.5.4"},
                            {"MAIL <a@b>", "501 5.5.4"},
                            {"MAIL TO:<a@b>", "501 5.5.4"},
                            {"MAIL FROM:", "501 5.1.7"},
                            {"MAIL FROM:a@b", "501 5.1.7"},
                            {"MAIL FROM:<a@b", "501 5.1.7"},
                            {"MAIL FROM:<a b@c>", "501 5.1.7"},
                            {"MAIL FROM:<postmaster>", "501 5.1.7"},
                            {"MAIL FROM:<a@b>SIZE=1", "501 5.5.4"},
                            {"MAIL FROM:<a@b c>", "501 5.1.7"}};
        for (const auto& row : rows) {
            SessionUnderTest client;
            client.greet();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.command, std::string(row.reply), status(client.say(row.command)));
        }
    }

    void mail_parameters_are_judged() {
        const Row rows[] = {{"SIZE=0", "250 2.1.0"},
                            {"size=1000", "250 2.1.0"},
                            {"SIZE=18446744073709551615", "250 2.1.0"},
                            {"SIZE=99999999999999999999", "250 2.1.0"},
                            {"SIZE=100000000000000000000", "501 5.5.4"},
                            {"SIZE=", "501 5.5.4"},
                            {"SIZE", "501 5.5.4"},
                            {"SIZE=-1", "501 5.5.4"},
                            {"SIZE=x", "501 5.5.4"},
                            {"SIZE=1 SIZE=2", "501 5.5.4"},
                            {"BODY=7BIT", "250 2.1.0"},
                            {"body=8bitmime", "250 2.1.0"},
                            {"BODY", "501 5.5.4"},
                            {"SIZE=1 BODY=8BITMIME", "250 2.1.0"},
                            {"AUTH=<>", "555 5.5.4"},
                            {"RET=FULL", "555 5.5.4"},
                            {"X=1", "555 5.5.4"},
                            {"=", "501 5.5.4"},
                            {"X==", "501 5.5.4"}};
        for (const auto& row : rows) {
            SessionUnderTest client;
            client.greet();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.command, std::string(row.reply),
                                         status(client.say(std::string("MAIL FROM:<a@b> ") + row.command)));
            const bool accepted = row.reply[0] == '2';
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.command, std::string(accepted ? "503" : "250"),
                                         status(client.say("MAIL FROM:<a@b>")).substr(0, 3));
        }
    }

    void size_is_compared_with_the_limit() {
        client_.settings.max_message_size = 1000;
        check({{"EHLO x", "250"},
               {"MAIL FROM:<a@b> SIZE=1001", "552 5.3.4"},
               {"MAIL FROM:<a@b> SIZE=99999999999999999999", "552 5.3.4"},
               {"MAIL FROM:<a@b> SIZE=1000", "250 2.1.0"}});
    }

    void databytes_is_the_limit_where_there_is_no_other() {
        client_.hooks.control["databytes"] = {"500"};
        client_.start();
        CPPUNIT_ASSERT(client_.say("EHLO x").find("SIZE 500\r\n") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::string("552 5.3.4"), status(client_.say("MAIL FROM:<a@b> SIZE=501")));
        SessionUnderTest set;
        set.settings.max_message_size = 1000;
        set.hooks.control["databytes"] = {"500"};
        set.start();
        CPPUNIT_ASSERT(set.say("EHLO x").find("SIZE 1000\r\n") != std::string::npos);
    }

    void unknown_parameters_can_be_ignored() {
        client_.settings.ignore_unknown_parameters = true;
        check({{"EHLO x", "250"},
               {"MAIL FROM:<a@b> X=1 Y SIZE=1", "250 2.1.0"},
               {"RCPT TO:<a@b> NOTIFY=NEVER", "250 2.1.5"}});
        SessionUnderTest strict;
        strict.hooks.accept_mail();
        strict.greet();
        strict.say("MAIL FROM:<a@b>");
        CPPUNIT_ASSERT_EQUAL(std::string("555 5.5.4"), status(strict.say("RCPT TO:<a@b> NOTIFY=NEVER")));
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.1.5"), status(strict.say("RCPT TO:<a@b>")));
    }

    void mail_facts_reach_the_plugins() {
        bool seen = false;
        client_.hooks.on(HookId::mail, [&](HookContext& context) {
            const auto& hook = static_cast<MailHook&>(context);
            CPPUNIT_ASSERT_EQUAL(std::string("a@b"), hook.sender().to_string());
            CPPUNIT_ASSERT_EQUAL(std::uint64_t(123), hook.transaction.envelope().declared_size.value());
            CPPUNIT_ASSERT(hook.transaction.envelope().is_8bitmime());
            CPPUNIT_ASSERT_EQUAL(std::string("8BITMIME"), hook.parameters().find("body")->value.value());
            CPPUNIT_ASSERT_EQUAL(std::string("session-1"), hook.transaction.id());
            CPPUNIT_ASSERT_EQUAL(std::string("MAIL FROM:<a@b> SIZE=123 BODY=8BITMIME"),
                                 fakes::connection_of(context).last_line());
            seen = true;
            return declined();
        });
        client_.greet();
        client_.say("MAIL FROM:<a@b> SIZE=123 BODY=8BITMIME");
        CPPUNIT_ASSERT(seen);
    }

    void parse_hooks_rewrite_the_argument() {
        const auto rewrite = [](std::string text) {
            return [text](HookContext& context) {
                static_cast<ParseHook&>(context).argument = text;
                return ok();
            };
        };
        client_.hooks.accept_mail();
        client_.hooks.on(HookId::ehlo_parse, rewrite("other.example words"));
        client_.hooks.on(HookId::mail_parse, rewrite("FROM:<c@d> SIZE=5"));
        client_.hooks.on(HookId::rcpt_parse, rewrite("nonsense"));
        check({{"EHLO", "250"}, {"MAIL", "250 2.1.0"}, {"RCPT TO:<a@b>", "501 5.5.4"}});
        CPPUNIT_ASSERT_EQUAL(std::string("other.example"), client_.session().hello_host());
        client_.hooks.on(HookId::helo_parse, rewrite(""));
        check_more({{"HELO x", "501 5.5.4"}});
    }

    void pre_hooks_rewrite_the_path() {
        const auto add_brackets = [](HookContext& context) {
            auto& path = static_cast<PathHook&>(context).path;
            if (path.empty() || path.front() != '<') path = "<" + path + ">";
            return declined();
        };
        client_.hooks.on(HookId::mail_pre, add_brackets);
        client_.hooks.on(HookId::rcpt_pre, add_brackets);
        check({{"EHLO x", "250"},
               {"MAIL FROM:a@b SIZE=5", "250 2.1.0"},
               {"RCPT TO:postmaster", "250 2.1.5"},
               {"RSET", "250 2.0.0"},
               {"MAIL FROM:", "250 2.1.0"}});
    }

    void a_plugin_may_replace_sender_and_recipient() {
        client_.hooks.on(HookId::mail, [](HookContext& context) {
            static_cast<MailHook&>(context).transaction.set_sender(Address::from_parts("new", "sender.example"));
            return declined();
        });
        client_.hooks.on(HookId::rcpt, [](HookContext& context) {
            static_cast<RcptHook&>(context).recipient.set_address(Address::from_parts("new", "rcpt.example"));
            return ok();
        });
        std::string queued;
        client_.hooks.on(HookId::queue, [&](HookContext& context) {
            const auto& delivery = static_cast<const Delivery&>(context);
            queued = delivery.envelope().sender.to_string() + " " + delivery.recipients().at(0).address().to_string();
            return ok();
        });
        client_.begin_data();
        client_.say(".");
        CPPUNIT_ASSERT_EQUAL(std::string("new@sender.example new@rcpt.example"), queued);
    }

    void rcpt_takes_addresses_and_refuses_others() {
        const Row rows[] = {{"RCPT TO:<a@b>", "250 2.1.5"},
                            {"RCPT TO: <a@b>", "250 2.1.5"},
                            {"RCPT TO:<postmaster>", "250 2.1.5"},
                            {"RCPT TO:<PostMaster>", "250 2.1.5"},
                            {"RCPT TO:<@r:a@b>", "250 2.1.5"},
                            {"RCPT TO:<>", "501 5.1.3"},
                            {"RCPT TO:<abuse>", "501 5.1.3"},
                            {"RCPT TO:", "501 5.5.4"},
                            {"RCPT", "501 5.5.4"},
                            {"RCPT FROM:<a@b>", "501 5.5.4"},
                            {"RCPT TO:<a@b", "501 5.1.3"},
                            {"RCPT TO:<a@b> SIZE=1", "555 5.5.4"},
                            {"RCPT TO:<a@b> NOTIFY=NEVER", "555 5.5.4"}};
        for (const auto& row : rows) {
            SessionUnderTest client;
            client.hooks.accept_mail();
            client.greet();
            client.say("MAIL FROM:<a@b>");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.command, std::string(row.reply), status(client.say(row.command)));
        }
    }

    void without_a_plugin_no_recipient_is_accepted() {
        client_.greet();
        client_.say("MAIL FROM:<a@b>");
        for (const auto* recipient :
             {"<user@mx.example.com>", "<postmaster>", "<user@localhost>", "<user@elsewhere.example>"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(recipient, std::string("450 4.7.1"),
                                         status(client_.say(std::string("RCPT TO:") + recipient)));
        CPPUNIT_ASSERT_EQUAL(std::string("503 5.5.1"), status(client_.say("DATA")));
    }

    void recipients_have_a_limit() {
        client_.settings.max_recipients = 3;
        client_.hooks.accept_mail();
        client_.begin_transaction();
        check_more({{"RCPT TO:<b@b>", "250 2.1.5"},
                    {"RCPT TO:<c@b>", "250 2.1.5"},
                    {"RCPT TO:<d@b>", "452 4.5.3"},
                    {"RCPT TO:<e@b>", "452 4.5.3"},
                    {"DATA", "354"},
                    {".", "250 2.0.0"}});
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), client_.hooks.count(HookId::rcpt));
    }

    void surplus_recipients_do_not_cost_the_session() {
        client_.settings.max_recipients = 50;
        client_.settings.max_errors = 5;
        client_.hooks.accept_mail();
        client_.greet();
        client_.say("MAIL FROM:<a@b>");
        for (int i = 0; i < 100; ++i) client_.say("RCPT TO:<a@b>");
        CPPUNIT_ASSERT_EQUAL(0U, client_.session().errors());
        for (int i = 0; i < 4; ++i) client_.say("RCPT TO:<a@b>");
        CPPUNIT_ASSERT_EQUAL(4U, client_.session().errors());
        CPPUNIT_ASSERT(!client_.is_closed());
        client_.say("RCPT TO:<a@b>");
        CPPUNIT_ASSERT(client_.is_closed());
    }

    void a_refused_mail_leaves_no_transaction() {
        client_.hooks.watch(HookId::reset_transaction);
        client_.hooks.respond(HookId::mail, denysoft());
        check({{"EHLO x", "250"},
               {"MAIL FROM:<a@b>", "450 4.7.1"},
               {"RCPT TO:<a@b>", "503 5.5.1"},
               {"MAIL FROM:<a@b>", "450 4.7.1"}});
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), client_.hooks.count(HookId::reset_transaction));
    }

    void known_but_missing_commands_say_502() {
        check({{"EXPN list", "502 5.5.1"},
               {"EXPN", "502 5.5.1"},
               {"STARTTLS", "502 5.5.1"},
               {"STARTTLS now", "502 5.5.1"},
               {"AUTH PLAIN x", "502 5.5.1"},
               {"ETRN example.com", "502 5.5.1"},
               {"ETRN", "502 5.5.1"},
               {"ETRN @;`reboot`", "502 5.5.1"},
               {"XFORWARD NAME=x", "502 5.5.1"},
               {"XCLIENT NAME=x", "502 5.5.1"},
               {"LHLO x", "502 5.5.1"},
               {"TURN", "500 5.5.1"},
               {"SEND FROM:<a@b>", "500 5.5.1"}});
    }

    void plugins_may_answer_commands_of_their_own() {
        std::string seen;
        client_.hooks.on(HookId::unrecognized_command, [&](HookContext& context) {
            const auto& hook = static_cast<UnrecognizedHook&>(context);
            seen += "[" + std::string(hook.verb) + "|" + std::string(hook.argument) + "]";
            if (hook.verb != "XTEST") return declined();
            fakes::connection_of(context).send({250, {2, 0, 0}, "tested"});
            return Response(Verdict::done);
        });
        check({{"XTEST  a  b ", "250 2.0.0"}, {"xother", "500 5.5.1"}, {"STARTTLS", "502 5.5.1"}});
        CPPUNIT_ASSERT_EQUAL(std::string("[XTEST|a  b][xother|][STARTTLS|]"), seen);
    }

    void refusals_are_logged() {
        client_.log.set_level(LogLevel::info);
        client_.hooks.respond(HookId::rcpt, deny("no such user"));
        check({{"EHLO x", "250"}, {"MAIL FROM:<a@b>", "250 2.1.0"}, {"RCPT TO:<c@d>", "550 5.7.1"}});
        CPPUNIT_ASSERT(client_.log.contains("rcpt refused from=<a@b> to=<c@d> reply=\"550 no such user\""));
        client_.hooks.respond(HookId::rcpt, ok());
        client_.hooks.respond(HookId::data, denysoft("not now"));
        check({{"RCPT TO:<c@d>", "250 2.1.5"}, {"RCPT TO:<e@f>", "250 2.1.5"}, {"DATA", "451 4.7.1"}});
        CPPUNIT_ASSERT(client_.log.contains("data refused from=<a@b> to=<c@d>,<e@f> reply=\"451 not now\""));
        check({{"MAIL FROM:<a@b>", "250 2.1.0"}, {"RCPT TO:<g@h>", "250 2.1.5"}, {"BDAT 0 LAST", "451 4.7.1"}});
        CPPUNIT_ASSERT(client_.log.contains("data refused from=<a@b> to=<g@h> reply=\"451 not now\""));
    }

private:
    /// A new dialogue, in which plugins accept any recipient.
    void check(const std::vector<Row>& rows) {
        if (!client_.hooks.has(HookId::rcpt)) client_.hooks.accept_mail();
        client_.start();
        check_more(rows);
    }
    void check_more(const std::vector<Row>& rows) {
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.command, std::string(row.reply), status(client_.say(row.command)));
    }

    SessionUnderTest client_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(SessionCommandsTest);

}  // namespace
}  // namespace smtpd::engine
