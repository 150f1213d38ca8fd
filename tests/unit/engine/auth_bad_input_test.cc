/// auth_bad_input_test.cc: each AUTH mechanism with each mistake that a client can make in an exchange. In every case,
/// no client is logged in, the server understands the next command, and no plugin is asked about a text that the
/// mechanism does not define.
#include "fakes/scram_client.h"
#include "fakes/session_under_test.h"
#include "support/base64.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace smtpd::engine {
namespace {

using fakes::SessionUnderTest;
using support::base64;
using namespace std::string_literals;

struct Row {
    const char* mechanism;
    std::string first;  ///< the first octets of a correct client; if it answers a challenge first, its answer
    const char* empty;  ///< the reply to an empty first response
    bool server_begins;
};

std::vector<Row> rows() {
    const auto scram = [](ScramHash hash, const char* header) {
        return fakes::ScramClient(hash, "joe", "secret", header).first();
    };
    return {{"CRAM-MD5", "joe 0123456789abcdef0123456789abcdef", "501", true},
            {"EXTERNAL", "joe", "235", false},
            {"LOGIN", "joe", "334", false},
            {"OAUTHBEARER", "n,a=joe,\1auth=Bearer token\1\1", "501", false},
            {"PLAIN", "\0joe\0secret"s, "501", false},
            {"SCRAM-SHA-1", scram(ScramHash::sha1, "n,,"), "501", false},
            {"SCRAM-SHA-1-PLUS", scram(ScramHash::sha1, "p=tls-exporter,,"), "501", false},
            {"SCRAM-SHA-256", scram(ScramHash::sha256, "n,,"), "501", false},
            {"SCRAM-SHA-256-PLUS", scram(ScramHash::sha256, "p=tls-exporter,,"), "501", false},
            {"XOAUTH2", "user=joe\1auth=Bearer token\1\1", "501", false}};
}

class AuthBadInputTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthBadInputTest);
    CPPUNIT_TEST(every_mechanism_has_a_row);
    CPPUNIT_TEST(a_cancelled_exchange_is_501);
    CPPUNIT_TEST(an_empty_response_is_one);
    CPPUNIT_TEST(a_line_that_is_too_long_is_500);
    CPPUNIT_TEST(what_is_no_base64_is_501);
    CPPUNIT_TEST(nul_lets_nobody_in_wherever_it_stands);
    CPPUNIT_TEST(a_bare_cr_is_refused);
    CPPUNIT_TEST(a_bare_lf_ends_the_session);
    CPPUNIT_TEST(only_one_response_goes_with_the_command);
    CPPUNIT_TEST(nobody_logs_in_twice);
    CPPUNIT_TEST(not_in_a_transaction);
    CPPUNIT_TEST_SUITE_END();

    /// A client with a certificate, at a server that offers everything, with plugins that accept every login.
    struct Client : SessionUnderTest {
        Client() {
            settings.max_errors = 0;
            for (const auto& mechanism : auth_mechanisms) {
                settings.auth_mechanisms.add(mechanism);
                hooks.on(mechanism.hook, [this](HookContext& context) {
                    ++asked;
                    const auto& hook = static_cast<AuthHook&>(context);
                    if (hook.scram() != nullptr) (void)hook.proves("secret");
                    else if (hook.user().empty()) hook.set_login("whoever");
                    return ok();
                });
            }
            hooks.accept_mail();
            start_encrypted(fakes::tls_facts_with_certificate(), {"octets", "", ""});
            say("EHLO client.example");
        }
        std::string code(std::string_view line) { return say(line).substr(0, 3); }
        /// The exchange has begun, and the client must send its first octets.
        void begin(const Row& row) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.mechanism, "334"s, code("AUTH "s + row.mechanism));
        }
        /// Nothing remains of the exchange, and no plugin was asked.
        void check_unharmed(const std::string& what) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, 0u, asked);
            check_stranger(what);
        }
        void check_stranger(const std::string& what) {
            CPPUNIT_ASSERT_MESSAGE(what, !session().is_authenticated() && !session().is_relay_client());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, "250"s, code("NOOP"));
        }
        unsigned asked = 0;
    };

