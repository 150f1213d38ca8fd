#include "engine/command_table.h"

#include "fakes/fake_hook_runner.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::engine {
namespace {

using smtp::Verb;

class CommandTableTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CommandTableTest);
    CPPUNIT_TEST(every_state_has_its_objections);
    CPPUNIT_TEST(what_is_off_is_not_known);
    CPPUNIT_TEST(lmtp_has_a_greeting_of_its_own);
    CPPUNIT_TEST(arguments_where_there_are_none_are_refused);
    CPPUNIT_TEST(only_these_work_before_required_tls);
    CPPUNIT_TEST(auth_has_conditions);
    CPPUNIT_TEST(submission_needs_a_login);
    CPPUNIT_TEST(chunks_and_data_do_not_mix);
    CPPUNIT_TEST_SUITE_END();

public:
    /// The stage of the dialogue, and the reply to each command there; "-" is none.
    void every_state_has_its_objections() {
        const struct {
            const char* name;
            Greeted greeted;
            bool in_transaction, has_recipients;
            const char *mail, *rcpt, *data, *bdat;
        } rows[] = {{"at first", Greeted::no, false, false, "Send HELO", "Send HELO", "Send HELO", "Send HELO"},
                    {"after HELO", Greeted::helo, false, false, "-", "Send MAIL", "Send MAIL", "Send EHLO"},
                    {"after EHLO", Greeted::ehlo, false, false, "-", "Send MAIL", "Send MAIL", "Send MAIL"},
                    {"after MAIL", Greeted::ehlo, true, false, "A transac", "-", "Send RCPT", "Send RCPT"},
                    {"after RCPT", Greeted::ehlo, true, true, "A transac", "-", "-", "-"}};
        for (const auto& row : rows) {
            auto now = situation();
            now.greeted = row.greeted;
            now.in_transaction = row.in_transaction;
            now.has_recipients = row.has_recipients;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(row.mail), said(Verb::mail, now));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(row.rcpt), said(Verb::rcpt, now));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(row.data), said(Verb::data, now));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(row.bdat), said(Verb::bdat, now));
            for (const auto verb : {Verb::helo, Verb::ehlo, Verb::rset, Verb::noop, Verb::vrfy, Verb::help, Verb::quit})
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string("-"), said(verb, now));
        }
    }

    void what_is_off_is_not_known() {
        settings_.extensions = ExtensionSet();
        for (const auto verb : {Verb::starttls, Verb::auth, Verb::xclient, Verb::xforward})
            CPPUNIT_ASSERT_EQUAL(std::string("unknown"), said(verb, situation()));
        CPPUNIT_ASSERT_EQUAL(std::string("Command n"), said(Verb::help, situation()));
        CPPUNIT_ASSERT_EQUAL(std::string("Command n"), said(Verb::bdat, situation()));
        settings_.extensions = {Extension::xclient, Extension::xforward};
        CPPUNIT_ASSERT_EQUAL(std::string("unknown"), said(Verb::xclient, situation()));  // nobody is trusted
        settings_.trusted_proxies.push_back(*IpNetwork::parse("192.0.2.0/24"));
        settings_.start_tls = StartTls::on;
        for (const auto verb : {Verb::starttls, Verb::xclient, Verb::xforward})
            CPPUNIT_ASSERT_EQUAL(std::string("-"), said(verb, situation()));
        for (const auto verb : {Verb::unknown, Verb::expn, Verb::etrn}) CPPUNIT_ASSERT(find_command(verb) == nullptr);
    }

    void lmtp_has_a_greeting_of_its_own() {
        CPPUNIT_ASSERT_EQUAL(std::string("unknown"), said(Verb::lhlo, situation()));
        settings_.protocol = Protocol::lmtp;
        CPPUNIT_ASSERT_EQUAL(std::string("-"), said(Verb::lhlo, situation()));
        CPPUNIT_ASSERT_EQUAL(std::string("This is L"), said(Verb::ehlo, situation()));
        CPPUNIT_ASSERT_EQUAL(std::string("This is L"), said(Verb::helo, situation()));
        CPPUNIT_ASSERT_EQUAL(std::string("Send LHLO"), said(Verb::mail, situation()));
    }

    void arguments_where_there_are_none_are_refused() {
        settings_.start_tls = StartTls::on;
        for (const auto verb : {Verb::data, Verb::rset, Verb::quit})
            CPPUNIT_ASSERT_EQUAL(std::string("Syntax er"), said(verb, situation(), "x"));
        CPPUNIT_ASSERT_EQUAL(std::string("STARTTLS "), said(Verb::starttls, situation(), "x"));
        auto encrypted = situation();
        encrypted.is_tls = true;
        CPPUNIT_ASSERT_EQUAL(std::string("TLS is ac"), said(Verb::starttls, encrypted, "x"));
        CPPUNIT_ASSERT_EQUAL(std::string("-"), said(Verb::noop, situation(), "x"));
    }

    void only_these_work_before_required_tls() {
        std::string in_clear;
        for (unsigned i = 0; i <= static_cast<unsigned>(Verb::xforward); ++i)
            if (const auto* const row = find_command(static_cast<Verb>(i)); row && row->works_in_clear)
                in_clear += std::string(smtp::verb_name(row->verb)) + " ";
        CPPUNIT_ASSERT_EQUAL(std::string("EHLO LHLO NOOP QUIT STARTTLS "), in_clear);
        settings_.start_tls = StartTls::required;
        CPPUNIT_ASSERT(situation().must_encrypt());
        CPPUNIT_ASSERT_EQUAL(std::string("Send STAR"), said(Verb::bdat, situation()));
        auto encrypted = situation();
        encrypted.is_tls = true;
        CPPUNIT_ASSERT(!encrypted.must_encrypt());
    }

    void auth_has_conditions() {
        hooks_.watch(HookId::auth);
        settings_.auth_without_tls = true;
        auto now = situation();
        CPPUNIT_ASSERT_EQUAL(std::string("Send EHLO"), said(Verb::auth, now));
        now.greeted = Greeted::ehlo;
        CPPUNIT_ASSERT_EQUAL(std::string("-"), said(Verb::auth, now));
        settings_.auth_without_tls = false;
        CPPUNIT_ASSERT_EQUAL(std::string("Encryptio"), said(Verb::auth, now));
        now.in_transaction = true;
        CPPUNIT_ASSERT_EQUAL(std::string("AUTH is n"), said(Verb::auth, now));
        now.is_authenticated = true;
        CPPUNIT_ASSERT_EQUAL(std::string("Already a"), said(Verb::auth, now));
        settings_.auth_without_tls = true;
        settings_.start_tls = StartTls::required;
        CPPUNIT_ASSERT(!now.allows_auth());
    }

    void submission_needs_a_login() {
        settings_.submission = true;
        auto now = situation();
        now.greeted = Greeted::ehlo;
        CPPUNIT_ASSERT_EQUAL(std::string("Authentic"), said(Verb::mail, now));
        now.is_authenticated = true;
        CPPUNIT_ASSERT_EQUAL(std::string("-"), said(Verb::mail, now));
    }

    void chunks_and_data_do_not_mix() {
        auto now = situation();
        now.greeted = Greeted::ehlo;
        now.in_transaction = now.has_recipients = true;
        now.is_binary = true;
        CPPUNIT_ASSERT_EQUAL(std::string("BODY=BINA"), said(Verb::data, now));
        now.in_chunks = true;
        CPPUNIT_ASSERT_EQUAL(std::string("The messa"), said(Verb::data, now));
        CPPUNIT_ASSERT_EQUAL(std::string("The messa"), said(Verb::rcpt, now));
        CPPUNIT_ASSERT_EQUAL(std::string("-"), said(Verb::bdat, now));
        now.chunk_failed = true;
        CPPUNIT_ASSERT_EQUAL(std::string("An earlie"), said(Verb::bdat, now));
    }

private:
    Situation situation() const { return {.settings = settings_, .auth = {settings_.auth_mechanisms, hooks_}}; }

    /// The beginning of the reply.
    static std::string said(Verb verb, const Situation& situation, std::string_view argument = {}) {
        const auto objection = objection_to(*find_command(verb), argument, situation);
        return !objection ? "-" : !objection->say ? "unknown" : reply(*objection->say).text.substr(0, 9);
    }

    Settings settings_;
    fakes::FakeHookRunner hooks_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(CommandTableTest);

}  // namespace
}  // namespace smtpd::engine
