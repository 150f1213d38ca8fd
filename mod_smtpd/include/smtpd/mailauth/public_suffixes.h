/// public_suffixes.h: the list of suffixes under which anybody may register a domain (publicsuffix.org).
///
/// RFC 7489 uses it to find organizational domains: the suffix and one more label. RFC 9989 does not need it.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/result.h>

#include <memory>
#include <string>
#include <string_view>

namespace smtpd::mailauth {

/// Immutable; thread-safe.
class SMTPD_API PublicSuffixes {
public:
    /// Whether this build can read such lists (it was built with libpsl). If not, of_system() and load() return Errors.
    static bool is_supported() noexcept;
    /// Reads the newest list of the system. Error (config): there is none.
    static Result<std::shared_ptr<const PublicSuffixes>> of_system();
    /// Reads a list from a file in the format of publicsuffix.org. Error (config): the file cannot be read, or is not a
    /// list.
    static Result<std::shared_ptr<const PublicSuffixes>> load(const std::string& path);

    virtual ~PublicSuffixes() = default;

    /// The suffix of the domain and one more label, in lower case, with U-labels or A-labels as in `domain`. "" if
    /// `domain` is a public suffix itself, or not a domain. If no rule matches, the suffix is the last label.
    virtual std::string registrable_domain(std::string_view domain) const = 0;
    /// The registrable domain or, for a domain without one, the domain itself (RFC 7489 3.2).
    std::string organizational_domain(std::string_view domain) const;
};

}  // namespace smtpd::mailauth
