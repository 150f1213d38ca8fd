/// log_router_test.cc: which lines go to logging plugins, and which to the server's own log.
#include "host/log_router.h"
#include "fakes/fake_log.h"

#include <smtpd/base/format.h>

#include <cppunit/extensions/HelperMacros.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace smtpd;
using namespace smtpd::host;
using std::string;

LogLine line(LogLevel level, std::string_view text) {
    LogLine made;
    made.level = level;
    made.text = text;
    return made;
}

}  // namespace

class LogRouterTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LogRouterTest);
    CPPUNIT_TEST(without_plugins_everything_goes_to_the_server_log);
    CPPUNIT_TEST(each_plugin_gets_lines_up_to_its_level_and_the_server_log_warnings);
    CPPUNIT_TEST(enabled_is_what_anybody_wants);
    CPPUNIT_TEST(a_line_handed_on_to_the_server_log_is_there_once);
    CPPUNIT_TEST(a_line_logged_while_logging_goes_to_the_server_log_only);
    CPPUNIT_TEST(a_plugin_that_throws_is_passed_over_and_reported_once);
    CPPUNIT_TEST(a_line_is_one_line_whatever_is_in_it);
    CPPUNIT_TEST_SUITE_END();

    fakes::FakeLog server_log_;
    LogRouter router_{server_log_};
    PluginCounters counters_;
    std::vector<string> written_;

    void add(const string& name, LogLevel up_to) {
        router_.add(
            name, up_to, [this, name](const LogLine& got) { written_.push_back(name + ":" + string(got.text)); },
            counters_);
    }
    string written() const {
        string out;
        for (const auto& text : written_) out += text + " ";
        return out;
    }

public:
    void without_plugins_everything_goes_to_the_server_log() {
        server_log_.set_level(LogLevel::info);
        CPPUNIT_ASSERT(!router_.has_plugins());
        CPPUNIT_ASSERT(router_.enabled(LogLevel::info));
        CPPUNIT_ASSERT(!router_.enabled(LogLevel::debug));
        router_.write(line(LogLevel::info, "a"));
        router_.write(line(LogLevel::debug, "b"));
        CPPUNIT_ASSERT_EQUAL(string("a\n"), server_log_.to_string());
    }

    void each_plugin_gets_lines_up_to_its_level_and_the_server_log_warnings() {
        add("quiet", LogLevel::error);
        add("loud", LogLevel::debug);
        router_.write(line(LogLevel::error, "e"));
        router_.write(line(LogLevel::warning, "w"));
        router_.write(line(LogLevel::notice, "n"));
        router_.write(line(LogLevel::trace, "t"));
        CPPUNIT_ASSERT_EQUAL(string("quiet:e loud:e loud:w loud:n "), written());
        CPPUNIT_ASSERT_EQUAL(string("e\nw\n"), server_log_.to_string());
    }

    void enabled_is_what_anybody_wants() {
        server_log_.set_level(LogLevel::warning);
        add("quiet", LogLevel::crit);
        CPPUNIT_ASSERT(router_.enabled(LogLevel::warning));
        CPPUNIT_ASSERT_MESSAGE("the server log has no say in lines it does not get",
                               !router_.enabled(LogLevel::notice));
        server_log_.set_level(LogLevel::trace);
        CPPUNIT_ASSERT(!router_.enabled(LogLevel::notice));
        add("loud", LogLevel::info);
        CPPUNIT_ASSERT(router_.enabled(LogLevel::info));
        CPPUNIT_ASSERT(!router_.enabled(LogLevel::debug));
    }

    void a_line_handed_on_to_the_server_log_is_there_once() {
        router_.add(
            "apache", LogLevel::debug, [this](const LogLine& got) { router_.server_log().write(got); }, counters_);
        router_.write(line(LogLevel::error, "e"));
        router_.write(line(LogLevel::info, "i"));
        CPPUNIT_ASSERT_EQUAL(string("e\ni\n"), server_log_.to_string());
        server_log_.set_level(LogLevel::error);
        router_.write(line(LogLevel::info, "j"));
        CPPUNIT_ASSERT_EQUAL(string("e\ni\n"), server_log_.to_string());
        CPPUNIT_ASSERT(!router_.server_log().enabled(LogLevel::info));
    }

    void a_line_logged_while_logging_goes_to_the_server_log_only() {
        int calls = 0;
        router_.add(
            "chatty", LogLevel::debug,
            [&](const LogLine&) {
                ++calls;
                router_.write(line(LogLevel::info, "about logging"));
            },
            counters_);
        router_.write(line(LogLevel::error, "e"));
        CPPUNIT_ASSERT_EQUAL(1, calls);
        CPPUNIT_ASSERT_EQUAL(string("about logging\ne\n"), server_log_.to_string());
    }

    void a_plugin_that_throws_is_passed_over_and_reported_once() {
        bool is_int = false;
        router_.add(
            "bad", LogLevel::debug,
            [&](const LogLine&) {
                if (is_int) throw 42;
                throw std::runtime_error("disk full");
            },
            counters_);
        add("good", LogLevel::debug);
        router_.write(line(LogLevel::info, "a"));
        is_int = true;
        router_.write(line(LogLevel::info, "b"));
        CPPUNIT_ASSERT_EQUAL(string("good:a good:b "), written());
        CPPUNIT_ASSERT_EQUAL(string("(logging) bad: plugin fault: disk full (reported once)\n"),
                             server_log_.to_string());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), counters_.fault.load());
    }

    void a_line_is_one_line_whatever_is_in_it() {
        const struct {
            string text, shown;
        } rows[] = {{"a\nb", "a\\x0ab"},
                    {"ERROR:  no such table\nLINE 1: x\n", "ERROR:  no such table\\x0aLINE 1: x\\x0a"},
                    {"a\r\n[x] forged", "a\\x0d\\x0a[x] forged"},
                    {string("\0\x1b[2J\x7f", 6), "\\x00\\x1b[2J\\x7f"},
                    {"\n", "\\x0a"},
                    {"tab\tand j\xc3\xb6\\", "tab\tand j\xc3\xb6\\"},
                    {"", ""}};
        for (const bool has_plugin : {false, true}) {
            if (has_plugin) add("all", LogLevel::trace);
            for (const auto& row : rows) {
                written_.clear();
                server_log_.clear();
                router_.write(line(LogLevel::error, row.text));
                CPPUNIT_ASSERT_EQUAL(row.shown, server_log_.last());
                if (has_plugin) CPPUNIT_ASSERT_EQUAL("all:" + row.shown, written_.at(0));
            }
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LogRouterTest);
