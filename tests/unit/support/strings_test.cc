/// strings_test.cc: the helpers for text, dates, ids and names.
#include "support/strings.h"

#include "fakes/fake_clock.h"
#include "support/clock.h"
#include "support/date.h"
#include "support/edit_distance.h"
#include "support/random.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <set>
#include <thread>

namespace smtpd::support {
namespace {

using namespace std::chrono_literals;

std::string shown(const std::vector<std::string_view>& pieces) {
    std::string out;
    for (const auto piece : pieces) out.append("[").append(piece).append("]");
    return out;
}

/// Sets TZ and restores it.
class TimeZone {
public:
    explicit TimeZone(const char* name)
        : before_(std::getenv("TZ") ? std::optional<std::string>(std::getenv("TZ")) : std::nullopt) {
        setenv("TZ", name, 1);
        tzset();
    }
    ~TimeZone() {
        before_ ? setenv("TZ", before_->c_str(), 1) : unsetenv("TZ");
        tzset();
    }

private:
    std::optional<std::string> before_;
};

class StringsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(StringsTest);
    CPPUNIT_TEST(letters_are_folded_and_nothing_else);
    CPPUNIT_TEST(comparisons_ignore_case);
    CPPUNIT_TEST(text_is_trimmed_and_split);
    CPPUNIT_TEST(numbers_are_read_whole_or_not_at_all);
    CPPUNIT_TEST(bytes_from_outside_are_safe_in_a_log);
    CPPUNIT_TEST(escaped_text_is_cut_between_characters);
    CPPUNIT_TEST(dates_are_those_of_rfc5322);
    CPPUNIT_TEST(session_ids_do_not_repeat);
    CPPUNIT_TEST(near_names_are_found);
    CPPUNIT_TEST(clocks_agree_with_the_system);
    CPPUNIT_TEST(a_fake_clock_moves_when_told);
    CPPUNIT_TEST_SUITE_END();

    void letters_are_folded_and_nothing_else() {
        CPPUNIT_ASSERT_EQUAL(std::string("abz@[`{09\xc3\x84"), folded("aBZ@[`{09\xc3\x84"));
        CPPUNIT_ASSERT_EQUAL(std::string("ABZ@[`{09\xc3\xa4"), upper("aBz@[`{09\xc3\xa4"));
    }

    void comparisons_ignore_case() {
        CPPUNIT_ASSERT(equals_folded("RCPT", "rcpt") && equals_folded("", ""));
        CPPUNIT_ASSERT(!equals_folded("RCPT", "RCP") && !equals_folded("@", "`"));
        CPPUNIT_ASSERT(starts_with_folded("MAIL FROM:", "mail from:") && starts_with_folded("x", "") &&
                       !starts_with_folded("x", "xy"));
        CPPUNIT_ASSERT(ends_with_folded("a.Example.COM", ".example.com") && !ends_with_folded("com", ".com"));
    }

    void text_is_trimmed_and_split() {
        CPPUNIT_ASSERT_EQUAL(std::string("a b"), std::string(trim("\r\n\t a b \v\f\n")));
        CPPUNIT_ASSERT(trim(" \t\r\n").empty() && trim("").empty());
        CPPUNIT_ASSERT_EQUAL(std::string("[a][][b]"), shown(split("a,,b", ',')));
        CPPUNIT_ASSERT_EQUAL(std::string("[]"), shown(split("", ',')));
        CPPUNIT_ASSERT_EQUAL(std::string("[][]"), shown(split(",", ',')));
        CPPUNIT_ASSERT_EQUAL(std::string("[a][b][c]"), shown(split_words("  a \t b\r\nc ")));
        CPPUNIT_ASSERT_EQUAL(std::string(), shown(split_words(" \t")));
        CPPUNIT_ASSERT_EQUAL(std::string("a, b, a"), join({"a", "b", "a"}, ", "));
        CPPUNIT_ASSERT_EQUAL(std::string(), join({}, ", "));
    }

    void numbers_are_read_whole_or_not_at_all() {
        CPPUNIT_ASSERT(parse_unsigned("0") == 0u && parse_unsigned("0012") == 12u);
        CPPUNIT_ASSERT(parse_unsigned("18446744073709551615") == ~std::uint64_t{0});
        for (const auto* wrong : {"", " 1", "1 ", "-1", "+1", "1k", "0x10", "18446744073709551616"})
            CPPUNIT_ASSERT(!parse_unsigned(wrong));
    }

    void bytes_from_outside_are_safe_in_a_log() {
        const struct {
            std::string bytes;
            const char* safe;
        } rows[] = {
            {"plain text ~", "plain text ~"},
            {"a\r\nb\tc", "a\\x0d\\x0ab\\x09c"},
            {std::string("a\0b", 3), "a\\x00b"},
            {"say \"hi\" \\o/", "say \\\"hi\\\" \\\\o/"},
            {"\x1b[31m\x7f", "\\x1b[31m\\x7f"},
            {"\xc3\xa4\xff", "\\xc3\\xa4\\xff"},
            {"", ""},
        };
        for (const auto& row : rows) CPPUNIT_ASSERT_EQUAL(std::string(row.safe), escape_for_log(row.bytes));
    }

