/// dnsbl_test.cc: DNS lists: dnsbl, rhsbl, dns_whitelist_soft, and their common code (smtpd/dns/lists.h).
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <smtpd/dns/lists.h>

#include <algorithm>

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

/// The test entries of a good list.
void add_list(PluginUnderTest& plugin, const std::string& zone) {
    plugin.dns({"2.0.0.127." + zone + " A 127.0.0.2", "2.0.0.127." + zone + " TXT test entry"});
}

bool asked(PluginUnderTest& plugin, std::string_view question) {
    const auto& all = plugin.questions();
    return std::find(all.begin(), all.end(), question) != all.end();
}

std::size_t count(const std::string& text, std::string_view part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

class DnsListTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DnsListTest);
    CPPUNIT_TEST(answers_are_interpreted);
    CPPUNIT_TEST(entries_are_read);
    CPPUNIT_TEST(wrong_entries_are_refused);
    CPPUNIT_TEST(strangers_see_no_key);
    CPPUNIT_TEST_SUITE_END();

    static DnsAnswer answer(std::initializer_list<const char*> addresses) {
        auto records = std::make_shared<DnsRecords>();
        for (const char* address : addresses) records->addresses.push_back(*IpAddress::parse(address));
        return DnsAnswer(DnsStatus::found, std::chrono::seconds(60), records);
    }

