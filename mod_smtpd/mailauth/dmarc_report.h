/// dmarc_report.h: writes an aggregate report (RFC 9990 3; RFC 7489 appendix C): XML, file name, and the mail with the
/// report.
#pragma once

#include <smtpd/mailauth/dmarc.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

/// The limit on signatures that are reported for a message; those that passed come first.
inline constexpr std::size_t max_reported_signatures = 100;

/// Messages that look the same in a report.
struct DmarcReportRow {
    struct Signature {
        std::string domain, selector, result;
        bool operator==(const Signature&) const = default;
    };
    struct Spf {
        std::string domain, result;
        bool operator==(const Spf&) const = default;
    };

    std::string source_ip{};
    std::uint64_t count = 1;
    DmarcPolicy disposition = DmarcPolicy::none;  ///< what was done
    bool is_dkim_aligned = false;
    bool is_spf_aligned = false;
    std::string reason{};          ///< why the disposition differs from the policy: "mailing_list"; may be empty
    std::string reason_comment{};  ///< for human readers
    std::string header_from{};
    std::string envelope_from{};  ///< "" for the null sender
    std::vector<Signature> dkim{};
    std::optional<Spf> spf{};

    bool passes() const noexcept { return is_dkim_aligned || is_spf_aligned; }
};

struct DmarcReport {
    std::string org_name{};       ///< the name of the reporting organization
    std::string email{};          ///< its contact address
    std::string extra_contact{};  ///< may be empty
    std::chrono::sys_days day{};  ///< a day in UTC
    std::string policy_domain{};
    DmarcRecord record{};
    DmarcRfc rfc = DmarcRfc::rfc9989;
    std::vector<DmarcReportRow> rows{};

    /// The same for each attempt to send the report: "20261130.example.com@mx.example.org".
    std::string id(std::string_view submitter) const;
    /// The XML document, in UTF-8. Untrusted text is escaped; characters that XML 1.0 does not allow become "?".
    std::string xml(std::string_view submitter) const;
    /// "mx.example.org!example.com!1796000000!1796086399.xml.gz" (RFC 9990 3.5).
    std::string file_name(std::string_view submitter) const;
};

/// The sender, recipient and date of the mail with a report.
struct DmarcReportMail {
    std::string from;       ///< an address
    std::string to;         ///< an address
    std::string submitter;  ///< the reporting domain
    std::chrono::sys_seconds date;
};
/// Makes the mail with the report as an attachment: header fields and body, with CRLF. `document` is the XML,
/// compressed with gzip.
std::string report_mail(const DmarcReportMail& mail, const DmarcReport& report, std::string_view document);

}  // namespace smtpd::mailauth
