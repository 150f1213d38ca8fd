/// commands_test.cc: small plugins for commands: dont_require_anglebrackets, parse_addr_withhelo, help, quit_fortune,
/// connection_time, random_error.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <smtpd/known_notes.h>

#include <cppunit/extensions/HelperMacros.h>

#include <chrono>
#include <map>

#include <sys/stat.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;
using std::string_literals::operator""s;

class DontRequireAngleBracketsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DontRequireAngleBracketsTest);
    CPPUNIT_TEST(brackets_are_added_where_there_are_none);
    CPPUNIT_TEST(missing_brackets_cost_karma);
    CPPUNIT_TEST_SUITE_END();

public:
    void brackets_are_added_where_there_are_none() {
        const struct {
            const char* path;
            const char* becomes;
        } rows[] = {
            {"<user@example.com>", "<user@example.com>"},
            {"user@example.com", "<user@example.com>"},
            {"ask@[192.0.2.1]", "<ask@[192.0.2.1]>"},
            {"", "<>"},
            {"<>", "<>"},
            {"postmaster", "<postmaster>"},
            {"<user@example.com", "<user@example.com"},
            {"user@example.com>", "user@example.com>"},
        };
        PluginUnderTest plugin("dont_require_anglebrackets");
        for (const auto& row : rows) {
            std::string sender = row.path, recipient = row.path;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.path, std::string("declined"), shown(plugin.mail_pre(sender)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.path, std::string("declined"), shown(plugin.rcpt_pre(recipient)));
            CPPUNIT_ASSERT_EQUAL(std::string(row.becomes), sender);
            CPPUNIT_ASSERT_EQUAL(std::string(row.becomes), recipient);
        }
    }

    void missing_brackets_cost_karma() {
        PluginUnderTest plugin("dont_require_anglebrackets");
        std::string path = "<user@example.com>";
        (void)plugin.mail_pre(path);
        CPPUNIT_ASSERT_EQUAL(0, plugin.connection().karma());
        path = "user@example.com";
        (void)plugin.mail_pre(path);
        CPPUNIT_ASSERT_EQUAL(-2, plugin.connection().karma());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DontRequireAngleBracketsTest);

class ParseAddressWithHeloTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ParseAddressWithHeloTest);
    CPPUNIT_TEST(parameters_are_refused_after_helo_only);
    CPPUNIT_TEST_SUITE_END();

public:
    void parameters_are_refused_after_helo_only() {
        const struct {
            const char* argument;
            bool has_parameters;
        } rows[] = {
            {"FROM:<user@example.com>", false},
            {"FROM:<user@example.com> ", false},
            {"FROM:<user@example.com> SIZE=1", true},
            {"FROM: <user@example.com>SIZE=1", true},
            {"FROM:<> BODY=8BITMIME", true},
            {"FROM:<\"a> b\"@example.com>", false},
            {"FROM:<\"a\\\"> b\"@example.com> X", true},
            {"FROM:<\"a\\\"> b\"@example.com>", false},
            {"FROM:user@example.com", false},
            {"FROM:user@example.com SIZE=1", true},
            {"FROM:\"a b\"@example.com", false},
            {"TO:postmaster", false},
            {"TO:postmaster NOTIFY=NEVER", true},
            {"FROM:", false},
            {"nothing", false},
            {"FROM:<user@example.com", false},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("parse_addr_withhelo");
            std::string argument = row.argument;
            plugin.connection().set_greeted(Greeted::ehlo, "client");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.argument, std::string("declined"), shown(plugin.mail_parse(argument)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.argument, std::string("declined"), shown(plugin.rcpt_parse(argument)));
            plugin.connection().set_greeted(Greeted::helo, "client");
            const std::string expected = row.has_parameters ? "deny 5.5.4 No parameters allowed after HELO"
                                                            : "declined";
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.argument, expected, shown(plugin.mail_parse(argument)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.argument, expected, shown(plugin.rcpt_parse(argument)));
            CPPUNIT_ASSERT_EQUAL(std::string(row.argument), argument);
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ParseAddressWithHeloTest);

class HelpTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HelpTest);
    CPPUNIT_TEST(texts_come_from_files);
    CPPUNIT_TEST(arguments_lead_nowhere_else);
    CPPUNIT_TEST(commands_may_have_other_files);
    CPPUNIT_TEST(it_may_be_switched_off);
    CPPUNIT_TEST(large_files_are_not_shown);
    CPPUNIT_TEST(wrong_options_are_named);
    CPPUNIT_TEST_SUITE_END();

