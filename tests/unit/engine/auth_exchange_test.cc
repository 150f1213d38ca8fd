#include "engine/auth_exchange.h"

#include "engine/auth_offer.h"
#include "fakes/fake_hook_runner.h"
#include "fakes/scram_client.h"
#include "support/base64.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::engine {
namespace {

using support::base64;
using namespace std::string_literals;

smtp::LineSplitter::Line line(std::string_view text) {
    smtp::LineSplitter::Line line;
    line.status = smtp::LineSplitter::Status::line;
    line.text = text;
    return line;
}

std::string text(const AuthExchange::Next& next) {
    std::string out;
    if (const auto* const challenge = std::get_if<AuthExchange::Challenge>(&next.step))
        out = "challenge " + challenge->octets;
    else if (const auto* const ask = std::get_if<AuthExchange::Ask>(&next.step))
        out = format_text("ask {}", hook_name(ask->hook));
    else {
        const auto& result = std::get<AuthExchange::Result>(next.step);
        out = format_text("{} {}{}{}{}", result.is_authenticated ? "good" : "bad", result.reply.code,
                          result.disconnects ? " closes" : "", result.is_refusal ? " refusal" : "",
                          result.is_known ? " known" : "");
        if (!result.last_challenge.empty()) out += " behind a challenge";
    }
    return next.fault.empty() ? out : out + " fault: " + next.fault;
}

class AuthExchangeTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthExchangeTest);
    CPPUNIT_TEST(an_argument_is_a_mechanism_and_a_response);
    CPPUNIT_TEST(an_initial_response_leads_to_the_plugins);
    CPPUNIT_TEST(without_one_there_is_a_challenge);
    CPPUNIT_TEST(login_asks_twice);
    CPPUNIT_TEST(who_has_no_opinion_at_the_hook_leaves_it_to_auth);
    CPPUNIT_TEST(verdicts_become_results);
    CPPUNIT_TEST(bad_lines_end_it);
    CPPUNIT_TEST(a_name_that_nobody_has_is_refused_without_a_plugin);
    CPPUNIT_TEST(a_refused_token_is_told_behind_a_challenge);
    CPPUNIT_TEST(scram_tells_its_user_nothing_before_the_proof);
    CPPUNIT_TEST(scram_proves_without_another_question);
    CPPUNIT_TEST(ok_without_keys_or_without_a_name_is_a_fault);
    CPPUNIT_TEST(an_offer_needs_permission_a_plugin_and_its_connection);
    CPPUNIT_TEST_SUITE_END();

