/// history_test.cc: the history of a session: what it keeps, what it drops when it is full, and how it prints entries;
/// and how a session uses it.
#include "engine/server_access.h"
#include "fakes/session_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace {

using namespace smtpd;
using std::string;
using Kind = HistoryEntry::Kind;

HistoryEntry entry(Kind kind, string text) {
    HistoryEntry entry;
    entry.kind = kind;
    entry.hook = HookId::rcpt;
    entry.plugin = "badrcptto:main";
    entry.text = std::move(text);
    return entry;
}

HistoryEntry finding(Outcome outcome, string reason) {
    HistoryEntry finding = entry(Kind::finding, std::move(reason));
    finding.outcome = outcome;
    return finding;
}

/// "a b c": the texts.
string texts(const History& history) {
    string out;
    for (const auto& entry : history.entries()) out += (out.empty() ? "" : " ") + entry.text;
    return out;
}

}  // namespace

class HistoryTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HistoryTest);
    CPPUNIT_TEST(entries_are_shown_with_what_came_of_them);
    CPPUNIT_TEST(times_are_shown_as_far_as_there_are_any);
    CPPUNIT_TEST(an_open_entry_is_closed_once);
    CPPUNIT_TEST(a_full_history_drops_former_transactions_first);
    CPPUNIT_TEST(without_former_transactions_the_present_one_loses_its_oldest);
    CPPUNIT_TEST(outside_transactions_the_oldest_go);
    CPPUNIT_TEST(a_long_text_is_cut);
    CPPUNIT_TEST(a_refusal_is_remembered_when_its_entry_is_gone);
    CPPUNIT_TEST(a_session_keeps_its_refusals);
    CPPUNIT_TEST(a_session_knows_which_transaction_it_was);
    CPPUNIT_TEST(a_refusal_names_the_plugin_and_its_reason);
    CPPUNIT_TEST(a_deferred_refusal_names_the_complainer);
    CPPUNIT_TEST(a_refused_message_names_the_plugin);
    CPPUNIT_TEST(a_session_that_refused_something_tells_its_history);
    CPPUNIT_TEST(a_session_that_refused_nothing_tells_nothing);
    CPPUNIT_TEST(history_costs_nothing_where_nobody_says_anything);
    CPPUNIT_TEST_SUITE_END();

