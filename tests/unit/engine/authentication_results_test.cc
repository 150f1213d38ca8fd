/// authentication_results_test.cc: the field Authentication-Results: its text against the grammar of RFC 8601 and with
/// hostile values, and the detection of forgeries.
#include "engine/authentication_results.h"

#include "fakes/matches.h"

#include <cppunit/extensions/HelperMacros.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace smtpd::engine {
namespace {

using fakes::matches;

/// RFC 8601 2.2 with the white space and the comment as the server writes them, in ASCII. In a bracket expression the
/// closing bracket comes first, and a backslash means itself.
bool is_field_value(const std::string& value) {
    const std::string fws = "( |\n\t\t)";
    const std::string keyword = "[-A-Za-z0-9_]+";
    const std::string token = "[-A-Za-z0-9!#$%&'*+.^_`{|}~]+";
    const std::string quoted = "\"([] !#-[^-~]|\\\\[\"\\])*\"";
    const std::string address = token + "@[-A-Za-z0-9]+(\\.[-A-Za-z0-9]+)*";
    const std::string comment = "\\(([] !-'*-[^-~]|\\\\[()\\])*\\)";
    const std::string property = keyword + "\\." + keyword + "=(" + token + "|" + quoted + "|" + address + ")";
    const std::string result = ";\n\t" + keyword + "(/[0-9]+)?=" + keyword + "(" + fws + comment + ")?(" + fws +
                               "reason=(" + token + "|" + quoted + "))?(" + fws + property + ")*";
    return matches(value, "mx\\.example(" + result + ")+");
}

class AuthenticationResultsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthenticationResultsTest);
    CPPUNIT_TEST(results_are_listed_in_order_and_logins_first);
    CPPUNIT_TEST(everything_that_a_result_has_is_written);
    CPPUNIT_TEST(without_results_there_is_no_field);
    CPPUNIT_TEST(values_are_quoted_where_they_must_be);
    CPPUNIT_TEST(utf8_stays_only_where_it_may);
    CPPUNIT_TEST(nasty_values_keep_to_the_grammar);
    CPPUNIT_TEST(names_are_made_keywords);
    CPPUNIT_TEST(long_results_are_folded);
    CPPUNIT_TEST(endless_values_are_cut);
    CPPUNIT_TEST(forged_results_are_disowned);
    CPPUNIT_TEST(results_of_others_stay);
    CPPUNIT_TEST_SUITE_END();

