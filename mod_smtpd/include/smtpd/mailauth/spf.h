/// spf.h: Sender Policy Framework (RFC 7208): tests whether a client may send for a domain. Follows the rules of RFC
/// 8616 for addresses beyond ASCII.
///
///     const mailauth::SpfEvaluator spf;
///     …
///     const auto request = mailauth::SpfRequest::mail_from(client, helo, sender);
///     if (const auto outcome = spf.evaluate(request, lookups)) …   // std::nullopt while answers are missing
///
/// | limit | value | beyond it |
/// |---|---|---|
/// | terms that ask the DNS (RFC 7208 4.6.4) | 10 in one evaluation | permerror |
/// | names of an MX answer | 10 for each `mx` | permerror |
/// | names of a PTR answer | 10 for `ptr` and `%{p}` | the other names are ignored |
/// | void answers | SpfSettings::void_limit, by default 2 | permerror |
/// | octets of an expanded name | 253 | labels are dropped from the left (RFC 7208 7.3) |
/// | octets of an explanation | 400 | the rest is cut off |
///
/// So an evaluation needs at most 123 questions. The caller sets the time limit: an answer that is late gives
/// temperror.
#pragma once

#include <smtpd/authentication_result.h>
#include <smtpd/base/address.h>
#include <smtpd/base/api.h>
#include <smtpd/base/clock.h>
#include <smtpd/base/ip.h>
#include <smtpd/mailauth/lookups.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace smtpd::mailauth {

enum class SpfResult : std::uint8_t {
    none,       ///< no record, or not a domain that can have one
    neutral,    ///< the domain says nothing about this client
    pass,       ///< the client may send for the domain
    fail,       ///< it may not
    softfail,   ///< it probably may not
    temperror,  ///< the DNS gave no answer
    permerror   ///< the domain's records are wrong
};
SMTPD_API std::string_view spf_result_name(SpfResult result) noexcept;  ///< "softfail"

/// The identity that is tested (RFC 7208 2.3, 2.4).
enum class SpfIdentity : std::uint8_t { mail_from, helo };

/// One question: may `client` send for `domain`?
struct SMTPD_API SpfRequest {
    IpAddress client;
    std::string helo;        ///< as sent by the client
    std::string local_part;  ///< the sender's local part, unquoted
    std::string domain;      ///< the domain to test: A-labels, without a final dot
    SpfIdentity identity = SpfIdentity::mail_from;
    bool is_null_sender = false;

    /// For the null sender the identity is postmaster@HELO (RFC 7208 2.4). A sender without a local part gets
    /// `postmaster`.
    static SpfRequest mail_from(const IpAddress& client, std::string_view helo, const Address& sender);
    static SpfRequest mail_from(const IpAddress& client, std::string_view helo, std::string_view local_part,
                                std::string_view domain);
    static SpfRequest from_helo(const IpAddress& client, std::string_view helo);
};

struct SpfSettings {
    unsigned void_limit = 2;  ///< how many void answers are allowed (RFC 7208 4.6.4)
    std::string receiver{};   ///< our name, for `%{r}`; "" is `unknown`
};

/// The result of an evaluation.
struct SMTPD_API SpfOutcome {
    SpfResult result = SpfResult::none;
    std::string mechanism{};    ///< the term that decided, as in the record; "default" if none did; "" = no record
    std::string problem{};      ///< what went wrong, for `none`, `temperror` and `permerror`; safe for logs
    std::string explanation{};  ///< for `fail`: untrusted text of the domain, printable ASCII; may be ""
    unsigned lookups = 0;       ///< terms that asked the DNS
    unsigned voids = 0;         ///< void answers

    bool operator==(const SpfOutcome&) const = default;
};

/// Evaluates SPF. Caches parsed records (at most 2048), with their text as the key. Thread-safe.
class SMTPD_API SpfEvaluator {
public:
    explicit SpfEvaluator(SpfSettings settings = {});
    ~SpfEvaluator();
    SpfEvaluator(SpfEvaluator&&) noexcept;
    SpfEvaluator& operator=(SpfEvaluator&&) noexcept;

    /// Returns std::nullopt while answers are missing: the questions have been sent, so call it again later. `now` is
    /// used only for the macro `%{t}` of explanations.
    std::optional<SpfOutcome> evaluate(const SpfRequest& request, Lookups& lookups, WallTime now = {}) const;

    const SpfSettings& settings() const noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The value of a Received-SPF field (RFC 7208 9.1), folded. `receiver` is our name.
SMTPD_API std::string received_spf(const SpfRequest& request, const SpfOutcome& outcome, std::string_view receiver);

/// The entry for Authentication-Results (RFC 8601): "spf=pass smtp.mailfrom=example.com", or smtp.helo. The value is
/// the domain.
SMTPD_API AuthenticationResult spf_authentication_result(const SpfRequest& request, const SpfOutcome& outcome);

}  // namespace smtpd::mailauth
