/// signature.h: a DKIM-Signature field (RFC 6376 3.5) or an ARC-Message-Signature field (RFC 8617 4.1.2), read and
/// checked as far as that needs neither the DNS nor the body.
#pragma once

#include "mailauth/header_block.h"
#include "mailauth/public_key.h"
#include "mailauth/tag_list.h"

#include <smtpd/mailauth/dkim.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

enum class SignatureKind : std::uint8_t { dkim, arc_message };

enum class SignatureState : std::uint8_t {
    whole,
    draft  ///< b= is empty, because it is still to be made
};

struct Signature {
    /// Names in h=.
    static constexpr std::size_t max_signed_names = 1000;

    /// The field must outlive the signature.
    Signature(const RawField& field, SignatureKind kind, SignatureState state = SignatureState::whole);

    const RawField* field;
    TagList tags;
    /// Why it cannot be valid, and the result that follows; "" while it can be.
    std::string problem;
    DkimResult result = DkimResult::permerror;

    std::string_view domain, selector, algorithm;  ///< as written
    std::string identity;                          ///< i= with quoted-printable decoded, or "@" and d=
    std::string key_name;                          ///< where the key is: `<selector>._domainkey.<domain>`
    KeyType key_type = KeyType::rsa;
    Canonicalization header_form = Canonicalization::simple;
    Canonicalization body_form = Canonicalization::simple;
    std::optional<std::uint64_t> body_limit, time, expiry;
    std::vector<std::string_view> signed_names;
    std::string value, body_hash;  ///< b=, bh=, decoded

    bool is_possible() const noexcept { return problem.empty(); }
    void refuse(std::string why, DkimResult as = DkimResult::permerror) {
        problem = std::move(why);
        result = as;
    }
    /// Compares t= and x= with the time: why it is not valid now, or "".
    std::string time_problem(std::chrono::sys_seconds now, std::chrono::seconds skew) const;
    /// i= is a user of d= itself, not of a domain below it.
    bool identity_is_in_domain() const;

private:
    void read(SignatureKind kind, SignatureState state);
    bool read_required(SignatureKind kind);
    bool read_algorithm();
    bool read_forms(SignatureKind kind);
    bool read_names(SignatureKind kind);
    bool read_identity();
    bool read_numbers();
    bool read_octets(SignatureState state);
};

/// The name of a key in the DNS (RFC 6376 3.6.2.1); U-labels become A-labels (RFC 8616 5).
std::string key_name_of(std::string_view selector, std::string_view domain);
/// Whether there can be such a name: labels of letters, digits, hyphens and underscores.
bool is_key_name(std::string_view name);

/// The SHA-256 of the fields that h= names and of the signature's own field.
Sha256 header_hash(const HeaderBlock& block, const Signature& signature);

}  // namespace smtpd::mailauth
