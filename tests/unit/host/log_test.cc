/// log_test.cc: the names of log levels, and the form of a line.
#include <smtpd/base/log.h>

#include <cppunit/extensions/HelperMacros.h>

#include <string>

using namespace smtpd;
using std::string;

class LogTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LogTest);
    CPPUNIT_TEST(every_level_has_a_name_that_reads_back);
    CPPUNIT_TEST(numbers_above_the_top_level_are_the_top_level);
    CPPUNIT_TEST(a_line_shows_what_it_has);
    CPPUNIT_TEST(bytes_from_outside_are_quoted);
    CPPUNIT_TEST_SUITE_END();

public:
    void every_level_has_a_name_that_reads_back() {
        for (int i = 0; i <= static_cast<int>(LogLevel::trace); ++i) {
            const auto level = static_cast<LogLevel>(i);
            CPPUNIT_ASSERT(parse_log_level(log_level_name(level)) == level);
            CPPUNIT_ASSERT(parse_log_level(std::to_string(i)) == level);
        }
        CPPUNIT_ASSERT_EQUAL(string("unknown"), string(log_level_name(static_cast<LogLevel>(9))));
    }

    /// qpsmtpd's own configuration says `logging/warn 9`.
    void numbers_above_the_top_level_are_the_top_level() {
        for (const char* text : {"8", "9", "10", "99", "255", "1000000000000000000000", "LOG9", "009"})
            CPPUNIT_ASSERT_MESSAGE(text, parse_log_level(text) == LogLevel::trace);
        CPPUNIT_ASSERT(parse_log_level("07") == LogLevel::debug);
        CPPUNIT_ASSERT(parse_log_level("00") == LogLevel::emerg);
        for (const char* text : {"", "log", "-1", "+9", "9x", "0x9", "1.5", " 9", "loud"})
            CPPUNIT_ASSERT_MESSAGE(text, !parse_log_level(text));
    }

    void a_line_shows_what_it_has() {
        const struct {
            LogLine line;
            const char* text;
        } rows[] = {{{LogLevel::info, "s", "s.1", "rcpt", "badrcptto", "fail: x", "192.0.2.1"},
                     "[s.1] (rcpt) badrcptto: fail: x"},
                    {{LogLevel::info, "s", "", "connect", "dnsbl", "pass", ""}, "[s] (connect) dnsbl: pass"},
                    {{LogLevel::info, "s", "", "", "", "greeted", ""}, "[s] greeted"},
                    {{LogLevel::info, "", "", "", "", "started", ""}, "started"},
                    {{LogLevel::info, "s", "", "", "", "connect", "192.0.2.1", "from 192.0.2.1 port 4"},
                     "[s] connect from 192.0.2.1 port 4"}};
        for (const auto& row : rows) CPPUNIT_ASSERT_EQUAL(string(row.text), row.line.to_string());
    }

    void bytes_from_outside_are_quoted() {
        CPPUNIT_ASSERT_EQUAL(string("a\\x0d\\x0ab\\xff"), quoted("a\r\nb\xff"));
        CPPUNIT_ASSERT(quoted(string(2000, 'x')).size() <= 512);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LogTest);
