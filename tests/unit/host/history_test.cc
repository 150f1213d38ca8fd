/// history_test.cc: what the host records of plugins: findings with their consequences, verdicts, faults, times.
#include "engine/server_access.h"
#include "fakes/plugin_world.h"

#include <cppunit/extensions/HelperMacros.h>

#include <stdexcept>
#include <string>

namespace {

using namespace smtpd;
using smtpd::fakes::PluginWorld;
using std::string;

}  // namespace

class HostHistoryTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HostHistoryTest);
    CPPUNIT_TEST(who_declines_leaves_nothing);
    CPPUNIT_TEST(findings_are_kept_with_what_came_of_them);
    CPPUNIT_TEST(verdicts_are_kept);
    CPPUNIT_TEST(an_exempt_client_is_kept_with_the_reason);
    CPPUNIT_TEST(faults_are_kept_with_their_consequence);
    CPPUNIT_TEST(an_entry_has_its_times);
    CPPUNIT_TEST(settings_and_listeners_are_no_opinions);
    CPPUNIT_TEST(a_handler_sees_what_was_said_before);
    CPPUNIT_TEST_SUITE_END();

    /// A policy at RCPT with these options, and its history entry.
    static string judged(std::string_view options, Finding finding) {
        PluginWorld world;
        world.add_policy("p", options,
                         [&](Setup& setup) { setup.hooks.rcpt.decide([&](const RcptHook&) { return finding; }); });
        world.build();
        static_cast<void>(world.rcpt());
        return told(world);
    }
    static string told(const PluginWorld& world) {
        string out;
        for (const auto& entry : world.connection->history().entries()) out += entry.to_string() + "\n";
        return out;
    }