public:
    void answers_are_interpreted() {
        const struct {
            const char* entry;
            DnsAnswer answer;
            bool is_listed;
            const char* problem;
        } rows[] = {
            {"bl.test", answer({"127.0.0.2"}), true, ""},
            {"bl.test", answer({"127.9.9.9"}), true, ""},
            {"bl.test", answer({"127.0.0.1"}), false,
             "answers 127.0.0.1, which means listed only if the entry names it"},
            {"bl.test", answer({"127.255.255.252"}), false, "refuses to answer (127.255.255.252)"},
            {"bl.test", answer({"127.255.255.0"}), false, "refuses to answer (127.255.255.0)"},
            {"bl.test", answer({"127.255.254.1"}), true, ""},
            {"bl.test", answer({"198.51.100.7"}), false, "answers 198.51.100.7, which is not a list's answer"},
            {"bl.test", answer({"127.255.255.254", "127.0.0.2"}), true, ""},
            {"bl.test=127.0.0.2", answer({"127.0.0.2"}), true, ""},
            {"bl.test=127.0.0.2", answer({"127.0.0.3"}), false, ""},
            {"bl.test=127.0.0.1", answer({"127.0.0.1"}), true, ""},
            {"bl.test=127.0.0.2,127.0.0.4-8", answer({"127.0.0.8"}), true, ""},
            {"bl.test=127.0.0.2,127.0.0.4-8", answer({"127.0.0.9"}), false, ""},
            {"bl.test=127.0.0.2,127.0.0.4-8", answer({"127.0.0.10", "127.0.0.2"}), true, ""},
            {"bl.test=127.0.*.1-3", answer({"127.0.200.2"}), true, ""},
            {"bl.test=127.0.*.1-3", answer({"127.0.200.0"}), false, ""},
            {"bl.test=127.*.*.*", answer({"127.255.255.255"}), false, "refuses to answer (127.255.255.255)"},
            {"bl.test", DnsAnswer(DnsStatus::no_such_name), false, ""},
            {"bl.test", DnsAnswer(DnsStatus::no_data), false, ""},
            {"bl.test", DnsAnswer(DnsStatus::timed_out), false, "no answer in time"},
            {"bl.test", DnsAnswer(DnsStatus::server_failure), false, "server failure"},
        };
        for (const auto& row : rows) {
            const auto list = DnsList::parse(row.entry);
            CPPUNIT_ASSERT_MESSAGE(row.entry, static_cast<bool>(list));
            std::string problem;
            const std::string what = std::string(row.entry) + ": " + row.answer.to_string();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, row.is_listed, (*list).lists(row.answer, problem));
            if (!row.is_listed) CPPUNIT_ASSERT_EQUAL_MESSAGE(what, std::string(row.problem), problem);
        }
    }

    void entries_are_read() {
        const struct {
            const char* entry;
            const char* zone;
            const char* text;
        } rows[] = {
            {"bl.test", "bl.test", ""},
            {"BL.Test.", "bl.test", ""},
            {"bl.test:you, %IP%: see https://bl.test/", "bl.test", "you, %IP%: see https://bl.test/"},
            {"bl.test\t listed = bad ", "bl.test", "listed = bad"},
            {"bl.test=127.0.0.2,127.0.0.3:text", "bl.test", "text"},
            {"bl.test=127.0.0.2 text, with comma", "bl.test", "text, with comma"},
        };
        for (const auto& row : rows) {
            const auto list = DnsList::parse(row.entry);
            CPPUNIT_ASSERT_MESSAGE(row.entry, static_cast<bool>(list));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.entry, std::string(row.zone), (*list).zone());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.entry, std::string(row.text), (*list).text());
        }
    }

    void wrong_entries_are_refused() {
        for (const char* entry : {"", "=127.0.0.2", "a..b", "bl.test=", "bl.test=127.0.0", "bl.test=127.0.0.2.3",
                                  "bl.test=127.0.0.256", "bl.test=127.0.0.5-2", "bl.test=10.0.0.1", "bl.test=*.0.0.2",
                                  "bl.test=127.0.0.2,", "bl.test=127.0.0.-1", "bl.test=127.0.0.2x", "bl.test=::1"})
            CPPUNIT_ASSERT_MESSAGE(entry, !DnsList::parse(entry));
    }

    void strangers_see_no_key() {
        const struct {
            const char* zone;
            const char* shown;
        } rows[] = {
            {"bl.test", "bl.test"},
            {"test", "test"},
            {"zen.example.org", "zen.example.org"},
            {"dnsbl-1.example.net", "dnsbl-1.example.net"},
            {"backscatter.example.com", "backscatter.example.com"},
            {"ix.dnsbl.example.net", "dnsbl.example.net"},  // it may be a short key
            {"a1b2c3d4e5f6g7h8i9j0k1l2m3.zen.dq.example.net", "dq.example.net"},
            {"0123456789abcdef.example.net", "example.net"},
            {"zen.0123456789abcdef.example.net", "example.net"},
            {"abcdefghijklmnopqrstuvwxyz.example.net", "example.net"},
            {"x7f3k9q2m.example.net", "example.net"},
            {"customer.combined.mail.example.zone", "mail.example.zone"},
            {"0123456789abcdef.test", "0123456789abcdef.test"},  // a domain, not a key
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL(std::string(row.shown), DnsList::parse(row.zone)->shown_zone());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DnsListTest);

class DnsblTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DnsblTest);
    CPPUNIT_TEST(listed_clients_are_refused);
    CPPUNIT_TEST(texts_come_from_configuration_or_list);
    CPPUNIT_TEST(replies_show_no_key);
    CPPUNIT_TEST(the_first_list_decides);
    CPPUNIT_TEST(a_time_out_is_neither_listed_nor_not_listed);
    CPPUNIT_TEST(error_answers_are_no_listing);
    CPPUNIT_TEST(a_wildcard_list_is_switched_off);
    CPPUNIT_TEST(a_dead_list_is_switched_off_and_on_again);
    CPPUNIT_TEST(a_list_that_refuses_is_switched_off);
    CPPUNIT_TEST(a_silent_list_is_switched_off_after_ten_tests);
    CPPUNIT_TEST(the_self_test_comes_at_intervals);
    CPPUNIT_TEST(the_self_test_can_be_left_out);
    CPPUNIT_TEST(allowed_and_immune_clients_are_not_looked_up);
    CPPUNIT_TEST(a_changed_file_counts_at_once);
    CPPUNIT_TEST(reject_options_decide);
    CPPUNIT_TEST(complaints_get_through);
    CPPUNIT_TEST(a_pardon_takes_later_complaints_along);
    CPPUNIT_TEST(a_relay_client_stays_pardoned);
    CPPUNIT_TEST(a_pardon_does_not_reach_beyond_complaints);
    CPPUNIT_TEST(the_timeout_limits_the_wait);
    CPPUNIT_TEST(mistakes_are_named);
    CPPUNIT_TEST_SUITE_END();

