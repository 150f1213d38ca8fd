/// dmarc_reporter.h: makes reports of what the plugin dmarc has remembered, and sends them.
#pragma once

#include "mailauth/dmarc_destinations.h"
#include "mailauth/dmarc_report.h"

#include <smtpd/base/result.h>
#include <smtpd/store/dmarc_history.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::tools {

/// A report has so many rows; those with the fewest messages are left out.
constexpr std::size_t max_report_rows = 10000;
/// So many addresses get a report.
constexpr std::size_t max_addresses = 5;
/// After so many mails in a row that could not be sent, no other is tried.
constexpr std::size_t max_failures = 3;

/// The report about a domain. The record is the one that most of the messages met.
mailauth::DmarcReport make_report(const std::vector<DmarcEvent>& events);

/// Compressed as gzip has it (RFC 1952), the same octets each time.
std::string gzip(std::string_view octets);

/// Hands a mail to a program, as sendmail(8) has it: "PROGRAM -i -f FROM -- TO".
Result<void> send_mail(const std::string& program, const std::string& from, const std::string& to,
                       const std::string& mail);

/// Domains and addresses that get no reports: one a line; "#" begins a comment. A domain stands for those below it.
class BlockList {
public:
    BlockList() = default;
    static Result<BlockList> read(const std::string& path);
    bool has_domain(std::string_view domain) const;
    bool has_address(std::string_view address) const;

private:
    std::set<std::string, std::less<>> entries_;
};

}  // namespace smtpd::tools
