/// authentication_result.h: the result of checking a message's or a client's identity, as a value (RFC 8601).
///
///     return pass("{} may send for {}", client, domain)
///         .authentication_result({.method = "spf", .result = "pass", .properties = {{"smtp", "mailfrom", domain}}});
///     …
///     if (const auto* spf = hook.results().find("spf"); spf && spf->result == "pass") …
///
/// The server writes all results into one Authentication-Results field after the hook data_post, and does the quoting
/// and folding. A value is the tested item as it came, and may hold any bytes.
#pragma once

#include <smtpd/base/api.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd {

/// What was tested, or what the test relied on: "smtp.mailfrom=example.com".
struct AuthenticationProperty {
    std::string type;   ///< "smtp", "header", "body", "policy" (RFC 8601 2.3)
    std::string name;   ///< "mailfrom"
    std::string value;  ///< an address, a domain or a text; not quoted

    bool operator==(const AuthenticationProperty&) const = default;
};

/// One result of one method (RFC 8601 2.2, 2.7; the methods, results and properties that are in use are registered with
/// the IANA).
struct AuthenticationResult {
    std::string method;    ///< "iprev", "auth", "spf", "dkim"
    std::string result;    ///< "pass", "fail", "none", "temperror"
    std::string reason{};  ///< why, for programs and people; may be empty
    std::vector<AuthenticationProperty> properties{};
    std::string comment{};  ///< for people, in parentheses after the result; may be empty
    unsigned version = 1;   ///< of the method; 1 is not written

    /// The value of the first such property; null if there is none. Names compare without regard to case.
    SMTPD_API const std::string* property(std::string_view type, std::string_view name) const noexcept;
    /// As in the field, in ASCII and on one line: "spf=pass smtp.mailfrom=example.com". Safe for a log.
    SMTPD_API std::string to_string() const;
    bool operator==(const AuthenticationResult&) const = default;
};

/// The results of a connection or a transaction, in the order in which they were found. Belongs to one session and is
/// used by one thread at a time.
class SMTPD_API AuthenticationResults {
public:
    using Entries = std::vector<AuthenticationResult>;

    void add(AuthenticationResult result) { entries_.push_back(std::move(result)); }
    /// The first result of that method; null if there is none. Names compare without regard to case.
    const AuthenticationResult* find(std::string_view method) const noexcept;

    Entries::const_iterator begin() const noexcept { return entries_.begin(); }
    Entries::const_iterator end() const noexcept { return entries_.end(); }
    std::size_t size() const noexcept { return entries_.size(); }
    bool empty() const noexcept { return entries_.empty(); }

    // For the server
    /// Removes all entries after the first `count`.
    void truncate(std::size_t count) {
        if (count < entries_.size()) entries_.resize(count);
    }
    /// Removes the results of that method.
    void remove(std::string_view method);
    /// The field has been written: results that are added from now on are not in it.
    void close() noexcept { is_closed_ = true; }
    bool is_closed() const noexcept { return is_closed_; }

private:
    Entries entries_;
    bool is_closed_ = false;
};

/// The results that a handler sees: first those about the connection (iprev, auth), which apply to each of its
/// transactions, then those about the transaction. Valid during the call.
class SMTPD_API ResultsView {
public:
    /// `transaction` may be null.
    ResultsView(const AuthenticationResults& connection, const AuthenticationResults* transaction) noexcept
        : connection_(connection), transaction_(transaction) {}

    /// The first result of that method; null if there is none. Names compare without regard to case.
    const AuthenticationResult* find(std::string_view method) const noexcept;
    /// All results of that method: DKIM gives one for each signature, SPF one for HELO and one for MAIL.
    std::vector<const AuthenticationResult*> find_all(std::string_view method) const;
    /// All results.
    std::vector<const AuthenticationResult*> all() const;

private:
    const AuthenticationResults& connection_;
    const AuthenticationResults* const transaction_;
};

}  // namespace smtpd
