/// arc.h: the Authenticated Received Chain (RFC 8617): what servers on the way have found out, and sealed.
///
/// A chain that passes says that nobody has changed the sealed results. It says nothing about whether the sealers told
/// the truth: only those on a list of the administrator are believed (oldest_trusted()).
///
/// All functions are pure and thread-safe.
#pragma once

#include <smtpd/authentication_result.h>
#include <smtpd/base/api.h>
#include <smtpd/base/result.h>
#include <smtpd/mailauth/dkim.h>
#include <smtpd/mailauth/lookups.h>
#include <smtpd/mailauth/message_reader.h>
#include <smtpd/mailauth/private_key.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

enum class ArcResult : std::uint8_t { none, pass, fail };
/// "pass".
SMTPD_API std::string_view arc_result_word(ArcResult result) noexcept;

/// One set of the three fields. Texts are foreign.
struct ArcSet {
    std::string domain;    ///< of the sealer: d= of ARC-Seal
    std::string selector;  ///< s= of ARC-Seal
    std::string results;   ///< ARC-Authentication-Results behind `i=N;`: authserv-id and results
};

struct SMTPD_API ArcChain {
    static constexpr std::size_t max_sets = 50;  ///< RFC 8617 4.2.1

    ArcResult result = ArcResult::none;
    std::string reason{};  ///< why it fails
    /// The DNS gave no answer about a key. The result is `fail` then, because there is no other word, but it must not
    /// be sealed as a failure.
    bool is_temporary = false;
    /// The newest seal says that the chain has failed: nobody adds anything to it any more (RFC 8617 5.1.2).
    bool has_ended = false;
    /// The highest instance; 0 without a chain.
    std::size_t instances = 0;
    /// The lowest instance since which no server has changed the message (RFC 8617 5.2); 0 if none has since the first.
    std::size_t oldest_pass = 0;
    std::vector<ArcSet> sets{};  ///< if it passes: 1 is the first

    bool passes() const noexcept { return result == ArcResult::pass; }
};

/// Asks for all keys at once, and does nothing else; see ask_dkim_keys().
SMTPD_API bool ask_arc_keys(const MessageReader& message, Lookups& lookups);
/// What a chain comes to; nothing while answers are missing. The reader must be complete.
SMTPD_API std::optional<ArcChain> validate_arc(const MessageReader& message, Lookups& lookups, KeyCache& keys,
                                               std::chrono::sys_seconds now);

/// The instance whose results may be used: the lowest to which every sealer from the newest on is trusted; 0 if the
/// chain does not pass, or the newest sealer is not trusted. Domains are given in lower case.
SMTPD_API std::size_t oldest_trusted(const ArcChain& chain,
                                     const std::function<bool(const std::string& domain)>& is_trusted);

/// For the Authentication-Results field: `arc=pass header.oldest-pass=0`.
SMTPD_API AuthenticationResult arc_result(const ArcChain& chain);

/// How the fields of a seal are written.
enum class ArcLayout : std::uint8_t {
    usual,
    standard  ///< tags in alphabetical order, as the public test suite compares them
};

struct ArcSealing {
    std::string domain;       ///< d=, A-labels
    std::string selector;     ///< s=
    std::string authserv_id;  ///< whose Authentication-Results fields are sealed
    /// Names in h= of ARC-Message-Signature. Empty: those that a DKIM signature covers, and DKIM-Signature.
    std::vector<std::string> fields{};
    std::chrono::sys_seconds time{};
    ArcLayout layout = ArcLayout::usual;
};

/// The values of the three fields of a set, in the order in which they are put on top of the message, the last one
/// being the topmost.
struct ArcFields {
    std::string results, message_signature, seal;
};

/// Seals a message that is about to leave, with its header block as it is then, and its body, hashed to its end.
/// Nothing if there is nothing to add: the chain has ended, or has 50 sets. An Error if the chain could not be
/// validated for now, or the key does not work.
SMTPD_API Result<std::optional<ArcFields>> seal_arc(std::string_view header_block, const BodyHasher& body,
                                                    const ArcChain& chain, const ArcSealing& sealing,
                                                    const PrivateKey& key);

}  // namespace smtpd::mailauth
