/// data_decoder_test.cc: end of data, dots, bare newlines: every form of smuggling, under every policy, at every split.
///
/// The tests compare the decoder with a second one without states or chunks, which cuts the whole text at CRLF and
/// looks at the lines.
#include "smtp/data_decoder.h"
#include "smtp/octet_masks.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace smtpd::smtp {
namespace {

using namespace std::string_literals;

constexpr BareNewline policies[] = {BareNewline::reject, BareNewline::normalize, BareNewline::accept};

const char* policy_name(BareNewline policy) {
    return policy == BareNewline::reject ? "reject" : policy == BareNewline::normalize ? "normalize" : "accept";
}

struct Collector final : DataDecoder::Sink {
    void octets(std::string_view piece) override {
        if (piece.empty()) CPPUNIT_FAIL("an empty piece");
        content += piece;
        ++pieces;
        last = piece.data();
    }
    std::string content;
    int pieces = 0;
    const char* last = nullptr;
};

/// The visible state of a decoder, as text.
struct Result {
    std::string content;
    std::uint64_t consumed = 0;
    bool done = false;
    std::string defects;
    std::string first;

    bool operator==(const Result&) const = default;
};

std::string readable(std::string_view octets) {
    std::string out;
    for (const char c : octets) {
        if (c == '\r') out += "\\r";
        else if (c == '\n') out += "\\n";
        else if (c == '\0') out += "\\0";
        else out += c;
    }
    return out;
}

Result result_of(const DataDecoder& decoder, const Collector& collector) {
    Result result{collector.content, decoder.consumed(), decoder.done(), "", ""};
    for (const auto defect : {Defect::bare_lf, Defect::bare_cr, Defect::nul, Defect::line_too_long})
        if (decoder.has(defect)) result.defects += std::string(defect_name(defect)) + ";";
    CPPUNIT_ASSERT_EQUAL(result.defects.empty(), decoder.is_clean());
    const auto first = decoder.first_defect();
    CPPUNIT_ASSERT_EQUAL(result.defects.empty(), !first.has_value());
    if (first)
        result.first = std::string(defect_name(first->defect)) + "@" + std::to_string(first->offset) + " " +
                       first->around;
    return result;
}

/// Feeds pieces that end at the given places, each in a separate buffer; the last goes to the end.
Result decode(const std::string& input, const std::vector<std::size_t>& ends, BareNewline policy,
              std::uint64_t max_line = 0) {
    DataDecoder decoder(policy, max_line);
    Collector collector;
    std::size_t start = 0;
    for (std::size_t i = 0; i <= ends.size(); ++i) {
        const auto end = i < ends.size() ? ends[i] : input.size();
        const std::vector<char> piece(input.begin() + static_cast<std::ptrdiff_t>(start),
                                      input.begin() + static_cast<std::ptrdiff_t>(end));
        const bool was_done = decoder.done();
        const auto used = decoder.feed({piece.data(), piece.size()}, collector);
        if (!decoder.done() && used != piece.size()) CPPUNIT_FAIL("left octets before the end of data");
        if (was_done && used != 0) CPPUNIT_FAIL("took octets behind the end of data");
        start = end;
    }
    return result_of(decoder, collector);
}

Result decode_by_octet(const std::string& input, BareNewline policy, std::uint64_t max_line = 0) {
    std::vector<std::size_t> ends;
    for (std::size_t i = 1; i < input.size(); ++i) ends.push_back(i);
    return decode(input, ends, policy, max_line);
}

/// The second decoder. `input` must contain an end of data.
struct Expected {
    std::string content;
    std::size_t consumed = 0;
    bool bare_lf = false;
    bool bare_cr = false;
    bool nul = false;
};

Expected expected(const std::string& input, BareNewline policy) {
    Expected out;
    for (;;) {
        const auto crlf = input.find("\r\n", out.consumed);
        CPPUNIT_ASSERT(crlf != std::string::npos);
        auto line = input.substr(out.consumed, crlf - out.consumed);
        out.consumed = crlf + 2;
        if (line == ".") return out;
        if (!line.empty() && line[0] == '.') line.erase(0, 1);
        for (const char c : line) {
            out.bare_lf |= c == '\n';
            out.bare_cr |= c == '\r';
            out.nul |= c == '\0';
            if (policy != BareNewline::normalize) out.content += c;
            else if (c == '\n') out.content += "\r\n";
            else out.content += c == '\r' || c == '\0' ? ' ' : c;
        }
        out.content += "\r\n";
    }
}

void assert_same(const std::string& name, const Result& a, const Result& b) {
    if (a == b) return;  // cheap: this is asked some hundred thousand times
    CPPUNIT_ASSERT_EQUAL_MESSAGE(name, readable(a.content), readable(b.content));
    CPPUNIT_ASSERT_EQUAL_MESSAGE(name, a.consumed, b.consumed);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(name, a.defects, b.defects);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(name, a.first, b.first);
    CPPUNIT_FAIL(name + ": one has ended, the other has not");
}

void assert_as_expected(const std::string& name, const std::string& input, const Result& result, BareNewline policy) {
    const auto want = expected(input, policy);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(name, readable(want.content), readable(result.content));
    CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::uint64_t{want.consumed}, result.consumed);
    CPPUNIT_ASSERT_MESSAGE(name, result.done);
    const auto has = [&](const char* defect) { return result.defects.find(defect) != std::string::npos; };
    CPPUNIT_ASSERT_EQUAL_MESSAGE(name, want.bare_lf, has("bare LF"));
    CPPUNIT_ASSERT_EQUAL_MESSAGE(name, want.bare_cr, has("bare CR"));
    CPPUNIT_ASSERT_EQUAL_MESSAGE(name, want.nul, has("NUL"));
}

