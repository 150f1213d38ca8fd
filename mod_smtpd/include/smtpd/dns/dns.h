/// dns.h: DNS questions, and the answers that plugins get.
///
/// A plugin asks its questions in an `ask` handler (waiting.h) and reads the answers in the handler that follows. Every
/// answer is one of three kinds, which must not be confused: records exist (found), none exist (is_absent), or the
/// answer is unknown (failed). A time-out never means "does not exist".
///
/// Names are compared by their ascii_domain() (base/domain.h): a U-label equals its A-label, and neither case nor a
/// final dot matters. Values here are immutable and may be kept and shared.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/ip.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd {

/// Record types, by their numbers in the DNS.
enum class DnsType : std::uint16_t { a = 1, ns = 2, cname = 5, ptr = 12, mx = 15, txt = 16, aaaa = 28 };
SMTPD_API std::string_view dns_type_name(DnsType type) noexcept;  ///< "AAAA"

/// One question. Only make() creates it, so the name is valid and in the form of ascii_domain().
struct SMTPD_API DnsQuestion {
    DnsType type = DnsType::a;
    std::string name;

    /// Nothing if the name is not valid: empty, over 253 octets, a label empty or over 63 octets, octets other than
    /// printable ASCII (backslash excluded), or a non-ASCII label that IDNA forbids. U-labels are asked for as A-labels
    /// (xn--…). A name may have blanks: SPF's macros can make such names (RFC 7208 7.1).
    static std::optional<DnsQuestion> make(DnsType type, std::string_view name);
    std::string to_string() const { return name + " " + std::string(dns_type_name(type)); }

    bool operator==(const DnsQuestion&) const = default;
};

/// The name under which an address is looked up: "1.2.0.192.in-addr.arpa", "….ip6.arpa"; "" for the unspecified
/// address.
SMTPD_API std::string reverse_dns_name(const IpAddress& address);

enum class DnsStatus : std::uint8_t {
    not_asked,       ///< no ask handler named the question, or (seen by an ask handler) the answer has not come yet
    found,           ///< there are records of that type
    no_data,         ///< the name exists, but has no records of that type
    no_such_name,    ///< the name does not exist
    bad_name,        ///< the name is not valid, so no question was sent
    server_failure,  ///< the servers cannot or will not answer (SERVFAIL, REFUSED, …), or sent a malformed answer
    timed_out        ///< no answer came in time
};
SMTPD_API std::string_view dns_status_name(DnsStatus status) noexcept;  ///< "no_such_name"

/// A host that accepts a domain's mail. `name` is "" for the root: "this domain accepts no mail" (RFC 7505).
struct DnsExchanger {
    std::uint16_t preference = 0;
    std::string name;
    bool operator==(const DnsExchanger&) const = default;
};

/// The records of an answer. Names have no final dot; octets that do not belong in a name, including a dot within a
/// label, are escaped as \ddd or \. to stay unambiguous. There are at most 1000 records of each type.
struct DnsRecords {
    std::vector<IpAddress> addresses;      ///< A, AAAA
    std::vector<std::string> names;        ///< PTR, NS, CNAME
    std::vector<std::string> texts;        ///< TXT: the strings of each record, joined; they may contain any octets
    std::vector<DnsExchanger> exchangers;  ///< MX, by preference
    std::string error;                     ///< why the question failed
};

/// The answer to one question. Aliases (CNAME) have been followed.
class SMTPD_API DnsAnswer {
public:
    DnsAnswer() = default;  ///< not asked
    explicit DnsAnswer(DnsStatus status, std::chrono::seconds ttl = {}, std::shared_ptr<const DnsRecords> records = {})
        : status_(status), ttl_(ttl), records_(std::move(records)) {}
    static DnsAnswer failure(DnsStatus status, std::string error);

    DnsStatus status() const noexcept { return status_; }
    bool found() const noexcept { return status_ == DnsStatus::found; }
    /// The records certainly do not exist.
    bool is_absent() const noexcept {
        return status_ == DnsStatus::no_data || status_ == DnsStatus::no_such_name || status_ == DnsStatus::bad_name;
    }
    /// The answer is unknown: neither found nor absent.
    bool failed() const noexcept { return !found() && !is_absent(); }
    /// Why the question failed, as a fragment for log lines; for other answers their status: "no such name".
    std::string_view error() const noexcept;

    const std::vector<IpAddress>& addresses() const noexcept { return records().addresses; }
    const std::vector<std::string>& names() const noexcept { return records().names; }
    const std::vector<std::string>& texts() const noexcept { return records().texts; }
    const std::vector<DnsExchanger>& exchangers() const noexcept { return records().exchangers; }
    /// How long the answer remains valid.
    std::chrono::seconds ttl() const noexcept { return ttl_; }

    /// For the resolver: the same answer with its remaining lifetime.
    DnsAnswer with_ttl(std::chrono::seconds ttl) const { return DnsAnswer(status_, ttl, records_); }
    const DnsRecords& records() const noexcept;
    /// For logs: "found 192.0.2.1 192.0.2.2", "timed_out (no answer in time)"; octets from outside are quoted.
    std::string to_string() const;

private:
    DnsStatus status_ = DnsStatus::not_asked;
    std::chrono::seconds ttl_{0};
    std::shared_ptr<const DnsRecords> records_;
};

/// The answers of a stage, for the host: the data behind Answers and Questions.
class SMTPD_API DnsAnswers {
public:
    /// The answer to that question; `not_asked` or `bad_name` if there is none. Valid until the next add().
    const DnsAnswer& find(DnsType type, std::string_view name) const noexcept;
    void add(DnsQuestion question, DnsAnswer answer) { entries_.emplace_back(std::move(question), std::move(answer)); }
    const std::vector<std::pair<DnsQuestion, DnsAnswer>>& entries() const noexcept { return entries_; }

private:
    std::vector<std::pair<DnsQuestion, DnsAnswer>> entries_;
};

}  // namespace smtpd
