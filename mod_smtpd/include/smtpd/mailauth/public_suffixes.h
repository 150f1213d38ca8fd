/// public_suffixes.h: the list of suffixes under which everybody may register a domain (publicsuffix.org).
///
/// RFC 7489 finds the organizational domain of a name with it: the suffix and one label more. RFC 9989 does not need
/// it.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/result.h>

#include <memory>
#include <string>
#include <string_view>

namespace smtpd::mailauth {

/// Immutable; any number of threads may use one object.
class SMTPD_API PublicSuffixes {
public:
    /// Whether this build can read such lists (it was built with libpsl). Otherwise the functions below give Errors.
    static bool is_supported() noexcept;
    /// The newest list that comes with the system. Error (config): there is none.
    static Result<std::shared_ptr<const PublicSuffixes>> of_system();
    /// The list in that file, in the format of publicsuffix.org. Error (config): it cannot be read, or is no list.
    static Result<std::shared_ptr<const PublicSuffixes>> load(const std::string& path);

    virtual ~PublicSuffixes() = default;

    /// The suffix of the domain and one label more, in lower case and otherwise spelled as it was given; "" if the
    /// domain is a public suffix itself, or no domain. A suffix that no rule names has one label.
    virtual std::string registrable_domain(std::string_view domain) const = 0;
    /// The same; for a domain that has none, the domain itself (RFC 7489 3.2).
    std::string organizational_domain(std::string_view domain) const;
};

}  // namespace smtpd::mailauth
