/// authentication_results_field_test.cc: fields Authentication-Results of others.
#include <smtpd/mailauth/authentication_results_field.h>

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::mailauth {
namespace {

using std::string;
using Field = AuthenticationResultsField;

/// "id/2: spf=pass smtp.mailfrom=x; dkim=…"; "octet 7: …" where it cannot be parsed.
string shown(const string& value) {
    string why;
    const auto field = Field::parse(value, &why);
    if (!field) return why;
    string out = field->authserv_id;
    if (field->version != 1) out += "/" + std::to_string(field->version);
    string separator = ": ";
    for (const auto& result : field->results) out += std::exchange(separator, "; ") + result.to_string();
    return out;
}

class AuthenticationResultsFieldTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthenticationResultsFieldTest);
    CPPUNIT_TEST(the_examples_of_the_rfc);
    CPPUNIT_TEST(white_space_and_comments_are_everywhere);
    CPPUNIT_TEST(values_keep_what_they_say);
    CPPUNIT_TEST(what_breaks_the_grammar);
    CPPUNIT_TEST(nothing_is_found_in_comments_and_quotes);
    CPPUNIT_TEST(what_is_written_can_be_read);
    CPPUNIT_TEST(an_id_has_many_spellings);
    CPPUNIT_TEST(long_fields_are_read);
    CPPUNIT_TEST(every_beginning_of_a_field_is_harmless);
    CPPUNIT_TEST_SUITE_END();

    void the_examples_of_the_rfc() {
        const struct {
            const char* value;
            const char* expected;
        } rows[] = {
            {"example.org 1; none", "example.org"},
            {" example.com;\r\n\tspf=pass smtp.mailfrom=example.net",
             "example.com: spf=pass smtp.mailfrom=example.net"},
            {"example.com;\n auth=pass (cram-md5) smtp.auth=sender@example.net;\n spf=pass smtp.mailfrom=example.net",
             "example.com: auth=pass (cram-md5) smtp.auth=sender@example.net; spf=pass smtp.mailfrom=example.net"},
            {"example.com; sender-id=fail header.from=example.com; dkim=pass (good signature) header.d=example.com",
             "example.com: sender-id=fail header.from=example.com; dkim=pass (good signature) header.d=example.com"},
            {"example.com; dkim=pass reason=\"good signature\" header.i=@mail-router.example.net; dkim=fail "
             "reason=\"bad signature\" header.i=@newyork.example.com",
             "example.com: dkim=pass reason=\"good signature\" header.i=\"@mail-router.example.net\"; dkim=fail "
             "reason=\"bad signature\" header.i=\"@newyork.example.com\""},
            {"foo.example.net (foobar) 1 (baz);\n dkim (Because I like it) / 1 (One yay) = (wait for it) fail\n policy "
             "(A dot can go here) . (like that) expired\n (this surprised me) = (as I wasn't expecting it) 1362471462",
             "foo.example.net: dkim=fail policy.expired=1362471462"},
        };
        for (const auto& row : rows) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.value, string(row.expected), shown(row.value));
        }
    }

    void white_space_and_comments_are_everywhere() {
        const auto field = Field::parse("(a)mx(b)(b);(c)spf(d)=(e)pass(f)(ff\\)(deep;))smtp(g).(h)mailfrom(i)=(j)a(k)");
        CPPUNIT_ASSERT(field);
        CPPUNIT_ASSERT_EQUAL(string("f ff)(deep;) k"), field->results[0].comment);
        CPPUNIT_ASSERT_EQUAL(string("a"), *field->results[0].property("smtp", "mailfrom"));
        CPPUNIT_ASSERT_EQUAL(string("mx"), shown("mx\r\n\t;\r\n\tNONE\r\n\t(x)"));
    }

    void values_keep_what_they_say() {
        const auto field = Field::parse(
            "\"mx ; x\" 2; x-odd/3=maybe reason=\"a \\\"b\\\" c\" smtp.mailfrom=\"a b\"@c.example "
            "header.b=\"ab/+=\" policy.iprev=192.0.2.1 x.y=@d.example z.z=b\xc3\xbc"
            "cher@x "
            "q.q=\"(;)\" smtp.mailfrom=a.b+c@d.example.");
        CPPUNIT_ASSERT(field);
        CPPUNIT_ASSERT_EQUAL(string("mx ; x"), field->authserv_id);
        CPPUNIT_ASSERT_EQUAL(2U, field->version);
        const auto& result = field->results.at(0);
        CPPUNIT_ASSERT_EQUAL(string("x-odd"), result.method);
        CPPUNIT_ASSERT_EQUAL(3U, result.version);
        CPPUNIT_ASSERT_EQUAL(string("a \"b\" c"), result.reason);
        CPPUNIT_ASSERT_EQUAL(string("a b@c.example"), result.properties.at(0).value);
        CPPUNIT_ASSERT_EQUAL(string("ab/+="), *result.property("header", "b"));
        CPPUNIT_ASSERT_EQUAL(string("@d.example"), *result.property("x", "y"));
        CPPUNIT_ASSERT_EQUAL(string("b\xc3\xbc"
                                    "cher@x"),
                             *result.property("z", "z"));
        CPPUNIT_ASSERT_EQUAL(string("(;)"), *result.property("q", "q"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{7}, result.properties.size());
    }

    void what_breaks_the_grammar() {
        for (const string& value : {string(""),
                                    string(" "),
                                    string("mx"),
                                    string("mx;"),
                                    string("mx 1"),
                                    string("; none"),
                                    string("mx; none; spf=pass"),
                                    string("mx; none x"),
                                    string("mx; spf"),
                                    string("mx; spf="),
                                    string("mx; spf=pass;"),
                                    string("mx; spf=pass;; dkim=pass"),
                                    string("mx; spf=pass x"),
                                    string("mx; spf=pass x."),
                                    string("mx; spf=pass x.y"),
                                    string("mx; spf=pass x.y="),
                                    string("mx; spf=pass x.y=a/b"),
                                    string("mx; spf=pass x.y=a=b"),
                                    string("mx; spf=pass x.y=a@"),
                                    string("mx; spf=pass x.y=a..b@c"),
                                    string("mx; spf=pass x.y=\"a"),
                                    string("mx; spf=pass reason="),
                                    string("mx; spf=pass x.y=z reason=late"),
                                    string("mx; spf=pass (a"),
                                    string("mx; spf=pass a)"),
                                    string("(mx; spf=pass"),
                                    string("\"mx; spf=pass"),
                                    string("mx x; spf=pass"),
                                    string("mx, y; spf=pass"),
                                    string("mx; spf/x=pass"),
                                    string("mx; spf/99999999999=pass"),
                                    string("mx; -spf=pass"),
                                    string("mx; s pf=pass"),
                                    string("mx; spf=p\x01ss"),
                                    string("mx\v; spf=pass"),
                                    string("mx; spf=pass\0x", 14),
                                    string("mx; spf=pass x.y=\"a\x01\""),
                                    string("mx; spf=pass x.y=\"a\"b"),
                                    string("mx; spf=pass x.y=\"a\"@"),
                                    string("mx; a=b (\0)", 11)}) {
            string why;
            CPPUNIT_ASSERT_MESSAGE(value, !Field::parse(value, &why));
            CPPUNIT_ASSERT_MESSAGE(value + ": " + why, why.starts_with("octet ") && why.size() > 12);
        }
        CPPUNIT_ASSERT_EQUAL(string("octet 3: there is no result"), shown("mx "));
        CPPUNIT_ASSERT_EQUAL(string("octet 12: a comment has no end"), shown("mx; spf=pa(s"));
    }

    void nothing_is_found_in_comments_and_quotes() {
        CPPUNIT_ASSERT_EQUAL(string("evil: x=y (; spf=pass smtp.mailfrom=a) z.z=\"; dkim=pass\""),
                             shown("evil; x=y (; spf=pass smtp.mailfrom=a) z.z=\"; dkim=pass\""));
    }

    void what_is_written_can_be_read() {
        const AuthenticationResult result{.method = "spf",
                                          .result = "fail",
                                          .reason = "a \"b\" ; (c) \\",
                                          .properties = {{"smtp", "mailfrom", "odd ; one"}, {"smtp", "helo", "h(x)"}},
                                          .comment = "c (d) \\ ;"};
        const auto field = Field::parse("mx; " + result.to_string());
        CPPUNIT_ASSERT(field);
        CPPUNIT_ASSERT(result == field->results.at(0));
    }

    void an_id_has_many_spellings() {
        for (const char* value :
             {"mx.example.com; none", "MX.example.com.; none", "(x) \"mx.example.com\"; none", "mx.example.com",
              "mx . example.com; none", "oops mx.example.com", "x; y=z; mx.example.com", "\"mx.exam\\ple.com"})
            CPPUNIT_ASSERT_MESSAGE(value, claims_authserv_id(value, "mx.example.com"));
        for (const char* value : {"xn--bcher-kva.example; none",
                                  "b\xc3\xbc"
                                  "cher.example; none",
                                  "oops b\xc3\xbc"
                                  "cher.example",
                                  "oops XN--bcher-KVA.example"})
            CPPUNIT_ASSERT_MESSAGE(value, claims_authserv_id(value,
                                                             "b\xc3\xbc"
                                                             "cher.example"));
        for (const char* value : {"other; none", "other; a=b (mx.example.com)", "other; a=b x.y=mx.example.com", "oops",
                                  "", "mx.example.com.other; none"})
            CPPUNIT_ASSERT_MESSAGE(value, !claims_authserv_id(value, "mx.example.com"));
    }

    void long_fields_are_read() {
        string value = "mx";
        for (int i = 0; i < 5000; ++i) value += "; dkim=pass header.d=example.com";
        CPPUNIT_ASSERT_EQUAL(std::size_t{5000}, Field::parse(value)->results.size());
        CPPUNIT_ASSERT(!Field::parse(string(1'000'000, '(')));
        CPPUNIT_ASSERT(Field::parse(string(100'000, '(') + string(100'000, ')') + "mx; none"));
        CPPUNIT_ASSERT(!claims_authserv_id(string(1'000'000, '"'), "mx.example.com"));
    }

    void every_beginning_of_a_field_is_harmless() {
        const string value =
            "(a (b) \\)) \"mx\" 1 ; spf/2 (x) = pass reason=\"r\\\"\" smtp . mailfrom = \"a b\"@c.example (y); x=y "
            "z.z=@q";
        CPPUNIT_ASSERT(Field::parse(value));
        for (std::size_t size = 0; size < value.size(); ++size) (void)Field::parse(value.substr(0, size));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(AuthenticationResultsFieldTest);

}  // namespace
}  // namespace smtpd::mailauth
