/// user_config_test.cc: users' settings, and hostile addresses and files.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

#include <sys/stat.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

class UserConfigTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(UserConfigTest);
    CPPUNIT_TEST(the_users_file_is_found);
    CPPUNIT_TEST(the_pattern_takes_parts_of_the_address);
    CPPUNIT_TEST(every_spelling_of_an_address_has_the_same_folder);
    CPPUNIT_TEST(without_a_file_the_site_decides);
    CPPUNIT_TEST(comments_and_blank_lines_are_left_out);
    CPPUNIT_TEST(an_address_does_not_lead_elsewhere);
    CPPUNIT_TEST(files_of_odd_kinds_are_none);
    CPPUNIT_TEST(a_changed_file_is_seen_at_once);
    CPPUNIT_TEST(mistakes_are_found_at_configtest);
    CPPUNIT_TEST_SUITE_END();

    fakes::TempDirectory home_;

    static Address user(std::string local_part, std::string domain = "example.com") {
        return Address::from_parts(std::move(local_part), std::move(domain));
    }
    /// "declined", or "ok" and the lines.
    static std::string asked(PluginUnderTest& plugin, std::string_view name, const Address& user) {
        std::vector<std::string> values;
        std::string out = shown(plugin.user_config(name, user, values));
        for (const auto& value : values) out += "|" + value;
        return out;
    }

public:
    void the_users_file_is_found() {
        home_.write("alice/.qpsmtpd/badmailfrom", "spam@example.net\n@spam.example\n");
        PluginUnderTest plugin("user_config", home_.path("%u/.qpsmtpd"));
        CPPUNIT_ASSERT_EQUAL(std::string("ok|spam@example.net|@spam.example"),
                             asked(plugin, "badmailfrom", user("alice")));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), asked(plugin, "badmailfrom", user("bob")));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), asked(plugin, "rcpthosts", user("alice")));
        CPPUNIT_ASSERT_MESSAGE("the usual place", PluginUnderTest("user_config").is_usable());
    }

    void the_pattern_takes_parts_of_the_address() {
        home_.write("example.com/alice/x", "by domain\n");
        home_.write("alice@example.com/x", "by address\n");
        home_.write("100%/alice/x", "percent\n");
        home_.write("all/x", "everybody\n");
        const struct {
            const char* pattern;
            const char* answer;
        } rows[] = {{"%h/%u", "ok|by domain"},
                    {"%a", "ok|by address"},
                    {"100%%/%u", "ok|percent"},
                    {"all", "ok|everybody"},
                    {"%u%h", "declined"}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("user_config", "pattern=" + home_.path(row.pattern));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.pattern, std::string(row.answer),
                                         asked(plugin, "x", user("alice", "Example.COM")));
        }
    }

    void every_spelling_of_an_address_has_the_same_folder() {
        home_.write("xn--bcher-kva.example/alice/x", "mine\n");
        PluginUnderTest plugin("user_config", home_.path("%h/%u"));
        for (const char* domain : {"bücher.example", "BÜCHER.example", "XN--bcher-kva.example", "bücher.example."})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(domain, std::string("ok|mine"), asked(plugin, "x", user("Alice", domain)));
        const auto sensitive = Address::from_parts("Alice", "bücher.example", LocalPartCase::sensitive);
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), asked(plugin, "x", sensitive));
    }

    void without_a_file_the_site_decides() {
        PluginUnderTest plugin("user_config", home_.path("%u"));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), asked(plugin, "x", user("alice")));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("nothing to say about that", std::string(), plugin.log().to_string());
        home_.write("alice", "a file where there should be a folder\n");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), asked(plugin, "x", user("alice")));
        CPPUNIT_ASSERT_EQUAL(std::string(), plugin.log().to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), asked(plugin, "x", Address()));
    }

    void comments_and_blank_lines_are_left_out() {
        home_.write("alice/x", "# mine\n\n  one \t\r\n\t# two\ntwo # not a comment\n   \nlast");
        home_.write("bob/x", "");
        PluginUnderTest plugin("user_config", home_.path("%u"));
        CPPUNIT_ASSERT_EQUAL(std::string("ok|one|two # not a comment|last"), asked(plugin, "x", user("alice")));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("an empty setting is one", std::string("ok"), asked(plugin, "x", user("bob")));
    }

    void an_address_does_not_lead_elsewhere() {
        home_.write("users/alice/x", "mine\n");
        home_.write("x", "not yours\n");
        home_.write("users/.hidden/x", "hidden\n");
        home_.write("users/a\nb/x", "a line in a name\n");
        PluginUnderTest plugin("user_config", home_.path("users/%u"));
        for (const char* local_part :
             {"..", ".", "../users/alice", "alice/../..", "/etc", ".hidden", "a\nb", "alice\x7f"}) {
            plugin.log().clear();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(local_part, std::string("declined"), asked(plugin, "x", user(local_part)));
            CPPUNIT_ASSERT_MESSAGE(local_part, plugin.log().last().ends_with("has no folder for x"));
        }
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), asked(plugin, "x", user(std::string("alice\0", 6))));
        for (const char* name : {"../../x", "..", "alice/x", ".x", ""})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::string("declined"), asked(plugin, name, user("alice")));
        CPPUNIT_ASSERT_EQUAL(std::string("ok|mine"), asked(plugin, "x", user("alice")));

        PluginUnderTest domains("user_config", home_.path("%h/%u"));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), asked(domains, "x", user("users", "..")));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), asked(domains, "x", user("alice", "")));
    }

    void files_of_odd_kinds_are_none() {
        home_.write("alice/large", std::string(64 * 1024 + 1, 'x'));
        home_.write("alice/folder/x", "x\n");
        CPPUNIT_ASSERT_EQUAL(0, mkfifo(home_.path("alice/pipe").c_str(), 0600));
        std::filesystem::create_symlink("/dev/zero", home_.path("alice/device"));
        std::filesystem::create_symlink("loop", home_.path("alice/loop"));
        std::filesystem::create_symlink(home_.path("alice/nowhere"), home_.path("alice/dangling"));
        PluginUnderTest plugin("user_config", home_.path("%u"));
        for (const char* name : {"large", "folder", "pipe", "device", "loop"}) {
            plugin.log().clear();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::string("declined"), asked(plugin, name, user("alice")));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::size_t(1), plugin.log().texts(LogLevel::warning).size());
        }
        plugin.log().clear();
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), asked(plugin, "dangling", user("alice")));
        CPPUNIT_ASSERT_EQUAL(std::string(), plugin.log().to_string());
    }

    void a_changed_file_is_seen_at_once() {
        PluginUnderTest plugin("user_config", home_.path("%u"));
        home_.write("alice/x", "one\n");
        CPPUNIT_ASSERT_EQUAL(std::string("ok|one"), asked(plugin, "x", user("alice")));
        home_.write("alice/x", "two\n");
        CPPUNIT_ASSERT_EQUAL(std::string("ok|two"), asked(plugin, "x", user("alice")));
    }

    void mistakes_are_found_at_configtest() {
        for (const char* pattern : {"/home/%n", "/home/%", "/home/%U", "/a/%%/%x"}) {
            const PluginUnderTest plugin("user_config", pattern);
            CPPUNIT_ASSERT_MESSAGE(pattern, !plugin.is_usable());
            CPPUNIT_ASSERT_MESSAGE(plugin.problems(),
                                   plugin.problems().find("only %u, %h, %a and %% are allowed") != std::string::npos);
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(UserConfigTest);

}  // namespace
}  // namespace smtpd