public:
    void an_argument_is_a_mechanism_and_a_response() {
        CPPUNIT_ASSERT(!parse_auth("") && !parse_auth(" PLAIN") && !parse_auth("PLAIN a b"));
        CPPUNIT_ASSERT_EQUAL("PLAIN"s, std::string(parse_auth("PLAIN")->mechanism));
        const auto argument = *parse_auth("plain \t eA==");
        CPPUNIT_ASSERT_EQUAL("plain/eA=="s,
                             std::string(argument.mechanism) + "/" + std::string(argument.initial_response));
    }

    void an_initial_response_leads_to_the_plugins() {
        auto exchange = make("PLAIN");
        CPPUNIT_ASSERT_EQUAL("ask auth-plain"s, text(exchange.begin(plain("joe"))));
        CPPUNIT_ASSERT_EQUAL("joe"s, exchange.login());
        CPPUNIT_ASSERT(exchange.credentials().proves("secret"));
        CPPUNIT_ASSERT_EQUAL("good 235"s, text(exchange.answered(HookId::auth_plain, ok())));
    }

    void without_one_there_is_a_challenge() {
        auto exchange = make("PLAIN");
        CPPUNIT_ASSERT_EQUAL("challenge "s, text(exchange.begin("")));
        CPPUNIT_ASSERT_EQUAL("ask auth-plain"s, text(exchange.take(line(plain("joe")), true)));
        CPPUNIT_ASSERT_EQUAL("bad 501"s, text(make("PLAIN").begin("=")));
        CPPUNIT_ASSERT_EQUAL("bad 501"s, text(make("CRAM-MD5").begin("eA==")));
    }

    void login_asks_twice() {
        auto exchange = make("LOGIN");
        CPPUNIT_ASSERT_EQUAL("challenge Username:"s, text(exchange.begin("")));
        CPPUNIT_ASSERT_EQUAL("challenge Password:"s, text(exchange.take(line(base64("joe")), true)));
        CPPUNIT_ASSERT_EQUAL("ask auth-login"s, text(exchange.take(line(base64("secret")), true)));
    }

    void who_has_no_opinion_at_the_hook_leaves_it_to_auth() {
        auto exchange = make("PLAIN");
        exchange.begin(plain("joe"));
        CPPUNIT_ASSERT_EQUAL("ask auth"s, text(exchange.answered(HookId::auth_plain, declined())));
        CPPUNIT_ASSERT_EQUAL("bad 535 refusal"s, text(exchange.answered(HookId::auth, declined())));
    }

    void verdicts_become_results() {
        const std::pair<Verdict, const char*> rows[] = {{Verdict::ok, "good 235"},
                                                        {Verdict::deny, "bad 535 refusal"},
                                                        {Verdict::denysoft, "bad 454 refusal"},
                                                        {Verdict::deny_disconnect, "bad 535 closes refusal"},
                                                        {Verdict::denysoft_disconnect, "bad 421 closes refusal"}};
        for (const auto& [verdict, expected] : rows) {
            auto exchange = make("PLAIN");
            exchange.begin(plain("joe"));
            CPPUNIT_ASSERT_EQUAL(std::string(expected), text(exchange.answered(HookId::auth_plain, Response(verdict))));
        }
    }

    void bad_lines_end_it() {
        auto too_long = line("");
        too_long.status = smtp::LineSplitter::Status::too_long;
        const std::string joe = base64("joe");
        auto with_cr = line(joe);
        with_cr.bare_cr = true;
        CPPUNIT_ASSERT_EQUAL("bad 500"s, after_challenge(too_long, true));
        CPPUNIT_ASSERT_EQUAL("bad 500"s, after_challenge(with_cr, true));
        CPPUNIT_ASSERT_EQUAL("challenge Password:"s, after_challenge(with_cr, false));
        CPPUNIT_ASSERT_EQUAL("bad 501"s, after_challenge(line("*"), true));
        CPPUNIT_ASSERT_EQUAL("bad 501"s, after_challenge(line("!"), true));
    }

    void a_name_that_nobody_has_is_refused_without_a_plugin() {
        auto exchange = make("LOGIN");
        exchange.begin("");
        exchange.take(line(""), true);
        CPPUNIT_ASSERT_EQUAL("bad 535 refusal"s, text(exchange.take(line(base64("secret")), true)));
    }

    void a_refused_token_is_told_behind_a_challenge() {
        auto exchange = make("OAUTHBEARER");
        CPPUNIT_ASSERT_EQUAL("ask auth-bearer"s, text(exchange.begin(base64("n,a=joe,\x01"
                                                                            "auth=Bearer token\x01\x01"))));
        CPPUNIT_ASSERT_EQUAL("bad 535 refusal behind a challenge"s,
                             text(exchange.answered(HookId::auth_bearer, deny())));
        CPPUNIT_ASSERT_EQUAL("bad 535 known"s, text(exchange.take(line("AQ=="), true)));
        auto deferred = make("OAUTHBEARER");
        deferred.begin(
            base64("n,a=joe,\x01"
                   "auth=Bearer token\x01\x01"));
        CPPUNIT_ASSERT_EQUAL("bad 454 refusal"s, text(deferred.answered(HookId::auth_bearer, denysoft())));
    }

    void scram_tells_its_user_nothing_before_the_proof() {
        for (const auto verdict : {Verdict::declined, Verdict::deny}) {
            fakes::ScramClient client(ScramHash::sha256, "joe", "secret");
            auto exchange = make("SCRAM-SHA-256");
            CPPUNIT_ASSERT_EQUAL("ask auth-scram-sha-256"s, text(exchange.begin(base64(client.first()))));
            const auto next = exchange.answered(HookId::auth_scram_sha_256, Response(verdict));
            const auto challenge = std::get<AuthExchange::Challenge>(next.step).octets;
            CPPUNIT_ASSERT(challenge.starts_with("r="));
            CPPUNIT_ASSERT_EQUAL("bad 535 refusal"s, text(exchange.take(line(base64(client.last(challenge))), true)));
        }
        fakes::ScramClient client(ScramHash::sha256, "joe", "secret");
        auto exchange = make("SCRAM-SHA-256");
        exchange.begin(base64(client.first()));
        CPPUNIT_ASSERT_EQUAL("bad 454 refusal"s, text(exchange.answered(HookId::auth_scram_sha_256, denysoft())));
    }

    void scram_proves_without_another_question() {
        for (const std::string password : {"secret", "wrong"}) {
            fakes::ScramClient client(ScramHash::sha256, "joe", password);
            auto exchange = make("SCRAM-SHA-256");
            exchange.begin(base64(client.first()));
            auto& wanted = *exchange.findings().scram;
            wanted.keys = ScramKeys::derive(wanted.hash, "secret", wanted.salt, wanted.iterations);
            const auto first =
                std::get<AuthExchange::Challenge>(exchange.answered(HookId::auth_scram_sha_256, ok()).step).octets;
            auto next = exchange.take(line(base64(client.last(first))), true);
            if (password == "wrong") {
                CPPUNIT_ASSERT_EQUAL("bad 535 refusal"s, text(next));
                continue;
            }
            CPPUNIT_ASSERT_EQUAL("challenge " + client.expected(), text(next));
            CPPUNIT_ASSERT_EQUAL("good 235"s, text(exchange.take(line(""), true)));
        }
    }

    void ok_without_keys_or_without_a_name_is_a_fault() {
        fakes::ScramClient client(ScramHash::sha256, "joe", "secret");
        auto scram = make("SCRAM-SHA-256");
        scram.begin(base64(client.first()));
        const auto next = scram.answered(HookId::auth_scram_sha_256, ok());
        CPPUNIT_ASSERT_EQUAL("auth-scram-sha-256 returned ok without anything to check the client's proof with"s,
                             next.fault);
        CPPUNIT_ASSERT_EQUAL(
            "bad 535 refusal"s,
            text(scram.take(line(base64(client.last(std::get<AuthExchange::Challenge>(next.step).octets))), true)));
        auto nameless = make("PLAIN");
        nameless.begin(plain("joe"));
        nameless.findings().login.clear();
        CPPUNIT_ASSERT_EQUAL("bad 535 refusal fault: auth-plain returned ok without the client's name"s,
                             text(nameless.answered(HookId::auth_plain, ok())));
    }

    void an_offer_needs_permission_a_plugin_and_its_connection() {
        AuthMechanismSet all;
        for (const auto& mechanism : auth_mechanisms) all.add(mechanism);
        fakes::FakeHookRunner hooks;
        CPPUNIT_ASSERT((AuthOffer{all, hooks, true, true}.empty()));
        hooks.watch(HookId::auth);
        CPPUNIT_ASSERT_EQUAL(" LOGIN PLAIN"s, (AuthOffer{all, hooks, true, true}.names()));
        hooks.watch(HookId::auth_external);
        hooks.watch(HookId::auth_scram_sha_256);
        CPPUNIT_ASSERT_EQUAL(" LOGIN PLAIN SCRAM-SHA-256"s, (AuthOffer{all, hooks, false, false}.names()));
        CPPUNIT_ASSERT_EQUAL(" EXTERNAL LOGIN PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS"s,
                             (AuthOffer{all, hooks, true, true}.names()));
        CPPUNIT_ASSERT((AuthOffer{all, hooks, false, false}.has("plain")));
        CPPUNIT_ASSERT((!AuthOffer{all, hooks, false, false}.has("external")));
        CPPUNIT_ASSERT((!AuthOffer{all, hooks, false, false}.has("NONE")));
        CPPUNIT_ASSERT((AuthOffer{AuthMechanismSet::none(), hooks, true, true}.empty()));
    }

private:
    static AuthExchange make(const char* mechanism) {
        return AuthExchange(mechanism, "nonce", "mx.example.com", scram());
    }
    static smtp::ScramServer scram() {
        smtp::ScramServer server;
        server.salt_secret = "secret of the server";
        return server;
    }
    static std::string plain(const std::string& user) { return base64("\0"s + user + "\0secret"s); }
    static std::string after_challenge(const smtp::LineSplitter::Line& line, bool rejects_bare_cr) {
        auto exchange = make("LOGIN");
        exchange.begin("");
        return text(exchange.take(line, rejects_bare_cr));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AuthExchangeTest);

}  // namespace
}  // namespace smtpd::engine
