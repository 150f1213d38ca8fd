/// tag_list_test.cc: the tag lists of DKIM and ARC.
#include "mailauth/tag_list.h"
#include "support/base64.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::mailauth {
namespace {

using std::string;

class TagListTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TagListTest);
    CPPUNIT_TEST(tags_are_found_by_their_exact_name);
    CPPUNIT_TEST(white_space_around_names_and_values_does_not_count);
    CPPUNIT_TEST(a_final_semicolon_may_be_there);
    CPPUNIT_TEST(wrong_lists_have_a_problem_and_no_tags);
    CPPUNIT_TEST(the_number_of_tags_is_limited);
    CPPUNIT_TEST(white_space_can_be_removed);
    CPPUNIT_TEST(colon_lists);
    CPPUNIT_TEST(base64_values);
    CPPUNIT_TEST(numbers);
    CPPUNIT_TEST_SUITE_END();

    void tags_are_found_by_their_exact_name() {
        const TagList list("bh=1; b=2; xb=3; B=4");
        CPPUNIT_ASSERT_EQUAL(string(), list.problem());
        CPPUNIT_ASSERT(list.value("b") == "2" && list.value("B") == "4" && list.value("bh") == "1");
        CPPUNIT_ASSERT(!list.value("h") && !list.find("x"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, list.tags().size());
        CPPUNIT_ASSERT(list.tags().back().name == "B");
    }

    void white_space_around_names_and_values_does_not_count() {
        const TagList list(" v = 1 ;\r\n\th=from :\r\n to\t; b=\r\n ab\r\n cd \r\n ;e==");
        CPPUNIT_ASSERT_EQUAL(string(), list.problem());
        CPPUNIT_ASSERT(list.value("v") == "1");
        CPPUNIT_ASSERT(list.value("h") == "from :\r\n to");
        CPPUNIT_ASSERT(list.find("b")->raw_value == "\r\n ab\r\n cd \r\n ");
        CPPUNIT_ASSERT(list.value("e") == "=");
    }

    void a_final_semicolon_may_be_there() {
        CPPUNIT_ASSERT_EQUAL(string(), TagList("a=1;").problem());
        CPPUNIT_ASSERT_EQUAL(string(), TagList("a=1; \r\n ").problem());
        CPPUNIT_ASSERT_EQUAL(string(), TagList("a=;b=").problem());
        CPPUNIT_ASSERT_EQUAL(string(), TagList("").problem());
        CPPUNIT_ASSERT(TagList("").tags().empty());
    }

    void wrong_lists_have_a_problem_and_no_tags() {
        const auto problem = [](std::string_view text) {
            const TagList list(text);
            CPPUNIT_ASSERT(list.problem().empty() || list.tags().empty());
            return list.problem();
        };
        CPPUNIT_ASSERT_EQUAL(string("duplicate tag d"), problem("d=a; s=b; d=a"));
        CPPUNIT_ASSERT_EQUAL(string("tag syntax: empty element"), problem("a=1;;b=2"));
        CPPUNIT_ASSERT_EQUAL(string("tag syntax: empty element"), problem(";a=1"));
        CPPUNIT_ASSERT_EQUAL(string("tag syntax"), problem("a"));
        CPPUNIT_ASSERT_EQUAL(string("tag syntax"), problem("=1"));
        CPPUNIT_ASSERT_EQUAL(string("tag syntax"), problem("1a=1"));
        CPPUNIT_ASSERT_EQUAL(string("tag syntax"), problem("a b=1"));
        CPPUNIT_ASSERT_EQUAL(string("tag syntax"), problem("a=1; junk"));
        CPPUNIT_ASSERT_EQUAL(string("tag syntax: control character in a="), problem(std::string_view("a=1\0", 4)));
        CPPUNIT_ASSERT_EQUAL(string("tag syntax: control character in a="), problem("a=\x7f"));
        CPPUNIT_ASSERT_EQUAL(string(), problem("a=m\xc3\xbcnchen"));
        for (std::size_t at = 0; at < 20; ++at)  // octets are looked at eight at a time
            for (int octet = 0; octet < 256; ++octet) {
                if (octet == ';') continue;
                string text = "a=" + string(20, 'x') + "x";
                text[2 + at] = static_cast<char>(octet);
                const bool is_good = octet > 0x20 ? octet != 0x7f
                                                  : string("\t\r\n ").find(static_cast<char>(octet)) != string::npos;
                CPPUNIT_ASSERT_EQUAL(is_good, problem(text).empty());
            }
    }

    void the_number_of_tags_is_limited() {
        string text;
        for (std::size_t i = 0; i < TagList::max_tags; ++i) text += "a" + std::to_string(i) + "=;";
        CPPUNIT_ASSERT_EQUAL(string(), TagList(text).problem());
        CPPUNIT_ASSERT_EQUAL(string("more than 100 tags"), TagList(text + "b=").problem());
    }

    void white_space_can_be_removed() {
        CPPUNIT_ASSERT_EQUAL(string("abcd"), without_fws(" a\tb\r\n  cd "));
        CPPUNIT_ASSERT_EQUAL(string(), without_fws(" \r\n "));
        CPPUNIT_ASSERT(trim_fws("\r\n a b\t") == "a b");
    }

    void colon_lists() {
        CPPUNIT_ASSERT(colon_list_has("sha1:sha256", "sha256"));
        CPPUNIT_ASSERT(colon_list_has(" sha256 : sha1", "sha256"));
        CPPUNIT_ASSERT(!colon_list_has("sha25:6", "sha256"));
        CPPUNIT_ASSERT(!colon_list_has("", "sha256"));
        CPPUNIT_ASSERT(colon_list_has("y:s", "s"));
    }

    void base64_values() {
        CPPUNIT_ASSERT(tag_octets("YWJ\r\n jZA==") == "abcd");
        CPPUNIT_ASSERT(tag_octets("YWJjZA") == "abcd");
        CPPUNIT_ASSERT(tag_octets("YWJjZA=\t=") == "abcd");
        CPPUNIT_ASSERT(tag_octets("") == "");
        CPPUNIT_ASSERT(tag_octets("YWJjZGU") == "abcde" && tag_octets("YWJjZGU=") == "abcde");
        for (std::size_t size = 0; size < 70; ++size) {
            const string octets(size, static_cast<char>(0x80 + size));
            CPPUNIT_ASSERT(tag_octets(support::base64(octets)) == octets);
        }
        CPPUNIT_ASSERT(!tag_octets("YWJj*A==") && !tag_octets("YR==") && !tag_octets("YWJ=") &&
                       !tag_octets("YQ==YQ=="));
        CPPUNIT_ASSERT(!tag_octets("YWJj=") && !tag_octets("YQ===") && !tag_octets("YWK="));
        CPPUNIT_ASSERT(!tag_octets("Y") && !tag_octets("YWJjZA=") && !tag_octets("===="));
    }

    void numbers() {
        CPPUNIT_ASSERT(tag_number("0", 12) == 0);
        CPPUNIT_ASSERT(tag_number("999999999999", 12) == 999999999999);
        CPPUNIT_ASSERT(!tag_number("1000000000000", 12));
        CPPUNIT_ASSERT(!tag_number("", 12) && !tag_number("-1", 12) && !tag_number("1 2", 12));
        CPPUNIT_ASSERT(tag_number("18446744073709551615", 76) && !tag_number("18446744073709551616", 76));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TagListTest);

}  // namespace
}  // namespace smtpd::mailauth
