/// scram_test.cc: SCRAM: the RFCs' examples, all kinds of wrong messages, and channel binding.
#include "smtp/scram.h"
#include "fakes/scram_client.h"
#include "smtp/sasl.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::smtp {
namespace {

using fakes::ScramClient;
using Status = SaslMechanism::Status;
using namespace std::string_literals;

std::string shown(const SaslMechanism::Step& step) {
    switch (step.status) {
        case Status::challenge: return "challenge " + step.challenge;
        case Status::lookup: return "lookup";
        case Status::complete: return "complete";
        case Status::proved: return "proved";
        case Status::malformed: return "malformed";
        case Status::refused: return "refused";
    }
    return "?";
}

ScramKeys keys_of(ScramHash hash, const char* password, const char* salt_in_base64) {
    return ScramKeys::derive(hash, password, support::from_base64(salt_in_base64).value(), 4096);
}

class ScramTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ScramTest);
    CPPUNIT_TEST(the_example_of_rfc_5802_holds);
    CPPUNIT_TEST(the_example_of_rfc_7677_holds);
    CPPUNIT_TEST(first_messages_are_read_strictly);
    CPPUNIT_TEST(final_messages_are_read_strictly);
    CPPUNIT_TEST(a_wrong_password_proves_nothing);
    CPPUNIT_TEST(an_unknown_user_looks_like_a_known_one);
    CPPUNIT_TEST(the_channel_is_bound);
    CPPUNIT_TEST(a_downgrade_is_noticed);
    CPPUNIT_TEST(nobody_logs_in_for_somebody_else);
    CPPUNIT_TEST(the_last_word_of_the_client_is_empty);
    CPPUNIT_TEST(keys_are_read_as_rfc_5803_writes_them);
    CPPUNIT_TEST_SUITE_END();

