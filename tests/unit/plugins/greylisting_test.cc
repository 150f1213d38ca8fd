/// greylisting_test.cc: which clients the plugin defers, when, and which are exempt.
#include "engine/server_access.h"
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

class GreylistingTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(GreylistingTest);
    CPPUNIT_TEST(a_client_passes_when_it_comes_back_late_enough);
    CPPUNIT_TEST(who_is_known_stays_known_while_mail_comes);
    CPPUNIT_TEST(who_comes_back_too_late_begins_again);
    CPPUNIT_TEST(the_key_is_what_the_options_say);
    CPPUNIT_TEST(neighbours_are_taken_together_by_prefix);
    CPPUNIT_TEST(a_domain_can_stand_for_its_senders);
    CPPUNIT_TEST(refusals_can_wait_for_data);
    CPPUNIT_TEST(the_null_sender_is_refused_at_data_in_the_mode_by_recipient);
    CPPUNIT_TEST(whitelisted_recipients_drop_what_waits);
    CPPUNIT_TEST(reject_options_hold);
    CPPUNIT_TEST(who_is_not_rejected_is_recorded);
    CPPUNIT_TEST(immune_clients_are_neither_judged_nor_recorded);
    CPPUNIT_TEST(excluded_hosts_are_spared);
    CPPUNIT_TEST(excluded_hosts_are_read_again);
    CPPUNIT_TEST(wrong_exclusions_are_named);
    CPPUNIT_TEST(p0f_spares_all_who_meet_no_criterion);
    CPPUNIT_TEST(geoip_spares_countries);
    CPPUNIT_TEST(naughty_clients_are_not_remembered);
    CPPUNIT_TEST(spf_karma_and_tls_spare_where_wished);
    CPPUNIT_TEST(the_control_file_has_defaults);
    CPPUNIT_TEST(recipients_have_options_of_their_own);
    CPPUNIT_TEST(a_store_that_fails_lets_mail_through);
    CPPUNIT_TEST(imported_entries_count);
    CPPUNIT_TEST(wrong_options_are_named);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* deferral = "denysoft 4.7.1 You are not known here yet, please try again later";
    static constexpr const char* passed = "declined";

    static std::string mail(PluginUnderTest& plugin, std::string_view sender = "me@example.net") {
        return shown(plugin.mail(sender));
    }
    static std::string rcpt(PluginUnderTest& plugin, std::string_view recipient = "you@example.com") {
        return shown(plugin.rcpt(recipient));
    }
    static std::vector<std::string> keys(PluginUnderTest& plugin) {
        std::vector<std::string> out;
        const auto page = plugin.store().open<GreylistRecord>("greylist").list();
        for (const auto& entry : page->entries) out.push_back(entry.key);
        std::sort(out.begin(), out.end());
        return out;
    }
    static GreylistRecord record(PluginUnderTest& plugin, const std::string& key = "192.0.2.1") {
        const auto found = plugin.store().open<GreylistRecord>("greylist").get(key);
        CPPUNIT_ASSERT_MESSAGE(key, found && *found);
        return **found;
    }

