/// option_types_test.cc: what each type of option accepts, rejects and shows.
#include <smtpd/options.h>

#include <cppunit/extensions/HelperMacros.h>

#include <limits>
#include <string>
#include <vector>

namespace {

using namespace smtpd;
using std::string;

/// A text, and the printed form of its value; "" if it must be rejected.
struct Row {
    const char* text;
    const char* shown;
};

template <class T>
void check(const std::vector<Row>& rows) {
    for (const auto& row : rows) {
        T value{};
        const string problem = OptionType<T>::read(row.text, value);
        const string what = string("reading \"") + row.text + "\"";
        if (*row.shown == '\0') CPPUNIT_ASSERT_EQUAL_MESSAGE(what, OptionType<T>::name(), problem);
        else {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, string(), problem);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, string(row.shown), OptionType<T>::show(value));
        }
    }
}

}  // namespace

class OptionTypesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OptionTypesTest);
    CPPUNIT_TEST(switches_take_the_usual_words);
    CPPUNIT_TEST(numbers_must_be_whole_texts_and_fit);
    CPPUNIT_TEST(durations_have_units_and_fractions);
    CPPUNIT_TEST(sizes_have_binary_units);
    CPPUNIT_TEST(log_levels_have_names_and_numbers);
    CPPUNIT_TEST(every_shown_value_reads_back);
    CPPUNIT_TEST(a_refused_text_leaves_the_value_alone);
    CPPUNIT_TEST_SUITE_END();

public:
    void switches_take_the_usual_words() {
        check<bool>({{"on", "on"},
                     {"Yes", "on"},
                     {"TRUE", "on"},
                     {"1", "on"},
                     {"off", "off"},
                     {"no", "off"},
                     {"false", "off"},
                     {"0", "off"},
                     {"", ""},
                     {"2", ""},
                     {"maybe", ""},
                     {"on ", ""}});
    }

    void numbers_must_be_whole_texts_and_fit() {
        check<int>({{"0", "0"},
                    {"-7", "-7"},
                    {"+7", "7"},
                    {"2147483647", "2147483647"},
                    {"2147483648", ""},
                    {"", ""},
                    {"+", ""},
                    {"+-1", ""},
                    {"1x", ""},
                    {" 1", ""},
                    {"1.5", ""},
                    {"0x10", ""}});
        check<unsigned>({{"0", "0"}, {"4294967295", "4294967295"}, {"4294967296", ""}, {"-1", ""}});
        check<std::int64_t>({{"-9223372036854775808", "-9223372036854775808"}, {"9223372036854775808", ""}});
        check<std::uint64_t>(
            {{"18446744073709551615", "18446744073709551615"}, {"18446744073709551616", ""}, {"-1", ""}});
        check<double>({{"0.5", "0.5"}, {"-3", "-3"}, {"1e3", "1000"}, {"inf", ""}, {"nan", ""}, {"1,5", ""}, {"", ""}});
    }

    void durations_have_units_and_fractions() {
        check<Duration>({{"1", "1s"},
                         {"0.5", "500ms"},
                         {"500ms", "500ms"},
                         {"10s", "10s"},
                         {"10sec", "10s"},
                         {"90", "90s"},
                         {"60s", "1min"},
                         {"5min", "5min"},
                         {"2H", "2h"},
                         {"24h", "1d"},
                         {"36500d", "36500d"},
                         {"0", "0s"},
                         {"0ms", "0s"},
                         {"1.5min", "90s"},
                         {"", ""},
                         {"s", ""},
                         {"-1", ""},
                         {"1 s", ""},
                         {"1y", ""},
                         {"1.2.3", ""},
                         {"36501d", ""},
                         {"1e5", ""},
                         {"99999999999999999999999d", ""}});
    }

    void sizes_have_binary_units() {
        check<ByteCount>({{"0", "0"},
                          {"10000", "10000"},
                          {"64k", "64k"},
                          {"65536", "64k"},
                          {"10M", "10m"},
                          {"1g", "1g"},
                          {"17179869183g", "17179869183g"},
                          {"17179869184g", ""},
                          {"", ""},
                          {"k", ""},
                          {"1.5k", ""},
                          {"-1", ""},
                          {"10kb", ""}});
    }

    void log_levels_have_names_and_numbers() {
        check<LogLevel>({{"debug", "debug"},
                         {"LOGINFO", "info"},
                         {"6", "info"},
                         {"radar", "emerg"},
                         {"LOGWARN", "warning"},
                         {"Error", "error"},
                         {"8", "trace"},
                         {"9", "trace"},
                         {"10", "trace"},
                         {"-1", ""},
                         {"", ""},
                         {"log", ""},
                         {"loud", ""}});
    }

    void every_shown_value_reads_back() {
        for (const std::int64_t count : {1LL, 999LL, 1000LL, 61'000LL, 3'600'000LL, 86'399'999LL}) {
            Duration value{};
            CPPUNIT_ASSERT_EQUAL(string(),
                                 OptionType<Duration>::read(OptionType<Duration>::show(Duration(count)), value));
            CPPUNIT_ASSERT_EQUAL(count, std::int64_t(value.count()));
        }
        for (const std::uint64_t count :
             {std::uint64_t(1023), std::uint64_t(1024), std::numeric_limits<std::uint64_t>::max()}) {
            ByteCount value{};
            CPPUNIT_ASSERT_EQUAL(string(), OptionType<ByteCount>::read(OptionType<ByteCount>::show({count}), value));
            CPPUNIT_ASSERT_EQUAL(count, value.value);
        }
    }

    void a_refused_text_leaves_the_value_alone() {
        int number = 5;
        Duration duration(5);
        bool flag = true;
        CPPUNIT_ASSERT(!OptionType<int>::read("x", number).empty());
        CPPUNIT_ASSERT(!OptionType<Duration>::read("x", duration).empty());
        CPPUNIT_ASSERT(!OptionType<bool>::read("x", flag).empty());
        CPPUNIT_ASSERT_EQUAL(5, number);
        CPPUNIT_ASSERT(duration == Duration(5));
        CPPUNIT_ASSERT(flag);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(OptionTypesTest);
