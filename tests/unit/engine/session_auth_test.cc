/// session_auth_test.cc: AUTH beyond what a transcript shows: which plugins are asked, what a success changes, and
/// where secrets must not go.
#include "fakes/scram_client.h"
#include "fakes/session_under_test.h"
#include "smtp/sasl.h"
#include "support/base64.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace smtpd::engine {
namespace {

using fakes::SessionUnderTest;
using support::base64;
using namespace std::string_literals;

std::string plain(const std::string& user, const std::string& password) {
    return "AUTH PLAIN " + base64("\0"s + user + "\0"s + password);
}

void allow_cram_md5(SessionUnderTest& client) { client.settings.auth_mechanisms.add(*find_auth_mechanism("CRAM-MD5")); }

Response know_secret(HookContext& context) { return static_cast<AuthHook&>(context).proves("secret") ? ok() : deny(); }

class SessionAuthTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionAuthTest);
    CPPUNIT_TEST(mechanisms_are_offered_for_the_hooks_that_are_handled);
    CPPUNIT_TEST(what_the_server_does_not_want_is_not_offered);
    CPPUNIT_TEST(external_needs_a_certificate_that_was_verified);
    CPPUNIT_TEST(what_stands_on_the_clear_connection_is_not_what_is_bound_to);
    CPPUNIT_TEST(the_certificate_and_the_channel_of_a_proxy_are_nobodys);
    CPPUNIT_TEST(scram_proves_what_a_plugin_knows);
    CPPUNIT_TEST(a_scram_back_end_that_is_down_is_told_at_once);
    CPPUNIT_TEST(a_refused_token_has_a_word_before_the_reply);
    CPPUNIT_TEST(a_plugin_may_say_who_it_is);
    CPPUNIT_TEST(an_initial_response_may_be_as_long_as_a_line_of_the_exchange);
    CPPUNIT_TEST(the_mechanisms_hook_is_asked_before_auth);
    CPPUNIT_TEST(a_decision_of_the_mechanisms_hook_is_final);
    CPPUNIT_TEST(plugins_get_the_credentials);
    CPPUNIT_TEST(a_plugin_with_the_password_can_check_cram_md5);
    CPPUNIT_TEST(challenges_never_repeat);
    CPPUNIT_TEST(success_makes_a_relay_client);
    CPPUNIT_TEST(failure_changes_nothing);
    CPPUNIT_TEST(success_ends_deferred_rejections);
    CPPUNIT_TEST(done_is_no_success);
    CPPUNIT_TEST(the_parse_hook_may_rewrite_the_argument);
    CPPUNIT_TEST(messages_tell_who_authenticated);
    CPPUNIT_TEST(the_submitter_is_believed_of_the_authenticated_only);
    CPPUNIT_TEST(credentials_are_the_same_after_a_wait);
    CPPUNIT_TEST(a_session_may_end_while_it_waits);
    CPPUNIT_TEST(those_who_only_look_on_let_nobody_in);
    CPPUNIT_TEST(how_an_exchange_ended_is_told);
    CPPUNIT_TEST(an_exchange_that_is_left_has_no_result);
    CPPUNIT_TEST(who_leaves_before_the_refusal_has_been_refused);
    CPPUNIT_TEST(success_and_failure_are_logged);
    CPPUNIT_TEST(secrets_are_in_no_log_line_and_no_argument);
    CPPUNIT_TEST(what_a_client_sends_without_waiting_is_not_logged_either);
    CPPUNIT_TEST(an_endless_response_ends_the_session);
    CPPUNIT_TEST(a_stopping_server_does_not_wait_for_the_password);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        allow_cram_md5(client_);
        client_.peer.tls_protocol = "TLSv1.3";
        client_.peer.tls_cipher = "TLS_AES_256_GCM_SHA384";
        client_.log.set_level(LogLevel::trace);
    }

    void mechanisms_are_offered_for_the_hooks_that_are_handled() {
        struct Row {
            std::vector<HookId> handled;
            const char* offered;
            const char* in_the_clear;
        };
        const Row rows[] = {
            {{}, "", ""},
            {{HookId::auth_parse}, "", ""},
            {{HookId::auth}, "AUTH LOGIN PLAIN", "AUTH LOGIN PLAIN"},
            {{HookId::auth_plain}, "AUTH PLAIN", "AUTH PLAIN"},
            {{HookId::auth_login}, "AUTH LOGIN", "AUTH LOGIN"},
            {{HookId::auth_cram_md5}, "AUTH CRAM-MD5", "AUTH CRAM-MD5"},
            {{HookId::auth_cram_md5, HookId::auth_plain}, "AUTH CRAM-MD5 PLAIN", "AUTH CRAM-MD5 PLAIN"},
            {{HookId::auth_cram_md5, HookId::auth}, "AUTH CRAM-MD5 LOGIN PLAIN", "AUTH CRAM-MD5 LOGIN PLAIN"},
            {{HookId::auth_scram_sha_1}, "AUTH SCRAM-SHA-1 SCRAM-SHA-1-PLUS", "AUTH SCRAM-SHA-1"},
            {{HookId::auth_scram_sha_256}, "AUTH SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "AUTH SCRAM-SHA-256"},
            {{HookId::auth_external}, "AUTH EXTERNAL", ""},
            {{HookId::auth_bearer}, "AUTH OAUTHBEARER XOAUTH2", "AUTH OAUTHBEARER XOAUTH2"}};
        for (const auto& row : rows)
            for (const bool is_encrypted : {true, false})
                for (const bool is_allowed : {true, false}) {
                    SessionUnderTest client;
                    allow_cram_md5(client);
                    client.settings.auth_without_tls = is_allowed;
                    for (const auto hook : row.handled) client.hooks.watch(hook);
                    is_encrypted ? client.start_encrypted(fakes::tls_facts_with_certificate(), {"octets", "", ""})
                                 : client.start();
                    CPPUNIT_ASSERT_EQUAL(std::string(is_encrypted ? row.offered
                                                     : is_allowed ? row.in_the_clear
                                                                  : ""),
                                         offered(client));
                }
    }

    void what_the_server_does_not_want_is_not_offered() {
        SessionUnderTest client;
        for (const auto& mechanism : auth_mechanisms) client.hooks.watch(mechanism.hook);
        client.start_encrypted(fakes::tls_facts_with_certificate());
        CPPUNIT_ASSERT_EQUAL("AUTH EXTERNAL LOGIN OAUTHBEARER PLAIN SCRAM-SHA-1 SCRAM-SHA-256 XOAUTH2"s,
                             offered(client));
        CPPUNIT_ASSERT_EQUAL("504 5.5.4 Unknown authentication mechanism\r\n"s, client.say("AUTH CRAM-MD5"));
        SessionUnderTest strict;
        strict.peer.tls_protocol = "TLSv1.3";
        strict.settings.auth_mechanisms = AuthMechanismSet::none();
        strict.settings.auth_mechanisms.add(*find_auth_mechanism("scram-sha-256"));
        for (const auto& mechanism : auth_mechanisms) strict.hooks.watch(mechanism.hook);
        strict.start();
        CPPUNIT_ASSERT_EQUAL("AUTH SCRAM-SHA-256"s, offered(strict));
        CPPUNIT_ASSERT_EQUAL("504"s, strict.say(plain("joe", "secret")).substr(0, 3));
    }

    void external_needs_a_certificate_that_was_verified() {
        for (const auto& [name, facts, offer, code] :
             {std::tuple{"none", fakes::tls_facts(), "", "502"},
              std::tuple{"unverified", fakes::tls_facts_with_certificate(false), "", "502"},
              std::tuple{"verified", fakes::tls_facts_with_certificate(), "AUTH EXTERNAL", "235"}}) {
            SessionUnderTest client;
            client.hooks.respond(HookId::auth_external, ok());
            client.start_encrypted(facts);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::string(offer), offered(client));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::string(code), client.say("AUTH EXTERNAL am9l").substr(0, 3));
        }
    }

    /// Before STARTTLS there is no channel to bind to, whatever the configuration; afterwards the server offers the
    /// forms that bind.
    void what_stands_on_the_clear_connection_is_not_what_is_bound_to() {
        SessionUnderTest client;
        client.settings.start_tls = StartTls::on;
        client.settings.auth_without_tls = true;
        client.hooks.respond(HookId::auth_scram_sha_256, ok());
        client.hooks.respond(HookId::auth_external, ok());
        client.start();
        CPPUNIT_ASSERT_EQUAL("AUTH SCRAM-SHA-256"s, offered(client));
        client.say("STARTTLS");
        client.shake_hands(fakes::tls_facts_with_certificate(), {"octets", "", ""});
        CPPUNIT_ASSERT_EQUAL("AUTH EXTERNAL SCRAM-SHA-256 SCRAM-SHA-256-PLUS"s, offered(client));
    }

    void the_certificate_and_the_channel_of_a_proxy_are_nobodys() {
        SessionUnderTest client;
        client.settings.trusted_proxies = {*IpNetwork::parse("192.0.2.0/24")};
        client.hooks.respond(HookId::auth_scram_sha_256, ok());
        client.hooks.respond(HookId::auth_external, ok());
        client.start_encrypted(fakes::tls_facts_with_certificate(), {"octets", "", ""});
        CPPUNIT_ASSERT_EQUAL("AUTH EXTERNAL SCRAM-SHA-256 SCRAM-SHA-256-PLUS"s, offered(client));
        client.say("XCLIENT ADDR=203.0.113.7");
        CPPUNIT_ASSERT_EQUAL("AUTH SCRAM-SHA-256"s, offered(client));
        CPPUNIT_ASSERT_EQUAL("504"s, client.say("AUTH EXTERNAL am9l").substr(0, 3));
        // a client that could bind, and sees that the server does not, is not lied to
        const fakes::ScramClient scram(ScramHash::sha256, "joe", "secret", "y,,", "");
        CPPUNIT_ASSERT_EQUAL("334"s, client.say("AUTH SCRAM-SHA-256 " + base64(scram.first())).substr(0, 3));
    }

    void scram_proves_what_a_plugin_knows() {
        struct Row {
            const char* name;
            Response response;
            bool knows;
            const char *password, *reply;
        };
        const Row rows[] = {{"known", ok(), true, "secret", "235 2.7.0 Authentication successful\r\n"},
                            {"in the plugin's words", ok("Hello"), true, "secret", "235 2.7.0 Hello\r\n"},
                            {"wrong password", ok(), true, "wrong", "535 5.7.8 Authentication failed\r\n"},
                            {"unknown", declined(), false, "secret", "535 5.7.8 Authentication failed\r\n"},
                            {"refused", deny("Not you"), true, "secret", "535 5.7.8 Not you\r\n"},
                            {"ok without keys", ok(), false, "secret", "535 5.7.8 Authentication failed\r\n"}};
        for (const auto& row : rows)
            for (const bool is_plus : {false, true}) {
                SessionUnderTest client;
                client.hooks.on(HookId::auth_scram_sha_256, [&](HookContext& context) {
                    if (row.knows) CPPUNIT_ASSERT(static_cast<AuthHook&>(context).proves("secret"));
                    return row.response;
                });
                client.hooks.watch(HookId::auth);
                client.start_encrypted(fakes::tls_facts(), {"octets", "", ""});
                client.say("EHLO client.example");
                fakes::ScramClient scram(ScramHash::sha256, "joe", row.password, is_plus ? "p=tls-exporter,," : "n,,",
                                         is_plus ? "octets" : "");
                const std::string command = "AUTH SCRAM-SHA-256"s + (is_plus ? "-PLUS " : " ") + base64(scram.first());
                std::string reply = client.say(base64(scram.last(challenge_in(client.say(command)))));
                if (reply.starts_with("334")) {
                    CPPUNIT_ASSERT_EQUAL(scram.expected(), challenge_in(reply));
                    CPPUNIT_ASSERT(!client.session().is_authenticated());
                    reply = client.say("");
                }
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(row.reply), reply);
                CPPUNIT_ASSERT_EQUAL(row.reply[0] == '2', client.session().is_authenticated());
                CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.hooks.count(HookId::auth));
                CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.hooks.count(HookId::auth_scram_sha_256));
            }
    }

    void a_scram_back_end_that_is_down_is_told_at_once() {
        client_.hooks.respond(HookId::auth_scram_sha_1, denysoft());
        client_.greet();
        CPPUNIT_ASSERT_EQUAL(
            "454 4.7.0 Temporary authentication failure\r\n"s,
            client_.say("AUTH SCRAM-SHA-1 " + base64(fakes::ScramClient(ScramHash::sha1, "joe", "x").first())));
        CPPUNIT_ASSERT_EQUAL("250"s, client_.say("NOOP").substr(0, 3));
    }

    void a_refused_token_has_a_word_before_the_reply() {
        client_.settings.max_errors = 0;
        client_.hooks.on(HookId::auth_bearer, [](HookContext& context) {
            const auto& hook = static_cast<AuthHook&>(context);
            if (hook.credentials.token().equals("down")) return denysoft();
            return hook.credentials.token().equals("good") ? ok() : deny("No such token");
        });
        client_.greet();
        const auto command = [](const char* token) {
            return "AUTH XOAUTH2 " + base64("user=joe\1auth=Bearer "s + token + "\1\1");
        };
        for (const std::string last_word : {"", "AQ==", "*", "no base64"}) {
            CPPUNIT_ASSERT_EQUAL(R"({"status":"401","schemes":"bearer","scope":""})"s,
                                 challenge_in(client_.say(command("bad"))));
            CPPUNIT_ASSERT_EQUAL("535 5.7.8 No such token\r\n"s, client_.say(last_word));
        }
        CPPUNIT_ASSERT_EQUAL(R"({"status":"401","schemes":"bearer","scope":""})"s,
                             challenge_in(client_.say(command("no token"))));
        CPPUNIT_ASSERT_EQUAL("535 5.7.8 Authentication failed\r\n"s, client_.say(""));
        CPPUNIT_ASSERT_EQUAL("454"s, client_.say(command("down")).substr(0, 3));
        CPPUNIT_ASSERT_EQUAL("235"s, client_.say(command("good")).substr(0, 3));
        CPPUNIT_ASSERT_EQUAL("joe"s, client_.session().auth_user());
    }

    void a_plugin_may_say_who_it_is() {
        for (const auto& [login, code] : {std::pair{"joe@example.com"s, "235"s}, {""s, "535"s}, {"j\noe"s, "535"s}}) {
            SessionUnderTest client;
            client.hooks.on(HookId::auth_external, [login = login](HookContext& context) {
                static_cast<AuthHook&>(context).set_login(login);
                return ok();
            });
            client.start_encrypted(fakes::tls_facts_with_certificate());
            client.say("EHLO client.example");
            CPPUNIT_ASSERT_EQUAL(code, client.say("AUTH EXTERNAL =").substr(0, 3));
            CPPUNIT_ASSERT_EQUAL(code == "235" ? login : ""s, client.session().auth_user());
        }
    }

    void an_initial_response_may_be_as_long_as_a_line_of_the_exchange() {
        client_.hooks.respond(HookId::auth_bearer, ok());
        client_.greet();
        CPPUNIT_ASSERT_EQUAL("500"s, client_.say("NOOP " + std::string(3000, 'x')).substr(0, 3));
        CPPUNIT_ASSERT_EQUAL("500"s, client_.say("AUTH XOAUTH2 " + std::string(12288, 'x')).substr(0, 3));
        CPPUNIT_ASSERT_EQUAL(
            "235"s, client_.say("AUTH XOAUTH2 " + base64("user=joe\1auth=Bearer " + std::string(9000, 't') + "\1\1"))
                        .substr(0, 3));
        CPPUNIT_ASSERT_EQUAL("500"s, client_.say("AUTH XOAUTH2 " + std::string(4000, 'x')).substr(0, 3));
    }

    void the_mechanisms_hook_is_asked_before_auth() {
        for (const auto hook : {HookId::auth_plain, HookId::auth_login, HookId::auth_cram_md5, HookId::auth})
            client_.hooks.watch(hook);
        client_.greet();
        client_.say(plain("joe", "secret"));
        client_.feed("AUTH LOGIN " + base64("joe") + "\r\n" + base64("secret") + "\r\n");
        client_.feed("AUTH CRAM-MD5\r\n" + base64("joe 0123456789abcdef0123456789abcdef") + "\r\n");
        CPPUNIT_ASSERT_EQUAL(
            std::string("auth-plain auth auth-login auth auth-cram-md5 auth"),
            client_.hooks.order_of({HookId::auth_plain, HookId::auth_login, HookId::auth_cram_md5, HookId::auth}));
    }

    void a_decision_of_the_mechanisms_hook_is_final() {
        for (const auto verdict : {Verdict::ok, Verdict::deny, Verdict::denysoft, Verdict::done}) {
            SessionUnderTest client;
            client.settings.auth_without_tls = true;
            client.hooks.respond(HookId::auth_plain, verdict);
            client.hooks.respond(HookId::auth, verdict == Verdict::ok ? deny() : ok());
            client.greet();
            client.say(plain("joe", "secret"));
            CPPUNIT_ASSERT_EQUAL(std::size_t(0), client.hooks.count(HookId::auth));
            CPPUNIT_ASSERT_EQUAL(verdict == Verdict::ok, client.session().is_authenticated());
        }
    }

    void plugins_get_the_credentials() {
        client_.hooks.on(HookId::auth, [](HookContext& context) {
            const auto& hook = static_cast<AuthHook&>(context);
            return deny("{} {} {}", hook.mechanism(), hook.user(),
                        hook.password() != nullptr ? hook.password()->reveal() : "-");
        });
        client_.hooks.watch(HookId::auth_cram_md5);
        client_.greet();
        CPPUNIT_ASSERT_EQUAL(std::string("535 5.7.8 PLAIN joe sec ret\r\n"), client_.say(plain("joe", "sec ret")));
        client_.say("AUTH LOGIN");
        client_.say(base64("joe doe"));
        CPPUNIT_ASSERT_EQUAL(std::string("535 5.7.8 LOGIN joe doe secret\r\n"), client_.say(base64("secret")));
        client_.say("AUTH cram-md5");
        CPPUNIT_ASSERT_EQUAL(std::string("535 5.7.8 CRAM-MD5 joe -\r\n"),
                             client_.say(base64("joe 0123456789abcdef0123456789abcdef")));
    }

    void a_plugin_with_the_password_can_check_cram_md5() {
        client_.hooks.on(HookId::auth_cram_md5, know_secret);
        client_.greet();
        for (const auto& [password, reply] : {std::pair{"wrong", "535"}, {"", "535"}, {"secret", "235"}}) {
            const std::string challenge = client_.say("AUTH CRAM-MD5");
            const auto text = support::from_base64(std::string_view(challenge).substr(4, challenge.size() - 6)).value();
            CPPUNIT_ASSERT_EQUAL(std::string(reply),
                                 client_.say(base64("joe " + smtp::hmac_md5(password, text))).substr(0, 3));
        }
    }

    void challenges_never_repeat() {
        client_.settings.max_errors = 0;
        client_.hooks.watch(HookId::auth_cram_md5);
        client_.greet();
        std::vector<std::string> seen;
        for (int i = 0; i < 50; ++i) {
            seen.push_back(client_.say("AUTH CRAM-MD5"));
            CPPUNIT_ASSERT_EQUAL(std::string("334 "), seen.back().substr(0, 4));
            client_.say("*");
        }
        std::sort(seen.begin(), seen.end());
        CPPUNIT_ASSERT(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
        const auto text = support::from_base64(std::string_view(seen[0]).substr(4, seen[0].size() - 6)).value();
        CPPUNIT_ASSERT_MESSAGE(text, text.starts_with("<") && text.ends_with("@mx.example.com>"));
    }

    void success_makes_a_relay_client() {
        client_.hooks.respond(HookId::auth, ok());
        client_.greet();
        CPPUNIT_ASSERT(!client_.session().is_authenticated());
        client_.say(plain("joe@example.com", "secret"));
        const auto& session = client_.session();
        CPPUNIT_ASSERT(session.is_authenticated());
        CPPUNIT_ASSERT(session.is_relay_client());
        CPPUNIT_ASSERT_EQUAL(std::string("joe@example.com"), session.auth_user());
        CPPUNIT_ASSERT_EQUAL(std::string("PLAIN"), session.auth_mechanism());
        client_.say("EHLO again.example");
        CPPUNIT_ASSERT(session.is_authenticated());
    }

    void failure_changes_nothing() {
        for (const auto verdict : {Verdict::declined, Verdict::deny, Verdict::denysoft}) {
            SessionUnderTest client;
            client.settings.auth_without_tls = true;
            client.hooks.respond(HookId::auth, verdict);
            client.greet();
            client.session().complain(
                {.plugin = "badmailfrom", .verdict = Verdict::deny, .enhanced = {5, 7, 1}, .text = "listed"});
            client.say(plain("joe", "secret"));
            CPPUNIT_ASSERT(!client.session().is_authenticated());
            CPPUNIT_ASSERT(!client.session().is_relay_client());
            CPPUNIT_ASSERT(client.session().is_naughty());
            CPPUNIT_ASSERT_EQUAL(std::uint32_t(1), client.session().errors());
            CPPUNIT_ASSERT_EQUAL(std::string("250"), client.say("MAIL FROM:<a@b>").substr(0, 3));
        }
    }

    void success_ends_deferred_rejections() {
        client_.hooks.respond(HookId::auth, ok());
        client_.greet();
        client_.session().complain(
            {.plugin = "dnsbl", .verdict = Verdict::deny, .enhanced = {5, 7, 1}, .text = "listed"});
        client_.say(plain("joe", "secret"));
        CPPUNIT_ASSERT(!client_.session().is_naughty());
    }

    void done_is_no_success() {
        client_.hooks.on(HookId::auth, [](HookContext& context) {
            fakes::connection_of(context).send({454, {4, 7, 0}, "Words of the plugin", false});
            return Response(Verdict::done);
        });
        client_.greet();
        CPPUNIT_ASSERT_EQUAL(std::string("454 4.7.0 Words of the plugin\r\n"), client_.say(plain("joe", "secret")));
        CPPUNIT_ASSERT(!client_.session().is_authenticated());
        CPPUNIT_ASSERT_EQUAL(std::string("250"), client_.say("NOOP").substr(0, 3));
    }

    void the_parse_hook_may_rewrite_the_argument() {
        client_.hooks.respond(HookId::auth, ok());
        client_.hooks.on(HookId::auth_parse, [](HookContext& context) {
            auto& argument = static_cast<ParseHook&>(context).argument;
            if (argument == "MINE") argument = "PLAIN " + base64("\0joe\0secret"s);
            return argument == "NEVER" ? deny("Not that one") : declined();
        });
        client_.greet();
        CPPUNIT_ASSERT_EQUAL(std::string("501 5.5.4 Not that one\r\n"), client_.say("AUTH NEVER"));
        CPPUNIT_ASSERT_EQUAL(std::string("235"), client_.say("AUTH MINE").substr(0, 3));
        CPPUNIT_ASSERT_EQUAL(std::string("joe"), client_.session().auth_user());
    }

    void messages_tell_who_authenticated() {
        client_.hooks.accept_mail();
        client_.hooks.respond(HookId::auth, ok());
        client_.greet();
        client_.say(plain("joe@example.com", "secret"));
        client_.feed(
            "MAIL FROM:<joe@example.com>\r\nRCPT TO:<user@example.net>\r\nDATA\r\nSubject: x\r\n\r\ntext\r\n.\r\n");
        const std::string& message = client_.hooks.queued.at(0);
        const std::string top =
            "Authentication-Results: mx.example.com;\r\n\tauth=pass (PLAIN) smtp.auth=joe@example.com\r\nReceived: ";
        CPPUNIT_ASSERT_EQUAL(top, message.substr(0, top.size()));
        CPPUNIT_ASSERT_MESSAGE(message, message.find(" with ESMTPSA id ") != std::string::npos);
    }

    void the_submitter_is_believed_of_the_authenticated_only() {
        std::string submitter;
        client_.hooks.respond(HookId::auth, ok());
        client_.hooks.on(HookId::mail, [&](HookContext& context) {
            const auto& said = static_cast<MailHook&>(context).transaction.envelope().submitter;
            submitter = said ? said->path() : "nothing";
            return declined();
        });
        client_.greet();
        const auto say = [&](const char* parameter) {
            client_.say("MAIL FROM:<a@b> "s + parameter);
            client_.say("RSET");
            return submitter;
        };
        CPPUNIT_ASSERT_EQUAL("<>"s, say("AUTH=joe@example.com"));
        CPPUNIT_ASSERT_EQUAL("nothing"s, say(""));
        client_.say(plain("joe", "secret"));
        CPPUNIT_ASSERT_EQUAL("<joe+x@example.com>"s, say("AUTH=joe+2Bx@example.com"));
        CPPUNIT_ASSERT_EQUAL("<>"s, say("AUTH=<>"));
        CPPUNIT_ASSERT_EQUAL("nothing"s, say(""));
    }

    void credentials_are_the_same_after_a_wait() {
        for (const auto hook : {HookId::auth_plain, HookId::auth}) {
            SessionUnderTest client;
            client.settings.auth_without_tls = true;
            client.hooks.on(hook, know_secret);
            client.hooks.wait(hook, Duration(2000));
            client.greet();
            CPPUNIT_ASSERT_EQUAL(std::string(), client.say(plain("joe", "secret")));
            CPPUNIT_ASSERT(client.is_parked());
            CPPUNIT_ASSERT_EQUAL(std::string(), client.say("NOOP"));
            CPPUNIT_ASSERT_EQUAL(std::string("235 2.7.0 Authentication successful\r\n250 2.0.0 OK\r\n"),
                                 client.wait(Duration(2000)));
            CPPUNIT_ASSERT(client.session().is_authenticated());
        }
    }

    void a_session_may_end_while_it_waits() {
        for (int how = 0; how < 4; ++how) {
            SessionUnderTest client;
            client.settings.auth_without_tls = true;
            client.hooks.respond(HookId::auth, ok());
            client.hooks.wait(HookId::auth, Duration(2000));
            client.hooks.watch(HookId::disconnect);
            client.greet();
            client.say(plain("joe", "secret"));
            if (how == 0) client.abandon();
            if (how == 1) client.interrupt(Interruption::session_timeout);
            if (how == 2) client.end_of_input();
            if (how == 3) client.destroy();
            else CPPUNIT_ASSERT(client.is_closed());
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), client.hooks.count(HookId::disconnect));
        }
    }

    void those_who_only_look_on_let_nobody_in() {
        client_.hooks.look_on(HookId::auth_plain);
        client_.hooks.look_on(HookId::auth_cram_md5);
        client_.start();
        CPPUNIT_ASSERT(client_.say("EHLO x").find("AUTH") == std::string::npos);
        CPPUNIT_ASSERT_EQUAL("502"s, client_.say(plain("joe", "secret")).substr(0, 3));
        CPPUNIT_ASSERT(client_.hooks.calls.empty());
        client_.hooks.respond(HookId::auth, ok());
        CPPUNIT_ASSERT(client_.say("EHLO x").find("AUTH LOGIN PLAIN\r\n") != std::string::npos);
        client_.say(plain("joe", "secret"));
        CPPUNIT_ASSERT_EQUAL("auth-plain auth"s, client_.hooks.order_of({HookId::auth_plain, HookId::auth}));
    }

    void how_an_exchange_ended_is_told() {
        client_.settings.max_errors = 0;
        std::string told;
        client_.hooks.on(HookId::auth_result, [&](HookContext& context) {
            const auto& hook = static_cast<AuthResultHook&>(context);
            told = format_text("{} {} {} {}{}{}", hook.mechanism, hook.user.empty() ? "-" : hook.user, hook.reply.code,
                               hook.is_authenticated ? "good " : "", hook.is_refused() ? "refused " : "",
                               hook.connection.is_authenticated() ? "in" : "out");
            return declined();
        });
        client_.hooks.on(HookId::auth, [](HookContext& context) -> Response {
            const auto& user = static_cast<AuthHook&>(context).user();
            if (user == "down") return denysoft();
            if (user == "done") return Verdict::done;
            return know_secret(context);
        });
        client_.hooks.on(HookId::auth_cram_md5, know_secret);
        client_.greet();
        const struct {
            const char* name;
            std::vector<std::string> lines;
            const char* result;
        } rows[] = {
            {"wrong password", {plain("joe", "wrong")}, "PLAIN joe 535 refused out"},
            {"no password", {plain("joe", "")}, "PLAIN - 535 refused out"},
            {"no name", {plain("", "secret")}, "PLAIN - 535 refused out"},
            {"in two steps", {"AUTH LOGIN", base64("joe"), base64("wrong")}, "LOGIN joe 535 refused out"},
            {"wrong response",
             {"AUTH CRAM-MD5", base64("joe 0123456789abcdef0123456789abcdef")},
             "CRAM-MD5 joe 535 refused out"},
            {"cancelled", {"AUTH LOGIN", base64("joe"), "*"}, "LOGIN joe 501 refused out"},
            {"malformed", {"AUTH PLAIN =!"}, "PLAIN - 501 refused out"},
            {"back end is down", {plain("down", "secret")}, "PLAIN down 454 out"},
            {"told by the plugin", {plain("done", "secret")}, "PLAIN done 0 refused out"},
            {"unknown mechanism", {"AUTH NEVER"}, ""},
            {"no mechanism", {"AUTH"}, ""},
            {"right", {plain("joe", "secret")}, "PLAIN joe 235 good in"},
            {"once more", {plain("joe", "secret")}, ""},
        };
        for (const auto& row : rows) {
            told.clear();
            for (const auto& line : row.lines) client_.say(line);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(row.result), told);
        }
    }

    void an_exchange_that_is_left_has_no_result() {
        client_.hooks.watch(HookId::auth);
        client_.hooks.watch(HookId::auth_result);
        client_.greet();
        client_.say("AUTH LOGIN " + base64("joe"));
        client_.end_of_input();
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.hooks.count(HookId::auth_result));
    }

    void who_leaves_before_the_refusal_has_been_refused() {
        for (const bool leaves : {true, false}) {
            SessionUnderTest client;
            client.settings.auth_without_tls = true;
            std::string told;
            client.hooks.respond(HookId::auth_bearer, deny());
            client.hooks.on(HookId::auth_result, [&](HookContext& context) {
                const auto& hook = static_cast<AuthResultHook&>(context);
                told += format_text("{} {} {};", hook.user, hook.reply.code, hook.is_refused() ? "refused" : "-");
                return declined();
            });
            client.greet();
            CPPUNIT_ASSERT_EQUAL(
                "334"s, client.say("AUTH OAUTHBEARER " + base64("n,a=joe,\1auth=Bearer token\1\1")).substr(0, 3));
            if (leaves) client.end_of_input();
            else CPPUNIT_ASSERT_EQUAL("535"s, client.say(base64("\1")).substr(0, 3));
            CPPUNIT_ASSERT_EQUAL("joe 535 refused;"s, told);
        }
    }

    void success_and_failure_are_logged() {
        client_.hooks.on(HookId::auth, know_secret);
        client_.greet();
        client_.say(plain("joe\" x", "wrong"));
        const std::string failure = "authentication failed for 192.0.2.1 mechanism=PLAIN code=535 user=\"joe\\\" x\"";
        CPPUNIT_ASSERT_EQUAL(failure, client_.log.texts(LogLevel::notice).back());
        client_.say(plain("joe", "secret"));
        CPPUNIT_ASSERT(client_.log.contains("authenticated mechanism=PLAIN user=\"joe\""));
    }

    void secrets_are_in_no_log_line_and_no_argument() {
        client_.settings.max_errors = 0;
        client_.hooks.on(HookId::auth, [](HookContext& context) {
            fakes::connection_of(context).notes().get(last_line) = fakes::connection_of(context).last_line();
            return declined();
        });
        client_.hooks.watch(HookId::auth_cram_md5);
        client_.greet();
        client_.say(plain("joe", "hidden"));
        CPPUNIT_ASSERT_EQUAL("AUTH PLAIN"s, client_.session().notes().get(last_line));
        client_.say("AUTH PLAIN");
        client_.say(base64("\0joe\0hidden"s));
        client_.say("AUTH LOGIN " + base64("joe"));
        client_.say(base64("hidden"));
        client_.say("auth\tlogin");
        client_.say(base64("joe"));
        client_.say(base64("hidden") + "*");
        client_.say("AUTH CRAM-MD5");
        client_.say(base64("joe 0123456789abcdef0123456789abcdef"));
        client_.say("AUTH " + base64("hidden"));
        client_.say("AUTHPLAIN " + base64("\0joe\0hidden"s));
        client_.say("AUTH PLAIN x " + base64("hidden"));
        CPPUNIT_ASSERT(client_.log.contains("<<< AUTH PLAIN (the rest is not shown)"));
        const std::string digest = "joe 0123456789abcdef0123456789abcdef";
        for (const auto& secret : {base64("hidden"), base64("\0joe\0hidden"s), base64(digest), "hidden"s, digest})
            CPPUNIT_ASSERT_MESSAGE(client_.log.to_string(), !client_.log.contains(secret));
    }

    void what_a_client_sends_without_waiting_is_not_logged_either() {
        std::string seen;
        client_.hooks.on(HookId::unrecognized_command, [&](HookContext& context) {
            const auto& hook = static_cast<UnrecognizedHook&>(context);
            seen.append(hook.verb)
                .append("/")
                .append(hook.argument)
                .append("/")
                .append(fakes::connection_of(context).last_line())
                .append(";");
            return declined();
        });
        client_.greet();
        client_.feed("AUTH LOGIN\r\n" + base64("joe") + "\r\n" + base64("hidden") + "\r\nNOOP\r\nXSHOWN now\r\n" +
                     plain("joe", "hidden") + "\r\n");
        CPPUNIT_ASSERT_EQUAL("AUTH//AUTH;//;//;XSHOWN/now/XSHOWN now;AUTH//AUTH;"s, seen);
        CPPUNIT_ASSERT(!client_.log.contains(base64("hidden")));
        CPPUNIT_ASSERT(!client_.log.contains(base64("\0joe\0hidden"s)));
    }

    void an_endless_response_ends_the_session() {
        client_.hooks.watch(HookId::auth);
        client_.greet();
        client_.say("AUTH LOGIN");
        std::string output;
        for (int i = 0; i < 40 && !client_.is_closed(); ++i) output += client_.feed(std::string(10000, 'A'));
        CPPUNIT_ASSERT(client_.is_closed());
        CPPUNIT_ASSERT_EQUAL(std::string("421 4.7.0 Line is much too long, closing connection\r\n"), output);
        CPPUNIT_ASSERT(client_.log.contains("the server ends the session: reply=\"421 Line is much too long"));
    }

    void a_stopping_server_does_not_wait_for_the_password() {
        client_.hooks.respond(HookId::auth, ok());
        client_.greet();
        client_.say("AUTH LOGIN");
        CPPUNIT_ASSERT_EQUAL(std::string("421"), client_.stop_soon().substr(0, 3));
        CPPUNIT_ASSERT(client_.is_closed());
    }

private:
    /// The AUTH line in the reply to EHLO.
    static std::string offered(SessionUnderTest& client) {
        const std::string reply = client.say("EHLO x");
        const auto at = reply.find("AUTH");
        return at == std::string::npos ? "" : reply.substr(at, reply.find('\r', at) - at);
    }
    /// The octets in a 334.
    static std::string challenge_in(const std::string& reply) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(reply, "334 "s, reply.substr(0, 4));
        return support::from_base64(std::string_view(reply).substr(4, reply.size() - 6)).value();
    }

    inline static const NoteKey<std::string> last_line{"test.last_line"};
    SessionUnderTest client_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(SessionAuthTest);

}  // namespace
}  // namespace smtpd::engine
