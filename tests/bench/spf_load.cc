/// spf_load.cc: how many evaluations of SPF a second one core makes with a warm DNS cache.
///
/// spf_load [--seconds S] [--zone]
///
/// 1,000 domains whose records have two includes, an `a` and an `mx`, as those of companies have; each evaluation
/// passes or fails at its end. The answers come from the server's own DNS cache. Prints JSON: evaluations, seconds of
/// CPU. With --zone it prints the records instead, for the program that is measured beside it.
#include "bench/evaluation_load.h"

#include <smtpd/mailauth/spf.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace smtpd;
using bench::domain_of;

/// "name TYPE data", one a line.
std::vector<std::string> records() {
    std::vector<std::string> out{
        "_spf.mailer.example TXT v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/25 include:_more.mailer.example ~all",
        "_more.mailer.example TXT v=spf1 ip4:192.0.2.128/25 ip6:2001:db8:1::/48 ~all",
        "_spf.news.example TXT v=spf1 ip4:198.51.100.64/26 a:out.news.example ~all", "out.news.example A 198.18.3.1"};
    for (int i = 0; i < bench::domains; ++i) {
        const std::string domain = domain_of(i);
        out.push_back(domain +
                      " TXT v=spf1 ip4:192.0.2.7 include:_spf.mailer.example include:_spf.news.example a mx -all");
        out.push_back(domain + " A 198.18.0.1");
        out.push_back(domain + " MX 10 mx." + domain);
        out.push_back("mx." + domain + " A 198.18.0.2");
    }
    return out;
}

int measure(double seconds) {
    net::ZoneResolver zone;
    for (const auto& record : records())
        if (!zone.add(record)) return 1;
    const mailauth::SpfEvaluator spf;
    const IpAddress passing = *IpAddress::parse("198.18.0.2"), failing = *IpAddress::parse("198.18.0.3");
    return bench::measure_evaluations(zone, seconds, 2, [&](int number, mailauth::Lookups& lookups) {
        const auto request = mailauth::SpfRequest::mail_from(number % 2 != 0 ? passing : failing, "mx.company.example",
                                                             "user", domain_of(number));
        return spf.evaluate(request, lookups)->result == mailauth::SpfResult::pass;
    });
}

int print_zone() {
    for (const auto& record : records()) std::printf("%s\n", record.c_str());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    double seconds = 1;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--zone") return print_zone();
        if (word == "--seconds" && i + 1 < argc) seconds = std::atof(argv[++i]);
        else return 2;
    }
    return measure(seconds);
}
