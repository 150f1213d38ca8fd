/// badmailfrom_test.cc: senders on a list, and pairs of sender and recipient.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

class BadMailFromTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BadMailFromTest);
    CPPUNIT_TEST(listed_senders_are_refused);
    CPPUNIT_TEST(the_null_sender_cannot_be_listed);
    CPPUNIT_TEST(immune_clients_are_not_judged);
    CPPUNIT_TEST(a_listed_sender_costs_karma);
    CPPUNIT_TEST(a_naughty_sender_is_remembered);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* list =
        "spammer@example.net\n"
        "@bulk.example.net Not your kind\n"
        "Test\\.NET$\n";

public:
    void listed_senders_are_refused() {
        PluginUnderTest plugin("badmailfrom", "", {{"badmailfrom", list}});
        const struct {
            const char* sender;
            const char* answer;
        } rows[] = {
            {"user@example.net", "declined"},
            {"Spammer@EXAMPLE.net", "deny 5.7.1 mail from Spammer@EXAMPLE.net is not accepted here"},
            {"any@bulk.example.net", "deny 5.7.1 Not your kind"},
            {"any@test.net", "deny 5.7.1 mail from any@test.net is not accepted here"},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.sender, std::string(row.answer), shown(plugin.mail(row.sender)));
    }

    void the_null_sender_cannot_be_listed() {
        PluginUnderTest plugin("badmailfrom", "", {{"badmailfrom", "/^.*/\n"}});
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.mail("")));
        CPPUNIT_ASSERT_EQUAL(std::string("skip: null sender"), plugin.log().last());
        CPPUNIT_ASSERT_EQUAL(std::string("deny"), shown(plugin.mail("any@example.org")).substr(0, 4));
    }

    void immune_clients_are_not_judged() {
        PluginUnderTest plugin("badmailfrom", "", {{"badmailfrom", list}});
        plugin.connection().set_whitelisted("a friend");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.mail("spammer@example.net")));
    }

    void a_listed_sender_costs_karma() {
        PluginUnderTest plugin("badmailfrom", "", {{"badmailfrom", list}});
        (void)plugin.mail("spammer@example.net");
        CPPUNIT_ASSERT_EQUAL(-1, plugin.connection().karma());
    }

    void a_naughty_sender_is_remembered() {
        PluginUnderTest plugin("badmailfrom", "reject naughty", {{"badmailfrom", list}});
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.mail("any@bulk.example.net")));
        CPPUNIT_ASSERT_EQUAL(std::string("Not your kind"), plugin.connection().complaints().at(0).text);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(BadMailFromTest);

class BadMailFromToTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BadMailFromToTest);
    CPPUNIT_TEST(listed_pairs_are_refused);
    CPPUNIT_TEST(relay_clients_are_judged_too);
    CPPUNIT_TEST(a_line_without_two_addresses_is_a_mistake);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* list =
        "stalker@example.net alice@example.com\n"
        "stalker@example.net  Bob@example.com\n"
        "@bulk.example.net\tcarol@example.com\n"
        "sales@example.org @example.com\n"
        "spam@bücher.example @xn--mller-kva.example\n";

public:
    void listed_pairs_are_refused() {
        const struct {
            const char* sender;
            const char* recipient;
            bool is_refused;
        } rows[] = {
            {"stalker@example.net", "alice@example.com", true},
            {"STALKER@Example.net", "Alice@example.COM", true},
            {"stalker@example.net", "bob@example.com", true},
            {"stalker@example.net", "carol@example.com", false},
            {"any@bulk.example.net", "carol@example.com", true},
            {"any@bulk.example.net", "alice@example.com", false},
            {"sales@example.org", "dave@example.com", true},
            {"friend@example.net", "alice@example.com", false},
            {"", "alice@example.com", false},
            {"spam@xn--bcher-kva.example", "dave@xn--mller-kva.example", true},
            {"Spam@BÜCHER.example", "dave@müller.example", true},
            {"spam@bucher.example", "dave@müller.example", false},
        };
        PluginUnderTest plugin("badmailfromto", "", {{"badmailfromto", list}});
        for (const auto& row : rows) {
            plugin.transaction().set_sender(fakes::FakeTransaction::address(row.sender));
            const std::string refusal = "deny 5.1.1 mail to " + std::string(row.recipient) + " is not accepted here";
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(row.sender) + " to " + row.recipient,
                                         row.is_refused ? refusal : "declined", shown(plugin.rcpt(row.recipient)));
        }
    }

    void relay_clients_are_judged_too() {
        PluginUnderTest plugin("badmailfromto", "", {{"badmailfromto", list}});
        plugin.connection().set_relay_client(true);
        plugin.transaction().set_sender(fakes::FakeTransaction::address("stalker@example.net"));
        CPPUNIT_ASSERT_EQUAL(std::string("deny"), shown(plugin.rcpt("alice@example.com")).substr(0, 4));
    }

    void a_line_without_two_addresses_is_a_mistake() {
        for (const char* line :
             {"stalker@example.net\n", "stalker alice@example.com\n", "a@example.net b@example.net c@example.net\n"}) {
            const PluginUnderTest plugin("badmailfromto", "", {{"badmailfromto", line}});
            CPPUNIT_ASSERT_MESSAGE(line, plugin.problems().find("badmailfromto:1: expected a sender and a recipient") !=
                                             std::string::npos);
        }
        const PluginUnderTest latin("badmailfromto", "", {{"badmailfromto", "a@b\xfc.example b@example.com\n"}});
        CPPUNIT_ASSERT_MESSAGE(latin.problems(),
                               latin.problems().find("badmailfromto:1: \"a@b\\xfc.example\" has a label "
                                                     "that IDNA does not allow") != std::string::npos);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(BadMailFromToTest);

}  // namespace
}  // namespace smtpd
