/// domain.h: one domain has several spellings; these functions give the one that counts.
///
/// `BÜCHER.example`, `bücher.example` (composed or decomposed) and `xn--bcher-kva.example` are one domain. Plugins show
/// what the client sent, and compare, look up and store ascii_domain(). An Address does so with domain_key() and key().
/// All functions are pure and thread-safe.
#pragma once

#include <smtpd/base/api.h>

#include <string>
#include <string_view>

namespace smtpd {

/// The domain for comparisons, look-ups and paths: each label as an A-label (RFC 5890 2.3.2.1), in lower case, without
/// the final dot of the whole. U-labels are mapped first as UTS 46 says, without its transitional rules, so that upper
/// case and decomposed letters do not matter. A label that IDNA forbids stays as it is, with ASCII letters in lower
/// case. A dot at the beginning stays.
SMTPD_API std::string ascii_domain(std::string_view domain);

/// The same domain with U-labels where it has A-labels: what a regular expression may have been written for.
SMTPD_API std::string unicode_domain(std::string_view domain);

/// Whether both are spellings of one domain.
SMTPD_API bool is_same_domain(std::string_view a, std::string_view b);

/// Whether IDNA has an A-label for each label beyond ASCII (RFC 5891 5). ASCII labels are not judged.
SMTPD_API bool is_idna_domain(std::string_view domain);

/// A host or domain that came from outside, as ASCII text: its A-labels, and `?` for each octet that is still not
/// printable ASCII. ASCII passes unchanged, upper case included.
SMTPD_API std::string printable_domain(std::string_view domain);

}  // namespace smtpd
