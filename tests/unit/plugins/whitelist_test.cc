/// whitelist_test.cc: clients, names, senders and recipients that are exempt, and from what.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <smtpd/known_notes.h>

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

class WhitelistTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(WhitelistTest);
    CPPUNIT_TEST(listed_hosts_are_exempt);
    CPPUNIT_TEST(listed_names_are_noted);
    CPPUNIT_TEST(listed_senders_exempt_their_transaction);
    CPPUNIT_TEST(listed_recipients_are_exempt_alone);
    CPPUNIT_TEST(nobody_is_accepted_by_being_listed);
    CPPUNIT_TEST(per_recipient_looks_up_at_rcpt_only);
    CPPUNIT_TEST(a_message_is_exempt_when_all_recipients_are);
    CPPUNIT_TEST(lists_of_a_recipient_hold_for_him);
    CPPUNIT_TEST(mistakes_are_named);
    CPPUNIT_TEST_SUITE_END();

    static std::string recipient_of(PluginUnderTest& plugin, std::string_view mailbox) {
        Recipient recipient(fakes::FakeTransaction::address(mailbox), Parameters());
        CPPUNIT_ASSERT_EQUAL(std::string("declined"),
                             shown(plugin.run(RcptHook(plugin.connection(), plugin.transaction(), recipient))));
        return recipient.whitelisted();
    }