public:
    void every_mechanism_has_a_row() {
        const auto all = rows();
        CPPUNIT_ASSERT_EQUAL(auth_mechanism_count, all.size());
        for (const auto& row : all) {
            CPPUNIT_ASSERT_MESSAGE(row.mechanism, find_auth_mechanism(row.mechanism) != nullptr);
            Client client;  // and begins with what the mechanism says
            client.begin(row);
            const auto code = client.code(base64(row.first));
            CPPUNIT_ASSERT_MESSAGE(row.mechanism + " "s + code, code == "235" || code == "334");
        }
    }

    void a_cancelled_exchange_is_501() {
        for (const auto& row : rows()) {
            Client client;
            client.begin(row);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.mechanism, "501 5.7.0 Authentication cancelled\r\n"s, client.say("*"));
            client.check_unharmed(row.mechanism);
            if (!row.server_begins)
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.mechanism, "501"s, client.code("AUTH "s + row.mechanism + " *"));
            client.check_unharmed(row.mechanism);
            client.begin(row);
            if (client.code(base64(row.first)) != "334") continue;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.mechanism, "501 5.7.0 Authentication cancelled\r\n"s, client.say("*"));
            client.check_stranger(row.mechanism);
        }
    }

    void an_empty_response_is_one() {
        for (const auto& row : rows())
            for (const bool is_initial : {false, true}) {
                if (is_initial && row.server_begins) continue;
                Client client;
                if (!is_initial) client.begin(row);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.mechanism, std::string(row.empty),
                                             client.code(is_initial ? "AUTH "s + row.mechanism + " =" : ""));
                if (row.empty == "334"s)
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(row.mechanism, "535"s, client.code(base64("secret")));
                if (row.empty != "235"s) client.check_unharmed(row.mechanism);
            }
    }

    void a_line_that_is_too_long_is_500() {
        for (const auto& row : rows()) {
            Client client;
            client.begin(row);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.mechanism, "500 5.5.6 Authentication exchange line is too long\r\n"s,
                                         client.say(std::string(12289, 'A')));
            client.check_unharmed(row.mechanism);
            client.begin(row);
            const auto code = client.code(base64(row.first));
            if (code == "334")
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.mechanism, "500"s, client.code(std::string(100'000, 'A')));
            if (code == "334") client.check_stranger(row.mechanism);
        }
    }

    void what_is_no_base64_is_501() {
        for (const auto& row : rows())
            for (const auto& line : {"A"s, "AAA"s, "AA=A"s, "===="s, "AAAA="s, " AAAA"s, "AAAA "s, "AA-_"s,
                                     "\xff\xff\xff\xff"s, "AAAA\0AAA"s}) {
                Client client;
                client.begin(row);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.mechanism + " "s + line, "501 5.5.2 Cannot decode this as base64\r\n"s,
                                             client.say(line));
                client.check_unharmed(row.mechanism);
            }
    }

    void nul_lets_nobody_in_wherever_it_stands() {
        for (const auto& row : rows())
            for (std::size_t at = 0; at <= row.first.size(); ++at) {
                Client client;
                client.begin(row);
                std::string octets = row.first;
                octets.insert(at, 1, '\0');
                std::string code = client.code(base64(octets));
                if (code == "334") code = client.code("");  // a mechanism's own word for a refusal
                const std::string what = row.mechanism + format_text(" at {}: {}", at, code);
                CPPUNIT_ASSERT_MESSAGE(what, code == "501" || code == "535");
                client.check_unharmed(what);
            }
    }

    void a_bare_cr_is_refused() {
        for (const auto& row : rows()) {
            Client client;
            client.begin(row);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.mechanism, "500 5.5.2"s,
                                         client.say(base64(row.first) + "\r").substr(0, 9));
            client.check_unharmed(row.mechanism);
        }
    }

    void a_bare_lf_ends_the_session() {
        for (const auto& row : rows()) {
            Client client;
            client.begin(row);
            const auto said = client.feed(base64(row.first) + "\nMAIL FROM:<a@client.example>\r\n");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.mechanism,
                                         "500 5.5.2 Lines end with CRLF; a CR or LF alone is refused\r\n"s, said);
            CPPUNIT_ASSERT_MESSAGE(row.mechanism, client.is_closed() && client.asked == 0);
        }
    }

    void only_one_response_goes_with_the_command() {
        for (const auto& row : rows()) {
            Client client;
            const auto octets = base64(row.first);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                row.mechanism, "501 5.5.4"s,
                client.say("AUTH "s + row.mechanism + " " + octets + " " + octets).substr(0, 9));
            client.check_unharmed(row.mechanism);
        }
    }

    void nobody_logs_in_twice() {
        Client client;
        CPPUNIT_ASSERT_EQUAL("235"s, client.code("AUTH PLAIN " + base64("\0joe\0secret"s)));
        for (const auto& row : rows())
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.mechanism, "503 5.5.1"s,
                                         client.say("AUTH "s + row.mechanism).substr(0, 9));
        CPPUNIT_ASSERT_EQUAL("joe"s, client.session().auth_user());
    }

    void not_in_a_transaction() {
        for (const auto& row : rows()) {
            Client client;
            client.say("MAIL FROM:<a@client.example>");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.mechanism, "503 5.5.1"s,
                                         client.say("AUTH "s + row.mechanism + " " + base64(row.first)).substr(0, 9));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.mechanism, "250"s, client.code("RCPT TO:<user@example.com>"));
            client.say("RSET");
            client.check_unharmed(row.mechanism);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AuthBadInputTest);

}  // namespace
}  // namespace smtpd::engine
