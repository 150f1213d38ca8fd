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
///     gone.example    NXDOMAIN                 does not exist, even if there are names below it
///
/// Every other name does not exist, unless it has a subdomain. Answers are available at once and valid for an hour.
#pragma once

#include "net/resolver.h"

#include <smtpd/base/result.h>

#include <map>
#include <string>
#include <string_view>

namespace smtpd::net {

class ZoneResolver final : public Resolver {
public:
    /// Adds the records of a text; the Error names the line.
    Result<void> read(std::string_view text);
    /// Adds one record: a line without a comment.
    Result<void> add(std::string_view record);

    std::shared_ptr<Lookup> start(std::vector<DnsQuestion> questions, std::function<void()> done) override;

    /// The answer to that question; nothing if there is never an answer.
    std::optional<DnsAnswer> answer(const DnsQuestion& question) const;

private:
    struct Node {
        std::map<DnsType, DnsRecords> records;
        bool times_out = false;
        bool fails = false;
        bool is_gone = false;
    };
    DnsStatus status_of_missing(const std::string& name) const;

    std::map<std::string, Node, std::less<>> nodes_;
};

}  // namespace smtpd::net