public:
    void listed_clients_are_refused() {
        const struct {
            const char* client;
            const char* answer;
        } rows[] = {
            {"192.0.2.1", "deny 5.7.1 192.0.2.1 is listed by bl.test"},
            {"192.0.2.2", "declined"},
            {"2001:db8::1", "deny 5.7.1 2001:db8::1 is listed by bl.test"},
            {"2001:db8::2", "declined"},
        };
        for (const char* options : {"", "zones=bl.test"}) {
            PluginUnderTest plugin("dnsbl", options, {{"dnsbl_zones", *options ? "" : "# lists\nbl.test\n"}});
            add_list(plugin, "bl.test");
            plugin.dns({"1.2.0.192.bl.test A 127.0.0.2",
                        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test A 127.0.0.3"});
            for (const auto& row : rows) {
                plugin.reconnect();
                plugin.connection().set_client(row.client);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.client, std::string(row.answer), shown(plugin.connect()));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.client, row.answer == std::string("declined") ? 0 : -1,
                                             plugin.connection().karma());
            }
        }
    }

    void texts_come_from_configuration_or_list() {
        const struct {
            const char* zone;
            const char* answer;
        } rows[] = {
            {"bl.test", "deny 5.7.1 seen at trap 7"},
            {"bl.test:%IP%, go away, %IP%", "deny 5.7.1 192.0.2.1, go away, 192.0.2.1"},
            {"bl.test=127.0.0.2 not you", "deny 5.7.1 not you"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("dnsbl", "", {{"dnsbl_zones", std::string(row.zone) + "\n"}});
            add_list(plugin, "bl.test");
            plugin.dns({"1.2.0.192.bl.test A 127.0.0.2", "1.2.0.192.bl.test TXT seen at trap 7"});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.zone, std::string(row.answer), shown(plugin.connect()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.zone, std::string(row.zone) == "bl.test",
                                         asked(plugin, "1.2.0.192.bl.test TXT"));
        }
        PluginUnderTest plugin("dnsbl", "zones=bl.test");
        add_list(plugin, "bl.test");
        plugin.dns({"1.2.0.192.bl.test A 127.0.0.2", "1.2.0.192.bl.test TXT " + std::string(3000, 'x')});
        CPPUNIT_ASSERT_EQUAL(std::size_t(300), plugin.connect().text.size());
    }

    void replies_show_no_key() {
        const std::string zone = "a1b2c3d4e5f6g7h8.zen.dq.example.net";
        for (const std::string type : {"naughty", "reject_type=perm", "reject_type=temp"}) {
            PluginUnderTest plugin("dnsbl", (type == "naughty" ? "reject=naughty zones=" : type + " zones=") + zone);
            add_list(plugin, zone);
            plugin.dns({"1.2.0.192." + zone + " A 127.0.0.2"});
            std::string told = shown(plugin.connect());
            for (const auto& complaint : plugin.connection().complaints()) told += complaint.text;
            CPPUNIT_ASSERT_MESSAGE(told, told.find("192.0.2.1 is listed by dq.example.net") != std::string::npos);
            CPPUNIT_ASSERT_MESSAGE(told, told.find("a1b2") == std::string::npos);
            CPPUNIT_ASSERT(plugin.log().contains("fail: 192.0.2.1 is listed by " + zone + " (127.0.0.2)") ||
                           plugin.log().contains("is listed by " + zone));
        }
        PluginUnderTest plugin("dnsbl", "zones=" + zone);
        add_list(plugin, zone);
        plugin.dns({"1.2.0.192." + zone + " A 127.0.0.2",
                    "1.2.0.192." + zone + " TXT see 1.2.0.192.A1B2C3D4E5F6G7H8.zen.dq.EXAMPLE.net, " + zone + "!"});
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.7.1 see 1.2.0.192.dq.example.net, dq.example.net!"),
                             shown(plugin.connect()));
        PluginUnderTest domains("rhsbl", "self_test=0 zones=" + zone);
        domains.dns({"spam.example." + zone + " A 127.0.1.2"});
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.7.1 spam.example is listed by dq.example.net"),
                             shown(domains.mail("me@spam.example")));
    }

    void the_first_list_decides() {
        PluginUnderTest plugin("dnsbl", "zones=c.test",
                               {{"dnsbl_zones", "a.test\nb.test:b has you\nd.test:d has you\n"}});
        for (const char* zone : {"a.test", "b.test", "c.test", "d.test"}) add_list(plugin, zone);
        plugin.dns({"1.2.0.192.b.test A 127.0.0.2", "1.2.0.192.d.test A 127.0.0.2", "1.2.0.192.a.test TIMEOUT"});
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.7.1 b has you"), shown(plugin.connect()));
        CPPUNIT_ASSERT_EQUAL(std::string("fail: 192.0.2.1 is listed by b.test (127.0.0.2)"), plugin.log().last());
        CPPUNIT_ASSERT_EQUAL(-1, plugin.connection().karma());
        CPPUNIT_ASSERT_EQUAL(std::string("1.0.0.127.c.test A"), plugin.questions().front());
    }

    void a_time_out_is_neither_listed_nor_not_listed() {
        PluginUnderTest plugin("dnsbl", "zones=bl.test zones=slow.test");
        add_list(plugin, "bl.test");
        add_list(plugin, "slow.test");
        plugin.dns({"1.2.0.192.slow.test TIMEOUT"});
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.connect()));
        CPPUNIT_ASSERT_EQUAL(std::string("error: slow.test: no answer in time"), plugin.log().last());
        CPPUNIT_ASSERT_EQUAL(0, plugin.connection().karma());
        PluginUnderTest careful("dnsbl", "zones=slow.test onerror=tempfail");
        add_list(careful, "slow.test");
        careful.dns({"1.2.0.192.slow.test SERVFAIL"});
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 451 4.4.3 Temporary address resolution failure"),
                             shown(careful.connect()));
    }

    void error_answers_are_no_listing() {
        PluginUnderTest plugin("dnsbl", "zones=bl.test");
        add_list(plugin, "bl.test");
        plugin.dns({"1.2.0.192.bl.test A 127.255.255.254"});
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.connect()));
        CPPUNIT_ASSERT_EQUAL(std::string("error: bl.test: refuses to answer (127.255.255.254)"), plugin.log().last());
    }

    void a_wildcard_list_is_switched_off() {
        PluginUnderTest plugin("dnsbl", "zones=sold.test");
        for (const char* address : {"1.2.0.192", "1.0.0.127", "2.0.0.127"})
            plugin.dns({std::string(address) + ".sold.test A 127.0.0.2"});
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.connect()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), plugin.log().texts(LogLevel::error).size());
        CPPUNIT_ASSERT(plugin.log().contains(
            "the list sold.test IS SWITCHED OFF: it lists 127.0.0.1 (127.0.0.2), and so everything"));
        CPPUNIT_ASSERT_EQUAL(std::string("pass"), plugin.log().last());
        const auto before = plugin.questions().size();
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.connect()));
        CPPUNIT_ASSERT_EQUAL(before, plugin.questions().size());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), count(plugin.log().to_string(), "SWITCHED OFF"));
    }

    void a_dead_list_is_switched_off_and_on_again() {
        PluginUnderTest plugin("dnsbl", "zones=dead.test");
        plugin.dns({"1.2.0.192.dead.test A 127.0.0.2"});
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.connect()));
        CPPUNIT_ASSERT(plugin.log().contains(
            "the list dead.test IS SWITCHED OFF: it does not list 127.0.0.2, which every working list does"));
        add_list(plugin, "dead.test");
        plugin.clock().advance(std::chrono::minutes(9));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.connect()));
        plugin.clock().advance(std::chrono::minutes(2));
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.connect()));  // the test is made, and the list was
                                                                                 // not asked about this client
        CPPUNIT_ASSERT(plugin.log().contains("the list dead.test passes its test again and is used"));
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.7.1 192.0.2.1 is listed by dead.test"), shown(plugin.connect()));
    }

    void a_list_that_refuses_is_switched_off() {
        for (const char* address : {"127.255.255.254", "203.0.113.9"}) {
            PluginUnderTest plugin("dnsbl", "zones=bl.test");
            plugin.dns({std::string("2.0.0.127.bl.test A ") + address, "1.2.0.192.bl.test A 127.0.0.2"});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(address, std::string("declined"), shown(plugin.connect()));
            CPPUNIT_ASSERT_MESSAGE(address, plugin.log().contains("the list bl.test IS SWITCHED OFF: it "));
        }
    }

    void a_silent_list_is_switched_off_after_ten_tests() {
        PluginUnderTest plugin("dnsbl", "zones=slow.test zones=bl.test");
        add_list(plugin, "bl.test");
        plugin.dns({"2.0.0.127.slow.test TIMEOUT", "1.0.0.127.slow.test TIMEOUT", "1.2.0.192.slow.test TIMEOUT"});
        for (int i = 0; i < 10; ++i) {
            CPPUNIT_ASSERT_EQUAL(std::size_t(0), count(plugin.log().to_string(), "SWITCHED OFF"));
            (void)plugin.connect();
            (void)plugin.connect();  // does not count: it is no test
            plugin.clock().advance(std::chrono::seconds(61));
        }
        CPPUNIT_ASSERT(plugin.log().contains(
            "the list slow.test IS SWITCHED OFF: it has not answered for a long time: no answer in time"));
        (void)plugin.connect();
        CPPUNIT_ASSERT_EQUAL(std::string("pass"), plugin.log().last());
    }

    void the_self_test_comes_at_intervals() {
        PluginUnderTest plugin("dnsbl", "zones=bl.test self_test=2h");
        add_list(plugin, "bl.test");
        (void)plugin.connect();
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), plugin.questions().size());
        (void)plugin.connect();
        CPPUNIT_ASSERT_EQUAL(std::size_t(4), plugin.questions().size());
        plugin.clock().advance(std::chrono::hours(2));
        plugin.dns({"1.0.0.127.bl.test A 127.0.0.2"});
        (void)plugin.connect();
        CPPUNIT_ASSERT_EQUAL(std::size_t(7), plugin.questions().size());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), count(plugin.log().to_string(), "SWITCHED OFF"));
    }

    void the_self_test_can_be_left_out() {
        PluginUnderTest plugin("dnsbl", "zones=six.test self_test=0");
        plugin.connection().set_client("2001:db8::1");
        plugin.dns({"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.six.test A 127.0.0.2"});
        CPPUNIT_ASSERT_EQUAL(std::string("deny"), shown(plugin.connect()).substr(0, 4));
        CPPUNIT_ASSERT(!asked(plugin, "2.0.0.127.six.test A"));
    }

    void allowed_and_immune_clients_are_not_looked_up() {
        PluginUnderTest plugin("dnsbl", "zones=bl.test", {{"dnsbl_allow", "192.0.2.\n"}});
        (void)plugin.connect();
        CPPUNIT_ASSERT(plugin.questions().empty());
        CPPUNIT_ASSERT_EQUAL(std::string("skip: 192.0.2.1 is in dnsbl_allow"), plugin.log().last());
        plugin.reconnect();
        plugin.connection().set_client("198.51.100.1");
        plugin.connection().set_relay_client(true);
        (void)plugin.connect();
        CPPUNIT_ASSERT(plugin.questions().empty());
    }

    void a_changed_file_counts_at_once() {
        PluginUnderTest plugin("dnsbl", "", {{"dnsbl_zones", "a.test\n"}});
        add_list(plugin, "a.test");
        add_list(plugin, "b.test");
        plugin.dns({"1.2.0.192.b.test A 127.0.0.2"});
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.connect()));
        plugin.write_control("dnsbl_zones", "b.test\n");
        CPPUNIT_ASSERT_EQUAL(std::string("deny"), shown(plugin.connect()).substr(0, 4));
        plugin.write_control("dnsbl_zones", "c.test=nonsense\n");
        CPPUNIT_ASSERT_EQUAL(std::string("deny"), shown(plugin.connect()).substr(0, 4));
        CPPUNIT_ASSERT(plugin.log().contains("the previous content stays in use"));
    }

    void reject_options_decide() {
        const struct {
            const char* options;
            const char* verdict;
        } rows[] = {{"", "deny"},
                    {"disconnect", "deny_disconnect"},
                    {"temp", "denysoft"},
                    {"reject_type=temp", "denysoft"},
                    {"reject=0", "declined"},
                    {"reject naughty", "declined"},
                    {"perm reject 1", "deny"},
                    {"temp_disconnect", "denysoft_disconnect"}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("dnsbl", std::string(row.options) + " zones=bl.test");
            add_list(plugin, "bl.test");
            plugin.dns({"1.2.0.192.bl.test A 127.0.0.2"});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(row.verdict),
                                         std::string(verdict_name(plugin.connect().verdict)));
        }
    }

    /// A naughty client, listed.
    static PluginUnderTest& naughty(PluginUnderTest& plugin) {
        add_list(plugin, "bl.test");
        plugin.dns({"1.2.0.192.bl.test A 127.0.0.2"});
        (void)plugin.connect();
        CPPUNIT_ASSERT(plugin.connection().is_naughty());
        return plugin;
    }
    static void accept(PluginUnderTest& plugin, const char* recipient) {
        plugin.transaction().add_recipient(recipient);
    }

    void complaints_get_through() {
        for (const char* recipient : {"postmaster@example.com", "Abuse@example.com", "mailer-daemon@example.com",
                                      "ROOT@example.com", "postmaster"}) {
            PluginUnderTest plugin("dnsbl", "zones=bl.test reject=naughty reject_type=disconnect");
            naughty(plugin);
            (void)plugin.rcpt(recipient);
            CPPUNIT_ASSERT_MESSAGE(recipient, !plugin.connection().is_naughty());
            accept(plugin, "postmaster@example.com");
            (void)plugin.data();
            CPPUNIT_ASSERT_MESSAGE(recipient, !plugin.connection().is_naughty());
            (void)plugin.reset_transaction();
            const auto& again = plugin.connection().complaints();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(recipient, std::size_t(1), again.size());
            CPPUNIT_ASSERT_EQUAL(std::string("dnsbl"), again.front().plugin);
            CPPUNIT_ASSERT(again.front().is_told && again.front().verdict == Verdict::deny_disconnect);
        }
    }

    void a_pardon_takes_later_complaints_along() {
        PluginUnderTest plugin("dnsbl", "zones=bl.test reject=naughty");
        naughty(plugin);
        plugin.connection().complain({.plugin = "helo", .subject = HookSubject::hello, .is_told = false});
        (void)plugin.rcpt("postmaster@example.com");
        CPPUNIT_ASSERT(!plugin.connection().is_naughty());
        (void)plugin.reset_transaction();
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), plugin.connection().complaints().size());
        CPPUNIT_ASSERT(plugin.connection().complaints()[1].plugin == "helo" &&
                       !plugin.connection().complaints()[1].is_told);
    }

    void a_relay_client_stays_pardoned() {
        PluginUnderTest plugin("dnsbl", "zones=bl.test reject=naughty");
        naughty(plugin);
        (void)plugin.rcpt("postmaster@example.com");
        plugin.connection().set_relay_client(true);  // as a plugin may find out
        (void)plugin.reset_transaction();
        CPPUNIT_ASSERT(!plugin.connection().is_naughty());
    }

    void a_pardon_does_not_reach_beyond_complaints() {
        PluginUnderTest plugin("dnsbl", "zones=bl.test reject=naughty");
        naughty(plugin);
        (void)plugin.rcpt("abuser@example.com");
        CPPUNIT_ASSERT(plugin.connection().is_naughty());
        (void)plugin.rcpt("postmaster@example.com");
        CPPUNIT_ASSERT(!plugin.connection().is_naughty());
        accept(plugin, "postmaster@example.com");
        (void)plugin.rcpt("user@example.com");
        CPPUNIT_ASSERT(plugin.connection().is_naughty());
        (void)plugin.data();  // only postmaster was accepted
        CPPUNIT_ASSERT(!plugin.connection().is_naughty());
        (void)plugin.reset_transaction();

        plugin.reset();
        accept(plugin, "user@example.com");
        (void)plugin.rcpt("postmaster@example.com");
        CPPUNIT_ASSERT(plugin.connection().is_naughty());
        accept(plugin, "postmaster@example.com");
        (void)plugin.data();
        CPPUNIT_ASSERT(plugin.connection().is_naughty());

        PluginUnderTest other("dnsbl", "zones=bl.test reject=naughty");
        other.connection().complain({.plugin = "earlytalker", .verdict = Verdict::deny, .text = "too early"});
        (void)other.rcpt("postmaster@example.com");
        CPPUNIT_ASSERT(other.connection().is_naughty());
    }

    void the_timeout_limits_the_wait() {
        PluginUnderTest plugin("dnsbl", "zones=bl.test timeout=2s");
        ConnectHook hook(HookId::connect, plugin.connection());
        engine::Wait wait;
        plugin.plugins().ask(hook, wait);
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), wait.questions.size());
        for (const auto& question : wait.questions) CPPUNIT_ASSERT(question.limit == std::chrono::seconds(2));
    }

    void mistakes_are_named() {
        CPPUNIT_ASSERT(PluginUnderTest("dnsbl", "", {{"dnsbl_zones", "a.test\nb.test=1.2.3.4\n"}})
                           .problems()
                           .find("dnsbl_zones:2: ") != std::string::npos);
        CPPUNIT_ASSERT(PluginUnderTest("dnsbl", "zones=b.test=127.0.0")
                           .problems()
                           .find("\"127.0.0\" is not the answer of a list") != std::string::npos);
        CPPUNIT_ASSERT(!PluginUnderTest("dnsbl", "harsh").is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DnsblTest);

class RhsblTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RhsblTest);
    CPPUNIT_TEST(listed_domains_are_refused);
    CPPUNIT_TEST(texts_come_from_configuration_or_list);
    CPPUNIT_TEST(the_self_test_is_that_of_domains);
    CPPUNIT_TEST(a_time_out_decides_nothing);
    CPPUNIT_TEST(immune_clients_are_not_judged);
    CPPUNIT_TEST(reject_options_decide);
    CPPUNIT_TEST_SUITE_END();

    static void add_domains(PluginUnderTest& plugin, const std::string& zone) {
        plugin.dns({"test." + zone + " A 127.0.1.2", "spam.example." + zone + " A 127.0.1.2"});
    }