public:
    void who_declines_leaves_nothing() {
        PluginWorld world;
        world.add("a", [](Setup& setup) { setup.hooks.rcpt.add([](const RcptHook&) { return declined(); }); });
        world.add("b", [](Setup& setup) { setup.hooks.rcpt.observe([](const RcptHook&) {}); });
        world.build();
        static_cast<void>(world.rcpt());
        CPPUNIT_ASSERT_EQUAL(string(), told(world));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), world.connection->history().entries().capacity());
    }

    void findings_are_kept_with_what_came_of_them() {
        const struct {
            const char* options;
            Finding finding;
            const char* entry;
        } rows[] = {
            {"", pass(), "pass"},
            {"karma_pass=3", pass("fine"), "pass: fine, karma +3"},
            {"", skip("no sender"), "skip: no sender"},
            {"", error("time-out"), "error: time-out"},
            {"onerror=tempfail", error("time-out"),
             "error: time-out -> denysoft 451 4.3.0 \"Local error in processing\""},
            {"karma_fail=-2", fail("listed").reply("gone"), "fail: listed -> deny 5.7.1 \"gone\", karma -2"},
            {"reject=no", fail("listed").karma(-5), "fail, tolerated: listed, karma -5"},
            {"reject=naughty", fail("listed"), "fail, deferred: listed"},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL(string("(rcpt) policy:p: ") + row.entry + "\n", judged(row.options, row.finding));
    }

    void verdicts_are_kept() {
        PluginWorld world;
        world.add("a", [](Setup& setup) {
            setup.hooks.rcpt.add([](const RcptHook&) {
                return denysoft("later").with_code(452).with_status({4, 2, 2});
            });
            setup.hooks.mail.add([](const MailHook&) { return ok(); });
        });
        world.build();
        static_cast<void>(world.rcpt());
        static_cast<void>(world.mail());
        CPPUNIT_ASSERT_EQUAL(string("(rcpt) plain:a: denysoft 452 4.2.2 \"later\"\n(mail) plain:a: ok\n"), told(world));
    }

    void an_exempt_client_is_kept_with_the_reason() {
        const struct {
            void (*exempt)(Connection&, Transaction&);
            const char* reason;
        } rows[] = {
            {[](Connection& connection, Transaction&) { connection.set_relay_client(true); }, "relay client"},
            {[](Connection& connection, Transaction&) { connection.set_whitelisted("friend"); },
             "whitelisted host: friend"},
            {[](Connection&, Transaction& transaction) { transaction.set_whitelisted("boss"); },
             "whitelisted sender: boss"},
        };
        for (const auto& row : rows) {
            PluginWorld world;
            world.add_policy(
                "p", "", [&](Setup& setup) { setup.hooks.rcpt.decide([](const RcptHook&) { return fail("never"); }); });
            world.build();
            row.exempt(*world.connection, *world.transaction);
            static_cast<void>(world.rcpt());
            CPPUNIT_ASSERT_EQUAL(string("(rcpt) policy:p: not asked: ") + row.reason + "\n", told(world));
        }
    }

    void faults_are_kept_with_their_consequence() {
        PluginWorld world;
        world.add("a", [](Setup& setup) {
            setup.hooks.rcpt.add([](const RcptHook&) -> Response { throw std::runtime_error("oops"); });
        });
        world.build();
        static_cast<void>(world.rcpt());
        CPPUNIT_ASSERT_EQUAL(string("(rcpt) plain:a: plugin fault: oops\n(rcpt) plain:a: denysoft 451 4.3.0 \"Local "
                                    "error in processing\"\n"),
                             told(world));
    }

    void an_entry_has_its_times() {
        PluginWorld world;
        world.add("slow", [&](Setup& setup) {
            setup.hooks.rcpt.add([&](const RcptHook&) {
                world.clock.advance(Duration(20));
                return declined();
            });
        });
        world.add_policy("p", "", [&](Setup& setup) {
            setup.hooks.rcpt.decide([&](const RcptHook&) {
                world.clock.advance(Duration(7));
                return pass();
            });
        });
        world.build();
        world.connection->set_counts(4, 0, 0);
        world.clock.advance(Duration(1000));
        Recipient recipient(fakes::FakeTransaction::address("user@example.com"), {});
        RcptHook hook(*world.connection, *world.transaction, recipient);
        ServerAccess::set_answers(hook, Answers(false, Duration(900)));
        static_cast<void>(world.set->run_through(hook));
        const auto& entries = world.connection->history().entries();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), entries.size());
        CPPUNIT_ASSERT_EQUAL(string("at 1.020 s, took 7.0 ms, after 900 ms of waiting"), entries[0].times());
        CPPUNIT_ASSERT_EQUAL(4u, static_cast<unsigned>(entries[0].command));
        CPPUNIT_ASSERT(entries[0].hook == HookId::rcpt);
    }

    void settings_and_listeners_are_no_opinions() {
        PluginWorld world;
        world.add("a", [](Setup& setup) {
            setup.hooks.config.add([](ConfigHook& hook) {
                hook.values = {"1"};
                return ok();
            });
            setup.hooks.deny.observe([](const VerdictHook&) {});
            setup.hooks.rcpt.add([](const RcptHook&) { return deny(); });
        });
        world.build();
        std::vector<string> values;
        static_cast<void>(world.run(ConfigHook(HookId::config, *world.connection, "x", nullptr, values)));
        static_cast<void>(world.rcpt());
        CPPUNIT_ASSERT_EQUAL(string("(rcpt) plain:a: deny\n"), told(world));
    }

    void a_handler_sees_what_was_said_before() {
        PluginWorld world;
        string seen;
        world.add_policy("first", "reject=no",
                         [](Setup& setup) { setup.hooks.rcpt.decide([](const RcptHook&) { return fail("listed"); }); });
        world.add("second", [&](Setup& setup) {
            setup.hooks.rcpt.observe([&](const RcptHook& hook) {
                for (const auto& entry : hook.connection.history().entries()) seen += entry.to_string();
            });
        });
        world.build();
        static_cast<void>(world.rcpt());
        CPPUNIT_ASSERT_EQUAL(string("(rcpt) policy:first: fail, tolerated: listed"), seen);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(HostHistoryTest);
