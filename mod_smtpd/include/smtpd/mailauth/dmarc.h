/// dmarc.h: whether a message may carry the domain of its author, and what that domain asks to be done if not.
///
/// RFC 9989 (obsoletes 7489 and 9091) is the default; RFC 7489, with its list of public suffixes, is there for sites
/// that want its results. An evaluation takes the results of SPF and DKIM, and asks the DNS through Lookups:
///
///     const auto dmarc = evaluate_dmarc({.author = "example.com", .dkim = {{"example.com", "pass"}}}, {}, lookups);
///     if (!dmarc) return;  // answers are missing
///
/// All functions are pure and thread-safe. They do nothing that could throw but allocate.
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

/// A walk up the tree asks for the name itself and for at most 7 labels and less (RFC 9989 4.10).
inline constexpr std::size_t max_walk_queries = 8;
/// So many domains of SPF and DKIM have a walk of their own; others are not aligned. Those that are the author's
/// domain, or its organizational domain, need none.
inline constexpr std::size_t max_identifier_walks = 10;
/// So many URIs of a rua or ruf tag are kept.
inline constexpr std::size_t max_report_uris = 20;

enum class DmarcRfc : std::uint8_t { rfc9989, rfc7489 };

/// What a domain wants to happen to a message that fails.
enum class DmarcPolicy : std::uint8_t { none, quarantine, reject };
SMTPD_API std::string_view dmarc_policy_name(DmarcPolicy policy) noexcept;  ///< "quarantine"
/// One level milder: quarantine for reject, otherwise none.
constexpr DmarcPolicy milder(DmarcPolicy policy) noexcept {
    return policy == DmarcPolicy::reject ? DmarcPolicy::quarantine : DmarcPolicy::none;
}

/// How close a domain has to be to the author's: `relaxed` = the same organizational domain, `strict` = the same.
enum class DmarcAlignment : std::uint8_t { relaxed, strict };

/// A record of `_dmarc.<domain>` (RFC 9989 4.7). Unknown tags, and tags that are no tags, are passed over; of a tag
/// that occurs twice the first one counts. A value that is not allowed is the default, except those of p, sp and np.
struct SMTPD_API DmarcRecord {
    /// Nothing if the text is none: "v=DMARC1" must be the first tag. The name of a tag has no case, that value has.
    static std::optional<DmarcRecord> parse(std::string_view text, DmarcRfc rfc = DmarcRfc::rfc9989);

    enum class Psd : std::uint8_t { unknown, yes, no };

    std::string text;  ///< as it came
    DmarcPolicy p = DmarcPolicy::none;
    std::optional<DmarcPolicy> sp, np;  ///< np, psd and t are those of RFC 9989 only
    DmarcAlignment adkim = DmarcAlignment::relaxed, aspf = DmarcAlignment::relaxed;
    Psd psd = Psd::unknown;
    bool is_test = false;          ///< t=y
    unsigned pct = 100;            ///< RFC 7489 only
    std::vector<std::string> rua;  ///< syntactically valid URIs, without the old size limit behind "!"
    std::vector<std::string> ruf;
    std::string fo = "0";
    /// There is a valid policy, or an address for reports, with which the record counts as p=none (RFC 9989 4.7).
    /// Otherwise nothing is done with it, and nothing with any other record.
    bool is_usable = false;
    /// p is missing, or p, sp or np is none of the policies.
    bool has_bad_policy = false;
    bool has_duplicate_tag = false;
};

/// A domain that SPF or DKIM has judged, and what came of it.
struct DmarcIdentifier {
    std::string domain;  ///< in any spelling
    std::string result;  ///< the word of RFC 8601: "pass", "temperror"
};

struct DmarcMessage {
    std::string author{};                ///< author_domain(); "" if there is none
    std::vector<DmarcIdentifier> spf{};  ///< of the sender in MAIL; a result about HELO does not count
    std::vector<DmarcIdentifier> dkim{};
};

/// The results of SPF and DKIM that DMARC judges by: of spf those with smtp.mailfrom, of dkim those with header.d or
/// header.i.
SMTPD_API DmarcMessage dmarc_message(std::string author, const std::vector<const AuthenticationResult*>& results);

struct DmarcSettings {
    DmarcRfc rfc = DmarcRfc::rfc9989;
    const PublicSuffixes* suffixes = nullptr;  ///< for RFC 7489, which cannot do without
    /// RFC 7489: a number from 0 to 99, by chance. The policy holds if it is below pct.
    unsigned sample = 0;
};

enum class DmarcOutcome : std::uint8_t { none, pass, fail, temperror, permerror };
SMTPD_API std::string_view dmarc_outcome_name(DmarcOutcome outcome) noexcept;  ///< "temperror"

struct DmarcResult {
    DmarcOutcome outcome = DmarcOutcome::none;
    std::string reason;         ///< for logs, "" if there is nothing to add: "_dmarc.example.com: no answer in time"
    std::string author;         ///< as ascii_domain() has it
    std::string org_domain;     ///< the author's organizational domain; "" if it could not be told
    std::string policy_domain;  ///< where the record is; "" if there is none
    std::optional<DmarcRecord> record;
    std::optional<DmarcPolicy> policy;  ///< what applies, after sp, np and t
    /// What is to be done with this message: the policy if it failed, otherwise none. RFC 7489: after pct.
    DmarcPolicy disposition = DmarcPolicy::none;
    bool is_spf_aligned = false;  ///< a domain passed, and is aligned
    bool is_dkim_aligned = false;
    bool is_test = false;         ///< t=y made the policy milder
    bool is_sampled_out = false;  ///< pct made the disposition milder
    bool has_limit = false;       ///< more domains than max_identifier_walks
    std::size_t queries = 0;      ///< questions to the DNS
};

/// Nothing while answers are missing: see lookups.h. The author's walk leaves at once, what depends on it in a second
/// round: whether the author's domain exists (np), and the walks of domains below its organizational domain.
SMTPD_API std::optional<DmarcResult> evaluate_dmarc(const DmarcMessage& message, const DmarcSettings& settings,
                                                    Lookups& lookups);

/// For the Authentication-Results field: `dmarc=fail (p=reject dis=quarantine) header.from=example.com
/// policy.dmarc=reject`. `disposition` is what the server does with the message, for whatever reason.
SMTPD_API AuthenticationResult dmarc_authentication_result(const DmarcResult& result, DmarcPolicy disposition);

/// Asks what evaluate_dmarc() will ask first, if nothing but the author is known yet.
SMTPD_API void prepare_dmarc(const std::string& author, const DmarcSettings& settings, Lookups& lookups);

struct OrganizationalDomain {
    std::string domain{};  ///< "" if it could not be told
    std::string record{};  ///< where the record was found that decides; "" if there is none
    std::string reason{};  ///< why it could not be told
    std::size_t queries = 0;
};

/// The organizational domain of a name (RFC 9989 4.10.2, RFC 7489 3.2). Nothing while answers are missing.
SMTPD_API std::optional<OrganizationalDomain> organizational_domain(std::string_view domain,
                                                                    const DmarcSettings& settings, Lookups& lookups);

}  // namespace smtpd::mailauth