public:
    void texts_come_from_files() {
        PluginUnderTest plugin("help");
        plugin.directory().write("help/mail", "MAIL FROM:<address>\nbegins a message\n");
        plugin.directory().write("help/empty", "");
        CPPUNIT_ASSERT_EQUAL(std::string("ok Try HELP and a command, such as HELP MAIL"), shown(plugin.help()));
        CPPUNIT_ASSERT_EQUAL(std::string("ok MAIL FROM:<address> / begins a message / "), shown(plugin.help("MAIL")));
        CPPUNIT_ASSERT_EQUAL(std::string("ok MAIL FROM:<address> / begins a message / "), shown(plugin.help("mail")));
        CPPUNIT_ASSERT_EQUAL(std::string("deny 504 5.5.4 No help for QUIT"), shown(plugin.help("QUIT")));
        CPPUNIT_ASSERT_EQUAL(std::string("deny 504 5.5.4 No help for EMPTY"), shown(plugin.help("EMPTY")));
    }

    void arguments_lead_nowhere_else() {
        PluginUnderTest plugin("help");
        plugin.directory().write("secret", "secret");
        plugin.directory().write("help/mail", "text");
        for (const char* argument : {"../secret", "MAIL FROM", "mail.txt", "/etc/passwd", "~", "m\xc3\xa4il", "."})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(argument, "deny 501 5.5.4 HELP takes the name of one command"s,
                                         shown(plugin.help(argument)));
    }

    void commands_may_have_other_files() {
        fakes::TempDirectory elsewhere;
        const std::string absolute = elsewhere.write("rcpt.txt", "about RCPT");
        PluginUnderTest plugin("help", "help_dir=texts MAIL mail.txt Rcpt " + absolute);
        plugin.directory().write("texts/mail.txt", "about MAIL");
        plugin.directory().write("texts/data", "about DATA");
        CPPUNIT_ASSERT_EQUAL(std::string("ok about MAIL"), shown(plugin.help("MAIL")));
        CPPUNIT_ASSERT_EQUAL(std::string("ok about RCPT"), shown(plugin.help("RCPT")));
        CPPUNIT_ASSERT_EQUAL(std::string("ok about DATA"), shown(plugin.help("DATA")));
    }

    void it_may_be_switched_off() {
        PluginUnderTest plugin("help", "not_implemented 1");
        plugin.directory().write("help/mail", "text");
        for (const char* argument : {"", "MAIL", "../x"})
            CPPUNIT_ASSERT_EQUAL(std::string("deny 502 5.5.1 HELP is not implemented"), shown(plugin.help(argument)));
    }

    void large_files_are_not_shown() {
        PluginUnderTest plugin("help");
        plugin.directory().write("help/mail", std::string(16385, 'x'));
        CPPUNIT_ASSERT_EQUAL(std::string("deny 504 5.5.4 No help for MAIL"), shown(plugin.help("MAIL")));
        CPPUNIT_ASSERT(plugin.log().contains("error: cannot use"));
    }

    void wrong_options_are_named() {
        CPPUNIT_ASSERT(PluginUnderTest("help", "MAIL").problems().find("the command \"MAIL\" has no file after it") !=
                       std::string::npos);
        CPPUNIT_ASSERT(PluginUnderTest("help", "a.b file").problems().find("\"a.b\" is not a command") !=
                       std::string::npos);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(HelpTest);

class QuitFortuneTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(QuitFortuneTest);
    CPPUNIT_TEST(clients_that_said_helo_get_a_fortune);
    CPPUNIT_TEST(other_clients_get_the_usual_goodbye);
    CPPUNIT_TEST(output_is_made_printable_and_cut);
    CPPUNIT_TEST(a_program_that_fails_is_no_harm);
    CPPUNIT_TEST(a_slow_program_is_not_waited_for);
    CPPUNIT_TEST(a_missing_program_is_a_warning);
    CPPUNIT_TEST_SUITE_END();

    fakes::TempDirectory directory_;

    std::string script(const std::string& text) const {
        const std::string path = directory_.write("fortune", "#!/bin/sh\n" + text);
        chmod(path.c_str(), 0755);
        return path;
    }

    static std::string goodbye(const std::string& program, Greeted greeted = Greeted::helo,
                               const std::string& more = "") {
        PluginUnderTest plugin("quit_fortune", "program=" + program + more);
        plugin.connection().set_greeted(greeted, "client");
        return shown(plugin.quit());
    }

public:
    void clients_that_said_helo_get_a_fortune() {
        CPPUNIT_ASSERT_EQUAL(std::string("ok You will / be lucky: -s"),
                             goodbye(script("echo You will\necho be lucky: $1\n")));
    }

    void other_clients_get_the_usual_goodbye() {
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), goodbye(script("echo no"), Greeted::ehlo));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), goodbye(script("echo no"), Greeted::no));
    }

    void output_is_made_printable_and_cut() {
        CPPUNIT_ASSERT_EQUAL(std::string("ok a b?c??d"), goodbye(script("printf 'a\\tb\\001c\\303\\244d\\n\\n'")));
        const auto answer = goodbye(script("yes | head -c 100000"));
        CPPUNIT_ASSERT(answer.size() > 2000 && answer.starts_with("ok y / y"));
    }

    void a_program_that_fails_is_no_harm() {
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), goodbye(script("exit 1")));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), goodbye(directory_.path("missing")));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), goodbye(directory_.path()));
        // Standard input is empty and standard error is nobody's.
        CPPUNIT_ASSERT_EQUAL(std::string("ok <>"), goodbye(script("echo oops >&2; echo \"<$(cat)>\"")));
    }

    void a_slow_program_is_not_waited_for() {
        const auto began = std::chrono::steady_clock::now();
        CPPUNIT_ASSERT_EQUAL(std::string("declined"),
                             goodbye(script("echo begun\nexec sleep 20"), Greeted::helo, " timeout=50ms"));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"),
                             goodbye(script("while :; do echo x; sleep 0.01; done"), Greeted::helo, " timeout=200ms"));
        CPPUNIT_ASSERT(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
    }

    void a_missing_program_is_a_warning() {
        const PluginUnderTest plugin("quit_fortune", "program=" + directory_.path("missing"));
        CPPUNIT_ASSERT(plugin.is_usable());
        CPPUNIT_ASSERT(plugin.problems().find("cannot run ") != std::string::npos);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(QuitFortuneTest);

class ConnectionTimeTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ConnectionTimeTest);
    CPPUNIT_TEST(the_time_is_told_with_milliseconds);
    CPPUNIT_TEST(the_level_is_an_option);
    CPPUNIT_TEST_SUITE_END();

