/// config_file_test.cc: significant lines with their places, includes, limits, and the detection of changes.
#include "support/config_file.h"

#include "fakes/temp_directory.h"

#include <cppunit/extensions/HelperMacros.h>

#include <sys/stat.h>

namespace smtpd::support {
namespace {

using fakes::TempDirectory;

class ConfigFileTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ConfigFileTest);
    CPPUNIT_TEST(blank_lines_and_comments_are_dropped);
    CPPUNIT_TEST(blanks_that_were_cut_are_remembered);
    CPPUNIT_TEST(lines_know_where_they_stand);
    CPPUNIT_TEST(included_lines_take_the_place_of_the_line);
    CPPUNIT_TEST(a_directory_includes_its_files_sorted);
    CPPUNIT_TEST(mistakes_are_named_with_their_place);
    CPPUNIT_TEST(a_circle_is_named_whole);
    CPPUNIT_TEST(a_file_may_be_included_twice);
    CPPUNIT_TEST(includes_are_limited_in_depth_number_and_size);
    CPPUNIT_TEST(the_first_directory_with_the_file_wins);
    CPPUNIT_TEST(a_file_that_is_nowhere_is_empty_and_noticed_when_it_comes);
    CPPUNIT_TEST(a_file_that_cannot_be_looked_at_is_not_missing);
    CPPUNIT_TEST(names_do_not_leave_the_directory);
    CPPUNIT_TEST(every_change_is_noticed);
    CPPUNIT_TEST(an_error_still_tells_which_files_to_watch);
    CPPUNIT_TEST_SUITE_END();

    TempDirectory directory_;

    ConfigFile read(std::string_view name) const { return read_control_file({directory_.path()}, name); }

    /// "file:line=text|…", or the error, with the directory's name left out.
    std::string shown(const ConfigFile& file) const {
        std::string out;
        if (file.text)
            for (const auto& line : *file.text) out += line.position() + "=" + line.text + "|";
        else out = file.text.error().what;
        const std::string prefix = directory_.path() + "/";
        for (auto at = out.find(prefix); at != std::string::npos; at = out.find(prefix)) out.erase(at, prefix.size());
        return out;
    }

