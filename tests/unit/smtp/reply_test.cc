/// reply_test.cc: what goes over the wire for any content of a reply.
#include <smtpd/base/reply.h>

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace smtpd {
namespace {

Reply make(int code, EnhancedCode enhanced, std::string text, bool plain = false) {
    Reply reply;
    reply.code = code;
    reply.enhanced = enhanced;
    reply.text = std::move(text);
    reply.plain = plain;
    return reply;
}

std::vector<std::string> lines_of(const std::string& wire) {
    std::vector<std::string> lines;
    std::size_t start = 0;
    for (std::size_t end; (end = wire.find("\r\n", start)) != std::string::npos; start = end + 2)
        lines.push_back(wire.substr(start, end - start));
    CPPUNIT_ASSERT_EQUAL_MESSAGE("ends with CRLF", wire.size(), start);
    return lines;
}

/// Every line has the code, the right separator, no control characters and the right length.
void assert_well_formed(const std::string& wire, const std::string& code) {
    const auto lines = lines_of(wire);
    CPPUNIT_ASSERT(!lines.empty());
    for (std::size_t i = 0; i < lines.size(); ++i) {
        CPPUNIT_ASSERT(lines[i].size() + 2 <= 512);
        CPPUNIT_ASSERT_EQUAL(code, lines[i].substr(0, 3));
        CPPUNIT_ASSERT_EQUAL(i + 1 < lines.size() ? '-' : ' ', lines[i].at(3));
        for (const char c : lines[i]) CPPUNIT_ASSERT(static_cast<unsigned char>(c) >= ' ' || c == '\t');
        CPPUNIT_ASSERT(lines[i].find('\x7f') == std::string::npos);
    }
}

class ReplyTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ReplyTest);
    CPPUNIT_TEST(one_line_has_code_status_and_text);
    CPPUNIT_TEST(the_status_is_left_out_where_rfc_2034_says_so);
    CPPUNIT_TEST(a_code_without_status_gets_one_that_fits);
    CPPUNIT_TEST(the_status_class_is_that_of_the_code);
    CPPUNIT_TEST(several_lines_all_have_code_and_status);
    CPPUNIT_TEST(blank_lines_are_kept);
    CPPUNIT_TEST(no_control_character_leaves);
    CPPUNIT_TEST(every_octet_in_a_text_leaves_a_well_formed_reply);
    CPPUNIT_TEST(long_lines_are_folded_at_blanks);
    CPPUNIT_TEST(long_words_are_cut);
    CPPUNIT_TEST(a_reply_is_ascii_whatever_the_text_has);
    CPPUNIT_TEST(a_full_line_is_not_folded);
    CPPUNIT_TEST(no_reply_is_nothing);
    CPPUNIT_TEST(an_impossible_code_is_a_temporary_failure);
    CPPUNIT_TEST(replies_are_appended);
    CPPUNIT_TEST_SUITE_END();

public:
    void one_line_has_code_status_and_text() {
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.1.5 recipient ok\r\n"),
                             make(250, {2, 1, 5}, "recipient ok").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("550 5.7.1 no\r\n"), make(550, {5, 7, 1}, "no").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0\r\n"), make(250, {2, 0, 0}, "").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("5.7.11"), (EnhancedCode{5, 7, 11}).to_string());
    }

    void the_status_is_left_out_where_rfc_2034_says_so() {
        CPPUNIT_ASSERT_EQUAL(std::string("354 go ahead\r\n"), make(354, {}, "go ahead").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("334 VXNlcm5hbWU6\r\n"), make(334, {3, 0, 0}, "VXNlcm5hbWU6").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("220 mx ESMTP\r\n"), make(220, {}, "mx ESMTP", true).to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("250-mx\r\n250-SIZE 10\r\n250 HELP\r\n"),
                             make(250, {}, "mx\nSIZE 10\nHELP", true).to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("250 \r\n"), make(250, {}, "", true).to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("334 \r\n"), make(334, {}, "").to_string());
    }

    void a_code_without_status_gets_one_that_fits() {
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0 ok\r\n"), make(250, {}, "ok").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("421 4.3.2 bye\r\n"), make(421, {}, "bye").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("452 4.3.1 full\r\n"), make(452, {}, "full").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("503 5.5.1 order\r\n"), make(503, {}, "order").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("550 5.7.1 denied\r\n"), make(550, {}, "denied").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("599 5.0.0 odd\r\n"), make(599, {}, "odd").to_string());
    }

    void the_status_class_is_that_of_the_code() {
        CPPUNIT_ASSERT_EQUAL(std::string("450 4.7.1 later\r\n"), make(450, {5, 7, 1}, "later").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("550 5.7.20 never\r\n"), make(550, {0, 7, 20}, "never").to_string());
    }

    void several_lines_all_have_code_and_status() {
        CPPUNIT_ASSERT_EQUAL(std::string("214-2.0.0 a\r\n214-2.0.0 b\r\n214 2.0.0 c\r\n"),
                             make(214, {2, 0, 0}, "a\nb\r\nc").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("214 2.0.0 a\r\n"), make(214, {2, 0, 0}, "a\n").to_string());
    }

    void blank_lines_are_kept() {
        CPPUNIT_ASSERT_EQUAL(std::string("250-2.0.0 a\r\n250-2.0.0\r\n250 2.0.0 b\r\n"),
                             make(250, {2, 0, 0}, "a\n\nb").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("250-a\r\n250-\r\n250 b\r\n"), make(250, {}, "a\n\nb", true).to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("250-2.0.0 a\r\n250 2.0.0\r\n"), make(250, {2, 0, 0}, "a\n\n").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("250-2.0.0\r\n250 2.0.0 a\r\n"), make(250, {2, 0, 0}, "\na").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0 0\r\n"), make(250, {2, 0, 0}, "0").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0\r\n"), make(250, {2, 0, 0}, "\n").to_string());
    }

    void no_control_character_leaves() {
        CPPUNIT_ASSERT_EQUAL(std::string("550 5.7.1 ab\r\n"), make(550, {5, 7, 1}, "a\rb\r").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("550 5.7.1 a?b?c?\r\n"), make(550, {5, 7, 1},
                                                                       std::string("a\0b\x1b"
                                                                                   "c\x7f",
                                                                                   6))
                                                                      .to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("550 5.7.1 a\tb\r\n"), make(550, {5, 7, 1}, "a\tb").to_string());
    }

    void every_octet_in_a_text_leaves_a_well_formed_reply() {
        std::string all;
        for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
        for (const std::size_t repeat : {1U, 2U, 5U}) {
            std::string text;
            for (std::size_t i = 0; i < repeat; ++i) text += all;
            for (const bool plain : {false, true})
                assert_well_formed(make(250, {2, 0, 0}, text, plain).to_string(), "250");
        }
        for (std::size_t size = 490; size < 530; ++size) {
            assert_well_formed(make(451, {}, std::string(size, 'x')).to_string(), "451");
            assert_well_formed(make(451, {}, std::string(size, ' ')).to_string(), "451");
            assert_well_formed(make(451, {}, std::string(size, '\x80')).to_string(), "451");
            assert_well_formed(make(451, {}, std::string(size, '\r')).to_string(), "451");
            assert_well_formed(make(451, {}, std::string(size, '\n')).to_string(), "451");
        }
    }

    void long_lines_are_folded_at_blanks() {
        std::string text;
        for (int i = 0; i < 200; ++i) text += "word" + std::to_string(i) + (i < 199 ? " " : "");
        const auto wire = make(550, {5, 7, 1}, text).to_string();
        assert_well_formed(wire, "550");
        std::string joined;
        for (const auto& line : lines_of(wire)) {
            CPPUNIT_ASSERT_EQUAL(std::string("5.7.1 word"), line.substr(4, 10));
            joined += (joined.empty() ? "" : " ") + line.substr(10);
        }
        CPPUNIT_ASSERT_EQUAL(text, joined);
    }

    void long_words_are_cut() {
        const std::string text(2000, 'x');
        const auto wire = make(550, {5, 7, 1}, text).to_string();
        assert_well_formed(wire, "550");
        std::string joined;
        for (const auto& line : lines_of(wire)) joined += line.substr(10);
        CPPUNIT_ASSERT_EQUAL(text, joined);
        CPPUNIT_ASSERT_EQUAL(std::size_t{512 - 2}, lines_of(wire).front().size());
    }

    void a_reply_is_ascii_whatever_the_text_has() {
        const struct {
            const char* text;
            const char* sent;
        } rows[] = {
            {"Gr\xc3\xbc\xc3\x9f"
             "e",
             "Gr??e"},  // a ? for each character
            {"\xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x93\xa7", "?? ?"},
            {"latin-1: \xfc\xdf", "latin-1: ??"},  // no UTF-8: a ? for each octet
            {"cut \xe6\x97", "cut ??"},
            {"\xc0\xaf overlong", "?? overlong"},
            {"C1 \xc2\x85.", "C1 ?."},
            {"", ""},
        };
        for (const auto& row : rows)
            for (const bool plain : {false, true}) {
                std::string wire = plain ? "550 " : "550 5.7.1 ";
                wire += row.sent;
                if (!*row.sent && !plain) wire.pop_back();
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.text, wire + "\r\n",
                                             make(550, {5, 7, 1}, row.text, plain).to_string());
            }
        std::string letters;
        for (int i = 0; i < 1000; ++i) letters += "\xf0\x9f\x93\xa7";
        CPPUNIT_ASSERT_EQUAL(make(550, {5, 7, 1}, std::string(1000, '?')).to_string(),
                             make(550, {5, 7, 1}, letters).to_string());
    }

    void a_full_line_is_not_folded() {
        const std::string room(512 - 2 - 10, 'x');
        CPPUNIT_ASSERT_EQUAL("550 5.7.1 " + room + "\r\n", make(550, {5, 7, 1}, room).to_string());
        CPPUNIT_ASSERT_EQUAL("550 5.7.1 " + room + "\r\n", make(550, {5, 7, 1}, room + " ").to_string());
        CPPUNIT_ASSERT_EQUAL("550-5.7.1 " + room + "\r\n550 5.7.1 y\r\n", make(550, {5, 7, 1}, room + "y").to_string());
        CPPUNIT_ASSERT_EQUAL("550-5.7.1 " + room + "\r\n550 5.7.1 y\r\n",
                             make(550, {5, 7, 1}, room + " y").to_string());
    }

    void no_reply_is_nothing() {
        CPPUNIT_ASSERT(Reply().empty());
        CPPUNIT_ASSERT_EQUAL(std::string(), make(0, {5, 7, 1}, "text").to_string());
    }

    void an_impossible_code_is_a_temporary_failure() {
        for (const int code : {-1, 1, 99, 199, 600, 1000, 100000})
            assert_well_formed(make(code, {}, "x").to_string(), "451");
        CPPUNIT_ASSERT(make(250, {}, "").is_positive());
        CPPUNIT_ASSERT(make(354, {}, "").is_positive());
        CPPUNIT_ASSERT(!make(450, {}, "").is_positive());
    }

    void replies_are_appended() {
        std::string out = "220 hi\r\n";
        make(250, {2, 0, 0}, "one").append_to(out);
        make(250, {2, 0, 0}, "two\nthree").append_to(out);
        CPPUNIT_ASSERT_EQUAL(std::string("220 hi\r\n250 2.0.0 one\r\n250-2.0.0 two\r\n250 2.0.0 three\r\n"), out);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ReplyTest);

}  // namespace
}  // namespace smtpd