public:
    void the_time_is_told_with_milliseconds() {
        PluginUnderTest plugin("connection_time");
        plugin.clock().advance(std::chrono::milliseconds(61007));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.post_connection()));
        CPPUNIT_ASSERT_EQUAL(std::string("Connection time from 192.0.2.1: 61.007 sec."), plugin.log().last());
    }

    void the_level_is_an_option() {
        const struct {
            const char* options;
            LogLevel level;
        } rows[] = {{"", LogLevel::info},
                    {"7", LogLevel::debug},
                    {"LOGNOTICE", LogLevel::notice},
                    {"level=warning", LogLevel::warning},
                    {"loglevel 5", LogLevel::notice}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("connection_time", row.options);
            (void)plugin.post_connection();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::size_t(1), plugin.log().texts(row.level).size());
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ConnectionTimeTest);

class RandomErrorTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RandomErrorTest);
    CPPUNIT_TEST(errors_come_as_often_as_asked_for);
    CPPUNIT_TEST(zero_and_less_disable);
    CPPUNIT_TEST(every_hook_may_fail);
    CPPUNIT_TEST(a_note_replaces_the_option);
    CPPUNIT_TEST(the_same_session_sees_the_same_errors);
    CPPUNIT_TEST_SUITE_END();

    /// How often each answer occurs in that many sessions of six steps each.
    static std::map<std::string, int> answers(PluginUnderTest& plugin, int calls) {
        std::map<std::string, int> counts;
        for (int i = 0; i < calls; ++i) ++counts[shown(plugin.mail("user@example.net"))];
        return counts;
    }

public:
    void errors_come_as_often_as_asked_for() {
        PluginUnderTest plugin("random_error", "46.8559");  // 1 - 0.9^6: one of ten steps
        auto counts = answers(plugin, 20000);
        const int soft = counts["denysoft 4.3.0 Random temporary error"],
                  closing = counts["denysoft_disconnect 4.3.0 Random temporary error"];
        CPPUNIT_ASSERT_EQUAL(20000, counts["declined"] + soft + closing);
        CPPUNIT_ASSERT(soft + closing > 1800 && soft + closing < 2200);
        CPPUNIT_ASSERT(closing > (soft + closing) * 0.35 && closing < (soft + closing) * 0.45);
    }

    void zero_and_less_disable() {
        for (const char* options : {"0", "-1"}) {
            PluginUnderTest plugin("random_error", options);
            CPPUNIT_ASSERT_EQUAL(1000, answers(plugin, 1000)["declined"]);
        }
    }

    void every_hook_may_fail() {
        PluginUnderTest plugin("random_error", "100");
        for (const auto& answer :
             {plugin.connect(), plugin.helo("client"), plugin.ehlo("client"), plugin.mail("user@example.net"),
              plugin.rcpt("user@example.com"), plugin.data(), plugin.data_post("\r\n")})
            CPPUNIT_ASSERT(is_soft(answer.verdict));
    }

    void a_note_replaces_the_option() {
        PluginUnderTest plugin("random_error", "100");
        plugin.connection().notes().set(notes::random_error_percent, -1.0);
        CPPUNIT_ASSERT_EQUAL(100, answers(plugin, 100)["declined"]);
    }

    void the_same_session_sees_the_same_errors() {
        std::string runs[2];
        for (auto& run : runs) {
            PluginUnderTest plugin("random_error", "90");
            for (int i = 0; i < 200; ++i) run += shown(plugin.mail("user@example.net")) + "\n";
        }
        CPPUNIT_ASSERT_EQUAL(runs[0], runs[1]);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(RandomErrorTest);

}  // namespace
}  // namespace smtpd
