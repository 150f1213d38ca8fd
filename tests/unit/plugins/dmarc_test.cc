/// dmarc_test.cc: what the plugin dmarc makes of messages. (The evaluation has tests of its own,
/// mailauth/dmarc_test.cc.)
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"
#include "fakes/temp_directory.h"
#include "support/log_queues.h"

#include <smtpd/known_notes.h>
#include <smtpd/mailauth/message_stream.h>
#include <smtpd/mailauth/public_suffixes.h>
#include <smtpd/store/dmarc_history.h>

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;
using std::string;

class DmarcPluginTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DmarcPluginTest);
    CPPUNIT_TEST(what_the_policy_asks_for_is_done);
    CPPUNIT_TEST(results_of_other_plugins_decide);
    CPPUNIT_TEST(quarantine_is_not_rejection);
    CPPUNIT_TEST(notes_say_what_came_of_it);
    CPPUNIT_TEST(reject_options_decide);
    CPPUNIT_TEST(failures_of_both_methods_have_a_code_of_their_own);
    CPPUNIT_TEST(mailing_lists);
    CPPUNIT_TEST(trusted_sealers_vouch_for_messages);
    CPPUNIT_TEST(messages_without_one_author);
    CPPUNIT_TEST(onerror_decides_where_nobody_knows);
    CPPUNIT_TEST(relay_clients_are_not_judged_and_whitelisted_ones_not_refused);
    CPPUNIT_TEST(questions_leave_early);
    CPPUNIT_TEST(rfc_7489_needs_a_list);
    CPPUNIT_TEST(results_are_remembered_for_reports);
    CPPUNIT_TEST(what_is_not_to_be_reported);
    CPPUNIT_TEST(a_database_that_cannot_be_written_loses_reports_only);
    CPPUNIT_TEST(a_folder_for_reports_is_of_no_use_without_reporting);
    CPPUNIT_TEST_SUITE_END();

    static void fill(PluginUnderTest& plugin) {
        plugin.dns({"_dmarc.none.test TXT v=DMARC1; p=none", "_dmarc.quarantine.test TXT v=DMARC1; p=quarantine",
                    "_dmarc.reject.test TXT v=DMARC1; p=reject; sp=quarantine; np=none", "sub.reject.test A 192.0.2.1",
                    "_dmarc.testing.test TXT v=DMARC1; p=reject; t=y", "_dmarc.slow.test TIMEOUT"});
    }

    struct Judged {
        string answer, line, result;
        int karma = 0;
    };

    static string message(const string& from, const string& more = {}) {
        return (from.empty() ? "" : "From: " + from + "\r\n") + more + "Subject: x\r\n\r\nbody\r\n";
    }

    static void add(PluginUnderTest& plugin, AuthenticationResult result) {
        ServerAccess::results(plugin.transaction()).add(std::move(result));
    }
    static void spf(PluginUnderTest& plugin, const string& domain, const string& result = "pass") {
        add(plugin, {.method = "spf", .result = result, .properties = {{"smtp", "mailfrom", domain}}});
    }
    static void dkim(PluginUnderTest& plugin, const string& domain, const string& result = "pass") {
        add(plugin, {.method = "dkim", .result = result, .properties = {{"header", "d", domain}}});
    }

    /// Judges a message of that author in a session of its own.
    template <class Prepare>
    static Judged judge(PluginUnderTest& plugin, const string& text, Prepare prepare) {
        plugin.reconnect();
        prepare(plugin);
        plugin.log().clear();
        Judged out;
        out.answer = shown(plugin.data_post(text));
        out.line = plugin.log().last();
        out.karma = plugin.connection().karma();
        for (const auto& result : plugin.transaction().authentication_results())
            if (result.method == "dmarc") out.result += (out.result.empty() ? "" : " / ") + result.to_string();
        return out;
    }
    static Judged judge(PluginUnderTest& plugin, const string& text) {
        return judge(plugin, text, [](PluginUnderTest&) {});
    }