public:
    void listed_domains_are_refused() {
        const struct {
            const char* sender;
            const char* answer;
            const char* line;
        } rows[] = {
            {"me@spam.example", "deny 5.7.1 spam.example is listed by dbl.test",
             "fail: spam.example is listed by dbl.test (127.0.1.2)"},
            {"me@Spam.EXAMPLE", "deny 5.7.1 spam.example is listed by dbl.test",
             "fail: spam.example is listed by dbl.test (127.0.1.2)"},
            {"me@BÜCHER.example", "deny 5.7.1 xn--bcher-kva.example is listed by dbl.test",
             "fail: xn--bcher-kva.example is listed by dbl.test (127.0.1.2)"},
            {"me@good.example", "declined", "pass"},
            {"", "declined", "skip: null sender"},
            {"me@[192.0.2.1]", "declined", "skip: no domain"},
        };
        PluginUnderTest plugin("rhsbl", "", {{"rhsbl_zones", "dbl.test\n"}});
        add_domains(plugin, "dbl.test");
        plugin.dns({"xn--bcher-kva.example.dbl.test A 127.0.1.2"});
        for (const auto& row : rows) {
            plugin.reconnect();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.sender, std::string(row.answer), shown(plugin.mail(row.sender)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.sender, std::string(row.line), plugin.log().last());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.sender, row.answer == std::string("declined") ? 0 : -1,
                                         plugin.connection().karma());
        }
    }

    void texts_come_from_configuration_or_list() {
        const struct {
            const char* zone;
            const char* answer;
        } rows[] = {
            {"dbl.test", "deny 5.7.1 Mail from spam.example: known for spam"},
            {"dbl.test we know %DOMAIN%", "deny 5.7.1 Mail from spam.example: we know spam.example"},
            {"dbl.test=127.0.1.3-9 other", "declined"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("rhsbl", "", {{"rhsbl_zones", std::string(row.zone) + "\n"}});
            add_domains(plugin, "dbl.test");
            plugin.dns({"spam.example.dbl.test TXT known for spam"});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.zone, std::string(row.answer), shown(plugin.mail("me@spam.example")));
        }
    }

    void the_self_test_is_that_of_domains() {
        PluginUnderTest wild("rhsbl", "zones=sold.test");
        add_domains(wild, "sold.test");
        wild.dns({"invalid.sold.test A 127.0.1.2"});
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(wild.mail("me@spam.example")));
        CPPUNIT_ASSERT(
            wild.log().contains("the list sold.test IS SWITCHED OFF: it lists INVALID (127.0.1.2), and so everything"));
        PluginUnderTest dead("rhsbl", "zones=dead.test");
        dead.dns({"spam.example.dead.test A 127.0.1.2"});
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(dead.mail("me@spam.example")));
        CPPUNIT_ASSERT(dead.log().contains("the list dead.test IS SWITCHED OFF: it does not list TEST"));
        PluginUnderTest untested("rhsbl", "zones=dead.test self_test=0");
        untested.dns({"spam.example.dead.test A 127.0.1.2"});
        CPPUNIT_ASSERT_EQUAL(std::string("deny"), shown(untested.mail("me@spam.example")).substr(0, 4));
    }

    void a_time_out_decides_nothing() {
        PluginUnderTest plugin("rhsbl", "zones=dbl.test");
        add_domains(plugin, "dbl.test");
        plugin.dns({"slow.example.dbl.test TIMEOUT"});
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.mail("me@slow.example")));
        CPPUNIT_ASSERT_EQUAL(std::string("error: dbl.test: no answer in time"), plugin.log().last());
        PluginUnderTest careful("rhsbl", "zones=dbl.test onerror=tempfail timeout=1s");
        add_domains(careful, "dbl.test");
        careful.dns({"slow.example.dbl.test TIMEOUT"});
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 451 4.4.3 Temporary address resolution failure"),
                             shown(careful.mail("me@slow.example")));
    }

    void immune_clients_are_not_judged() {
        PluginUnderTest plugin("rhsbl", "zones=dbl.test");
        plugin.connection().set_whitelisted("a friend");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.mail("me@spam.example")));
        CPPUNIT_ASSERT(plugin.questions().empty());
    }

    void reject_options_decide() {
        const struct {
            const char* options;
            const char* verdict;
        } rows[] = {{"disconnect", "deny_disconnect"},
                    {"reject_type=temp", "denysoft"},
                    {"reject=0", "declined"},
                    {"reject naughty", "declined"}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("rhsbl", std::string(row.options) + " zones=dbl.test");
            add_domains(plugin, "dbl.test");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(row.verdict),
                                         std::string(verdict_name(plugin.mail("me@spam.example").verdict)));
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(RhsblTest);

class DnsWhitelistSoftTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DnsWhitelistSoftTest);
    CPPUNIT_TEST(listed_clients_are_exempt);
    CPPUNIT_TEST(doubtful_answers_exempt_nobody);
    CPPUNIT_TEST(a_list_of_everybody_is_switched_off);
    CPPUNIT_TEST(exempt_clients_are_not_looked_up);
    CPPUNIT_TEST_SUITE_END();

