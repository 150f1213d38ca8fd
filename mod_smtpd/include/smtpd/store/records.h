/// records.h: the store records of karma and greylisting, shared by the plugins, the import of qpsmtpd's files and
/// other tools.
///
/// The keys of both namespaces begin with client_key(). In `karma` that is the whole key. In `greylist` the sender and
/// the recipient may follow, in lower case, each after a blank; "-" stands for a sender that is not part of the key if
/// the recipient is: "192.0.2.1 - you@example.com".
#pragma once

#include <smtpd/base/format.h>
#include <smtpd/base/ip.h>
#include <smtpd/store/store.h>

#include <string>
#include <tuple>

namespace smtpd {

/// "192.0.2.1", or "192.0.2.0/24" if clients are grouped by prefix.
inline std::string client_key(const IpAddress& address, unsigned bits = 128) {
    if (bits >= address.bits()) return address.to_string();
    return format_text("{}/{}", address.prefix(bits), bits);
}

/// Namespace "karma": what is known about a client from earlier connections. The names are qpsmtpd's.
struct KarmaRecord {
    WallTime penalty_start;  ///< the epoch = no penalty
    unsigned naughty = 0;    ///< connections that ended badly
    unsigned nice = 0;       ///< connections that ended well
    unsigned connects = 0;

    static constexpr auto fields = [](auto& self) {
        return std::tie(self.penalty_start, self.naughty, self.nice, self.connects);
    };
    /// nice minus naughty: positive for clients that behave well.
    long history() const noexcept { return static_cast<long>(nice) - static_cast<long>(naughty); }
    bool has_penalty() const noexcept { return penalty_start != WallTime(); }
};
inline constexpr const char* karma_space = "karma";
inline constexpr Duration karma_lifetime = std::chrono::hours(24 * 90);  ///< since the last connection

/// Namespace "greylist": when a client (and sender, and recipient) was first seen, and how often it was deferred or
/// accepted.
struct GreylistRecord {
    WallTime since;        ///< first seen; after the first acceptance: last seen
    unsigned refused = 0;  ///< how often it was deferred
    unsigned passed = 0;   ///< how often it was accepted

    static constexpr auto fields = [](auto& self) { return std::tie(self.since, self.refused, self.passed); };
};
inline constexpr const char* greylist_space = "greylist";
inline constexpr Duration greylist_lifetime = std::chrono::hours(24 * 36);  ///< since `since`; qpsmtpd's white_timeout

/// The key of a greylist entry; leave parts that do not belong to the key empty.
inline std::string greylist_key(const std::string& client, const std::string& sender = {},
                                const std::string& recipient = {}) {
    std::string key = client;
    if (!sender.empty() || !recipient.empty()) key += " " + (sender.empty() ? "-" : sender);
    if (!recipient.empty()) key += " " + recipient;
    return key;
}

}  // namespace smtpd
