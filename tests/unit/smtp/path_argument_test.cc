/// path_argument_test.cc: the arguments of MAIL and RCPT.
#include "smtp/path_argument.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace smtpd::smtp {
namespace {

/// "path|KEYWORD=value|KEYWORD", with "~" in front of a path without brackets; or "501 5.5.4".
std::string shown(const ParsedPathArgument& parsed) {
    if (const auto* reply = std::get_if<Reply>(&parsed))
        return std::to_string(reply->code) + " " + reply->enhanced.to_string();
    const auto& argument = std::get<PathArgument>(parsed);
    auto out = (argument.bracketed ? "" : "~") + std::string(argument.path);
    for (const auto& parameter : argument.parameters)
        out += "|" + parameter.keyword + (parameter.value ? "=" + *parameter.value : "");
    return out;
}

struct Row {
    std::string in;
    const char* out;
};

void check_mail(const std::vector<Row>& table, bool smtputf8 = false) {
    for (const auto& row : table)
        CPPUNIT_ASSERT_EQUAL_MESSAGE("MAIL " + row.in, std::string(row.out), shown(parse_mail(row.in, smtputf8)));
}

void check_rcpt(const std::vector<Row>& table) {
    for (const auto& row : table)
        CPPUNIT_ASSERT_EQUAL_MESSAGE("RCPT " + row.in, std::string(row.out), shown(parse_rcpt(row.in)));
}

class PathArgumentTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PathArgumentTest);
    CPPUNIT_TEST(the_prefix_is_needed_in_any_case);
    CPPUNIT_TEST(the_path_ends_at_its_own_bracket);
    CPPUNIT_TEST(parameters_follow_the_path);
    CPPUNIT_TEST(malformed_parameters_are_refused);
    CPPUNIT_TEST(a_path_without_brackets_is_marked);
    CPPUNIT_TEST(the_original_tests_come_out_alike);
    CPPUNIT_TEST(control_characters_are_refused);
    CPPUNIT_TEST(limits_hold);
    CPPUNIT_TEST(utf8_values_need_smtputf8);
    CPPUNIT_TEST(recipients_have_their_own_status);
    CPPUNIT_TEST(replies_to_bad_paths_carry_the_reason);
    CPPUNIT_TEST(no_prefix_of_a_command_is_a_trap);
    CPPUNIT_TEST_SUITE_END();