/// The sequences that a lax server takes for an end of data in smuggling attacks; none of them is one.
const std::vector<std::string> smuggling_forms = {
    "\n.\n",         "\r.\r",         "\r.\n",        "\n.\r",         "\n.\r\n",     "\r\n.\n",     "\r.\r\n",
    "\r\n.\r",       "\r\n\0.\r\n"s,  "\r\n.\r\r\n",  "\r\r\n.\r\r\n", "\n.\r\r\n",   "\r\r.\r\r\n", "\r\n\0.\r\r\n"s,
    "\r\n.\0\r\n"s,  "\r\n.\r\0\n"s,  "\r\0\n.\r\n"s, "\n\r.\r\n",     "\r\n.\n\r\n", "\r\n.\n\r",   "\n\n.\r\n",
    "\r\n.\n.\r\n",  "\n\r\n.\n",     "\r\n\r.\r\n",  "\r\n\n.\r\n",   "\r\n\n.\n",   "\r\r\n.\n",   "\r\r\n.\r",
    "\r\n.\r\r\r\n", "\r\n\r\r.\r\n", "\r\n.\r.\r\n", "\r\n.\n\n",     "\n.\n\r\n",   "\r.\r\n\n",
};

/// A message with `form` in it and a second transaction after that, which belongs to the message unless an attack
/// succeeds.
std::string smuggled(const std::string& form, std::size_t padding) {
    return "Subject: first\r\n\r\n" + std::string(padding, 'x') + form +
           "MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\n" +
           "From: boss@example.com\r\n\r\n..pay\r\n.\r\n";
}

constexpr std::string_view behind = "NOOP\r\n";

/// Counted text, in pieces of that size.
Result decode_counted(const std::string& input, std::size_t size, BareNewline policy, std::uint64_t max_line = 0) {
    DataDecoder decoder(policy, max_line, DataDecoder::Framing::counted);
    Collector collector;
    for (std::size_t at = 0; at < input.size(); at += size) {
        const auto text = input.substr(at, size);
        const std::vector<char> piece(text.begin(), text.end());
        CPPUNIT_ASSERT_EQUAL(piece.size(), decoder.feed({piece.data(), piece.size()}, collector));
        CPPUNIT_ASSERT(!decoder.done());
    }
    decoder.finish(collector);
    return result_of(decoder, collector);
}

class DataDecoderTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DataDecoderTest);
    CPPUNIT_TEST(an_ordinary_message_is_handed_on_as_it_is);
    CPPUNIT_TEST(the_end_is_found_and_what_follows_is_left);
    CPPUNIT_TEST(an_empty_message_is_a_dot_at_the_start);
    CPPUNIT_TEST(one_leading_dot_is_taken_off);
    CPPUNIT_TEST(no_smuggling_form_ends_the_data);
    CPPUNIT_TEST(no_smuggling_form_ends_the_data_at_the_start_or_wherever_the_scanner_meets_it);
    CPPUNIT_TEST(a_bare_cr_in_front_of_a_true_end_does_not_hide_it);
    CPPUNIT_TEST(each_policy_does_its_own_with_bare_newlines);
    CPPUNIT_TEST(a_normalised_newline_never_makes_dots_special);
    CPPUNIT_TEST(the_first_defect_is_kept_with_its_surroundings);
    CPPUNIT_TEST(the_surroundings_are_the_same_at_every_split);
    CPPUNIT_TEST(defects_behind_the_end_are_not_seen);
    CPPUNIT_TEST(long_lines_are_noticed);
    CPPUNIT_TEST(line_lengths_are_counted_alike_by_scanner_and_state_machine);
    CPPUNIT_TEST(random_octets_come_out_as_the_second_decoder_has_them);
    CPPUNIT_TEST(random_mail_comes_out_as_the_second_decoder_has_it);
    CPPUNIT_TEST(clean_input_is_handed_on_in_one_piece_without_copying);
    CPPUNIT_TEST(nothing_in_changes_nothing);
    CPPUNIT_TEST(both_scanners_see_the_same);
    CPPUNIT_TEST(in_counted_text_dots_are_dots);
    CPPUNIT_TEST(counted_text_ends_where_it_is_told_to);
    CPPUNIT_TEST(counted_text_is_the_same_at_every_split);
    CPPUNIT_TEST_SUITE_END();

