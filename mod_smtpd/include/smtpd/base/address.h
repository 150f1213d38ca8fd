/// address.h: an envelope address by the path grammar of RFC 5321 4.1.2, with the extension of RFC 6531.
///
/// An address keeps its local part unquoted, and its domain as it was written (without a final dot). Printing quotes
/// again exactly where the grammar needs it, so that `"foo bar"@example.com` survives, and `"foo"@example.com` and
/// `foo@example.com` are one address. What has to be compared, looked up or used as a path is key(), local_key() and
/// domain_key(): two spellings of one address have the same keys. Immutable and thread-safe.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/ip.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd {

/// Whether `Bob@` and `bob@` are one mailbox. `postmaster` is one in any case (RFC 5321 4.5.1).
enum class LocalPartCase : std::uint8_t { insensitive, sensitive };

/// What a path may contain; which of MAIL and RCPT it stands in; how the server compares addresses.
struct AddressSyntax {
    bool smtputf8 = false;          ///< RFC 6531: UTF-8 in local part and domain
    bool allow_null = false;        ///< `<>`, only in MAIL
    bool allow_postmaster = false;  ///< `<postmaster>` without a domain, RFC 5321 4.1.1.3, only in RCPT
    /// The grammar and the limits of RFC 5321 to the letter. Without it, the address may have what senders in use have:
    /// a local part of more than 64 octets (and up to 900 octets in all), dots at its ends or two in a row, or nothing
    /// in its quotes; a domain with underscores or a final dot.
    bool strict = false;
    LocalPartCase local_part_case = LocalPartCase::insensitive;
};

class SMTPD_API Address {
public:
    Address() = default;  ///< the null address, `<>`

    /// Reads `<path>`, brackets included, source route allowed and dropped (RFC 5321 4.1.1.3). On failure `why` (if
    /// given) gets a short reason for the client ("local part is longer than 64 octets").
    static std::optional<Address> parse_path(std::string_view path, const AddressSyntax& syntax,
                                             std::string* why = nullptr);
    /// Reads `local@domain` as found in a control file: no brackets, no route.
    static std::optional<Address> parse(std::string_view mailbox, const AddressSyntax& syntax = {},
                                        std::string* why = nullptr);
    /// Takes both parts as they are; for tests and for rewriting.
    static Address from_parts(std::string local_part, std::string domain,
                              LocalPartCase local_part_case = LocalPartCase::insensitive);

    bool is_null() const noexcept { return local_part_.empty() && domain_.empty(); }
    bool has_domain() const noexcept { return !domain_.empty(); }
    bool is_address_literal() const noexcept { return !domain_.empty() && domain_.front() == '['; }
    /// The address in `[…]`, if the domain is an IPv4 or IPv6 literal.
    std::optional<IpAddress> literal_ip() const;
    bool is_ascii() const noexcept;

    const std::string& local_part() const noexcept { return local_part_; }  ///< unquoted, case kept
    /// Case kept, U-labels kept; empty for the null address and a bare postmaster.
    const std::string& domain() const noexcept { return domain_; }

    /// The local part for comparisons and paths: ASCII letters in lower case, unless the address is case-sensitive.
    std::string local_key() const;
    /// The domain for comparisons, look-ups and paths: ascii_domain() of it (smtpd/base/domain.h), or
    /// the usual spelling of an address literal.
    std::string domain_key() const;
    /// `local@domain` made of both, quoted where RFC 5321 asks for it: what lists, stores and caches know an address
    /// by.
    std::string key() const;
    /// The texts in which regular expressions are searched: key(), and where its domain has A-labels, the same with
    /// U-labels.
    std::vector<std::string> key_spellings() const;

    /// `local@domain`, quoted where RFC 5321 asks for it; "" for the null address.
    std::string to_string() const;
    /// `<local@domain>`, `<>`.
    std::string path() const;

    /// Whether both are spellings of one address. If one of them is case-sensitive, the case of the local parts counts.
    bool operator==(const Address& other) const;

private:
    Address(std::string local_part, std::string domain, LocalPartCase local_part_case)
        : local_part_(std::move(local_part)), domain_(std::move(domain)), local_part_case_(local_part_case) {}

    std::string local_part_;
    std::string domain_;
    LocalPartCase local_part_case_ = LocalPartCase::insensitive;
};

/// How an entry of a list is looked up. An entry `local@domain` becomes the key() of that address, `@domain` an @ and
/// the domain_key(), and an entry without an @ the ascii_domain() of it.
SMTPD_API std::string list_key(std::string_view entry, LocalPartCase local_part_case = LocalPartCase::insensitive);

/// The same for the name of a user who logs in. The case of a login never counts; one without an @ is no domain.
SMTPD_API std::string login_key(std::string_view login);

}  // namespace smtpd
