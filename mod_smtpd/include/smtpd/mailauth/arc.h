/// arc.h: the Authenticated Received Chain (RFC 8617): authentication results that earlier servers recorded and sealed.
///
/// A chain that passes shows that nobody has changed the sealed results. It does not show that the sealers told the
/// truth. Only the sealers that the administrator lists are trusted (oldest_trusted()).
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
/// The name of the result, for example "pass".
SMTPD_API std::string_view arc_result_word(ArcResult result) noexcept;

/// One ARC set: the three header fields of an instance. The texts come from outside and are untrusted.
struct ArcSet {
    std::string domain;    ///< the sealer's domain: d= of ARC-Seal
    std::string selector;  ///< s= of ARC-Seal
    std::string results;   ///< ARC-Authentication-Results after `i=N;`: authserv-id and results
};

struct SMTPD_API ArcChain {
    static constexpr std::size_t max_sets = 50;  ///< RFC 8617 4.2.1

    ArcResult result = ArcResult::none;
    std::string reason{};  ///< why it fails
    /// A key could not be looked up. RFC 8617 has no result for that, so `result` is `fail`, but the chain must not be
    /// sealed as failed.
    bool is_temporary = false;
    /// The newest seal has cv=fail, so no server adds another set (RFC 8617 5.1.2).
    bool has_ended = false;
    /// The highest instance number; 0 without a chain.
    std::size_t instances = 0;
    /// The oldest instance since which nobody has changed the message: its ARC-Message-Signature passes, and so do all
    /// newer ones (RFC 8617 5.2). 0 if all of them pass.
    std::size_t oldest_pass = 0;
    std::vector<ArcSet> sets{};  ///< only if the chain passes; instance 1 is first

    bool passes() const noexcept { return result == ArcResult::pass; }
};

/// Asks for all keys of the chain at once. It validates nothing; see ask_dkim_keys().
SMTPD_API bool ask_arc_keys(const MessageReader& message, Lookups& lookups);
/// Validates the chain. Returns std::nullopt while answers are missing. The reader must be complete.
SMTPD_API std::optional<ArcChain> validate_arc(const MessageReader& message, Lookups& lookups, KeyCache& keys,
                                               std::chrono::sys_seconds now);

/// The instance whose results may be used: the lowest one such that its sealer and all later sealers are trusted. 0 if
/// the chain does not pass, or if the newest sealer is not trusted. `is_trusted` gets domains in lower case.
SMTPD_API std::size_t oldest_trusted(const ArcChain& chain,
                                     const std::function<bool(const std::string& domain)>& is_trusted);

/// The entry for the Authentication-Results field: `arc=pass header.oldest-pass=0`.
SMTPD_API AuthenticationResult arc_result(const ArcChain& chain);

/// The layout of the three fields.
enum class ArcLayout : std::uint8_t {
    usual,
    standard  ///< tags in alphabetical order, as the public test suite compares them
};

struct ArcSealing {
    std::string domain;       ///< d=, A-labels
    std::string selector;     ///< s=
    std::string authserv_id;  ///< the Authentication-Results fields with this id are sealed
    /// Names in h= of ARC-Message-Signature. If empty: the fields that a DKIM signature covers, and DKIM-Signature.
    std::vector<std::string> fields{};
    std::chrono::sys_seconds time{};
    ArcLayout layout = ArcLayout::usual;
};

/// The values of the three fields of a set, in the order in which to prepend them to the message. The last one ends up
/// on top.
struct ArcFields {
    std::string results, message_signature, seal;
};

/// Makes the next set for a message that is about to be sent. `header_block` is the header as it will be sent; `body`
/// must be finished. Returns std::nullopt if no set can be added: the chain has ended, or it has 50 sets. Returns an
/// Error if the DNS gave no answer when the chain was validated, or if the key does not work.
SMTPD_API Result<std::optional<ArcFields>> seal_arc(std::string_view header_block, const BodyHasher& body,
                                                    const ArcChain& chain, const ArcSealing& sealing,
                                                    const PrivateKey& key);

}  // namespace smtpd::mailauth
