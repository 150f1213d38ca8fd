/// sender_permitted_from_test.cc: SPF at MAIL: what is refused, noted, counted and written.
#include "engine/server_access.h"
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <smtpd/known_notes.h>

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;
using std::string;

class SenderPermittedFromTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SenderPermittedFromTest);
    CPPUNIT_TEST(nothing_is_refused_by_default);
    CPPUNIT_TEST(reject_has_its_table);
    CPPUNIT_TEST(old_forms_of_reject_are_understood);
    CPPUNIT_TEST(onerror_changes_the_row_of_temperror);
    CPPUNIT_TEST(naughty_keeps_a_fail);
    CPPUNIT_TEST(replies_say_who_and_why);
    CPPUNIT_TEST(karma_is_counted);
    CPPUNIT_TEST(a_pass_is_noted);
    CPPUNIT_TEST(results_are_there_for_others);
    CPPUNIT_TEST(the_name_in_ehlo_is_tested_by_option);
    CPPUNIT_TEST(the_null_sender_has_the_domain_of_ehlo);
    CPPUNIT_TEST(fields_are_written_above_received);
    CPPUNIT_TEST(mail_without_a_dmarc_record_can_be_refused);
    CPPUNIT_TEST(relay_clients_are_not_tested);
    CPPUNIT_TEST(void_is_an_option);
    CPPUNIT_TEST(a_second_transaction_starts_anew);
    CPPUNIT_TEST_SUITE_END();

    static void fill(PluginUnderTest& plugin) {
        plugin.dns({"pass.test TXT v=spf1 ip4:192.0.2.0/24 -all", "fail.test TXT v=spf1 -all exp=why.test",
                    "why.test TXT See https://fail.test/%{i}", "softfail.test TXT v=spf1 ~all",
                    "neutral.test TXT v=spf1 ?all", "none.test A 192.0.2.1", "permerror.test TXT v=spf1 oops",
                    "temperror.test TIMEOUT", "void.test TXT v=spf1 a:a.test a:b.test a:c.test +all",
                    "xn--bcher-kva.test TXT v=spf1 -all"});
        plugin.connection().set_greeted(Greeted::ehlo, "helo.none.test");
    }
    static string verdict(PluginUnderTest& plugin, const string& sender) {
        plugin.reset();
        plugin.connection().set_karma(0);
        const Response response = plugin.mail(sender);
        return string(verdict_name(response.verdict));
    }
    static string results(PluginUnderTest& plugin) {
        string out;
        for (const auto& result : plugin.transaction().authentication_results())
            out += (out.empty() ? "" : "; ") + result.to_string();
        return out;
    }
    static constexpr const char* senders[] = {"pass", "fail", "softfail", "neutral", "none", "permerror", "temperror"};

    static void check_table(PluginUnderTest& plugin, const string& expected, const string& what) {
        string got;
        for (const string name : senders) {
            const string word = verdict(plugin, "me@" + name + ".test");
            got += word == "declined" ? '-' : word == "denysoft" ? '4' : word == "deny" ? '5' : '?';
        }
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, expected, got);
    }

