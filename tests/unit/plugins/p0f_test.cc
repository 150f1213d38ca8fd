/// p0f_test.cc: p0f's answers about a client, and their consequences.
#include "fakes/local_daemon.h"
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <smtpd/known_notes.h>

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::LocalDaemon;
using fakes::PluginUnderTest;
using fakes::shown;

/// The octets of p0f 3's answer.
struct ReplyOctets {
    std::uint32_t magic = 0x50304602;
    std::uint32_t status = 0x10;
    std::int16_t distance = 12;
    const char* os_name = "Windows";
    const char* os_flavor = "XP";
    const char* http_name = "";
    const char* http_flavor = "";
    const char* link = "DSL";
    std::uint32_t uptime = 90;

    std::string to_string() const {
        std::string out;
        const auto add = [&out](auto value) { out.append(reinterpret_cast<const char*>(&value), sizeof value); };
        for (const std::uint32_t value : {magic, status, 1000u, 2000u, 7u, uptime, 49u, 1500u, 0u}) add(value);
        add(distance);
        add(std::uint8_t(1));
        add(std::uint8_t(2));
        for (const char* name : {os_name, os_flavor, http_name, http_flavor, link, "English"}) {
            std::string field = name;
            field.resize(32, '\0');
            out += field;
        }
        return out;
    }
};

class P0fTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(P0fTest);
    CPPUNIT_TEST(the_question_names_the_client);
    CPPUNIT_TEST(the_note_has_what_p0f_says);
    CPPUNIT_TEST(the_message_gets_fields);
    CPPUNIT_TEST(fields_from_outside_are_removed);
    CPPUNIT_TEST(without_add_headers_the_message_is_left_alone);
    CPPUNIT_TEST(a_smitten_system_costs_karma);
    CPPUNIT_TEST(blocked_systems_may_not_send);
    CPPUNIT_TEST(what_p0f_does_not_know_is_skipped);
    CPPUNIT_TEST(trouble_with_p0f_is_an_error);
    CPPUNIT_TEST(silence_takes_as_long_as_it_may);
    CPPUNIT_TEST(immune_clients_are_not_asked_about);
    CPPUNIT_TEST(mistakes_are_found_at_configtest);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* message =
        "From: a@example.net\r\nX-P0F-Genre: forged\r\nX-P0F-Link-Type: forged\r\n\r\nx\r\n";

    fakes::TempDirectory directory_;
    std::string socket() const { return directory_.path("p0f.sock"); }

    /// p0f, and the plugin.
    struct World {
        LocalDaemon p0f;
        PluginUnderTest plugin;
        World(const P0fTest& test, const std::string& reply, const std::string& options = {}, const char* blocked = "")
            : p0f(test.socket(),
                  [reply](std::string_view request) {
                      return request.size() < 21 ? std::nullopt : std::optional(reply);
                  }),
              plugin("ident/p0f", test.socket() + " " + options, {{"p0f_blocked_operating_systems", blocked}}) {}
    };
    std::string header_after(PluginUnderTest& plugin) const {
        plugin.transaction().set_message(message);
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.data_post()));
        return plugin.transaction().message().headers().to_string();
    }

