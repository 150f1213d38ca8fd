/// signature.h: parses a DKIM-Signature field (RFC 6376 3.5) or an ARC-Message-Signature field (RFC 8617 4.1.2), and
/// checks it as far as possible without the DNS and the body.
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
    draft  ///< b= is empty, because there is no signature yet
};

struct Signature {
    /// The limit on names in h=.
    static constexpr std::size_t max_signed_names = 1000;

    /// The field must outlive the signature.
    Signature(const RawField& field, SignatureKind kind, SignatureState state = SignatureState::whole);

    const RawField* field;
    TagList tags;
    /// Why the signature cannot be valid, and its result; "" as long as it can.
    std::string problem;
    DkimResult result = DkimResult::permerror;

    std::string_view domain, selector, algorithm;  ///< as written
    std::string identity;                          ///< i= with quoted-printable decoded, or "@" and d=
    std::string key_name;                          ///< the DNS name of the key: `<selector>._domainkey.<domain>`
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
    /// Compares t= and x= with the time. Returns why the signature is not valid now, or "".
    std::string time_problem(std::chrono::sys_seconds now, std::chrono::seconds skew) const;
    /// Whether the domain of i= is d= itself, not a domain below it.
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

/// The DNS name of a key (RFC 6376 3.6.2.1). U-labels become A-labels (RFC 8616 5).
std::string key_name_of(std::string_view selector, std::string_view domain);
/// Whether this is a valid name for a key: labels of letters, digits, hyphens and underscores.
bool is_key_name(std::string_view name);

/// The SHA-256 of the fields that h= names and of the signature's own field.
Sha256 header_hash(const HeaderBlock& block, const Signature& signature);

}  // namespace smtpd::mailauth