public:
    void nothing_is_refused_by_default() {
        PluginUnderTest plugin("sender_permitted_from");
        fill(plugin);
        check_table(plugin, "-------", "default");
        CPPUNIT_ASSERT_EQUAL(string("declined"), verdict(plugin, "me@fail.test"));
        CPPUNIT_ASSERT_EQUAL(string("fail, tolerated: fail for fail.test: -all"), plugin.log().last());
    }

    void reject_has_its_table() {
        //                                pass fail soft neutral none perm temp
        const char* const rows[] = {"-------", "-------", "-4----4", "-54---4", "-55--44", "-555-44", "-555554"};
        for (int level = 0; level <= 6; ++level) {
            PluginUnderTest plugin("sender_permitted_from", "reject=" + std::to_string(level));
            fill(plugin);
            check_table(plugin, rows[level], std::to_string(level));
        }
    }

    void old_forms_of_reject_are_understood() {
        const struct {
            const char* options;
            PluginUnderTest::Files files;
            const char* row;
        } rows[] = {
            {"spf_deny 1", {}, "-54---4"},
            {"spf_deny 2", {}, "-55--44"},
            {"spf_deny 0", {}, "-------"},
            {"reject 1 spf_deny 2", {}, "-------"},
            {"", {{"spfbehavior", "# qmail\n3\n"}}, "-54---4"},
            {"reject=0", {{"spfbehavior", "3\n"}}, "-------"},
            {"spf_deny=1", {{"spfbehavior", "6\n"}}, "-54---4"},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("sender_permitted_from", row.options, row.files);
            fill(plugin);
            check_table(plugin, row.row, row.options);
        }
        for (const char* content : {"7", "-1", "yes", "3 4"}) {
            PluginUnderTest plugin("sender_permitted_from", "", {{"spfbehavior", content}});
            CPPUNIT_ASSERT_MESSAGE(content, !plugin.is_usable());
            CPPUNIT_ASSERT_MESSAGE(plugin.problems(),
                                   plugin.problems().find("spfbehavior:1: \"") != string::npos &&
                                       plugin.problems().find("a number from 0 to 6") != string::npos);
        }
        CPPUNIT_ASSERT(!PluginUnderTest("sender_permitted_from", "reject=7").is_usable());
        CPPUNIT_ASSERT(!PluginUnderTest("sender_permitted_from", "no_dmarc_policy=5").is_usable());
    }

    void onerror_changes_the_row_of_temperror() {
        PluginUnderTest strict("sender_permitted_from", "reject=1 onerror=tempfail");
        fill(strict);
        check_table(strict, "------4", "tempfail");
        PluginUnderTest lenient("sender_permitted_from", "reject=6 onerror=accept");
        fill(lenient);
        check_table(lenient, "-55555-", "accept");
    }

    void naughty_keeps_a_fail() {
        PluginUnderTest plugin("sender_permitted_from", "reject=naughty");
        fill(plugin);
        check_table(plugin, "-------", "naughty");
        CPPUNIT_ASSERT(plugin.connection().is_naughty());
        PluginUnderTest soft("sender_permitted_from", "reject=naughty");
        fill(soft);
        (void)soft.mail("me@softfail.test");
        CPPUNIT_ASSERT(!soft.connection().is_naughty());
    }

    void replies_say_who_and_why() {
        const struct {
            const char* sender;
            const char* reply;
        } rows[] = {
            {"me@fail.test",
             "deny 5.7.23 SPF fail: fail.test does not let 192.0.2.1 send its mail; fail.test explains: See "
             "https://fail.test/192.0.2.1"},
            {"me@softfail.test",
             "deny 5.7.23 SPF softfail: softfail.test probably does not let 192.0.2.1 send its mail"},
            {"me@neutral.test",
             "deny 5.7.23 SPF neutral: neutral.test does not say whether 192.0.2.1 may send its mail"},
            {"me@none.test", "deny 5.7.23 SPF none: none.test has no SPF record"},
            {"me@permerror.test", "deny 5.7.24 SPF permerror: the SPF record of permerror.test is wrong"},
            {"me@temperror.test", "denysoft 451 4.4.3 Temporary address resolution failure"},
            {"me@b\xc3\xbc"
             "cher.test",
             "deny 5.7.23 SPF fail: xn--bcher-kva.test does not let 192.0.2.1 send its mail"},
        };
        PluginUnderTest plugin("sender_permitted_from", "reject=6");
        fill(plugin);
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.sender, string(row.reply), shown(plugin.mail(row.sender)));
    }

    void karma_is_counted() {
        for (const char* options : {"", "reject=2", "reject=6", "no_dmarc_policy=1"}) {
            PluginUnderTest plugin("sender_permitted_from", options);
            fill(plugin);
            const int expected[] = {1, -1, -1, 0, 0, 0, 0};
            for (std::size_t i = 0; i < std::size(senders); ++i) {
                (void)verdict(plugin, string("me@") + senders[i] + ".test");
                CPPUNIT_ASSERT_EQUAL_MESSAGE(string(options) + " " + senders[i], expected[i],
                                             plugin.connection().karma());
            }
        }
    }

    void a_pass_is_noted() {
        PluginUnderTest plugin("sender_permitted_from");
        fill(plugin);
        (void)plugin.mail("me@PASS.test");
        const auto* note = plugin.transaction().notes().find(notes::spf_pass_host);
        CPPUNIT_ASSERT(note);
        CPPUNIT_ASSERT_EQUAL(string("PASS.test"), *note);
        (void)plugin.mail("me@fail.test");
        CPPUNIT_ASSERT(!plugin.transaction().notes().find(notes::spf_pass_host));
    }

    void results_are_there_for_others() {
        PluginUnderTest plugin("sender_permitted_from", "helo=yes");
        fill(plugin);
        (void)plugin.mail("me@pass.test");
        CPPUNIT_ASSERT_EQUAL(string("spf=pass smtp.mailfrom=pass.test; spf=none smtp.helo=helo.none.test"),
                             results(plugin));
        plugin.reset();
        (void)plugin.mail("me@temperror.test");
        CPPUNIT_ASSERT(results(plugin).find("spf=temperror reason=\"temperror.test: no answer in time\" "
                                            "smtp.mailfrom=temperror.test") == 0);
    }

    void the_name_in_ehlo_is_tested_by_option() {
        PluginUnderTest without("sender_permitted_from", "reject=3");
        fill(without);
        without.connection().set_greeted(Greeted::ehlo, "fail.test");
        CPPUNIT_ASSERT_EQUAL(string("declined"), verdict(without, "me@pass.test"));
        PluginUnderTest plugin("sender_permitted_from", "reject=3 helo=yes");
        fill(plugin);
        plugin.connection().set_greeted(Greeted::ehlo, "fail.test");
        CPPUNIT_ASSERT_EQUAL(string("deny"), verdict(plugin, "me@pass.test"));
        CPPUNIT_ASSERT_EQUAL(string("deny"), verdict(plugin, "me@softfail.test"));
        plugin.connection().set_greeted(Greeted::ehlo, "pass.test");
        CPPUNIT_ASSERT_EQUAL_MESSAGE("a pass of the name in EHLO saves nobody", string("deny"),
                                     verdict(plugin, "me@fail.test"));
        plugin.connection().set_greeted(Greeted::ehlo, "permerror.test");
        CPPUNIT_ASSERT_EQUAL(string("declined"), verdict(plugin, "me@pass.test"));
        plugin.connection().set_greeted(Greeted::ehlo, "[192.0.2.1]");
        CPPUNIT_ASSERT_EQUAL(string("declined"), verdict(plugin, "me@pass.test"));
    }

    void the_null_sender_has_the_domain_of_ehlo() {
        PluginUnderTest plugin("sender_permitted_from", "reject=3 helo=yes");
        fill(plugin);
        plugin.connection().set_greeted(Greeted::ehlo, "fail.test");
        CPPUNIT_ASSERT_EQUAL(string("deny"), verdict(plugin, ""));
        CPPUNIT_ASSERT_EQUAL(string("spf=fail smtp.mailfrom=fail.test"), results(plugin));
        plugin.connection().set_greeted(Greeted::ehlo, "pass.test");
        CPPUNIT_ASSERT_EQUAL(string("declined"), verdict(plugin, ""));
    }

    void fields_are_written_above_received() {
        const string message = "Received: by mx\r\nSubject: x\r\n\r\nbody\r\n";
        PluginUnderTest plugin("sender_permitted_from", "helo=yes");
        fill(plugin);
        (void)plugin.mail("me@pass.test");
        (void)plugin.data_post(message);
        const string block = plugin.transaction().message().headers().to_string();
        CPPUNIT_ASSERT_EQUAL_MESSAGE(block, std::size_t{0},
                                     block.find("Received-SPF: pass (mx.example.com: domain of me@pass.test"));
        const auto helo = block.find("Received-SPF: none (mx.example.com: helo.none.test");
        CPPUNIT_ASSERT_MESSAGE(block, helo != string::npos && helo < block.find("Received: by mx"));
        PluginUnderTest without("sender_permitted_from", "received_spf=no");
        fill(without);
        (void)without.mail("me@pass.test");
        (void)without.data_post(message);
        CPPUNIT_ASSERT(!without.transaction().message().headers().get("Received-SPF"));
    }

    void mail_without_a_dmarc_record_can_be_refused() {
        const char* const rows[] = {"-------", "-5-----", "-55----", "-555---", "-55555-"};
        for (int level = 1; level <= 4; ++level) {
            PluginUnderTest plugin("sender_permitted_from", "no_dmarc_policy=" + std::to_string(level));
            fill(plugin);
            for (const string dmarc : {"none", "fail", ""}) {
                string got;
                for (const string name : senders) {
                    CPPUNIT_ASSERT_EQUAL(string("declined"), verdict(plugin, "me@" + name + ".test"));
                    if (!dmarc.empty())
                        ServerAccess::results(plugin.transaction()).add({.method = "dmarc", .result = dmarc});
                    got += plugin.data_post("Subject: x\r\n\r\n").verdict == Verdict::deny ? '5' : '-';
                }
                CPPUNIT_ASSERT_EQUAL_MESSAGE(dmarc, string(dmarc == "none" ? rows[level] : rows[0]), got);
            }
        }
    }

    void relay_clients_are_not_tested() {
        PluginUnderTest plugin("sender_permitted_from", "reject=3");
        fill(plugin);
        plugin.connection().set_relay_client(true);
        CPPUNIT_ASSERT_EQUAL(string("declined"), verdict(plugin, "me@fail.test"));
        CPPUNIT_ASSERT_EQUAL(string(), results(plugin));
        (void)plugin.data_post("Subject: x\r\n\r\n");
        CPPUNIT_ASSERT(!plugin.transaction().message().headers().get("Received-SPF"));
    }

    void void_is_an_option() {
        PluginUnderTest plugin("sender_permitted_from");
        fill(plugin);
        (void)plugin.mail("me@void.test");
        CPPUNIT_ASSERT_EQUAL(string("skip: permerror for void.test: more than 2 void answers"), plugin.log().last());
        PluginUnderTest more("sender_permitted_from", "void=3");
        fill(more);
        (void)more.mail("me@void.test");
        CPPUNIT_ASSERT_EQUAL(string("spf=pass smtp.mailfrom=void.test"), results(more));
    }

    void a_second_transaction_starts_anew() {
        PluginUnderTest plugin("sender_permitted_from");
        fill(plugin);
        (void)plugin.mail("me@pass.test");
        plugin.reset();
        (void)plugin.mail("me@fail.test");
        (void)plugin.data_post("Subject: x\r\n\r\n");
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, plugin.transaction().message().headers().count("Received-SPF"));
        CPPUNIT_ASSERT_EQUAL(string("fail"),
                             plugin.transaction().message().headers().get("Received-SPF")->substr(0, 4));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SenderPermittedFromTest);

}  // namespace
}  // namespace smtpd