public:
    void the_prefix_is_needed_in_any_case() {
        check_mail({{"FROM:<a@b>", "<a@b>"},
                    {"from:<a@b>", "<a@b>"},
                    {"FrOm:<a@b>", "<a@b>"},
                    {"FROM: \t <a@b>", "<a@b>"},
                    {"FROM <a@b>", "501 5.5.4"},
                    {"FROM :<a@b>", "501 5.5.4"},
                    {"TO:<a@b>", "501 5.5.4"},
                    {"<a@b>", "501 5.5.4"},
                    {"", "501 5.5.4"},
                    {"FROM", "501 5.5.4"},
                    {"FRO", "501 5.5.4"},
                    {" FROM:<a@b>", "501 5.5.4"}});
        check_rcpt({{"TO:<a@b>", "<a@b>"},
                    {"to: <a@b>", "<a@b>"},
                    {"FROM:<a@b>", "501 5.5.4"},
                    {"T", "501 5.5.4"},
                    {"TO", "501 5.5.4"}});
    }

    void the_path_ends_at_its_own_bracket() {
        check_mail({{"FROM:<>", "<>"},
                    {"FROM:<> SIZE=1", "<>|SIZE=1"},
                    {R"(FROM:<"a>b"@c> SIZE=1)", R"(<"a>b"@c>|SIZE=1)"},
                    {R"(FROM:<"a\">b"@c> SIZE=1)", R"(<"a\">b"@c>|SIZE=1)"},
                    {R"(FROM:<"a\\"@c> SIZE=1)", R"(<"a\\"@c>|SIZE=1)"},
                    {R"(FROM:<"a b"@c>)", R"(<"a b"@c>)"},
                    {R"(FROM:<@x,@y:"a>b"@c>)", R"(<@x,@y:"a>b"@c>)"},
                    {"FROM:<a@[x:y>z]> SIZE=1", "<a@[x:y>z]>|SIZE=1"},
                    {"FROM:<a@[x:\"]> SIZE=1", "<a@[x:\"]>|SIZE=1"},
                    {"FROM:<O\"Brien@c> SIZE=1", "<O\"Brien@c>|SIZE=1"},
                    {"FROM:<ask @perl.org>", "<ask @perl.org>"},
                    {"FROM:<a@b", "501 5.1.7"},
                    {"FROM:<", "501 5.1.7"},
                    {"FROM:<a@b SIZE=1", "501 5.1.7"},
                    {R"(FROM:<"a@b>)", "501 5.1.7"},
                    {R"(FROM:<"a\)", "501 5.1.7"},
                    {R"(FROM:<"a\")", "501 5.1.7"},
                    {"FROM:<a@[x", "501 5.1.7"},
                    {"FROM:<a@[x>", "501 5.1.7"},
                    {"FROM:<a@b>>", "501 5.5.4"},
                    {"FROM:<a@b>SIZE=1", "501 5.5.4"},
                    {"FROM:<a@b>,<c@d>", "501 5.5.4"}});
    }

    void parameters_follow_the_path() {
        check_mail({{"FROM:<a@b> SIZE=1230", "<a@b>|SIZE=1230"},
                    {"FROM:<a@b> size=1 body=8BITMIME  SMTPUTF8\tX-y=z ", "<a@b>|SIZE=1|BODY=8BITMIME|SMTPUTF8|X-Y=z"},
                    {"FROM:<a@b> AUTH=<>", "<a@b>|AUTH=<>"},
                    {"FROM:<a@b> AUTH=e+3Dmc2@example.com", "<a@b>|AUTH=e+3Dmc2@example.com"},
                    {"FROM:<a@b> 1=2", "<a@b>|1=2"}});
        check_rcpt(
            {{"TO:<a@b> ORCPT=rfc822;a@b NOTIFY=SUCCESS,FAILURE", "<a@b>|ORCPT=rfc822;a@b|NOTIFY=SUCCESS,FAILURE"}});
    }

    void malformed_parameters_are_refused() {
        check_mail({{"FROM:<a@b> =", "501 5.5.4"},
                    {"FROM:<a@b> =1", "501 5.5.4"},
                    {"FROM:<a@b> SIZE=", "501 5.5.4"},
                    {"FROM:<a@b> SIZE==1", "501 5.5.4"},
                    {"FROM:<a@b> SIZE=1=2", "501 5.5.4"},
                    {"FROM:<a@b> SIZE =1", "501 5.5.4"},
                    {"FROM:<a@b> -X", "501 5.5.4"},
                    {"FROM:<a@b> X_Y", "501 5.5.4"},
                    {"FROM:<a@b> __proto__=1", "501 5.5.4"},
                    {"FROM:<a@b> <c@d>", "501 5.5.4"},
                    {"FROM:<a@b> SIZE=1 SIZE=1", "501 5.5.4"},
                    {"FROM:<a@b> SIZE=1 BODY=7BIT size=2", "501 5.5.4"},
                    {"FROM:<a@b> SMTPUTF8 SMTPUTF8=x", "501 5.5.4"},
                    {"FROM:<a@b> X=\xc3\xa9", "501 5.5.4"}});
    }

    void a_path_without_brackets_is_marked() {
        check_mail({{"FROM:a@b", "~a@b"},
                    {"FROM: a@b", "~a@b"},
                    {"FROM:a@b SIZE=1", "~a@b|SIZE=1"},
                    {"FROM:a@b SIZE=1 X-Y  BODY=8BITMIME", "~a@b|SIZE=1|X-Y|BODY=8BITMIME"},
                    {"FROM:\"a b\"@c SIZE=1", "~\"a b\"@c|SIZE=1"},
                    {"FROM:\"x@y z\"@c", "~\"x@y z\"@c"},
                    {"FROM:a@b>", "~a@b>"},
                    {"FROM:", "~"},
                    {"FROM:   ", "~"},
                    {"FROM:postmaster", "~postmaster"},
                    {"FROM:postmaster SIZE=1", "~postmaster|SIZE=1"},
                    {"FROM:SIZE=1", "~SIZE=1"},
                    {"FROM:a@b SIZE=", "501 5.5.4"},
                    {"FROM:a@b c d=e", "~a@b|C|D=e"},
                    {"FROM:a@b c! d", "501 5.5.4"},
                    {"FROM:a@b X X", "501 5.5.4"}});
        check_rcpt({{"TO:bob", "~bob"},
                    {"TO: bob", "~bob"},
                    {"TO:", "501 5.5.4"},
                    {"TO: ", "501 5.5.4"},
                    {"TO:a@b X=1", "~a@b|X=1"}});
    }

    void the_original_tests_come_out_alike() {
        check_mail(
            {{"FROM:<ask@perl.org>", "<ask@perl.org>"},
             {"FROM:ask@perl.org", "~ask@perl.org"},
             {"FROM:ask@[1.2.3.4]", "~ask@[1.2.3.4]"},
             {"FROM:<ask@perl.org> SIZE=1230", "<ask@perl.org>|SIZE=1230"},
             {"FROM:<ask@p.qpsmtpd-test.askask.com> SIZE=1230", "<ask@p.qpsmtpd-test.askask.com>|SIZE=1230"},
             {"FROM:<ask@perl.org> SIZE=1230 CORRECT-WITHOUT-ARG", "<ask@perl.org>|SIZE=1230|CORRECT-WITHOUT-ARG"},
             {"FROM:<a@b.c> SIZE=", "501 5.5.4"},
             {"FROM:<a@b.c>SIZE=1", "501 5.5.4"},
             {"FROM:<a@b c>", "<a@b c>"}});  // an error there; here the address parser's business
    }

    void control_characters_are_refused() {
        using namespace std::string_literals;
        for (const auto& text : {"FROM:<a@b>\r"s, "FROM:<a\0@b>"s, "FROM:<a@b> X=\x01"s, "FROM:<a@b>\x0bX"s,
                                 "FROM:a@b\x7f"s, "FROM:\n<a@b>"s, "FROM:<\"a\r\n\"@b>"s})
            check_mail({{text, "501 5.5.2"}});
    }

    void limits_hold() {
        std::string many = "FROM:<a@b>";
        for (std::size_t i = 0; i < max_parameters; ++i) many += " X" + std::to_string(i);
        CPPUNIT_ASSERT_EQUAL(max_parameters, std::get<PathArgument>(parse_mail(many)).parameters.size());
        check_mail({{many + " Y", "501 5.5.4"}, {"FROM:a@b" + many.substr(10) + " Y", "501 5.5.4"}});
        std::string thousand = "FROM:<a@b>";
        for (int i = 0; i < 1000; ++i) thousand += " =";
        check_mail({{thousand, "501 5.5.4"}});
        const std::string longest(max_parameter_octets - 2, 'v');
        CPPUNIT_ASSERT_EQUAL("<a@b>|X=" + longest, shown(parse_mail("FROM:<a@b> X=" + longest)));
        check_mail({{"FROM:<a@b> X=" + longest + "v", "501 5.5.4"}, {"FROM:a@b X=" + longest + "v", "501 5.5.4"}});
    }

    void utf8_values_need_smtputf8() {
        check_mail({{"FROM:<\xc3\xa9@b> SMTPUTF8 X=\xc3\xa9", "<\xc3\xa9@b>|SMTPUTF8|X=\xc3\xa9"},
                    {"FROM:<a@b> X=\xc3", "501 5.5.4"},
                    {"FROM:<a@b> \xc3\xa9=1", "501 5.5.4"}},
                   true);
        check_mail({{"FROM:<\xc3\xa9@b> SMTPUTF8", "<\xc3\xa9@b>|SMTPUTF8"}});
    }

    void recipients_have_their_own_status() {
        check_rcpt({{"TO:<a@b", "501 5.1.3"},
                    {"TO:<a@b>x", "501 5.5.4"},
                    {"TO:<>", "<>"},
                    {"TO:<postmaster>", "<postmaster>"}});
    }

    void replies_to_bad_paths_carry_the_reason() {
        CPPUNIT_ASSERT_EQUAL(std::string("501 5.1.7 Bad sender address: local part is empty\r\n"),
                             bad_sender_reply("local part is empty").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("501 5.1.3 Bad recipient address: local part is empty\r\n"),
                             bad_recipient_reply("local part is empty").to_string());
    }

    void no_prefix_of_a_command_is_a_trap() {
        const std::string full = R"(FROM:<@x,@y:"a\">b"@[IPv6:::1]> SIZE=1 AUTH=<> X-Y)";
        for (std::size_t size = 0; size <= full.size(); ++size) {
            const std::vector<char> exact(full.begin(), full.begin() + static_cast<std::ptrdiff_t>(size));  // so that a
                                                                                                            // sanitizer
                                                                                                            // sees the
                                                                                                            // end
            const auto parsed = parse_mail({exact.data(), exact.size()});
            const auto* reply = std::get_if<Reply>(&parsed);
            if (reply != nullptr) CPPUNIT_ASSERT_EQUAL(501, reply->code);
            if (size < 5) CPPUNIT_ASSERT(reply != nullptr);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PathArgumentTest);

}  // namespace
}  // namespace smtpd::smtp
