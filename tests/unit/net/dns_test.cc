/// dns_test.cc: names, questions and answers in the plugin API.
#include <smtpd/dns/dns.h>
#include <smtpd/waiting.h>

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd {
namespace {

using std::string;

class DnsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DnsTest);
    CPPUNIT_TEST(names_are_taken_or_refused);
    CPPUNIT_TEST(the_name_of_a_question_is_in_lower_case_without_final_dot);
    CPPUNIT_TEST(addresses_have_names);
    CPPUNIT_TEST(an_answer_is_found_or_absent_or_failed);
    CPPUNIT_TEST(every_answer_has_words_for_the_log);
    CPPUNIT_TEST(answers_are_found_under_any_spelling_of_the_name);
    CPPUNIT_TEST(what_was_not_asked_has_failed);
    CPPUNIT_TEST(a_bad_name_is_told_apart_without_being_asked);
    CPPUNIT_TEST(addresses_are_those_of_both_families);
    CPPUNIT_TEST(addresses_are_asked_for_in_both_families);
    CPPUNIT_TEST(a_copy_of_an_answer_outlives_the_stage);
    CPPUNIT_TEST(types_and_statuses_have_names);
    CPPUNIT_TEST_SUITE_END();

public:
    void names_are_taken_or_refused() {
        const string label(63, 'a');
        const string longest = label + "." + label + "." + label + "." + string(61, 'a');
        const struct {
            const char* what;
            string name;
            bool is_good;
        } rows[] = {
            {"a host", "www.example.com", true},
            {"final dot", "example.com.", true},
            {"one label", "localhost", true},
            {"digits", "1.2.0.192.bl.example", true},
            {"underscore", "_dmarc.example", true},
            {"signs", "a+b=c/d.example", true},
            {"label of 63", label + ".example", true},
            {"label of 64", label + "a.example", false},
            {"253 octets", longest, true},
            {"253 octets and a dot", longest + ".", true},
            {"254 octets", longest + "a", false},
            {"nothing", "", false},
            {"the root", ".", false},
            {"a dot first", ".example", false},
            {"two dots", "a..example", false},
            {"two dots last", "example..", false},
            {"blank", "a b.example", true},
            {"tab", "a\tb.example", false},
            {"NUL", string("a\0b", 3), false},
            {"backslash", "a\\b.example", false},
            {"DEL", "a\x7f.example", false},
            {"a U-label", "b\xc3\xbc.example", true},
            {"beyond ASCII, and no U-label", "b\xe2\x9d\xa4.example", false},
            {"beyond ASCII, and no UTF-8", "b\xfc.example", false},
            {"a U-label whose A-label has more than 63 octets",
             string(30, 'a') + "\xc3\xbc" + string(30, 'b') + ".example", false},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.what, row.is_good, DnsQuestion::make(DnsType::a, row.name).has_value());
    }

    void the_name_of_a_question_is_in_lower_case_without_final_dot() {
        CPPUNIT_ASSERT_EQUAL(string("www.example.com MX"),
                             DnsQuestion::make(DnsType::mx, "WWW.Example.COM.")->to_string());
        for (const char* name : {"bücher.example", "BÜCHER.example.", "XN--Bcher-KVA.example",
                                 "bu\xcc\x88"
                                 "cher.example"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, string("xn--bcher-kva.example A"),
                                         DnsQuestion::make(DnsType::a, name)->to_string());
    }

    void addresses_have_names() {
        const auto name = [](const char* address) { return reverse_dns_name(*IpAddress::parse(address)); };
        CPPUNIT_ASSERT_EQUAL(string("1.2.0.192.in-addr.arpa"), name("192.0.2.1"));
        CPPUNIT_ASSERT_EQUAL(string("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"),
                             name("2001:db8::1"));
        CPPUNIT_ASSERT_EQUAL(string("1.2.0.192.in-addr.arpa"), name("::ffff:192.0.2.1"));
        CPPUNIT_ASSERT_EQUAL(string(), reverse_dns_name(IpAddress()));
    }

    void an_answer_is_found_or_absent_or_failed() {
        const struct {
            DnsStatus status;
            bool found, is_absent, failed;
        } rows[] = {
            {DnsStatus::not_asked, false, false, true}, {DnsStatus::found, true, false, false},
            {DnsStatus::no_data, false, true, false},   {DnsStatus::no_such_name, false, true, false},
            {DnsStatus::bad_name, false, true, false},  {DnsStatus::server_failure, false, false, true},
            {DnsStatus::timed_out, false, false, true},
        };
        for (const auto& row : rows) {
            const string name(dns_status_name(row.status));
            const DnsAnswer answer(row.status);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, row.found, answer.found());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, row.is_absent, answer.is_absent());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, row.failed, answer.failed());
            CPPUNIT_ASSERT_MESSAGE(name, !answer.error().empty());
            CPPUNIT_ASSERT_MESSAGE(name, answer.addresses().empty() && answer.names().empty() &&
                                             answer.texts().empty() && answer.exchangers().empty());
        }
    }

    void every_answer_has_words_for_the_log() {
        auto records = std::make_shared<DnsRecords>();
        records->addresses = {*IpAddress::parse("192.0.2.1"), *IpAddress::parse("2001:db8::1")};
        records->names = {"a.example"};
        records->exchangers = {{5, "mx.example"}, {0, ""}};
        records->texts = {"v=spf1\n\"-all\""};
        CPPUNIT_ASSERT_EQUAL(
            string("found 192.0.2.1 2001:db8::1 a.example 5 mx.example 0 . \"v=spf1\\x0a\\\"-all\\\"\""),
            DnsAnswer(DnsStatus::found, {}, records).to_string());
        CPPUNIT_ASSERT_EQUAL(string("no_such_name"), DnsAnswer(DnsStatus::no_such_name).to_string());
        CPPUNIT_ASSERT_EQUAL(string("timed_out (no answer in time)"), DnsAnswer(DnsStatus::timed_out).to_string());
        CPPUNIT_ASSERT_EQUAL(string("server_failure (why)"),
                             DnsAnswer::failure(DnsStatus::server_failure, "why").to_string());
    }

    void answers_are_found_under_any_spelling_of_the_name() {
        const Answers answers = some_answers();
        for (const char* spelling : {"www.example", "WWW.example.", "www.EXAMPLE"})
            CPPUNIT_ASSERT(answers.a(spelling).found());
        DnsAnswers of_u_label;
        of_u_label.add(*DnsQuestion::make(DnsType::a, "bücher.example"), DnsAnswer(DnsStatus::found));
        for (const char* spelling : {"bücher.example", "Bücher.Example.", "xn--bcher-kva.example"})
            CPPUNIT_ASSERT_MESSAGE(spelling, of_u_label.find(DnsType::a, spelling).found());
        CPPUNIT_ASSERT(of_u_label.find(DnsType::a, "b❤.example").status() == DnsStatus::bad_name);
        CPPUNIT_ASSERT_EQUAL(string("192.0.2.1"), answers.a("www.example").addresses().at(0).to_string());
        CPPUNIT_ASSERT(answers.ptr(*IpAddress::parse("192.0.2.1")).status() == DnsStatus::no_such_name);
    }

    void what_was_not_asked_has_failed() {
        const Answers answers = some_answers();
        for (const DnsAnswer* answer :
             {&answers.aaaa("www.example"), &answers.a("www.example.org"), &answers.mx("www.example"),
              &answers.txt("x"), &answers.cname("x"), &answers.ns("x"), &answers.ptr(*IpAddress::parse("192.0.2.2"))}) {
            CPPUNIT_ASSERT(answer->status() == DnsStatus::not_asked);
            CPPUNIT_ASSERT(answer->failed());
        }
        CPPUNIT_ASSERT(Answers().a("www.example").status() == DnsStatus::not_asked);
    }

    void a_bad_name_is_told_apart_without_being_asked() {
        CPPUNIT_ASSERT(Answers().a("a..b").status() == DnsStatus::bad_name);
        CPPUNIT_ASSERT(some_answers().mx("").status() == DnsStatus::bad_name);
        CPPUNIT_ASSERT(Answers().ptr(IpAddress()).status() == DnsStatus::bad_name);
    }

    /// "192.0.2.1 2001:db8::1 failed: no answer in time"
    static string shown(const HostAddresses& addresses) {
        string text;
        for (const auto& address : addresses.all()) text += address.to_string() + " ";
        const char* const kind = addresses.failed() ? "failed" : addresses.is_absent() ? "absent" : "found";
        return text + kind + ": " + string(addresses.error());
    }
    static DnsAnswer address_record(const char* address) {
        auto records = std::make_shared<DnsRecords>();
        records->addresses = {*IpAddress::parse(address)};
        return DnsAnswer(DnsStatus::found, std::chrono::seconds(60), records);
    }

    void addresses_are_those_of_both_families() {
        const DnsAnswer v4 = address_record("192.0.2.1"), v6 = address_record("2001:db8::1"), none(DnsStatus::no_data),
                        unknown(DnsStatus::no_such_name), late(DnsStatus::timed_out),
                        refused = DnsAnswer::failure(DnsStatus::server_failure, "REFUSED");
        const std::tuple<DnsAnswer, DnsAnswer, const char*> rows[] = {
            {v4, v6, "192.0.2.1 2001:db8::1 found: found"},
            {v4, none, "192.0.2.1 found: found"},
            {none, v6, "2001:db8::1 found: no such record"},
            {v4, late, "192.0.2.1 failed: no answer in time"},
            {late, v6, "2001:db8::1 failed: no answer in time"},
            {late, refused, "failed: no answer in time"},
            {none, refused, "failed: REFUSED"},
            {unknown, unknown, "absent: no such name"},
            {none, none, "absent: no such record"},
            {DnsAnswer(), DnsAnswer(), "failed: not asked"},
        };
        for (const auto& [a, aaaa, expected] : rows)
            CPPUNIT_ASSERT_EQUAL(string(expected), shown(HostAddresses(a, aaaa)));
        auto answers = std::make_shared<DnsAnswers>();
        answers->add(*DnsQuestion::make(DnsType::a, "mail.example"), v4);
        answers->add(*DnsQuestion::make(DnsType::aaaa, "mail.example"), v6);
        const Answers all(false, Duration(0), answers);
        CPPUNIT_ASSERT_EQUAL(string("192.0.2.1 2001:db8::1 found: found"), shown(all.addresses("Mail.example.")));
        CPPUNIT_ASSERT_EQUAL(string("2001:db8::9 found: found"), shown(all.addresses("2001:db8::9")));
        CPPUNIT_ASSERT_EQUAL(string("failed: not asked"), shown(all.addresses("other.example")));
        CPPUNIT_ASSERT_EQUAL(string("absent: not a valid name"), shown(all.addresses("a..b")));
    }

    void addresses_are_asked_for_in_both_families() {
        /// Knows the answers to all questions after the first.
        class Asked final : public Questions {
        public:
            std::vector<string> names;

        private:
            void delay(Duration) override {}
            void silence(Duration) override {}
            void timeout(Duration) override {}
            const smtpd::detail::TaskResult* find_task(std::string_view) const noexcept override { return nullptr; }
            void start_task(std::string_view, smtpd::detail::TaskWork) override {}
            const DnsAnswer& dns(DnsType type, std::string_view name) override {
                names.push_back(DnsQuestion::make(type, name)->to_string());
                known_ = names.size() == 1 ? address_record("192.0.2.1") : DnsAnswer(DnsStatus::no_data);
                return known_;
            }
            DnsAnswer known_;
        } questions;
        CPPUNIT_ASSERT_EQUAL(string("192.0.2.1 found: found"), shown(questions.addresses("mail.example")));
        CPPUNIT_ASSERT_EQUAL(string("192.0.2.9 found: found"), shown(questions.addresses("192.0.2.9")));
        CPPUNIT_ASSERT(questions.names == (std::vector<string>{"mail.example A", "mail.example AAAA"}));
    }

    void a_copy_of_an_answer_outlives_the_stage() {
        const DnsAnswer copy = some_answers().a("www.example");
        CPPUNIT_ASSERT_EQUAL(string("192.0.2.1"), copy.addresses().at(0).to_string());
    }

    void types_and_statuses_have_names() {
        CPPUNIT_ASSERT_EQUAL(string("AAAA"), string(dns_type_name(DnsType::aaaa)));
        CPPUNIT_ASSERT_EQUAL(string("unknown"), string(dns_type_name(static_cast<DnsType>(99))));
        CPPUNIT_ASSERT_EQUAL(string("no_such_name"), string(dns_status_name(DnsStatus::no_such_name)));
        CPPUNIT_ASSERT_EQUAL(string("unknown"), string(dns_status_name(static_cast<DnsStatus>(99))));
    }

private:
    static Answers some_answers() {
        auto records = std::make_shared<DnsRecords>();
        records->addresses = {*IpAddress::parse("192.0.2.1")};
        auto dns = std::make_shared<DnsAnswers>();
        dns->add(*DnsQuestion::make(DnsType::a, "www.example"),
                 DnsAnswer(DnsStatus::found, std::chrono::seconds(60), records));
        dns->add(*DnsQuestion::make(DnsType::ptr, "1.2.0.192.in-addr.arpa"), DnsAnswer(DnsStatus::no_such_name));
        return Answers(false, Duration(0), dns);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DnsTest);

}  // namespace
}  // namespace smtpd
