/// limit_test.cc: limits of events in a period.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;
using std::chrono::minutes, std::chrono::seconds;

class LimitTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LimitTest);
    CPPUNIT_TEST(connections_are_counted_in_a_time);
    CPPUNIT_TEST(neighbours_are_taken_together_by_prefix);
    CPPUNIT_TEST(messages_are_counted_for_whom_the_option_says);
    CPPUNIT_TEST(recipients_are_counted_for_whom_the_option_says);
    CPPUNIT_TEST(logins_are_limited_although_they_may_relay);
    CPPUNIT_TEST(errors_count_for_the_next_connection);
    CPPUNIT_TEST(failed_logins_close_auth);
    CPPUNIT_TEST(what_is_no_wrong_password_is_not_counted);
    CPPUNIT_TEST(failed_logins_count_by_name_whoever_tries);
    CPPUNIT_TEST(every_mechanism_is_closed_for_a_name_before_back_ends_are_asked);
    CPPUNIT_TEST(names_of_any_length_are_counted);
    CPPUNIT_TEST(the_exempt_are_not_counted);
    CPPUNIT_TEST(reject_options_hold);
    CPPUNIT_TEST(limits_with_other_times_have_their_own_counters);
    CPPUNIT_TEST(a_store_that_fails_lets_everybody_in);
    CPPUNIT_TEST(wrong_options_are_named);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* passed = "declined";

    static std::vector<std::string> keys(PluginUnderTest& plugin) {
        std::vector<std::string> out;
        const auto page = plugin.store().open<std::int64_t>("limit").list();
        for (const auto& entry : page->entries) out.push_back(entry.key + "=" + std::to_string(entry.value));
        std::sort(out.begin(), out.end());
        return out;
    }
    /// Tries AUTH so many times, each with this reply of the back ends; returns the reply to the last attempt.
    static std::string try_logins(PluginUnderTest& plugin, int times, std::string_view user = "bob", int code = 535) {
        std::string last;
        for (int i = 0; i < times; ++i) {
            std::string argument = "PLAIN AGEAYg==";
            last = shown(plugin.run(ParseHook(HookId::auth_parse, plugin.connection(), argument)));
            if (last != passed) continue;  // no exchange begins
            last = shown(plugin.auth_plain(user, "wrong"));
            plugin.auth_result(user, last == passed ? code : 454);
        }
        return last;
    }

