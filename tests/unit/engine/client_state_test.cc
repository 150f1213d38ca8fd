#include "engine/client_state.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <utility>

namespace smtpd::engine {
namespace {

const NoteKey<int> of_connection{"client_state_test.connection"};
const NoteKey<int> of_hello{"client_state_test.hello", NoteScope::hello};

IpAddress ip(const char* text) { return *IpAddress::parse(text); }

class ClientStateTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ClientStateTest);
    CPPUNIT_TEST(starttls_forgets_what_was_said);
    CPPUNIT_TEST(starttls_keeps_how_the_client_behaved);
    CPPUNIT_TEST(starttls_brings_back_what_was_known_before_hello);
    CPPUNIT_TEST(without_hello_starttls_takes_away_only_what_a_login_gave);
    CPPUNIT_TEST(a_login_is_a_result);
    CPPUNIT_TEST(what_is_not_told_of_a_transaction_ends_with_it);
    CPPUNIT_TEST(the_first_hello_counts);
    CPPUNIT_TEST(a_login_before_hello_gives_no_right_to_relay);
    CPPUNIT_TEST(xclient_forgets_everything_but_the_count_of_sessions);
    CPPUNIT_TEST(limits_are_those_of_the_address);
    CPPUNIT_TEST_SUITE_END();

public:
    void starttls_forgets_what_was_said() {
        const auto next = encrypted(full());
        CPPUNIT_ASSERT(next.greeted == Greeted::no);
        CPPUNIT_ASSERT_EQUAL(std::string(), next.hello_host + next.auth_user + next.auth_mechanism);
        CPPUNIT_ASSERT(!next.forwarded && next.capabilities.empty() && !next.secrets_may_follow);
        CPPUNIT_ASSERT(!next.before_hello);
        CPPUNIT_ASSERT_EQUAL(0, next.hello_karma);
        CPPUNIT_ASSERT(next.notes.find(of_hello) == nullptr);
    }

