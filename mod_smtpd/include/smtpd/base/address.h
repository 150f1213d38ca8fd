/// address.h: an envelope address by the path grammar of RFC 5321 4.1.2, prepared for RFC 6531.
///
/// The local part is kept unquoted, the domain as it was written; printing quotes again exactly where the grammar needs
/// it, so that
/// `"foo bar"@example.com` survives and `"foo"@example.com` and `foo@example.com` are one address. Immutable and
/// thread-safe.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/ip.h>

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace smtpd {

/// What a path may contain; which of MAIL and RCPT it stands in.
struct AddressSyntax {
    bool smtputf8 = false;          ///< RFC 6531: UTF-8 in local part and domain
    bool allow_null = false;        ///< `<>`, only in MAIL
    bool allow_postmaster = false;  ///< `<postmaster>` without a domain, RFC 5321 4.1.1.3, only in RCPT
};

class SMTPD_API Address {
public:
    Address() = default;  ///< the null address, `<>`

    /// Reads `<path>`, brackets included, source route allowed and dropped (RFC 5321 4.1.1.3). On failure `why` (if
    /// given) gets a short reason for the client ("local part is longer than 64 octets").
    static std::optional<Address> parse_path(std::string_view path, const AddressSyntax& syntax,
                                             std::string* why = nullptr);
    /// Reads `local@domain` as found in a control file: no brackets, no route. Never null.
    static std::optional<Address> parse(std::string_view mailbox, const AddressSyntax& syntax = {},
                                        std::string* why = nullptr);
    /// Takes both parts as they are; for tests and for rewriting.
    static Address from_parts(std::string local_part, std::string domain);

    bool is_null() const noexcept { return local_part_.empty() && domain_.empty(); }
    bool has_domain() const noexcept { return !domain_.empty(); }
    bool is_address_literal() const noexcept { return !domain_.empty() && domain_.front() == '['; }
    /// The address in `[…]`, if the domain is an IPv4 or IPv6 literal.
    std::optional<IpAddress> literal_ip() const;
    bool is_ascii() const noexcept;

    const std::string& local_part() const noexcept { return local_part_; }  ///< unquoted, case kept
    const std::string& domain() const noexcept { return domain_; }  ///< case kept; empty for null and bare postmaster
    std::string domain_lower() const;                               ///< ASCII letters folded: the key for comparisons

    /// `local@domain`, quoted where RFC 5321 asks for it; "" for the null address.
    std::string to_string() const;
    /// `<local@domain>`, `<>`.
    std::string path() const;
    /// to_string() with ASCII letters folded: what lists are matched against.
    std::string folded() const;

    /// Local part compared exactly, domain without regard to ASCII case (RFC 5321 2.4).
    bool operator==(const Address& other) const noexcept;

private:
    Address(std::string local_part, std::string domain)
        : local_part_(std::move(local_part)), domain_(std::move(domain)) {}

    std::string local_part_;
    std::string domain_;
};

}  // namespace smtpd
