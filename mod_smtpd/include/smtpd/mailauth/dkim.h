/// dkim.h: verifies the DKIM signatures of a message (RFC 6376, RFC 8301, RFC 8463, RFC 8616).
///
///     if (const auto signatures = verify_dkim(reader, lookups, keys, now)) …
///
/// Each signature has its own result: a wrong signature does not affect the others. Results are the words of RFC 8601
/// 2.7.1:
///
/// | word | means |
/// |---|---|
/// | pass | the signature is valid |
/// | fail | the message or the signature was changed, or the key does not belong to the signature |
/// | policy | a limit of this server excludes the signature; the reason names the limit |
/// | permerror | the signature or its key record is wrong, or the signature has expired |
/// | temperror | the key could not be looked up |
///
/// All functions are pure. All threads may share one KeyCache.
#pragma once

#include <smtpd/authentication_result.h>
#include <smtpd/base/api.h>
#include <smtpd/mailauth/lookups.h>
#include <smtpd/mailauth/message_reader.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

struct KeyRecord;

/// A cache of parsed key records; the text of the record is the key. Thread-safe.
class SMTPD_API KeyCache {
public:
    static constexpr std::size_t default_capacity = 2048;
    /// Longer records are not cached.
    static constexpr std::size_t max_record_size = 4096;
    /// A record stays in the cache for the TTL of its DNS answer, but at least min_life and at most max_life.
    static constexpr std::chrono::seconds min_life{60};
    static constexpr std::chrono::seconds max_life{3600};

    explicit KeyCache(std::size_t capacity = default_capacity);
    ~KeyCache();

    /// Parses a record, or takes it from the cache. Never null.
    std::shared_ptr<const KeyRecord> get(std::string_view record, std::chrono::seconds ttl,
                                         std::chrono::sys_seconds now);
    std::size_t size() const;

private:
    struct Table;
    std::unique_ptr<Table> table_;
};

enum class DkimResult : std::uint8_t { pass, fail, policy, neutral, temperror, permerror };
/// The name of the result, for example "pass".
SMTPD_API std::string_view dkim_result_word(DkimResult result) noexcept;

/// The result for one DKIM-Signature field. The texts are copied from the field, so they are untrusted; they are "" if
/// the field does not have the tag.
struct SMTPD_API DkimSignature {
    static constexpr std::size_t max_value_size = 64;  ///< characters of b= that are kept

    DkimResult result = DkimResult::permerror;
    std::string reason;       ///< why it does not pass; may contain untrusted text
    std::string domain;       ///< d=
    std::string selector;     ///< s=
    std::string identity;     ///< i=, or `@` and d=
    std::string algorithm;    ///< a=
    std::string value;        ///< the beginning of b=, without white space
    bool is_testing = false;  ///< the key record has t=y: a failure must not count against the message
    unsigned key_bits = 0;    ///< 0 without a key
    /// Octets at the end of the canonical body that the signature does not cover (l=). Anybody could have added them.
    std::uint64_t unsigned_octets = 0;

    bool passes() const noexcept { return result == DkimResult::pass; }
};

struct DkimPolicy {
    /// Whether a signature that covers only a part of the body (l=) can pass. If not, its result is `policy`: anybody
    /// can add text to such a message that the reader sees instead of the original.
    bool accepts_partial_body = true;
    /// The tolerance for clock differences when t= and x= are compared with the time.
    std::chrono::seconds clock_skew{300};
};

/// Asks for the keys of all signatures that can be valid, at once. Returns true if all answers are there. This is for
/// ask handlers: the handler that follows verifies the signatures.
SMTPD_API bool ask_dkim_keys(const MessageReader& message, Lookups& lookups, std::chrono::sys_seconds now,
                             const DkimPolicy& policy = {});

/// Verifies the DKIM-Signature fields of a message, from the top. The list is empty if the message has none. Returns
/// std::nullopt while answers are missing. The reader must be complete.
SMTPD_API std::optional<std::vector<DkimSignature>> verify_dkim(const MessageReader& message, Lookups& lookups,
                                                                KeyCache& keys, std::chrono::sys_seconds now,
                                                                const DkimPolicy& policy = {});

/// The entries for the Authentication-Results field: one for each signature, with header.d, .i, .s, .a and .b, and a
/// single one for all signatures beyond MessageReader::max_signatures. `dkim=none` if there is no signature.
SMTPD_API std::vector<AuthenticationResult> dkim_results(const std::vector<DkimSignature>& signatures);

}  // namespace smtpd::mailauth
