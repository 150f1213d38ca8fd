/// zone_resolver.h: a resolver that answers from a list of records: for drivers and tests, so that a dialogue is
/// reproducible without a network.
///
///     # name          type  data
///     mx.example      A     192.0.2.1
///     192.0.2.1       PTR   mx.example         an address may stand for its name below in-addr.arpa
///     example         MX    10 mx.example
///     example         TXT   v=spf1 mx -all     to the end of the line; quotation marks around it are left out
///     www.example     CNAME mx.example
///     slow.example    TIMEOUT                  never answered
///     broken.example  SERVFAIL                 answered, with a failure
///     half.example    TXT   TIMEOUT            one type only: TIMEOUT or SERVFAIL without quotation marks
///     gone.example    NXDOMAIN                 does not exist, even if there are names below it
///     *.example       A     192.0.2.9          for names below example that do not exist (RFC 4592)
///
/// TIMEOUT and SERVFAIL of a name apply to the types of which it has no records. Every other name does not exist,
/// unless it has a subdomain. Answers are available at once and valid for an hour. zone_file.h reads master files.
#pragma once

#include "net/resolver.h"

#include <smtpd/base/result.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::net {

class ZoneResolver final : public Resolver {
public:
    /// Adds the records of a text; the Error names the line.
    Result<void> read(std::string_view text);
    /// Adds one record: a line without a comment.
    Result<void> add(std::string_view record);

    /// What a name server does instead of answering.
    enum class Trouble : std::uint8_t { none, timeout, failure };
    /// Adds records of one type. Names in them are as DnsRecords has them. False for a name that cannot exist.
    bool add_records(std::string_view name, DnsType type, const DnsRecords& records);
    /// Makes the name exist, even without records. False for a name that cannot exist.
    bool add_name(std::string_view name);
    /// For one type, or for all types of which there are no records.
    bool add_trouble(std::string_view name, std::optional<DnsType> type, Trouble trouble);
    /// The name does not exist.
    bool add_missing(std::string_view name);

    std::shared_ptr<Lookup> start(std::vector<DnsQuestion> questions, std::function<void()> done) override;

    /// The answer to that question; nothing if there is never an answer.
    std::optional<DnsAnswer> answer(const DnsQuestion& question) const;

private:
    struct Node {
        std::map<DnsType, DnsRecords> records;
        std::map<DnsType, Trouble> troubles;
        Trouble trouble = Trouble::none;
        bool is_gone = false;

        Trouble trouble_of(DnsType type) const;
    };
    Node* node(std::string_view name);
    bool exists(const std::string& name) const;
    const Node* wildcard_for(const std::string& name) const;

    std::map<std::string, Node, std::less<>> nodes_;
};

}  // namespace smtpd::net