    void starttls_keeps_how_the_client_behaved() {
        const auto next = encrypted(full());
        CPPUNIT_ASSERT_EQUAL(std::string("host.example STARTTLS"), next.host + " " + next.last_line);
        CPPUNIT_ASSERT(next.introduced_by == ip("192.0.2.2"));
        CPPUNIT_ASSERT_EQUAL(1U, next.errors);
        CPPUNIT_ASSERT_EQUAL(2U, next.messages);
        CPPUNIT_ASSERT_EQUAL(3U, next.sessions_of_client);
        CPPUNIT_ASSERT_EQUAL(4U, next.exchanges);
        CPPUNIT_ASSERT_EQUAL(5U, next.junk_commands);
        CPPUNIT_ASSERT_EQUAL(6U, next.mail_commands);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), next.recipient_domains.size());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(7), next.max_message_size);
        CPPUNIT_ASSERT(next.channel_bindings != nullptr);
        CPPUNIT_ASSERT_EQUAL(10 - 3, next.karma);
        CPPUNIT_ASSERT_EQUAL(8, *next.notes.find(of_connection));
    }

    void starttls_brings_back_what_was_known_before_hello() {
        ClientState clear(settings_, ip("192.0.2.1"));
        know(clear, "listed", "early");
        clear.is_relay_client = true;
        clear.remember_before_hello();
        clear.is_relay_client = false;
        clear.whitelisted = "by its name";
        clear.complaints.front().plugin = "helo";
        clear.complaints.push_back({.plugin = "ehlo"});
        clear.authentication_results.add({.method = "helo", .result = "fail"});
        const auto next = encrypted(std::move(clear));
        CPPUNIT_ASSERT(next.is_relay_client);
        CPPUNIT_ASSERT_EQUAL(std::string("listed early"), next.whitelisted + " " + next.complaints.at(0).plugin);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), next.authentication_results.size());
        CPPUNIT_ASSERT_EQUAL(std::string("early"), next.authentication_results.begin()->method);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), next.complaints.size());
    }

    void without_hello_starttls_takes_away_only_what_a_login_gave() {
        for (const std::string user : {"", "joe"}) {
            ClientState clear(settings_, ip("192.0.2.1"));
            know(clear, "listed", "early");
            clear.is_relay_client = true;
            clear.auth_user = user;
            if (!user.empty()) clear.record_login();
            const auto next = encrypted(std::move(clear));
            CPPUNIT_ASSERT_EQUAL(user.empty(), next.is_relay_client);
            CPPUNIT_ASSERT_EQUAL(std::string("listed early"), next.whitelisted + " " + next.complaints.at(0).plugin);
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), next.authentication_results.size());
        }
    }

    void a_login_is_a_result() {
        ClientState state(settings_, ip("192.0.2.1"));
        state.auth_user = "joe";
        state.auth_mechanism = "PLAIN";
        state.record_login();
        CPPUNIT_ASSERT_EQUAL(std::string("auth=pass (PLAIN) smtp.auth=joe"),
                             state.authentication_results.find("auth")->to_string());
    }

    void what_is_not_told_of_a_transaction_ends_with_it() {
        ClientState state(settings_, ip("192.0.2.1"));
        using enum HookSubject;
        for (const auto subject : {client, hello, sender, recipient, message})
            for (const bool is_told : {true, false})
                state.complaints.push_back({.plugin = std::string(subject_name(subject)) + (is_told ? "+" : ""),
                                            .subject = subject,
                                            .is_told = is_told});
        state.forget_complaints_of_transaction();
        std::string left;
        for (const auto& one : state.complaints) left += one.plugin + " ";
        CPPUNIT_ASSERT_EQUAL(std::string("client+ client hello+ hello sender+ recipient+ message+ "), left);
    }

    void the_first_hello_counts() {
        ClientState clear(settings_, ip("192.0.2.1"));
        clear.remember_before_hello();
        clear.whitelisted = "by its name";
        clear.remember_before_hello();
        CPPUNIT_ASSERT_EQUAL(std::string(), encrypted(std::move(clear)).whitelisted);
    }

    void a_login_before_hello_gives_no_right_to_relay() {
        ClientState clear(settings_, ip("192.0.2.1"));
        clear.auth_user = "joe";  // XCLIENT LOGIN=
        clear.is_relay_client = true;
        clear.remember_before_hello();
        CPPUNIT_ASSERT(!encrypted(std::move(clear)).is_relay_client);
    }

    void xclient_forgets_everything_but_the_count_of_sessions() {
        const auto next = after_xclient(full(), settings_, ip("203.0.113.7"), ip("192.0.2.9"));
        CPPUNIT_ASSERT(next.introduced_by == ip("192.0.2.9"));
        CPPUNIT_ASSERT_EQUAL(3U, next.sessions_of_client);
        CPPUNIT_ASSERT(next.greeted == Greeted::no && !next.is_relay_client && !next.secrets_may_follow);
        CPPUNIT_ASSERT_EQUAL(std::string(), next.host + next.hello_host + next.last_line);
        CPPUNIT_ASSERT_EQUAL(std::string(), next.auth_user + next.auth_mechanism + next.whitelisted);
        CPPUNIT_ASSERT(!next.forwarded && next.complaints.empty() && !next.channel_bindings && !next.before_hello);
        CPPUNIT_ASSERT(next.capabilities.empty() && next.recipient_domains.empty() &&
                       next.authentication_results.empty());
        CPPUNIT_ASSERT_EQUAL(0U,
                             next.errors + next.messages + next.exchanges + next.junk_commands + next.mail_commands);
        CPPUNIT_ASSERT_EQUAL(0, next.karma + next.hello_karma);
        CPPUNIT_ASSERT(next.notes.find(of_connection) == nullptr && next.notes.find(of_hello) == nullptr);
        CPPUNIT_ASSERT_EQUAL(settings_.max_message_size, next.max_message_size);
    }

    void limits_are_those_of_the_address() {
        settings_.bare_newline_exempt.push_back(*IpNetwork::parse("203.0.113.0/24"));
        CPPUNIT_ASSERT(ClientState(settings_, ip("192.0.2.1")).bare_newline == smtp::BareNewline::reject);
        CPPUNIT_ASSERT(after_xclient(full(), settings_, ip("203.0.113.7"), ip("192.0.2.9")).bare_newline ==
                       smtp::BareNewline::accept);
    }

private:
    static void know(ClientState& state, const char* whitelisted, const char* naughty) {
        state.whitelisted = whitelisted;
        state.complaints.push_back({.plugin = naughty});
        state.authentication_results.add({.method = naughty, .result = "pass"});
    }

    /// No member has its initial value.
    ClientState full() const {
        ClientState state(settings_, ip("192.0.2.1"));
        state.introduced_by = ip("192.0.2.2");
        state.forwarded.emplace();
        state.host = "host.example";
        state.hello_host = "hello.example";
        state.last_line = "STARTTLS";
        state.auth_user = "joe";
        state.auth_mechanism = "PLAIN";
        state.errors = 1;
        state.messages = 2;
        state.sessions_of_client = 3;
        state.exchanges = 4;
        state.junk_commands = 5;
        state.mail_commands = 6;
        state.max_message_size = 7;
        state.greeted = Greeted::ehlo;
        state.is_relay_client = true;
        state.karma = 10;
        state.hello_karma = 3;
        state.whitelisted = "listed";
        state.complaints.push_back({.plugin = "dnsbl"});
        state.notes.set(of_connection, 8);
        state.notes.set(of_hello, 9);
        state.authentication_results.add({.method = "x", .result = "pass"});
        state.capabilities.push_back("XCAPABILITY");
        state.secrets_may_follow = true;
        state.recipient_domains.push_back("example.com");
        state.channel_bindings = std::make_unique<const smtp::ChannelBindings>();
        state.before_hello = std::make_unique<const ClientState::BeforeHello>();
        return state;
    }

    ClientState encrypted(ClientState clear) const {
        return after_starttls(std::move(clear), settings_, ip("192.0.2.1"));
    }

    Settings settings_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(ClientStateTest);

}  // namespace
}  // namespace smtpd::engine
