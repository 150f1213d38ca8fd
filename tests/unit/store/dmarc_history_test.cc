/// dmarc_history_test.cc: the database of DMARC's results.
#include "fakes/temp_directory.h"

#include <smtpd/store/dmarc_history.h>

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <string>

#include <sys/stat.h>

namespace smtpd {
namespace {

using std::string;

class DmarcHistoryTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DmarcHistoryTest);
    CPPUNIT_TEST(equal_messages_are_one_entry);
    CPPUNIT_TEST(only_domains_that_passed_get_reports);
    CPPUNIT_TEST(what_was_sent_is_not_sent_again);
    CPPUNIT_TEST(old_days_are_forgotten);
    CPPUNIT_TEST(several_may_add);
    CPPUNIT_TEST(lines);
    CPPUNIT_TEST(others_cannot_read_the_file);
    CPPUNIT_TEST(a_file_that_cannot_be_opened_is_an_error);
    CPPUNIT_TEST_SUITE_END();

    static constexpr std::chrono::sys_days day{std::chrono::days(20787)};

    static DmarcEvent event(const string& domain, bool passes, bool is_accepted = true) {
        DmarcEvent out;
        out.day = day;
        out.policy_domain = domain;
        out.record = "v=DMARC1; p=reject; rua=mailto:r@" + domain;
        out.source_ip = "192.0.2.1";
        out.header_from = domain;
        out.disposition = "none";
        out.is_dkim_aligned = passes;
        out.results = "dkim example.com s pass;spf - none;";
        out.is_accepted = is_accepted;
        return out;
    }

    const fakes::TempDirectory directory_;
    const string path_ = directory_.path("dmarc.sqlite");

    DmarcHistory open() {
        auto opened = DmarcHistory::open(path_);
        CPPUNIT_ASSERT_MESSAGE(opened ? "" : opened.error().what, opened);
        return std::move(*opened);
    }
    static void add(DmarcHistory& history, std::initializer_list<DmarcEvent> events) {
        for (const auto& one : events) CPPUNIT_ASSERT(history.add(one));
        CPPUNIT_ASSERT(history.commit());
    }
    static string domains(DmarcHistory& history, std::chrono::sys_days of = day) {
        string out;
        const auto found = history.domains(of);
        CPPUNIT_ASSERT(found);
        for (const auto& one : *found) out += one + " ";
        return out;
    }

    void equal_messages_are_one_entry() {
        auto history = open();
        DmarcEvent other = event("example.com", true);
        other.source_ip = "2001:db8::1";
        add(history, {event("example.com", true), other, event("example.com", true)});
        add(history, {event("example.com", true)});
        auto found = history.events(day, "example.com");
        CPPUNIT_ASSERT(found);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, found->size());
        std::sort(found->begin(), found->end(), [](const auto& a, const auto& b) { return a.count > b.count; });
        DmarcEvent expected = event("example.com", true);
        expected.count = 3;
        CPPUNIT_ASSERT((*found)[0] == expected);
        CPPUNIT_ASSERT((*found)[1] == other);
    }

    void only_domains_that_passed_get_reports() {
        auto history = open();
        add(history, {event("fails.example", false), event("refused.example", true, false), event("b.example", true),
                      event("a.example", true), event("a.example", false)});
        CPPUNIT_ASSERT_EQUAL(string("a.example b.example "), domains(history));
        CPPUNIT_ASSERT_EQUAL(string(), domains(history, day + std::chrono::days(1)));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, history.events(day, "a.example")->size());
    }

    void what_was_sent_is_not_sent_again() {
        auto history = open();
        add(history, {event("a.example", true), event("b.example", true)});
        CPPUNIT_ASSERT(history.set_sent(day, "a.example"));
        CPPUNIT_ASSERT(history.set_sent(day, "a.example"));
        CPPUNIT_ASSERT_EQUAL(string("b.example "), domains(history));
    }

    void old_days_are_forgotten() {
        auto history = open();
        add(history, {event("a.example", true)});
        CPPUNIT_ASSERT(history.forget_before(day));
        CPPUNIT_ASSERT_EQUAL(string("a.example "), domains(history));
        CPPUNIT_ASSERT(history.forget_before(day + std::chrono::days(1)));
        CPPUNIT_ASSERT_EQUAL(string(), domains(history));
    }

    void several_may_add() {
        auto one = open(), two = open();
        add(one, {event("a.example", true)});
        add(two, {event("a.example", true)});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, one.events(day, "a.example")->at(0).count);
    }

    void lines() {
        DmarcEvent one = event("a.example", true);
        one.reason = "mailing_list";
        one.reason_comment = "mailing list";
        one.is_rfc7489 = true;
        one.count = 7;
        CPPUNIT_ASSERT(DmarcEvent::from_line(one.to_line()) == one);
        one.header_from = "a\tb\rc";
        CPPUNIT_ASSERT_EQUAL(string("a?b?c"), DmarcEvent::from_line(one.to_line())->header_from);
        CPPUNIT_ASSERT(!DmarcEvent::from_line(""));
        CPPUNIT_ASSERT(!DmarcEvent::from_line("x" + one.to_line()));
        CPPUNIT_ASSERT(!DmarcEvent::from_line(one.to_line() + "\t"));
    }

    void others_cannot_read_the_file() {
        auto history = open();
        add(history, {event("a.example", true)});
        for (const char* suffix : {"", "-wal"}) {
            struct stat about {};
            CPPUNIT_ASSERT_EQUAL(0, ::stat((path_ + suffix).c_str(), &about));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(suffix, 0U, about.st_mode & 077U);
        }
    }

    void a_file_that_cannot_be_opened_is_an_error() {
        CPPUNIT_ASSERT(!DmarcHistory::open("/nonexistent/folder/file"));
        const string path = directory_.write("text", string(5000, 'x'));
        const auto opened = DmarcHistory::open(path);
        CPPUNIT_ASSERT(!opened);
        CPPUNIT_ASSERT_MESSAGE(opened.error().what, opened.error().what.find("not a database") != string::npos);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DmarcHistoryTest);

}  // namespace
}  // namespace smtpd