public:
    void listed_hosts_are_exempt() {
        const struct {
            const char* client;
            const char* why;
        } rows[] = {{"10.0.0.1", "10.0.0.1"},
                    {"10.0.0.10", ""},
                    {"10.0.0.100", ""},
                    {"192.0.2.77", "192.0.2."},
                    {"198.51.100.9", "198.51.100.0/28"},
                    {"198.51.100.99", ""},
                    {"2001:db8:1::9", "2001:DB8:1::/48"},
                    {"2001:db8:2::9", ""}};
        PluginUnderTest plugin("whitelist", "",
                               {{"whitelisthosts", "10.0.0.1\n192.0.2.  office\n198.51.100.0/28\n2001:DB8:1::/48\n"}});
        for (const auto& row : rows) {
            plugin.reconnect();
            plugin.connection().set_client(row.client);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.client, std::string("declined"), shown(plugin.pre_connection()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.client, std::string(row.why), plugin.connection().whitelisted());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.client, *row.why ? 5 : 0, plugin.connection().karma());
        }
    }

    void listed_names_are_noted() {
        PluginUnderTest plugin("whitelist", "", {{"whitelisthelo", "mx.example.org\n[192.0.2.1]\nmüller-pc\n"}});
        const auto noted = [&] {
            const auto* name = plugin.connection().notes().find(notes::whitelisthelo);
            return name ? *name : std::string();
        };
        (void)plugin.ehlo("MX.example.ORG");
        CPPUNIT_ASSERT_EQUAL(std::string("MX.example.ORG"), noted());
        (void)plugin.helo("other.example.org");
        CPPUNIT_ASSERT_EQUAL(std::string(), noted());
        (void)plugin.ehlo("MÜLLER-PC");
        CPPUNIT_ASSERT_EQUAL(std::string("MÜLLER-PC"), noted());
        (void)plugin.helo("[192.0.2.1]");
        CPPUNIT_ASSERT_EQUAL(std::string("[192.0.2.1]"), noted());
        CPPUNIT_ASSERT_EQUAL(std::string(), plugin.connection().whitelisted());
    }

    void listed_senders_exempt_their_transaction() {
        const struct {
            const char* sender;
            bool is_exempt;
        } rows[] = {{"friend@example.net", true},
                    {"FRIEND@Example.NET", true},
                    {"foe@example.net", false},
                    {"any@example.org", true},
                    {"any@sub.example.org", false},
                    {"any@example.info", true},
                    {"any@bücher.example", true},
                    {"any@xn--bcher-kva.example", true},
                    {"Me@MÜLLER.example", true},
                    {"you@müller.example", false},
                    {"", false}};
        PluginUnderTest plugin("whitelist", "",
                               {{"whitelistsenders",
                                 "friend@example.net\nExample.org\n@example.info old friends\n"
                                 "BÜCHER.example\nme@xn--mller-kva.example\n"}});
        for (const auto& row : rows) {
            plugin.reset();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.sender, std::string("declined"), shown(plugin.mail(row.sender)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.sender, row.is_exempt, !plugin.transaction().whitelisted().empty());
            CPPUNIT_ASSERT_EQUAL(std::string(), plugin.connection().whitelisted());
        }
    }

    void listed_recipients_are_exempt_alone() {
        PluginUnderTest plugin("whitelist", "", {{"whitelistrcpt", "abuse@example.com\nopen.example.com\n"}});
        CPPUNIT_ASSERT_EQUAL(std::string("the recipient is listed"), recipient_of(plugin, "Abuse@example.com"));
        CPPUNIT_ASSERT_EQUAL(std::string("the recipient is listed"), recipient_of(plugin, "any@open.example.com"));
        CPPUNIT_ASSERT_EQUAL(std::string(), recipient_of(plugin, "user@example.com"));
        CPPUNIT_ASSERT_EQUAL(std::string(), plugin.transaction().whitelisted());
        (void)plugin.data();
        CPPUNIT_ASSERT_EQUAL(std::string(), plugin.transaction().whitelisted());
    }

    void nobody_is_accepted_by_being_listed() {
        const PluginUnderTest::Files files = {{"whitelisthosts", "192.0.2.1\n"},
                                              {"whitelisthelo", "mx\n"},
                                              {"whitelistsenders", "example.net\n"},
                                              {"whitelistrcpt", "example.com\n"}};
        for (const char* options : {"", "per_recipient=1"}) {
            PluginUnderTest plugin("whitelist", options, files);
            (void)plugin.pre_connection();
            for (const auto& answer : {plugin.connect(), plugin.ehlo("mx"), plugin.mail("a@example.net"),
                                       plugin.rcpt("b@example.com"), plugin.rcpt("b@elsewhere.example")})
                CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(answer));
            CPPUNIT_ASSERT(!plugin.connection().is_relay_client());
        }
    }

    void per_recipient_looks_up_at_rcpt_only() {
        const struct {
            const char* file;
            const char* entry;
            const char* why;
        } rows[] = {{"whitelisthosts", "192.0.2.1\n", "the host is listed"},
                    {"whitelisthelo", "mx.example.org\n", "the name is listed"},
                    {"whitelistsenders", "me@example.net\n", "the sender is listed"},
                    {"whitelistrcpt", "you@example.com\n", "the recipient is listed"},
                    {"whitelistrcpt", "other@example.com\n", ""}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("whitelist", "per_recipient 1", {{row.file, row.entry}});
            (void)plugin.pre_connection();
            (void)plugin.ehlo("mx.example.org");
            (void)plugin.mail("me@example.net");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.file, std::string(),
                                         plugin.connection().whitelisted() + plugin.transaction().whitelisted());
            CPPUNIT_ASSERT_MESSAGE(row.file, !plugin.connection().notes().find(notes::whitelisthelo));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.file, 0, plugin.connection().karma());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.file, std::string(row.why), recipient_of(plugin, "you@example.com"));
        }
    }

    void a_message_is_exempt_when_all_recipients_are() {
        PluginUnderTest plugin("whitelist", "per_recipient=yes");
        (void)plugin.data();
        CPPUNIT_ASSERT_EQUAL(std::string(), plugin.transaction().whitelisted());
        plugin.transaction().add_recipient("one@example.com").set_whitelisted("yes");
        plugin.transaction().add_recipient("two@example.com");
        (void)plugin.data();
        CPPUNIT_ASSERT_EQUAL(std::string(), plugin.transaction().whitelisted());
        plugin.transaction().recipients().back().set_whitelisted("yes");
        (void)plugin.data();
        CPPUNIT_ASSERT_EQUAL(std::string("for all recipients"), plugin.transaction().whitelisted());
    }

    void lists_of_a_recipient_hold_for_him() {
        const struct {
            const char* options;
            const char* client;
            const char* recipient;
            const char* why;
        } rows[] = {
            {"per_recipient=1", "198.51.100.7", "owner@example.com", "the host is listed"},
            {"per_recipient=1", "198.51.100.7", "other@example.com", ""},
            {"per_recipient=1", "192.0.2.1", "owner@example.com", "the host is listed"},
            {"per_recipient=1", "192.0.2.1", "other@example.com", "the host is listed"},
            {"per_recipient=1 merge=0", "192.0.2.1", "owner@example.com", ""},
            {"per_recipient=1 merge=0", "198.51.100.7", "owner@example.com", "the host is listed"},
            {"per_recipient=1 merge=0", "192.0.2.1", "other@example.com", "the host is listed"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("whitelist", row.options, {{"whitelisthosts", "192.0.2.1\n"}});
            plugin.connection().set_client(row.client);
            plugin.connection().own_config = [](std::string_view name,
                                                const Address& user) -> std::vector<std::string> {
                if (user.key() != "owner@example.com" || name != "whitelisthosts") return {};
                return {"198.51.100.7"};
            };
            const std::string what = std::string(row.options) + " " + row.client + " " + row.recipient;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, std::string(row.why), recipient_of(plugin, row.recipient));
        }
        PluginUnderTest broken("whitelist", "per_recipient=1", {{"whitelisthosts", "192.0.2.1\n"}});
        broken.connection().own_config = [](std::string_view name, const Address&) {
            return name == "whitelisthosts" ? std::vector<std::string>{"x.y"} : std::vector<std::string>();
        };
        CPPUNIT_ASSERT_EQUAL(std::string("the host is listed"), recipient_of(broken, "owner@example.com"));
        CPPUNIT_ASSERT(broken.log().contains("of owner@example.com: whitelisthosts:1: "));
    }

    void mistakes_are_named() {
        CPPUNIT_ASSERT(PluginUnderTest("whitelist", "", {{"whitelisthosts", "10.1\n"}})
                           .problems()
                           .find("whitelisthosts:1: \"10.1\" is not a network") != std::string::npos);
        CPPUNIT_ASSERT(!PluginUnderTest("whitelist", "merge=perhaps").is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(WhitelistTest);

}  // namespace
}  // namespace smtpd