public:
    void tearDown() override { std::filesystem::remove(socket()); }

    void the_question_names_the_client() {
        World world(*this, ReplyOctets{}.to_string());
        (void)world.plugin.connect();
        world.plugin.connection().set_client("2001:db8::1:25");
        (void)world.plugin.connect();
        const auto questions = world.p0f.requests();
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), questions.size());
        const std::uint32_t magic = 0x50304601;
        const std::string head(reinterpret_cast<const char*>(&magic), sizeof magic);
        CPPUNIT_ASSERT(questions[0] == head + "\4\xc0" + std::string("\0\2\1", 3) + std::string(12, '\0'));
        CPPUNIT_ASSERT(questions[1] == head + "\6\x20\1\x0d\xb8" + std::string(8, '\0') + std::string("\0\1\0\x25", 4));
    }

    void the_note_has_what_p0f_says() {
        World world(*this, ReplyOctets{.http_name = "Firefox", .http_flavor = "10.x or newer"}.to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(world.plugin.connect()));
        CPPUNIT_ASSERT_EQUAL(std::string("pass: Windows XP, DSL"), world.plugin.log().last());
        const auto* found = world.plugin.connection().notes().find(notes::p0f);
        CPPUNIT_ASSERT(found);
        CPPUNIT_ASSERT_EQUAL(std::string("Windows XP|Firefox 10.x or newer|DSL|English"),
                             found->genre + "|" + found->http + "|" + found->link + "|" + found->language);
        CPPUNIT_ASSERT_EQUAL(12u, found->distance.value());
        CPPUNIT_ASSERT(found->uptime == std::chrono::minutes(90));
        CPPUNIT_ASSERT_EQUAL(7u, found->connections);
        CPPUNIT_ASSERT_EQUAL(1000LL, static_cast<long long>(found->first_seen.time_since_epoch().count()));
        CPPUNIT_ASSERT_EQUAL(2000LL, static_cast<long long>(found->last_seen.time_since_epoch().count()));
        CPPUNIT_ASSERT_EQUAL(1500LL, static_cast<long long>(found->last_nat.time_since_epoch().count()));
        CPPUNIT_ASSERT_EQUAL(0LL, static_cast<long long>(found->last_change.time_since_epoch().count()));
        CPPUNIT_ASSERT_EQUAL(1u, found->bad_software);
        CPPUNIT_ASSERT_EQUAL(2u, found->match_quality);
    }

    void the_message_gets_fields() {
        World world(*this, ReplyOctets{}.to_string());
        (void)world.plugin.connect();
        CPPUNIT_ASSERT_EQUAL(std::string("From: a@example.net\r\nX-P0F-Genre: Windows XP\r\nX-P0F-Link-Type: DSL\r\n"),
                             header_after(world.plugin));
    }

    void fields_from_outside_are_removed() {
        World world(*this, ReplyOctets{.status = 0x20}.to_string());
        (void)world.plugin.connect();
        CPPUNIT_ASSERT_EQUAL(std::string("From: a@example.net\r\n"), header_after(world.plugin));
    }

    void without_add_headers_the_message_is_left_alone() {
        for (const char* off : {"add_headers false", "add_headers=no"}) {
            World world(*this, ReplyOctets{}.to_string(), off);
            (void)world.plugin.connect();
            CPPUNIT_ASSERT_EQUAL(
                std::string("From: a@example.net\r\nX-P0F-Genre: forged\r\nX-P0F-Link-Type: forged\r\n"),
                header_after(world.plugin));
            tearDown();
        }
    }

    void a_smitten_system_costs_karma() {
        const struct {
            const char* options;
            int karma;
        } rows[] = {
            {"", 0}, {"smite_os=windows", -1}, {"smite_os ^xp", 0}, {"version 3 smite_os=xp$ karma_fail=-3", -3}};
        for (const auto& row : rows) {
            World world(*this, ReplyOctets{}.to_string(), row.options);
            CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(world.plugin.connect()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, row.karma, world.plugin.connection().karma());
            tearDown();
        }
    }

    void blocked_systems_may_not_send() {
        const struct {
            const char* blocked;
            const char* options;
            const char* answer;
        } rows[] = {
            {"", "", "declined"},
            {"# nothing\nLinux\nWindows\nXP\n", "", "declined"},
            {"Linux\nWindows XP\n", "", "deny 5.7.1 OS Blocked"},
            {"windows xp\n", "", "declined"},
            {"/windows (xp|98)/\n", "", "deny 5.7.1 OS Blocked"},
            {"Windows XP\n", "reject=no", "declined"},
            {"Windows XP\n", "reject_type=temp", "denysoft 4.7.1 OS Blocked"},
        };
        for (const auto& row : rows) {
            World world(*this, ReplyOctets{}.to_string(), row.options, row.blocked);
            CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(world.plugin.connect()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.blocked, std::string(row.answer),
                                         shown(world.plugin.rcpt("user@example.com")));
            CPPUNIT_ASSERT_EQUAL_MESSAGE("no karma", 0, world.plugin.connection().karma());
            tearDown();
        }
        World later(*this, ReplyOctets{}.to_string());
        (void)later.plugin.connect();
        later.plugin.write_control("p0f_blocked_operating_systems", "Windows XP\n");
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.7.1 OS Blocked"), shown(later.plugin.rcpt("user@example.com")));
        later.plugin.connection().set_relay_client(true);
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(later.plugin.rcpt("user@example.com")));
    }

    void what_p0f_does_not_know_is_skipped() {
        const struct {
            ReplyOctets reply;
            const char* line;
            bool has_note;
        } rows[] = {
            {{.status = 0x20}, "skip: p0f has not seen 192.0.2.1", false},
            {{.distance = -1, .os_name = "", .os_flavor = "", .uptime = 0}, "skip: not recognised", true},
        };
        for (const auto& row : rows) {
            World world(*this, row.reply.to_string(), "", "/./\n");
            CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(world.plugin.connect()));
            CPPUNIT_ASSERT_EQUAL(std::string(row.line), world.plugin.log().last());
            const auto* note = world.plugin.connection().notes().find(notes::p0f);
            CPPUNIT_ASSERT_EQUAL(row.has_note, note != nullptr);
            if (note) CPPUNIT_ASSERT(!note->distance && !note->uptime);
            CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(world.plugin.rcpt("user@example.com")));
            CPPUNIT_ASSERT_EQUAL(std::string("skip: the system is not known"), world.plugin.log().last());
            tearDown();
        }
    }

    void trouble_with_p0f_is_an_error() {
        const struct {
            const char* name;
            std::string reply;
            std::string line;
        } rows[] = {
            {"bad query", ReplyOctets{.status = 0}.to_string(),
             "error: p0f does not understand the question about 192.0.2.1"},
            {"another status", ReplyOctets{.status = 0x30}.to_string(),
             "error: " + socket() + " answers with an unknown status"},
            {"another protocol", ReplyOctets{.magic = 1}.to_string(),
             "error: " + socket() + " does not speak the protocol of p0f 3"},
            {"too short", ReplyOctets{}.to_string().substr(1),
             "error: " + socket() + " closed after 231 of 232 octets"},
            {"nothing", "", "error: " + socket() + " closed after 0 of 232 octets"},
        };
        for (const auto& row : rows) {
            World world(*this, row.reply, "", "/./\n");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string("declined"), shown(world.plugin.connect()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, row.line, world.plugin.log().last());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string("declined"),
                                         shown(world.plugin.rcpt("user@example.com")));
            tearDown();
        }
        PluginUnderTest alone("ident/p0f", "/no/such/socket onerror=tempfail");
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 451 4.3.0 Local error in processing"), shown(alone.connect()));
        CPPUNIT_ASSERT_EQUAL(std::string("error: cannot connect to /no/such/socket: No such file or directory"),
                             alone.log().last());
    }

    void silence_takes_as_long_as_it_may() {
        World world(*this, LocalDaemon::silence, "timeout=50ms");
        const auto begin = std::chrono::steady_clock::now();
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(world.plugin.connect()));
        CPPUNIT_ASSERT(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
        CPPUNIT_ASSERT_EQUAL("error: " + socket() + " did not answer within 50 ms", world.plugin.log().last());
        CPPUNIT_ASSERT(!world.plugin.connection().notes().find(notes::p0f));
    }

    void immune_clients_are_not_asked_about() {
        World world(*this, ReplyOctets{}.to_string(), "smite_os=windows");
        world.plugin.connection().set_relay_client(true);
        (void)world.plugin.connect();
        CPPUNIT_ASSERT(world.p0f.requests().empty());
        CPPUNIT_ASSERT_EQUAL(0, world.plugin.connection().karma());
    }

    void mistakes_are_found_at_configtest() {
        for (const char* wrong : {"", "/x version 2", "/x smite_os=a(", "/x timeout=0", "/x local_ip=192.0.2.1"})
            CPPUNIT_ASSERT_MESSAGE(wrong, !PluginUnderTest("ident/p0f", wrong).is_usable());
        const PluginUnderTest bad_list("ident/p0f", "/x", {{"p0f_blocked_operating_systems", "Linux\n/a(*/\n"}});
        CPPUNIT_ASSERT_MESSAGE(
            bad_list.problems(),
            bad_list.problems().find("p0f_blocked_operating_systems:2: regular expression a(*: ") != std::string::npos);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(P0fTest);

}  // namespace
}  // namespace smtpd
