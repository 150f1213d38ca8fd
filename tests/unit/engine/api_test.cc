/// api_test.cc: names, and what a handler can do with its context.
#include "engine/server_access.h"
#include "fakes/fake_clock.h"
#include "fakes/fake_log.h"
#include "fakes/fake_session.h"
#include "support/strings.h"

#include <smtpd/hooks.h>

#include <cppunit/extensions/HelperMacros.h>

#include <set>
#include <string>

namespace smtpd {
namespace {

class ApiTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ApiTest);
    CPPUNIT_TEST(hooks_have_the_names_of_qpsmtpd);
    CPPUNIT_TEST(verdicts_have_the_names_of_qpsmtpd);
    CPPUNIT_TEST(complaints_are_kept_in_order_and_within_bounds);
    CPPUNIT_TEST(a_hook_has_a_subject);
    CPPUNIT_TEST(exemptions_are_decided_in_one_place);
    CPPUNIT_TEST(handlers_find_results_of_the_connection_and_the_transaction);
    CPPUNIT_TEST(who_may_relay_is_forgiven);
    CPPUNIT_TEST(a_handlers_line_names_session_hook_and_plugin);
    CPPUNIT_TEST(a_plugins_log_level_is_shifted_or_fixed);
    CPPUNIT_TEST_SUITE_END();

public:
    void hooks_have_the_names_of_qpsmtpd() {
        std::set<std::string_view> names;
        for (unsigned i = 0; i < static_cast<unsigned>(HookId::count); ++i)
            names.insert(hook_name(static_cast<HookId>(i)));
        CPPUNIT_ASSERT_EQUAL(static_cast<std::size_t>(HookId::count), names.size());
        constexpr std::string_view expected =
            "logging config user_config post-fork pre-connection connect ehlo_parse ehlo helo_parse helo rcpt_parse "
            "rcpt_pre rcpt mail_parse mail mail_pre data data_headers_end data_post_headers data_post queue_pre queue "
            "queue_post vrfy noop quit reset_transaction disconnect post-connection unrecognized_command deny ok "
            "received_line help";
        for (const auto name : support::split_words(expected))
            CPPUNIT_ASSERT_MESSAGE(std::string(name), names.count(name) == 1);
        CPPUNIT_ASSERT_EQUAL(std::string_view("pre-connection"), hook_name(HookId::pre_connection));
        CPPUNIT_ASSERT_EQUAL(std::string_view("post-fork"), hook_name(HookId::post_fork));
        CPPUNIT_ASSERT_EQUAL(std::string_view("data_post"), hook_name(HookId::data_post));
        CPPUNIT_ASSERT_EQUAL(std::string_view("unknown"), hook_name(HookId::count));
    }

    void verdicts_have_the_names_of_qpsmtpd() {
        CPPUNIT_ASSERT_EQUAL(std::string_view("declined"), verdict_name(Verdict::declined));
        CPPUNIT_ASSERT_EQUAL(std::string_view("ok"), verdict_name(Verdict::ok));
        CPPUNIT_ASSERT_EQUAL(std::string_view("deny"), verdict_name(Verdict::deny));
        CPPUNIT_ASSERT_EQUAL(std::string_view("denysoft"), verdict_name(Verdict::denysoft));
        CPPUNIT_ASSERT_EQUAL(std::string_view("deny_disconnect"), verdict_name(Verdict::deny_disconnect));
        CPPUNIT_ASSERT_EQUAL(std::string_view("denysoft_disconnect"), verdict_name(Verdict::denysoft_disconnect));
        CPPUNIT_ASSERT_EQUAL(std::string_view("done"), verdict_name(Verdict::done));
        CPPUNIT_ASSERT_EQUAL(std::string_view("unknown"), verdict_name(static_cast<Verdict>(7)));
    }