public:
    void a_client_passes_when_it_comes_back_late_enough() {
        PluginUnderTest plugin("greylisting");
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), mail(plugin));
        CPPUNIT_ASSERT_EQUAL(std::string("fail: first seen"), plugin.log().last());
        plugin.clock().advance(minutes(49));
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), mail(plugin, "somebody@else.example"));
        CPPUNIT_ASSERT_EQUAL(std::string("fail: back too early, after 49min"), plugin.log().last());
        CPPUNIT_ASSERT_EQUAL(2u, record(plugin).refused);
        plugin.clock().advance(minutes(1));
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(plugin));
        CPPUNIT_ASSERT_EQUAL(std::string("pass: came back after 50min"), plugin.log().last());
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(plugin));
        CPPUNIT_ASSERT_EQUAL(std::string("pass: known, 1 times"), plugin.log().last());
        CPPUNIT_ASSERT_EQUAL(2u, record(plugin).passed);
        plugin.connection().set_client("192.0.2.2");
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), mail(plugin));
        CPPUNIT_ASSERT_EQUAL(0, plugin.connection().karma());

        PluginUnderTest soon("greylisting", "black_timeout=0");
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), mail(soon));
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(soon));
    }

    void who_is_known_stays_known_while_mail_comes() {
        PluginUnderTest plugin("greylisting", "white_timeout=2d");
        (void)mail(plugin);
        plugin.clock().advance(minutes(51));
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(plugin));
        for (int day = 0; day < 5; ++day) {
            plugin.clock().advance(hours(47));
            CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(plugin));
        }
        plugin.clock().advance(hours(48));
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), mail(plugin));
    }

    void who_comes_back_too_late_begins_again() {
        PluginUnderTest plugin("greylisting");
        (void)mail(plugin);
        plugin.clock().advance(hours(24 * 35));
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(plugin));
        PluginUnderTest late("greylisting");
        (void)mail(late);
        late.clock().advance(hours(24 * 36));
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), mail(late));
        // A deferral in between does not make it longer: the time counts from the first one.
        PluginUnderTest busy("greylisting", "white_timeout=1h");
        (void)mail(busy);
        busy.clock().advance(minutes(40));
        (void)mail(busy);
        busy.clock().advance(minutes(20));
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), mail(busy));
        CPPUNIT_ASSERT_EQUAL(1u, record(busy).refused);
    }

    void the_key_is_what_the_options_say() {
        const struct {
            const char* options;
            const char* sender;
            const char* key;
        } rows[] = {
            {"", "Me@Example.net", "192.0.2.1"},
            {"sender=1", "Me@Example.net", "192.0.2.1 me@example.net"},
            {"sender=yes", "", "192.0.2.1 <>"},
            {"recipient yes", "Me@Example.net", "192.0.2.1 - you@example.com"},
            {"sender=on recipient=1", "Me@Example.net", "192.0.2.1 me@example.net you@example.com"},
            {"remote_ip=0 sender=yes recipient=1", "Me@Example.net", "- me@example.net you@example.com"},
            {"per_recipient=1", "Me@Example.net", "192.0.2.1"},
            {"sender=domain", "Me@Example.net", "192.0.2.1 @example.net"},
            {"remote_ip=no sender=domain", "Me@Example.net", "- @example.net"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("greylisting", row.options);
            const Response at_mail = plugin.mail(row.sender);
            const Response at_rcpt = plugin.rcpt("You@example.com");
            const std::string options = row.options;
            const bool by_recipient = options.find("recipient") != std::string::npos;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(options, std::string(by_recipient ? passed : deferral), shown(at_mail));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(options, std::string(by_recipient ? deferral : passed), shown(at_rcpt));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(options, std::size_t(1), keys(plugin).size());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(options, std::string(row.key), keys(plugin).front());
        }
    }

    void neighbours_are_taken_together_by_prefix() {
        const struct {
            const char* options;
            const char* first;
            const char* second;
            const char* verdict;
            const char* key;
        } rows[] = {
            {"ipv4_prefix=24", "192.0.2.1", "192.0.2.200", passed, "192.0.2.0/24"},
            {"ipv4_prefix=24", "192.0.2.1", "192.0.3.1", deferral, "192.0.2.0/24"},
            {"", "192.0.2.1", "192.0.2.2", deferral, "192.0.2.1"},
            {"", "2001:db8::1", "2001:db8::2", passed, "2001:db8::/64"},
            {"ipv6_prefix=128", "2001:db8::1", "2001:db8::2", deferral, "2001:db8::1"},
            {"ipv6_prefix=48", "2001:db8:1:1::1", "2001:db8:1:2::1", passed, "2001:db8:1::/48"},
        };
        for (const auto& row : rows) {
            const auto name = std::string(row.options) + " " + row.second;
            PluginUnderTest plugin("greylisting", row.options);
            plugin.connection().set_client(row.first);
            (void)mail(plugin);
            plugin.clock().advance(hours(1));
            plugin.connection().set_client(row.second);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::string(row.verdict), mail(plugin));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::string(row.key), keys(plugin).front());
        }
    }

    void a_domain_can_stand_for_its_senders() {
        PluginUnderTest plugin("greylisting", "remote_ip=no sender=domain black_timeout=1min");
        (void)mail(plugin, "one@example.net");
        plugin.clock().advance(minutes(2));
        plugin.connection().set_client("198.51.100.1");
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(plugin, "two@EXAMPLE.net"));
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), mail(plugin, "two@example.org"));
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), mail(plugin, "one@bücher.example"));
        plugin.clock().advance(minutes(2));
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(plugin, "two@xn--bcher-kva.example"));
    }

    void refusals_can_wait_for_data() {
        for (const char* options : {"deny_late=1", "deny_late=1 recipient=1"}) {
            PluginUnderTest plugin("greylisting", options);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(options, std::string(passed), mail(plugin));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(options, std::string(passed), rcpt(plugin));
            CPPUNIT_ASSERT_MESSAGE(options, plugin.log().contains("skip: to be deferred at DATA"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(options, std::string("You are not known here yet, please try again later"),
                                         plugin.transaction().notes().get(notes::greylist));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(options, std::string(deferral), shown(plugin.data()));
            plugin.reset();
            plugin.clock().advance(hours(1));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(options, std::string(passed),
                                         mail(plugin) == passed ? rcpt(plugin) : "mail refused");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(options, std::string(passed), shown(plugin.data()));
        }
    }

    void the_null_sender_is_refused_at_data_in_the_mode_by_recipient() {
        PluginUnderTest plugin("greylisting", "recipient=1");
        (void)mail(plugin, "");
        CPPUNIT_ASSERT_EQUAL(std::string(passed), rcpt(plugin));
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), shown(plugin.data()));
        PluginUnderTest by_mail("greylisting");
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), mail(by_mail, ""));
    }

    void whitelisted_recipients_drop_what_waits() {
        const struct {
            unsigned recipients;
            unsigned whitelisted;
            const char* verdict;
        } rows[] = {{1, 0, deferral}, {1, 1, passed}, {2, 1, deferral}, {2, 2, passed}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("greylisting", "deny_late=1");
            (void)mail(plugin);
            for (unsigned i = 0; i < row.recipients; ++i) {
                auto& recipient = plugin.transaction().add_recipient("you@example.com");
                if (i < row.whitelisted) recipient.set_whitelisted("list");
            }
            CPPUNIT_ASSERT_EQUAL(std::string(row.verdict), shown(plugin.data()));
        }
    }

    void reject_options_hold() {
        PluginUnderTest naughty("greylisting", "reject=naughty");
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(naughty));
        CPPUNIT_ASSERT(naughty.connection().is_naughty() &&
                       naughty.connection().complaints().front().verdict == Verdict::denysoft);
        PluginUnderTest closing("greylisting", "reject_type=temp_disconnect");
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft_disconnect"),
                             std::string(verdict_name(closing.mail("me@example.net").verdict)));
        PluginUnderTest costly("greylisting", "karma_fail=-1");
        (void)mail(costly);
        CPPUNIT_ASSERT_EQUAL(-1, costly.connection().karma());
    }

    void who_is_not_rejected_is_recorded() {
        PluginUnderTest plugin("greylisting", "reject 0");
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(plugin));
        CPPUNIT_ASSERT_EQUAL(std::string("fail, tolerated: first seen"), plugin.log().last());
        CPPUNIT_ASSERT_EQUAL(1u, record(plugin).refused);
    }

    void immune_clients_are_neither_judged_nor_recorded() {
        PluginUnderTest plugin("greylisting", "deny_late=1");
        plugin.connection().set_relay_client(true);
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(plugin));
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.data()));
        CPPUNIT_ASSERT(keys(plugin).empty());
    }

    void excluded_hosts_are_spared() {
        const PluginUnderTest::Files files = {
            {"greylist_exclude_files", "pools\n"},
            {"pools",
             "# big ones\n194.7.234.142   # one\n "
             "198.51.100.0/24\n2001:db8::/32\npostini.com\n.below.example\n/mta[12]\\.siol\\.net/\n/ ^big /\n#x\n"},
        };
        const struct {
            const char* address;
            const char* host;
            bool is_spared;
        } rows[] = {
            {"194.7.234.142", "", true},
            {"194.7.234.143", "", false},
            {"198.51.100.77", "", true},
            {"2001:db8::7", "", true},
            {"2001:db9::7", "", false},
            {"192.0.2.1", "postini.com", true},
            {"192.0.2.1", "Mail.POSTINI.com", true},
            {"192.0.2.1", "notpostini.com", false},
            {"192.0.2.1", "x.below.example", true},
            {"192.0.2.1", "below.example", false},
            {"192.0.2.1", "mta1.siol.net", true},
            {"192.0.2.1", "mta3.siol.net", false},
            {"192.0.2.1", "BIG.example", true},
            {"192.0.2.1", "", false},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("greylisting", "", files);
            plugin.connection().set_client(row.address);
            plugin.connection().set_host(row.host);
            const std::string name = std::string(row.address) + " " + row.host;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::string(row.is_spared ? passed : deferral), mail(plugin));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, row.is_spared, plugin.log().last() == "skip: excluded");
        }
    }

    void excluded_hosts_are_read_again() {
        fakes::TempDirectory elsewhere;
        const std::string path = elsewhere.write("list", "192.0.2.9\n");
        PluginUnderTest plugin("greylisting", "black_timeout=1d", {{"greylist_exclude_files", path + "\nnear\n"}});
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), mail(plugin));
        elsewhere.write("list", "192.0.2.9\n192.0.2.1\n");
        plugin.clock().advance(minutes(1));
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(plugin));
        plugin.connection().set_client("192.0.2.2");
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), mail(plugin));
        plugin.write_control("near", "192.0.2.2\n");
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(plugin));
    }

    void wrong_exclusions_are_named() {
        PluginUnderTest plugin("greylisting", "", {{"greylist_exclude_files", "bad\n"}, {"bad", "192.0.2.1\n/a(/\n"}});
        CPPUNIT_ASSERT_MESSAGE(plugin.problems(), plugin.problems().find("bad:2: ") != std::string::npos);
    }

    void p0f_spares_all_who_meet_no_criterion() {
        notes::P0f seen;
        seen.genre = "Windows 7 or 8";
        seen.link = "DSL";
        seen.distance = 12;
        seen.uptime = minutes(90);
        const struct {
            const char* criteria;
            bool is_spared;
        } rows[] = {
            {"genre,windows", false},
            {"genre,linux", true},
            {"genre,linux,link,dsl", false},
            {"link,^ether", true},
            {"distance,11", false},
            {"distance,12", true},
            {"uptime,91", false},
            {"uptime,90", true},
            {"genre,^win.*8$", false},
            {"genre,linux,uptime,10", true},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("greylisting", std::string("p0f=") + row.criteria);
            plugin.connection().notes().set(notes::p0f, seen);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.criteria, std::string(row.is_spared ? passed : deferral), mail(plugin));
        }
        PluginUnderTest unseen("greylisting", "p0f=genre,windows");
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(unseen));
        CPPUNIT_ASSERT_EQUAL(std::string("skip: no p0f criterion matched"), unseen.log().last());
        PluginUnderTest unsure("greylisting", "p0f=distance,1,uptime,1000");
        unsure.connection().notes().set(notes::p0f, notes::P0f());
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(unsure));
    }

    void geoip_spares_countries() {
        for (const auto& [country, is_spared] :
             {std::pair("US", true), std::pair("HU", true), std::pair("PK", false), std::pair("", false)}) {
            PluginUnderTest plugin("greylisting", "geoip=US,us,UK,hu");
            plugin.connection().notes().get(notes::geoip).country = country;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(country, std::string(is_spared ? passed : deferral), mail(plugin));
        }
        PluginUnderTest nowhere("greylisting", "geoip=US");
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), mail(nowhere));
    }

    void naughty_clients_are_not_remembered() {
        PluginUnderTest plugin("greylisting");
        plugin.connection().complain({.plugin = "dnsbl", .text = "listed"});
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(plugin));
        CPPUNIT_ASSERT_EQUAL(std::string("skip: naughty"), plugin.log().last());
        (void)plugin.connection().forgive();
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), mail(plugin));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("it is seen for the first time", std::string("fail: first seen"),
                                     plugin.log().last());
    }

    static void add_spf(PluginUnderTest& plugin, const char* result, const char* of) {
        ServerAccess::results(plugin.transaction())
            .add({.method = "spf", .result = result, .properties = {{"smtp", of, "example.net"}}});
    }

    void spf_karma_and_tls_spare_where_wished() {
        const auto spf_passed = [](PluginUnderTest& p) { add_spf(p, "pass", "mailfrom"); };
        const auto spf_failed = [](PluginUnderTest& p) { add_spf(p, "fail", "mailfrom"); };
        const auto spf_of_helo = [](PluginUnderTest& p) { add_spf(p, "pass", "helo"); };
        const struct {
            const char* name;
            const char* option;
            void (*set_up)(PluginUnderTest&);
            bool is_spared;
        } rows[] = {
            {"spf", "skip_spf_pass=yes", spf_passed, true},
            {"spf fail", "skip_spf_pass=yes", spf_failed, false},
            {"spf of the name", "skip_spf_pass=yes", spf_of_helo, false},
            {"spf, not wished", "", spf_passed, false},
            {"karma", "skip_karma=3", [](PluginUnderTest& p) { p.connection().set_karma(3); }, true},
            {"little karma", "skip_karma=3", [](PluginUnderTest& p) { p.connection().set_karma(2); }, false},
            {"history", "skip_karma=3",
             [](PluginUnderTest& p) { p.connection().notes().set(notes::karma_history, 5L); }, true},
            {"little history", "skip_karma=3",
             [](PluginUnderTest& p) { p.connection().notes().set(notes::karma_history, 2L); }, false},
            {"karma, not wished", "", [](PluginUnderTest& p) { p.connection().set_karma(30); }, false},
            {"tls", "skip_tls=1",
             [](PluginUnderTest& p) { p.connection().set_tls("TLSv1.3", "TLS_AES_256_GCM_SHA384"); }, true},
            {"no tls", "skip_tls=1", [](PluginUnderTest&) {}, false},
            {"tls, not wished", "",
             [](PluginUnderTest& p) { p.connection().set_tls("TLSv1.3", "TLS_AES_256_GCM_SHA384"); }, false},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("greylisting", row.option);
            row.set_up(plugin);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(row.is_spared ? passed : deferral), mail(plugin));
        }
    }

    void the_control_file_has_defaults() {
        PluginUnderTest plugin("greylisting", "black_timeout=10min",
                               {{"denysoft_greylist", "# the site's\nblack_timeout 1200\nsender 1\n"}});
        (void)mail(plugin);
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.1 me@example.net"), keys(plugin).front());
        plugin.clock().advance(minutes(10));
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(plugin));

        PluginUnderTest tolerant("greylisting", "", {{"denysoft_greylist", "reject 0\n"}});
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(tolerant));
        CPPUNIT_ASSERT_EQUAL(1u, record(tolerant).refused);

        const struct {
            const char* line;
            const char* problem;
        } rows[] = {{"blacktimeout 3", "denysoft_greylist:1: there is no option blacktimeout"},
                    {"sender 1\nblack_timeout never", "denysoft_greylist:2: black_timeout must be"},
                    {"reject naughty", "denysoft_greylist:1: reject must be"},
                    {"sender", "denysoft_greylist:1: sender must be one of"}};
        for (const auto& row : rows) {
            const auto problems =
                PluginUnderTest("greylisting", "", {{"denysoft_greylist", std::string(row.line) + "\n"}}).problems();
            CPPUNIT_ASSERT_MESSAGE(problems, problems.find(row.problem) != std::string::npos);
        }
    }

    void recipients_have_options_of_their_own() {
        PluginUnderTest plugin("greylisting", "per_recipient=1",
                               {{"denysoft_greylist", "deny_late 0 black_timeout 10min\n"}});
        (void)mail(plugin);
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), rcpt(plugin));  // the site's file is no recipient's
        CPPUNIT_ASSERT(!plugin.log().contains("there is no option"));

        plugin.connection().configured_by_users["denysoft_greylist"] = {"recipient 1", "black_timeout 1min"};
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), rcpt(plugin));
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.1 - you@example.com"), keys(plugin).back());
        plugin.clock().advance(minutes(1));
        CPPUNIT_ASSERT_EQUAL(std::string(passed), rcpt(plugin));

        plugin.connection().set_client("192.0.2.2");
        plugin.connection().configured_by_users["denysoft_greylist"] = {"reject 0"};
        CPPUNIT_ASSERT_EQUAL(std::string(passed), rcpt(plugin));
        CPPUNIT_ASSERT_EQUAL(std::string("skip: you@example.com does not want greylisting"), plugin.log().last());
        plugin.connection().configured_by_users["denysoft_greylist"] = {"deny_late 1"};
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), rcpt(plugin));
        CPPUNIT_ASSERT(plugin.log().contains("denysoft_greylist of you@example.com: there is no option deny_late"));
    }

    void a_store_that_fails_lets_mail_through() {
        PluginUnderTest plugin("greylisting");
        plugin.store().break_down();
        CPPUNIT_ASSERT_EQUAL(std::string(passed), mail(plugin));
        CPPUNIT_ASSERT_EQUAL(std::string("error: store: the store is broken"), plugin.log().last());
        PluginUnderTest strict("greylisting", "onerror=tempfail");
        strict.store().break_down();
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 451 4.3.0 Local error in processing"), mail(strict));
        strict.store().break_down(false);
        CPPUNIT_ASSERT_EQUAL(std::string(deferral), mail(strict));
    }

    void imported_entries_count() {
        PluginUnderTest plugin("greylisting");
        const auto records = plugin.store().open<GreylistRecord>("greylist");
        const auto now = plugin.clock().wall();
        CPPUNIT_ASSERT(records.put("192.0.2.1", {now - hours(2), 1, 0}, hours(24)));
        CPPUNIT_ASSERT(records.put("192.0.2.2", {now - minutes(1), 0, 3}, hours(24)));
        CPPUNIT_ASSERT(records.put("192.0.2.3", {now - minutes(1), 4, 0}, hours(24)));
        CPPUNIT_ASSERT(records.put("192.0.2.4", {now - hours(24 * 36), 0, 9}, hours(24)));
        for (const auto& [client, verdict] : {std::pair("192.0.2.1", passed), std::pair("192.0.2.2", passed),
                                              std::pair("192.0.2.3", deferral), std::pair("192.0.2.4", deferral)}) {
            plugin.connection().set_client(client);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(client, std::string(verdict), mail(plugin));
        }
    }

    void wrong_options_are_named() {
        const struct {
            const char* options;
            const char* problem;
        } rows[] = {
            {"remote_ip=0", "there is no key to remember a client by"},
            {"p0f=genre", "p0f: \"genre,\" must be genre or link and a regular expression"},
            {"p0f=genre,a(", "p0f: \"genre,a(\" must be"},
            {"p0f=distance,far", "p0f: \"distance,far\" must be"},
            {"p0f=colour,red", "p0f: \"colour,red\" must be"},
            {"ipv4_prefix=33", "from 8 to 32"},
            {"sender=sometimes", "one of no, yes, domain"},
            {"redis=localhost", "redis"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("greylisting", row.options);
            CPPUNIT_ASSERT_MESSAGE(row.options, !plugin.is_usable());
            CPPUNIT_ASSERT_MESSAGE(plugin.problems(), plugin.problems().find(row.problem) != std::string::npos);
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(GreylistingTest);

}  // namespace
}  // namespace smtpd