public:
    void entries_are_shown_with_what_came_of_them() {
        auto refused = finding(Outcome::fail, "bad@example.com is listed");
        refused.verdict = Verdict::deny;
        refused.enhanced = {5, 7, 1};
        refused.reply = "gone";
        refused.karma = -1;
        auto deferred = finding(Outcome::fail, "listed");
        deferred.is_deferred = true;
        auto tolerated = finding(Outcome::fail, "listed");
        tolerated.is_tolerated = true;
        auto passed = finding(Outcome::pass, "");
        passed.karma = 2;
        auto response = entry(Kind::response, "try \"later\"\n");
        response.verdict = Verdict::denysoft;
        response.code = 451;
        auto reply = entry(Kind::reply, "no such user");
        reply.code = 550;
        reply.enhanced = {5, 1, 1};
        const struct {
            HistoryEntry entry;
            const char* shown;
            bool is_failure;
        } rows[] = {
            {passed, "(rcpt) badrcptto:main: pass, karma +2", false},
            {finding(Outcome::skip, "no sender"), "(rcpt) badrcptto:main: skip: no sender", false},
            {finding(Outcome::error, "time-out"), "(rcpt) badrcptto:main: error: time-out", false},
            {refused, "(rcpt) badrcptto:main: fail: bad@example.com is listed -> deny 5.7.1 \"gone\", karma -1", true},
            {deferred, "(rcpt) badrcptto:main: fail, deferred: listed", true},
            {tolerated, "(rcpt) badrcptto:main: fail, tolerated: listed", true},
            {entry(Kind::exemption, "relay client"), "(rcpt) badrcptto:main: not asked: relay client", false},
            {response, "(rcpt) badrcptto:main: denysoft 451 \"try \\\"later\\\"\\x0a\"", true},
            {entry(Kind::fault, "plugin fault: oops"), "(rcpt) badrcptto:main: plugin fault: oops", false},
            {reply, "replied 550 5.1.1 \"no such user\"", false},
        };
        for (const auto& row : rows) {
            const string shown = row.entry.to_string();
            CPPUNIT_ASSERT_EQUAL(string(row.shown), shown);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(shown, row.is_failure, row.entry.is_failure());
            CPPUNIT_ASSERT_MESSAGE(shown, shown.find('\n') == string::npos);
        }
    }

    void times_are_shown_as_far_as_there_are_any() {
        HistoryEntry entry;
        CPPUNIT_ASSERT_EQUAL(string("at 0.000 s"), entry.times());
        entry.at = std::chrono::microseconds(1'204'300);
        entry.took = std::chrono::microseconds(230);
        CPPUNIT_ASSERT_EQUAL(string("at 1.204 s, took 0.2 ms"), entry.times());
        entry.took = std::chrono::milliseconds(30);
        entry.parked = Duration(1200);
        CPPUNIT_ASSERT_EQUAL(string("at 1.204 s, took 30 ms, after 1200 ms of waiting"), entry.times());
    }

    void an_open_entry_is_closed_once() {
        History history;
        CPPUNIT_ASSERT(ServerAccess::close(history) == nullptr);
        ServerAccess::open(history, finding(Outcome::pass, "a"));
        CPPUNIT_ASSERT(ServerAccess::is_open(history));
        CPPUNIT_ASSERT_EQUAL(string("a"), ServerAccess::close(history)->text);
        CPPUNIT_ASSERT(!ServerAccess::is_open(history));
        CPPUNIT_ASSERT(ServerAccess::close(history) == nullptr);
        ServerAccess::open(history, finding(Outcome::pass, "b"));
        ServerAccess::add(history, entry(Kind::fault, "c"));
        CPPUNIT_ASSERT_MESSAGE("what comes between closes it", ServerAccess::close(history) == nullptr);
    }

    void a_full_history_drops_former_transactions_first() {
        History history;
        ServerAccess::add(history, entry(Kind::response, "connect"));
        for (std::uint32_t transaction = 1; transaction <= 2; ++transaction) {
            ServerAccess::set_transaction(history, transaction);
            for (unsigned i = 0; i < 40; ++i)
                ServerAccess::add(history, entry(Kind::response, format_text("{}.{}", transaction, i)));
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t(49), history.entries().size());  // 16 went when it was full, 16 more later
        CPPUNIT_ASSERT_EQUAL(32u, static_cast<unsigned>(history.dropped()));
        CPPUNIT_ASSERT_EQUAL(81u, static_cast<unsigned>(history.total()));
        CPPUNIT_ASSERT_EQUAL(string("connect"), history.entries()[0].text);
        CPPUNIT_ASSERT_EQUAL(string("1.32"), history.entries()[1].text);
        CPPUNIT_ASSERT_EQUAL(string("2.39"), history.entries().back().text);
    }

    void without_former_transactions_the_present_one_loses_its_oldest() {
        History history;
        ServerAccess::add(history, entry(Kind::response, "connect"));
        ServerAccess::set_transaction(history, 7);
        for (unsigned i = 0; i < 100; ++i) ServerAccess::add(history, entry(Kind::response, format_text("{}", i)));
        CPPUNIT_ASSERT_EQUAL(string("connect"), history.entries()[0].text);
        CPPUNIT_ASSERT_EQUAL(string("37"), history.entries()[1].text);
        CPPUNIT_ASSERT_EQUAL(7u, static_cast<unsigned>(history.entries()[1].transaction));
    }

    void outside_transactions_the_oldest_go() {
        History history;
        for (unsigned i = 0; i < 65; ++i) ServerAccess::add(history, entry(Kind::response, format_text("{}", i)));
        CPPUNIT_ASSERT_EQUAL(string("1"), history.entries()[0].text);
        CPPUNIT_ASSERT_EQUAL(string("64"), history.entries().back().text);
    }

    void a_long_text_is_cut() {
        History history;
        ServerAccess::add(history, finding(Outcome::fail, string(100'000, 'x')));
        CPPUNIT_ASSERT_EQUAL(HistoryEntry::max_text, history.entries()[0].text.size());
        CPPUNIT_ASSERT(history.entries()[0].text.capacity() < 2 * HistoryEntry::max_text);
    }

    void a_refusal_is_remembered_when_its_entry_is_gone() {
        History history;
        ServerAccess::add(history, entry(Kind::response, "a"));
        CPPUNIT_ASSERT(!history.has_refusal());
        ServerAccess::add(history, entry(Kind::reply, "b"));
        for (unsigned i = 0; i < 100; ++i) ServerAccess::add(history, entry(Kind::response, "c"));
        CPPUNIT_ASSERT(history.has_refusal());
        CPPUNIT_ASSERT(texts(history).find('b') == string::npos);
    }

    // --- in a session

    void a_session_keeps_its_refusals() {
        client_.greet();
        client_.say("MAIL FROM:<a@b>");
        client_.clock.advance(Duration(1500));
        client_.say("RCPT TO:<>");
        client_.say("VRFY x");
        const auto& entries = client_.session().history().entries();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), entries.size());
        CPPUNIT_ASSERT_EQUAL(501, entries[0].code);
        CPPUNIT_ASSERT_EQUAL(3u, static_cast<unsigned>(entries[0].command));
        CPPUNIT_ASSERT_EQUAL(string("at 1.500 s"), entries[0].times());
    }

    void a_session_knows_which_transaction_it_was() {
        client_.greet();
        client_.say("RCPT TO:<a@b>");
        for (int i = 0; i < 2; ++i) {
            client_.say("MAIL FROM:<a@b>");
            client_.say("RCPT TO:<>");
            client_.say("RSET");
        }
        client_.say("RCPT TO:<a@b>");
        string transactions;
        for (const auto& entry : client_.session().history().entries())
            transactions += format_text("{} ", entry.transaction);
        CPPUNIT_ASSERT_EQUAL(string("0 1 2 0 "), transactions);
    }

    void a_refusal_names_the_plugin_and_its_reason() {
        client_.log.set_level(LogLevel::info);
        at(HookId::rcpt, refusing(finding(Outcome::fail, "c@d is \x01 listed")), deny("gone"));
        client_.greet();
        client_.say("MAIL FROM:<a@b>");
        client_.say("RCPT TO:<c@d>");
        contains("rcpt refused from=<a@b> to=<c@d> by=badrcptto:main why=\"c@d is " + quoted("\x01") +
                 " listed\" reply=\"550 gone\"");
    }

    void a_deferred_refusal_names_the_complainer() {
        client_.log.set_level(LogLevel::info);
        client_.hooks.on(HookId::connect, [](HookContext& context) {
            auto complaint = finding(Outcome::fail, "192.0.2.1 is listed");
            complaint.is_deferred = true;
            complaint.plugin = "dnsbl";
            complaint.reply = "you are listed";
            ServerAccess::add(ServerAccess::history(fakes::connection_of(context)), complaint);
            return declined();
        });
        auto execution = entry(Kind::response, "you are listed\nand more");
        execution.plugin = "naughty";
        at(HookId::rcpt, refusing(execution), deny("you are listed"));
        client_.greet();
        client_.say("MAIL FROM:<a@b>");
        client_.say("RCPT TO:<c@d>");
        contains("to=<c@d> by=naughty for=dnsbl why=\"192.0.2.1 is listed\" reply=");
    }

    void a_refused_message_names_the_plugin() {
        client_.log.set_level(LogLevel::info);
        client_.hooks.accept_mail();
        at(HookId::data_post, refusing(finding(Outcome::fail, "no Date")), deny("where is the date?"));
        client_.begin_data();
        client_.say("x: y\r\n\r\n.");
        contains("by=badrcptto:main why=\"no Date\" reply=\"552 where is the date?");
    }

    void a_session_that_refused_something_tells_its_history() {
        client_.log.set_level(LogLevel::debug);
        at(HookId::rcpt, refusing(finding(Outcome::fail, "listed")), deny("gone"));
        client_.greet();
        client_.say("MAIL FROM:<a@b>");
        client_.clock.advance(Duration(2));
        client_.say("RCPT TO:<c@d>");
        CPPUNIT_ASSERT_MESSAGE("not before the end", !client_.log.contains("history:"));
        client_.say("QUIT");
        string told;
        for (const auto& line : client_.log.lines())
            if (line.text.starts_with("history: ")) told += line.transaction + " " + line.text + "\n";
        CPPUNIT_ASSERT_EQUAL(string("session-1 history: (rcpt) badrcptto:main: fail: listed -> deny; at 0.000 s\n"
                                    "session-1 history: replied 550 5.7.1 \"gone\"; at 0.002 s\n"),
                             told);
    }

    void a_session_that_refused_nothing_tells_nothing() {
        client_.log.set_level(LogLevel::debug);
        client_.hooks.accept_mail();
        at(HookId::mail, finding(Outcome::pass, "fine"), declined());
        client_.begin_transaction();
        client_.say("QUIT");
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.session().history().entries().size());
        CPPUNIT_ASSERT(!client_.log.contains("history:"));
    }

    void history_costs_nothing_where_nobody_says_anything() {
        client_.hooks.accept_mail();
        client_.begin_data();
        client_.say("x: y\r\n\r\n.");
        client_.say("QUIT");
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.session().history().entries().capacity());
    }

private:
    static HistoryEntry refusing(HistoryEntry entry) {
        entry.verdict = Verdict::deny;
        return entry;
    }
    /// A plugin, and the host's record of its answer.
    void at(HookId hook, HistoryEntry entry, Response response) {
        client_.hooks.on(hook, [entry, response](HookContext& context) {
            ServerAccess::add(ServerAccess::history(fakes::connection_of(context)), entry);
            return response;
        });
    }
    void contains(const string& text) {
        CPPUNIT_ASSERT_MESSAGE(text + "\nin\n" + client_.log.to_string(),
                               client_.log.to_string().find(text) != string::npos);
    }

    fakes::SessionUnderTest client_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(HistoryTest);
