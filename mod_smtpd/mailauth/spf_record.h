/// spf_record.h: an SPF record (RFC 7208 3, 12), parsed completely before any term is evaluated, and a cache of parsed
/// records.
#pragma once

#include "mailauth/spf_macro.h"
#include "support/keyed_hash.h"

#include <smtpd/base/ip.h>
#include <smtpd/mailauth/spf.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

struct SpfTerm {
    enum class Kind : std::uint8_t { all, include, a, mx, ptr, ip4, ip6, exists };

    Kind kind = Kind::all;
    SpfResult result = SpfResult::pass;  ///< the result of the qualifier
    std::uint8_t bits4 = 32;             ///< the prefix length of a and mx
    std::uint8_t bits6 = 128;
    std::optional<SpfMacroString> domain{};  ///< nothing: the current domain
    std::optional<IpNetwork> network{};      ///< of ip4 and ip6; nothing: matches no client
    std::string text{};                      ///< the term as written
};

struct SpfRecord {
    std::string text;
    std::string problem;  ///< what is wrong with the record, safe for logs; "" if it is valid
    std::vector<SpfTerm> terms;
    std::optional<SpfMacroString> redirect;
    std::optional<SpfMacroString> explanation;
    std::string redirect_text;

    /// Whether a TXT record is an SPF record: "v=spf1", followed by a blank or the end.
    static bool is_one(std::string_view text) noexcept;
    /// Parses a text for which is_one() is true. Takes linear time.
    static SpfRecord parse(std::string_view text);
};

/// A cache of parsed records, with their text as the key. The table has a fixed size: a new record replaces an old one.
/// Thread-safe.
class SpfRecordCache {
public:
    static constexpr std::size_t places = 2048;
    static constexpr std::size_t max_text = 2048;  ///< octets; longer records are not cached

    SpfRecordCache();
    std::shared_ptr<const SpfRecord> get(std::string_view text);

private:
    static constexpr std::size_t groups = 16;
    struct Group {
        std::mutex mutex;
        std::array<std::shared_ptr<const SpfRecord>, places / groups> records;
    };

    const support::HashKey key_;
    std::array<Group, groups> groups_;
};

}  // namespace smtpd::mailauth