public:
    void an_ordinary_message_is_handed_on_as_it_is() {
        const auto message = "Subject: hello\r\n\r\nLine one\r\n\r\nLine \xc3\xa9 three\t.\r\n"s;
        for (const auto policy : policies) {
            const auto result = decode(message + ".\r\n", {}, policy);
            CPPUNIT_ASSERT_EQUAL(message, result.content);
            CPPUNIT_ASSERT(result.done && result.defects.empty());
            assert_same(policy_name(policy), result, decode_by_octet(message + ".\r\n", policy));
        }
    }

    void the_end_is_found_and_what_follows_is_left() {
        const auto input = "a\r\n.\r\n"s + std::string(behind);
        for (const auto policy : policies)
            for (std::size_t split = 0; split <= input.size(); ++split) {
                const auto result = decode(input, {split}, policy);
                CPPUNIT_ASSERT_EQUAL(std::uint64_t{6}, result.consumed);
                CPPUNIT_ASSERT(result.done);
                CPPUNIT_ASSERT_EQUAL("a\r\n"s, result.content);
            }
    }

    void an_empty_message_is_a_dot_at_the_start() {
        for (const auto policy : policies) {
            const auto result = decode(".\r\n" + std::string(behind), {}, policy);
            CPPUNIT_ASSERT(result.done && result.defects.empty() && result.content.empty());
            CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, result.consumed);
            assert_same("by octet", result, decode_by_octet(".\r\n" + std::string(behind), policy));
            CPPUNIT_ASSERT_EQUAL("\r\n"s, decode("\r\n.\r\n", {}, policy).content);
        }
    }

    void one_leading_dot_is_taken_off() {
        struct Row {
            const char* in;
            const char* out;
        };
        static constexpr Row table[] = {
            {"..\r\n", ".\r\n"},
            {"...\r\n", "..\r\n"},
            {".a\r\n", "a\r\n"},
            {"a..\r\n", "a..\r\n"},
            {"a\r\n..\r\n", "a\r\n.\r\n"},
            {"a\r\n.b\r\n", "a\r\nb\r\n"},
            {". \r\n", " \r\n"},
            {" .\r\n", " .\r\n"},
            {"a.\r\n.b.\r\n", "a.\r\nb.\r\n"},
            {"\r\n\r\n..\r\n\r\n", "\r\n\r\n.\r\n\r\n"},
            {"..a\r\n..b\r\n..c\r\n", ".a\r\n.b\r\n.c\r\n"},
        };
        for (const auto& row : table) {
            const auto input = std::string(row.in) + ".\r\n";
            for (const auto policy : policies)
                for (std::size_t split = 0; split <= input.size(); ++split) {
                    const auto result = decode(input, {split}, policy);
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(readable(row.in), std::string(row.out), result.content);
                    CPPUNIT_ASSERT(result.done && result.defects.empty());
                }
        }
    }

    void no_smuggling_form_ends_the_data() {
        for (const auto& form : smuggling_forms) {
            const auto message = smuggled(form, 3);
            const auto input = message + std::string(behind);
            for (const auto policy : policies) {
                const auto name = readable(form) + " " + policy_name(policy);
                const auto whole = decode(input, {}, policy);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::uint64_t{message.size()}, whole.consumed);
                CPPUNIT_ASSERT_MESSAGE(name, whole.done);
                CPPUNIT_ASSERT_MESSAGE(name, !whole.defects.empty());  // so that `reject` refuses it
                assert_as_expected(name, input, whole, policy);
                assert_same(name + " by octet", whole, decode_by_octet(input, policy));
                for (std::size_t first = 0; first <= input.size(); ++first)
                    assert_same(name + " split at " + std::to_string(first), whole, decode(input, {first}, policy));
                const std::size_t from = 18;  // the surroundings of the form, in three pieces
                for (std::size_t first = from; first <= from + form.size() + 6; ++first)
                    for (std::size_t second = first; second <= from + form.size() + 6; ++second)
                        assert_same(name + " split twice", whole, decode(input, {first, second}, policy));
            }
        }
    }

    void no_smuggling_form_ends_the_data_at_the_start_or_wherever_the_scanner_meets_it() {
        for (const auto& form : smuggling_forms)
            for (const auto policy : policies) {
                const auto name = readable(form) + " " + policy_name(policy);
                const auto at_start = form + "x\r\n.\r\n";
                if (expected(at_start, policy).consumed == at_start.size()) {  // as first octets, ".CRLF" would be an
                                                                               // end
                    assert_as_expected(name, at_start, decode(at_start, {}, policy), policy);
                    assert_same(name, decode(at_start, {}, policy), decode_by_octet(at_start, policy));
                }
                for (std::size_t padding = 40; padding < 200; ++padding) {
                    const auto input = smuggled(form, padding) + std::string(behind);
                    const auto whole = decode(input, {}, policy);
                    assert_as_expected(name + " behind " + std::to_string(padding), input, whole, policy);
                    if (padding % 16 == 0) assert_same(name + " by octet", whole, decode_by_octet(input, policy));
                }
            }
    }

    void a_bare_cr_in_front_of_a_true_end_does_not_hide_it() {
        for (const auto policy : policies) {
            const auto input = "a\r\r\n.\r\n" + std::string(behind);
            const auto result = decode(input, {}, policy);
            CPPUNIT_ASSERT_EQUAL(std::uint64_t{7}, result.consumed);
            CPPUNIT_ASSERT_EQUAL("bare CR;"s, result.defects);
            CPPUNIT_ASSERT_EQUAL(policy == BareNewline::normalize ? "a \r\n"s : "a\r\r\n"s, result.content);
            assert_same("by octet", result, decode_by_octet(input, policy));
        }
    }

    void each_policy_does_its_own_with_bare_newlines() {
        struct Row {
            std::string in;
            std::string kept;
            std::string normalized;
        };
        const Row table[] = {
            {"a\nb\r\n", "a\nb\r\n", "a\r\nb\r\n"},
            {"a\rb\r\n", "a\rb\r\n", "a b\r\n"},
            {"a\0b\r\n"s, "a\0b\r\n"s, "a b\r\n"},
            {"a\r\r\n", "a\r\r\n", "a \r\n"},
            {"a\r\r\r\n", "a\r\r\r\n", "a  \r\n"},
            {"a\n\r\n", "a\n\r\n", "a\r\n\r\n"},
            {"a\n\r\r\n", "a\n\r\r\n", "a\r\n \r\n"},
            {"\n\r\0\r\n"s, "\n\r\0\r\n"s, "\r\n  \r\n"},
            {".\nb\r\n", "\nb\r\n", "\r\nb\r\n"},
            {".\rb\r\n", "\rb\r\n", " b\r\n"},
            {".\r\r\n", "\r\r\n", " \r\n"},
            {".\0\r\n"s, "\0\r\n"s, " \r\n"},
            {"a\r\n.\nb\r\n", "a\r\n\nb\r\n", "a\r\n\r\nb\r\n"},
        };
        for (const auto& row : table)
            for (const auto policy : policies) {
                const auto input = row.in + ".\r\n";
                const auto name = readable(row.in) + " " + policy_name(policy);
                const auto result = decode(input, {}, policy);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name,
                                             readable(policy == BareNewline::normalize ? row.normalized : row.kept),
                                             readable(result.content));
                CPPUNIT_ASSERT_MESSAGE(name, result.done && !result.defects.empty());
                for (std::size_t split = 0; split <= input.size(); ++split)
                    assert_same(name, result, decode(input, {split}, policy));
            }
    }

    void a_normalised_newline_never_makes_dots_special() {
        const auto result = decode("a\n.\r\n..\n..b\n.\n.\r\nc\r\n.\r\n", {}, BareNewline::normalize);
        CPPUNIT_ASSERT_EQUAL(readable("a\r\n.\r\n.\r\n..b\r\n.\r\n.\r\nc\r\n"), readable(result.content));
        CPPUNIT_ASSERT(result.done);
    }

    void the_first_defect_is_kept_with_its_surroundings() {
        struct Row {
            std::string in;
            const char* first;
        };
        const Row table[] = {
            {"a\n.\r\nb", "bare LF@1 a\\n.\\r\\nb\\r\\n.\\r"},
            {"Subject: x\r\n\r\nhello\nworld and more", "bare LF@19 \\n\\r\\nhello\\nworld an"},
            {"a\rb", "bare CR@1 a\\rb\\r\\n.\\r\\n"},
            {"a\0b\n\r"s, "NUL@1 a\\x00b\\n\\r\\r\\n.\\r\\n"},
            {"\r\n.\rxx", "bare CR@3 \\r\\n.\\rxx\\r\\n.\\r\\n"},
            {"back\\slash\x7f\xc3\n", "bare LF@12 \\\\slash\\x7f\\xc3\\n\\r\\n.\\r\\n"},
        };
        for (const auto& row : table)
            for (const auto policy : policies)
                CPPUNIT_ASSERT_EQUAL_MESSAGE(readable(row.in), std::string(row.first),
                                             decode(row.in + "\r\n.\r\n", {}, policy).first);
    }

    void the_surroundings_are_the_same_at_every_split() {
        for (const auto& bad : {"\n"s, "\r"s, "\0"s, "\r\r"s, "\r\n.\r"s}) {
            const auto input = std::string(40, 'x') + bad + std::string(40, 'y') + "\n\r\n.\r\n";
            const auto whole = decode(input, {}, BareNewline::accept);
            for (std::size_t first = 0; first <= input.size(); ++first)
                for (std::size_t second = first; second <= input.size(); ++second)
                    assert_same(readable(bad), whole, decode(input, {first, second}, BareNewline::accept));
        }
    }

    void defects_behind_the_end_are_not_seen() {
        const auto result = decode("a\r\n.\r\nx\ny\rz\n.\n\0"s, {}, BareNewline::reject);
        CPPUNIT_ASSERT(result.done && result.defects.empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{6}, result.consumed);
    }

    void long_lines_are_noticed() {
        for (const std::uint64_t limit : {10U, 64U, 100U, 1000U}) {
            const std::string full(limit - 2, 'x');
            CPPUNIT_ASSERT_EQUAL(""s, decode(full + "\r\n.\r\n", {}, BareNewline::reject, limit).defects);
            CPPUNIT_ASSERT_EQUAL(
                ""s, decode("." + full + "\r\n.\r\n", {}, BareNewline::reject, limit).defects);  // a stuffed dot does
                                                                                                 // not count
            CPPUNIT_ASSERT_EQUAL(
                ""s,
                decode(full + "\r\n" + full + "\r\n" + full + "\r\n.\r\n", {}, BareNewline::reject, limit).defects);
            const auto result = decode("ab\r\n" + full + "y\r\n.\r\n", {}, BareNewline::reject, limit);
            CPPUNIT_ASSERT_EQUAL("line too long;"s, result.defects);
            CPPUNIT_ASSERT_EQUAL("line too long@" + std::to_string(4 + limit),
                                 result.first.substr(0, result.first.find(' ', 14)));
            CPPUNIT_ASSERT_EQUAL("ab\r\n" + full + "y\r\n", result.content);
        }
        CPPUNIT_ASSERT_EQUAL(""s, decode(std::string(100000, 'x') + "\r\n.\r\n", {}, BareNewline::reject).defects);
        // A newline that became CRLF ends a line of the content; one that is kept does not.
        const auto two = std::string(60, 'x') + "\n" + std::string(60, 'x') + "\r\n.\r\n";
        CPPUNIT_ASSERT_EQUAL("bare LF;"s, decode(two, {}, BareNewline::normalize, 100).defects);
        CPPUNIT_ASSERT_EQUAL("bare LF;line too long;"s, decode(two, {}, BareNewline::accept, 100).defects);
        // The bare CR behind a dot counts, the dot does not.
        CPPUNIT_ASSERT_EQUAL("bare CR;"s,
                             decode(".\r" + std::string(97, 'x') + "\r\n.\r\n", {}, BareNewline::accept, 100).defects);
        CPPUNIT_ASSERT_EQUAL("bare CR;line too long;"s,
                             decode(".\r" + std::string(98, 'x') + "\r\n.\r\n", {}, BareNewline::accept, 100).defects);
    }

    void line_lengths_are_counted_alike_by_scanner_and_state_machine() {
        std::mt19937 random(7);
        for (int round = 0; round < 300; ++round) {
            std::string input;
            while (input.size() < 700) {
                input += std::string(random() % 150, 'x');
                const std::vector<std::string> ends = {"\r\n", "\r\n", "\r\n.", "\n", "\r", "\r\n.\n"};
                input += ends[random() % (round % 2 != 0 ? 3 : ends.size())];
            }
            input += "\r\n.\r\n";
            for (const std::uint64_t limit : {1U, 5U, 63U, 64U, 65U, 100U, 128U, 149U, 151U})
                for (const auto policy : {BareNewline::accept, BareNewline::normalize})
                    assert_same("limit " + std::to_string(limit), decode(input, {}, policy, limit),
                                decode_by_octet(input, policy, limit));
        }
    }

    void random_octets_come_out_as_the_second_decoder_has_them() {
        std::mt19937 random(1);
        constexpr std::string_view alphabet("\r\n.\0a\r\n.", 8);
        for (int round = 0; round < 20000; ++round) {
            std::string input;
            for (auto size = random() % 14; size > 0; --size) input += alphabet[random() % alphabet.size()];
            input += "\r\n.\r\n" + std::string(behind);
            const auto policy = policies[round % 3];
            const auto whole = decode(input, {}, policy);
            assert_as_expected(readable(input), input, whole, policy);
            assert_same(readable(input), whole, decode_by_octet(input, policy));
            assert_same(readable(input), whole, decode(input, {random() % input.size()}, policy));
        }
    }

    void random_mail_comes_out_as_the_second_decoder_has_it() {
        std::mt19937 random(2);
        constexpr std::string_view odd("\r\n.\0\r\n", 6);
        for (int round = 0; round < 600; ++round) {
            std::string input;
            while (input.size() < 2000) {
                input += std::string(random() % 100, 'x');
                if (random() % 8 != 0) input += "\r\n";
                if (random() % 8 == 0) input += '.';
                if (round % 3 != 0 && random() % 4 == 0)
                    for (auto size = random() % 5; size > 0; --size) input += odd[random() % odd.size()];
            }
            input += "\r\n.\r\n" + std::string(behind);
            std::vector<std::size_t> ends;
            for (std::size_t end = random() % 300; end < input.size(); end += random() % 300) ends.push_back(end);
            for (const auto policy : policies) {
                const auto whole = decode(input, {}, policy);
                assert_as_expected("round " + std::to_string(round), input, whole, policy);
                assert_same("round " + std::to_string(round), whole, decode(input, ends, policy));
                assert_same("round " + std::to_string(round) + " by octet", whole, decode_by_octet(input, policy));
            }
        }
    }

    void clean_input_is_handed_on_in_one_piece_without_copying() {
        std::string input;
        for (int i = 0; i < 100; ++i) input += std::string(76, 'x') + "\r\n";
        for (const auto policy : policies) {
            DataDecoder decoder(policy, 1000);
            Collector collector;
            CPPUNIT_ASSERT_EQUAL(input.size(), decoder.feed(input, collector));
            CPPUNIT_ASSERT_EQUAL(1, collector.pieces);
            CPPUNIT_ASSERT(collector.last == input.data());
            const auto end = input + ".\r\n" + std::string(behind);
            CPPUNIT_ASSERT_EQUAL(input.size() + 3, decoder.feed(end, collector));
            CPPUNIT_ASSERT_EQUAL(2, collector.pieces);
            CPPUNIT_ASSERT(collector.content == input + input);
        }
    }

    void nothing_in_changes_nothing() {
        for (const auto policy : policies)
            for (const auto& begin : {""s, "a"s, "a\r"s, "a\r\n"s, "a\r\n."s, "a\r\n.\r"s, "a\r\n.\r\n"s, "a\n"s}) {
                const auto rest = "\n.\r\nx\r\n.\r\n"s;
                const auto plain = decode(begin + rest, {begin.size()}, policy);
                assert_same(readable(begin), plain,
                            decode(begin + rest, {0, 0, begin.size(), begin.size(), begin.size()}, policy));
            }
    }

    void both_scanners_see_the_same() {
        std::mt19937 random(3);
        for (int round = 0; round < 2000; ++round) {
            char block[64];
            for (auto& c : block) {
                constexpr std::string_view near("\r\n.\0\x0c\x0e\x09\x0b\x01\x2d\x2f\x8d\x8a\xae\x80\xff", 16);
                c = random() % 2 != 0 ? near[random() % near.size()] : static_cast<char>(random());
            }
            const auto check = [&](char c, std::uint64_t OctetMasks::*mask, auto block_type) {
                using Block = decltype(block_type);
                for (std::size_t start = 0; start < sizeof block; start += Block::size) {
                    const auto bits = Block::masks(block + start).*mask;
                    for (std::size_t i = 0; i < Block::size; ++i) {
                        CPPUNIT_ASSERT_EQUAL(
                            block[start + i] == c ? std::uint64_t{1} : std::uint64_t{0},
                            (bits >> (i * Block::bits_per_octet)) & ((std::uint64_t{1} << Block::bits_per_octet) - 1));
                    }
                }
            };
            const auto check_all = [&](auto block_type) {
                check('\r', &OctetMasks::cr, block_type);
                check('\n', &OctetMasks::lf, block_type);
                check('\0', &OctetMasks::nul, block_type);
                check('.', &OctetMasks::dot, block_type);
            };
            check_all(WordBlock());
            check_all(FastBlock());
        }
    }

    void in_counted_text_dots_are_dots() {
        const std::string text = ".\r\n..\r\n.x\r\n\r\n.\r\nQUIT\r\n.";
        for (const auto policy : policies) {
            const auto result = decode_counted(text, text.size(), policy);
            CPPUNIT_ASSERT_EQUAL(text, result.content);
            CPPUNIT_ASSERT_EQUAL(std::string(), result.defects);
        }
        for (const auto& form : smuggling_forms) {  // verbatim where they are let in
            const auto smuggler = smuggled(form, 40);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(readable(form), readable(smuggler),
                                         readable(decode_counted(smuggler, 7, BareNewline::accept).content));
            CPPUNIT_ASSERT_MESSAGE(readable(form), !decode_counted(smuggler, 7, BareNewline::reject).defects.empty());
            const auto mended = decode_counted(smuggler, 7, BareNewline::normalize).content;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(readable(form), std::string(),
                                         decode_counted(mended, 7, BareNewline::reject).defects);
        }
    }

    void counted_text_ends_where_it_is_told_to() {
        const struct {
            const char* text;
            const char* normalized;
            const char* defects;
        } rows[] = {{"", "", ""},
                    {"a", "a", ""},
                    {"a\r", "a ", "bare CR;"},
                    {"a\r\n", "a\r\n", ""},
                    {"a\n", "a\r\n", "bare LF;"},
                    {"\r", " ", "bare CR;"},
                    {"a\r\r", "a  ", "bare CR;"}};
        for (const auto& row : rows)
            for (const std::size_t size : {1U, 2U, 100U})
                for (const auto policy : policies) {
                    const auto result = decode_counted(row.text, size, policy);
                    const std::string name = readable(row.text) + " " + policy_name(policy);
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(name,
                                                 readable(policy == BareNewline::normalize ? row.normalized : row.text),
                                                 readable(result.content));
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::string(row.defects), result.defects);
                }
    }

    void counted_text_is_the_same_at_every_split() {
        std::mt19937 random(20);
        for (int round = 0; round < 300; ++round) {
            std::string text;
            for (unsigned i = 0, size = random() % 200; i < size; ++i)
                text += std::string_view("\r\n.\0ab", 6)[random() % 6];
            for (const auto policy : policies)
                for (const std::uint64_t max_line : {0U, 80U}) {
                    const auto whole = decode_counted(text, 1000, policy, max_line);
                    for (const std::size_t size : {1U, 2U, 3U, 17U, 64U})
                        assert_same(readable(text), whole, decode_counted(text, size, policy, max_line));
                }
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DataDecoderTest);

}  // namespace
}  // namespace smtpd::smtp
