/// evaluation_load.h: what the programs share that measure evaluations of mail authentication with a warm DNS cache.
#pragma once

#include "net/dns_cache.h"
#include "net/zone_resolver.h"
#include "support/clock.h"

#include <smtpd/mailauth/lookups.h>

#include <cstdio>
#include <ctime>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

namespace smtpd::bench {

constexpr int domains = 1000;
inline std::string domain_of(int number) { return "company" + std::to_string(number) + ".example"; }

/// The DNS cache of the server, as a session sees it.
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
    std::deque<DnsAnswer> seen_;  ///< keeps the references valid
};

inline double cpu_seconds() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Calls `passes(number, lookups)` for all domains, again and again for that many seconds of CPU, after one round that
/// fills the cache. Prints JSON: evaluations, passes, seconds of CPU. Returns the exit status: 0 if one of every
/// `each` evaluations passed.
template <class F>
int measure_evaluations(const net::ZoneResolver& zone, double seconds, int each, F passes) {
    constexpr std::size_t memory = 64 * 1024 * 1024;
    const support::SystemClock clock(support::SystemClock::Precision::coarse);
    net::DnsCache cache(clock, memory);
    CachedLookups lookups(cache, zone);
    long evaluated = 0, passed = 0;
    const auto round = [&] {
        for (int number = 0; number < domains; ++number) {
            passed += passes(number, lookups) ? 1 : 0;
            lookups.forget();
            ++evaluated;
        }
    };
    round();
    evaluated = passed = 0;
    const double begin = cpu_seconds();
    while (cpu_seconds() - begin < seconds) round();
    std::printf("{\"evaluations\": %ld, \"passes\": %ld, \"cpu\": %.6f}\n", evaluated, passed, cpu_seconds() - begin);
    return passed * each == evaluated ? 0 : 1;
}

}  // namespace smtpd::bench
