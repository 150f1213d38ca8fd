/// karma_test.cc: how the plugin computes, stores and applies karma.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <smtpd/known_notes.h>
#include <smtpd/store/records.h>

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;
using std::chrono::hours, std::chrono::minutes;

class KarmaTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(KarmaTest);
    CPPUNIT_TEST(an_unknown_client_passes);
    CPPUNIT_TEST(history_is_a_note_from_pre_connection_on);
    CPPUNIT_TEST(a_long_good_history_is_worth_a_point);
    CPPUNIT_TEST(connections_are_nice_or_naughty_by_their_strikes);
    CPPUNIT_TEST(bad_history_leads_to_the_penalty_box);
    CPPUNIT_TEST(negative_says_how_bad);
    CPPUNIT_TEST(the_penalty_ends);
    CPPUNIT_TEST(who_was_never_nice_stays_longer);
    CPPUNIT_TEST(connections_in_the_penalty_box_are_counted);
    CPPUNIT_TEST(reject_options_hold);
    CPPUNIT_TEST(addresses_without_brackets_cost_points);
    CPPUNIT_TEST(domains_have_points_of_their_own);
    CPPUNIT_TEST(wrong_lines_of_domains_are_named);
    CPPUNIT_TEST(doubtful_clients_have_few_recipients);
    CPPUNIT_TEST(exempt_clients_have_all_recipients);
    CPPUNIT_TEST(bad_karma_refuses_the_message);
    CPPUNIT_TEST(ipv6_clients_are_taken_together);
    CPPUNIT_TEST(a_store_that_fails_makes_everybody_unknown);
    CPPUNIT_TEST(wrong_options_are_named);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* passed = "declined";

    static void put(PluginUnderTest& plugin, const KarmaRecord& record, const std::string& key = "192.0.2.1") {
        CPPUNIT_ASSERT(plugin.store().open<KarmaRecord>("karma").put(key, record, hours(24 * 365)));
    }
    /// "naughty/nice/connects", and " penalty" if there is one; "" without a record.
    static std::string kept(PluginUnderTest& plugin, const std::string& key = "192.0.2.1") {
        const auto found = plugin.store().open<KarmaRecord>("karma").get(key);
        CPPUNIT_ASSERT(found);
        if (!*found) return "";
        const auto& record = **found;
        return format_text("{}/{}/{}{}", record.naughty, record.nice, record.connects,
                           record.has_penalty() ? " penalty" : "");
    }
    static void end(PluginUnderTest& plugin, int karma) {
        plugin.reconnect();
        plugin.connection().set_karma(karma);
        (void)plugin.disconnect();
        plugin.reconnect();
    }

