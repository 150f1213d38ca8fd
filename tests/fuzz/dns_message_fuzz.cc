/// dns_message_fuzz.cc: replies of name servers.
///
/// Invariants: every answer is one of the three kinds. Only a found answer has records; they have the requested type,
/// and are not more than allowed. Names are printable and have no final dot. Printed text is printable. The same octets
/// give the same answer, even after the case of the question's letters is restored.
///
/// The first octet of the input chooses the type. If the second is odd, the target puts the header and the question of
/// a valid reply before the rest.
#include "fakes/dns_packet.h"
#include "net/dns_message.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace smtpd;

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

void check_name(const std::string& name) {
    require(is_printable(name) && name.find(' ') == std::string::npos, "names are printable");
    require(name.size() <= 4 * 253, "names have their size");
    require(name.empty() || name.front() != '.', "no name begins with a dot");
}

void check(const DnsAnswer& answer, DnsType type) {
    require(answer.found() + answer.is_absent() + answer.failed() == 1, "an answer is one of three");
    const bool has[] = {!answer.addresses().empty(), !answer.names().empty(), !answer.texts().empty(),
                        !answer.exchangers().empty()};
    require(std::count(std::begin(has), std::end(has), true) == (answer.found() ? 1 : 0),
            "only what was found has records, of one kind");
    require(!has[0] || type == DnsType::a || type == DnsType::aaaa, "addresses were asked for");
    require(!has[1] || type == DnsType::ptr || type == DnsType::ns || type == DnsType::cname, "names were asked for");
    require(has[2] == (answer.found() && type == DnsType::txt) && has[3] == (answer.found() && type == DnsType::mx),
            "texts, exchangers were asked for");
    require(
        answer.addresses().size() + answer.names().size() + answer.texts().size() + answer.exchangers().size() <= 1000,
        "records are bounded");
    for (const auto& name : answer.names()) check_name(name);
    for (const auto& exchanger : answer.exchangers()) check_name(exchanger.name);
    require(std::is_sorted(answer.exchangers().begin(), answer.exchangers().end(),
                           [](const DnsExchanger& a, const DnsExchanger& b) { return a.preference < b.preference; }),
            "exchangers are sorted");
    require(answer.ttl().count() >= 0, "no time to live is negative");
    require(answer.failed() == !answer.records().error.empty(), "what failed says why");
    require(is_printable(answer.to_string()), "what is logged is printable");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr DnsType types[] = {DnsType::a,   DnsType::aaaa, DnsType::mx,   DnsType::txt,
                                 DnsType::ptr, DnsType::ns,   DnsType::cname};
    if (size < 2 || size > 65535) return 0;
    const DnsQuestion question = *DnsQuestion::make(types[data[0] % std::size(types)], "www.example");
    fakes::Octets packet;
    if (data[1] % 2 != 0)
        packet = fakes::DnsPacket(question.name, question.type).claim_answers(data[1] / 2 % 8).bytes();
    packet.insert(packet.end(), data + 2, data + size);
    packet.shrink_to_fit();  // so that a sanitizer sees its end
    const DnsAnswer answer = net::read_dns_reply(packet, question);
    check(answer, question.type);
    require(answer.to_string() == net::read_dns_reply(packet, question).to_string(),
            "the same octets give the same answer");
    if (net::take_back_random_case(packet, question.name))
        require(net::read_dns_reply(packet, question).to_string() == answer.to_string(),
                "case that is not random is no other answer");
    return 0;
}
