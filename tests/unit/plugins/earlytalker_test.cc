/// earlytalker_test.cc: clients that speak before it is their turn.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <smtpd/known_notes.h>

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;
using std::chrono_literals::operator""ms;

class EarlyTalkerTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EarlyTalkerTest);
    CPPUNIT_TEST(a_silent_client_waits_and_passes);
    CPPUNIT_TEST(an_early_client_is_refused);
    CPPUNIT_TEST(the_wait_is_an_option_and_a_note);
    CPPUNIT_TEST(reject_options_and_action_decide);
    CPPUNIT_TEST(relay_clients_do_not_wait);
    CPPUNIT_TEST(data_is_watched_on_request_only);
    CPPUNIT_TEST(what_was_received_behind_data_counts);
    CPPUNIT_TEST(deferred_refusals_come_at_mail);
    CPPUNIT_TEST(deferred_refusals_cost_karma_once);
    CPPUNIT_TEST(good_history_greets_at_once);
    CPPUNIT_TEST(wrong_options_are_named);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* refusal = "deny 5.7.1 Connecting host started transmitting before SMTP greeting";

public:
    void a_silent_client_waits_and_passes() {
        PluginUnderTest plugin("earlytalker");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.connect()));
        CPPUNIT_ASSERT(plugin.waited_for().silence == 1000ms);
        CPPUNIT_ASSERT(!plugin.connection().notes().find(notes::earlytalker));
        CPPUNIT_ASSERT_EQUAL(0, plugin.connection().karma());
    }

    void an_early_client_is_refused() {
        PluginUnderTest plugin("earlytalker");
        plugin.let_client_speak();
        CPPUNIT_ASSERT_EQUAL(std::string(refusal), shown(plugin.connect()));
        CPPUNIT_ASSERT_EQUAL(std::string("CONNECT"), plugin.connection().notes().get(notes::earlytalker).where);
        CPPUNIT_ASSERT_EQUAL(-1, plugin.connection().karma());
        CPPUNIT_ASSERT(plugin.log().contains("(connect) earlytalker: fail: spoke early at CONNECT"));
    }

    void the_wait_is_an_option_and_a_note() {
        PluginUnderTest plugin("earlytalker", "wait=2500ms");
        (void)plugin.connect();
        CPPUNIT_ASSERT(plugin.waited_for().silence == 2500ms);
        plugin.connection().notes().set(notes::earlytalker_wait, Duration(5000));
        (void)plugin.connect();
        CPPUNIT_ASSERT(plugin.waited_for().silence == 5000ms);
    }

    void reject_options_and_action_decide() {
        const struct {
            const char* options;
            const char* verdict;
        } rows[] = {
            {"reject_type=temp", "denysoft"}, {"reject_type=disconnect", "deny_disconnect"},
            {"reject=0", "declined"},         {"reject=naughty", "declined"},
            {"action log", "declined"},       {"action denysoft", "denysoft"},
            {"action deny", "deny"},          {"action deny reject=no", "deny"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("earlytalker", row.options);
            plugin.let_client_speak();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(row.verdict),
                                         std::string(verdict_name(plugin.connect().verdict)));
        }
    }

    void relay_clients_do_not_wait() {
        PluginUnderTest plugin("earlytalker");
        plugin.connection().set_relay_client(true);
        plugin.let_client_speak();
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.connect()));
        CPPUNIT_ASSERT(!plugin.waited_for().needed());
    }

    void data_is_watched_on_request_only() {
        PluginUnderTest by_default("earlytalker");
        by_default.let_client_speak();
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(by_default.data()));

        PluginUnderTest data_only("earlytalker", "check-at DATA");
        data_only.let_client_speak();
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(data_only.connect()));
        CPPUNIT_ASSERT(!data_only.waited_for().needed());
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.7.1 You must wait for the reply to DATA before you send the message"),
                             shown(data_only.data()));
        CPPUNIT_ASSERT_EQUAL(std::string("DATA"), data_only.connection().notes().get(notes::earlytalker).where);

        PluginUnderTest both("earlytalker", "check-at=CONNECT check-at=data");
        both.let_client_speak();
        CPPUNIT_ASSERT_EQUAL(std::string(refusal), shown(both.connect()));
        CPPUNIT_ASSERT_EQUAL(std::string("deny"), shown(both.data()).substr(0, 4));
        both.let_client_speak(false);
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(both.data()));
    }

    void what_was_received_behind_data_counts() {
        PluginUnderTest plugin("earlytalker", "check-at=DATA wait=0");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.data()));
        plugin.connection().set_unread(14);
        CPPUNIT_ASSERT_EQUAL(std::string("deny"), shown(plugin.data()).substr(0, 4));
    }

    void deferred_refusals_come_at_mail() {
        PluginUnderTest plugin("earlytalker", "defer-reject=1");
        plugin.let_client_speak();
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.connect()));
        CPPUNIT_ASSERT_EQUAL(std::string(refusal), shown(plugin.mail("user@example.net")));

        PluginUnderTest silent("earlytalker", "defer-reject=1");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(silent.connect()));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(silent.mail("user@example.net")));
    }

    void deferred_refusals_cost_karma_once() {
        PluginUnderTest plugin("earlytalker", "defer-reject=1");
        plugin.let_client_speak();
        (void)plugin.connect();
        CPPUNIT_ASSERT_EQUAL(0, plugin.connection().karma());
        (void)plugin.mail("user@example.net");
        CPPUNIT_ASSERT_EQUAL(-1, plugin.connection().karma());
        CPPUNIT_ASSERT_EQUAL(std::string(refusal), shown(plugin.mail("user@example.net")));
        CPPUNIT_ASSERT_EQUAL(-1, plugin.connection().karma());
    }

    void good_history_greets_at_once() {
        for (const auto& [history, waits] : {std::pair(5L, true), std::pair(6L, false), std::pair(-1L, true)}) {
            PluginUnderTest plugin("earlytalker");
            plugin.connection().notes().set(notes::karma_history, history);
            plugin.let_client_speak();
            CPPUNIT_ASSERT_EQUAL(std::string(waits ? refusal : "declined"), shown(plugin.connect()));
            CPPUNIT_ASSERT_EQUAL(waits, plugin.waited_for().needed());
        }
    }

    void wrong_options_are_named() {
        CPPUNIT_ASSERT(PluginUnderTest("earlytalker", "check-at=MAIL").problems().find("one of CONNECT, DATA") !=
                       std::string::npos);
        CPPUNIT_ASSERT(!PluginUnderTest("earlytalker", "wait=2min").is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(EarlyTalkerTest);

}  // namespace
}  // namespace smtpd