public:
    void listed_clients_are_exempt() {
        const struct {
            const char* zone;
            const char* client;
            const char* why;
        } rows[] = {
            {"wl.test", "192.0.2.1", "wl.test (127.0.5.2) a bank"},
            {"wl.test=127.0.*.2-3", "192.0.2.1", "wl.test (127.0.5.2) a bank"},
            {"wl.test ours", "192.0.2.1", "wl.test (127.0.5.2) ours"},
            {"wl.test=127.0.*.3", "192.0.2.1", ""},
            {"wl.test", "192.0.2.2", ""},
            {"wl.test", "2001:db8::1", "wl.test (127.0.0.2) "},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("dns_whitelist_soft", "", {{"whitelist_zones", std::string(row.zone) + "\n"}});
            plugin.connection().set_client(row.client);
            plugin.dns({"1.2.0.192.wl.test A 127.0.5.2", "1.2.0.192.wl.test TXT a bank",
                        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.wl.test A 127.0.0.2"});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.zone, std::string("declined"), shown(plugin.connect()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.zone, std::string(row.why), plugin.connection().whitelisted());
        }
    }

    void doubtful_answers_exempt_nobody() {
        for (const char* record :
             {"1.2.0.192.wl.test TIMEOUT", "1.2.0.192.wl.test SERVFAIL", "1.2.0.192.wl.test A 127.255.255.255",
              "1.2.0.192.wl.test A 203.0.113.1", "1.2.0.192.wl.test TXT only text"}) {
            PluginUnderTest plugin("dns_whitelist_soft", "zones=wl.test timeout=1s");
            plugin.dns({record});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(record, std::string("declined"), shown(plugin.connect()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(record, std::string(), plugin.connection().whitelisted());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(record, std::string(record).find("TXT") == std::string::npos,
                                         plugin.log().contains("error: wl.test: "));
        }
    }

    void a_list_of_everybody_is_switched_off() {
        PluginUnderTest plugin("dns_whitelist_soft", "zones=sold.test");
        plugin.dns({"1.2.0.192.sold.test A 127.0.0.2", "1.0.0.127.sold.test A 127.0.0.2"});
        (void)plugin.connect();
        CPPUNIT_ASSERT_EQUAL(std::string(), plugin.connection().whitelisted());
        CPPUNIT_ASSERT(plugin.log().contains("the list sold.test IS SWITCHED OFF"));
        PluginUnderTest untested("dns_whitelist_soft", "zones=sold.test self_test=0");
        untested.dns({"1.2.0.192.sold.test A 127.0.0.2", "1.0.0.127.sold.test A 127.0.0.2"});
        (void)untested.connect();
        CPPUNIT_ASSERT(!untested.connection().whitelisted().empty());
    }

    void exempt_clients_are_not_looked_up() {
        PluginUnderTest plugin("dns_whitelist_soft", "zones=wl.test");
        plugin.connection().set_relay_client(true);
        (void)plugin.connect();
        CPPUNIT_ASSERT(plugin.questions().empty());
        CPPUNIT_ASSERT_EQUAL(std::string(), plugin.connection().whitelisted());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DnsWhitelistSoftTest);

}  // namespace
}  // namespace smtpd
