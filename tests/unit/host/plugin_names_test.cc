/// plugin_names_test.cc: names of plugins that do not exist, and networks and lists that match too much.
#include "host/plugin_names.h"
#include "host/plugin_checks.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace {

using namespace smtpd;
using namespace smtpd::host;
using std::string;

const std::vector<string> known{"auth/auth_flat_file", "badrcptto", "greylisting", "queue/discard", "queue/maildir"};

PluginLine line_of(string name, std::vector<string> words = {}) {
    PluginLine line;
    line.name = std::move(name);
    line.words = std::move(words);
    return line;
}

}  // namespace

class PluginNamesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PluginNamesTest);
    CPPUNIT_TEST(the_nearest_name_is_found_without_its_folder);
    CPPUNIT_TEST(former_names_become_present_ones);
    CPPUNIT_TEST(options_are_what_they_are_today);
    CPPUNIT_TEST(other_names_stay);
    CPPUNIT_TEST(foreign_plugins_have_a_substitute);
    CPPUNIT_TEST(some_networks_are_too_wide);
    CPPUNIT_TEST_SUITE_END();

public:
    void the_nearest_name_is_found_without_its_folder() {
        for (const auto& [written, meant] :
             std::vector<std::pair<string, string>>{{"maildir", "queue/maildir"},
                                                    {"MAILDIR", "queue/maildir"},
                                                    {"queue/maildirs", "queue/maildir"},
                                                    {"maildirs", "queue/maildir"},
                                                    {"delivery/maildir", "queue/maildir"},
                                                    {"auth_flatfile", "auth/auth_flat_file"},
                                                    {"queue/badrcptto", "badrcptto"},
                                                    {"badrctpto", "badrcptto"}})
            CPPUNIT_ASSERT_EQUAL(" (did you mean \"" + meant + "\"?)", nearest_plugin(written, known));
        CPPUNIT_ASSERT_EQUAL(string(), nearest_plugin("spamassassin", known));
        CPPUNIT_ASSERT_EQUAL(string(), nearest_plugin("maildir", {}));
    }

    void former_names_become_present_ones() {
        for (const auto& [before, now] :
             std::vector<std::pair<string, string>>{{"check_relay", "relay"},
                                                    {"check_basicheaders", "headers"},
                                                    {"denysoft_greylist", "greylisting"},
                                                    {"require_resolvable_fromhost", "resolvable_fromhost"},
                                                    {"spf", "sender_permitted_from"},
                                                    {"auth_flat_file", "auth/auth_flat_file"}}) {
            auto line = line_of(before, {"a", "b"});
            CPPUNIT_ASSERT(use_current_name(line));
            CPPUNIT_ASSERT_EQUAL(now, line.name);
            CPPUNIT_ASSERT(line.words == (std::vector<string>{"a", "b"}));
        }
    }

    void options_are_what_they_are_today() {
        auto only = line_of("relay_only");
        CPPUNIT_ASSERT(use_current_name(only));
        CPPUNIT_ASSERT(only.name == "relay" && only.words == std::vector<string>{"only=on"});
        for (const auto& words : {std::vector<string>{"7"}, std::vector<string>{"days", "7"}}) {
            auto days = line_of("check_basicheaders", words);
            CPPUNIT_ASSERT(use_current_name(days));
            CPPUNIT_ASSERT(days.words == (std::vector<string>{"past=7", "future=7"}));
        }
    }

    void other_names_stay() {
        auto line = line_of("relay", {"only"});
        CPPUNIT_ASSERT(!use_current_name(line));
        CPPUNIT_ASSERT(line.name == "relay" && line.words == std::vector<string>{"only"});
    }

    void foreign_plugins_have_a_substitute() {
        CPPUNIT_ASSERT(substitute_for("queue/qmail-queue").find("queue/maildir") != string::npos);
        CPPUNIT_ASSERT_EQUAL(substitute_for("virus/clamav"), substitute_for("clamav"));
        CPPUNIT_ASSERT_EQUAL(string(), substitute_for("rcpt_ok"));
        CPPUNIT_ASSERT_EQUAL(string(), substitute_for(""));
    }

    void some_networks_are_too_wide() {
        for (const char* wide : {"0.0.0.0/0", "128.0.0.0/1", "64.0.0.0/7", "::/0", "2000::/3", "fc00::/6"})
            CPPUNIT_ASSERT_MESSAGE(wide, is_too_wide(*IpNetwork::parse(wide)));
        for (const char* narrow :
             {"10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "fc00::/7", "fe80::/10", "2001::/16", "::1"})
            CPPUNIT_ASSERT_MESSAGE(narrow, !is_too_wide(*IpNetwork::parse(narrow)));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PluginNamesTest);
