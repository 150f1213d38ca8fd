/// headers_test.cc: the header block: what counts as a field, what edits do, and what they leave alone.
#include <smtpd/message.h>

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using Strings = std::vector<std::string>;

const char simple[] = "Received: one\r\nReceived: two\r\nSubject: hello\r\nFrom: a@example.com\r\n";

std::string shown(const Strings& strings) {
    std::string out;
    for (const auto& text : strings) out += "[" + text + "]";
    return out;
}

Strings names(const Headers& headers) {
    Strings all;
    headers.for_each([&](const HeaderField& field) { all.emplace_back(field.name); });
    return all;
}

class HeadersTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HeadersTest);
    CPPUNIT_TEST(fields_are_found_whatever_their_case);
    CPPUNIT_TEST(what_is_a_field_is_listed_and_all_is_kept);
    CPPUNIT_TEST(a_field_of_any_size_does_no_harm);
    CPPUNIT_TEST(values_are_unfolded_and_trimmed);
    CPPUNIT_TEST(raw_is_the_field_as_received);
    CPPUNIT_TEST(nothing_changes_without_an_edit);
    CPPUNIT_TEST(prepended_fields_stand_on_top);
    CPPUNIT_TEST(prepending_works_before_and_after_the_block_was_looked_at);
    CPPUNIT_TEST(appended_fields_stand_below_even_without_a_final_line_end);
    CPPUNIT_TEST(replace_keeps_the_place_and_one_field);
    CPPUNIT_TEST(remove_takes_all_or_one);
    CPPUNIT_TEST(rename_keeps_values_and_folding);
    CPPUNIT_TEST(values_cannot_add_fields);
    CPPUNIT_TEST(names_that_are_none_do_nothing);
    CPPUNIT_TEST(many_fields_of_one_name_are_removed_at_once);
    CPPUNIT_TEST(copies_are_independent);
    CPPUNIT_TEST_SUITE_END();

    void fields_are_found_whatever_their_case() {
        const Headers headers(simple);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, headers.count("RECEIVED"));
        CPPUNIT_ASSERT_EQUAL(std::string("hello"), headers.get("subject").value());
        CPPUNIT_ASSERT_EQUAL(std::string("[one][two]"), shown(headers.get_all("received")));
        CPPUNIT_ASSERT(!headers.get("To"));
        CPPUNIT_ASSERT(!headers.get(""));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, headers.count("Receive"));
        CPPUNIT_ASSERT(!headers.empty());
        CPPUNIT_ASSERT(Headers().empty());
        CPPUNIT_ASSERT(Headers("no field\r\n").empty());
    }

    void what_is_a_field_is_listed_and_all_is_kept() {
        const struct {
            const char* what;
            std::string block;
            const char* listed;
        } rows[] = {
            {"two fields", "A: 1\r\nB: 2\r\n", "[A][B]"},
            {"no final line end", "A: 1\r\nB: 2", "[A][B]"},
            {"folded lines", "A: 1\r\n\t2\r\n 3\r\nB: 4\r\n", "[A][B]"},
            {"bare LF", "A: 1\n 2\nB: 3\n", "[A][B]"},
            {"blanks before the colon", "A : 1\r\nB\t: 2\r\n", "[A][B]"},
            {"mbox line on top", "From a@b Fri Nov 20 18:27:00 2026\r\nFrom: a\r\n", "[From]"},
            {"From with a blank before the colon is a field", "From : a\r\n", "[From]"},
            {"junk in the middle", "A: 1\r\njunk here\r\nB: 2\r\n", "[A][B]"},
            {"junk with a folded line", "A: 1\r\njunk\r\n more: junk\r\nB: 2\r\n", "[A][B]"},
            {"no name", ": 1\r\nB: 2\r\n", "[B]"},
            {"blank within the name", "A B: 1\r\nC: 2\r\n", "[C]"},
            {"8-bit name", "\xc3\xa4: 1\r\nC: 2\r\n", "[C]"},
            {"empty value", "A:\r\nB: 2\r\n", "[A][B]"},
            {"no blank after the colon", "A:1\r\n", "[A]"},
            {"bare CR in a value", "A: 1\rB: 2\r\n", "[A]"},
            {"line of blanks only goes on", "A: 1\r\n \r\nB: 2\r\n", "[A][B]"},
            {"starts folded", " A: 1\r\nB: 2\r\n", "[B]"},
            {"NUL in a value", std::string("A: \0x\r\nB: 2\r\n", 14), "[A][B]"},
            {"names that scripts mistake", "__proto__: 1\r\nconstructor: 2\r\nHASOWNPROPERTY: 3\r\n",
             "[__proto__][constructor][HASOWNPROPERTY]"},
            {"empty", "", ""},
        };
        for (const auto& row : rows) {
            const Headers headers(row.block);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.what, std::string(row.listed), shown(names(headers)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.what, row.block, headers.to_string());
        }
    }

    void a_field_of_any_size_does_no_harm() {
        const std::string much(1 << 20, 'x');
        const std::pair<std::string, const char*> rows[] = {{"A: " + much + "\r\nB: 2\r\n", "[A][B]"},
                                                            {much + ": no name is so long\r\nB: 2\r\n", "[B]"},
                                                            {much + "\r\nB: 2\r\n", "[B]"},
                                                            {much, ""}};
        for (const auto& [block, listed] : rows) {
            const Headers headers(block);
            CPPUNIT_ASSERT_EQUAL(std::string(listed), shown(names(headers)));
            CPPUNIT_ASSERT(headers.to_string() == block && !headers.get("__proto__") && !headers.get(""));
        }
    }

    void values_are_unfolded_and_trimmed() {
        const struct {
            const char* block;
            const char* value;
            // clang-format off
        } rows[] = {
            {"A: plain\r\n", "plain"},      {"A:tight\r\n", "tight"},          {"A: \t wide \t \r\n", "wide"},
            {"A: a\r\n b\r\n\tc\r\n", "a b\tc"}, {"A: a\n b\n", "a b"},        {"A:\r\n only below\r\n", "only below"},
            {"A: a: b\r\n", "a: b"},        {"A:\r\n", ""},                    {"A:", ""},
            {"A : old\r\n", "old"},         {"A: x\ry\r\n", "x\ry"},
        };
        // clang-format on
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.block, std::string(row.value), Headers(row.block).get("A").value());
    }

    void raw_is_the_field_as_received() {
        Strings raw;
        Headers("Subject : a\r\n b\r\nX: y\r\n").for_each([&](const HeaderField& field) {
            raw.emplace_back(field.raw);
        });
        CPPUNIT_ASSERT_EQUAL(std::string("[Subject : a\r\n b\r\n][X: y\r\n]"), shown(raw));
    }

    void nothing_changes_without_an_edit() {
        Headers headers(simple);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, headers.remove("X-None"));
        CPPUNIT_ASSERT(!headers.remove("Received", 2));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, headers.rename("X-None", "X-Other"));
        CPPUNIT_ASSERT(!headers.edited());
        CPPUNIT_ASSERT_EQUAL(std::string(simple), headers.to_string());
        CPPUNIT_ASSERT_EQUAL(std::string(simple), headers.original());
    }

    void prepended_fields_stand_on_top() {
        Headers headers(simple);
        CPPUNIT_ASSERT(headers.prepend("Received", "three"));
        CPPUNIT_ASSERT(headers.prepend("Authentication-Results", "mx; auth=none"));
        CPPUNIT_ASSERT(headers.edited());
        CPPUNIT_ASSERT_EQUAL("Authentication-Results: mx; auth=none\r\nReceived: three\r\n" + std::string(simple),
                             headers.to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("[three][one][two]"), shown(headers.get_all("Received")));
        CPPUNIT_ASSERT_EQUAL(std::string(simple), headers.original());
    }

    void prepending_works_before_and_after_the_block_was_looked_at() {
        Headers headers(simple);
        headers.prepend("X", "1");
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, headers.count("X"));
        headers.prepend("X", "2");
        CPPUNIT_ASSERT_EQUAL("X: 2\r\nX: 1\r\n" + std::string(simple), headers.to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("[X][X][Received][Received][Subject][From]"), shown(names(headers)));
    }

    void appended_fields_stand_below_even_without_a_final_line_end() {
        const struct {
            const char* block;
            const char* result;
        } rows[] = {{"A: 1\r\n", "A: 1\r\nX: y\r\n"},
                    {"A: 1", "A: 1\r\nX: y\r\n"},
                    {"A: 1\n", "A: 1\nX: y\r\n"},
                    {"A: 1\r\njunk", "A: 1\r\njunk\r\nX: y\r\n"},
                    {"", "X: y\r\n"}};
        for (const auto& row : rows) {
            Headers headers(row.block);
            CPPUNIT_ASSERT(headers.append("X", "y"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.block, std::string(row.result), headers.to_string());
        }
    }

    void replace_keeps_the_place_and_one_field() {
        Headers headers(simple);
        CPPUNIT_ASSERT(headers.replace("received", "new"));
        CPPUNIT_ASSERT_EQUAL(std::string("received: new\r\nSubject: hello\r\nFrom: a@example.com\r\n"),
                             headers.to_string());
        CPPUNIT_ASSERT(headers.replace("To", "b"));
        CPPUNIT_ASSERT_EQUAL(std::string("received: new\r\nSubject: hello\r\nFrom: a@example.com\r\nTo: b\r\n"),
                             headers.to_string());
    }

    void remove_takes_all_or_one() {
        Headers one(simple);
        CPPUNIT_ASSERT(one.remove("Received", 1));
        CPPUNIT_ASSERT_EQUAL(std::string("Received: one\r\nSubject: hello\r\nFrom: a@example.com\r\n"),
                             one.to_string());
        Headers all(simple);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, all.remove("received"));
        CPPUNIT_ASSERT_EQUAL(std::string("Subject: hello\r\nFrom: a@example.com\r\n"), all.to_string());
        CPPUNIT_ASSERT(all.edited());
    }

    void rename_keeps_values_and_folding() {
        Headers headers(
            "Authentication-Results: a;\r\n\tspf=pass\r\nX: y\r\nAUTHENTICATION-RESULTS : b\nauthentication-results:c");
        CPPUNIT_ASSERT_EQUAL(std::size_t{3},
                             headers.rename("Authentication-Results", "Original-Authentication-Results"));
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "Original-Authentication-Results: a;\r\n\tspf=pass\r\nX: y\r\nOriginal-Authentication-Results : b\n"
                "Original-Authentication-Results:c"),
            headers.to_string());
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, headers.count("Authentication-Results"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, headers.count("Original-Authentication-Results"));
    }

    void values_cannot_add_fields() {
        const struct {
            const char* what;
            std::string value;
            const char* written;
        } rows[] = {
            {"plain", "v", "X: v\r\n"},
            {"empty", "", "X: \r\n"},
            {"CRLF and a field", "a\r\nBcc: b", "X: a Bcc: b\r\n"},
            {"LF and a field", "a\nBcc: b", "X: a Bcc: b\r\n"},
            {"CR and a field", "a\rBcc: b", "X: a Bcc: b\r\n"},
            {"end of the header", "a\r\n\r\nbody", "X: a  body\r\n"},
            {"folded with CRLF", "a\r\n b", "X: a\r\n b\r\n"},
            {"folded with LF", "a\n\tb", "X: a\r\n\tb\r\n"},
            {"CR and a blank is no folding", "a\r b", "X: a  b\r\n"},
            {"two line breaks and a blank", "a\r\n\r\n b", "X: a \r\n b\r\n"},
            {"a line of blanks only", "a\r\n \r\n b", "X: a  \r\n b\r\n"},
            {"a line of blanks, then a field", "a\r\n \r\nBcc: b", "X: a   Bcc: b\r\n"},
            {"trailing line end", "a\r\n", "X: a\r\n"},
            {"leading line end", "\r\n a", "X: a\r\n"},
            {"CR CR LF", "a\r\r\nBcc: b", "X: a  Bcc: b\r\n"},
            {"NUL", std::string("a\0b", 3), "X: a b\r\n"},
            {"blank, NUL, line end", std::string("a\n \0\nBcc: b", 11), "X: a    Bcc: b\r\n"},
        };
        for (const auto& row : rows) {
            Headers headers("A: 1\r\n");
            CPPUNIT_ASSERT(headers.append("X", row.value));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.what, "A: 1\r\n" + std::string(row.written), headers.to_string());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.what, std::string("[A][X]"), shown(names(Headers(headers.to_string()))));
        }
    }

    void names_that_are_none_do_nothing() {
        for (const std::string& name : {std::string(), std::string("a b"), std::string("a:"), std::string("a\r\nBcc"),
                                        std::string("\xc3\xa4"), std::string("a\0b", 3), std::string(999, 'x')}) {
            Headers headers(simple);
            CPPUNIT_ASSERT(!headers.prepend(name, "x"));
            CPPUNIT_ASSERT(!headers.append(name, "x"));
            CPPUNIT_ASSERT(!headers.replace(name, "x"));
            CPPUNIT_ASSERT_EQUAL(std::size_t{0}, headers.rename("Subject", name));
            CPPUNIT_ASSERT_EQUAL(std::size_t{0}, headers.remove(name));
            CPPUNIT_ASSERT(!headers.edited());
            CPPUNIT_ASSERT_EQUAL(std::string(simple), headers.to_string());
        }
    }

    void many_fields_of_one_name_are_removed_at_once() {
        std::string block;
        for (int i = 0; i < 50'000; ++i) block += "A:\r\n";
        Headers headers(block + "B: 1\r\n");
        CPPUNIT_ASSERT(headers.replace("A", "x"));
        CPPUNIT_ASSERT_EQUAL(std::string("A: x\r\nB: 1\r\n"), headers.to_string());
        Headers again(block + "B: 1\r\n");
        CPPUNIT_ASSERT_EQUAL(std::size_t{50'000}, again.remove("A"));
        CPPUNIT_ASSERT_EQUAL(std::string("B: 1\r\n"), again.to_string());
    }

    void copies_are_independent() {
        Headers headers(simple);
        headers.prepend("X", "1");
        Headers copy = headers;
        headers.remove("Subject");
        copy.rename("Subject", "Title");
        CPPUNIT_ASSERT_EQUAL(std::string("hello"), copy.get("Title").value());
        CPPUNIT_ASSERT_EQUAL(
            std::string("X: 1\r\nReceived: one\r\nReceived: two\r\nTitle: hello\r\nFrom: a@example.com\r\n"),
            copy.to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("X: 1\r\nReceived: one\r\nReceived: two\r\nFrom: a@example.com\r\n"),
                             headers.to_string());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(HeadersTest);

}  // namespace
}  // namespace smtpd
