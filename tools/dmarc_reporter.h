/// dmarc_reporter.h: makes and sends reports about the messages that the plugin dmarc has stored.
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

/// The limit on rows of a report. Rows with the fewest messages are left out.
constexpr std::size_t max_report_rows = 10000;
/// The limit on addresses that get a report.
constexpr std::size_t max_addresses = 5;
/// After this many mails in a row that could not be sent, the command stops.
constexpr std::size_t max_failures = 3;

/// Makes the report about a domain. Its record is the one that applied to most messages.
mailauth::DmarcReport make_report(const std::vector<DmarcEvent>& events);

/// Compresses in gzip format (RFC 1952). The same input always gives the same octets.
std::string gzip(std::string_view octets);

/// Passes a mail to a program with the interface of sendmail(8): "PROGRAM -i -f FROM -- TO".
Result<void> send_mail(const std::string& program, const std::string& from, const std::string& to,
                       const std::string& mail);

/// Domains and addresses that get no reports, one per line; "#" begins a comment. A domain includes the domains below
/// it.
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
