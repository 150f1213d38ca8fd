/// author_domain_test.cc: whose message it is.
#include <smtpd/mailauth/author_domain.h>

#include <cppunit/extensions/HelperMacros.h>

#include <chrono>
#include <string>
#include <vector>

namespace smtpd::mailauth {
namespace {

using std::string;
using Fields = std::vector<string>;

class AuthorDomainTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthorDomainTest);
    CPPUNIT_TEST(one_domain_is_found);
    CPPUNIT_TEST(several_authors_are_a_problem);
    CPPUNIT_TEST(what_programs_read_differently_is_malformed);
    CPPUNIT_TEST(fields_without_a_domain_have_none);
    CPPUNIT_TEST(spellings_become_one);
    CPPUNIT_TEST(limits);
    CPPUNIT_TEST_SUITE_END();

    static string shown(const Fields& fields) {
        const auto author = author_domain(fields);
        return author.found() ? author.domain : "! " + author.reason();
    }

    void one_domain_is_found() {
        const char* const values[] = {
            "a@example.com",
            "<a@example.com>",
            "A User <a@example.com>",
            "\"A. User, Inc.\" <a@example.com>",
            "\"bank@bank.example\" <a@example.com>",
            "\"a\\\"b <x@y>\" <a@example.com>",
            "=?utf-8?q?J=C3=BCrgen?= <a@example.com>",
            "J\xc3\xbcrgen <a@example.com>",
            "A. B. User <a@example.com>",
            "Example, Inc. <a@example.com>",
            "a@example.com (x@bank.example)",
            "(x <x@bank.example>, ) a@example.com",
            "a (nested (comment) \\) here) @ example . com",
            "<@relay.example,@b.example:a@example.com>",
            "\"odd @ local\"@example.com",
            "a..b.@example.com",
            ",,a@example.com,,",
            "Team: a@example.com, B <b@example.com>;",
            "Nobody:;, a@example.com",
            "a@example.com, b@EXAMPLE.com",
            "A\r\n\t<a@example.com>",
            "a@example.com.",
            "a@[192.0.2.1], b@example.com",
        };
        for (const char* value : values) CPPUNIT_ASSERT_EQUAL_MESSAGE(value, string("example.com"), shown({value}));
    }

    void several_authors_are_a_problem() {
        CPPUNIT_ASSERT_EQUAL(string("! the From field names several domains: a.example, b.example"),
                             shown({"x@a.example, <y@b.example>"}));
        CPPUNIT_ASSERT_EQUAL(string("! the From field names several domains: a.example, sub.a.example"),
                             shown({"G: x@a.example, y@sub.a.example;"}));
        CPPUNIT_ASSERT_EQUAL(string("! the message has 2 From fields"), shown({"x@a.example", "y@b.example"}));
        CPPUNIT_ASSERT_EQUAL(string("! the message has 2 From fields"), shown({"x@a.example", "x@a.example"}));
        CPPUNIT_ASSERT(author_domain({"x@a.example", "x@a.example"}).is_ambiguous());
        CPPUNIT_ASSERT(author_domain({"x@a.example, y@b.example"}).is_ambiguous());
        CPPUNIT_ASSERT(!author_domain({"x@@a.example"}).is_ambiguous());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, author_domain({"x@a.example", "y@b.example"}).domains.size());
    }

    void what_programs_read_differently_is_malformed() {
        const char* const values[] = {
            "bank@bank.example <a@example.com>",
            "<bank@bank.example> <a@example.com>",
            "<a@example.com> bank",
            "<a@example.com",
            "a@example.com>",
            "a@example.com b",
            "a@b@example.com",
            "a@exam(x)ple.com",
            "a@exam ple.com",
            "a b@example.com",
            "a@example.com (",
            "\"a@example.com",
            "a@\"example.com\"",
            "a@example.com\\",
            "a@.example.com",
            "G: H: a@example.com;;",
            "G: a@example.com",
            "a@example.com;",
            "a@exam\x01ple.com",
            "\"a\x01\" <a@example.com>",
            "@example.com",
            "<@relay.example a@example.com>",
        };
        for (const char* value : values)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(value, string("! the From field is malformed"), shown({value}));
        CPPUNIT_ASSERT_EQUAL(string("! the From field is malformed"), shown({string("a@example.com\0", 14)}));
    }

    void fields_without_a_domain_have_none() {
        CPPUNIT_ASSERT_EQUAL(string("! the message has no From field"), shown({}));
        const char* const values[] = {"",
                                      "  ",
                                      "<>",
                                      "Somebody",
                                      "a@[192.0.2.1]",
                                      "undisclosed:;",
                                      "(only a comment)",
                                      "=?utf-8?b?YUBleGFtcGxlLmNvbQ==?="};
        for (const char* value : values)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(value, string("! the From field names no domain"), shown({value}));
    }

    void spellings_become_one() {
        CPPUNIT_ASSERT_EQUAL(string("xn--bcher-kva.example"), shown({"a@B\xc3\x9c"
                                                                     "CHER.example"}));
        CPPUNIT_ASSERT_EQUAL(string("xn--bcher-kva.example"), shown({"a@b\xc3\xbc"
                                                                     "cher.example, b@xn--bcher-kva.EXAMPLE"}));
    }

    void limits() {
        string many;
        for (int i = 0; i < 3000; ++i) many += "a@" + std::to_string(i) + ".example,";
        const auto author = author_domain({many});
        CPPUNIT_ASSERT(author.problem == AuthorDomain::Problem::several_domains);
        CPPUNIT_ASSERT_EQUAL(max_author_domains, author.domains.size());
        CPPUNIT_ASSERT_EQUAL(string("! the From field is malformed"),
                             shown({string(max_from_size, ' ') + "a@example.com"}));
        const string deep = string(30000, '(') + string(30000, ')') + "a@example.com";
        CPPUNIT_ASSERT_EQUAL(string("example.com"), shown({deep}));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AuthorDomainTest);

}  // namespace
}  // namespace smtpd::mailauth
