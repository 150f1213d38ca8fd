/// spf_test.cc: evaluation of SPF, against zones.
#include "fakes/zone_lookups.h"

#include <smtpd/mailauth/spf.h>

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace smtpd::mailauth {
namespace {

using std::string;

/// One evaluation against one zone.
struct Check {
    explicit Check(const string& zone) : lookups(zone) {}

    string run(const string& client = "192.0.2.1", const string& sender = "bob@d.example",
               const string& helo = "helo.example") {
        const auto at = sender.rfind('@');
        request = sender == "HELO"     ? SpfRequest::from_helo(*IpAddress::parse(client), helo)
                  : at == string::npos ? SpfRequest::mail_from(*IpAddress::parse(client), helo, Address())
                                       : SpfRequest::mail_from(*IpAddress::parse(client), helo, sender.substr(0, at),
                                                               sender.substr(at + 1));
        const SpfEvaluator spf(settings);
        outcome = lookups.run(
            [&](Lookups& known) { return spf.evaluate(request, known, WallTime(std::chrono::seconds(1700000000))); });
        return string(spf_result_name(outcome.result));
    }
    bool has_asked(const string& question) const {
        const auto& asked = lookups.asked();
        return std::find(asked.begin(), asked.end(), question) != asked.end();
    }

    fakes::ZoneLookups lookups;
    SpfSettings settings{.receiver = "us.example"};
    SpfRequest request;
    SpfOutcome outcome;
};

class SpfTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SpfTest);
    CPPUNIT_TEST(results_of_single_records);
    CPPUNIT_TEST(domains_that_can_have_no_record);
    CPPUNIT_TEST(which_record_counts);
    CPPUNIT_TEST(trouble_is_temperror);
    CPPUNIT_TEST(include_has_its_table);
    CPPUNIT_TEST(redirect_takes_over);
    CPPUNIT_TEST(ten_terms_may_ask);
    CPPUNIT_TEST(loops_end);
    CPPUNIT_TEST(ten_exchangers_may_be_there);
    CPPUNIT_TEST(void_answers_have_a_limit);
    CPPUNIT_TEST(families_of_addresses);
    CPPUNIT_TEST(names_of_the_client);
    CPPUNIT_TEST(more_than_ten_names_are_ignored);
    CPPUNIT_TEST(explanations);
    CPPUNIT_TEST(explanations_that_are_none);
    CPPUNIT_TEST(identities);
    CPPUNIT_TEST(local_parts_beyond_ascii_match_nothing);
    CPPUNIT_TEST(domains_beyond_ascii_are_a_labels);
    CPPUNIT_TEST(names_that_cannot_exist_match_nothing);
    CPPUNIT_TEST(the_domains_own_names_are_asked_ahead);
    CPPUNIT_TEST(nobody_waits_for_another_domain_before_it_matters);
    CPPUNIT_TEST(include_bombs_end_at_the_limit);
    CPPUNIT_TEST(a_field_received_spf_is_written);
    CPPUNIT_TEST(foreign_text_does_no_harm_in_fields);
    CPPUNIT_TEST(an_authentication_result_is_made);
    CPPUNIT_TEST_SUITE_END();

    void results_of_single_records() {
        const string names =
            "d.example A 192.0.2.1\nd.example MX 10 mx.d.example\nmx.d.example A 192.0.2.9\n"
            "yes.d.example A 127.0.0.2\n";
        const struct {
            const char* record;
            const char* client;
            const char* result;
            const char* mechanism;
        } rows[] = {
            {"v=spf1", "192.0.2.1", "neutral", "default"},
            {"v=spf1 all", "192.0.2.1", "pass", "all"},
            {"v=spf1 -all", "192.0.2.1", "fail", "-all"},
            {"v=spf1 ~all", "192.0.2.1", "softfail", "~all"},
            {"v=spf1 ?all", "192.0.2.1", "neutral", "?all"},
            {"v=spf1 a -all", "192.0.2.1", "pass", "a"},
            {"v=spf1 a -all", "192.0.2.2", "fail", "-all"},
            {"v=spf1 a/24 -all", "192.0.2.200", "pass", "a/24"},
            {"v=spf1 mx -all", "192.0.2.9", "pass", "mx"},
            {"v=spf1 mx -all", "192.0.2.1", "fail", "-all"},
            {"v=spf1 mx/29 -all", "192.0.2.10", "pass", "mx/29"},
            {"v=spf1 ip4:192.0.2.0/30 -all", "192.0.2.3", "pass", "ip4:192.0.2.0/30"},
            {"v=spf1 ip4:192.0.2.0/30 -all", "192.0.2.4", "fail", "-all"},
            {"v=spf1 ip4:0.0.0.0/0 -all", "203.0.113.4", "pass", "ip4:0.0.0.0/0"},
            {"v=spf1 -exists:yes.%{d} all", "192.0.2.1", "fail", "-exists:yes.%{d}"},
            {"v=spf1 exists:no.d.example -all", "192.0.2.1", "fail", "-all"},
            {"v=spf1 all -all nonsense", "192.0.2.1", "permerror", ""},
            {"v=spf1 -all redirect=other.example", "192.0.2.1", "fail", "-all"},
        };
        for (const auto& row : rows) {
            Check check(names + "d.example TXT " + row.record + "\n");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.record, string(row.result), check.run(row.client));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.record, string(row.mechanism), check.outcome.mechanism);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.record, check.outcome.result == SpfResult::permerror,
                                         !check.outcome.problem.empty());
        }
    }

    void domains_that_can_have_no_record() {
        const string label(64, 'x');
        for (const string& sender :
             {string("a@single"), string("a@[192.0.2.1]"), string("a@a..example"), "a@" + label + ".example",
              string("a@.example"),
              "a@" + string(130, 'x').replace(60, 1, ".") + string(130, 'y').replace(60, 1, ".") + ".example",
              string("a@bad\x01name.example")}) {
            Check check("");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(sender, string("none"), check.run("192.0.2.1", sender));
            CPPUNIT_ASSERT_MESSAGE(sender, check.lookups.asked().empty() && !check.outcome.problem.empty());
        }
        Check dotted("d.example TXT v=spf1 +all\n");
        CPPUNIT_ASSERT_EQUAL(string("pass"), dotted.run("192.0.2.1", "a@d.example."));
    }

    void which_record_counts() {
        const struct {
            const char* zone;
            const char* result;
        } rows[] = {
            {"", "none"},
            {"d.example A 192.0.2.1\n", "none"},
            {"d.example TXT other\n", "none"},
            {"d.example TXT v=spf10 all\n", "none"},
            {"d.example TXT v=spf1 all\nd.example TXT v=DKIM1\nd.example TXT \x96\n", "pass"},
            {"d.example TXT v=spf1 all\nd.example TXT V=SPF1 all\n", "permerror"},
            {"d.example TXT v=spf1 amx\n", "permerror"},
            {"d.example CNAME e.example\ne.example TXT v=spf1 all\n", "pass"},
            {"*.example TXT v=spf1 all\n", "pass"},
        };
        for (const auto& row : rows) CPPUNIT_ASSERT_EQUAL_MESSAGE(row.zone, string(row.result), Check(row.zone).run());
    }

    void trouble_is_temperror() {
        for (const string trouble : {"TIMEOUT", "SERVFAIL"}) {
            for (const string& zone : {"d.example " + trouble, "d.example TXT v=spf1 a -all\nd.example A " + trouble,
                                       "d.example TXT v=spf1 mx -all\nd.example MX " + trouble,
                                       "d.example TXT v=spf1 mx -all\nd.example MX 1 m.example\nm.example " + trouble,
                                       "d.example TXT v=spf1 exists:e.example -all\ne.example " + trouble,
                                       "d.example TXT v=spf1 include:e.example -all\ne.example " + trouble,
                                       "d.example TXT v=spf1 redirect=e.example\ne.example " + trouble}) {
                Check check(zone + "\n");
                CPPUNIT_ASSERT_EQUAL_MESSAGE(zone, string("temperror"), check.run());
                CPPUNIT_ASSERT_MESSAGE(zone, !check.outcome.problem.empty());
            }
            // What is decided before the trouble stays decided.
            CPPUNIT_ASSERT_EQUAL(string("pass"),
                                 Check("d.example TXT v=spf1 ip4:192.0.2.1 a -all\nd.example A " + trouble).run());
        }
    }

    void include_has_its_table() {
        const struct {
            const char* included;
            const char* result;
        } rows[] = {
            {"e.example TXT v=spf1 +all", "pass"},
            {"e.example TXT v=spf1 -all", "softfail"},
            {"e.example TXT v=spf1 ~all", "softfail"},
            {"e.example TXT v=spf1 ?all", "softfail"},
            {"e.example TXT v=spf1", "softfail"},
            {"e.example TXT v=spf1 oops", "permerror"},
            {"e.example A 192.0.2.1", "permerror"},
            {"", "permerror"},
            {"e.example TIMEOUT", "temperror"},
            {"e.example TXT v=spf1 redirect=f.example\nf.example TXT v=spf1 +all", "pass"},
            {"e.example TXT v=spf1 redirect=f.example", "permerror"},
        };
        for (const auto& row : rows) {
            Check check(string("d.example TXT v=spf1 include:e.example ~all\n") + row.included + "\n");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.included, string(row.result), check.run());
        }
        Check check(
            "d.example TXT v=spf1 -include:e.example ~all\ne.example TXT v=spf1 ?ip4:192.0.2.7 ip4:192.0.2.1\n");
        CPPUNIT_ASSERT_EQUAL(string("fail"), check.run());
        CPPUNIT_ASSERT_EQUAL(string("-include:e.example"), check.outcome.mechanism);
    }

    void redirect_takes_over() {
        const string target = "e.example TXT v=spf1 exists:%{d}.l.example exists:%{o}.o.example -all\n";
        Check check("d.example TXT v=spf1 redirect=e.example\n" + target + "e.example.l.example A 127.0.0.1\n");
        CPPUNIT_ASSERT_EQUAL_MESSAGE("%{d} changes", string("pass"), check.run());
        Check other("d.example TXT v=spf1 redirect=e.example\n" + target + "d.example.o.example A 127.0.0.1\n");
        CPPUNIT_ASSERT_EQUAL_MESSAGE("%{o} does not", string("pass"), other.run());
        CPPUNIT_ASSERT_EQUAL(string("permerror"), Check("d.example TXT v=spf1 redirect=none.example\n").run());
        CPPUNIT_ASSERT_EQUAL(string("permerror"),
                             Check("d.example TXT v=spf1 redirect=%{l}.example\n").run("192.0.2.1", "a..b@d.example"));
        Check unused("d.example TXT v=spf1 redirect=none.example ip4:192.0.2.1\n");
        CPPUNIT_ASSERT_EQUAL(string("pass"), unused.run());
    }

    void ten_terms_may_ask() {
        string record = "d.example TXT v=spf1";
        for (int i = 0; i < 9; ++i) record += " a:h.example";
        const string rest = "h.example A 192.0.2.99\ne.example TXT v=spf1 -all\n";
        Check ten(record + " include:e.example ip4:192.0.2.0/24 ?all\n" + rest);
        CPPUNIT_ASSERT_EQUAL(string("pass"), ten.run());
        CPPUNIT_ASSERT_EQUAL(10U, ten.outcome.lookups);
        Check eleven(record + " include:e.example a:h.example ?all\n" + rest);
        CPPUNIT_ASSERT_EQUAL(string("permerror"), eleven.run());
        CPPUNIT_ASSERT_EQUAL(string("more than 10 terms that ask the DNS"), eleven.outcome.problem);
        Check redirected(record + " a:h.example redirect=e.example\n" + rest);
        CPPUNIT_ASSERT_EQUAL(string("permerror"), redirected.run());
    }

    void loops_end() {
        for (const string record :
             {"v=spf1 include:d.example -all", "v=spf1 redirect=d.example", "v=spf1 include:e.example"}) {
            Check check("d.example TXT " + record + "\ne.example TXT v=spf1 redirect=d.example\n");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(record, string("permerror"), check.run());
            CPPUNIT_ASSERT_MESSAGE(record, check.lookups.asked().size() <= 2);
        }
    }

    void ten_exchangers_may_be_there() {
        string zone = "d.example TXT v=spf1 mx -all\n";
        for (int i = 0; i < 10; ++i) {
            const string host = "m" + std::to_string(i) + ".example";
            zone += "d.example MX 10 " + host + "\n" + host + " A 192.0.2." + std::to_string(i) + "\n";
        }
        Check ten(zone);
        CPPUNIT_ASSERT_EQUAL(string("pass"), ten.run("192.0.2.9"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("all addresses at once", 3, ten.lookups.rounds());
        Check eleven(zone + "d.example MX 20 m0.example\n");
        CPPUNIT_ASSERT_EQUAL(string("permerror"), eleven.run("192.0.2.9"));
        Check null("d.example TXT v=spf1 mx -all\nd.example MX 0 .\n");
        CPPUNIT_ASSERT_EQUAL(string("fail"), null.run());
        Check nothing("d.example TXT v=spf1 mx -all\nd.example A 192.0.2.1\n");
        CPPUNIT_ASSERT_EQUAL_MESSAGE("no address instead of MX", string("fail"), nothing.run());
    }

    void void_answers_have_a_limit() {
        const string three = "d.example TXT v=spf1 a:a.d.example mx:b.d.example exists:c.d.example +all\n";
        Check check(three);
        CPPUNIT_ASSERT_EQUAL(string("permerror"), check.run());
        CPPUNIT_ASSERT_EQUAL(string("more than 2 void answers"), check.outcome.problem);
        Check more(three);
        more.settings.void_limit = 3;
        CPPUNIT_ASSERT_EQUAL(string("pass"), more.run());
        CPPUNIT_ASSERT_EQUAL(3U, more.outcome.voids);
        Check two("d.example TXT v=spf1 a:a.d.example a:d.example +all\n");
        CPPUNIT_ASSERT_EQUAL(string("pass"), two.run());
        Check hosts(
            "d.example TXT v=spf1 mx +all\nd.example MX 1 a.example\nd.example MX 2 b.example\nd.example MX 3 "
            "c.example\n");
        CPPUNIT_ASSERT_EQUAL(string("permerror"), hosts.run());
        Check none("d.example TXT v=spf1 a:a.d.example +all\n");
        none.settings.void_limit = 0;
        CPPUNIT_ASSERT_EQUAL(string("permerror"), none.run());
    }

    void families_of_addresses() {
        const string zone = "d.example A 192.0.2.1\nd.example AAAA 2001:db8::1\n";
        Check v6(zone + "d.example TXT v=spf1 a//64 -all\n");
        CPPUNIT_ASSERT_EQUAL(string("pass"), v6.run("2001:db8::77"));
        CPPUNIT_ASSERT(!v6.has_asked("d.example A"));
        CPPUNIT_ASSERT_EQUAL(string("fail"),
                             Check(zone + "d.example TXT v=spf1 ip4:0.0.0.0/0 -all\n").run("2001:db8::1"));
        CPPUNIT_ASSERT_EQUAL(string("fail"), Check(zone + "d.example TXT v=spf1 ip6:::/0 -all\n").run("192.0.2.1"));
        CPPUNIT_ASSERT_EQUAL(string("pass"),
                             Check(zone + "d.example TXT v=spf1 ip4:192.0.2.1 -all\n").run("::ffff:192.0.2.1"));
        CPPUNIT_ASSERT_EQUAL(string("fail"),
                             Check(zone + "d.example TXT v=spf1 ip6:::ffff:192.0.2.1 -all\n").run("::ffff:192.0.2.1"));
        Check exists("d.example TXT v=spf1 exists:e.example -all\ne.example A 127.0.0.1\n");
        CPPUNIT_ASSERT_EQUAL_MESSAGE("exists asks A always", string("pass"), exists.run("2001:db8::1"));
    }

    void names_of_the_client() {
        const string names =
            "192.0.2.1 PTR liar.example\n192.0.2.1 PTR mx.d.example\nmx.d.example A 192.0.2.1\n"
            "liar.example A 192.0.2.2\n";
        CPPUNIT_ASSERT_EQUAL(string("pass"), Check(names + "d.example TXT v=spf1 ptr -all\n").run());
        CPPUNIT_ASSERT_EQUAL(string("fail"), Check(names + "d.example TXT v=spf1 ptr:liar.example -all\n").run());
        CPPUNIT_ASSERT_EQUAL(string("fail"), Check(names + "d.example TXT v=spf1 ptr:x.d.example -all\n").run());
        CPPUNIT_ASSERT_EQUAL(string("pass"), Check(names + "d.example TXT v=spf1 ptr:D.Example. -all\n").run());
        CPPUNIT_ASSERT_EQUAL_MESSAGE("trouble is no match", string("fail"),
                                     Check("192.0.2.1 PTR TIMEOUT\nd.example TXT v=spf1 ptr -all\n").run());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(
            "nor is it of a name", string("pass"),
            Check(names + "192.0.2.1 PTR slow.example\nslow.example TIMEOUT\nd.example TXT v=spf1 ptr -all\n").run());
        const struct {
            const char* names;
            const char* expected;
        } rows[] = {
            {"192.0.2.1 PTR x.example\n192.0.2.1 PTR a.d.example\n192.0.2.1 PTR d.example\n", "d.example"},
            {"192.0.2.1 PTR x.example\n192.0.2.1 PTR a.d.example\n", "a.d.example"},
            {"192.0.2.1 PTR x.example\n", "x.example"},
            {"192.0.2.1 PTR other.example\n", "unknown"},
            {"192.0.2.1 PTR TIMEOUT\n", "unknown"},
            {"", "unknown"},
        };
        for (const auto& row : rows) {
            Check check(string(row.names) +
                        "x.example A 192.0.2.1\na.d.example A 192.0.2.1\nd.example A 192.0.2.1\n"
                        "d.example TXT v=spf1 exists:%{p}.p.example -all\n" +
                        row.expected + ".p.example A 127.0.0.1\n");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.expected, string("pass"), check.run());
        }
    }

    void more_than_ten_names_are_ignored() {
        string zone = "d.example TXT v=spf1 ptr -all\n";
        for (int i = 0; i < 10; ++i)
            zone += "192.0.2.1 PTR x" + std::to_string(i) + ".example\nx" + std::to_string(i) +
                    ".example A 192.0.2.1\n";
        Check check(zone + "192.0.2.1 PTR mx.d.example\nmx.d.example A 192.0.2.1\n");
        CPPUNIT_ASSERT_EQUAL(string("fail"), check.run());
        CPPUNIT_ASSERT(!check.has_asked("mx.d.example A"));
    }

    void explanations() {
        const string exp = "x.example TXT See https://%{d}/why?s=%{S}&i=%{C} at %{r}, %{t}\n";
        Check check("d.example TXT v=spf1 exp=x.example -all\n" + exp);
        CPPUNIT_ASSERT_EQUAL(string("fail"), check.run());
        CPPUNIT_ASSERT_EQUAL(
            string("See https://d.example/why?s=bob%40d.example&i=192.0.2.1 at us.example, 1700000000"),
            check.outcome.explanation);
        Check redirected(
            "d.example TXT v=spf1 exp=y.example redirect=e.example\ne.example TXT v=spf1 -all exp=x.example\n"
            "x.example TXT of %{d}\ny.example TXT wrong\n");
        redirected.run();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("of the target", string("of e.example"), redirected.outcome.explanation);
        Check included(
            "d.example TXT v=spf1 -include:e.example exp=x.example\ne.example TXT v=spf1 +all exp=y.example\n"
            "x.example TXT right\ny.example TXT wrong\n");
        included.run();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("never of an include", string("right"), included.outcome.explanation);
        Check soft("d.example TXT v=spf1 ~all exp=x.example\n" + exp);
        CPPUNIT_ASSERT_EQUAL(string("softfail"), soft.run());
        CPPUNIT_ASSERT(soft.outcome.explanation.empty() && !soft.has_asked("x.example TXT"));
        Check longer("d.example TXT v=spf1 -all exp=x.example\nx.example TXT " + string(1000, 'x') + "\n");
        longer.run();
        CPPUNIT_ASSERT_EQUAL(std::size_t{400}, longer.outcome.explanation.size());
    }

    void explanations_that_are_none() {
        for (const string text : {"x.example TXT one\nx.example TXT two", "", "x.example TIMEOUT", "x.example TXT %{z}",
                                  "x.example TXT caf\xc3\xa9", "x.example TXT a\x01z", "x.example TXT 100%"}) {
            Check check("d.example TXT v=spf1 -all exp=x.example\n" + text + "\n");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, string("fail"), check.run());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, string(), check.outcome.explanation);
        }
        Check foreign("d.example TXT v=spf1 -all exp=x.example\nx.example TXT hello %{h}\n");
        foreign.run("192.0.2.1", "bob@d.example", "evil\r\n250 ok");
        CPPUNIT_ASSERT_EQUAL(string(), foreign.outcome.explanation);
    }

    void identities() {
        const string zone =
            "d.example TXT v=spf1 -all\nhelo.example TXT v=spf1 exists:%{l}.%{o}.l.example -all\n"
            "postmaster.helo.example.l.example A 127.0.0.1\n";
        Check null(zone);
        CPPUNIT_ASSERT_EQUAL(string("pass"), null.run("192.0.2.1", ""));
        CPPUNIT_ASSERT(null.request.is_null_sender && null.request.identity == SpfIdentity::mail_from);
        Check helo(zone);
        CPPUNIT_ASSERT_EQUAL(string("pass"), helo.run("192.0.2.1", "HELO"));
        CPPUNIT_ASSERT(helo.request.identity == SpfIdentity::helo);
        CPPUNIT_ASSERT_EQUAL(string("none"), Check(zone).run("192.0.2.1", "", "[192.0.2.1]"));
        CPPUNIT_ASSERT_EQUAL(string("none"), Check(zone).run("192.0.2.1", "", "single"));
        Check nobody("d.example TXT v=spf1 exists:%{l}.l.example -all\npostmaster.l.example A 127.0.0.1\n");
        CPPUNIT_ASSERT_EQUAL(string("pass"), nobody.run("192.0.2.1", "@d.example"));
    }

    void local_parts_beyond_ascii_match_nothing() {
        const string sender =
            "b\xc3\xb6"
            "b@d.example";
        CPPUNIT_ASSERT_EQUAL(string("softfail"),
                             Check("d.example TXT v=spf1 exists:%{l}.x.example ~all\n*.x.example A 127.0.0.1\n")
                                 .run("192.0.2.1", sender));
        CPPUNIT_ASSERT_EQUAL(string("pass"),
                             Check("d.example TXT v=spf1 exists:%{d}.x.example ~all\n*.x.example A 127.0.0.1\n")
                                 .run("192.0.2.1", sender));
        Check check("d.example TXT v=spf1 -all exp=%{l}.x.example\n");
        CPPUNIT_ASSERT_EQUAL(string("fail"), check.run("192.0.2.1", sender));
    }

    void domains_beyond_ascii_are_a_labels() {
        const string zone = "xn--bcher-kva.example TXT v=spf1 exists:%{d}.x.example exists:%{h}.y.example -all\n";
        CPPUNIT_ASSERT_EQUAL(string("pass"), Check(zone + "xn--bcher-kva.example.x.example A 127.0.0.1\n")
                                                 .run("192.0.2.1",
                                                      "a@b\xc3\xbc"
                                                      "cher.example"));
        CPPUNIT_ASSERT_EQUAL(string("pass"), Check(zone + "xn--bcher-kva.example.y.example A 127.0.0.1\n")
                                                 .run("192.0.2.1",
                                                      "a@b\xc3\xbc"
                                                      "cher.example",
                                                      "B\xc3\x9c"
                                                      "CHER.example"));
    }

    void names_that_cannot_exist_match_nothing() {
        const string sender = "a..b@d.example";
        Check check("d.example TXT v=spf1 exists:%{l}.x.example a:%{l}.x.example mx:%{l}.x.example ~all\n");
        CPPUNIT_ASSERT_EQUAL(string("softfail"), check.run("192.0.2.1", sender));
        CPPUNIT_ASSERT_EQUAL(0U, check.outcome.voids);
        CPPUNIT_ASSERT_EQUAL(string("permerror"),
                             Check("d.example TXT v=spf1 include:%{l}.x.example ~all\n").run("192.0.2.1", sender));
    }

    void the_domains_own_names_are_asked_ahead() {
        Check check(
            "d.example TXT v=spf1 a:a.d.example a:b.d.example include:i.d.example -all\na.d.example A 192.0.2.7\n"
            "b.d.example A 192.0.2.8\ni.d.example TXT v=spf1 ip4:192.0.2.1\n");
        CPPUNIT_ASSERT_EQUAL(string("pass"), check.run());
        CPPUNIT_ASSERT_EQUAL(2, check.lookups.rounds());
    }

    void nobody_waits_for_another_domain_before_it_matters() {
        Check check("d.example TXT v=spf1 a include:other.example redirect=third.example\nd.example A 192.0.2.1\n");
        CPPUNIT_ASSERT_EQUAL(string("pass"), check.run());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, check.lookups.asked().size());
    }

    void include_bombs_end_at_the_limit() {
        string zone = "d.example TXT v=spf1";
        for (int i = 0; i < 20; ++i) zone += " include:i" + std::to_string(i) + ".example";
        zone += " -all\n";
        for (int i = 0; i < 20; ++i) {
            zone += "i" + std::to_string(i) + ".example TXT v=spf1";
            for (int j = 0; j < 20; ++j) zone += " include:i" + std::to_string(j) + ".example";
            zone += "\n";
        }
        Check check(zone);
        CPPUNIT_ASSERT_EQUAL(string("permerror"), check.run());
        CPPUNIT_ASSERT(check.lookups.asked().size() <= 11 && check.outcome.lookups == 10);
    }

    void a_field_received_spf_is_written() {
        Check check("d.example TXT v=spf1 ip4:192.0.2.1 -all\n");
        check.run();
        CPPUNIT_ASSERT_EQUAL(
            string("pass (us.example: domain of bob@d.example designates 192.0.2.1 as permitted sender)\n"
                   "\tclient-ip=192.0.2.1;\n\thelo=helo.example;\n\tenvelope-from=\"bob@d.example\";\n"
                   "\tidentity=mailfrom;\n\treceiver=us.example;\n\tmechanism=\"ip4:192.0.2.1\""),
            received_spf(check.request, check.outcome, "us.example"));
        Check wrong("helo.example TXT v=spf1 oops\n");
        wrong.run("2001:db8::1", "HELO");
        CPPUNIT_ASSERT_EQUAL(string("permerror (the record of helo.example is wrong)\n\tclient-ip=\"2001:db8::1\";\n"
                                    "\thelo=helo.example;\n\tidentity=helo;\n"
                                    "\tproblem=\"helo.example: \\\"oops\\\": there is no such mechanism\""),
                             received_spf(wrong.request, wrong.outcome, ""));
        Check null("");
        null.run("192.0.2.1", "");
        CPPUNIT_ASSERT(received_spf(null.request, null.outcome, "").find("envelope-from=\"<>\";") != string::npos);
    }

    void foreign_text_does_no_harm_in_fields() {
        Check check("");
        check.run("192.0.2.1", "a)\r\nX: \"\\(b@d.example", "h;\n\"x\xff" + string(2000, 'y'));
        const string field = received_spf(check.request, check.outcome, "us.example");
        for (std::size_t at = field.find('\n'); at != string::npos; at = field.find('\n', at + 1))
            CPPUNIT_ASSERT_EQUAL('\t', field.at(at + 1));
        CPPUNIT_ASSERT_EQUAL(string::npos, field.find('\r'));
        CPPUNIT_ASSERT(field.find("domain of a\\)??X: \"\\\\\\(b@d.example") != string::npos);
        CPPUNIT_ASSERT(field.find("helo=\"h;?\\\"x?yyy") != string::npos);
        CPPUNIT_ASSERT(field.size() < 2000);
    }

    void an_authentication_result_is_made() {
        Check check("d.example TXT v=spf1 ip4:192.0.2.1 -all\nhelo.example TXT v=spf1 oops\n");
        check.run();
        CPPUNIT_ASSERT_EQUAL(string("spf=pass smtp.mailfrom=d.example"),
                             spf_authentication_result(check.request, check.outcome).to_string());
        check.run("192.0.2.1", "HELO");
        CPPUNIT_ASSERT_EQUAL(string("spf=permerror reason=\"helo.example: \\\"oops\\\": there is no such mechanism\" "
                                    "smtp.helo=helo.example"),
                             spf_authentication_result(check.request, check.outcome).to_string());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SpfTest);

}  // namespace
}  // namespace smtpd::mailauth
