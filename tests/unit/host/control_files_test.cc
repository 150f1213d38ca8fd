/// control_files_test.cc: where the server finds control files, and when it reads them again.
#include "host/control_files.h"
#include "fakes/fake_clock.h"
#include "fakes/fake_log.h"
#include "fakes/temp_directory.h"

#include <smtpd/base/address.h>

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace smtpd;
using namespace smtpd::host;
using std::string;

string text_of(const ControlText& lines) {
    string out;
    for (const auto& line : lines) out += line.text + ";";
    return out;
}

}  // namespace

class ControlFilesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ControlFilesTest);
    CPPUNIT_TEST(the_first_directory_that_has_a_file_holds_it);
    CPPUNIT_TEST(a_file_may_appear_move_and_vanish);
    CPPUNIT_TEST(a_change_of_an_included_file_is_noticed);
    CPPUNIT_TEST(nothing_is_looked_at_within_the_interval);
    CPPUNIT_TEST(one_change_is_one_generation);
    CPPUNIT_TEST(the_same_name_is_the_same_source);
    CPPUNIT_TEST(names_do_not_leave_the_directory);
    CPPUNIT_TEST(a_file_elsewhere_is_watched_as_well);
    CPPUNIT_TEST(a_bad_file_is_an_error_at_start_and_a_warning_later);
    CPPUNIT_TEST(an_unreadable_text_keeps_the_old_content);
    CPPUNIT_TEST(a_cdb_is_found_by_its_path);
    CPPUNIT_TEST(a_file_that_is_missing_for_a_moment_keeps_its_content);
    CPPUNIT_TEST(a_file_that_stays_away_is_removed);
    CPPUNIT_TEST(a_file_that_becomes_empty_is_in_doubt);
    CPPUNIT_TEST(a_half_written_file_is_in_doubt);
    CPPUNIT_TEST(what_is_written_after_a_removal_is_in_doubt_until_it_is_complete);
    CPPUNIT_TEST(every_new_state_begins_the_time_anew);
    CPPUNIT_TEST(lines_that_are_added_in_place_count_at_once);
    CPPUNIT_TEST(a_wrong_content_is_not_what_the_next_one_is_compared_with);
    CPPUNIT_TEST(a_cdb_that_is_gone_is_in_doubt);
    CPPUNIT_TEST(all_mistakes_are_reported);
    CPPUNIT_TEST(mistakes_have_an_end);
    CPPUNIT_TEST(what_was_good_before_a_restart_is_used);
    CPPUNIT_TEST(what_is_missing_at_a_restart_is_in_doubt);
    CPPUNIT_TEST(many_threads_may_read_while_a_file_changes);
    CPPUNIT_TEST_SUITE_END();

    fakes::FakeClock clock_;
    fakes::FakeLog log_;
    fakes::TempDirectory own_;
    fakes::TempDirectory qmail_;
    DirectoryControlFiles control_{{own_.path(), qmail_.path()}, clock_, log_};

    /// The time until a doubtful state counts.
    void settle(const Watched<ControlText>& lines) {
        second();
        lines.get();
        clock_.advance(DirectoryControlFiles::settling_time);
    }
    void second() { clock_.advance(std::chrono::seconds(1)); }
    /// Replaces a file as a whole, as careful editors do.
    static void replace(const fakes::TempDirectory& directory, const string& name, std::string_view content) {
        std::filesystem::rename(directory.write(name + ".new", content), directory.path(name));
    }

