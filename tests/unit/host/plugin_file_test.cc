/// plugin_file_test.cc: qpsmtpd's list of plugins.
#include "host/plugin_file.h"
#include "fakes/fake_clock.h"
#include "fakes/fake_log.h"
#include "fakes/temp_directory.h"
#include "host/control_files.h"

#include <smtpd/base/format.h>

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace {

using namespace smtpd;
using namespace smtpd::host;
using std::string;

string describe(const PluginLine& line) {
    string out = line.name + "|" + line.label;
    for (const auto& word : line.words) out += "|" + word;
    return out;
}

}  // namespace

class PluginFileTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PluginFileTest);
    CPPUNIT_TEST(names_have_labels_behind_a_colon);
    CPPUNIT_TEST(a_list_is_read_with_includes_and_positions);
    CPPUNIT_TEST(names_from_before_0_90_are_understood);
    CPPUNIT_TEST(a_missing_list_is_empty);
    CPPUNIT_TEST(a_line_with_foreign_characters_is_refused);
    CPPUNIT_TEST(positions_name_their_file);
    CPPUNIT_TEST_SUITE_END();

    fakes::FakeClock clock_;
    fakes::FakeLog log_;
    fakes::TempDirectory directory_;
    DirectoryControlFiles control_{{directory_.path()}, clock_, log_, Duration(0)};

public:
    void names_have_labels_behind_a_colon() {
        const struct {
            const char* text;
            const char* name;
            const char* label;
        } rows[] = {{"relay", "relay", ""},
                    {"relay:0", "relay", "0"},
                    {"queue/maildir:archive-2_x", "queue/maildir", "archive-2_x"},
                    {"Some::Module", "Some::Module", ""},
                    {"relay:", "relay:", ""},
                    {":0", ":0", ""},
                    {"/opt/c:/d", "/opt/c:/d", ""},
                    {"/opt/x.so:a", "/opt/x.so", "a"}};
        for (const auto& row : rows) {
            string name, label;
            split_instance(row.text, name, label);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.text, string(row.name), name);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.text, string(row.label), label);
        }
    }

    void names_from_before_0_90_are_understood() {
        directory_.write("plugins", "check_earlytalker action log\ncheck_relay\ncheck_loop:2 50\ncheck_none\n");
        const auto lines = read_plugin_file(control_);
        CPPUNIT_ASSERT(bool(lines));
        CPPUNIT_ASSERT_EQUAL(std::size_t(4), lines->size());
        CPPUNIT_ASSERT_EQUAL(string("earlytalker||action|log"), describe((*lines)[0]));
        CPPUNIT_ASSERT_EQUAL(string("relay|"), describe((*lines)[1]));
        CPPUNIT_ASSERT_EQUAL(string("loop|2|50"), describe((*lines)[2]));
        CPPUNIT_ASSERT_EQUAL(string("check_none|"), describe((*lines)[3]));
    }

    void a_list_is_read_with_includes_and_positions() {
        directory_.write("plugins",
                         "# comment\n\nhosts_allow\n  count_unrecognized_commands\t4 \n$include more\nqueue/maildir:a  "
                         "/var/mail/\"in\" perms=0755 # no comment\n");
        directory_.write("more", "#\nbadmailfrom reject naughty\n");
        const auto lines = read_plugin_file(control_);
        CPPUNIT_ASSERT(bool(lines));
        const char* const expected[] = {"hosts_allow|", "count_unrecognized_commands||4", "badmailfrom||reject|naughty",
                                        "queue/maildir|a|/var/mail/\"in\"|perms=0755|#|no|comment"};
        CPPUNIT_ASSERT_EQUAL(std::size(expected), lines->size());
        for (std::size_t i = 0; i < std::size(expected); ++i)
            CPPUNIT_ASSERT_EQUAL(string(expected[i]), describe((*lines)[i]));
        CPPUNIT_ASSERT_EQUAL(directory_.path("plugins") + ":3", (*lines)[0].position());
        CPPUNIT_ASSERT_EQUAL(directory_.path("more") + ":2", (*lines)[2].position());
        CPPUNIT_ASSERT((*lines)[2].origin == PluginLine::Origin::plugins_file);
        CPPUNIT_ASSERT_EQUAL(string("queue/maildir:a"), (*lines)[3].instance());
    }

    void a_missing_list_is_empty() {
        const auto lines = read_plugin_file(control_, "logging");
        CPPUNIT_ASSERT(bool(lines));
        CPPUNIT_ASSERT(lines->empty());
    }

    void a_line_with_foreign_characters_is_refused() {
        for (const char* text : {"relay \x01\n", "r\xc3\xa9lay\n", "relay \x7f\n"}) {
            fakes::TempDirectory directory;
            directory.write("plugins", text);
            DirectoryControlFiles control({directory.path()}, clock_, log_, Duration(0));
            const auto lines = read_plugin_file(control);
            CPPUNIT_ASSERT(!lines);
            CPPUNIT_ASSERT_MESSAGE(lines.error().what,
                                   lines.error().what.starts_with(
                                       directory.path("plugins") +
                                       ":1: a line of the plugin list must have printable ASCII characters only: "));
        }
    }

    void positions_name_their_file() {
        PluginLine line;
        CPPUNIT_ASSERT_EQUAL(string(), line.position());
        line.file = "httpd.conf";
        line.line = 41;
        CPPUNIT_ASSERT_EQUAL(string("httpd.conf line 41"), line.position());
        line.origin = PluginLine::Origin::plugins_file;
        CPPUNIT_ASSERT_EQUAL(string("httpd.conf:41"), line.position());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PluginFileTest);
