/// line_splitter_test.cc: command lines from chunks.
#include "smtp/line_splitter.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::smtp {
namespace {

using Status = LineSplitter::Status;

/// All lines of `input` fed in chunks of `chunk` octets, as "text/flags" each, flags of l (bare LF), c (bare CR), n
/// (NUL); "!" is a long one, "?" one that LF alone ends.
std::string split(std::string_view input, std::size_t chunk, std::size_t limit = 512) {
    LineSplitter splitter(limit);
    std::string out;
    while (!input.empty()) {
        std::string piece(input.substr(0, chunk));
        std::string_view view = piece;
        input.remove_prefix(piece.size());
        for (;;) {
            const auto line = splitter.next(view);
            if (line.status == Status::need_more) break;
            if (line.status == Status::too_long) {
                out += line.bare_lf ? "?;" : "!;";
                continue;
            }
            out += std::string(line.text) + "/" + (line.bare_lf ? "l" : "") + (line.bare_cr ? "c" : "") +
                   (line.nul ? "n" : "") + ";";
        }
        CPPUNIT_ASSERT(view.empty());
        piece.assign(piece.size(), '#');  // what was kept must be a copy
    }
    return out;
}

class LineSplitterTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LineSplitterTest);
    CPPUNIT_TEST(lines_are_the_same_however_the_input_is_split);
    CPPUNIT_TEST(whole_lines_are_slices_of_the_input);
    CPPUNIT_TEST(the_limit_counts_the_line_end);
    CPPUNIT_TEST(long_lines_are_skipped_in_bounded_memory);
    CPPUNIT_TEST(the_limit_may_change);
    CPPUNIT_TEST(nothing_in_gives_nothing);
    CPPUNIT_TEST(what_was_kept_can_be_wiped);
    CPPUNIT_TEST_SUITE_END();

public:
    void lines_are_the_same_however_the_input_is_split() {
        using namespace std::string_literals;
        struct Row {
            std::string in;
            std::string out;
        };
        const Row table[] = {
            {"EHLO x\r\nQUIT\r\n", "EHLO x/;QUIT/;"},
            {"\r\n\r\n", "/;/;"},
            {"QUIT\n", "QUIT/l;"},
            {"\n", "/l;"},
            {"A\rB\r\n", "A\rB/c;"},
            {"A\r\r\n", "A\r/c;"},
            {"\r\r\n", "\r/c;"},
            {"A\rB\n", "A\rB/lc;"},
            {"A\0B\r\n"s, "A\0B/n;"s},
            {"\0\r\0\n"s, "\0\r\0/lcn;"s},
            {"NOOP\nNOOP\r\nNOOP", "NOOP/l;NOOP/;"},
            {std::string(510, 'x') + "\r\nA\r\n", std::string(510, 'x') + "/;A/;"},
            {std::string(511, 'x') + "\r\nA\r\n", "!;A/;"},
            {std::string(511, 'x') + "\nA\r\n", std::string(511, 'x') + "/l;A/;"},
            {std::string(512, 'x') + "\nA\r\n", "?;A/;"},
            {std::string(510, 'x') + "\r\r\nA\n", "!;A/l;"},
            {std::string(5000, 'x') + "\r\n" + std::string(5000, 'y') + "\r\nA\r\n", "!;!;A/;"},
            {std::string(5000, 'x') + "\r" + std::string(5000, 'y') + "\nA\r\n", "?;A/;"},
            {std::string(5000, 'x') + "\r\n" + std::string(5000, 'y') + "\nA\r\n", "!;?;A/;"},
        };
        for (const auto& row : table)
            for (const std::size_t chunk : {1U, 2U, 3U, 5U, 7U, 64U, 511U, 512U, 513U, 100000U})
                CPPUNIT_ASSERT_EQUAL_MESSAGE("in chunks of " + std::to_string(chunk), row.out, split(row.in, chunk));
    }

    void whole_lines_are_slices_of_the_input() {
        const std::string input = "EHLO x\r\nNOOP\r\nQU";
        std::string_view view = input;
        LineSplitter splitter(512);
        CPPUNIT_ASSERT(splitter.next(view).text.data() == input.data());
        CPPUNIT_ASSERT(splitter.next(view).text.data() == input.data() + 8);
        CPPUNIT_ASSERT(splitter.next(view).status == Status::need_more && view.empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, splitter.pending());
        std::string_view rest = "IT\r\n";
        CPPUNIT_ASSERT_EQUAL(std::string("QUIT"), std::string(splitter.next(rest).text));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, splitter.pending());
    }

    void the_limit_counts_the_line_end() {
        CPPUNIT_ASSERT_EQUAL(std::string("abc/;"), split("abc\r\n", 100, 5));
        CPPUNIT_ASSERT_EQUAL(std::string("!;"), split("abcd\r\n", 100, 5));
        CPPUNIT_ASSERT_EQUAL(std::string("abcd/l;"), split("abcd\n", 100, 5));
    }

    void long_lines_are_skipped_in_bounded_memory() {
        LineSplitter splitter(512);
        const std::string chunk(1000, 'x');
        for (int i = 1; i <= 1000; ++i) {
            std::string_view view = chunk;
            CPPUNIT_ASSERT(splitter.next(view).status == Status::need_more);
            CPPUNIT_ASSERT_EQUAL(std::uint64_t{1000} * static_cast<unsigned>(i), splitter.pending());
        }
        std::string_view end = "\r\nNOOP\r\n";
        CPPUNIT_ASSERT(splitter.next(end).status == Status::too_long);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, splitter.pending());
        CPPUNIT_ASSERT_EQUAL(std::string("NOOP"), std::string(splitter.next(end).text));
    }

    void the_limit_may_change() {
        LineSplitter splitter(10);
        std::string_view begin = "0123";
        CPPUNIT_ASSERT(splitter.next(begin).status == Status::need_more);
        splitter.set_limit(100);
        std::string_view rest = "456789abcdef\r\n";
        CPPUNIT_ASSERT_EQUAL(std::string("0123456789abcdef"), std::string(splitter.next(rest).text));
        splitter.set_limit(10);
        rest = "0123456789abcdef\r\n";
        CPPUNIT_ASSERT(splitter.next(rest).status == Status::too_long);
    }

    void what_was_kept_can_be_wiped() {
        LineSplitter splitter(100);
        std::string_view input = "AUTH LOGIN ";
        CPPUNIT_ASSERT(splitter.next(input).status == Status::need_more);
        splitter.wipe();  // not handed out yet
        input = "secret\r\nNOOP\r\n";
        const auto line = splitter.next(input);
        CPPUNIT_ASSERT_EQUAL(std::string("AUTH LOGIN secret"), std::string(line.text));
        splitter.wipe();
        CPPUNIT_ASSERT_EQUAL(std::string(17, '\0'), std::string(line.text));  // the memory is still the splitter's
        CPPUNIT_ASSERT_EQUAL(std::string("NOOP"), std::string(splitter.next(input).text));
    }

    void nothing_in_gives_nothing() {
        LineSplitter splitter(10);
        std::string_view empty;
        CPPUNIT_ASSERT(splitter.next(empty).status == Status::need_more);
        CPPUNIT_ASSERT(splitter.next(empty).status == Status::need_more);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LineSplitterTest);

}  // namespace
}  // namespace smtpd::smtp
