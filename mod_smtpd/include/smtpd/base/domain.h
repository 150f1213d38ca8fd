/// domain.h: canonical forms of domain names that have several spellings.
///
/// `BÜCHER.example`, `bücher.example` (composed or decomposed) and `xn--bcher-kva.example` are the same domain. Plugins
/// show what the client sent, but compare, look up and store ascii_domain(). Address does so with domain_key() and
/// key(). All functions are pure and thread-safe.
#pragma once

#include <smtpd/base/api.h>

#include <string>
#include <string_view>

namespace smtpd {

/// The domain for comparisons, look-ups and paths: each label as an A-label (RFC 5890 2.3.2.1), in lower case, without
/// a final dot. U-labels are first mapped by UTS 46 (nontransitional), so that upper case and decomposed letters do not
/// matter. A label that IDNA forbids stays as it is, with ASCII letters in lower case. A leading dot stays.
SMTPD_API std::string ascii_domain(std::string_view domain);

/// The same domain with U-labels instead of A-labels: the form that a regular expression may have been written for.
SMTPD_API std::string unicode_domain(std::string_view domain);

/// Whether both are spellings of the same domain.
SMTPD_API bool is_same_domain(std::string_view a, std::string_view b);

/// Whether every non-ASCII label has an A-label under IDNA (RFC 5891 5). ASCII labels are not checked.
SMTPD_API bool is_idna_domain(std::string_view domain);

/// A host or domain from outside as printable ASCII: A-labels where possible, and `?` for each remaining octet that is
/// not printable ASCII. ASCII passes unchanged, upper case included.
SMTPD_API std::string printable_domain(std::string_view domain);

}  // namespace smtpd