    void complaints_are_kept_in_order_and_within_bounds() {
        CPPUNIT_ASSERT(!connection_.is_naughty());
        connection_.complain(
            {.plugin = "dnsbl", .verdict = Verdict::deny_disconnect, .enhanced = {5, 7, 1}, .text = "listed"});
        connection_.complain(
            {.plugin = "helo", .verdict = Verdict::denysoft, .enhanced = {4, 7, 0}, .text = "odd name"});
        CPPUNIT_ASSERT(connection_.is_naughty());
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), connection_.complaints().size());
        CPPUNIT_ASSERT_EQUAL(std::string("dnsbl"), connection_.complaints()[0].plugin);
        CPPUNIT_ASSERT(connection_.complaints()[0].is_told);
        CPPUNIT_ASSERT_EQUAL(std::string("odd name"), connection_.complaints()[1].text);
        connection_.set_relay_client(false);
        CPPUNIT_ASSERT(connection_.is_naughty());
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), connection_.forgive().size());
        CPPUNIT_ASSERT(!connection_.is_naughty());
        for (int i = 0; i < 100; ++i) connection_.complain({.plugin = std::to_string(i)});
        CPPUNIT_ASSERT_EQUAL(Connection::max_complaints, connection_.complaints().size());
        CPPUNIT_ASSERT_EQUAL(std::string("63"), connection_.complaints().back().plugin);
    }

    void a_hook_has_a_subject() {
        std::string all;
        for (unsigned i = 0; i < static_cast<unsigned>(HookId::count); ++i) {
            const auto hook = static_cast<HookId>(i);
            const auto subject = traits(hook).about;
            if (subject != HookSubject::client) all += std::string(hook_name(hook)) + ":" + subject_name(subject) + " ";
        }
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "helo_parse:hello ehlo_parse:hello helo:hello ehlo:hello mail_parse:sender mail_pre:sender mail:sender "
                "rcpt_parse:recipient rcpt_pre:recipient rcpt:recipient data:message data_chunk:message "
                "data_headers_end:message data_post_headers:message received_line:message data_post:message "
                "data_post_rcpt:recipient queue_pre:message queue:message queue_post:message "),
            all);
        CPPUNIT_ASSERT_EQUAL(std::string("client"), std::string(subject_name(traits(HookId::connect).about)));
    }

    void exemptions_are_decided_in_one_place() {
        fakes::FakeTransaction transaction;
        Recipient recipient(fakes::FakeTransaction::address("user@example.com"), {});
        RcptHook hook(connection_, transaction, recipient);
        MailHook mail(connection_, transaction);
        const auto is = [](const std::optional<Exemption>& found) { return found ? found->to_string() : "none"; };
        CPPUNIT_ASSERT_EQUAL(std::string("none"), is(hook.exemption()));
        transaction.set_whitelisted("a customer");
        CPPUNIT_ASSERT_EQUAL(std::string("whitelisted sender: a customer"), is(hook.exemption()));
        recipient.set_whitelisted("our own");
        CPPUNIT_ASSERT_EQUAL(std::string("whitelisted recipient: our own"), is(hook.exemption()));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("nothing is known of a recipient", std::string("whitelisted sender: a customer"),
                                     is(mail.exemption()));
        connection_.set_whitelisted("a friend");
        CPPUNIT_ASSERT_EQUAL(std::string("whitelisted host: a friend"), is(hook.exemption()));
        connection_.set_relay_client(true);
        CPPUNIT_ASSERT_EQUAL(std::string("relay client"), is(hook.exemption()));
        CPPUNIT_ASSERT_EQUAL(std::string("whitelisted host: a friend"), is(hook.whitelisting()));
        CPPUNIT_ASSERT(hook.exemption()->kind == Exemption::Kind::relay_client);
        connection_.complain({.plugin = "dnsbl"});
        connection_.set_relay_client(false);
        connection_.set_whitelisted("");
        transaction.set_whitelisted("");
        recipient.set_whitelisted("");
        CPPUNIT_ASSERT_EQUAL_MESSAGE("a naughty client is judged", std::string("none"), is(hook.exemption()));
    }

    void handlers_find_results_of_the_connection_and_the_transaction() {
        fakes::FakeTransaction transaction;
        ServerAccess::results(connection_).add({.method = "iprev", .result = "pass"});
        ServerAccess::results(transaction)
            .add({.method = "spf", .result = "none", .properties = {{"smtp", "helo", "mx"}}});
        ServerAccess::results(transaction)
            .add({.method = "spf", .result = "fail", .properties = {{"smtp", "mailfrom", "a@b.example"}}});
        const MailHook hook(connection_, transaction);
        CPPUNIT_ASSERT_EQUAL(std::string("pass"), hook.results().find("IPREV")->result);
        CPPUNIT_ASSERT_EQUAL(std::string("none"), hook.results().find("spf")->result);
        CPPUNIT_ASSERT(hook.results().find("dkim") == nullptr);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), hook.results().find_all("spf").size());
        CPPUNIT_ASSERT_EQUAL(std::string("a@b.example"),
                             *hook.results().find_all("spf").at(1)->property("SMTP", "mailfrom"));
        CPPUNIT_ASSERT(hook.results().find_all("spf").at(0)->property("smtp", "mailfrom") == nullptr);
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), hook.results().all().size());
        const ConnectHook outside(HookId::connect, connection_);
        CPPUNIT_ASSERT(outside.results().find("spf") == nullptr);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), outside.results().all().size());
    }

    void who_may_relay_is_forgiven() {
        connection_.complain(
            {.plugin = "dnsbl", .verdict = Verdict::deny_disconnect, .enhanced = {5, 7, 1}, .text = "listed"});
        connection_.set_relay_client(true);
        CPPUNIT_ASSERT(!connection_.is_naughty() && connection_.is_relay_client());
    }

    void a_handlers_line_names_session_hook_and_plugin() {
        fakes::FakeTransaction transaction("session-1");
        MailHook context(connection_, transaction);
        const ServerAccess::Caller caller{"badmailfrom:strict", 0, -1};
        ServerAccess::enter(context, caller, clock_.now());
        context.log(LogLevel::notice, "{} of {}", 1, "two");
        const auto line = log_.lines().at(0);
        CPPUNIT_ASSERT_EQUAL(std::string("session"), line.session);
        CPPUNIT_ASSERT_EQUAL(std::string("session-1"), line.transaction);
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.1"), line.client);
        CPPUNIT_ASSERT_EQUAL(std::string("(mail) badmailfrom:strict: 1 of two"), line.to_string());
        CPPUNIT_ASSERT(LogLevel::notice == line.level);

        ConnectionContext without(HookId::connect, connection_);
        without.log(LogLevel::info, "x");
        CPPUNIT_ASSERT_EQUAL(std::string(), log_.lines().at(1).transaction);
        CPPUNIT_ASSERT_EQUAL(std::string("(connect) x"), log_.lines().at(1).to_string());
    }

    void a_plugins_log_level_is_shifted_or_fixed() {
        const struct {
            int shift, fixed;
            LogLevel said, written;
        } rows[] = {{0, -1, LogLevel::info, LogLevel::info},     {1, -1, LogLevel::info, LogLevel::debug},
                    {-2, -1, LogLevel::info, LogLevel::warning}, {9, -1, LogLevel::info, LogLevel::trace},
                    {-9, -1, LogLevel::info, LogLevel::emerg},   {0, 3, LogLevel::debug, LogLevel::error},
                    {5, 0, LogLevel::debug, LogLevel::emerg}};
        for (const auto& row : rows) {
            ConnectionContext context(HookId::connect, connection_);
            const ServerAccess::Caller caller{"x", row.shift, row.fixed};
            ServerAccess::enter(context, caller, clock_.now());
            log_.clear();
            context.log(row.said, "text");
            CPPUNIT_ASSERT_EQUAL(log_level_name(row.written), log_level_name(log_.lines().at(0).level));
        }
        log_.set_level(LogLevel::info);
        log_.clear();
        ConnectionContext context(HookId::connect, connection_);
        const ServerAccess::Caller quiet{"x", 1, -1};
        ServerAccess::enter(context, quiet, clock_.now());
        CPPUNIT_ASSERT(!context.log_enabled(LogLevel::info));
        context.log(LogLevel::info, "text");
        CPPUNIT_ASSERT(log_.lines().empty());
    }

private:
    fakes::FakeClock clock_;
    fakes::FakeLog log_;
    fakes::FakeConnection connection_{clock_, log_};
};
CPPUNIT_TEST_SUITE_REGISTRATION(ApiTest);

}  // namespace
}  // namespace smtpd
