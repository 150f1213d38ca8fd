/// address.h: an envelope address in the path grammar of RFC 5321 4.1.2, with the extension of RFC 6531.
///
/// An Address stores its local part unquoted and its domain as written (without a final dot). Output quotes the local
/// part only where the grammar requires it, so that `"foo bar"@example.com` survives, and `"foo"@example.com` equals
/// `foo@example.com`. To compare, look up or build a path, use key(), local_key() and domain_key(): two spellings of
/// one address have the same keys. Immutable and thread-safe.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/ip.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd {

/// Whether `Bob@` and `bob@` are the same mailbox. `postmaster` never depends on case (RFC 5321 4.5.1).
enum class LocalPartCase : std::uint8_t { insensitive, sensitive };

/// What a path may contain, depending on the command (MAIL or RCPT), and how the server compares addresses.
struct AddressSyntax {
    bool smtputf8 = false;          ///< RFC 6531: UTF-8 in local part and domain
    bool allow_null = false;        ///< `<>`, only in MAIL
    bool allow_postmaster = false;  ///< `<postmaster>` without a domain, RFC 5321 4.1.1.3, only in RCPT
    /// Enforces the grammar and limits of RFC 5321 strictly. Otherwise, forms that real senders use are accepted: a
    /// local part of more than 64 octets (up to 900 octets for the whole address), with dots at its ends, with two dots
    /// in a row, or with empty quotes; a domain with underscores or a final dot.
    bool strict = false;
    LocalPartCase local_part_case = LocalPartCase::insensitive;
};

class SMTPD_API Address {
public:
    Address() = default;  ///< the null address, `<>`

    /// Parses `<path>`, including the brackets. A source route is allowed and dropped (RFC 5321 4.1.1.3). On failure,
    /// `why` (if given) gets a short reason for the client ("local part is longer than 64 octets").
    static std::optional<Address> parse_path(std::string_view path, const AddressSyntax& syntax,
                                             std::string* why = nullptr);
    /// Parses `local@domain` as in a control file: no brackets, no route.
    static std::optional<Address> parse(std::string_view mailbox, const AddressSyntax& syntax = {},
                                        std::string* why = nullptr);
    /// Takes both parts without checking them; for tests and for rewriting.
    static Address from_parts(std::string local_part, std::string domain,
                              LocalPartCase local_part_case = LocalPartCase::insensitive);

    bool is_null() const noexcept { return local_part_.empty() && domain_.empty(); }
    bool has_domain() const noexcept { return !domain_.empty(); }
    bool is_address_literal() const noexcept { return !domain_.empty() && domain_.front() == '['; }
    /// The IP address in `[…]` if the domain is an IPv4 or IPv6 literal.
    std::optional<IpAddress> literal_ip() const;
    bool is_ascii() const noexcept;

    const std::string& local_part() const noexcept { return local_part_; }  ///< unquoted, case kept
    /// Case kept, U-labels kept; empty for the null address and a bare postmaster.
    const std::string& domain() const noexcept { return domain_; }

    /// The local part for comparisons and paths: ASCII letters in lower case, unless the address is case-sensitive.
    std::string local_key() const;
    /// The domain for comparisons, look-ups and paths: ascii_domain() (smtpd/base/domain.h), or the canonical form of
    /// an address literal.
    std::string domain_key() const;
    /// `local_key@domain_key`, quoted as RFC 5321 requires: how lists, stores and caches identify an address.
    std::string key() const;
    /// The texts to match regular expressions against: key(), and if its domain has A-labels, the same with U-labels.
    std::vector<std::string> key_spellings() const;

    /// `local@domain`, quoted as RFC 5321 requires; "" for the null address.
    std::string to_string() const;
    /// `<local@domain>`, `<>`.
    std::string path() const;

    /// Whether both are spellings of the same address. If either is case-sensitive, the case of the local parts counts.
    bool operator==(const Address& other) const;

private:
    Address(std::string local_part, std::string domain, LocalPartCase local_part_case)
        : local_part_(std::move(local_part)), domain_(std::move(domain)), local_part_case_(local_part_case) {}

    std::string local_part_;
    std::string domain_;
    LocalPartCase local_part_case_ = LocalPartCase::insensitive;
};

/// The key for looking up a list entry. An entry `local@domain` becomes the key() of that address, `@domain` an @ and
/// the domain_key(), and an entry without an @ its ascii_domain().
SMTPD_API std::string list_key(std::string_view entry, LocalPartCase local_part_case = LocalPartCase::insensitive);

/// The same for the name of a user who logs in. The case of a login never counts; a login without an @ is not treated
/// as a domain.
SMTPD_API std::string login_key(std::string_view login);

}  // namespace smtpd
