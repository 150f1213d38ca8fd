/// spf_record.h: an SPF record (RFC 7208 3, 12), parsed as a whole before anything of it is evaluated; and the parsed
/// records that are remembered.
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
    SpfResult result = SpfResult::pass;  ///< of the qualifier
    std::uint8_t bits4 = 32;             ///< of a and mx
    std::uint8_t bits6 = 128;
    std::optional<SpfMacroString> domain{};  ///< nothing: the domain itself
    std::optional<IpNetwork> network{};      ///< of ip4 and ip6; nothing: no client is in it
    std::string text{};                      ///< as the record has it
};

struct SpfRecord {
    std::string text;
    std::string problem;  ///< what is wrong with it, safe for logs; "" if nothing is
    std::vector<SpfTerm> terms;
    std::optional<SpfMacroString> redirect;
    std::optional<SpfMacroString> explanation;
    std::string redirect_text;

    /// Whether a TXT record is one of SPF at all: "v=spf1", and a blank or the end.
    static bool is_one(std::string_view text) noexcept;
    /// Of a text that is one. Time is linear in its length.
    static SpfRecord parse(std::string_view text);
};

/// Remembers parsed records by their text: a table of a fixed size, in which a new record takes the place of an old
/// one. Thread-safe.
class SpfRecordCache {
public:
    static constexpr std::size_t places = 2048;
    static constexpr std::size_t max_text = 2048;  ///< octets; longer ones are parsed each time

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
