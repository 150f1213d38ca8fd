/// lookups_test.cc: the source of answers for evaluations.
#include "fakes/zone_lookups.h"

#include <smtpd/mailauth/lookups.h>

#include <cppunit/extensions/HelperMacros.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace smtpd::mailauth {
namespace {

using std::string;

class LookupsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LookupsTest);
    CPPUNIT_TEST(what_did_not_come_has_timed_out);
    CPPUNIT_TEST(the_family_of_the_client_decides);
    CPPUNIT_TEST(rounds_go_on_until_there_is_a_result);
    CPPUNIT_TEST(an_evaluation_that_can_never_end_is_a_fault);
    CPPUNIT_TEST_SUITE_END();

    void what_did_not_come_has_timed_out() {
        auto known = std::make_shared<DnsAnswers>();
        known->add(*DnsQuestion::make(DnsType::txt, "here.example"), DnsAnswer(DnsStatus::no_data));
        const Answers answers(false, {}, known);
        AnswerLookups lookups(answers);
        CPPUNIT_ASSERT(lookups.txt("here.example").status() == DnsStatus::no_data);
        CPPUNIT_ASSERT(lookups.txt("late.example").status() == DnsStatus::timed_out);
        CPPUNIT_ASSERT(lookups.txt("late.example").failed());
        CPPUNIT_ASSERT(lookups.txt("im..possible").status() == DnsStatus::bad_name);
    }

    void the_family_of_the_client_decides() {
        fakes::ZoneLookups lookups("host.example A 192.0.2.1\nhost.example AAAA 2001:db8::1\n");
        const auto address_for = [&](const char* client) {
            return lookups.run([&](Lookups& known) -> std::optional<string> {
                const auto& answer = known.addresses("host.example", *IpAddress::parse(client));
                if (!answer.found()) return std::nullopt;
                return answer.addresses().front().to_string();
            });
        };
        CPPUNIT_ASSERT_EQUAL(string("192.0.2.1"), address_for("198.51.100.7"));
        CPPUNIT_ASSERT_EQUAL(string("2001:db8::1"), address_for("2001:db8:1::7"));
    }

    void rounds_go_on_until_there_is_a_result() {
        fakes::ZoneLookups lookups("a.example TXT b.example\nb.example TXT end\nslow.example TIMEOUT\n");
        const auto end = lookups.run([](Lookups& known) -> std::optional<string> {
            const auto& slow = known.txt("slow.example");
            const auto& first = known.txt("a.example");
            if (!first.found()) return std::nullopt;
            const auto& second = known.txt(first.texts().front());
            if (!second.found()) return std::nullopt;
            return second.texts().front() + " " + string(dns_status_name(slow.status()));
        });
        CPPUNIT_ASSERT_EQUAL(string("end timed_out"), end);
        CPPUNIT_ASSERT_EQUAL(2, lookups.rounds());
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, lookups.asked().size());
    }

    void an_evaluation_that_can_never_end_is_a_fault() {
        fakes::ZoneLookups lookups("");
        CPPUNIT_ASSERT_THROW(lookups.run([](Lookups&) -> std::optional<int> { return std::nullopt; }),
                             std::logic_error);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LookupsTest);

}  // namespace
}  // namespace smtpd::mailauth
