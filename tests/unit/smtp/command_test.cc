/// command_test.cc: the parts of a command line.
#include "smtp/command.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::smtp {
namespace {

class CommandTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CommandTest);
    CPPUNIT_TEST(every_verb_is_known_in_any_case);
    CPPUNIT_TEST(other_words_are_unknown);
    CPPUNIT_TEST(the_rest_begins_behind_the_blanks);
    CPPUNIT_TEST(both_parts_are_slices_of_the_line);
    CPPUNIT_TEST(a_host_argument_is_any_word_without_control_characters);
    CPPUNIT_TEST_SUITE_END();

    static std::string shown(std::string_view line) {
        const auto command = parse_command(line);
        return std::string(verb_name(command.verb)) + "|" + std::string(command.verb_text) + "|" +
               std::string(command.rest);
    }

public:
    void every_verb_is_known_in_any_case() {
        struct Row {
            Verb verb;
            const char* name;
        };
        static constexpr Row table[] = {
            {Verb::helo, "HELO"},       {Verb::ehlo, "EHLO"},         {Verb::lhlo, "LHLO"},
            {Verb::mail, "MAIL"},       {Verb::rcpt, "RCPT"},         {Verb::data, "DATA"},
            {Verb::bdat, "BDAT"},       {Verb::rset, "RSET"},         {Verb::noop, "NOOP"},
            {Verb::vrfy, "VRFY"},       {Verb::expn, "EXPN"},         {Verb::help, "HELP"},
            {Verb::quit, "QUIT"},       {Verb::auth, "AUTH"},         {Verb::starttls, "STARTTLS"},
            {Verb::xclient, "XCLIENT"}, {Verb::xforward, "XFORWARD"},
        };
        for (const auto& row : table) {
            std::string name = row.name;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, name, std::string(verb_name(row.verb)));
            for (std::size_t i = 0; i <= name.size(); ++i) {
                CPPUNIT_ASSERT_MESSAGE(name, parse_command(name).verb == row.verb);
                CPPUNIT_ASSERT_MESSAGE(name, parse_command(name + " x").verb == row.verb);
                if (i < name.size()) name[i] = static_cast<char>(name[i] + ('a' - 'A'));
            }
        }
    }

    void other_words_are_unknown() {
        using namespace std::string_view_literals;
        for (const auto line : {""sv, " "sv, " MAIL"sv, "\tMAIL"sv, "MAI"sv, "MAILX"sv, "MAIL\0"sv, "\0MAIL"sv,
                                "\0\0\0\0MAIL"sv, "MAIL\x0b"sv, "MAIL:"sv, "M\xc1IL"sv, "MAIL\r"sv, "GET"sv,
                                "STARTTLSX"sv, "XSTARTTLS"sv, "BADCOMMANDTHATISLONG"sv, "unknown"sv})
            CPPUNIT_ASSERT_MESSAGE(std::string(line), parse_command(line).verb == Verb::unknown);
        CPPUNIT_ASSERT(verb_name(Verb::unknown).empty());
    }

    void the_rest_begins_behind_the_blanks() {
        CPPUNIT_ASSERT_EQUAL(std::string("MAIL|MAIL|FROM:<a@b>"), shown("MAIL FROM:<a@b>"));
        CPPUNIT_ASSERT_EQUAL(std::string("MAIL|mail|FROM:<a@b>  X=1"), shown("mail \t FROM:<a@b>  X=1 \t"));
        CPPUNIT_ASSERT_EQUAL(std::string("QUIT|QUIT|"), shown("QUIT"));
        CPPUNIT_ASSERT_EQUAL(std::string("QUIT|QUIT|"), shown("QUIT  "));
        CPPUNIT_ASSERT_EQUAL(std::string("||x"), shown(" x"));
        CPPUNIT_ASSERT_EQUAL(std::string("||"), shown(""));
        CPPUNIT_ASSERT_EQUAL(std::string("|FOO|bar baz"), shown("FOO bar baz"));
    }

    void both_parts_are_slices_of_the_line() {
        const std::string line = "RCPT TO:<a@b>";
        const auto command = parse_command(line);
        CPPUNIT_ASSERT(command.verb_text.data() == line.data());
        CPPUNIT_ASSERT(command.rest.data() == line.data() + 5);
    }

    void a_host_argument_is_any_word_without_control_characters() {
        for (const char* good : {"mx.example.com", "[192.0.2.1]", "[IPv6:::1]", "under_score", "(odd)", "x",
                                 "M\xc3\x9cLLER-PC", "M\xdcLLER-PC"})
            CPPUNIT_ASSERT_EQUAL(std::string(good), std::string(host_argument(good).value()));
        CPPUNIT_ASSERT_EQUAL(std::string("first"), std::string(host_argument("first second").value()));
        using namespace std::string_view_literals;
        for (const auto bad : {""sv, " "sv, " x"sv, "a\0b"sv, "a\rb"sv, "a\x1b[0m"sv, "a\x7f"sv, "\xc3\xa9\x01"sv})
            CPPUNIT_ASSERT_MESSAGE(std::string(bad), !host_argument(bad));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CommandTest);

}  // namespace
}  // namespace smtpd::smtp
