/// dns_cache.h: answers of the DNS, kept as long as they hold and there is room.
///
/// Not thread-safe; its owner has a lock. Room is counted in octets, as what the entries take on the heap, so that a
/// server that answers with very much cannot make it grow; what was not asked for longest goes first.
#pragma once

#include "support/keyed_hash.h"

#include <smtpd/base/clock.h>
#include <smtpd/dns/dns.h>

#include <chrono>
#include <cstddef>
#include <list>
#include <optional>
#include <unordered_map>

namespace smtpd::net {

/// Of names that clients choose: each table has a random key of its own. Making one throws std::system_error where
/// there are no random numbers.
class DnsQuestionHash {
public:
    /// Not noexcept: libstdc++ then keeps the hash with the entry, and need not calculate that of each entry it passes.
    std::size_t operator()(const DnsQuestion& question) const {
        return static_cast<std::size_t>(
            support::KeyedHash(key_).add(static_cast<std::uint8_t>(question.type)).add(question.name).value());
    }

private:
    support::HashKey key_ = support::HashKey::random();
};

class DnsCache {
public:
    /// What servers say is taken within these limits.
    static constexpr std::chrono::seconds min_positive{1};
    static constexpr std::chrono::seconds max_positive{24 * 3600};
    static constexpr std::chrono::seconds max_negative{3600};  ///< RFC 2308 5 suggests one to three hours
    /// A failure: only so that one session does not ask a dead server for the same thing again and again (RFC 2308 7
    /// allows five minutes).
    static constexpr std::chrono::seconds failure_time{1};

    DnsCache(const Clock& clock, std::size_t max_octets) : clock_(clock), max_octets_(max_octets) {}

    /// The answer if there is one that still holds, with the time that is left.
    std::optional<DnsAnswer> find(const DnsQuestion& question);
    void put(const DnsQuestion& question, const DnsAnswer& answer);

    std::size_t octets() const noexcept { return octets_; }
    std::size_t size() const noexcept { return index_.size(); }

private:
    struct Entry {
        DnsQuestion question;
        DnsAnswer answer;
        MonotonicTime expires;
        std::size_t octets;
    };
    using Entries = std::list<Entry>;
    void remove(Entries::iterator entry);

    const Clock& clock_;
    const std::size_t max_octets_;
    std::size_t octets_ = 0;
    Entries entries_;  ///< asked for last: first
    std::unordered_map<DnsQuestion, Entries::iterator, DnsQuestionHash> index_;
};

}  // namespace smtpd::net