public:
    void the_first_directory_that_has_a_file_holds_it() {
        own_.write("a", "own a\n");
        qmail_.write("a", "qmail a\n");
        qmail_.write("b", "qmail b\n");
        CPPUNIT_ASSERT_EQUAL(string("own a;"), text_of(*control_.lines("a").get()));
        CPPUNIT_ASSERT_EQUAL(string("qmail b;"), text_of(*control_.lines("b").get()));
        CPPUNIT_ASSERT_EQUAL(string(), text_of(*control_.lines("c").get()));
        CPPUNIT_ASSERT_EQUAL(own_.path("a"), control_.source("a")->path());
        CPPUNIT_ASSERT_EQUAL(qmail_.path("b"), control_.source("b")->path());
        CPPUNIT_ASSERT_EQUAL(string(), control_.source("c")->path());
        CPPUNIT_ASSERT(control_.first_line("a") == "own a");
        CPPUNIT_ASSERT(!control_.first_line("c"));
    }

    void a_file_may_appear_move_and_vanish() {
        const auto lines = control_.lines("list");
        CPPUNIT_ASSERT_EQUAL(string(), text_of(*lines.get()));
        qmail_.write("list", "qmail\n");
        second();
        CPPUNIT_ASSERT_EQUAL(string("qmail;"), text_of(*lines.get()));
        own_.write("list", "own\n");
        second();
        CPPUNIT_ASSERT_EQUAL(string("own;"), text_of(*lines.get()));
        replace(own_, "list", "new\n");
        second();
        CPPUNIT_ASSERT_EQUAL(string("new;"), text_of(*lines.get()));
        std::filesystem::remove(own_.path("list"));
        settle(lines);
        CPPUNIT_ASSERT_EQUAL(string("qmail;"), text_of(*lines.get()));
        std::filesystem::remove(qmail_.path("list"));
        settle(lines);
        CPPUNIT_ASSERT_EQUAL(string(), text_of(*lines.get()));
    }

    void a_change_of_an_included_file_is_noticed() {
        own_.write("list", "one\n$include part\n");
        qmail_.write("part", "two\n");
        const auto lines = control_.lines("list");
        CPPUNIT_ASSERT_EQUAL(string("one;two;"), text_of(*lines.get()));
        replace(qmail_, "part", "three\n");
        second();
        CPPUNIT_ASSERT_EQUAL(string("one;three;"), text_of(*lines.get()));
        own_.write("part", "four\n");
        second();
        CPPUNIT_ASSERT_EQUAL(string("one;four;"), text_of(*lines.get()));
    }

    void nothing_is_looked_at_within_the_interval() {
        own_.write("list", "old\n");
        const auto lines = control_.lines("list");
        replace(own_, "list", "new\n");
        clock_.advance(std::chrono::milliseconds(999));
        CPPUNIT_ASSERT_EQUAL(string("old;"), text_of(*lines.get()));
        clock_.advance(std::chrono::milliseconds(1));
        CPPUNIT_ASSERT_EQUAL(string("new;"), text_of(*lines.get()));
    }

    void one_change_is_one_generation() {
        own_.write("list", "old\n");
        const auto source = control_.source("list");
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), source->generation());
        replace(own_, "list", "new\n");
        for (int i = 0; i < 3; ++i) {
            second();
            CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), source->generation());
        }
        CPPUNIT_ASSERT_EQUAL(string("new;"), text_of(*source->text()));
        for (int i = 0; i < 3; ++i) {
            second();
            CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), source->generation());
        }
    }

    void the_same_name_is_the_same_source() {
        CPPUNIT_ASSERT(control_.source("a") == control_.source(string("a")));
        CPPUNIT_ASSERT(control_.source("a") != control_.source("b"));
    }

    void names_do_not_leave_the_directory() {
        own_.write("secret", "secret\n");
        fakes::TempDirectory below;
        const auto name = "../" + std::filesystem::path(own_.path()).filename().string() + "/secret";
        DirectoryControlFiles control({below.path()}, clock_, log_);
        CPPUNIT_ASSERT_EQUAL(string(), text_of(*control.lines(name).get()));
        CPPUNIT_ASSERT_EQUAL(string(), control.source(name)->path());
        CPPUNIT_ASSERT_EQUAL(string(), text_of(*control.lines(own_.path("secret")).get()));
    }

    void a_file_elsewhere_is_watched_as_well() {
        fakes::TempDirectory elsewhere;
        const auto lines = ControlFiles::parsed<ControlText>(
            control_.source_at(elsewhere.path("list")),
            [](const ControlText& text) { return Result<ControlText>(text); });
        CPPUNIT_ASSERT_EQUAL(string(), text_of(*lines.get()));
        replace(elsewhere, "list", "one\n# two\n");
        own_.write("list", "another\n");
        second();
        CPPUNIT_ASSERT_EQUAL(string("one;"), text_of(*lines.get()));
        CPPUNIT_ASSERT_EQUAL(elsewhere.path("list"), control_.source_at(elsewhere.path("list"))->path());
        CPPUNIT_ASSERT(control_.source_at(elsewhere.path("list")) == control_.source_at(elsewhere.path("list")));
        CPPUNIT_ASSERT_EQUAL(own_.path("list"), control_.source("list")->path());
    }

    void a_bad_file_is_an_error_at_start_and_a_warning_later() {
        own_.write("nets", "192.0.2.0/24\nnot a network\n");
        const auto nets = control_.networks("nets");
        const auto at_start = control_.take_problems();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), at_start.size());
        CPPUNIT_ASSERT_MESSAGE(at_start[0], at_start[0].starts_with(own_.path("nets") + ":2: "));
        CPPUNIT_ASSERT(control_.take_problems().empty());
        CPPUNIT_ASSERT_EQUAL(string(), log_.to_string());

        control_.started();
        replace(own_, "nets", "192.0.2.0/24\n");
        second();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), nets->size());
        const auto same = control_.networks("nets");
        replace(own_, "nets", "rubbish\n");
        for (int i = 0; i < 3; ++i) {
            second();
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), nets->size());
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), same->size());
        }
        const auto warnings = log_.texts(LogLevel::warning);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("once, though two plugins read it", std::size_t(1), log_.lines().size());
        CPPUNIT_ASSERT_MESSAGE(warnings.at(0), warnings[0].starts_with(own_.path("nets") + ":1: "));
        CPPUNIT_ASSERT_MESSAGE(warnings[0], warnings[0].ends_with("; the previous content stays in use"));
        replace(own_, "nets", "more rubbish\n");
        second();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), nets->size());
        CPPUNIT_ASSERT_EQUAL_MESSAGE("again after the next change", std::size_t(2), log_.lines().size());
    }

    void an_unreadable_text_keeps_the_old_content() {
        own_.write("list", "good\n");
        const auto lines = control_.lines("list");
        control_.started();
        replace(own_, "list", "$include list\n");
        second();
        CPPUNIT_ASSERT_EQUAL(string("good;"), text_of(*lines.get()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), log_.texts(LogLevel::warning).size());
        replace(own_, "list", "better\n");
        second();
        CPPUNIT_ASSERT_EQUAL(string("better;"), text_of(*lines.get()));
    }

    void a_cdb_is_found_by_its_path() {
        const auto map = control_.cdb("map");
        CPPUNIT_ASSERT(map->empty());
        control_.started();
        own_.write("map.cdb", "no cdb");
        second();
        CPPUNIT_ASSERT(map->empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), log_.texts(LogLevel::warning).size());
        CPPUNIT_ASSERT_EQUAL(own_.path("map.cdb"), control_.source("map.cdb")->path());
    }

    void a_file_that_is_missing_for_a_moment_keeps_its_content() {
        own_.write("list", "one\n");
        const auto lines = control_.lines("list");
        control_.started();
        std::filesystem::remove(own_.path("list"));
        for (int i = 0; i < 5; ++i) {
            second();
            CPPUNIT_ASSERT_EQUAL(string("one;"), text_of(*lines.get()));
        }
        CPPUNIT_ASSERT_EQUAL(own_.path("list") +
                                 " is missing; the previous content stays in use until this state "
                                 "has lasted 15 seconds",
                             log_.texts(LogLevel::warning).at(0));
        own_.write("list", "two\none\n");
        second();
        CPPUNIT_ASSERT_EQUAL(string("two;one;"), text_of(*lines.get()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), log_.lines().size());
    }

    void a_file_that_stays_away_is_removed() {
        own_.write("list", "one\n");
        const auto lines = control_.lines("list");
        control_.started();
        std::filesystem::remove(own_.path("list"));
        second();
        CPPUNIT_ASSERT_EQUAL(string("one;"), text_of(*lines.get()));
        for (int i = 0; i < 14; ++i) {
            second();
            CPPUNIT_ASSERT_EQUAL(string("one;"), text_of(*lines.get()));
        }
        second();
        CPPUNIT_ASSERT_EQUAL(string(), text_of(*lines.get()));
        second();
        CPPUNIT_ASSERT_EQUAL(string(), text_of(*lines.get()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), log_.lines().size());
        CPPUNIT_ASSERT_EQUAL(
            own_.path("list") + " is missing, and this has not changed for 15 seconds: it takes effect now",
            log_.texts(LogLevel::warning).at(1));
    }

    void a_file_that_becomes_empty_is_in_doubt() {
        for (const char* content : {"", "# nothing\n"}) {
            replace(own_, "list", "one\n");
            second();
            const auto lines = control_.lines("list");
            CPPUNIT_ASSERT_EQUAL(string("one;"), text_of(*lines.get()));
            replace(own_, "list", content);
            second();
            CPPUNIT_ASSERT_EQUAL(string("one;"), text_of(*lines.get()));
            settle(lines);
            CPPUNIT_ASSERT_EQUAL(string(), text_of(*lines.get()));
        }
    }

    void a_half_written_file_is_in_doubt() {
        own_.write("list", "one\ntwo\nthree\n");
        const auto lines = control_.lines("list");
        for (const char* content : {"one\ntwo\n", "one\ntwo\nthr", "zero\none\ntwo\nthree\nfo"}) {
            own_.write("list", content);
            second();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(content, string("one;two;three;"), text_of(*lines.get()));
        }
        own_.write("list", "one\n");
        settle(lines);
        CPPUNIT_ASSERT_EQUAL(string("one;"), text_of(*lines.get()));
    }

    void what_is_written_after_a_removal_is_in_doubt_until_it_is_complete() {
        own_.write("list", "one\ntwo\n");
        const auto lines = control_.lines("list");
        std::filesystem::remove(own_.path("list"));
        second();
        lines.get();
        replace(own_, "list", "one\n");
        second();
        CPPUNIT_ASSERT_EQUAL(string("one;two;"), text_of(*lines.get()));
        own_.write("list", "one\ntwo\nthree\n");
        second();
        CPPUNIT_ASSERT_EQUAL(string("one;two;three;"), text_of(*lines.get()));
    }

    void every_new_state_begins_the_time_anew() {
        own_.write("list", "one\ntwo\nthree\n");
        const auto lines = control_.lines("list");
        own_.write("list", "one\n");
        second();
        lines.get();
        clock_.advance(std::chrono::seconds(10));
        own_.write("list", "one\ntwo\n");
        lines.get();
        clock_.advance(std::chrono::seconds(10));
        CPPUNIT_ASSERT_EQUAL(string("one;two;three;"), text_of(*lines.get()));
        clock_.advance(std::chrono::seconds(5));
        CPPUNIT_ASSERT_EQUAL(string("one;two;"), text_of(*lines.get()));
    }

    void lines_that_are_added_in_place_count_at_once() {
        own_.write("list", "one\n");
        const auto lines = control_.lines("list");
        own_.write("list", "zero\none\n");
        second();
        CPPUNIT_ASSERT_EQUAL(string("zero;one;"), text_of(*lines.get()));
        CPPUNIT_ASSERT_EQUAL(string(), log_.to_string());
    }

    void a_wrong_content_is_not_what_the_next_one_is_compared_with() {
        own_.write("nets", "192.0.2.1\n192.0.2.2\n");
        const auto nets = control_.networks("nets");
        control_.started();
        own_.write("nets", "rubbish\n192.0.2.1\n192.0.2.2\n");
        second();
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), nets->size());
        own_.write("nets", "192.0.2.1\n");
        second();
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), nets->size());
    }

    void a_cdb_that_is_gone_is_in_doubt() {
        own_.write("map.cdb", "no cdb");
        const auto source = control_.source("map.cdb");
        control_.started();
        std::filesystem::remove(own_.path("map.cdb"));
        second();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), source->generation());
        clock_.advance(DirectoryControlFiles::settling_time);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), source->generation());
    }

    void all_mistakes_are_reported() {
        own_.write("nets", "192.0.2.1\nfirst\n192.0.2.2\nsecond\nthird\n");
        control_.networks("nets");
        const auto problems = control_.take_problems();
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), problems.size());
        int line = 0;
        for (const int expected : {2, 4, 5}) {
            const auto& text = problems[static_cast<std::size_t>(line++)];
            CPPUNIT_ASSERT_MESSAGE(text, text.starts_with(own_.path("nets") + ":" + std::to_string(expected) + ": "));
        }
    }

    void mistakes_have_an_end() {
        string content;
        for (int i = 0; i < 1000; ++i) content += "rubbish " + std::to_string(i) + "\n";
        own_.write("nets", content);
        control_.networks("nets");
        const auto problems = control_.take_problems();
        CPPUNIT_ASSERT_EQUAL(std::size_t(21), problems.size());
        CPPUNIT_ASSERT_EQUAL(own_.path("nets") + ": this file has more errors", problems.back());
    }

    struct Kept : KeptContents {
        std::map<string, ControlText> texts;
        const ControlText* find(const string& name) const override {
            const auto found = texts.find(name);
            return found == texts.end() ? nullptr : &found->second;
        }
        void keep(const string& name, const ControlText& text) override { texts[name] = text; }
    };

    void what_was_good_before_a_restart_is_used() {
        Kept kept;
        own_.write("nets", "192.0.2.1\n");
        control_.keep_contents(kept);
        control_.networks("nets");
        control_.started();
        replace(own_, "nets", "192.0.2.1\nrubbish\n");
        for (int restart = 0; restart < 2; ++restart) {
            DirectoryControlFiles after({own_.path()}, clock_, log_);
            after.keep_contents(kept);
            const auto nets = after.networks("nets");
            CPPUNIT_ASSERT(after.take_problems().empty());
            after.started();
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), nets->size());
            replace(own_, "nets", "192.0.2.1\n192.0.2.2\n");
            second();
            CPPUNIT_ASSERT_EQUAL(std::size_t(2), nets->size());
            replace(own_, "nets", "192.0.2.1\nrubbish\n");
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), log_.texts(LogLevel::warning).size());
    }

    void what_is_missing_at_a_restart_is_in_doubt() {
        Kept kept;
        own_.write("list", "one\n");
        control_.keep_contents(kept);
        control_.lines("list");
        control_.started();
        std::filesystem::remove(own_.path("list"));
        DirectoryControlFiles after({own_.path()}, clock_, log_);
        after.keep_contents(kept);
        const auto lines = after.lines("list");
        after.started();
        second();
        CPPUNIT_ASSERT_EQUAL(string("one;"), text_of(*lines.get()));
        clock_.advance(DirectoryControlFiles::settling_time);
        CPPUNIT_ASSERT_EQUAL(string(), text_of(*lines.get()));
    }

    void many_threads_may_read_while_a_file_changes() {
        own_.write("list", "0\n");
        DirectoryControlFiles control({own_.path()}, clock_, log_, Duration(0));
        const auto lines = control.lines("list");
        std::atomic<bool> is_over{false};
        std::atomic<int> wrong{0};
        std::vector<std::thread> readers;
        for (int i = 0; i < 3; ++i)
            readers.emplace_back([&] {
                while (!is_over) {
                    const auto text = lines.get();
                    if (text->size() != 1) ++wrong;
                    const auto again = control.source("list")->text();
                    if (!again || again->size() != 1) ++wrong;
                }
            });
        for (int i = 1; i <= 100; ++i) replace(own_, "list", std::to_string(i) + "\n");
        is_over = true;
        for (auto& reader : readers) reader.join();
        CPPUNIT_ASSERT_EQUAL(0, wrong.load());
        // A file may have the inode of one before, and then looks as if it had been written in place.
        lines.get();
        clock_.advance(DirectoryControlFiles::settling_time);
        CPPUNIT_ASSERT_EQUAL(string("100;"), text_of(*lines.get()));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ControlFilesTest);