public:
    void an_unknown_client_passes() {
        PluginUnderTest plugin("karma");
        (void)plugin.pre_connection();
        CPPUNIT_ASSERT(!plugin.connection().notes().find(notes::karma_history));
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.connect()));
        CPPUNIT_ASSERT_EQUAL(std::string("pass: no record"), plugin.log().last());
        CPPUNIT_ASSERT_EQUAL(0, plugin.connection().karma());
        (void)plugin.disconnect();
        CPPUNIT_ASSERT_EQUAL(std::string(), kept(plugin));
    }

    void history_is_a_note_from_pre_connection_on() {
        PluginUnderTest plugin("karma");
        put(plugin, {WallTime(), 3, 7, 12});
        (void)plugin.pre_connection();
        CPPUNIT_ASSERT_EQUAL(4L, plugin.connection().notes().get(notes::karma_history));
        put(plugin, {WallTime(), 9, 7, 12});
        plugin.reconnect();
        (void)plugin.connect();
        CPPUNIT_ASSERT_EQUAL(-2L, plugin.connection().notes().get(notes::karma_history));
    }

    void a_long_good_history_is_worth_a_point() {
        for (const auto& [nice, points] : {std::pair(10u, 0), std::pair(11u, 1)}) {
            PluginUnderTest plugin("karma");
            put(plugin, {WallTime(), 0, nice, nice});
            CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.connect()));
            CPPUNIT_ASSERT_EQUAL(points, plugin.connection().karma());
        }
    }

    void connections_are_nice_or_naughty_by_their_strikes() {
        const struct {
            const char* options;
            int karma;
            const char* kept;
        } rows[] = {
            {"", 0, ""},
            {"", 2, "0/0/1"},
            {"", 3, "0/1/1"},
            {"", -2, "0/0/1"},
            {"", -3, "1/0/1 penalty"},
            {"", -9, "1/0/1 penalty"},
            {"strikes=1", 1, "0/1/1"},
            {"strikes=1", -1, "1/0/1 penalty"},
            {"negative=2", -3, "1/0/1"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("karma", row.options);
            end(plugin, row.karma);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(format_text("{} {}", row.options, row.karma), std::string(row.kept),
                                         kept(plugin));
        }
        PluginUnderTest plugin("karma");
        for (const int karma : {3, 4, -3, 1}) end(plugin, karma);
        CPPUNIT_ASSERT_EQUAL(std::string("1/2/4"), kept(plugin));
    }

    void bad_history_leads_to_the_penalty_box() {
        PluginUnderTest plugin("karma", "reject=yes");
        end(plugin, -3);
        CPPUNIT_ASSERT_EQUAL(std::string("deny_disconnect 5.7.1 You may connect again in 1.00 days"),
                             shown(plugin.connect()));
        CPPUNIT_ASSERT(plugin.log().contains("fail: penalty, 1.00 days left"));
        plugin.clock().advance(hours(12) + minutes(1));
        plugin.reconnect();
        CPPUNIT_ASSERT_EQUAL(std::string("deny_disconnect 5.7.1 You may connect again in 0.50 days"),
                             shown(plugin.connect()));
        plugin.connection().set_client("192.0.2.2");
        plugin.reconnect();
        plugin.connection().set_client("192.0.2.2");
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.connect()));
    }

    void negative_says_how_bad() {
        PluginUnderTest plugin("karma", "reject=yes negative=3");
        for (int i = 0; i < 2; ++i) end(plugin, -3);
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.connect()));
        end(plugin, -3);
        CPPUNIT_ASSERT_EQUAL(std::string("3/0/3 penalty"), kept(plugin));
        CPPUNIT_ASSERT(is_denial(plugin.connect().verdict));
    }

    void the_penalty_ends() {
        PluginUnderTest plugin("karma", "reject=yes penalty_days=0.5");
        end(plugin, -3);
        plugin.clock().advance(hours(12) - minutes(1));
        CPPUNIT_ASSERT(is_denial(plugin.connect().verdict));
        plugin.clock().advance(minutes(1));
        plugin.reconnect();
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.connect()));
        PluginUnderTest old_name("karma", "reject=yes penalty_box 2");
        end(old_name, -3);
        old_name.clock().advance(hours(47));
        CPPUNIT_ASSERT(is_denial(old_name.connect().verdict));
    }

    void who_was_never_nice_stays_longer() {
        const struct {
            unsigned naughty;
            unsigned nice;
            const char* days;
        } rows[] = {{4, 0, "1.00"}, {5, 0, "7.00"}, {5, 1, "1.00"}, {500, 0, "91.00"}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("karma", "reject=yes");
            put(plugin, {WallTime(), row.naughty, row.nice, 9});
            end(plugin, -3);
            CPPUNIT_ASSERT_EQUAL(format_text("deny_disconnect 5.7.1 You may connect again in {} days", row.days),
                                 shown(plugin.connect()));
        }
    }

    void connections_in_the_penalty_box_are_counted() {
        PluginUnderTest plugin("karma", "reject=yes");
        put(plugin, {plugin.clock().wall(), 1, 0, 1});
        for (int i = 0; i < 3; ++i) {
            (void)plugin.connect();
            (void)plugin.disconnect();
            plugin.reconnect();
        }
        CPPUNIT_ASSERT_EQUAL(std::string("1/0/4 penalty"), kept(plugin));
    }

    void reject_options_hold() {
        PluginUnderTest plugin("karma");
        put(plugin, {plugin.clock().wall(), 1, 0, 1});
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.connect()));
        const Complaint& complaint = plugin.connection().complaints().at(0);
        CPPUNIT_ASSERT(complaint.plugin == "karma" && complaint.verdict == Verdict::deny_disconnect);
        CPPUNIT_ASSERT_EQUAL(std::string("You may connect again in 1.00 days"), complaint.text);
        PluginUnderTest tolerant("karma", "reject=0");
        put(tolerant, {tolerant.clock().wall(), 1, 0, 1});
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(tolerant.connect()));
        CPPUNIT_ASSERT(!tolerant.connection().is_naughty());
        PluginUnderTest soft("karma", "reject=1 reject_type=temp");
        put(soft, {soft.clock().wall(), 1, 0, 1});
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft"), std::string(verdict_name(soft.connect().verdict)));
        PluginUnderTest relay("karma", "reject=1");
        put(relay, {relay.clock().wall(), 1, 0, 1});
        relay.connection().set_relay_client(true);
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(relay.connect()));
    }

    void addresses_without_brackets_cost_points() {
        const struct {
            const char* line;
            int points;
        } rows[] = {
            {"MAIL FROM:<me@example.net>", 0},
            {"mail from: <me@example.net> SIZE=3", 0},
            {"MAIL FROM:me@example.net", -2},
            {"MAIL FROM: me@example.net", -2},
            {"MAIL  FROM:<>", 0},
            {"MAIL", 0},
            {"", 0},
            {"MAIL FROM:", 0},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("karma");
            plugin.connection().set_last_line(row.line);
            (void)plugin.mail("me@example.net");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.line, row.points, plugin.connection().karma());
        }
        for (const auto& [line, points] :
             {std::pair("RCPT TO:<you@example.com>", 0), std::pair("RCPT TO:you@example.com", -2),
              std::pair("rcpt to: <you@example.com>", 0)}) {
            PluginUnderTest plugin("karma");
            plugin.connection().set_last_line(line);
            (void)plugin.rcpt("you@example.com");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(line, points, plugin.connection().karma());
        }
    }

    void domains_have_points_of_their_own() {
        const PluginUnderTest::Files files = {
            {"karma_tlds", "# points\ninfo:-2\n.pw : -4\nuk:1\nco.uk:2\nexample.org:3\nMüller:4\n"}};
        const struct {
            const char* sender;
            int points;
        } rows[] = {
            {"me@spam.INFO", -2},  {"me@x.pw", -4},           {"me@shop.co.uk", 3},  {"me@shop.uk", 1},
            {"me@example.org", 3}, {"me@notexample.org", 0},  {"me@example.com", 0}, {"", 0},
            {"me@x.MÜLLER", 4},    {"me@x.xn--mller-kva", 4},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("karma", "", files);
            (void)plugin.mail(row.sender);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.sender, row.points, plugin.connection().karma());
        }
    }

    void wrong_lines_of_domains_are_named() {
        for (const char* line : {"info", "info:", ":3", "info:many"}) {
            const auto problems =
                PluginUnderTest("karma", "", {{"karma_tlds", std::string("# x\n") + line + "\n"}}).problems();
            CPPUNIT_ASSERT_MESSAGE(line, problems.find("karma_tlds:2: ") != std::string::npos);
        }
    }

    void doubtful_clients_have_few_recipients() {
        const struct {
            const char* options;
            int karma;
            long history;
            unsigned recipients;
            bool is_refused;
        } rows[] = {
            {"", 0, 0, 1, false},
            {"", 0, 0, 50, false},
            {"", -1, 0, 0, false},
            {"", -1, 0, 1, true},
            {"", 0, -1, 1, true},
            {"", -1, 2, 1, false},
            {"", 1, -3, 1, false},
            {"recipients=3", -1, 0, 2, false},
            {"recipients=3", -1, 0, 3, true},
            {"recipients=0", -1, 0, 99, false},
            {"reject=0", -1, 0, 1, true},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("karma", row.options);
            put(plugin, {WallTime(), row.history < 0 ? static_cast<unsigned>(-row.history) : 0,
                         row.history > 0 ? static_cast<unsigned>(row.history) : 0, 1});
            plugin.connection().set_karma(row.karma);
            for (unsigned i = 0; i < row.recipients; ++i) plugin.transaction().add_recipient("you@example.com");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                format_text("{} {} {} {}", row.options, row.karma, row.history, row.recipients),
                std::string(row.is_refused ? "denysoft 452 4.5.3 Too many recipients" : passed),
                shown(plugin.rcpt("me@example.com")));
        }
    }

    void exempt_clients_have_all_recipients() {
        PluginUnderTest known("karma");
        known.connection().set_karma(-1);
        known.transaction().add_recipient("you@example.com");
        CPPUNIT_ASSERT_EQUAL_MESSAGE("a whitelisted recipient", std::string(passed),
                                     shown(known.rcpt("me@example.com", "our own")));
        for (const auto exempt :
             {+[](PluginUnderTest& p) { p.connection().set_relay_client(true); },
              +[](PluginUnderTest& p) { p.connection().set_whitelisted("list"); },
              +[](PluginUnderTest& p) { p.transaction().set_whitelisted("list"); },
              +[](PluginUnderTest& p) {
                  p.connection().complain({.plugin = "other", .verdict = Verdict::deny, .text = "no"});
              }}) {
            PluginUnderTest plugin("karma");
            plugin.connection().set_karma(-1);
            plugin.transaction().add_recipient("you@example.com");
            exempt(plugin);
            CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.rcpt("me@example.com")));
        }
    }

    void bad_karma_refuses_the_message() {
        for (const auto& [karma, is_refused] : {std::pair(-4, false), std::pair(-5, true)}) {
            PluginUnderTest plugin("karma", "reject=yes reject_type=perm");
            plugin.connection().set_karma(karma);
            CPPUNIT_ASSERT_EQUAL(std::string(is_refused ? "deny 5.7.1 Too many tests have failed" : passed),
                                 shown(plugin.data()));
            CPPUNIT_ASSERT_EQUAL(std::string(is_refused ? "deny 5.7.1 Too many tests have failed" : passed),
                                 shown(plugin.data_post()));
        }
        PluginUnderTest strict("karma", "reject=yes reject_below=0");
        strict.connection().set_karma(-1);
        CPPUNIT_ASSERT(is_denial(strict.data().verdict));
    }

    void ipv6_clients_are_taken_together() {
        PluginUnderTest plugin("karma", "reject=yes");
        plugin.connection().set_client("2001:db8::1");
        plugin.connection().set_karma(-3);
        (void)plugin.disconnect();
        CPPUNIT_ASSERT_EQUAL(std::string("1/0/1 penalty"), kept(plugin, "2001:db8::/64"));
        plugin.reconnect();
        plugin.connection().set_client("2001:db8::2");
        CPPUNIT_ASSERT(is_denial(plugin.connect().verdict));
        PluginUnderTest wide("karma", "ipv4_prefix=24");
        end(wide, -3);
        CPPUNIT_ASSERT_EQUAL(std::string("1/0/1 penalty"), kept(wide, "192.0.2.0/24"));
    }

    void a_store_that_fails_makes_everybody_unknown() {
        PluginUnderTest plugin("karma");
        put(plugin, {plugin.clock().wall(), 1, 0, 1});
        plugin.store().break_down();
        (void)plugin.pre_connection();
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.connect()));
        CPPUNIT_ASSERT_EQUAL(std::string("error: store: the store is broken"), plugin.log().last());
        CPPUNIT_ASSERT(!plugin.connection().notes().find(notes::karma_history));
        plugin.connection().set_karma(-5);
        (void)plugin.disconnect();
        CPPUNIT_ASSERT(plugin.log().contains("error: store: the store is broken"));
        plugin.store().break_down(false);
        CPPUNIT_ASSERT_EQUAL(std::string("1/0/1 penalty"), kept(plugin));
        PluginUnderTest strict("karma", "onerror=tempfail");
        strict.store().break_down();
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 451 4.3.0 Local error in processing"), shown(strict.connect()));
    }

    void wrong_options_are_named() {
        for (const char* options :
             {"negative=0", "strikes=0", "penalty_days=-1", "reject_below=1", "db_dir=/tmp", "recipients=many"})
            CPPUNIT_ASSERT_MESSAGE(options, !PluginUnderTest("karma", options).is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(KarmaTest);

}  // namespace
}  // namespace smtpd