    void escaped_text_is_cut_between_characters() {
        const struct {
            std::string bytes;
            std::size_t max;
            const char* safe;
        } rows[] = {
            {"abcdef", 6, "abcdef"},        {"abcdefg", 6, "abc..."}, {"abc\n", 6, "abc..."},
            {"ab\n", 6, "ab\\x0a"},         {"a\n\n", 7, "a..."},     {"a\n\n", 8, "a\\x0a..."},
            {"\"\"\"\"", 7, "\\\"\\\"..."}, {"abcd", 0, "..."},       {"abc", 3, "abc"},
        };
        for (const auto& row : rows) CPPUNIT_ASSERT_EQUAL(std::string(row.safe), escape_for_log(row.bytes, row.max));
        CPPUNIT_ASSERT_EQUAL(std::size_t{512}, escape_for_log(std::string(100'000, 'x')).size());
    }

    void dates_are_those_of_rfc5322() {
        const auto moment = std::chrono::system_clock::from_time_t(1795199220);
        const struct {
            const char* zone;
            const char* date;
        } rows[] = {
            {"UTC", "Fri, 20 Nov 2026 18:27:00 +0000"},
            {"XXX-5:45", "Sat, 21 Nov 2026 00:12:00 +0545"},
            {"XXX+3:30", "Fri, 20 Nov 2026 14:57:00 -0330"},
            {"XXX+0:30", "Fri, 20 Nov 2026 17:57:00 -0030"},
        };
        for (const auto& row : rows) {
            const TimeZone zone(row.zone);
            CPPUNIT_ASSERT_EQUAL(std::string(row.date), rfc5322_date(moment));
            CPPUNIT_ASSERT_EQUAL(std::string(row.date), rfc5322_date(moment + 999ms));
        }
        const TimeZone zone("UTC");
        CPPUNIT_ASSERT_EQUAL(std::string("Thu, 1 Jan 1970 00:00:00 +0000"),
                             rfc5322_date(std::chrono::system_clock::time_point{}));
        CPPUNIT_ASSERT_EQUAL(std::string("Wed, 31 Dec 1969 23:59:59 +0000"),
                             rfc5322_date(std::chrono::system_clock::time_point{-1ms}));
    }

    void session_ids_do_not_repeat() {
        SessionIds ids;
        constexpr std::size_t threads = 4, each = 25'000;
        std::vector<std::vector<std::string>> made(threads);
        std::vector<std::thread> makers;
        for (auto& mine : made)
            makers.emplace_back([&ids, &mine] {
                for (std::size_t i = 0; i < each; ++i) mine.push_back(ids.next());
            });
        for (auto& maker : makers) maker.join();
        std::set<std::string> all;
        for (const auto& mine : made) all.insert(mine.begin(), mine.end());
        CPPUNIT_ASSERT_EQUAL(threads * each, all.size());
        for (const auto& id : all) {
            CPPUNIT_ASSERT_EQUAL(std::size_t{12}, id.size());
            CPPUNIT_ASSERT(id.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz") == std::string::npos);
        }
        CPPUNIT_ASSERT(SessionIds().next() != SessionIds().next());
    }

    void near_names_are_found() {
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, edit_distance("Zones", "zones"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, edit_distance("kitten", "sitting"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, edit_distance("raly", "arly"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, edit_distance("", "abcd"));
        const std::vector<std::string> names = {"zones", "reject", "reject_type", "loglevel"};
        CPPUNIT_ASSERT_EQUAL(std::string("zones"), nearest_name("zone", names).value());
        CPPUNIT_ASSERT_EQUAL(std::string("reject"), nearest_name("rejcet", names).value());
        CPPUNIT_ASSERT_EQUAL(std::string("reject_type"), nearest_name("reject-typ", names).value());
        CPPUNIT_ASSERT(!nearest_name("timeout", names) && !nearest_name("", names) && !nearest_name("zone", {}));
        CPPUNIT_ASSERT_EQUAL(std::string(" (did you mean \"zones\"?)"), did_you_mean("zoens", names));
        CPPUNIT_ASSERT_EQUAL(std::string(), did_you_mean("timeout", names));
    }

    void clocks_agree_with_the_system() {
        for (const auto precision : {SystemClock::Precision::exact, SystemClock::Precision::coarse}) {
            const SystemClock clock(precision);
            const auto steady = std::chrono::steady_clock::now();
            const auto system = std::chrono::system_clock::now();
            CPPUNIT_ASSERT(clock.now() > steady - 1s && clock.now() < steady + 10s);
            CPPUNIT_ASSERT(clock.wall() > system - 1s && clock.wall() < system + 10s);
        }
    }

    void a_fake_clock_moves_when_told() {
        fakes::FakeClock clock;
        const TimeZone zone("UTC");
        const auto before = clock.now();
        clock.advance(90s);
        CPPUNIT_ASSERT(clock.now() - before == 90s);
        CPPUNIT_ASSERT_EQUAL(std::string("Fri, 20 Nov 2026 18:28:30 +0000"), rfc5322_date(clock.wall()));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(StringsTest);

}  // namespace
}  // namespace smtpd::support