public:
    void results_are_listed_in_order_and_logins_first() {
        AuthenticationResults connection, transaction;
        connection.add({.method = "iprev",
                        .result = "pass",
                        .properties = {{"policy", "iprev", "192.0.2.1"}},
                        .comment = "mx.client.example"});
        connection.add({.method = "auth",
                        .result = "pass",
                        .properties = {{"smtp", "auth", "joe@example.com"}},
                        .comment = "PLAIN"});
        transaction.add({.method = "spf", .result = "pass", .properties = {{"smtp", "mailfrom", "client.example"}}});
        transaction.add({.method = "dkim", .result = "none"});
        const ResultsView both(connection, &transaction);
        CPPUNIT_ASSERT_EQUAL(
            std::string("mx.example;\n\tauth=pass (PLAIN) smtp.auth=joe@example.com;\n\tiprev=pass (mx.client.example) "
                        "policy.iprev=192.0.2.1;\n\tspf=pass smtp.mailfrom=client.example;\n\tdkim=none"),
            authentication_results_value(both, "mx.example", FieldText::ascii));
        CPPUNIT_ASSERT_EQUAL(
            std::string("mx.example;\n\tauth=pass (PLAIN) smtp.auth=joe@example.com;\n\tiprev=pass (mx.client.example) "
                        "policy.iprev=192.0.2.1"),
            authentication_results_value(ResultsView(connection, nullptr), "mx.example", FieldText::ascii));
    }

    void everything_that_a_result_has_is_written() {
        const AuthenticationResult result{.method = "dkim",
                                          .result = "fail",
                                          .reason = "bad signature",
                                          .properties = {{"header", "d", "example.com"}, {"header", "b", "a/b+c"}},
                                          .comment = "2048 bits (RSA)",
                                          .version = 2};
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "dkim/2=fail (2048 bits \\(RSA\\)) reason=\"bad signature\" header.d=example.com header.b=\"a/b+c\""),
            result.to_string());
        CPPUNIT_ASSERT_EQUAL(
            std::string("spf=fail reason=timeout"),
            (AuthenticationResult{.method = "spf", .result = "fail", .reason = "timeout"}).to_string());
    }

    void without_results_there_is_no_field() {
        AuthenticationResults none;
        CPPUNIT_ASSERT_EQUAL(std::string(),
                             authentication_results_value(ResultsView(none, &none), "mx", FieldText::ascii));
        none.add({.method = "", .result = "pass"});
        none.add({.method = "spf", .result = ""});
        CPPUNIT_ASSERT_EQUAL(std::string(),
                             authentication_results_value(ResultsView(none, nullptr), "mx", FieldText::ascii));
    }

    void values_are_quoted_where_they_must_be() {
        const std::pair<const char*, const char*> rows[] = {{"joe", "joe"},
                                                            {"joe@example.com", "joe@example.com"},
                                                            {"a.b+c@x-y.example", "a.b+c@x-y.example"},
                                                            {"joe doe", "\"joe doe\""},
                                                            {"a;b", "\"a;b\""},
                                                            {"a\"b\\", "\"a\\\"b\\\\\""},
                                                            {"a@b@c", "\"a@b@c\""},
                                                            {"@b", "\"@b\""},
                                                            {"a@", "\"a@\""},
                                                            {"a..b@c", "\"a..b@c\""},
                                                            {".a@c", "\".a@c\""},
                                                            {"a@c_d", "\"a@c_d\""},
                                                            {"a@[192.0.2.1]", "\"a@[192.0.2.1]\""},
                                                            {"\"a b\"@c", "\"\\\"a b\\\"@c\""},
                                                            {"2001:db8::1", "\"2001:db8::1\""},
                                                            {"192.0.2.1", "192.0.2.1"},
                                                            {"j\xc3\xb6", "\"j??\""},
                                                            {"(x)", "\"(x)\""},
                                                            {"", "\"\""},
                                                            {"a\r\nX-Evil: 1", "\"a??X-Evil: 1\""},
                                                            {"a\tb", "\"a?b\""},
                                                            {"\x7f", "\"?\""}};
        for (const auto& [value, shown] : rows)
            CPPUNIT_ASSERT_EQUAL(std::string("x=pass smtp.auth=") + shown, with(value).to_string());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(
            "a reason is no address", std::string("x=pass reason=\"a@b\""),
            (AuthenticationResult{.method = "x", .result = "pass", .reason = "a@b"}).to_string());
        using namespace std::string_literals;
        CPPUNIT_ASSERT_EQUAL(std::string("x=pass smtp.auth=\"a?b\""), with("a\0b"s).to_string());
    }

    void utf8_stays_only_where_it_may() {
        const struct {
            const char* value;
            const char* ascii;
            const char* utf8;
        } rows[] = {{"j\xc3\xb6rg@b\xc3\xbc.example", "\"j??rg@b??.example\"", "\"j\xc3\xb6rg@b\xc3\xbc.example\""},
                    {"\xf0\x9f\x93\xa7", "\"????\"", "\"\xf0\x9f\x93\xa7\""},
                    {"a\xff"
                     "b",
                     "\"a?b\"", "\"a?b\""},
                    {"a\xc3", "\"a?\"", "\"a?\""},
                    {"a\xc2\x85"
                     "b",
                     "\"a??b\"", "\"a??b\""},  // a control character that some readers take for a line end
                    {"plain", "plain", "plain"}};
        for (const auto& row : rows) {
            CPPUNIT_ASSERT_EQUAL(std::string("mx;\n\tx=pass smtp.auth=") + row.ascii,
                                 written(with(row.value), FieldText::ascii));
            CPPUNIT_ASSERT_EQUAL(std::string("mx;\n\tx=pass smtp.auth=") + row.utf8,
                                 written(with(row.value), FieldText::utf8));
        }
        AuthenticationResult comment{.method = "x", .result = "pass", .comment = "(\xc3\xb6"};
        CPPUNIT_ASSERT_EQUAL(std::string("mx;\n\tx=pass (\\(\xc3\xb6)"), written(comment, FieldText::utf8));
        CPPUNIT_ASSERT_EQUAL(std::string("mx;\n\tx=pass (\\(?\?)"), written(comment, FieldText::ascii));
    }

    /// Every octet, and every pair with a special octet, in each place: a reader can always parse the field.
    void nasty_values_keep_to_the_grammar() {
        const std::string meaning = "\"\\();=@.\r\n\t ";
        for (int octet = 0; octet < 256; ++octet)
            for (const char other : meaning) {
                const std::string text{other, static_cast<char>(octet), other};
                const AuthenticationResult result{.method = "m" + text,
                                                  .result = "r" + text,
                                                  .reason = text,
                                                  .properties = {{"t" + text, "n" + text, text}},
                                                  .comment = text};
                const auto value = written(result, FieldText::ascii, "mx.example");
                CPPUNIT_ASSERT_MESSAGE(value, is_field_value(value));
                Headers headers("Subject: x\r\n");
                headers.prepend("Authentication-Results", written(result, FieldText::utf8, "mx.example"));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(value, std::size_t(1), headers.count("Authentication-Results"));
                std::size_t fields = 0;
                headers.for_each([&](const HeaderField&) { ++fields; });
                CPPUNIT_ASSERT_EQUAL_MESSAGE(value, std::size_t(2), fields);
            }
    }

    void names_are_made_keywords() {
        const AuthenticationResult odd{.method = "s p;f",
                                       .result = "pa=ss",
                                       .properties = {{"smtp", "", "x"}, {"", "auth", "y"}, {"a.b", "c d", "z"}}};
        CPPUNIT_ASSERT_EQUAL(std::string("s-p-f=pa-ss a-b.c-d=z"), odd.to_string());
    }

    void long_results_are_folded() {
        AuthenticationResult result{.method = "dkim", .result = "pass", .comment = "1024-bit key, unprotected"};
        for (const char* name : {"d", "i", "s", "a"})
            result.properties.push_back({"header", name, "a-rather-long-value.example.com"});
        CPPUNIT_ASSERT_EQUAL(
            std::string("mx;\n\tdkim=pass (1024-bit key, unprotected)\n\t\theader.d=a-rather-long-value.example.com\n"
                        "\t\theader.i=a-rather-long-value.example.com\n\t\theader.s=a-rather-long-value.example.com\n"
                        "\t\theader.a=a-rather-long-value.example.com"),
            written(result, FieldText::ascii));
    }

    void endless_values_are_cut() {
        const std::string quotes(5000, '"'), letters(5000, 'x');
        std::string umlauts;
        for (int i = 0; i < 2000; ++i) umlauts += "\xc3\xb6";
        for (const auto& text : {quotes, letters, umlauts, "x" + umlauts})
            for (const auto kind : {FieldText::ascii, FieldText::utf8}) {
                const AuthenticationResult result{.method = text,
                                                  .result = text,
                                                  .reason = text,
                                                  .properties = {{text, text, text}},
                                                  .comment = text};
                const auto value = written(result, kind) + "\n";
                for (std::size_t at = 0; at < value.size(); at = value.find('\n', at) + 1) {
                    CPPUNIT_ASSERT(value.find('\n', at) - at <= 998);
                    const auto line = value.substr(at, value.find('\n', at) - at);
                    CPPUNIT_ASSERT_MESSAGE("no half of a character", line.find("\xc3\"") == std::string::npos);
                }
            }
    }

    void forged_results_are_disowned() {
        for (const std::string value :
             {"mx.example.com; spf=pass", "MX.Example.COM; spf=pass", "mx.example.com 1; spf=pass",
              "mx.example.com;spf=pass", "mx.example.com", "\r\n\tmx.example.com;\r\n\tspf=pass",
              "(a (nested\\) \\( one)) mx.example.com; spf=pass", "\"mx.example.com\"; spf=pass",
              "mx.example.com(x); spf=pass",
              // quoted-pairs, and what quotation marks may stand for
              "\"mx.ex\\ample.com\"; spf=pass", "\"\\m\\x\\.example.com\" 1; spf=pass", "\"MX.example.com\"1; spf=pass",
              "\" mx.example.com\t\"; spf=pass", "(\"other.example) (\\)) \"mx.example.com\" (;) 1 ; spf=pass",
              "\"mx.\"\"example.com\"; spf=pass",
              // comments, folding and white space
              "(;)mx.example.com(;) 1; spf=pass", "()()mx.example.com; spf=pass",
              "\r\n \r\n\tmx.example.com\r\n 1\r\n ; spf=pass", "\vmx.example.com\f; spf=pass",
              "\x01mx.example.com; spf=pass", "mx . example.com; spf=pass", "mx.(x)example\r\n\t.com; spf=pass",
              "mx.\"example\".com; spf=pass", "mx.example.com\t\t1\t;\tspf=pass",
              "mx.example.com .evil.example; spf=pass",
              // what is no authserv-id to the letter, but may be one to some reader
              "mx.example.com.; spf=pass", "mx.example.com/1; spf=pass", "mx.example.com, spf=pass",
              "mx.example.com=x; spf=pass", "mx.example.com\"x\"; spf=pass", "mx.example.com:25; spf=pass",
              // what cannot be parsed, and has our id somewhere
              "x; y=mx.example.com", "(unclosed mx.example.com", "\"mx.example.com", "; mx.example.com; spf=pass",
              "other.example mx.example.com; z=1", "(a\\) mx.example.com; z=1", "x; y=z mx.example.com",
              "x; y=z; \"MX.exam\\ple.com\"", "x y mx.\r\n\texample.com", "\"\" mx.example.com.evil.example; z=1"}) {
            Headers headers("Authentication-Results: other.example; dkim=pass\r\nauthentication-results: " + value +
                            "\r\nSubject: x\r\n");
            disown_forged_results(headers, "mx.example.com");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(value, std::size_t(0), headers.count("Authentication-Results"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(value, std::size_t(2), headers.count("Original-Authentication-Results"));
        }
    }

    void results_of_others_stay() {
        const std::string block =
            "Authentication-Results: mx.example.com.evil.example; spf=pass\r\nAuthentication-Results: x; "
            "y=z a.b=mx.example.com\r\n"
            "Authentication-Results: (mx.example.com) other.example; z=1\r\nAuthentication-Results: (unclosed "
            "mx.example.org\r\n"
            "Authentication-Results: other.example; z=1 (mx.example.com; spf=pass)\r\nAuthentication-Results:\r\n"
            "Authentication-Results: \"mx.example.com\\\"; spf=pass\"; z=1\r\n"
            "Authentication-Results: \"mx.example.com evil\"; z=1\r\n"
            "Authentication-Results: mx-example.com; z=1\r\n"
            "Authentication-Results: .mx.example.com; z=1\r\n";
        Headers headers(block);
        disown_forged_results(headers, "mx.example.com");
        CPPUNIT_ASSERT_EQUAL(block, headers.to_string());
    }

private:
    static AuthenticationResult with(std::string value) {
        return {.method = "x", .result = "pass", .properties = {{"smtp", "auth", std::move(value)}}};
    }
    static std::string written(const AuthenticationResult& result, FieldText kind, const char* id = "mx") {
        AuthenticationResults one;
        one.add(result);
        return authentication_results_value(ResultsView(one, nullptr), id, kind);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(AuthenticationResultsTest);

}  // namespace
}  // namespace smtpd::engine