    void blank_lines_and_comments_are_dropped() {
        const struct {
            const char* what;
            std::string content;
            const char* lines;
        } rows[] = {
            {"qpsmtpd's own", "# a comment\n \t# another\n\n 1st line with content \n   \n",
             "f:4=1st line with content|"},
            {"no line end at the end", "a\nb", "f:1=a|f:2=b|"},
            {"CR LF", "a\r\n\r\n#c\r\nb\r\n", "f:1=a|f:4=b|"},
            {"no inline comments", "a # b\n", "f:1=a # b|"},
            {"byte order mark", "\xef\xbb\xbf# x\na\n", "f:2=a|"},
            {"almost $include", "$includes x\n$ include\n", "f:1=$includes x|f:2=$ include|"},
            {"empty", "", ""},
            {"one line end", "\n", ""},
        };
        for (const auto& row : rows) {
            directory_.write("f", row.content);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.what, std::string(row.lines), shown(read("f")));
        }
    }

    void blanks_that_were_cut_are_remembered() {
        for (const auto& [line, had] : {std::pair{"a", false},
                                        {"a ", true},
                                        {"a\t", true},
                                        {"a \r", true},
                                        {"a\r", false},
                                        {" a", false},
                                        {"a b", false}}) {
            for (const std::string end : {"\n", ""}) {
                directory_.write("f", "x\n" + (line + end));
                const auto file = read("f");
                CPPUNIT_ASSERT_EQUAL_MESSAGE(line, had, file.text->back().had_final_blanks);
                CPPUNIT_ASSERT(!file.text->front().had_final_blanks);
            }
        }
    }

    void lines_know_where_they_stand() {
        const ControlLine line{"word  and \t a reason ", "/etc/smtpd/f", 12};
        CPPUNIT_ASSERT_EQUAL(std::string("/etc/smtpd/f:12"), line.position());
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, line.words().size());
        CPPUNIT_ASSERT_EQUAL(std::string("reason"), line.words().back());
        CPPUNIT_ASSERT_EQUAL(std::string("word"), line.split().first);
        CPPUNIT_ASSERT_EQUAL(std::string("and \t a reason"), line.split().second);
        CPPUNIT_ASSERT_EQUAL(std::string(), (ControlLine{"word", "", 1}.split().second));
        CPPUNIT_ASSERT_EQUAL(std::string(), (ControlLine{"", "", 1}.split().first));
    }

    void included_lines_take_the_place_of_the_line() {
        directory_.write("f", "a\n $include g\nb\n$include\t" + directory_.path("sub/h") + "\nc\n");
        directory_.write("g", "g1\n\n$include sub/h\n");
        directory_.write("sub/h", "#\nh2\n");
        CPPUNIT_ASSERT_EQUAL(std::string("f:1=a|g:1=g1|sub/h:2=h2|f:3=b|sub/h:2=h2|f:5=c|"), shown(read("f")));
    }

    void a_directory_includes_its_files_sorted() {
        directory_.write("f", "$include parts\n");
        directory_.write("parts/20", "two\n");
        directory_.write("parts/10", "one\n");
        directory_.write("parts/.hidden", "no\n");
        directory_.write("parts/deeper/30", "no\n");
        CPPUNIT_ASSERT_EQUAL(std::string("parts/10:1=one|parts/20:1=two|"), shown(read("f")));
        std::filesystem::create_directory(directory_.path("none"));
        directory_.write("f", "$include none\n");
        CPPUNIT_ASSERT_EQUAL(std::string(), shown(read("f")));
    }

    void mistakes_are_named_with_their_place() {
        std::filesystem::create_directory(directory_.path("d"));
        mkfifo(directory_.path("pipe").c_str(), 0600);
        const struct {
            std::string content;
            const char* error;
        } rows[] = {
            {"a\n$include\n", "f:2: $include needs the name of a file or directory"},
            {"$include none\n", "f:1: $include none: there is no control file of that name"},
            {"\n$include /nowhere/x\n", "f:2: cannot open /nowhere/x: No such file or directory"},
            {"$include pipe\n", "f:1: pipe is not a regular file or a directory of regular files"},
            {"$include ../x\n", "f:1: $include ../x: there is no control file of that name"},
            {std::string("a\nb\0c\n", 6), "f:2: the line has a NUL octet in it; a control file is text"},
        };
        for (const auto& row : rows) {
            directory_.write("f", row.content);
            CPPUNIT_ASSERT_EQUAL(std::string(row.error), shown(read("f")));
        }
        CPPUNIT_ASSERT_EQUAL(std::string("d is not a regular file"), shown(read("d")));
        const auto missing = read_config_file(directory_.path("none"), nullptr);
        CPPUNIT_ASSERT(ErrorCode::not_found == missing.text.error().code);
        CPPUNIT_ASSERT_EQUAL(std::string("cannot open none: No such file or directory"), shown(missing));
    }

    void a_circle_is_named_whole() {
        directory_.write("f", "x\n$include g\n");
        directory_.write("g", "$include h\n");
        directory_.write("h", "\n$include g\n");
        CPPUNIT_ASSERT_EQUAL(std::string("h:2: circular $include: g -> h -> g"), shown(read("f")));
        directory_.write("g", "$include g\n");
        CPPUNIT_ASSERT_EQUAL(std::string("g:1: circular $include: g -> g"), shown(read("f")));
        std::filesystem::create_symlink(directory_.path("f"), directory_.path("link"));
        directory_.write("g", "$include link\n");
        CPPUNIT_ASSERT_EQUAL(std::string("g:1: circular $include: f -> g -> link"), shown(read("f")));
    }

    void a_file_may_be_included_twice() {
        directory_.write("f", "$include g\n$include g\n");
        directory_.write("g", "x\n");
        CPPUNIT_ASSERT_EQUAL(std::string("g:1=x|g:1=x|"), shown(read("f")));
    }

    void includes_are_limited_in_depth_number_and_size() {
        for (unsigned level = 0; level < max_include_depth; ++level)
            directory_.write("deep" + std::to_string(level), "$include deep" + std::to_string(level + 1) + "\n");
        const std::string last = "deep" + std::to_string(max_include_depth);
        directory_.write(last, "end\n");
        CPPUNIT_ASSERT_EQUAL(last + ":1=end|", shown(read("deep0")));
        directory_.write(last, "$include end\n");
        directory_.write("end", "end\n");
        CPPUNIT_ASSERT_EQUAL(last + ":1: $include is nested more than 32 levels deep", shown(read("deep0")));

        for (const char level : {'a', 'b', 'c', 'd', 'e'}) {  // each ten times the next
            std::string content;
            for (int i = 0; i < 10; ++i) content += std::string("$include ") + static_cast<char>(level + 1) + "\n";
            directory_.write(std::string(1, level), content);
        }
        directory_.write("f", "");
        CPPUNIT_ASSERT_EQUAL(std::string("e:10: $include reads more than 10000 files"), shown(read("a")));

        const std::string big = directory_.write("big", "");
        std::filesystem::resize_file(big, max_config_size + 1);
        CPPUNIT_ASSERT_EQUAL(
            std::string("big is too large: 67108864 octets are allowed for a control file with all it includes"),
            shown(read("big")));
    }

    void the_first_directory_with_the_file_wins() {
        directory_.write("one/a", "1\n");
        directory_.write("two/a", "2\n");
        directory_.write("two/b", "$include a\n");
        const std::vector<std::string> both = {directory_.path("one"), directory_.path("two")};
        CPPUNIT_ASSERT_EQUAL(directory_.path("one/a"), find_control_file(both, "a").value());
        CPPUNIT_ASSERT_EQUAL(directory_.path("two/b"), find_control_file(both, "b").value());
        CPPUNIT_ASSERT(!find_control_file(both, "c"));
        CPPUNIT_ASSERT_EQUAL(std::string("one/a:1=1|"), shown(read_control_file(both, "b")));
    }

    void a_file_that_is_nowhere_is_empty_and_noticed_when_it_comes() {
        directory_.write("two/b", "$include a\n");
        directory_.write("two/a", "2\n");
        const std::vector<std::string> both = {directory_.path("one"), directory_.path("two")};
        const auto nowhere = read_control_file(both, "c");
        CPPUNIT_ASSERT(nowhere.text && nowhere.text->empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, nowhere.files.size());
        CPPUNIT_ASSERT(!any_changed(nowhere.files));
        const auto found = read_control_file(both, "b");
        CPPUNIT_ASSERT(!any_changed(found.files));
        directory_.write("one/c", "");
        CPPUNIT_ASSERT(any_changed(nowhere.files));
        directory_.write("one/a", "1\n");
        CPPUNIT_ASSERT(any_changed(found.files));  // one that was included from the second directory is now in the
                                                   // first
    }

    void a_file_that_cannot_be_looked_at_is_not_missing() {
        directory_.write("two/a", "2\n");
        std::filesystem::create_directory(directory_.path("one"));
        std::filesystem::create_symlink("a", directory_.path("one/a"));  // leads to itself
        const auto circle = read_control_file({directory_.path("one"), directory_.path("two")}, "a");
        CPPUNIT_ASSERT(!circle.text);
        CPPUNIT_ASSERT(circle.text.error().what.find(directory_.path("one/a")) != std::string::npos);
        CPPUNIT_ASSERT(!any_changed(circle.files));
        std::filesystem::remove(directory_.path("one/a"));
        CPPUNIT_ASSERT(any_changed(circle.files));
    }

    void names_do_not_leave_the_directory() {
        directory_.write("secret", "x\n");
        std::filesystem::create_directory(directory_.path("inner"));
        for (const auto& name :
             std::vector<std::string>{"../secret", "../inner/../secret", "", "..", directory_.path("secret")})
            CPPUNIT_ASSERT(!find_control_file({directory_.path("inner")}, name));
    }

    void every_change_is_noticed() {
        directory_.write("f", "$include g\n$include parts\n");
        directory_.write("g", "x\n");
        directory_.write("parts/1", "one\n");
        const std::string third = directory_.write("parts/3", "three\n");
        CPPUNIT_ASSERT_EQUAL(std::size_t{5}, read("f").files.size());

        auto before = read("f");
        CPPUNIT_ASSERT(!any_changed(before.files));
        directory_.write("g", "longer\n");
        CPPUNIT_ASSERT(any_changed(before.files));

        before = read("f");
        directory_.write("parts/2", "two\n");
        CPPUNIT_ASSERT(any_changed(before.files));

        before = read("f");
        std::filesystem::remove(third);
        CPPUNIT_ASSERT(any_changed(before.files));

        before = read("f");
        directory_.write("other", "longer\n");
        std::filesystem::last_write_time(directory_.path("other"),
                                         std::filesystem::last_write_time(directory_.path("g")));
        std::filesystem::rename(directory_.path("other"), directory_.path("g"));
        CPPUNIT_ASSERT(any_changed(before.files));  // same size, same time, another file
    }

    void an_error_still_tells_which_files_to_watch() {
        directory_.write("f", "$include g\n");
        const auto missing = read("f");
        CPPUNIT_ASSERT(!missing.text);
        CPPUNIT_ASSERT(!any_changed(missing.files));
        directory_.write("g", "x\n");
        CPPUNIT_ASSERT(any_changed(missing.files));
        directory_.write("g", "$include f\n");
        const auto circle = read("f");
        CPPUNIT_ASSERT(!circle.text);
        directory_.write("g", "fine\n");
        CPPUNIT_ASSERT(any_changed(circle.files));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ConfigFileTest);

}  // namespace
}  // namespace smtpd::support
