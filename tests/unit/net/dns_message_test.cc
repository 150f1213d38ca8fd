/// dns_message_test.cc: right, wrong and hostile replies of name servers.
#include "net/dns_message.h"
#include "fakes/dns_packet.h"

#include <smtpd/base/text.h>

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::net {
namespace {

using std::string;
using namespace fakes;

constexpr unsigned type_soa = 6, type_ns = 2;
const Octets address = octets({192, 0, 2, 1});

DnsAnswer read(const DnsPacket& packet, DnsType type = DnsType::a, std::string_view name = "www.example") {
    const Octets bytes = packet.bytes();
    return read_dns_reply(bytes, *DnsQuestion::make(type, name));
}
string text(const DnsAnswer& answer) { return answer.to_string(); }
string unusable(const char* why) { return string("server_failure (the server's reply cannot be used: ") + why + ")"; }
DnsPacket reply(unsigned code = 0, unsigned flags = 0) { return DnsPacket("www.example", DnsType::a, code, flags); }

class DnsMessageTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DnsMessageTest);
    CPPUNIT_TEST(each_type_is_read);
    CPPUNIT_TEST(the_smallest_time_to_live_counts);
    CPPUNIT_TEST(exchangers_are_sorted_by_preference);
    CPPUNIT_TEST(aliases_are_followed_in_any_order);
    CPPUNIT_TEST(an_alias_can_itself_be_asked_for);
    CPPUNIT_TEST(aliases_without_end_are_a_failure);
    CPPUNIT_TEST(records_of_other_names_types_and_classes_do_not_count);
    CPPUNIT_TEST(the_question_must_be_ours);
    CPPUNIT_TEST(letter_case_does_not_matter);
    CPPUNIT_TEST(codes_become_statuses);
    CPPUNIT_TEST(a_negative_answer_holds_as_long_as_its_soa_says);
    CPPUNIT_TEST(a_referral_is_a_failure);
    CPPUNIT_TEST(a_truncated_reply_is_a_failure);
    CPPUNIT_TEST(compressed_names_are_read);
    CPPUNIT_TEST(pointers_that_do_not_lead_back_are_refused);
    CPPUNIT_TEST(names_have_their_limits);
    CPPUNIT_TEST(odd_octets_in_names_are_escaped);
    CPPUNIT_TEST(a_name_with_a_blank_can_be_asked_for);
    CPPUNIT_TEST(data_of_the_wrong_length_is_refused);
    CPPUNIT_TEST(a_reply_cut_anywhere_is_a_failure);
    CPPUNIT_TEST(counts_that_lie_are_refused);
    CPPUNIT_TEST(more_records_than_anybody_needs_are_left_out);
    CPPUNIT_TEST(random_case_changes_letters_only);
    CPPUNIT_TEST(random_case_is_taken_back_from_exactly_that_question);
    CPPUNIT_TEST(a_question_that_differs_or_is_cut_is_not_ours);
    CPPUNIT_TEST(a_question_is_written);
    CPPUNIT_TEST(a_reply_has_our_id_and_our_question);
    CPPUNIT_TEST_SUITE_END();

public:
    void a_name_with_a_blank_can_be_asked_for() {
        DnsPacket packet("a b.example", DnsType::a);
        packet.answer("a b.example", DnsType::a, 300, address);
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), text(read(packet, DnsType::a, "a b.example")));
    }

    void each_type_is_read() {
        const Octets v6 = octets({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
        const struct {
            DnsType type;
            Octets data;
            const char* expected;
        } rows[] = {
            {DnsType::a, address, "found 192.0.2.1"},
            {DnsType::aaaa, v6, "found 2001:db8::1"},
            {DnsType::mx, word(10) + wire_name("mx.example"), "found 10 mx.example"},
            {DnsType::mx, word(0) + wire_name(""), "found 0 ."},
            {DnsType::txt, string_octets("v=spf1 ") + string_octets("") + string_octets("-all"),
             "found \"v=spf1 -all\""},
            {DnsType::txt, string_octets(""), "found \"\""},
            {DnsType::ptr, wire_name("Host.Example"), "found Host.Example"},
            {DnsType::ns, wire_name("ns.example"), "found ns.example"},
            {DnsType::cname, wire_name("other.example"), "found other.example"},
        };
        for (const auto& row : rows) {
            DnsPacket packet("www.example", row.type);
            packet.answer("www.example", row.type, 60, row.data);
            CPPUNIT_ASSERT_EQUAL(string(row.expected), text(read(packet, row.type)));
        }
    }

    void the_smallest_time_to_live_counts() {
        CPPUNIT_ASSERT_EQUAL(20L, static_cast<long>(read(reply()
                                                             .answer("www.example", DnsType::a, 300, address)
                                                             .answer("www.example", DnsType::a, 20, address)
                                                             .answer("other.example", DnsType::a, 1, address))
                                                        .ttl()
                                                        .count()));
        CPPUNIT_ASSERT_EQUAL(
            7L, static_cast<long>(read(reply()
                                           .answer("www.example", DnsType::cname, 7, wire_name("a.example"))
                                           .answer("a.example", DnsType::a, 300, address))
                                      .ttl()
                                      .count()));
        CPPUNIT_ASSERT_EQUAL(
            0L, static_cast<long>(read(reply().answer("www.example", DnsType::a, 0x80000000, address)).ttl().count()));
    }

    void exchangers_are_sorted_by_preference() {
        DnsPacket packet("www.example", DnsType::mx);
        for (const auto& [preference, name] : {std::pair(20, "c"), std::pair(10, "b"), std::pair(10, "a")})
            packet.answer("www.example", DnsType::mx, 60, word(static_cast<unsigned>(preference)) + wire_name(name));
        CPPUNIT_ASSERT_EQUAL(string("found 10 b 10 a 20 c"), text(read(packet, DnsType::mx)));
    }

    void aliases_are_followed_in_any_order() {
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"),
                             text(read(reply()
                                           .answer("b.example", DnsType::a, 60, address)
                                           .answer("a.example", DnsType::cname, 60, wire_name("B.example"))
                                           .answer("www.example", DnsType::cname, 60, wire_name("a.example")))));
        CPPUNIT_ASSERT_EQUAL(string("no_data"),
                             text(read(reply().answer("www.example", DnsType::cname, 60, wire_name("a.example")))));
        CPPUNIT_ASSERT_EQUAL(string("no_such_name"),
                             text(read(reply(3).answer("www.example", DnsType::cname, 60, wire_name("a.example")))));
    }

    void an_alias_can_itself_be_asked_for() {
        DnsPacket packet("www.example", DnsType::cname);
        packet.answer("www.example", DnsType::cname, 60, wire_name("a.example"))
            .answer("a.example", DnsType::cname, 60, wire_name("b.example"));
        CPPUNIT_ASSERT_EQUAL(string("found a.example"), text(read(packet, DnsType::cname)));
    }

    void aliases_without_end_are_a_failure() {
        const string endless = unusable("its chain of aliases (CNAME) does not end");
        CPPUNIT_ASSERT_EQUAL(endless,
                             text(read(reply().answer("www.example", DnsType::cname, 60, wire_name("www.example")))));
        CPPUNIT_ASSERT_EQUAL(endless,
                             text(read(reply()
                                           .answer("www.example", DnsType::cname, 60, wire_name("a.example"))
                                           .answer("a.example", DnsType::cname, 60, wire_name("www.example")))));
        DnsPacket longest = reply();
        longest.answer("www.example", DnsType::cname, 60, wire_name("0.example"));
        for (int i = 0; i < 15; ++i)
            longest.answer(std::to_string(i) + ".example", DnsType::cname, 60,
                           wire_name(std::to_string(i + 1) + ".example"));
        longest.answer("15.example", DnsType::a, 60, address);
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), text(read(longest)));
    }

    void records_of_other_names_types_and_classes_do_not_count() {
        CPPUNIT_ASSERT_EQUAL(string("no_data"), text(read(reply().answer("evil.example", DnsType::a, 60, address))));
        CPPUNIT_ASSERT_EQUAL(string("no_data"),
                             text(read(reply().answer("www.example", DnsType::txt, 60, string_octets("x")))));
        CPPUNIT_ASSERT_EQUAL(string("no_data"), text(read(reply().answer("www.example", DnsType::a, 60, address, 3))));
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"),
                             text(read(reply()
                                           .answer("evil.example", DnsType::a, 60, octets({6, 6, 6, 6}))
                                           .answer("www.example", DnsType::a, 60, address))));
        CPPUNIT_ASSERT_EQUAL(string("no_data"), text(read(reply().authority("www.example", 1, 60, address))));
    }

    void the_question_must_be_ours() {
        const string other = unusable("it answers another question");
        CPPUNIT_ASSERT_EQUAL(
            other, text(read(DnsPacket("evil.example", DnsType::a).answer("www.example", DnsType::a, 60, address))));
        CPPUNIT_ASSERT_EQUAL(
            other, text(read(DnsPacket("www.example", DnsType::aaaa).answer("www.example", DnsType::a, 60, address))));
        for (const unsigned count : {0U, 2U})
            CPPUNIT_ASSERT_EQUAL(unusable("it does not have exactly one question"),
                                 text(read(reply().set_questions(count))));
        CPPUNIT_ASSERT_EQUAL(unusable("it is not a reply"), text(read(reply().set_flags(0x0100))));
    }

    void letter_case_does_not_matter() {
        CPPUNIT_ASSERT_EQUAL(
            string("found 192.0.2.1"),
            text(read(DnsPacket("WwW.eXample", DnsType::a).answer("wWw.exAMPLE", DnsType::a, 60, address))));
    }

    void codes_become_statuses() {
        const struct {
            unsigned code;
            const char* expected;
        } rows[] = {
            {0, "no_data"},
            {1, "server_failure (the server says FORMERR)"},
            {2, "server_failure (the server says SERVFAIL)"},
            {3, "no_such_name"},
            {4, "server_failure (the server says NOTIMP)"},
            {5, "server_failure (the server says REFUSED)"},
            {6, "server_failure (the server says code 6)"},
            {15, "server_failure (the server says code 15)"},
        };
        for (const auto& row : rows) CPPUNIT_ASSERT_EQUAL(string(row.expected), text(read(reply(row.code))));
        CPPUNIT_ASSERT_EQUAL(string("server_failure (the server says SERVFAIL)"),
                             text(read(reply(2).answer("www.example", DnsType::a, 60, address))));
    }

    void a_negative_answer_holds_as_long_as_its_soa_says() {
        const struct {
            const char* what;
            std::uint32_t ttl, minimum;
            long expected;
        } rows[] = {{"minimum", 900, 300, 300},
                    {"time to live of the SOA", 60, 300, 60},
                    {"zero", 300, 0, 0},
                    {"absurd", 300, 0xffffffff, 0}};
        for (const auto& row : rows)
            for (const unsigned code : {0U, 3U})
                CPPUNIT_ASSERT_EQUAL_MESSAGE(
                    row.what, row.expected,
                    static_cast<long>(
                        read(reply(code).authority("example", type_soa, row.ttl, soa(row.minimum))).ttl().count()));
        CPPUNIT_ASSERT_EQUAL(0L, static_cast<long>(read(reply(3)).ttl().count()));
        CPPUNIT_ASSERT_EQUAL(unusable("a record with a wrong length"),
                             text(read(reply(3).authority("example", type_soa, 60, octets({0, 0, 0, 0, 1})))));
    }

    void a_referral_is_a_failure() {
        const Octets server = wire_name("ns.example");
        CPPUNIT_ASSERT_EQUAL(string("server_failure (the server refers to other servers instead of resolving)"),
                             text(read(reply().authority("example", type_ns, 60, server))));
        CPPUNIT_ASSERT_EQUAL(string("no_data"),
                             text(read(reply(0, DnsPacket::authoritative).authority("example", type_ns, 60, server))));
        CPPUNIT_ASSERT_EQUAL(
            string("no_data"),
            text(read(reply().authority("example", type_ns, 60, server).authority("example", type_soa, 60, soa(60)))));
    }

    void a_truncated_reply_is_a_failure() {
        CPPUNIT_ASSERT_EQUAL(unusable("it is truncated, even over TCP"),
                             text(read(reply(0, DnsPacket::truncated).answer("www.example", DnsType::a, 60, address))));
    }

    void compressed_names_are_read() {
        const Octets to_question = octets({0xc0, DnsPacket::question_at});
        const Octets to_example = octets({0xc0, DnsPacket::question_at + 4});
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"),
                             text(read(reply().raw_answer(to_question, DnsType::a, 60, address))));
        DnsPacket packet("www.example", DnsType::mx);
        packet.raw_answer(to_question, DnsType::mx, 60, word(1) + octets({2, 'm', 'x'}) + to_example);
        CPPUNIT_ASSERT_EQUAL(string("found 1 mx.example"), text(read(packet, DnsType::mx)));
    }

    void pointers_that_do_not_lead_back_are_refused() {
        const std::uint8_t here = 12 + 13 + 4;  // behind the question
        const struct {
            const char* what;
            Octets owner;
        } rows[] = {
            {"to itself", octets({0xc0, here})},
            {"forward", octets({0xc0, here + 20})},
            {"beyond the end", octets({0xff, 0xff})},
            {"behind a label, to that label", octets({1, 'a', 0xc0, here})},
            {"behind a label, to itself", octets({1, 'a', 0xc0, here + 2})},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.what, unusable("a compressed name points forward"),
                                         text(read(reply().raw_answer(row.owner, DnsType::a, 60, address))));
    }

    void names_have_their_limits() {
        const string label(63, 'a');
        const string longest = label + "." + label + "." + label + "." + string(61, 'a');
        DnsPacket good("www.example", DnsType::ptr);
        good.answer("www.example", DnsType::ptr, 60, wire_name(longest));
        CPPUNIT_ASSERT_EQUAL(longest, read(good, DnsType::ptr).names().at(0));
        DnsPacket bad("www.example", DnsType::ptr);
        bad.answer("www.example", DnsType::ptr, 60, wire_name(longest + "a"));
        CPPUNIT_ASSERT_EQUAL(unusable("a name that is too long"), text(read(bad, DnsType::ptr)));
        for (const int kind : {0x40, 0x80})
            CPPUNIT_ASSERT_EQUAL(unusable("a label of an unknown kind"),
                                 text(read(reply().raw_answer(octets({kind, 'a', 0}), DnsType::a, 60, address))));
    }

    void odd_octets_in_names_are_escaped() {
        DnsPacket packet("www.example", DnsType::ptr);
        packet.answer("www.example", DnsType::ptr, 60,
                      octets({9, 'a', '.', '\\', ' ', 0, '\n', 0x7f, 0xff, '"', 2, 'd', 'e', 0}));
        const string name = read(packet, DnsType::ptr).names().at(0);
        CPPUNIT_ASSERT_EQUAL(string("a\\.\\\\\\032\\000\\010\\127\\255\".de"), name);
        CPPUNIT_ASSERT(!DnsQuestion::make(DnsType::a, name));
    }

    void data_of_the_wrong_length_is_refused() {
        const struct {
            DnsType type;
            Octets data;
        } rows[] = {
            {DnsType::a, octets({192, 0, 2})},
            {DnsType::a, octets({192, 0, 2, 1, 0})},
            {DnsType::a, {}},
            {DnsType::aaaa, address},
            {DnsType::mx, octets({0})},
            {DnsType::mx, word(1) + wire_name("mx") + octets({0})},
            {DnsType::txt, octets({5, 'a'})},
            {DnsType::ptr, octets({3, 'a', 'b'})},
        };
        for (const auto& row : rows) {
            DnsPacket packet("www.example", row.type);
            packet.answer("www.example", row.type, 60, row.data).answer("www.example", row.type, 60, address);
            CPPUNIT_ASSERT_MESSAGE(string(dns_type_name(row.type)),
                                   read(packet, row.type).status() == DnsStatus::server_failure);
        }
    }

    void a_reply_cut_anywhere_is_a_failure() {
        DnsPacket packet = reply();
        packet.answer("www.example", DnsType::cname, 60, wire_name("a.example"))
            .answer("a.example", DnsType::a, 60, address);
        const Octets whole = packet.bytes();
        for (std::size_t length = 0; length < whole.size(); ++length) {
            const Octets part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
            CPPUNIT_ASSERT_MESSAGE(std::to_string(length),
                                   read_dns_reply(part, *DnsQuestion::make(DnsType::a, "www.example")).status() ==
                                       DnsStatus::server_failure);
        }
        CPPUNIT_ASSERT(read(packet).found());
    }

    void counts_that_lie_are_refused() {
        CPPUNIT_ASSERT_EQUAL(unusable("it ends early"),
                             text(read(reply().answer("www.example", DnsType::a, 60, address).claim_answers(1))));
        CPPUNIT_ASSERT_EQUAL(unusable("it ends early"), text(read(reply().claim_answers(65535))));
    }

    void more_records_than_anybody_needs_are_left_out() {
        DnsPacket packet = reply();
        for (int i = 0; i < 2000; ++i)
            packet.raw_answer(octets({0xc0, DnsPacket::question_at}), DnsType::a, 60, address);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1000), read(packet).addresses().size());
    }
    void random_case_changes_letters_only() {
        const string name = "4.3.2.1.in-addr.arpa." + string(63, 'q') + "._x-[]{}@`^~.example";
        support::RandomSupply random;
        bool upper = false, lower = false;
        for (int i = 0; i < 50; ++i) {
            const string mixed = with_random_case(name, random);
            CPPUNIT_ASSERT(ascii_equal(name, mixed));
            CPPUNIT_ASSERT(mixed != with_random_case(name, random));
            upper = upper || mixed.back() == 'E';
            lower = lower || mixed.back() == 'e';
        }
        CPPUNIT_ASSERT(upper && lower);
    }

    void random_case_is_taken_back_from_exactly_that_question() {
        Octets bytes =
            DnsPacket("wWw.X4.eXAMPle", DnsType::a).answer("wWw.X4.eXAMPle", DnsType::a, 60, address).bytes();
        const Octets expected =
            DnsPacket("www.x4.example", DnsType::a).answer("wWw.X4.eXAMPle", DnsType::a, 60, address).bytes();
        CPPUNIT_ASSERT(take_back_random_case(bytes, "wWw.X4.eXAMPle"));
        CPPUNIT_ASSERT(bytes == expected);
    }

    void a_question_that_differs_or_is_cut_is_not_ours() {
        const Octets good = DnsPacket("wWw.eXAMPle", DnsType::a).bytes();
        for (const char* other : {"www.eXAMPle", "wWw.eXAMPlE", "wWw.eXAMPl", "wWw.eXAMPlee", "wWweXAMPle", "wWw",
                                  "eXAMPle", "wWw.eXAMPle.x"}) {
            Octets bytes = good;
            CPPUNIT_ASSERT_MESSAGE(other, !take_back_random_case(bytes, other));
            CPPUNIT_ASSERT(bytes == good);
        }
        for (std::size_t size = 0; size < 12 + wire_name("wWw.eXAMPle").size(); ++size) {
            Octets cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
            CPPUNIT_ASSERT(!take_back_random_case(cut, "wWw.eXAMPle"));
        }
        Octets none = good;
        none[5] = 0;
        CPPUNIT_ASSERT(!take_back_random_case(none, "wWw.eXAMPle"));
    }

    void a_question_is_written() {
        Octets written = octets({1, 2, 3});
        write_dns_question(written, 0x1234, "wWw.eXAMPle", DnsType::mx, 0);
        const Octets plain = wire_name("wWw.eXAMPle") + word(15) + word(1);
        CPPUNIT_ASSERT(written == octets({0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}) + plain);
        write_dns_question(written, 0x1234, "wWw.eXAMPle", DnsType::mx, 1232);
        CPPUNIT_ASSERT(written == octets({0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1}) + plain +
                                      octets({0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0}));
    }

    void a_reply_has_our_id_and_our_question() {
        const Octets good = DnsPacket("wWw.eXAMPle", DnsType::a, 0, 0, 0x1234).bytes();
        CPPUNIT_ASSERT(is_reply_to(good, 0x1234, "wWw.eXAMPle", DnsType::a));
        CPPUNIT_ASSERT(is_reply_to(good, 0x1234, "WwW.EXampLE", DnsType::a));
        CPPUNIT_ASSERT(!is_reply_to(good, 0x1235, "wWw.eXAMPle", DnsType::a));
        CPPUNIT_ASSERT(!is_reply_to(good, 0x1334, "wWw.eXAMPle", DnsType::a));
        CPPUNIT_ASSERT(!is_reply_to(good, 0x1234, "wWw.eXAMPle", DnsType::aaaa));
        for (const char* other : {"xWw.eXAMPle", "wWw.eXAMPl", "wWw.eXAMPle.x", "wWweXAMPle", "7Ww.eXAMPle"})
            CPPUNIT_ASSERT_MESSAGE(other, !is_reply_to(good, 0x1234, other, DnsType::a));
        for (std::size_t size = 0; size < good.size(); ++size)
            CPPUNIT_ASSERT(!is_reply_to(std::span(good).first(size), 0x1234, "wWw.eXAMPle", DnsType::a));
        for (const std::size_t at : {std::size_t(2), std::size_t(5), good.size() - 1}) {  // QR, number of questions,
                                                                                          // class
            Octets wrong = good;
            wrong[at] ^= at == 2 ? 0x80 : 2;
            CPPUNIT_ASSERT(!is_reply_to(wrong, 0x1234, "wWw.eXAMPle", DnsType::a));
        }
        CPPUNIT_ASSERT(!is_reply_to(DnsPacket("`", DnsType::a, 0, 0, 1).bytes(), 1, "@", DnsType::a));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DnsMessageTest);

}  // namespace
}  // namespace smtpd::net
