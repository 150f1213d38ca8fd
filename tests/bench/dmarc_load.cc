/// dmarc_load.cc: how many evaluations of DMARC a second one core makes with a warm DNS cache.
///
/// dmarc_load [--seconds S]
///
/// 1,000 domains with a record each. A message comes from a name two labels below its domain, with a signature of the
/// domain itself; every other one has a second signature, of another name below the domain, and SPF of a third one, so
/// that three walks are made. The From field is read as well. The answers come from the server's own DNS cache. Prints
/// JSON: evaluations, passes, seconds of CPU.
#include "net/dns_cache.h"
#include "net/zone_resolver.h"
#include "support/clock.h"

#include <smtpd/mailauth/dmarc.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <string>
#include <string_view>

namespace {

using namespace smtpd;

constexpr int domains = 1000;

std::string domain_of(int number) { return "company" + std::to_string(number) + ".example"; }

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
    for (int i = 0; i < domains; ++i)
        if (!zone.add("_dmarc." + domain_of(i) + " TXT v=DMARC1; p=reject; rua=mailto:r@" + domain_of(i))) return 1;
    const support::SystemClock clock(support::SystemClock::Precision::coarse);
    net::DnsCache cache(clock, 64 * 1024 * 1024);
    CachedLookups lookups(cache, zone);
    long evaluations = 0, passes = 0;
    const auto round = [&] {
        for (int i = 0; i < domains; ++i) {
            const std::string domain = domain_of(i);
            const auto author = mailauth::author_domain({"\"A. User\" <user@a.mail." + domain + ">"});
            mailauth::DmarcMessage message{.author = author.domain};
            if (i % 2) {
                message.dkim = {{domain, "pass"}};
            } else {
                message.dkim = {{"news." + domain, "pass"}};
                message.spf = {{"bounce." + domain, "pass"}};
            }
            passes += mailauth::evaluate_dmarc(message, {}, lookups)->outcome == mailauth::DmarcOutcome::pass;
            lookups.forget();
            ++evaluations;
        }
    };
    round();
    evaluations = passes = 0;
    const double begin = cpu_seconds();
    while (cpu_seconds() - begin < seconds) round();
    std::printf("{\"evaluations\": %ld, \"passes\": %ld, \"cpu\": %.6f}\n", evaluations, passes, cpu_seconds() - begin);
    return passes == evaluations ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    double seconds = 1;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--seconds" && i + 1 < argc) seconds = std::atof(argv[++i]);
        else return 2;
    }
    return measure(seconds);
}
