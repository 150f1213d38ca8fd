/// dmarc.h: evaluates DMARC: whether a message may use its author's domain, and what that domain requests if it may
/// not.
///
/// RFC 9989 (which obsoletes 7489 and 9091) is the default. RFC 7489, with its list of public suffixes, is available
/// for sites that want its results. An evaluation takes the results of SPF and DKIM, and asks the DNS through Lookups:
///
///     const auto dmarc = evaluate_dmarc({.author = "example.com", .dkim = {{"example.com", "pass"}}}, {}, lookups);
///     if (!dmarc) return;  // answers are missing
///
/// All functions are pure and thread-safe. They throw only if memory runs out.
#pragma once

#include <smtpd/authentication_result.h>
#include <smtpd/base/api.h>
#include <smtpd/mailauth/author_domain.h>
#include <smtpd/mailauth/lookups.h>
#include <smtpd/mailauth/public_suffixes.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

/// A tree walk asks for the name itself and then for its parents with 7 labels and fewer (RFC 9989 4.10).
inline constexpr std::size_t max_walk_queries = 8;
/// The limit on tree walks for domains of SPF and DKIM. Domains beyond it count as not aligned. The author's domain and
/// its organizational domain need no walk.
inline constexpr std::size_t max_identifier_walks = 10;
/// The limit on URIs of a rua or ruf tag; the others are dropped.
inline constexpr std::size_t max_report_uris = 20;

enum class DmarcRfc : std::uint8_t { rfc9989, rfc7489 };

/// What a domain requests for messages that fail DMARC.
enum class DmarcPolicy : std::uint8_t { none, quarantine, reject };
SMTPD_API std::string_view dmarc_policy_name(DmarcPolicy policy) noexcept;  ///< "quarantine"
/// One level milder: quarantine for reject, otherwise none.
constexpr DmarcPolicy milder(DmarcPolicy policy) noexcept {
    return policy == DmarcPolicy::reject ? DmarcPolicy::quarantine : DmarcPolicy::none;
}

/// How closely a domain must match the author's: `relaxed` = same organizational domain, `strict` = same domain.
enum class DmarcAlignment : std::uint8_t { relaxed, strict };

/// A record of `_dmarc.<domain>` (RFC 9989 4.7). Unknown tags and malformed tags are ignored. If a tag occurs twice,
/// the first one counts. An invalid value is replaced with the default, except in p, sp and np.
struct SMTPD_API DmarcRecord {
    /// Returns std::nullopt unless the text is a DMARC record: its first tag must be "v=DMARC1". Tag names are
    /// case-insensitive; the value DMARC1 is case-sensitive.
    static std::optional<DmarcRecord> parse(std::string_view text, DmarcRfc rfc = DmarcRfc::rfc9989);

    enum class Psd : std::uint8_t { unknown, yes, no };

    std::string text;  ///< the record as published
    DmarcPolicy p = DmarcPolicy::none;
    std::optional<DmarcPolicy> sp, np;  ///< np, psd and t exist only in RFC 9989
    DmarcAlignment adkim = DmarcAlignment::relaxed, aspf = DmarcAlignment::relaxed;
    Psd psd = Psd::unknown;
    bool is_test = false;          ///< t=y
    unsigned pct = 100;            ///< RFC 7489 only
    std::vector<std::string> rua;  ///< syntactically valid URIs, without the old size limit after "!"
    std::vector<std::string> ruf;
    std::string fo = "0";
    /// The record has a valid policy, or an address for reports; with only an address it counts as p=none (RFC 9989
    /// 4.7). A record that is not usable is ignored, and no other record is used instead.
    bool is_usable = false;
    /// p is missing, or the value of p, sp or np is not a policy.
    bool has_bad_policy = false;
    bool has_duplicate_tag = false;
};

/// A domain that SPF or DKIM has tested, and the result.
struct DmarcIdentifier {
    std::string domain;  ///< in any spelling
    std::string result;  ///< a result of RFC 8601: "pass", "temperror"
};

struct DmarcMessage {
    std::string author{};                ///< author_domain(); "" if there is none
    std::vector<DmarcIdentifier> spf{};  ///< for the sender in MAIL; results for HELO do not count
    std::vector<DmarcIdentifier> dkim{};
};

/// Selects the results that DMARC uses: SPF results with smtp.mailfrom, and DKIM results with header.d or header.i.
SMTPD_API DmarcMessage dmarc_message(std::string author, const std::vector<const AuthenticationResult*>& results);

struct DmarcSettings {
    DmarcRfc rfc = DmarcRfc::rfc9989;
    const PublicSuffixes* suffixes = nullptr;  ///< required for RFC 7489
    /// RFC 7489: a random number from 0 to 99. The policy applies if it is below pct.
    unsigned sample = 0;
};

enum class DmarcOutcome : std::uint8_t { none, pass, fail, temperror, permerror };
SMTPD_API std::string_view dmarc_outcome_name(DmarcOutcome outcome) noexcept;  ///< "temperror"

struct DmarcResult {
    DmarcOutcome outcome = DmarcOutcome::none;
    std::string reason;         ///< for logs: "_dmarc.example.com: no answer in time"; may be ""
    std::string author;         ///< in the form of ascii_domain()
    std::string org_domain;     ///< the author's organizational domain; "" if it could not be determined
    std::string policy_domain;  ///< the domain with the record; "" if there is none
    std::optional<DmarcRecord> record;
    std::optional<DmarcPolicy> policy;  ///< the policy that applies, after sp, np and t
    /// What to do with this message: the policy if the message failed, otherwise none. RFC 7489: after pct.
    DmarcPolicy disposition = DmarcPolicy::none;
    bool is_spf_aligned = false;  ///< a domain that passed SPF is aligned
    bool is_dkim_aligned = false;
    bool is_test = false;         ///< t=y made the policy milder
    bool is_sampled_out = false;  ///< pct made the disposition milder
    bool has_limit = false;       ///< more domains needed a walk than max_identifier_walks
    std::size_t queries = 0;      ///< questions to the DNS
};

/// Evaluates DMARC. Returns std::nullopt while answers are missing; see lookups.h. The questions of the author's tree
/// walk are sent first. The questions that depend on it follow in a second round: whether the author's domain exists
/// (np), and the walks of domains below its organizational domain.
SMTPD_API std::optional<DmarcResult> evaluate_dmarc(const DmarcMessage& message, const DmarcSettings& settings,
                                                    Lookups& lookups);

/// The entry for the Authentication-Results field: `dmarc=fail (p=reject dis=quarantine) header.from=example.com
/// policy.dmarc=reject`. `disposition` is what the server actually does with the message.
SMTPD_API AuthenticationResult dmarc_authentication_result(const DmarcResult& result, DmarcPolicy disposition);

/// Asks the first questions of evaluate_dmarc(). Call it while only the author is known.
SMTPD_API void prepare_dmarc(const std::string& author, const DmarcSettings& settings, Lookups& lookups);

struct OrganizationalDomain {
    std::string domain{};  ///< "" if it could not be determined
    std::string record{};  ///< where the deciding record was found; "" if there is none
    std::string reason{};  ///< why it could not be determined
    std::size_t queries = 0;
};

/// Finds the organizational domain of a name (RFC 9989 4.10.2, RFC 7489 3.2). Returns std::nullopt while answers are
/// missing.
SMTPD_API std::optional<OrganizationalDomain> organizational_domain(std::string_view domain,
                                                                    const DmarcSettings& settings, Lookups& lookups);

}  // namespace smtpd::mailauth