public:
    void connections_are_counted_in_a_time() {
        PluginUnderTest plugin("limit", "connections max=2 time=10min");
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.connect()));
        plugin.clock().advance(minutes(9));
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.connect()));
        CPPUNIT_ASSERT_EQUAL(std::string("pass: 2 of 2: connections/600 192.0.2.1"), plugin.log().last());
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 4.7.0 Too many connections from 192.0.2.1, please try again later"),
                             shown(plugin.connect()));
        CPPUNIT_ASSERT_EQUAL(std::string("fail: 3, 2 are permitted: connections/600 192.0.2.1"), plugin.log().last());
        plugin.connection().set_client("192.0.2.2");
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.connect()));
        plugin.connection().set_client("192.0.2.1");
        plugin.clock().advance(minutes(1));
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.connect()));
    }

    void neighbours_are_taken_together_by_prefix() {
        const struct {
            const char* options;
            const char* first;
            const char* second;
            bool is_one;
        } rows[] = {
            {"", "192.0.2.1", "192.0.2.2", false},
            {"ipv4_prefix=24", "192.0.2.1", "192.0.2.200", true},
            {"", "2001:db8::1", "2001:db8::2", true},
            {"", "2001:db8::1", "2001:db8:0:1::1", false},
            {"ipv6_prefix=128", "2001:db8::1", "2001:db8::2", false},
            {"per=everybody", "192.0.2.1", "2001:db8::1", true},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("limit", std::string("what=connections max=1 ") + row.options);
            plugin.connection().set_client(row.first);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(passed), shown(plugin.connect()));
            plugin.connection().set_client(row.second);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, row.is_one, is_denial(plugin.connect().verdict));
        }
    }

    void messages_are_counted_for_whom_the_option_says() {
        const struct {
            const char* per;
            const char* sender;
            const char* key;
        } rows[] = {
            {"client", "Me@Example.net", "messages/3600 192.0.2.1=1"},
            {"sender", "Me@Example.net", "messages/3600 me@example.net=1"},
            {"sender", "", "messages/3600 <>=1"},
            {"sender_domain", "Me@Example.net", "messages/3600 @example.net=1"},
            {"sender", "Me@BÜCHER.example", "messages/3600 me@xn--bcher-kva.example=1"},
            {"sender_domain", "Me@xn--bcher-kva.example", "messages/3600 @xn--bcher-kva.example=1"},
            {"sender_domain", "Me@Bücher.example", "messages/3600 @xn--bcher-kva.example=1"},
            {"everybody", "Me@Example.net", "messages/3600 everybody=1"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("limit", std::string("messages max=1 per=") + row.per);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.key, std::string(passed), shown(plugin.mail(row.sender)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.key, std::string(row.key), keys(plugin).front());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.key, std::string("denysoft"),
                                         std::string(verdict_name(plugin.mail(row.sender).verdict)));
        }
        PluginUnderTest plugin("limit", "messages max=1 per=sender");
        (void)plugin.mail("me@example.net");
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.mail("you@example.net")));
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 4.7.0 Too many messages, please try again later"),
                             shown(plugin.mail("ME@example.net")));
    }

    void recipients_are_counted_for_whom_the_option_says() {
        const struct {
            const char* per;
            const char* key;
        } rows[] = {
            {"client", "recipients/60 192.0.2.1=1"},           {"sender", "recipients/60 me@example.net=1"},
            {"recipient", "recipients/60 you@example.com=1"},  {"recipient_domain", "recipients/60 @example.com=1"},
            {"sender_domain", "recipients/60 @example.net=1"}, {"everybody", "recipients/60 everybody=1"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("limit", std::string("recipients max=1 time=60 per=") + row.per);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.per, std::string(passed), shown(plugin.mail("me@example.net")));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.per, std::string(passed), shown(plugin.rcpt("You@Example.com")));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.per, std::string(row.key), keys(plugin).front());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.per, std::string("denysoft"),
                                         std::string(verdict_name(plugin.rcpt("you@example.com").verdict)));
            plugin.clock().advance(seconds(60));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.per, std::string(passed), shown(plugin.rcpt("you@example.com")));
        }
    }

    void logins_are_limited_although_they_may_relay() {
        PluginUnderTest plugin("limit", "recipients max=1 per=login time=1d");
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.rcpt("you@example.com")));
        CPPUNIT_ASSERT(keys(plugin).empty());
        plugin.connection().set_authenticated("bob", "PLAIN");
        plugin.connection().set_relay_client(true);
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.rcpt("you@example.com")));
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 4.7.0 Too many recipients, please try again later"),
                             shown(plugin.rcpt("you@example.com")));
        CPPUNIT_ASSERT_EQUAL(std::string("recipients/86400 login bob=2"), keys(plugin).front());
    }

    void errors_count_for_the_next_connection() {
        PluginUnderTest plugin("limit", "errors max=3");
        for (const unsigned errors : {0u, 2u, 1u}) {
            CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.connect()));
            plugin.connection().set_counts(9, errors, 0);
            (void)plugin.disconnect();
            plugin.reconnect();
        }
        CPPUNIT_ASSERT_EQUAL(std::string("errors/3600 192.0.2.1=3"), keys(plugin).front());
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 4.7.0 Too many errors from 192.0.2.1, please try again later"),
                             shown(plugin.connect()));
        plugin.clock().advance(minutes(60));
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.connect()));
        CPPUNIT_ASSERT(keys(plugin).empty());  // to look begins no time
    }

    void failed_logins_close_auth() {
        PluginUnderTest plugin("limit", "failed_logins max=3 time=1h");
        CPPUNIT_ASSERT_EQUAL(std::string(passed), try_logins(plugin, 2));
        CPPUNIT_ASSERT_EQUAL(std::string("failed logins/3600 192.0.2.1=2"), keys(plugin).front());
        CPPUNIT_ASSERT_EQUAL(std::string(passed), try_logins(plugin, 1));
        CPPUNIT_ASSERT_EQUAL(
            std::string("denysoft 4.7.0 Too many failed logins from 192.0.2.1, please try again later"),
            try_logins(plugin, 1));
        CPPUNIT_ASSERT_EQUAL(std::string("failed logins/3600 192.0.2.1=3"), keys(plugin).front());
        plugin.clock().advance(minutes(60));
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft"), try_logins(plugin, 4).substr(0, 8));
    }

    void what_is_no_wrong_password_is_not_counted() {
        PluginUnderTest plugin("limit", "failed_logins max=1");
        (void)try_logins(plugin, 3, "bob", 235);
        (void)try_logins(plugin, 3, "bob", 454);
        CPPUNIT_ASSERT(keys(plugin).empty());
        (void)try_logins(plugin, 1, "bob", 501);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), keys(plugin).size());
    }

    void failed_logins_count_by_name_whoever_tries() {
        PluginUnderTest plugin("limit", "failed_logins per=login max=2 time=1h");
        for (const char* client : {"192.0.2.1", "192.0.2.2"}) {
            plugin.connection().set_client(client);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(client, std::string(passed),
                                         try_logins(plugin, 1, client == std::string("192.0.2.1") ? "bob" : "BOB"));
        }
        CPPUNIT_ASSERT_EQUAL(std::string("failed logins/3600 login bob=2"), keys(plugin).front());
        plugin.connection().set_client("192.0.2.3");
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 4.7.0 Too many failed logins, please try again later"),
                             try_logins(plugin, 1, "Bob"));
        CPPUNIT_ASSERT_EQUAL(std::string(passed), try_logins(plugin, 1, "alice"));
        CPPUNIT_ASSERT_EQUAL(std::string("failed logins/3600 login bob=2"), keys(plugin).back());
        plugin.clock().advance(minutes(60));
        CPPUNIT_ASSERT_EQUAL(std::string(passed), try_logins(plugin, 1, "bob"));
    }

    void every_mechanism_is_closed_for_a_name_before_back_ends_are_asked() {
        PluginUnderTest plugin("limit", "failed_logins per=login max=1 reject_type=temp_disconnect");
        CPPUNIT_ASSERT_EQUAL(std::string(passed), try_logins(plugin, 1));
        for (const auto hook : {HookId::auth_plain, HookId::auth_login, HookId::auth_cram_md5}) {
            Credentials credentials("X");
            credentials.set_user("bob");
            CPPUNIT_ASSERT_EQUAL(std::string("denysoft_disconnect"),
                                 std::string(verdict_name(plugin.auth(hook, credentials).verdict)));
        }
    }

    void names_of_any_length_are_counted() {
        PluginUnderTest plugin("limit", "failed_logins per=login max=1");
        const std::string endless(1024, 'x');
        CPPUNIT_ASSERT_EQUAL(std::string(passed), try_logins(plugin, 1, endless));
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft"), try_logins(plugin, 1, endless).substr(0, 8));
        plugin.auth_result("", 501);  // broken off: nobody's
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), keys(plugin).size());
    }

    void the_exempt_are_not_counted() {
        const struct {
            const char* name;
            const char* options;
            void (*set_up)(PluginUnderTest&);
            bool is_counted;
        } rows[] = {
            {"nobody special", "", [](PluginUnderTest&) {}, true},
            {"relay client", "", [](PluginUnderTest& p) { p.connection().set_relay_client(true); }, false},
            {"relay client, wished", "relay_clients=yes",
             [](PluginUnderTest& p) { p.connection().set_relay_client(true); }, true},
            {"whitelisted host", "relay_clients=yes",
             [](PluginUnderTest& p) { p.connection().set_whitelisted("list"); }, false},
            {"whitelisted sender", "relay_clients=yes",
             [](PluginUnderTest& p) { p.transaction().set_whitelisted("list"); }, false},
            {"naughty", "",
             [](PluginUnderTest& p) {
                 p.connection().complain({.plugin = "other", .verdict = Verdict::deny, .text = "no"});
             },
             false},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("limit", std::string("messages max=5 ") + row.options);
            row.set_up(plugin);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(passed), shown(plugin.mail("me@example.net")));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, row.is_counted, !keys(plugin).empty());
        }
        PluginUnderTest recipients("limit", "recipients max=5");
        CPPUNIT_ASSERT_EQUAL_MESSAGE("a whitelisted recipient", std::string(passed),
                                     shown(recipients.rcpt("user@example.com", "our own")));
        CPPUNIT_ASSERT(keys(recipients).empty());
        PluginUnderTest logins("limit", "failed_logins max=5");
        logins.connection().complain({.plugin = "other", .verdict = Verdict::deny, .text = "no"});
        logins.connection().set_relay_client(true);
        (void)try_logins(logins, 1);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), keys(logins).size());
        PluginUnderTest errors("limit", "errors max=5");
        errors.connection().complain({.plugin = "other", .verdict = Verdict::deny, .text = "no"});
        errors.connection().set_counts(9, 2, 0);
        (void)errors.disconnect();
        CPPUNIT_ASSERT_EQUAL(std::string("errors/3600 192.0.2.1=2"), keys(errors).front());
    }

    void reject_options_hold() {
        const struct {
            const char* options;
            const char* verdict;
        } rows[] = {{"reject_type=perm", "deny"},
                    {"reject_type=temp_disconnect", "denysoft_disconnect"},
                    {"reject=no", "declined"},
                    {"reject=naughty", "declined"}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("limit", std::string("connections max=1 karma_fail=-2 ") + row.options);
            (void)plugin.connect();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(row.verdict),
                                         std::string(verdict_name(plugin.connect().verdict)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, -2, plugin.connection().karma());
        }
    }

    void limits_with_other_times_have_their_own_counters() {
        PluginUnderTest plugin("limit", "connections max=1 time=1min");
        CPPUNIT_ASSERT(plugin.store().open<std::int64_t>("limit").add("connections/3600 192.0.2.1", 50, minutes(60)));
        CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.connect()));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), keys(plugin).size());
    }

    void a_store_that_fails_lets_everybody_in() {
        for (const char* what : {"connections", "errors"}) {
            PluginUnderTest plugin("limit", std::string(what) + " max=1");
            plugin.store().break_down();
            plugin.connection().set_counts(9, 2, 0);
            CPPUNIT_ASSERT_EQUAL(std::string(passed), shown(plugin.connect()));
            CPPUNIT_ASSERT_EQUAL(std::string("error: store: the store is broken"), plugin.log().last());
            (void)plugin.disconnect();
            plugin.store().break_down(false);
            CPPUNIT_ASSERT(keys(plugin).empty());
        }
        PluginUnderTest strict("limit", "connections max=1 onerror=tempfail");
        strict.store().break_down();
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 451 4.3.0 Local error in processing"), shown(strict.connect()));
    }

    void wrong_options_are_named() {
        const struct {
            const char* options;
            const char* problem;
        } rows[] = {
            {"connections", "max"},
            {"max=3", "what"},
            {"what=mails max=3", "one of connections, messages, recipients, errors, failed_logins"},
            {"connections max=0", "from 1 to"},
            {"connections max=3 per=sender",
             "connections cannot be counted like this: per must be client or everybody"},
            {"errors max=3 per=login", "errors cannot be counted like this"},
            {"failed_logins max=3 per=recipient",
             "failed logins cannot be counted like this: per must be client, login or everybody"},
            {"failed_logins max=3 per=sender_domain", "failed logins cannot be counted like this"},
            {"messages max=3 per=recipient", "per must be client, sender, sender_domain, login or everybody"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("limit", row.options);
            CPPUNIT_ASSERT_MESSAGE(row.options, !plugin.is_usable());
            CPPUNIT_ASSERT_MESSAGE(plugin.problems(), plugin.problems().find(row.problem) != std::string::npos);
        }
        CPPUNIT_ASSERT(PluginUnderTest("limit", "recipients max=3 per=recipient_domain").is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LimitTest);

}  // namespace
}  // namespace smtpd