public:
    void what_the_policy_asks_for_is_done() {
        const struct {
            const char* author;
            const char* answer;
            const char* line;
            const char* result;
            int karma;
        } rows[] = {
            {"a@nothing.test", "declined", "skip: nothing.test has no policy", "dmarc=none header.from=nothing.test",
             0},
            {"a@none.test", "declined", "fail, tolerated: none.test has p=none",
             "dmarc=fail (p=none dis=none) header.from=none.test policy.dmarc=none", 0},
            {"A <a@quarantine.test>", "declined", "fail, tolerated: quarantine.test has p=quarantine, quarantine",
             "dmarc=fail (p=quarantine dis=quarantine) header.from=quarantine.test policy.dmarc=quarantine", -3},
            {"a@reject.test", "deny 550 5.7.1 Rejected by the DMARC policy of reject.test",
             "fail: reject.test has p=reject",
             "dmarc=fail (p=reject sp=quarantine np=none dis=reject) header.from=reject.test policy.dmarc=reject", -3},
            {"a@sub.reject.test", "declined", "fail, tolerated: sub.reject.test has p=quarantine, quarantine",
             "dmarc=fail (p=reject sp=quarantine np=none dis=quarantine) header.from=sub.reject.test "
             "policy.dmarc=quarantine",
             -3},
            {"a@gone.reject.test", "declined", "fail, tolerated: gone.reject.test has p=none",
             "dmarc=fail (p=reject sp=quarantine np=none dis=none) header.from=gone.reject.test policy.dmarc=none", 0},
            {"a@testing.test", "declined", "fail, tolerated: testing.test has p=quarantine, quarantine",
             "dmarc=fail (p=reject dis=quarantine) header.from=testing.test policy.dmarc=quarantine", -3},
        };
        PluginUnderTest plugin("dmarc");
        fill(plugin);
        for (const auto& row : rows) {
            const Judged judged = judge(plugin, message(row.author));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.author, string(row.answer), judged.answer);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.author, string(row.line), judged.line);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.author, string(row.result), judged.result);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.author, row.karma, judged.karma);
        }
    }

    void results_of_other_plugins_decide() {
        PluginUnderTest plugin("dmarc");
        fill(plugin);
        const auto line = [&](auto prepare) { return judge(plugin, message("a@reject.test"), prepare).line; };
        CPPUNIT_ASSERT_EQUAL(string("pass: reject.test by DKIM"), line([](auto& to) { dkim(to, "Reject.Test"); }));
        CPPUNIT_ASSERT_EQUAL(string("pass: reject.test by SPF"), line([](auto& to) { spf(to, "x@mail.reject.test"); }));
        CPPUNIT_ASSERT_EQUAL(string("pass: reject.test by DKIM and SPF"), line([](auto& to) {
                                 spf(to, "reject.test");
                                 dkim(to, "reject.test", "fail");
                                 dkim(to, "other.test");
                                 dkim(to, "reject.test");
                             }));
        const string failed = "fail: reject.test has p=reject";
        CPPUNIT_ASSERT_EQUAL(failed, line([](auto& to) { dkim(to, "other.test"); }));
        CPPUNIT_ASSERT_EQUAL(failed, line([](auto& to) { spf(to, "reject.test", "softfail"); }));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(
            "HELO is not the sender", failed, line([](auto& to) {
                add(to, {.method = "spf", .result = "pass", .properties = {{"smtp", "helo", "reject.test"}}});
            }));
    }

    void quarantine_is_not_rejection() {
        PluginUnderTest plugin("dmarc");
        fill(plugin);
        CPPUNIT_ASSERT_EQUAL(string("declined"), judge(plugin, message("a@quarantine.test")).answer);
        const auto& transaction = plugin.transaction();
        CPPUNIT_ASSERT_EQUAL(string("dmarc (policy of quarantine.test)"),
                             transaction.message().headers().get("X-Quarantine").value_or(""));
        const auto* note = transaction.notes().find(notes::quarantine);
        CPPUNIT_ASSERT(note);
        CPPUNIT_ASSERT_EQUAL(string("dmarc: DMARC policy of quarantine.test"), note->plugin + ": " + note->reason);
        CPPUNIT_ASSERT(!transaction.notes().find(notes::reject_dmarc));

        judge(plugin, message("a@reject.test"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, plugin.transaction().message().headers().count("X-Quarantine"));
    }

    void notes_say_what_came_of_it() {
        PluginUnderTest plugin("dmarc");
        fill(plugin);
        const auto note = [&] {
            const auto* found = plugin.transaction().notes().find(notes::dmarc_result);
            return found == nullptr
                       ? string("nothing")
                       : found->domain + " " + found->result + " " + found->policy + " " + found->disposition;
        };
        judge(plugin, message("a@reject.test"));
        CPPUNIT_ASSERT_EQUAL(string("reject.test fail reject reject"), note());
        CPPUNIT_ASSERT(plugin.transaction().notes().find(notes::reject_dmarc));
        judge(plugin, message("a@nothing.test"));
        CPPUNIT_ASSERT_EQUAL(string("nothing.test none  none"), note());
        judge(plugin, message("a@slow.test"));
        CPPUNIT_ASSERT_EQUAL(string("slow.test temperror  none"), note());
        judge(plugin, message("a@none.test, b@reject.test"));
        CPPUNIT_ASSERT_EQUAL(string(" permerror  none"), note());
    }

    void reject_options_decide() {
        const auto answer = [](const char* options) {
            PluginUnderTest plugin("dmarc", options);
            fill(plugin);
            return judge(plugin, message("a@reject.test")).answer;
        };
        CPPUNIT_ASSERT_EQUAL(string("declined"), answer("reject=no"));
        CPPUNIT_ASSERT_EQUAL(string("declined"), answer("reject 0"));
        CPPUNIT_ASSERT_EQUAL(string("denysoft 450 4.7.1 Rejected by the DMARC policy of reject.test"),
                             answer("reject_type=temp"));
        CPPUNIT_ASSERT_EQUAL(string("deny_disconnect 550 5.7.1 Rejected by the DMARC policy of reject.test"),
                             answer("reject_type=disconnect"));
        PluginUnderTest plugin("dmarc", "reject=naughty karma_fail=-1");
        fill(plugin);
        const Judged judged = judge(plugin, message("a@reject.test"));
        CPPUNIT_ASSERT_EQUAL(string("declined"), judged.answer);
        CPPUNIT_ASSERT_EQUAL(-1, judged.karma);
        CPPUNIT_ASSERT(plugin.connection().is_naughty());
    }

    void failures_of_both_methods_have_a_code_of_their_own() {
        PluginUnderTest plugin("dmarc");
        fill(plugin);
        const auto judged = judge(plugin, message("a@reject.test"), [](auto& to) {
            spf(to, "reject.test", "fail");
            dkim(to, "reject.test", "fail");
        });
        CPPUNIT_ASSERT_EQUAL(string("deny 550 5.7.26 Rejected by the DMARC policy of reject.test"), judged.answer);
    }

    void mailing_lists() {
        const string text = message("a@reject.test", "List-Id: A list <dev.lists.test>\r\n");
        const auto judged = [&](const char* options, const char* signer) {
            PluginUnderTest plugin("dmarc", options);
            fill(plugin);
            const Judged out = judge(plugin, text, [&](auto& to) { dkim(to, signer); });
            return out.answer.substr(0, out.answer.find(' ')) + " " + out.line;
        };
        CPPUNIT_ASSERT_EQUAL(string("declined fail, tolerated: reject.test has p=reject, mailing list, quarantine"),
                             judged("", "lists.test"));
        CPPUNIT_ASSERT_EQUAL(string("declined fail, tolerated: reject.test has p=reject, mailing list"),
                             judged("mailing_lists=accept", "dev.lists.test"));
        CPPUNIT_ASSERT_EQUAL(string("deny fail: reject.test has p=reject"),
                             judged("mailing_lists=reject", "lists.test"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("nobody vouches for the list", string("deny fail: reject.test has p=reject"),
                                     judged("", "other.test"));
        CPPUNIT_ASSERT_EQUAL(string("deny fail: reject.test has p=reject"), judged("", "ev.lists.test"));
    }

    void trusted_sealers_vouch_for_messages() {
        PluginUnderTest plugin("dmarc");
        fill(plugin);
        const auto line = [&](const char* results, std::size_t trusted) {
            return judge(plugin, message("a@reject.test"),
                         [&](auto& to) {
                             mailauth::ArcChain chain;
                             chain.result = mailauth::ArcResult::pass;
                             chain.sets = {{"lists.test", "s", results}, {"second.test", "s", "second.test; none"}};
                             to.transaction().notes().set(notes::arc, chain);
                             to.transaction().notes().set(notes::arc_trusted, trusted);
                         })
                .line;
        };
        const char* const passed = "lists.test; spf=fail; dmarc=pass (p=reject) header.from=Reject.test";
        CPPUNIT_ASSERT_EQUAL(string("fail, tolerated: reject.test has p=reject, arc=pass, sealed by lists.test"),
                             line(passed, 1));
        const string failed = "fail: reject.test has p=reject";
        CPPUNIT_ASSERT_EQUAL_MESSAGE("nobody is trusted", failed, line(passed, 0));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("the newest only", failed, line(passed, 2));
        CPPUNIT_ASSERT_EQUAL(failed, line(passed, 3));
        CPPUNIT_ASSERT_EQUAL(failed, line("lists.test; dmarc=fail header.from=reject.test", 1));
        CPPUNIT_ASSERT_EQUAL(failed, line("lists.test; dmarc=pass header.from=other.test", 1));
        CPPUNIT_ASSERT_EQUAL(failed, line("lists.test; x=none (dmarc=pass header.from=reject.test)", 1));
        CPPUNIT_ASSERT_EQUAL(failed, line("dmarc=pass header.from=reject.test", 1));
    }

    void messages_without_one_author() {
        PluginUnderTest plugin("dmarc");
        fill(plugin);
        const string two = message("a@none.test", "From: b@reject.test\r\n");
        Judged judged = judge(plugin, two);
        CPPUNIT_ASSERT_EQUAL(string("declined"), judged.answer);
        CPPUNIT_ASSERT_EQUAL(string("fail, tolerated: multiple_from: the message has 2 From fields"), judged.line);
        CPPUNIT_ASSERT_EQUAL(string("dmarc=permerror reason=\"the message has 2 From fields\""), judged.result);
        CPPUNIT_ASSERT_EQUAL(-3, judged.karma);
        judged = judge(plugin, message("nobody"));
        CPPUNIT_ASSERT_EQUAL(string("fail, tolerated: the From field names no domain"), judged.line);
        CPPUNIT_ASSERT_EQUAL(0, judged.karma);

        PluginUnderTest strict("dmarc", "multiple_from=reject");
        fill(strict);
        const string rejected = "deny 550 5.7.1 DMARC needs a From field with one domain";
        CPPUNIT_ASSERT_EQUAL(rejected, judge(strict, two).answer);
        CPPUNIT_ASSERT_EQUAL(rejected, judge(strict, message("a@none.test, b@reject.test")).answer);
        CPPUNIT_ASSERT_EQUAL(rejected, judge(strict, message("x@reject.test <a@none.test>")).answer);
        CPPUNIT_ASSERT_EQUAL(rejected, judge(strict, message("")).answer);
        CPPUNIT_ASSERT_EQUAL(string("declined"), judge(strict, message("a@none.test, b@none.test")).answer);
    }

    void onerror_decides_where_nobody_knows() {
        PluginUnderTest plugin("dmarc");
        fill(plugin);
        const Judged judged = judge(plugin, message("a@slow.test"));
        CPPUNIT_ASSERT_EQUAL(string("declined"), judged.answer);
        CPPUNIT_ASSERT_EQUAL(string("error: _dmarc.slow.test: no answer in time"), judged.line);
        CPPUNIT_ASSERT_EQUAL(string("dmarc=temperror reason=\"_dmarc.slow.test: no answer in time\" "
                                    "header.from=slow.test"),
                             judged.result);
        PluginUnderTest strict("dmarc", "onerror=tempfail");
        fill(strict);
        CPPUNIT_ASSERT_EQUAL(string("denysoft 451 4.7.1 The DMARC policy of slow.test cannot be looked up now"),
                             judge(strict, message("a@slow.test")).answer);
    }

    void relay_clients_are_not_judged_and_whitelisted_ones_not_refused() {
        PluginUnderTest plugin("dmarc");
        fill(plugin);
        const Judged relayed = judge(plugin, message("a@reject.test"),
                                     [](auto& to) { to.connection().set_relay_client(true); });
        CPPUNIT_ASSERT_EQUAL(string("skip: relay client"), relayed.line);
        CPPUNIT_ASSERT_EQUAL(string(), relayed.result);
        CPPUNIT_ASSERT(plugin.questions().empty());

        const Judged whitelisted = judge(plugin, message("a@reject.test"),
                                         [](auto& to) { to.connection().set_whitelisted("a friend"); });
        CPPUNIT_ASSERT_EQUAL(string("declined"), whitelisted.answer);
        CPPUNIT_ASSERT_EQUAL(string("fail, tolerated: reject.test has p=reject, whitelisted"), whitelisted.line);
        CPPUNIT_ASSERT_EQUAL(0, whitelisted.karma);

        PluginUnderTest strict("dmarc", "onerror=tempfail");
        fill(strict);
        CPPUNIT_ASSERT(judge(strict, message("a@slow.test")).answer.starts_with("denysoft "));
        const Judged unknown = judge(strict, message("a@slow.test"),
                                     [](auto& to) { to.connection().set_whitelisted("a friend"); });
        CPPUNIT_ASSERT_EQUAL(string("declined"), unknown.answer);
        CPPUNIT_ASSERT(unknown.line.starts_with("skip: _dmarc.slow.test"));
    }

    void questions_leave_early() {
        PluginUnderTest plugin("dmarc");
        fill(plugin);
        plugin.transaction().set_message(message("a@none.test"));
        CPPUNIT_ASSERT_EQUAL(string("declined"), shown(plugin.data_post_headers()));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, plugin.questions().size());
        CPPUNIT_ASSERT_EQUAL(string("_dmarc.none.test TXT"), plugin.questions()[0]);
    }

    /// A whole transaction; `is_accepted`: the queue has taken it.
    template <class Prepare>
    static void transact(PluginUnderTest& plugin, const string& text, Prepare prepare, bool is_accepted = true,
                         const char* sender = "me@mail.reported.test") {
        plugin.reconnect();
        plugin.connection().set_client("192.0.2.7");
        plugin.transaction().set_sender(fakes::FakeTransaction::address(sender));
        plugin.transaction().add_recipient("you@example.com");
        prepare(plugin);
        (void)plugin.data_post(text);
        if (is_accepted) {
            ServerAccess::set_fate(plugin.transaction().recipients()[0], delivered());
            (void)plugin.queue_post("queued");
        }
        (void)plugin.reset_transaction();
    }

    static void publish(PluginUnderTest& plugin) {
        plugin.dns({"_dmarc.reported.test TXT v=DMARC1; p=reject; rua=mailto:r@reported.test",
                    "_dmarc.mild.test TXT v=DMARC1; p=quarantine; rua=mailto:r@mild.test",
                    "_dmarc.quiet.test TXT v=DMARC1; p=reject"});
    }

    /// "example.com 2 none D mailing_list dkim …;" for each entry of the fake clock's day.
    static string remembered(const string& folder, const string& domain) {
        auto history = DmarcHistory::open(folder + "/dmarc.sqlite");
        CPPUNIT_ASSERT(history);
        const std::chrono::sys_days day{std::chrono::year(2026) / 11 / 20};
        const auto events = history->events(day, domain);
        CPPUNIT_ASSERT(events);
        string out;
        for (const auto& one : *events)
            out += format_text("{} {} {}{}{} {} {} {}\n", one.header_from, one.count, one.disposition,
                               one.is_dkim_aligned ? " D" : "", one.is_spf_aligned ? " S" : "",
                               one.is_accepted ? "accepted" : "refused", one.reason, one.results);
        return out;
    }

    void results_are_remembered_for_reports() {
        const fakes::TempDirectory directory;
        {
            PluginUnderTest plugin("dmarc", "reporting=on report_dir=" + directory.path("r"));
            publish(plugin);
            CPPUNIT_ASSERT(plugin.child_start());
            const auto passes = [](auto& to) {
                spf(to, "me@mail.reported.test");
                dkim(to, "reported.test");
            };
            transact(plugin, message("a@reported.test"), passes);
            transact(plugin, message("a@reported.test"), passes);
            transact(plugin, message("a@mild.test"), [](auto&) {});
            transact(
                plugin, message("a@reported.test"), [](auto&) {}, false);
            transact(plugin, message("a@reported.test", "List-Id: <l.list.test>\r\n"),
                     [](auto& to) { dkim(to, "list.test"); });
        }
        const string folder = directory.path("r");
        CPPUNIT_ASSERT_EQUAL(string("mild.test 1 quarantine accepted  \n"), remembered(folder, "mild.test"));
        CPPUNIT_ASSERT_EQUAL(string("reported.test 2 none D S accepted  dkim reported.test - pass;spf "
                                    "mail.reported.test pass;\n"
                                    "reported.test 1 quarantine accepted mailing_list dkim list.test - pass;\n"
                                    "reported.test 1 reject refused  \n"),
                             remembered(folder, "reported.test"));
    }

    void what_is_not_to_be_reported() {
        const fakes::TempDirectory directory;
        {
            PluginUnderTest plugin("dmarc", "reject=no reporting=on report_dir=" + directory.path("r"));
            publish(plugin);
            CPPUNIT_ASSERT(plugin.child_start());
            const auto passes = [](auto& to) { dkim(to, "reported.test"); };
            const string text = message("a@reported.test");
            transact(plugin, text, [](auto& to) { to.connection().set_relay_client(true); });
            transact(plugin, text, passes, false);  // another plugin has refused it
            transact(
                plugin, text, [](auto&) {}, false);    // ... too
            transact(plugin, text, passes, true, "");  // a bounce
            transact(plugin, "From: a@reported.test\r\nSubject: Report Domain: x\r\n\r\n", passes);
            transact(plugin, message("a@quiet.test"), [](auto&) {});  // wants no reports
            transact(plugin, message("a@nothing.test"), [](auto&) {});
            transact(plugin, text, [](auto&) {});  // the only one
        }
        CPPUNIT_ASSERT_EQUAL(string("reported.test 1 none accepted local_policy \n"),
                             remembered(directory.path("r"), "reported.test"));
        CPPUNIT_ASSERT_EQUAL(string(), remembered(directory.path("r"), "quiet.test"));
    }

    void a_database_that_cannot_be_written_loses_reports_only() {
        const fakes::TempDirectory directory;
        const string file = directory.write("file", "x");
        PluginUnderTest plugin("dmarc", "reporting=on report_dir=" + file + "/below");
        publish(plugin);
        CPPUNIT_ASSERT(plugin.child_start());
        transact(plugin, message("a@reported.test"), [](auto& to) { dkim(to, "reported.test"); });
        CPPUNIT_ASSERT(support::settle_log_queues(std::chrono::seconds(10)));
        CPPUNIT_ASSERT_MESSAGE(plugin.log().to_string(),
                               plugin.log().contains("reports will lack messages: cannot make " + file + "/below"));
    }

    void a_folder_for_reports_is_of_no_use_without_reporting() {
        CPPUNIT_ASSERT(PluginUnderTest("dmarc", "reject 1 reporting 1").is_usable());
        CPPUNIT_ASSERT(PluginUnderTest("dmarc", "reporting 0").is_usable());
        CPPUNIT_ASSERT(!PluginUnderTest("dmarc", "report_dir=/x").is_usable());
    }

    void rfc_7489_needs_a_list() {
        PluginUnderTest useless("dmarc", "psl=/x");
        CPPUNIT_ASSERT(!useless.is_usable());
        PluginUnderTest plugin("dmarc", "rfc=7489 psl=/nonexistent/list");
        CPPUNIT_ASSERT(!plugin.is_usable());
        if (!mailauth::PublicSuffixes::is_supported()) {
            CPPUNIT_ASSERT(plugin.problems().find("built without libpsl") != string::npos);
            return;
        }
        CPPUNIT_ASSERT_MESSAGE(plugin.problems(),
                               plugin.problems().find("/nonexistent/list cannot be read") != string::npos);
        PluginUnderTest old("dmarc", "rfc=7489");
        fill(old);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("np is unknown",
                                     string("fail, tolerated: gone.reject.test has p=quarantine, "
                                            "quarantine"),
                                     judge(old, message("a@gone.reject.test")).line);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DmarcPluginTest);

}  // namespace
}  // namespace smtpd