public:
    void the_example_of_rfc_5802_holds() {
        const auto scram = make_sasl("scram-sha-1", "3rfcNHYJY1ZVvWVs7j", "mx");
        CPPUNIT_ASSERT_EQUAL("lookup"s, shown(scram->take("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL")));
        CPPUNIT_ASSERT_EQUAL("user"s, scram->credentials().user());
        CPPUNIT_ASSERT_EQUAL(std::string_view("SCRAM-SHA-1"), scram->credentials().mechanism());
        scram->scram()->keys = keys_of(ScramHash::sha1, "pencil", "QSXCR+Q6sek8bf92");
        CPPUNIT_ASSERT_EQUAL("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"s,
                             scram->first_of_server(true));
        CPPUNIT_ASSERT_EQUAL(
            "challenge v=rmF9pqV8S7suAoZWja4dJRkFsKQ="s,
            shown(scram->take("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=")));
        CPPUNIT_ASSERT_EQUAL("proved"s, shown(scram->take("")));
    }

    void the_example_of_rfc_7677_holds() {
        const auto scram = make_sasl("SCRAM-SHA-256", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "mx");
        CPPUNIT_ASSERT_EQUAL("lookup"s, shown(scram->take("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")));
        scram->scram()->keys = keys_of(ScramHash::sha256, "pencil", "W22ZaJ0SNY7soEsUEjb6gQ==");
        CPPUNIT_ASSERT_EQUAL("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"s,
                             scram->first_of_server(true));
        CPPUNIT_ASSERT_EQUAL("challenge v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="s,
                             shown(scram->take("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p="
                                               "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")));
        CPPUNIT_ASSERT_EQUAL("proved"s, shown(scram->take("")));
    }

    void first_messages_are_read_strictly() {
        const std::pair<std::string, const char*> rows[] = {
            {"n,,n=joe,r=abc", "lookup"},
            {"y,,n=joe,r=abc", "lookup"},
            {"n,a=joe,n=joe,r=abc", "lookup"},
            {"n,a=j=2Coe,n=j=2Coe,r=abc", "lookup"},
            {"n,,n=joe,r=abc,x=later", "lookup"},
            {"n,,n=j\xc3\xb6,r=abc", "lookup"},
            {"p=tls-exporter,,n=joe,r=abc", "refused"},
            {"n,a=jim,n=joe,r=abc", "refused"},
            {"n,,n=jo\re,r=abc", "refused"},
            {"n,,n=" + std::string(max_user_octets + 1, 'u') + ",r=abc", "refused"},
            {"", "malformed"},
            {"n", "malformed"},
            {"n,", "malformed"},
            {"n,,", "malformed"},
            {"n=joe,r=abc", "malformed"},
            {"z,,n=joe,r=abc", "malformed"},
            {"nn,,n=joe,r=abc", "malformed"},
            {"p=,,n=joe,r=abc", "malformed"},
            {"p=tls unique,,n=joe,r=abc", "malformed"},
            {"n,x=joe,n=joe,r=abc", "malformed"},
            {"n,a=,n=joe,r=abc", "malformed"},
            {"n,,n=,r=abc", "malformed"},
            {"n,,n=j=2coe,r=abc", "malformed"},
            {"n,,n=j=oe,r=abc", "malformed"},
            {"n,,n=joe=", "malformed"},
            {"n,,n=jo\xff,r=abc", "malformed"},
            {"n,,n=j\0oe,r=abc"s, "malformed"},
            {"n,,r=abc,n=joe", "malformed"},
            {"n,,n=joe,r=", "malformed"},
            {"n,,n=joe,r=a b", "malformed"},
            {"n,,n=joe,r=abc,", "malformed"},
            {"n,,n=joe,r=abc,m=must", "malformed"},
            {"n,,m=must,n=joe,r=abc", "malformed"},
            {"n,,n=joe,r=abc,x", "malformed"},
            {"n,,n=joe,r=" + std::string(513, 'r'), "malformed"}};
        for (const auto& [message, result] : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(message, std::string(result),
                                         shown(make_sasl("SCRAM-SHA-256", "nonce", "mx")->take(message)));
    }

    void final_messages_are_read_strictly() {
        const std::string proof = ",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
        const std::string nonce = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j";
        const std::pair<std::string, const char*> rows[] = {
            {"c=biws," + nonce + ",p=AAAA", "refused"},
            {"c=biws," + nonce + "," + "x=y" + proof, "refused"},  // signed
                                                                   // without
                                                                   // it
            {"c=eSws," + nonce + proof, "refused"},
            {"c=biws,r=fyko+d2lbbFgONRv9qkxdawL" + proof, "refused"},
            {"c=biws," + nonce + "x" + proof, "refused"},
            {"", "malformed"},
            {"c=biws," + nonce, "malformed"},
            {"c=biws" + proof, "malformed"},
            {nonce + ",c=biws" + proof, "malformed"},
            {"c=biw," + nonce + proof, "malformed"},
            {"c=biws," + nonce + ",p=", "malformed"},
            {"c=biws," + nonce + ",p=AAA", "malformed"},
            {"c=biws," + nonce + proof + ",x=y", "malformed"},
            {"c=biws," + nonce + ",m=must" + proof, "malformed"},
            {"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL", "malformed"}};
        for (const auto& [message, result] : rows) {
            const auto scram = make_sasl("SCRAM-SHA-1", "3rfcNHYJY1ZVvWVs7j", "mx");
            (void)scram->take("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
            scram->scram()->keys = keys_of(ScramHash::sha1, "pencil", "QSXCR+Q6sek8bf92");
            (void)scram->first_of_server(true);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(message, std::string(result), shown(scram->take(message)));
        }
    }

    void a_wrong_password_proves_nothing() {
        for (const auto hash : {ScramHash::sha1, ScramHash::sha256})
            for (const char* password : {"secret", "secre", "Secret", ""})
                CPPUNIT_ASSERT_EQUAL(std::string(password == "secret"s ? "proved" : "refused"),
                                     outcome(hash, {hash, "joe", password}));
    }

    /// The same salt each time, the same number of iterations, and the same refusal at the end.
    void an_unknown_user_looks_like_a_known_one() {
        std::string salts[2];
        for (auto& salt : salts) {
            const auto scram = make_sasl("SCRAM-SHA-256", "nonce", "mx", {{}, false, "of this server"});
            ScramClient client(ScramHash::sha256, "nobody", "secret");
            (void)scram->take(client.first());
            const std::string first = scram->first_of_server(false);
            salt = first.substr(first.find(",s="));
            CPPUNIT_ASSERT_EQUAL("refused"s, shown(scram->take(client.last(first))));
        }
        CPPUNIT_ASSERT_EQUAL(salts[0], salts[1]);
        const auto other = make_sasl("SCRAM-SHA-256", "nonce", "mx", {{}, false, "of another server"});
        (void)other->take(ScramClient(ScramHash::sha256, "nobody", "secret").first());
        CPPUNIT_ASSERT(other->first_of_server(false).find(salts[0]) == std::string::npos);
        // not even by whoever guesses what stands in for his password
        const auto scram = make_sasl("SCRAM-SHA-256", "nonce", "mx");
        ScramClient guesser(ScramHash::sha256, "nobody", ScramClient::nonce + "nonce"s);
        (void)scram->take(guesser.first());
        CPPUNIT_ASSERT_EQUAL("refused"s, shown(scram->take(guesser.last(scram->first_of_server(false)))));
    }

    void the_channel_is_bound() {
        const ScramServer server{{"exporter octets", "unique octets", ""}, true, ""};
        const struct {
            const char *mechanism, *header, *binding, *result;
        } rows[] = {{"SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "exporter octets", "proved"},
                    {"SCRAM-SHA-256-PLUS", "p=tls-unique,,", "unique octets", "proved"},
                    {"SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "unique octets", "refused"},
                    {"SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "", "refused"},
                    {"SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "exporter octets of somebody else", "refused"},
                    {"SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", "", "refused at once"},  // this connection has
                                                                                                // none
                    {"SCRAM-SHA-256-PLUS", "p=tls-invented,,", "", "refused at once"},
                    {"SCRAM-SHA-256-PLUS", "n,,", "", "refused at once"},
                    {"SCRAM-SHA-256-PLUS", "y,,", "", "refused at once"},
                    {"SCRAM-SHA-256", "p=tls-exporter,,", "exporter octets", "refused at once"},
                    {"SCRAM-SHA-256", "n,,", "", "proved"},
                    {"SCRAM-SHA-256", "n,,", "exporter octets", "refused"}};
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                row.mechanism + " "s + row.header + row.binding, std::string(row.result),
                outcome(ScramHash::sha256, {ScramHash::sha256, "joe", "secret", row.header, row.binding}, row.mechanism,
                        server));
    }

    void a_downgrade_is_noticed() {
        const ScramClient client(ScramHash::sha1, "joe", "secret", "y,,");
        CPPUNIT_ASSERT_EQUAL("proved"s, outcome(ScramHash::sha1, client, "SCRAM-SHA-1", {{"x", "", ""}, false, ""}));
        CPPUNIT_ASSERT_EQUAL("refused at once"s,
                             outcome(ScramHash::sha1, client, "SCRAM-SHA-1", {{"x", "", ""}, true, ""}));
    }

    void nobody_logs_in_for_somebody_else() {
        CPPUNIT_ASSERT_EQUAL("proved"s, outcome(ScramHash::sha1, {ScramHash::sha1, "joe", "secret", "n,a=joe,"}));
        CPPUNIT_ASSERT_EQUAL("refused at once"s,
                             outcome(ScramHash::sha1, {ScramHash::sha1, "joe", "secret", "n,a=jim,"}));
    }

    void the_last_word_of_the_client_is_empty() {
        const auto scram = make_sasl("SCRAM-SHA-1", "nonce", "mx");
        ScramClient client(ScramHash::sha1, "joe", "secret");
        (void)scram->take(client.first());
        scram->scram()->keys = ScramKeys::derive(ScramHash::sha1, "secret", scram->scram()->salt,
                                                 scram->scram()->iterations);
        CPPUNIT_ASSERT_EQUAL("challenge"s, shown(scram->take(client.last(scram->first_of_server(true)))).substr(0, 9));
        CPPUNIT_ASSERT_EQUAL("malformed"s, shown(scram->take("x")));
    }

    void keys_are_read_as_rfc_5803_writes_them() {
        const std::string stored = support::base64(std::string(32, 's')),
                          server = support::base64(std::string(32, 'v'));
        const auto keys = ScramKeys::parse(ScramHash::sha256, "SCRAM-SHA-256$4096:c2FsdA==$" + stored + ":" + server);
        CPPUNIT_ASSERT(keys && keys->salt == "salt" && keys->iterations == 4096 &&
                       keys->stored_key == std::string(32, 's') && keys->server_key == std::string(32, 'v'));
        const auto real = ScramKeys::derive(ScramHash::sha1, "pencil", "salt", 10);
        CPPUNIT_ASSERT(real.are_of(ScramHash::sha1, "pencil") && !real.are_of(ScramHash::sha1, "pencils") &&
                       !real.are_of(ScramHash::sha256, "pencil"));
        CPPUNIT_ASSERT(!ScramKeys{}.are_of(ScramHash::sha1, ""));
        for (const std::string& text :
             {"SCRAM-SHA-1$4096:c2FsdA==$" + stored + ":" + server, "SCRAM-SHA-256$0:c2FsdA==$" + stored + ":" + server,
              "SCRAM-SHA-256$99999999999:c2FsdA==$" + stored + ":" + server,
              "SCRAM-SHA-256$4096:$" + stored + ":" + server, "SCRAM-SHA-256$4096:c2FsdA$" + stored + ":" + server,
              "SCRAM-SHA-256$4096:c2FsdA==$" + stored, "SCRAM-SHA-256$4096:c2FsdA==$c2FsdA==:" + server,
              "SCRAM-SHA-256$$"s, "SCRAM-SHA-256$"s, "secret"s, ""s})
            CPPUNIT_ASSERT_MESSAGE(text, !ScramKeys::parse(ScramHash::sha256, text));
    }

private:
    /// A whole exchange with a server that knows that joe's password is "secret".
    static std::string outcome(ScramHash hash, ScramClient client, std::string mechanism = {},
                               const ScramServer& server = {}) {
        if (mechanism.empty()) mechanism = hash == ScramHash::sha1 ? "SCRAM-SHA-1" : "SCRAM-SHA-256";
        const auto scram = make_sasl(mechanism, "nonce", "mx", server);
        if (const auto step = scram->take(client.first()); step.status != Status::lookup)
            return shown(step) + " at once";
        auto& request = *scram->scram();
        request.keys = ScramKeys::derive(request.hash, "secret", request.salt, request.iterations);
        const auto step = scram->take(client.last(scram->first_of_server(true)));
        if (step.status != Status::challenge) return shown(step);
        CPPUNIT_ASSERT_EQUAL(client.expected(), step.challenge);
        return shown(scram->take(""));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ScramTest);

}  // namespace
}  // namespace smtpd::smtp
