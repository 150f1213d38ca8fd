#include "net/dns_cache.h"

#include <algorithm>

namespace smtpd::net {
namespace {

/// For two list and hash nodes, the memory blocks of names and records, and the allocator's overhead for each.
constexpr std::size_t overhead = 320;

std::size_t octets_of(const DnsQuestion& question, const DnsAnswer& answer) {
    const DnsRecords& records = answer.records();
    std::size_t octets = overhead + 2 * question.name.size() + records.error.size() +
                         records.addresses.size() * sizeof(IpAddress);
    for (const auto& name : records.names) octets += sizeof name + name.size();
    for (const auto& text : records.texts) octets += sizeof text + text.size();
    for (const auto& exchanger : records.exchangers) octets += sizeof exchanger + exchanger.name.size();
    return octets;
}

std::chrono::seconds time_to_keep(const DnsAnswer& answer) {
    if (answer.failed()) return DnsCache::failure_time;
    if (answer.found()) return std::clamp(answer.ttl(), DnsCache::min_positive, DnsCache::max_positive);
    return std::min(answer.ttl(), DnsCache::max_negative);
}

}  // namespace

std::optional<DnsAnswer> DnsCache::find(const DnsQuestion& question) {
    const auto found = index_.find(question);
    if (found == index_.end()) return std::nullopt;
    const auto entry = found->second;
    const auto left = std::chrono::floor<std::chrono::seconds>(entry->expires - clock_.now());
    if (entry->expires <= clock_.now()) {
        remove(entry);
        return std::nullopt;
    }
    entries_.splice(entries_.begin(), entries_, entry);
    return entry->answer.with_ttl(left);
}

void DnsCache::put(const DnsQuestion& question, const DnsAnswer& answer) {
    const auto keep = time_to_keep(answer);
    const auto octets = octets_of(question, answer);
    if (keep.count() == 0 || octets > max_octets_ / 4) {
        if (const auto known = index_.find(question); known != index_.end()) remove(known->second);
        return;
    }
    Entries entry;
    entry.push_front({question, answer, clock_.now() + keep, octets});
    const auto [place, is_new] = index_.try_emplace(question, entry.begin());
    if (!is_new) {
        octets_ -= place->second->octets;
        entries_.erase(place->second);
        place->second = entry.begin();
    }
    entries_.splice(entries_.begin(),
                    entry);  // if it throws for lack of memory, neither container has the entry
    octets_ += octets;
    while (octets_ > max_octets_) remove(std::prev(entries_.end()));
}

void DnsCache::remove(Entries::iterator entry) {
    octets_ -= entry->octets;
    index_.erase(entry->question);
    entries_.erase(entry);
}

}  // namespace smtpd::net
