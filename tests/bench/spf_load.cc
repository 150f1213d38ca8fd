/// spf_load.cc: how many evaluations of SPF a second one core makes with a warm DNS cache.
///
/// spf_load [--seconds S] [--zone]
///
/// 1,000 domains whose records have two includes, an `a` and an `mx`, as those of companies have; each evaluation
/// passes or fails at its end. The answers come from the server's own DNS cache. Prints JSON: evaluations, seconds of
/// CPU. With --zone it prints the records instead, for the program that is measured beside it.
#include "net/dns_cache.h"
#include "net/zone_resolver.h"
#include "support/clock.h"

#include <smtpd/mailauth/spf.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace smtpd;

constexpr int domains = 1000;

std::string domain_of(int number) { return "company" + std::to_string(number) + ".example"; }

/// "name TYPE data", one a line.
std::vector<std::string> records() {
    std::vector<std::string> out{
        "_spf.mailer.example TXT v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/25 include:_more.mailer.example ~all",
        "_more.mailer.example TXT v=spf1 ip4:192.0.2.128/25 ip6:2001:db8:1::/48 ~all",
        "_spf.news.example TXT v=spf1 ip4:198.51.100.64/26 a:out.news.example ~all", "out.news.example A 198.18.3.1"};
    for (int i = 0; i < domains; ++i) {
        const std::string domain = domain_of(i);
        out.push_back(domain +
                      " TXT v=spf1 ip4:192.0.2.7 include:_spf.mailer.example include:_spf.news.example a mx -all");
        out.push_back(domain + " A 198.18.0.1");
        out.push_back(domain + " MX 10 mx." + domain);
        out.push_back("mx." + domain + " A 198.18.0.2");
    }
    return out;
}

/// The cache of the server, as a session sees it.
class CachedLookups final : public mailauth::Lookups {
public:
    CachedLookups(net::DnsCache& cache, const net::ZoneResolver& zone) : cache_(cache), zone_(zone) {}

    const DnsAnswer& dns(DnsType type, std::string_view name) override {
        const auto question = DnsQuestion::make(type, name);
        if (!question) return seen_.emplace_back(DnsStatus::bad_name);
        auto known = cache_.find(*question);
        if (!known) {
            known = zone_.answer(*question);
            cache_.put(*question, *known);
        }
        return seen_.emplace_back(std::move(*known));
    }
    void forget() { seen_.clear(); }

private:
    net::DnsCache& cache_;
    const net::ZoneResolver& zone_;
    std::deque<DnsAnswer> seen_;  ///< the references stay
};

double cpu_seconds() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

int measure(double seconds) {
    net::ZoneResolver zone;
    for (const auto& record : records())
        if (!zone.add(record)) return 1;
    const support::SystemClock clock(support::SystemClock::Precision::coarse);
    net::DnsCache cache(clock, 64 * 1024 * 1024);
    CachedLookups lookups(cache, zone);
    const mailauth::SpfEvaluator spf;
    const IpAddress passing = *IpAddress::parse("198.18.0.2"), failing = *IpAddress::parse("198.18.0.3");
    long evaluations = 0, passes = 0;
    const auto round = [&] {
        for (int i = 0; i < domains; ++i) {
            const auto request = mailauth::SpfRequest::mail_from(i % 2 ? passing : failing, "mx.company.example",
                                                                 "somebody", domain_of(i));
            passes += spf.evaluate(request, lookups)->result == mailauth::SpfResult::pass;
            lookups.forget();
            ++evaluations;
        }
    };
    round();
    evaluations = passes = 0;
    const double begin = cpu_seconds();
    while (cpu_seconds() - begin < seconds) round();
    std::printf("{\"evaluations\": %ld, \"passes\": %ld, \"cpu\": %.6f}\n", evaluations, passes, cpu_seconds() - begin);
    return passes * 2 == evaluations ? 0 : 1;
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
