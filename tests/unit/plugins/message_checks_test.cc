/// message_checks_test.cc: loop and bogus_bounce.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

std::string repeated(const char* field, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += std::string(field) + "\r\n";
    return text;
}

class LoopTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LoopTest);
    CPPUNIT_TEST(too_many_hops_are_refused);
    CPPUNIT_TEST(nobody_is_exempt);
    CPPUNIT_TEST(a_number_that_is_none_is_a_mistake);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* refusal = "deny 554 5.4.6 Too many hops";

public:
    void too_many_hops_are_refused() {
        const struct {
            const char* options;
            int received, delivered_to;
            const char* answer;
        } rows[] = {
            {"", 99, 0, "declined"}, {"", 100, 0, refusal}, {"", 50, 50, refusal}, {"", 50, 49, "declined"},
            {"3", 2, 0, "declined"}, {"3", 2, 1, refusal},  {"3", 0, 3, refusal},  {"max_hops=3", 9, 9, refusal},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("loop", row.options);
            const std::string message = repeated("received: x", row.received) +
                                        repeated("Delivered-To: y", row.delivered_to) + "Subject: z\r\n\r\n" +
                                        repeated("Received: in the body", 200);
            CPPUNIT_ASSERT_EQUAL(std::string(row.answer), shown(plugin.data_post(message)));
        }
    }

    void nobody_is_exempt() {
        PluginUnderTest plugin("loop", "1");
        plugin.connection().set_relay_client(true);
        CPPUNIT_ASSERT_EQUAL(std::string(refusal), shown(plugin.data_post("Received: x\r\n\r\n")));
    }

    void a_number_that_is_none_is_a_mistake() {
        for (const char* options : {"many", "0", "-1"})
            CPPUNIT_ASSERT_MESSAGE(options, !PluginUnderTest("loop", options).is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LoopTest);

class BogusBounceTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BogusBounceTest);
    CPPUNIT_TEST(bounces_with_several_recipients_are_bogus);
    CPPUNIT_TEST(bounces_with_a_return_path_are_bogus);
    CPPUNIT_TEST(only_bounces_are_judged);
    CPPUNIT_TEST(the_action_decides);
    CPPUNIT_TEST(relay_clients_are_judged_too);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* several = "deny 5.7.1 fake bounce, a real one has exactly one recipient";
    static constexpr const char* return_path = "deny 5.7.1 fake bounce, a real one has no Return-Path";

    static std::string judge(PluginUnderTest& plugin, int recipients, const char* header) {
        for (int i = 0; i < recipients; ++i) plugin.transaction().add_recipient("user@example.com");
        return shown(plugin.data_post(std::string(header) + "\r\nbody\r\n"));
    }

public:
    void bounces_with_several_recipients_are_bogus() {
        const struct {
            int recipients;
            const char* answer;
        } rows[] = {{1, "declined"}, {2, several}, {3, several}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("bogus_bounce", "deny");
            CPPUNIT_ASSERT_EQUAL(std::string(row.answer), judge(plugin, row.recipients, "Subject: x\r\n"));
        }
    }

    void bounces_with_a_return_path_are_bogus() {
        const struct {
            const char* header;
            const char* answer;
        } rows[] = {{"Return-Path: <a@example.net>\r\n", return_path},
                    {"Return-Path: <>\r\n", "declined"},
                    {"Return-Path:\r\n", "declined"},
                    {"Return-Path: <>\r\nReturn-Path: a\r\n", return_path},
                    {"X-Return-Path: a\r\n", "declined"}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("bogus_bounce", "deny");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.header, std::string(row.answer), judge(plugin, 1, row.header));
        }
    }

    void only_bounces_are_judged() {
        PluginUnderTest plugin("bogus_bounce", "deny");
        plugin.transaction().set_sender(fakes::FakeTransaction::address("user@example.net"));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), judge(plugin, 2, "Return-Path: <a@example.net>\r\n"));
    }

    void the_action_decides() {
        const struct {
            const char* options;
            const char* verdict;
        } rows[] = {{"", "declined"},
                    {"log", "declined"},
                    {"deny", "deny"},
                    {"denysoft", "denysoft"},
                    {"action=deny", "deny"},
                    {"reject=1", "deny"},
                    {"reject=1 reject_type=temp", "denysoft"},
                    {"log reject=1", "declined"},
                    {"deny reject_type=temp", "deny"}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("bogus_bounce", row.options);
            const auto answer = judge(plugin, 2, "");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(row.verdict), answer.substr(0, answer.find(' ')));
            CPPUNIT_ASSERT_MESSAGE(row.options, plugin.log().contains("2 recipients"));
        }
        CPPUNIT_ASSERT(!PluginUnderTest("bogus_bounce", "refuse").is_usable());
        PluginUnderTest naughty("bogus_bounce", "reject=naughty");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), judge(naughty, 2, ""));
        CPPUNIT_ASSERT(naughty.connection().is_naughty());
    }

    void relay_clients_are_judged_too() {
        PluginUnderTest plugin("bogus_bounce", "deny");
        plugin.connection().set_relay_client(true);
        CPPUNIT_ASSERT_EQUAL(std::string(several), judge(plugin, 2, ""));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(BogusBounceTest);

}  // namespace
}  // namespace smtpd
