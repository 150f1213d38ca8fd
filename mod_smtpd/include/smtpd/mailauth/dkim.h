/// dkim.h: verifies the DKIM signatures of a message (RFC 6376, RFC 8301, RFC 8463, RFC 8616).
///
///     if (const auto signatures = verify_dkim(reader, lookups, keys, now)) …
///
/// A signature passes for itself: a wrong one does not spoil others. Results are the words of RFC 8601 2.7.1:
///
/// | word | means |
/// |---|---|
/// | pass | the signature is valid |
/// | fail | the message, or the signature, was changed, or the key is another one |
/// | policy | it is not looked at, or not accepted, because of a limit of ours: the reason says which |
/// | permerror | the signature or its key record is wrong, or the signature has expired |
/// | temperror | the DNS gave no answer about the key |
///
/// All functions are pure; a KeyCache may be shared by all threads.
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

/// Key records, read, by their text. Thread-safe.
class SMTPD_API KeyCache {
public:
    static constexpr std::size_t default_capacity = 2048;
    /// Longer records are read each time.
    static constexpr std::size_t max_record_size = 4096;
    /// A record is kept as long as its DNS answer holds, but at least, and at most, that long.
    static constexpr std::chrono::seconds min_life{60};
    static constexpr std::chrono::seconds max_life{3600};

    explicit KeyCache(std::size_t capacity = default_capacity);
    ~KeyCache();

    /// The record of that text. Never null.
    std::shared_ptr<const KeyRecord> get(std::string_view record, std::chrono::seconds ttl,
                                         std::chrono::sys_seconds now);
    std::size_t size() const;

private:
    struct Table;
    std::unique_ptr<Table> table_;
};

enum class DkimResult : std::uint8_t { pass, fail, policy, neutral, temperror, permerror };
/// "pass".
SMTPD_API std::string_view dkim_result_word(DkimResult result) noexcept;

/// What came of one DKIM-Signature field. Texts are as the field has them, so they are foreign; "" if it has none.
struct SMTPD_API DkimSignature {
    static constexpr std::size_t max_value_size = 64;  ///< characters of b= that are kept

    DkimResult result = DkimResult::permerror;
    std::string reason;       ///< why it does not pass; may have foreign text
    std::string domain;       ///< d=
    std::string selector;     ///< s=
    std::string identity;     ///< i=, or `@` and d=
    std::string algorithm;    ///< a=
    std::string value;        ///< how b= begins, without white space
    bool is_testing = false;  ///< the key record has t=y: a failure must not count against the message
    unsigned key_bits = 0;    ///< 0 if there was no key
    /// Octets at the end of the canonical body that the signature leaves out (l=): anybody could have added them.
    std::uint64_t unsigned_octets = 0;

    bool passes() const noexcept { return result == DkimResult::pass; }
};

struct DkimPolicy {
    /// Whether a signature passes that leaves out a part of the body (l=); otherwise its result is `policy`. Anybody
    /// can add to such a message what its reader sees instead of the original.
    bool accepts_partial_body = true;
    /// How wrong clocks may be when t= and x= are compared with the time.
    std::chrono::seconds clock_skew{300};
};

/// Asks for the keys of all signatures that can be valid, at once, and does nothing else. True if all answers are
/// there. For ask handlers: verifying is the work of the handler behind them.
SMTPD_API bool ask_dkim_keys(const MessageReader& message, Lookups& lookups, std::chrono::sys_seconds now,
                             const DkimPolicy& policy = {});

/// All DKIM-Signature fields of a message, from the top; empty if it has none. Nothing while answers are missing. The
/// reader must be complete.
SMTPD_API std::optional<std::vector<DkimSignature>> verify_dkim(const MessageReader& message, Lookups& lookups,
                                                                KeyCache& keys, std::chrono::sys_seconds now,
                                                                const DkimPolicy& policy = {});

/// The results for the Authentication-Results field, one for each signature, with header.d, .i, .s, .a and .b; of those
/// beyond MessageReader::max_signatures, one for all. `dkim=none` if there is no signature.
SMTPD_API std::vector<AuthenticationResult> dkim_results(const std::vector<DkimSignature>& signatures);

}  // namespace smtpd::mailauth
