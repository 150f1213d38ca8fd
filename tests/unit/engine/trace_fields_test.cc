/// trace_fields_test.cc: Received, against the grammar and against hostile clients.
#include "engine/trace_fields.h"

#include "fakes/fake_clock.h"
#include "fakes/fake_log.h"
#include "fakes/fake_session.h"
#include "fakes/matches.h"

#include <cppunit/extensions/HelperMacros.h>

#include <stdexcept>
#include <string>

namespace smtpd::engine {
namespace {

using fakes::matches;

/// RFC 5321 4.4 with a fold or a blank for its FWS; comments only where the server writes them.
bool is_received(const std::string& value) {
    const std::string fws = "(\r?\n)?[ \t]+";
    const std::string domain = "[A-Za-z0-9_?]([-A-Za-z0-9_.?]*[A-Za-z0-9_?])?";
    const std::string literal = "\\[(IPv6:[0-9A-Fa-f:.]+|[0-9.]+)\\]";
    const std::string host = "(" + domain + "|" + literal + ")";
    const std::string atom = "[-A-Za-z0-9!#$%&'*+/=?^_`{|}~]+";
    const std::string comment = "\\(([^()\\\\\r\n]|\\\\[ -~])*\\)";
    const std::string date =
        "[A-Z][a-z]{2}, [ 0-9]?[0-9] [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} [-+][0-9]{4}";
    return matches(value, "from " + host + fws + "\\(" + domain + fws + literal + "\\)" + fws + "by " + host + fws +
                              comment + fws + "with (SMTP|ESMTPS?A?|UTF8SMTPS?A?|(UTF8)?LMTPS?A?)" + fws + "id " +
                              atom + "(" + fws + comment + ")*(" + fws + "for <[^<>\r\n]+@[^<>\r\n]+>)?;" + fws + date);
}

class TraceFieldsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TraceFieldsTest);
    CPPUNIT_TEST(received_tells_who_from_where_by_whom_and_when);
    CPPUNIT_TEST(received_tells_what_was_agreed_upon_and_who_showed_a_certificate);
    CPPUNIT_TEST(received_follows_the_grammar);
    CPPUNIT_TEST(received_names_a_recipient_only_where_there_is_one);
    CPPUNIT_TEST(a_bare_postmaster_is_no_path_for_received);
    CPPUNIT_TEST(the_protocol_word_follows_the_greeting_and_tls);
    CPPUNIT_TEST(lmtp_has_words_of_its_own);
    CPPUNIT_TEST(a_helo_beyond_ascii_becomes_ascii);
    CPPUNIT_TEST(a_hostile_helo_adds_nothing);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        setenv("TZ", "UTC", 1);
        tzset();
        connection_.set_greeted(Greeted::ehlo, "client.example");
        transaction_.add_recipient("user@example.com");
    }

    void received_tells_who_from_where_by_whom_and_when() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "from client.example (unknown [192.0.2.1])\n\tby mx.example.com (mod_smtpd) with ESMTP id session-1\n"
                "\tfor <user@example.com>;\n\tFri, 20 Nov 2026 18:27:00 +0000"),
            received());
        connection_.set_host("host.client.example");
        connection_.set_tls("TLSv1.3", "TLS_AES_256_GCM_SHA384");
        CPPUNIT_ASSERT_EQUAL(std::string("from client.example (host.client.example [192.0.2.1])\n\tby mx.example.com "
                                         "(mod_smtpd) with ESMTPS id session-1\n"
                                         "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\n\tfor "
                                         "<user@example.com>;\n\tFri, 20 Nov 2026 18:27:00 +0000"),
                             received());
    }

    void received_tells_what_was_agreed_upon_and_who_showed_a_certificate() {
        Tls tls{"TLSv1.2", "AES128-SHA", 128, false, "", nullptr};
        connection_.set_tls(tls);
        CPPUNIT_ASSERT_MESSAGE(
            received(),
            received().find("\n\t(using TLSv1.2 with cipher AES128-SHA, 128 bits)\n\tfor ") != std::string::npos);
        auto shown = std::make_shared<ClientCertificate>();
        shown->subject = "CN=a,O=b";
        shown->is_verified = true;
        tls.certificate = shown;
        connection_.set_tls(tls);
        CPPUNIT_ASSERT_MESSAGE(
            received(), received().find("bits)\n\t(client certificate CN=a,O=b, verified)\n") != std::string::npos);
        CPPUNIT_ASSERT_MESSAGE(received(), is_received(received()));
        shown = std::make_shared<ClientCertificate>(*shown);
        shown->subject = std::string("CN=a\\) by evil (\r\nX: y\0", 24) + std::string(500, 'x');
        shown->is_verified = false;
        tls.certificate = shown;
        connection_.set_tls(tls);
        CPPUNIT_ASSERT_MESSAGE(received(), is_received(received()));
        CPPUNIT_ASSERT_MESSAGE(
            received(), received().find("(client certificate CN=a\\\\\\) by evil \\(??X: y?") != std::string::npos);
        CPPUNIT_ASSERT_MESSAGE(received(), received().find("xxx, not verified)\n") != std::string::npos);
        CPPUNIT_ASSERT(received().size() < 600);
    }

    void received_follows_the_grammar() {
        CPPUNIT_ASSERT_MESSAGE(received(), is_received(received()));
        connection_.set_client("2001:db8::1");
        connection_.set_greeted(Greeted::helo, "[IPv6:2001:db8::1]");
        CPPUNIT_ASSERT_MESSAGE(received(), is_received(received()));
        connection_.set_tls("TLSv1.3", "TLS_AES_256_GCM_SHA384");
        connection_.set_host("a-b.c_d.example");
        CPPUNIT_ASSERT_MESSAGE(received(), is_received(received()));
        transaction_.recipients().clear();
        transaction_.add_recipient("\"odd; (name\"@example.com");
        CPPUNIT_ASSERT_MESSAGE(received(), is_received(received()));
        transaction_.recipients().clear();
        CPPUNIT_ASSERT_MESSAGE(received(), is_received(received()));
    }

    void received_names_a_recipient_only_where_there_is_one() {
        CPPUNIT_ASSERT(received().find("\n\tfor <user@example.com>;") != std::string::npos);
        transaction_.add_recipient("blind@example.com");
        CPPUNIT_ASSERT(received().find("for ") == std::string::npos);
        CPPUNIT_ASSERT(received().find("blind") == std::string::npos);
    }

    void a_bare_postmaster_is_no_path_for_received() {
        transaction_.recipients().clear();
        transaction_.recipients().emplace_back(*Address::parse_path("<postmaster>", {.allow_postmaster = true}),
                                               Parameters());
        CPPUNIT_ASSERT(received().find("for ") == std::string::npos);
    }

    void the_protocol_word_follows_the_greeting_and_tls() {
        CPPUNIT_ASSERT_EQUAL(std::string_view("ESMTP"), protocol_word(connection_, transaction_));
        connection_.set_tls("TLSv1.3", "x");
        CPPUNIT_ASSERT_EQUAL(std::string_view("ESMTPS"), protocol_word(connection_, transaction_));
        connection_.set_authenticated("joe", "PLAIN");
        CPPUNIT_ASSERT_EQUAL(std::string_view("ESMTPSA"), protocol_word(connection_, transaction_));
        CPPUNIT_ASSERT_MESSAGE(received(), is_received(received()));
        transaction_.envelope().is_smtputf8 = true;
        CPPUNIT_ASSERT_EQUAL(std::string_view("UTF8SMTPSA"), protocol_word(connection_, transaction_));
        CPPUNIT_ASSERT_MESSAGE(received(), is_received(received()));
        connection_.set_tls("", "");
        CPPUNIT_ASSERT_EQUAL(std::string_view("UTF8SMTPA"), protocol_word(connection_, transaction_));
        transaction_.envelope().is_smtputf8 = false;
        CPPUNIT_ASSERT_EQUAL(std::string_view("ESMTPA"), protocol_word(connection_, transaction_));
        connection_.set_greeted(Greeted::helo, "x");
        CPPUNIT_ASSERT_EQUAL(std::string_view("SMTP"), protocol_word(connection_, transaction_));
        connection_.set_greeted(Greeted::no, "");
        CPPUNIT_ASSERT_EQUAL(std::string_view("SMTP"), protocol_word(connection_, transaction_));
    }

    void lmtp_has_words_of_its_own() {
        connection_.set_lmtp();
        const char* const rows[] = {"LMTP",     "LMTPS",     "LMTPA",     "LMTPSA",
                                    "UTF8LMTP", "UTF8LMTPS", "UTF8LMTPA", "UTF8LMTPSA"};
        for (unsigned i = 0; i < 8; ++i) {
            connection_.set_tls(i & 1U ? "TLSv1.3" : "", "x");
            connection_.set_authenticated(i & 2U ? "joe" : "", "PLAIN");
            transaction_.envelope().is_smtputf8 = (i & 4U) != 0;
            CPPUNIT_ASSERT_EQUAL(std::string(rows[i]), std::string(protocol_word(connection_, transaction_)));
            CPPUNIT_ASSERT_MESSAGE(received(), is_received(received()));
        }
    }

    void a_helo_beyond_ascii_becomes_ascii() {
        const std::pair<const char*, const char*> rows[] = {{"M\xc3\x9cLLER-PC", "xn--mller-pc-65a"},
                                                            {"M\xdcLLER-PC", "M?LLER-PC"},
                                                            {"MX.Example.com", "MX.Example.com"},
                                                            {"pc.b\xc3\xbc"
                                                             "cher.example.",
                                                             "pc.xn--bcher-kva.example"},
                                                            {"i\xe2\x9d\xa4.example", "i???.example"}};
        for (const auto& [hello, shown] : rows) {
            connection_.set_greeted(Greeted::ehlo, hello);
            CPPUNIT_ASSERT_MESSAGE(received(), is_received(received()));
            CPPUNIT_ASSERT_EQUAL(std::string("from ") + shown + " (",
                                 received().substr(0, std::string(shown).size() + 7));
        }
    }

    void a_hostile_helo_adds_nothing() {
        for (const std::string hello : {"x)\r\nX-Evil: 1", "x\nX-Evil: 1", "x (by good.example)", "a;b", "x\\", "x\"y",
                                        "\x80\xff", "<x>", "a,b", "x\ty"}) {
            connection_.set_greeted(Greeted::ehlo, hello);
            CPPUNIT_ASSERT_MESSAGE(hello + " gave " + received(), is_received(received()));
            Headers headers("Subject: x\r\n");
            headers.prepend("Received", received());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(hello, std::size_t(0), headers.count("X-Evil"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(hello, std::size_t(1), headers.count("Received"));
        }
        connection_.set_greeted(Greeted::ehlo, std::string(5000, 'x'));
        for (std::size_t at = 0, end = 0; end != std::string::npos; at = end + 1) {
            end = received().find('\n', at);
            CPPUNIT_ASSERT(received().substr(at, end - at).size() <= 998);
        }
    }

private:
    std::string received() const { return received_value(connection_, transaction_, "mod_smtpd"); }

    fakes::FakeClock clock_;
    fakes::FakeLog log_;
    fakes::FakeConnection connection_{clock_, log_};
    fakes::FakeTransaction transaction_{"session-1"};
};
CPPUNIT_TEST_SUITE_REGISTRATION(TraceFieldsTest);

}  // namespace
}  // namespace smtpd::engine
