/// dns.h: questions to the DNS, and the answers that plugins get.
///
/// A plugin names its questions in an `ask` handler (waiting.h) and looks at the answers in the handler behind it. An
/// answer is always one of three kinds, which must not be mixed up: there is something (found), there is nothing
/// (is_absent), or nobody knows (failed). A time-out is never "does not exist".
///
/// Names are compared as ascii_domain() (base/domain.h) has them: a U-label is its A-label, and neither case nor a
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

/// Types of records, by their numbers in the DNS.
enum class DnsType : std::uint16_t { a = 1, ns = 2, cname = 5, ptr = 12, mx = 15, txt = 16, aaaa = 28 };
SMTPD_API std::string_view dns_type_name(DnsType type) noexcept;  ///< "AAAA"

/// One question. Made by make() only, so its name is a possible one, as ascii_domain() has it.
struct SMTPD_API DnsQuestion {
    DnsType type = DnsType::a;
    std::string name;

    /// Nothing where no such name can be: empty, over 253 octets, a label empty or over 63 octets, octets other than
    /// printable ASCII (blank and backslash excluded), or a label beyond ASCII that IDNA forbids. U-labels are asked
    /// for as A-labels (xn--…).
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
    no_data,         ///< the name exists, records of that type do not
    no_such_name,    ///< the name does not exist
    bad_name,        ///< there can be no such name, so nobody was asked
    server_failure,  ///< the servers said that they cannot or will not tell (SERVFAIL, REFUSED, …), or gave an answer
                     ///< that is none
    timed_out        ///< no answer came in time
};
SMTPD_API std::string_view dns_status_name(DnsStatus status) noexcept;  ///< "no_such_name"

/// A host that takes a domain's mail. `name` is "" for the root: "this domain takes no mail" (RFC 7505).
struct DnsExchanger {
    std::uint16_t preference = 0;
    std::string name;
    bool operator==(const DnsExchanger&) const = default;
};

/// What an answer holds. Names have no final dot; octets that do not belong into a name, a dot within a label too, are
/// written \ddd or \. , so that they cannot be taken for what they are not. There are at most 1000 records of a type.
struct DnsRecords {
    std::vector<IpAddress> addresses;      ///< A, AAAA
    std::vector<std::string> names;        ///< PTR, NS, CNAME
    std::vector<std::string> texts;        ///< TXT: each record's strings in one; any octets may be in it
    std::vector<DnsExchanger> exchangers;  ///< MX, by preference
    std::string error;                     ///< why it failed
};

/// What came of one question. Aliases (CNAME) have been followed.
class SMTPD_API DnsAnswer {
public:
    DnsAnswer() = default;  ///< not asked
    explicit DnsAnswer(DnsStatus status, std::chrono::seconds ttl = {}, std::shared_ptr<const DnsRecords> records = {})
        : status_(status), ttl_(ttl), records_(std::move(records)) {}
    static DnsAnswer failure(DnsStatus status, std::string error);

    DnsStatus status() const noexcept { return status_; }
    bool found() const noexcept { return status_ == DnsStatus::found; }
    /// There is no such thing, for certain.
    bool is_absent() const noexcept {
        return status_ == DnsStatus::no_data || status_ == DnsStatus::no_such_name || status_ == DnsStatus::bad_name;
    }
    /// Nobody knows: neither found nor absent.
    bool failed() const noexcept { return !found() && !is_absent(); }
    /// Why it failed, as a sentence fragment for the log; for other answers what it is: "no such name".
    std::string_view error() const noexcept;

    const std::vector<IpAddress>& addresses() const noexcept { return records().addresses; }
    const std::vector<std::string>& names() const noexcept { return records().names; }
    const std::vector<std::string>& texts() const noexcept { return records().texts; }
    const std::vector<DnsExchanger>& exchangers() const noexcept { return records().exchangers; }
    /// How long it holds from now on.
    std::chrono::seconds ttl() const noexcept { return ttl_; }

    /// For the resolver: the same answer when it has become older.
    DnsAnswer with_ttl(std::chrono::seconds ttl) const { return DnsAnswer(status_, ttl, records_); }
    const DnsRecords& records() const noexcept;
    /// For logs: "found 192.0.2.1 192.0.2.2", "timed_out (no answer in time)"; octets from outside are quoted.
    std::string to_string() const;

private:
    DnsStatus status_ = DnsStatus::not_asked;
    std::chrono::seconds ttl_{0};
    std::shared_ptr<const DnsRecords> records_;
};

/// The answers of a stage, for the host: what Answers and Questions look into.
class SMTPD_API DnsAnswers {
public:
    /// The answer to that question; `not_asked`, or `bad_name`, where there is none. Valid until the next add().
    const DnsAnswer& find(DnsType type, std::string_view name) const noexcept;
    void add(DnsQuestion question, DnsAnswer answer) { entries_.emplace_back(std::move(question), std::move(answer)); }
    const std::vector<std::pair<DnsQuestion, DnsAnswer>>& entries() const noexcept { return entries_; }

private:
    std::vector<std::pair<DnsQuestion, DnsAnswer>> entries_;
};

}  // namespace smtpd
