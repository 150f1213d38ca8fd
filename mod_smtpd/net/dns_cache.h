/// dns_cache.h: caches DNS answers as long as they are valid and there is room.
///
/// Not thread-safe; the owner has a lock. Room is counted in bytes that the entries take on the heap, so that large
/// answers cannot make the cache grow; the entry that was unused for the longest time is dropped first.
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

/// Hashes names that clients choose: each table has its own random key. Constructing one throws std::system_error if
/// there are no random numbers.
class DnsQuestionHash {
public:
    /// Not noexcept: then libstdc++ stores the hash with the entry and need not compute it for each entry that it
    /// passes.
    std::size_t operator()(const DnsQuestion& question) const {
        return static_cast<std::size_t>(
            support::KeyedHash(key_).add(static_cast<std::uint8_t>(question.type)).add(question.name).value());
    }

private:
    support::HashKey key_ = support::HashKey::random();
};

class DnsCache {
public:
    /// Limits on the times that servers specify.
    static constexpr std::chrono::seconds min_positive{1};
    static constexpr std::chrono::seconds max_positive{24 * 3600};
    static constexpr std::chrono::seconds max_negative{3600};  ///< RFC 2308 5 suggests one to three hours
    /// For a failure: only so that a session does not ask a dead server the same question repeatedly (RFC 2308 7 allows
    /// five minutes).
    static constexpr std::chrono::seconds failure_time{1};

    DnsCache(const Clock& clock, std::size_t max_octets) : clock_(clock), max_octets_(max_octets) {}

    /// The answer with its remaining time, if there is one that is still valid.
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
    Entries entries_;  ///< the most recently used is first
    std::unordered_map<DnsQuestion, Entries::iterator, DnsQuestionHash> index_;
};

}  // namespace smtpd::net
